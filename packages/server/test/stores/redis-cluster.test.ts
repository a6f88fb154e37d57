import { hasRedis } from "@kortyx/test-redis";
import { type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import { placeOf } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { openRun } from "./run-store-calls.ts";
import { describeRunStore } from "./run-store-contract.ts";

const owners = Array.from({ length: 20 }, (_, index) => `user-${index}`);

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
