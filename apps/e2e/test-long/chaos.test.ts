/**
 * Chaos, bounded: three servers behind nginx with one Redis, at the default settings, while connections are cut,
 * pages reload, users stop, one server crashes and one is replaced; in one game, Redis is a cluster. The games overlap, each
 * with its own processes; 40 s for all of them on two cores.
 */

import { hasRedis } from "@kortyx/test-redis";
import { describe, expect, test } from "vitest";
import { findFaults, summarize } from "../chaos/find-faults.ts";
import { planChaos, planClusterChaos, planRollingRestart } from "../chaos/plan.ts";
import { playChaos } from "../chaos/play-chaos.ts";
import { hasNginx } from "../test/nginx.ts";

const replayed = process.env.CHAOS_SEED;
const seeds =
  replayed === undefined
    ? [1, 2, 3, Math.floor(Math.random() * 2 ** 31)].map((seed, index) => ({ seed, isRandom: index === 3 }))
    : [{ seed: Number(replayed), isRandom: false }];

/** The time of a game on a machine under ten times the load. */
const timeout = 400_000;

async function expectNoFaults(plan: ReturnType<typeof planChaos>): Promise<void> {
  const game = await playChaos(plan);
  console.log(summarize(game));
  const replay = `CHAOS_SEED=${plan.seed} pnpm vitest run --project long chaos`;
  expect(findFaults(game), `${summarize(game)}\nPlay it again: ${replay}`).toEqual([]);
}

describe.skipIf(!hasNginx() || !hasRedis())("three servers behind nginx, with Redis", () => {
  test.concurrent.each(seeds)(
    "in chaos no answer is lost, repeated, changed or requested twice, and no page hangs: seed $seed",
    async ({ seed, isRandom }) => {
      if (isRandom) console.log(`The random seed is ${seed}.`);
      await expectNoFaults(planChaos(seed));
    },
    timeout,
  );

  test.concurrent(
    "the same on a cluster of Redis, whose slots move and whose masters hand over to their replicas",
    async () => {
      await expectNoFaults(planClusterChaos(seeds[0]!.seed));
    },
    timeout,
  );

  test.concurrent(
    "replaced one after the other under 30 clients, complete every answer or shut it down",
    async () => {
      await expectNoFaults(planRollingRestart(seeds[0]!.seed));
    },
    timeout,
  );
});
