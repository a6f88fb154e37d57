/** A cluster moves the slot of an owner to another node while runs are written, followed, opened and stopped. */
import { setTimeout as delay } from "node:timers/promises";
import { hasRedis } from "@kortyx/test-redis";
import { type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { Cluster } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import { placeOf } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";

const abort = { type: "abort", reason: "stopped" } as const;
const never = new AbortController().signal;

/** Appends an entry every 10 ms until it is asked to end its run. */
class Writer {
  written = 0;
  isEnding = false;
  readonly runId: string;
  readonly #store: RunStore;

  constructor(store: RunStore, runId: string) {
    this.runId = runId;
    this.#store = store;
  }

  async write(): Promise<void> {
    for (; !this.isEnding; this.written++) {
      expect(await this.#store.append(this.runId, this.written, [`${this.written}`])).toBe("ok");
      await delay(10);
    }
    expect(await this.#store.end(this.runId, { type: "done" })).toEqual({ type: "done" });
  }
}

/** Follows a run as a connection does. */
class Follower {
  readonly entries: string[] = [];
  readonly #store: RunStore;

  constructor(store: RunStore) {
    this.#store = store;
  }

  async follow(runId: string): Promise<void> {
    for (;;) {
      const page = await this.#store.read(runId, this.entries.length - 1, 100);
      this.entries.push(...page!.entries);
      if (page!.run.terminal !== undefined) return;
      await this.#store.wait(runId, this.entries.length - 1, never);
    }
  }
}

describe.skipIf(!hasRedis())("while a slot moves", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterEach(async () => {
    vi.useRealTimers();
    for (const node of cluster.nodes) await node.command("FLUSHALL");
  });
  afterAll(() => cluster.close());

  const libraries: [name: string, connect: () => Promise<RedisClient>][] = [
    ["redis", () => cluster.connect()],
    ["ioredis", async () => connectIoRedis()],
  ];
  function connectIoRedis(): Cluster {
    const nodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
    return new Cluster(nodes, { lazyConnect: true });
  }

  test.each(libraries)(
    "no call of %s fails, no entry is lost or repeated, and followers are notified again after the move",
    async (_, connect) => {
      // Without ticks, only announcements wake followers.
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      // A call waits for the keys of an owner to be on one node again: here for up to 2 s, much longer on a busy machine.
      const create = async () =>
        createRedisRunStore({ client: await connect(), commandTimeoutMs: 60_000, leaseMs: 120_000 });
      const [here, there] = [await create(), await create()];
      const writers: Writer[] = [];
      // Of four runs, three are in the slot that moves.
      for (const owner of ["ann", "ann", "ann", "bob"])
        writers.push(new Writer(here, await openRun(here, { owner })));
      const followers = writers.map(() => new Follower(there));
      const working = writers.map((writer) => writer.write());
      const following = writers.map(({ runId }, index) => followers[index]!.follow(runId));
      let isOver = false;
      let stopped = 0;
      const stopping = (async () => {
        for (; !isOver; stopped++) {
          const given = opening({ key: `${stopped}`, sessionId: "s" });
          expect((await here.open(given)).status).toBe("created");
          expect(await there.stopKey("ann", `${stopped}`)).toBe(given.runId);
          expect(await there.end(given.runId, abort)).toEqual(abort);
          await delay(100);
        }
      })();
      const together = Promise.all([...working, ...following, stopping]);
      let failure: unknown;
      together.catch((error) => {
        failure = error;
      });
      const until = (isTrue: () => boolean) => vi.waitUntil(() => failure !== undefined || isTrue());

      const key = `{${placeOf("ann")}}`;
      const home = await cluster.masterOf(key);
      const away = cluster.nodes.find((node) => node !== home)!;
      for (const target of [away, home]) {
        const stoppedBefore = stopped;
        await until(() => stopped > stoppedBefore + 2);
        let steps = 0;
        await cluster.moveSlotOf(key, target, async () => {
          steps++;
          await delay(50);
        });
        expect(await cluster.masterOf(key)).toBe(target);
        // The log, the run and the owner's open runs, at least: each was moved on its own.
        expect(steps).toBeGreaterThan(7);
        const moved = writers.map(({ written }) => written);
        await until(() => followers.every(({ entries }, index) => entries.length > moved[index]! + 10));
        const stoppedAfter = stopped;
        await until(() => stopped > stoppedAfter + 1);
      }
      isOver = true;
      for (const writer of writers) writer.isEnding = true;
      await together;
      for (const [index, { runId, written }] of writers.entries()) {
        const whole = [...Array.from({ length: written }, (_, seq) => `${seq}`), '{"type":"done"}'];
        expect(followers[index]!.entries).toEqual(whole);
        expect(await logOf(here, runId)).toEqual(whole);
      }
      await Promise.all([here.close(), there.close()]);
    },
  );
});
