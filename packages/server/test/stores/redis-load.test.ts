/** The cost of a run for Redis, in commands. `benchmarks/redis-commands.ts` prints the same for paced runs and processes. */

import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { createRunFeeds, type RunFeed } from "../../src/runs/run-feed.ts";
import { placeInId } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";

describe.skipIf(!hasRedis())("the commands of a run in Redis", () => {
  let redis: RedisServer;
  let stores: RunStore[];

  beforeEach(async () => {
    redis = await startRedis();
    stores = [];
    // Excludes the reads of every second, whose number depends on the machine.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all(stores.map((store) => store.close()));
    await redis.close();
  });

  async function create(): Promise<RunStore> {
    const store = createRedisRunStore({ client: await redis.connect() });
    stores.push(store);
    return store;
  }

  /** Follows a run as one process with 20 followers. */
  function follow(store: RunStore, runId: string): { feed: RunFeed; leave: () => void } {
    const feed = createRunFeeds(store).get(runId, -1);
    const leaving = Array.from({ length: 20 }, () => feed.join(() => {}));
    return { feed, leave: () => leaving.forEach((leave) => void leave("gone")) };
  }

  test.each([0, 1, 2])(
    "are one for each append, and one for each of %i following processes",
    async (count) => {
      const store = await create();
      const runId = await openRun(store);
      const following: ReturnType<typeof follow>[] = [];
      for (let index = 0; index < count; index++) following.push(follow(await create(), runId));
      const client = await redis.connect();
      const append = async (seq: number) => {
        await store.append(runId, seq, ["x"]);
        for (const { feed } of following)
          await vi.waitFor(() => expect(feed.lastSeq).toBe(seq), { interval: 1 });
      };
      for (let seq = 0; seq < 5; seq++) await append(seq);
      // A reader that is up to date requests nothing before the next entry.
      await new Promise((resolve) => setTimeout(resolve, 50));
      await client.sendCommand(["CONFIG", "RESETSTAT"]);
      for (let seq = 5; seq < 105; seq++) await append(seq);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const stats = String(await client.sendCommand(["INFO", "commandstats"]));
      const calls = Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1]);
      expect(calls / 100).toBeGreaterThanOrEqual(1 + count);
      expect(calls / 100).toBeLessThanOrEqual(1 + 1.02 * count);
      for (const { leave } of following) leave();
    },
  );

  test("are one for each append if only its own process follows", async () => {
    const store = await create();
    const runId = await openRun(store);
    const feeds = createRunFeeds(store);
    const feed = feeds.get(runId, -1);
    const leave = feed.join(() => {});
    const client = await redis.connect();
    for (let seq = 0; seq < 5; seq++) await feeds.append(runId, seq, ["x"]);
    // It is up to date, and listens.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.sendCommand(["CONFIG", "RESETSTAT"]);
    for (let seq = 5; seq < 105; seq++) await feeds.append(runId, seq, ["x"]);
    expect(feed.lastSeq).toBe(104);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const stats = String(await client.sendCommand(["INFO", "commandstats"]));
    // The lease is looked at now and then.
    expect(Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1])).toBeLessThanOrEqual(102);
    leave("gone");
  });

  test("stay few if Redis has lost an announced entry", async () => {
    const store = await create();
    const other = await create();
    const runId = await openRun(store);
    const { feed, leave } = follow(other, runId);
    for (let seq = 0; seq < 2; seq++) {
      await store.append(runId, seq, ["x"]);
      await vi.waitFor(() => expect(feed.lastSeq).toBe(seq), { interval: 1 });
    }
    const client = await redis.connect();
    await client.sendCommand(["CONFIG", "RESETSTAT"]);
    await client.sendCommand(["PUBLISH", `kortyx:{${placeInId(runId)}}:log:${runId}`, "9"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const stats = String(await client.sendCommand(["INFO", "commandstats"]));
    expect(Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1])).toBeLessThan(5);
    leave();
  });
});
