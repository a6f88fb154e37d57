/** A real Redis Cluster on loopback for one test: three masters, and a replica of each if wanted. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createCluster, type RedisClusterOptions } from "redis";
import { type RedisServer, startRedis } from "./redis-server.ts";

export interface ClusterNode extends RedisServer {
  port: number;
  /** The node's own name in the cluster. */
  id: string;
}

export interface RedisCluster {
  /** The masters, each with a third of the slots; then their replicas, in the same order. */
  nodes: ClusterNode[];
  /** The addresses of all nodes, from which a client finds the others. */
  rootNodes: { url: string }[];
  /** A connected client, which is destroyed with the cluster. */
  connect(options?: Partial<RedisClusterOptions>): Promise<ReturnType<typeof createTestCluster>>;
  /** The nodes that are masters now. */
  masters(): Promise<ClusterNode[]>;
  /** The node that serves the slot of this key. */
  masterOf(key: string): Promise<ClusterNode>;
  /**
   * Moves the slot of a key to another master, as `redis-cli --cluster reshard` does, but key by key.
   *
   * @param onStep - Awaited before each key moves, and before the slot changes hands without any left.
   */
  moveSlotOf(key: string, target: ClusterNode, onStep?: () => unknown): Promise<void>;
  /** Makes a replica the master of its slots, without loss. */
  failOver(replica: ClusterNode): Promise<void>;
  close(): Promise<void>;
}

export interface RedisClusterSetup {
  hasReplicas?: boolean;
  /** For redis.conf of every node. */
  settings?: Record<string, string>;
}

const slotCount = 16_384;
const masterCount = 3;

const createTestCluster = (options: RedisClusterOptions) => createCluster(options);

export async function startRedisCluster({ hasReplicas = false, settings = {} }: RedisClusterSetup = {}) {
  const nodes: ClusterNode[] = [];
  const clients: { destroy(): void }[] = [];
  const close = async () => {
    for (const client of clients) client.destroy();
    await Promise.all(nodes.map((node) => node.close()));
  };
  try {
    for (let count = 0; count < masterCount * (hasReplicas ? 2 : 1); count++) {
      nodes.push(await startNode(settings));
    }
    await form(nodes);
  } catch (error) {
    await close();
    throw error;
  }
  const rootNodes = nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` }));

  /** Asks any node that lives. */
  async function ownerOf(slot: string): Promise<ClusterNode> {
    for (const node of nodes) {
      const ranges = await node.command("CLUSTER", "SLOTS").catch(() => []);
      for (const [first, last, [, , id]] of ranges as [number, number, [string, number, string]][]) {
        const owner = nodes.find((one) => one.id === id);
        if (owner !== undefined && first <= Number(slot) && Number(slot) <= last) return owner;
      }
    }
    throw new Error(`No node serves slot ${slot}.`);
  }
  const slotOf = async (key: string) => String(await nodes[0]!.command("CLUSTER", "KEYSLOT", key));

  const cluster: RedisCluster = {
    nodes,
    rootNodes,
    async connect(options) {
      const client = createTestCluster({ rootNodes, ...options });
      client.on("error", () => {});
      clients.push(client);
      await client.connect();
      return client;
    },
    async masters() {
      const roles = await Promise.all(nodes.map(isMaster));
      return nodes.filter((_, index) => roles[index]);
    },
    masterOf: async (key) => ownerOf(await slotOf(key)),
    async moveSlotOf(key, target, onStep = () => {}) {
      const slot = await slotOf(key);
      const source = await ownerOf(slot);
      await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id);
      await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id);
      for (;;) {
        await onStep();
        const [moved] = (await source.command("CLUSTER", "GETKEYSINSLOT", slot, "1")) as string[];
        if (moved === undefined) break;
        await source.command("MIGRATE", "127.0.0.1", `${target.port}`, moved, "0", "10000");
      }
      for (const node of [target, source]) await node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id);
    },
    async failOver(replica) {
      await replica.command("CLUSTER", "FAILOVER");
      await until(() => isMaster(replica));
    },
    close,
  };
  return cluster;
}

/** Another program may take a port that was free a moment ago. */
async function startNode(settings: Record<string, string>, attempts = 5): Promise<ClusterNode> {
  const [port, busPort] = await freePorts();
  try {
    const node = await startRedis({
      bind: "127.0.0.1",
      port: `${port}`,
      "cluster-enabled": "yes",
      "cluster-port": `${busPort}`,
      "repl-diskless-sync-delay": "0",
      ...settings,
    });
    return { ...node, port: port!, id: String(await node.command("CLUSTER", "MYID")) };
  } catch (error) {
    if (attempts === 1) throw error;
    return startNode(settings, attempts - 1);
  }
}

async function freePorts(): Promise<number[]> {
  const servers = [0, 1].map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

async function form(nodes: ClusterNode[]): Promise<void> {
  const [first, ...others] = nodes;
  for (const [index, node] of nodes.entries())
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", `${index + 1}`);
  for (let index = 0; index < masterCount; index++) {
    const from = Math.ceil((slotCount * index) / masterCount);
    const to = Math.ceil((slotCount * (index + 1)) / masterCount) - 1;
    await nodes[index]!.command("CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to}`);
  }
  const [, busPort] = /:\d+@(\d+)/.exec(String(await first!.command("CLUSTER", "NODES")))!;
  for (const node of others) {
    await node.command("CLUSTER", "MEET", "127.0.0.1", `${first!.port}`, busPort!);
  }
  const isWhole = RegExp(
    `cluster_state:ok[^]*cluster_slots_ok:${slotCount}[^]*cluster_known_nodes:${nodes.length}\\b`,
  );
  for (const node of nodes) {
    await until(async () => isWhole.test(String(await node.command("CLUSTER", "INFO"))));
  }
  for (const [index, replica] of nodes.slice(masterCount).entries()) {
    await replica.command("CLUSTER", "REPLICATE", nodes[index]!.id);
  }
  for (const replica of nodes.slice(masterCount)) {
    await until(async () =>
      /^master_link_status:up/m.test(String(await replica.command("INFO", "replication"))),
    );
  }
  // Only a replica that all masters know can take over.
  for (const node of nodes) {
    await until(
      async () => count(String(await node.command("CLUSTER", "NODES"))) === nodes.length - masterCount,
    );
  }
}

const isMaster = async (node: ClusterNode): Promise<boolean> =>
  /^role:master/m.test(String(await node.command("INFO", "replication")));

const count = (list: string): number => list.match(/ (?:myself,)?slave /g)?.length ?? 0;

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error("The nodes of the cluster do not agree.");
    await delay(20);
  }
}
