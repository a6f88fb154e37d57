/**
 * A master of a Redis Cluster hands its slots to its replica in mid-answer: on request, because it dies, or because its
 * machine is gone, which closes no connection. At the default settings of the store, and a node timeout of 3 s. The tests run
 * together, each on a cluster of its own: about 30 s.
 */
import { type StreamChunk, streamFromRoute } from "@kortyx/client";
import { type ChatRoute, createChatRoute, type RunStore } from "@kortyx/server";
import { createRedisRunStore } from "@kortyx/server/redis";
import { hasRedis } from "@kortyx/test-redis";
import { type ClusterNode, type RedisCluster, startRedisCluster } from "@kortyx/test-redis/cluster";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { until } from "../test/live-server.ts";

const words = Array.from({ length: 200 }, (_, index) => `${index} `);
const whole = words.join("");
const users = Array.from({ length: 12 }, (_, index) => `user-${index}`);
const agent = {
  async *streamChat(): AsyncGenerator<StreamChunk> {
    for (const delta of words) {
      yield { type: "text-delta", delta };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    yield { type: "done" };
  },
};

/** A server, connected as in the documentation. */
async function createRoute(cluster: RedisCluster, stores: RunStore[]): Promise<ChatRoute> {
  const store = createRedisRunStore({ client: await cluster.connect() });
  stores.push(store);
  return createChatRoute({ agent, authorize: (request) => request.headers.get("x-user"), runs: { store } });
}

/** A client with default options. @param method - POST asks, GET follows. */
function read(route: ChatRoute, user: string, method: "GET" | "POST") {
  const reader = { user, text: "", last: undefined as StreamChunk | undefined, error: "", longestMs: 0 };
  let heardAt = performance.now();
  const body = { messages: [{ role: "user", content: "Count" }], sessionId: user, idempotencyKey: user };
  const stream = streamFromRoute({
    endpoint: "http://host/",
    method,
    headers: { "x-user": user },
    runs: true,
    ...(method === "POST" ? { body } : { query: { session: user } }),
    fetch: (input, init) => route.fetch(new Request(input, init)),
  });
  const over = (async () => {
    try {
      for await (const chunk of stream) {
        reader.longestMs = Math.max(reader.longestMs, performance.now() - heardAt);
        heardAt = performance.now();
        reader.last = chunk;
        if (chunk.type === "text-delta") reader.text += chunk.delta;
      }
    } catch (error) {
      reader.error = String(error);
    }
  })();
  return Object.assign(reader, { over });
}
type Reader = ReturnType<typeof read>;

const endingOf = ({ last, error }: Reader): string =>
  error || (last?.type === "error" ? `${last.code}` : `${last?.type}`);
const longestOf = (readers: Reader[]) =>
  (Math.max(...readers.map(({ longestMs }) => longestMs)) / 1000).toFixed(1);

async function isOn(cluster: RedisCluster, user: string, node: ClusterNode): Promise<boolean> {
  const keys = (await node.command("KEYS", `*:session:*${user}:${user}`)) as string[];
  return keys.length > 0 && (await cluster.masterOf(keys[0]!)) === node;
}

const failures: [string, string, (cluster: RedisCluster, master: ClusterNode) => unknown][] = [
  ["is replaced on request", "graceful", (cluster) => cluster.failOver(cluster.nodes[3]!)],
  ["is killed", "killed", (_, master) => master.kill()],
  ["is gone with its machine", "gone", (_, master) => master.suspend()],
];

async function play(cluster: RedisCluster, fail: () => unknown, stores: RunStore[]) {
  const [here, there] = [await createRoute(cluster, stores), await createRoute(cluster, stores)];
  const readers = users.map((user) => read(here, user, "POST"));
  await until(() => readers.every(({ text }) => text.includes("10 ")), "every answer has begun");
  readers.push(...users.map((user) => read(there, user, "GET")));
  await until(() => readers.every(({ text }) => text.includes("20 ")), "every answer is followed");
  const affected = new Set<string>();
  for (const user of users) if (await isOn(cluster, user, cluster.nodes[0]!)) affected.add(user);
  await fail();
  await Promise.all(readers.map(({ over }) => over));
  return {
    ofMaster: readers.filter(({ user }) => affected.has(user)),
    ofOthers: readers.filter(({ user }) => !affected.has(user)),
  };
}

describe.skipIf(!hasRedis())("a master of a cluster", () => {
  beforeAll(() => {
    vi.spyOn(console, "error").mockImplementation(() => {});
  });
  afterAll(() => {
    vi.restoreAllMocks();
  });

  test.concurrent.each(failures)(
    "that %s in mid-answer delays its runs, or loses them visibly",
    async (_, name, fail) => {
      const stores: RunStore[] = [];
      const settings = { "cluster-node-timeout": "3000" };
      const cluster = await startRedisCluster({ hasReplicas: true, settings });
      try {
        const { ofMaster, ofOthers } = await play(cluster, () => fail(cluster, cluster.nodes[0]!), stores);
        expect(ofMaster.length).toBeGreaterThan(0);
        for (const reader of ofOthers) expect([endingOf(reader), reader.text]).toEqual(["done", whole]);
        for (const reader of ofMaster) {
          const ending = endingOf(reader);
          // Only a master that ends without its replica can lose writes.
          if (name === "graceful") expect(ending).toBe("done");
          else expect(ending).toMatch(/^(done|run-lost|producer-lost)$/);
          if (ending === "done") expect(reader.text).toBe(whole);
          else expect(whole.startsWith(reader.text)).toBe(true);
        }
        const lost = ofMaster.filter((reader) => endingOf(reader) !== "done").length;
        console.log(
          `${name}: the longest pause of its runs is ${longestOf(ofMaster)} s, of others ${longestOf(ofOthers)} s; ` +
            `${lost} of ${ofMaster.length} readers have lost their run`,
        );
      } finally {
        await Promise.all(stores.map((store) => store.close()));
        await cluster.close();
      }
    },
  );
});
