import type { StreamChunk } from "@kortyx/protocol";
import { hasRedis } from "@kortyx/test-redis";
import { type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { Cluster } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { placeOf } from "../../src/stores/run-id.ts";
import type { OpenedRun, RunStore } from "../../src/stores/run-store.ts";
import { opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { describeRunStore } from "./run-store-contract.ts";

const owners = Array.from({ length: 20 }, (_, index) => `user-${index}`);
/** Their lines with ids and data. */
const eventsOf = (text: string) => text.split("\n").filter((line) => /^(id|data):/.test(line));

describe.skipIf(!hasRedis())("a cluster of three", () => {
  let cluster: RedisCluster;
  let clients: RedisClient[];
  let prefix: string;
  let stores: RunStore[];
  beforeAll(async () => {
    cluster = await startRedisCluster();
    clients = [await cluster.connect(), await cluster.connect()];
  });
  afterAll(() => cluster.close());
  beforeEach(() => {
    prefix = `${crypto.randomUUID()}:`;
    stores = [];
  });
  afterEach(() => Promise.all(stores.map((store) => store.close())));

  function create(options: object = {}): RunStore {
    const store = createRedisRunStore({ client: clients[stores.length % 2]!, prefix, ...options });
    stores.push(store);
    return store;
  }
  /** The keys of each node. */
  const keysOfNodes = () =>
    Promise.all(cluster.nodes.map(async (node) => (await node.command("KEYS", `*${prefix}*`)) as string[]));

  describeRunStore({
    name: "Redis Cluster",
    isShared: true,
    setUp: () => ({ create, isAnnounced: true, address: {}, dispose: () => {} }),
  });

  test("keeps everything of an owner on one node, and spreads owners over the nodes", async () => {
    const store = create();
    for (const owner of owners) await openRun(store, { owner, key: "k", sessionId: "s" });
    const keys = await keysOfNodes();
    for (const owner of owners) {
      // The run, the open runs of its owner, its key and its session.
      const counts = keys.map(
        (ofNode) => ofNode.filter((key) => key.includes(`{${placeOf(owner)}}:`)).length,
      );
      expect(counts.filter((count) => count !== 0)).toEqual([4]);
    }
    for (const ofNode of keys) expect(ofNode.length).toBeGreaterThan(1);
  });

  test.each([
    ["without keys", () => undefined],
    ["with keys", (index: number) => `key-${index}`],
  ])("spreads anonymous runs %s over the nodes, and finds each by its id or a cursor", async (_, keyOf) => {
    const [first, second] = [create(), create()].map((store) =>
      createChatRoute({
        agent: {
          async *streamChat([message]): AsyncGenerator<StreamChunk> {
            yield { type: "text-delta", delta: message!.content };
            yield { type: "done" };
          },
        },
        authorize: "anonymous",
        runs: { store },
      }),
    );
    const accept = "text/event-stream";
    for (let index = 0; index < 40; index++) {
      const messages = [{ role: "user", content: `Answer ${index}` }];
      const asked = await first!.fetch(
        new Request("http://host/", {
          method: "POST",
          headers: { accept, "content-type": "application/json" },
          body: JSON.stringify({ messages, idempotencyKey: keyOf(index) }),
        }),
      );
      const whole = eventsOf(await asked.text());
      const runId = /"runId":"([^"]+)"/.exec(whole[1]!)![1]!;
      const get = async (query: string, headers: HeadersInit) =>
        eventsOf(await (await second!.fetch(new Request(`http://host/${query}`, { headers }))).text());
      expect(await get(`?run=${runId}`, { accept })).toEqual(whole);
      // Two lines for each event.
      expect(await get("", { accept, "last-event-id": `${runId}.0` })).toEqual(whole.slice(2));
    }
    const runs = (await keysOfNodes()).map((keys) => keys.filter((key) => key.includes(":run:")).length);
    expect(runs.reduce((sum, count) => sum + count)).toBe(40);
    for (const count of runs) expect(count).toBeGreaterThan(0);
  });

  test("opens as many runs of one owner at the same time as the owner may have, and all keys once", async () => {
    const [first, second] = [create(), create()];
    const openAll = (maxOpenRuns: number) =>
      Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          (index % 2 === 0 ? first : second).open(opening({ key: `key-${index % 15}`, maxOpenRuns })),
        ),
      );
    const countOf = (opened: OpenedRun[]) => (wanted: OpenedRun["status"]) =>
      opened.filter(({ status }) => status === wanted).length;
    expect((["created", "attached"] as const).map(countOf(await openAll(15)))).toEqual([15, 15]);
    const others = await Promise.all(
      Array.from({ length: 30 }, () => second.open(opening({ maxOpenRuns: 20 }))),
    );
    expect((["created", "too-many-runs"] as const).map(countOf(others))).toEqual([5, 25]);
  });

  test("returns nothing for an unknown run to a client of ioredis that has only the channels of all nodes", async () => {
    const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })));
    client.on("error", () => {});
    // Earlier versions lack the option.
    delete (client.options as { shardedSubscribers?: boolean }).shardedSubscribers;
    const store = create({ client });
    await expect.poll(() => store.read("unknown", -1, 1).catch(String)).toBe(undefined);
    expect(await store.end("unknown", { type: "done" })).toBe(undefined);
    client.disconnect();
  });

  test("accepts runs where a process of format 1 has left its number, but cannot have left runs", async () => {
    await (await cluster.connect()).set(`${prefix}format`, "1");
    const store = create();
    const runId = await openRun(store, { key: "k", sessionId: "s" });
    expect((await store.latest("ann", "s"))?.runId).toBe(runId);
    expect(await store.stopKey("ann", "k")).toBe(runId);
  });

  test("keeps all runs of a prefix with a hash tag on one node", async () => {
    const store = create({ prefix: `{${prefix}}` });
    for (const owner of owners) await openRun(store, { owner, key: "k", sessionId: "s" });
    const counts = (await keysOfNodes()).map((keys) => keys.length);
    expect(counts.filter((count) => count !== 0)).toEqual([4 * owners.length + 1]);
  });
});
