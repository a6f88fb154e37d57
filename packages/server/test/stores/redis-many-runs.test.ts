import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { createRunId, placeOf } from "../../src/stores/run-id.ts";
import { opening, openRun } from "../../src/testing/contract/run-store-calls.ts";

describe.skipIf(!hasRedis())("an owner with many runs in Redis", () => {
  let redis: RedisServer;
  let client: Awaited<ReturnType<RedisServer["connect"]>>;
  beforeAll(async () => {
    redis = await startRedis();
    client = await redis.connect();
  });
  afterAll(() => redis.close());

  test("can open another one beside 10,000, which are counted only while they are open", async () => {
    const store = createRedisRunStore({ client });
    const open = `kortyx:{${placeOf("ann")}}:open:ann`;
    const ended = Array.from({ length: 10_000 }, () => createRunId("ann"));
    await client.sAdd(open, ended);
    const runId = await openRun(store, { maxOpenRuns: 1 });
    expect(await client.sMembers(open)).toEqual([runId]);
    await store.close();
  });

  test("opens many at the same time with two calls for each", async () => {
    const store = createRedisRunStore({ client });
    await openRun(store, { owner: "bob" });
    await client.sendCommand(["CONFIG", "RESETSTAT"]);
    const opened = await Promise.all(
      Array.from({ length: 100 }, () => store.open(opening({ owner: "bob", maxOpenRuns: 91 }))),
    );
    expect(opened.filter(({ status }) => status === "created").length).toBe(90);
    expect(opened.filter(({ status }) => status === "too-many-runs").length).toBe(10);
    const stats = String(await client.sendCommand(["INFO", "commandstats"]));
    // The first one asks for the run that is already open.
    expect(Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1])).toBeLessThanOrEqual(200);
    await store.close();
  });
});
