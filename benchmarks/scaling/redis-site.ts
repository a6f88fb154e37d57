/** One Redis or a cluster of three, and what its nodes have done between two moments. */
import { createClient, createCluster } from "redis";
import { startRedisCluster } from "../../apps/test-redis/redis-cluster.ts";
import type { RunStore } from "../../packages/server/dist/index.js";
import { createRedisRunStore } from "../../packages/server/dist/redis.js";
import { startRedis } from "../workloads/redis-server.ts";

/** What one node has done. */
export interface NodeWork {
  /** The CPU time of its main thread: scripts, sockets and everything else. Other processes do not change it. */
  cpuUs: number;
  scripts: number;
  bytesIn: number;
  bytesOut: number;
  memoryBytes: number;
}

export interface RedisSite {
  nodeCount: number;
  /** A store with a connection of its own, as in a process of its own. */
  openStore(): Promise<RunStore>;
  /** @returns what each node has done while `work` ran. */
  watch(work: () => Promise<unknown>): Promise<NodeWork[]>;
  /** Those of all connections. */
  countSubscriptions(): Promise<number>;
  /** Closes the stores and deletes what they have kept. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** The part of a client that this file uses. */
interface Node {
  sendCommand(words: string[]): Promise<unknown>;
  destroy(): void;
}

export async function openSite(nodeCount: 1 | 3): Promise<RedisSite> {
  const stops: (() => unknown)[] = [];
  const nodes: Node[] = [];
  let connect: () => Promise<unknown>;
  if (nodeCount === 1) {
    const { url, stop } = await startRedis();
    stops.push(stop);
    connect = () => createClient({ url }).connect();
    nodes.push((await connect()) as Node);
  } else {
    const cluster = await startRedisCluster();
    stops.push(() => cluster.close());
    const { rootNodes } = cluster;
    connect = () => createCluster({ rootNodes }).connect();
    for (const { url } of rootNodes) nodes.push(await createClient({ url }).connect());
  }
  const opened: { store: RunStore; client: Node }[] = [];
  async function closeStores(): Promise<void> {
    for (const { store, client } of opened.splice(0)) {
      await store.close();
      client.destroy();
    }
  }
  return {
    nodeCount,
    async openStore() {
      const client = (await connect()) as Parameters<typeof createRedisRunStore>[0]["client"] & Node;
      const store = createRedisRunStore({ client });
      opened.push({ store, client });
      return store;
    },
    async watch(work) {
      const before = await Promise.all(nodes.map(readWork));
      await work();
      const after = await Promise.all(nodes.map(readWork));
      return after.map((now, index) => subtract(now, before[index]!));
    },
    async countSubscriptions() {
      const lists = await Promise.all(nodes.map((node) => node.sendCommand(["CLIENT", "LIST"])));
      const found = lists.join("\n").matchAll(/ s?sub=(\d+)/g);
      return [...found].reduce((total, [, count]) => total + Number(count), 0);
    },
    async clear() {
      await closeStores();
      await Promise.all(nodes.map((node) => node.sendCommand(["FLUSHALL"])));
    },
    async close() {
      await closeStores();
      for (const node of nodes) node.destroy();
      for (const stop of stops) await stop();
    },
  };
}

async function readWork(node: Node): Promise<NodeWork> {
  const info = `${await node.sendCommand(["INFO"])}\n${await node.sendCommand(["INFO", "commandstats"])}`;
  const read = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
  const seconds = (kind: string) => read(new RegExp(`^used_cpu_${kind}_main_thread:([\\d.]+)`, "m"));
  return {
    cpuUs: (seconds("user") + seconds("sys")) * 1e6,
    scripts: read(/^cmdstat_evalsha:calls=(\d+)/m),
    bytesIn: read(/^total_net_input_bytes:(\d+)/m),
    bytesOut: read(/^total_net_output_bytes:(\d+)/m),
    memoryBytes: read(/^used_memory:(\d+)/m),
  };
}

const names = ["cpuUs", "scripts", "bytesIn", "bytesOut", "memoryBytes"] as const;
const combine = (combineOne: (name: (typeof names)[number]) => number): NodeWork =>
  Object.fromEntries(names.map((name) => [name, combineOne(name)])) as unknown as NodeWork;
const subtract = (left: NodeWork, right: NodeWork): NodeWork => combine((name) => left[name] - right[name]);

/** What all nodes have done, for each of `count`. */
export const workFor = (count: number, nodes: NodeWork[]): NodeWork =>
  combine((name) => nodes.reduce((total, node) => total + node[name], 0) / count);
