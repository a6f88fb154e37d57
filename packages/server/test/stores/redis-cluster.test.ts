import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { createCluster } from "redis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { openRun } from "./run-store-calls.ts";
import { describeRunStore } from "./run-store-contract.ts";

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Three masters on loopback with a third of the slots each. @param nodes - Receives each node, for the caller to close. */
async function startCluster(nodes: RedisServer[]) {
  const ports = await freePorts(6);
  for (let index = 0; index < 3; index++) {
    nodes.push(
      await startRedis({
        bind: "127.0.0.1",
        port: `${ports[index]}`,
        "cluster-enabled": "yes",
        "cluster-port": `${ports[index + 3]}`,
      }),
    );
  }
  const clients = await Promise.all(nodes.map((node) => node.connect()));
  for (const [index, client] of clients.entries()) {
    const [first, last] = [Math.ceil((16384 * index) / 3), Math.ceil((16384 * (index + 1)) / 3) - 1];
    await client.sendCommand(["CLUSTER", "SET-CONFIG-EPOCH", `${index + 1}`]);
    await client.sendCommand(["CLUSTER", "ADDSLOTSRANGE", `${first}`, `${last}`]);
    const met = ["CLUSTER", "MEET", "127.0.0.1", `${ports[0]}`, `${ports[3]}`];
    if (index > 0) await client.sendCommand(met);
  }
  for (const client of clients) {
    const info = () => client.sendCommand<string>(["CLUSTER", "INFO"]);
    const isWhole = /cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:3/;
    await vi.waitFor(async () => expect(await info()).toMatch(isWhole), { timeout: 60_000 });
  }
  return { clients, url: `redis://127.0.0.1:${ports[0]}` };
}

describe.skipIf(!hasRedis())("a cluster of three", () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  const clients: Awaited<ReturnType<typeof connect>>[] = [];
  const nodes: RedisServer[] = [];
  beforeAll(async () => {
    cluster = await startCluster(nodes);
    clients.push(await connect(), await connect());
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await Promise.all(nodes.map((node) => node.close()));
  });
  async function connect() {
    const client = createCluster({ rootNodes: [{ url: cluster.url }] });
    client.on("error", () => {});
    return client.connect();
  }

  describeRunStore({
    name: "Redis Cluster, the prefix of each test on some node",
    isShared: true,
    setUp() {
      const prefix = `{${crypto.randomUUID()}}:`;
      let stores = 0;
      return {
        create: (options) => createRedisRunStore({ client: clients[stores++ % 2]!, prefix, ...options }),
        isAnnounced: true,
        address: {},
        dispose: () => {},
      };
    },
  });

  test("keeps the runs of one prefix on one node, and spreads prefixes over the nodes", async () => {
    const stores = Array.from({ length: 20 }, (_, index) =>
      createRedisRunStore({ client: clients[0]!, prefix: `{app-${index}}:` }),
    );
    for (const store of stores) await openRun(store, { key: "k", sessionId: "s" });
    // Ignores keys of other tests, which expire meanwhile.
    for (const keys of await Promise.all(cluster.clients.map((node) => node.keys("{app-*")))) {
      // Five keys per prefix: the format, the run, the open runs of its owner, its key and its session.
      expect(keys.length % 5).toBe(0);
      expect(keys.length).toBeGreaterThan(0);
    }
    await Promise.all(stores.map((store) => store.close()));
  });
});
