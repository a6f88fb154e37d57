import { hasRedis } from "@kortyx/test-redis";
import { type ClusterNode, type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { type SilentProxy, startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { placeOf } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { logOf, openRun } from "../../src/testing/contract/run-store-calls.ts";

const never = new AbortController().signal;
/** Their runs are on two nodes. */
const [ann, bob] = ["ann", "bob"];

describe.skipIf(!hasRedis())("a cluster, one node of which does not reply,", () => {
  let cluster: RedisCluster;
  /** One for each node. */
  let proxies: SilentProxy[];
  let nodeOfAnn: ClusterNode;
  let proxyOfAnn: SilentProxy;
  /** Both have the same runs; only the reader's connections pass the proxies. */
  let reader: RunStore;
  let writer: RunStore;
  beforeEach(async () => {
    cluster = await startRedisCluster();
    proxies = await Promise.all(
      cluster.nodes.map(({ port }) => startSilentProxy({ port, host: "127.0.0.1" })),
    );
    const owners = [ann, bob].map((owner) => cluster.masterOf(`{${placeOf(owner!)}}`));
    const [first, second] = await Promise.all(owners);
    expect(first).not.toBe(second);
    nodeOfAnn = first!;
    proxyOfAnn = proxies[cluster.nodes.indexOf(nodeOfAnn)]!;
    const addresses = Object.fromEntries(
      cluster.nodes.map(({ port }, index) => [
        `127.0.0.1:${port}`,
        { host: "127.0.0.1", port: proxies[index]!.port },
      ]),
    );
    const client = await cluster.connect({
      // The only one that the client knows at first is the one that falls silent.
      rootNodes: [{ socket: { host: "127.0.0.1", port: proxyOfAnn.port } }],
      nodeAddressMap: addresses,
    });
    reader = createRedisRunStore({ client, commandTimeoutMs: 500 });
    writer = createRedisRunStore({ client: await cluster.connect() });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all([reader.close(), writer.close()]);
    await cluster.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  const subscribersOf = async (node: ClusterNode) =>
    String(await node.command("CLIENT", "LIST", "TYPE", "pubsub"))
      .split("\n")
      .filter(Boolean);

  test("gets the calls of a store over a new connection, if only the old ones are silent", async () => {
    const [ofAnn, ofBob] = [await openRun(writer, { owner: ann! }), await openRun(writer, { owner: bob! })];
    expect(await reader.append(ofAnn, 0, ["0"])).toBe("ok");
    expect(await reader.append(ofBob, 0, ["0"])).toBe("ok");
    proxyOfAnn.silence();
    await expect(reader.append(ofAnn, 1, ["1"])).rejects.toThrow("did not reply within 500 ms");
    await expect.poll(() => reader.append(ofAnn, 1, ["1"]).catch(String)).toBe("ok");
    expect(await reader.append(ofBob, 1, ["1"])).toBe("ok");
    expect(await logOf(writer, ofAnn)).toEqual(["0", "1"]);
    await reader.close();
    for (const proxy of proxies) {
      // Only the connection of the client is left.
      await expect.poll(() => proxy.live).toBe(proxy === proxyOfAnn ? 0 : 1);
    }
  });

  test("announces again over a new connection, if only the old ones are silent", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const runId = await openRun(writer, { owner: ann! });
    const listening = reader.wait(runId, -1, never);
    await expect.poll(() => subscribersOf(nodeOfAnn)).toHaveLength(1);
    await writer.append(runId, 0, ["0"]);
    await listening;
    proxyOfAnn.silence("subscribers");
    await writer.append(runId, 1, ["1"]);
    await reader.read(runId, 0, 1);
    vi.advanceTimersByTime(3000);
    const next = reader.wait(runId, 1, never);
    await expect.poll(() => subscribersOf(nodeOfAnn)).toHaveLength(1);
    await writer.append(runId, 2, ["2"]);
    await next;
  });

  test("still announces the runs of the other nodes, over a connection that is opened meanwhile", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const runId = await openRun(writer, { owner: bob! });
    nodeOfAnn.suspend();
    const waiting = reader.wait(runId, -1, never);
    const nodeOfBob = await cluster.masterOf(`{${placeOf(bob!)}}`);
    await expect.poll(() => subscribersOf(nodeOfBob)).toHaveLength(1);
    await writer.append(runId, 0, ["0"]);
    await waiting;
  });
});

test.skipIf(!hasRedis())(
  "no process ends because the replica that replaces a master refuses subscribers",
  async () => {
    const settings = { "cluster-node-timeout": "1500" };
    const cluster = await startRedisCluster({ hasReplicas: true, settings });
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    // Without ticks, it is the client that subscribes again.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const client = await cluster.connect();
      const subscribesAgain = Promise.withResolvers<void>();
      const duplicate = (changes?: object) => {
        const connection = client.duplicate(changes);
        connection.on("__resubscribeListeners", () => subscribesAgain.resolve());
        return connection;
      };
      const store = createRedisRunStore({ client: Object.assign(Object.create(client), { duplicate }) });
      const waiting = store.wait(await openRun(store), -1, never);
      const master = await cluster.masterOf(`{${placeOf("ann")}}`);
      const replica = cluster.nodes[cluster.nodes.indexOf(master) + 3]!;
      await expect
        .poll(async () => String(await master.command("CLIENT", "LIST", "TYPE", "pubsub")))
        .toContain(" ssub=1 ");
      await replica.command("ACL", "SETUSER", "default", "-ssubscribe");
      await master.kill();
      await subscribesAgain.promise;
      await expect
        .poll(async () => JSON.stringify(await replica.command("ACL", "LOG")))
        .toContain("ssubscribe");
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(unhandled).toEqual([]);
      await store.close();
      await waiting;
    } finally {
      vi.useRealTimers();
      process.off("unhandledRejection", onUnhandled);
      await cluster.close();
    }
  },
);
