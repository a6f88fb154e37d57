import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { callsOf, openRun } from "../../src/testing/contract/run-store-calls.ts";

describe.skipIf(!hasRedis())("the number of the format", () => {
  let redis: RedisServer;
  let client: Awaited<ReturnType<RedisServer["connect"]>>;
  let prefix: string;
  beforeAll(async () => {
    redis = await startRedis();
    client = await redis.connect();
  });
  afterAll(() => redis.close());
  beforeEach(() => {
    prefix = `${crypto.randomUUID()}:`;
  });

  const sentence = (format: number) =>
    `The runs in Redis under "${prefix}" have format ${format}, of a newer version of @kortyx/server; this version ` +
    "knows format 2. Update this process, or give its store another prefix.";

  test("of a newer version makes every method reject until it is removed", async () => {
    await client.set(`${prefix}format`, "3");
    const store = createRedisRunStore({ client, prefix });
    for (const call of callsOf(store, "r")) await expect(call()).rejects.toThrow(sentence(3));
    expect(await client.keys(`${prefix}*`)).toEqual([`${prefix}format`]);
    await client.del(`${prefix}format`);
    await openRun(store);
    expect(await client.get(`${prefix}format`)).toBe("2");
  });

  test("keeps older processes out for good, and runs of format 1 are found until they have expired", async () => {
    await client.set(`${prefix}format`, "1");
    await client.set(`${prefix}key:3:ann:k`, "earlier");
    await client.hSet(`${prefix}run:earlier`, "owner", "ann");
    const create = () => createRedisRunStore({ client, prefix, leaseMs: 60_000, retentionMs: 40_000 });
    for (let count = 0; count < 2; count++) expect(await create().stopKey("ann", "k")).toBe("earlier");
    const mark = `${prefix}format:earlier`;
    expect(await client.pTTL(mark)).toBeGreaterThan(90_000);
    await client.del(mark);
    expect(await create().stopKey("ann", "k")).toBe(undefined);
    expect(await client.pTTL(`${prefix}format`)).toBe(-1);
    expect(await client.get(`${prefix}format`)).toBe("2");
  });

  test("is written once and read once by each store", async () => {
    const seen: string[] = [];
    const monitor = await redis.connect();
    await monitor.monitor((line) => seen.push(String(line)));
    const [first, second] = [
      createRedisRunStore({ client, prefix }),
      createRedisRunStore({ client, prefix }),
    ];
    for (const store of [first, second]) {
      const runId = await openRun(store);
      await store.append(runId, 0, ["0"]);
      await store.read(runId, -1, 1);
    }
    await expect.poll(() => seen.filter((line) => line.includes('"XRANGE"')).length).toBe(2);
    const commands = seen.filter(
      (line) => / "(GET|SET|EXISTS)" /.test(line) && line.includes(`"${prefix}format`),
    );
    expect(commands.map((line) => / "(\w+)" /.exec(line)?.[1])).toEqual([
      "GET",
      "SET",
      "EXISTS",
      "GET",
      "EXISTS",
    ]);
  });
});
