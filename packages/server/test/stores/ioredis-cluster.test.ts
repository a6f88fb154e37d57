import { setTimeout as delay } from "node:timers/promises";
import { hasRedis } from "@kortyx/test-redis";
import { type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { Cluster } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisRunStoreOptions } from "../../src/redis.ts";
import { toRedisLink } from "../../src/stores/redis-client.ts";
import { placeOf } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { describeRunStore } from "./run-store-contract.ts";

const never = new AbortController().signal;
/** From now on, only announcements wake readers. */
const stopTicks = () => vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
const place = `{${placeOf("ann")}}`;

describe.skipIf(!hasRedis())("a cluster of ioredis", () => {
  let cluster: RedisCluster;
  let client: Cluster;
  let prefix: string;
  let stores: RunStore[];
  beforeAll(async () => {
    cluster = await startRedisCluster();
    client = connect();
  });
  afterAll(async () => {
    client.disconnect();
    await cluster.close();
  });
  beforeEach(() => {
    prefix = `${crypto.randomUUID()}:`;
    stores = [];
  });
  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all(stores.map((store) => store.close()));
  });

  function connect(options: object = {}): Cluster {
    const created = new Cluster(
      cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })),
      {
        redisOptions: { keyPrefix: "app:" },
        lazyConnect: true,
        clusterRetryStrategy: () => null,
        ...options,
      },
    );
    created.on("error", () => {});
    return created;
  }
  function create(options: Partial<RedisRunStoreOptions> = {}): RunStore {
    const store = createRedisRunStore({ client, prefix, ...options });
    stores.push(store);
    return store;
  }
  async function runsLeft(): Promise<string[]> {
    const keys = await Promise.all(cluster.nodes.map((node) => node.command("KEYS", `*${prefix}*:run:*`)));
    return (keys as string[][]).flat();
  }

  describeRunStore({
    name: "Redis Cluster, with ioredis",
    isShared: true,
    setUp: () => ({ create, isAnnounced: true, address: {}, dispose: () => {} }),
  });

  test("announces entries on every node, again after all nodes were away", async () => {
    stopTicks();
    const [store, other] = [create(), create()];
    const owners = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    const expectAnnouncements = async () => {
      for (const owner of owners) {
        const runId = await vi.waitUntil(() => openRun(other, { owner }).catch(() => ""));
        const waiting = store.wait(runId, -1, never);
        expect(await other.append(runId, 0, ["0"])).toBe("ok");
        await waiting;
      }
    };
    await expectAnnouncements();
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    for (const node of cluster.nodes) await node.restart();
    await expectAnnouncements();
  });

  test("does not execute later what was abandoned before its connection closed", async () => {
    const store = create({ commandTimeoutMs: 300 });
    const runId = await openRun(store);
    const node = await cluster.masterOf(place);
    await node.command("CLIENT", "PAUSE", "60000", "WRITE");
    await expect(store.open(opening({ key: "k" }))).rejects.toThrow("did not reply within 300 ms");
    await node.command("CLIENT", "KILL", "TYPE", "normal");
    await node.command("CLIENT", "UNPAUSE");
    await expect.poll(() => store.renew(runId).catch(String)).toBe("ok");
    await delay(300);
    expect(await runsLeft()).toHaveLength(1);
  });

  test("does not execute later what was abandoned while keys of its owner were on two nodes", async () => {
    const store = create({ commandTimeoutMs: 300 });
    await openRun(store);
    const source = await cluster.masterOf(place);
    const target = cluster.nodes.find((node) => node !== source)!;
    const abandoned = async (index: number) => {
      await delay(20 * index);
      await expect(store.open(opening({ key: `${index}` }))).rejects.toThrow("did not reply within 300 ms");
    };
    let step = 0;
    await cluster.moveSlotOf(place, target, async () => {
      if (step++ === 0) await Promise.all(Array.from({ length: 10 }, (_, index) => abandoned(index)));
    });
    await delay(300);
    expect(await runsLeft()).toHaveLength(1);
  });

  test("reports at once that the cluster does not serve all slots", async () => {
    const store = create({ commandTimeoutMs: 60_000 });
    const runId = await openRun(store);
    const node = await cluster.masterOf(place);
    const slot = String(await node.command("CLUSTER", "KEYSLOT", place));
    await node.command("CLUSTER", "DELSLOTS", slot);
    const failing = store.renew(runId).catch(String);
    expect(await failing).toMatch(/^ReplyError: CLUSTERDOWN/);
    await node.command("CLUSTER", "ADDSLOTS", slot);
    await expect.poll(() => store.renew(runId).catch(String)).toBe("ok");
  });

  /** A machine that drops packets, or loads for minutes, would queue commands; it is hard to have one in a test. */
  test("gives up nodes that do not become ready before callers give up", () => {
    const redisOptionsFor = (commandTimeoutMs: number) => {
      const duplicate = vi.spyOn(client, "duplicate");
      toRedisLink(client, commandTimeoutMs).duplicate();
      return duplicate.mock.lastCall?.[1]?.redisOptions;
    };
    expect(redisOptionsFor(3000)).toMatchObject({ connectTimeout: 3000, enableReadyCheck: false });
    expect(redisOptionsFor(50)).toMatchObject({ connectTimeout: 1000, enableReadyCheck: false });
    expect(redisOptionsFor(0)).not.toHaveProperty("connectTimeout");
  });
});
