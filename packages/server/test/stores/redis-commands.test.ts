import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { type SilentProxy, startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { callsOf, logOf, opening, openRun } from "./run-store-calls.ts";

describe.skipIf(!hasRedis())("the connection of a Redis store", () => {
  let redis: RedisServer;
  let proxy: SilentProxy;
  let prefix: string;
  let stores: RunStore[];
  /** A store of the same runs on a connection that stays alive. */
  let writer: RunStore;
  let clients: { destroy(): void }[];
  let direct: Awaited<ReturnType<RedisServer["connect"]>>;
  beforeAll(async () => {
    redis = await startRedis();
    direct = await redis.connect();
  });
  afterAll(() => redis.close());
  beforeEach(async () => {
    proxy = await startSilentProxy({ path: redis.socketPath });
    prefix = `${crypto.randomUUID()}:`;
    stores = [];
    clients = [];
    writer = createRedisRunStore({ client: direct, prefix });
  });
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    for (const client of clients) client.destroy();
    await proxy.close();
  });

  async function connect(options: object = {}) {
    const client = createClient({ socket: { port: proxy.port, host: "127.0.0.1" }, ...options });
    client.on("error", () => {});
    clients.push(client);
    return client.connect();
  }
  type Client = Awaited<ReturnType<typeof connect>>;
  function create(client: Client, commandTimeoutMs = 100): RunStore {
    const store = createRedisRunStore({ client, prefix, commandTimeoutMs });
    stores.push(store);
    return store;
  }

  test.each([
    ["queues commands offline", {}],
    ["does not", { disableOfflineQueue: true }],
  ])("is replaced if it stays open but carries nothing, with a client that %s", async (_, options) => {
    const store = create(await connect(options), 300);
    const runId = await openRun(writer);
    for (let seq = 0; seq < 3; seq++) {
      await expect.poll(() => store.append(runId, 2 * seq, [`${2 * seq}`]).catch(String)).toBe("ok");
      proxy.silence();
      const missed = store.append(runId, 2 * seq + 1, [`${2 * seq + 1}`]);
      await expect(missed).rejects.toThrow("did not reply within 300 ms");
      await expect.poll(() => store.append(runId, 2 * seq + 1, [`${2 * seq + 1}`]).catch(String)).toBe("ok");
      // A single new connection replaces the silent ones.
      await expect.poll(() => proxy.live).toBe(1);
    }
    expect(await logOf(writer, runId)).toEqual(["0", "1", "2", "3", "4", "5"]);
    await store.close();
    await expect.poll(() => proxy.live).toBe(0);
  });

  test("is kept while it replies, however late", async () => {
    const client = await connect();
    const store = create(client, 500);
    const runId = await openRun(writer);
    await expect.poll(() => store.renew(runId).catch(String)).toBe("ok");
    for (let count = 0; count < 2; count++) {
      await direct.sendCommand(["CLIENT", "PAUSE", "900"]);
      await expect(store.renew(runId)).rejects.toThrow("did not reply within 500 ms");
      await expect.poll(() => store.renew(runId).catch(String)).toBe("ok");
    }
    await expect.poll(() => proxy.live).toBe(1);
    expect(client.isReady).toBe(true);
  });

  test("is not reopened by a store that was closed meanwhile", async () => {
    const store = create(await connect());
    await expect.poll(() => store.renew("r").catch(String)).toBe("lost");
    proxy.silence();
    await expect(store.renew("r")).rejects.toThrow("did not reply");
    await store.close();
    await expect(store.renew("r")).rejects.toThrow("closed");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(proxy.live).toBe(0);
  });

  test("does not execute abandoned commands later, although the client queues them while offline", async () => {
    const own = await startRedis();
    try {
      const client = createClient({ socket: { path: own.socketPath, reconnectStrategy: 20 } });
      client.on("error", () => {});
      clients.push(client);
      await client.connect();
      const store = create(client);
      await expect.poll(() => store.renew("r").catch(String)).toBe("lost");
      await own.kill();
      // The first command may meet the end of the connection.
      await store.renew("r").catch(() => {});
      const given = opening({ key: "k" });
      await expect(store.open(given)).rejects.toThrow("did not reply within 100 ms");
      await own.restart();
      await expect.poll(() => store.renew("r").catch(String)).toBe("lost");
      expect((await client.keys(`${prefix}*`)).filter((key) => !key.endsWith(":format"))).toEqual([]);
    } finally {
      await own.close();
    }
  });

  describe("the number of the format", () => {
    const sentence = (format: number) =>
      `The runs in Redis under "${prefix}" have format ${format}, of a newer version of @kortyx/server; this version ` +
      "knows format 2. Update this process, or give its store another prefix.";

    test("of a newer version makes every method reject until it is removed", async () => {
      const client = await connect();
      await client.set(`${prefix}format`, "3");
      const store = create(client, 2000);
      for (const call of callsOf(store, "r")) await expect(call()).rejects.toThrow(sentence(3));
      expect(await client.keys(`${prefix}*`)).toEqual([`${prefix}format`]);
      await client.del(`${prefix}format`);
      await openRun(store);
      expect(await client.get(`${prefix}format`)).toBe("2");
    });

    test("is written once and read once by each store", async () => {
      const client = await connect();
      const seen: string[] = [];
      const monitor = await redis.connect();
      await monitor.monitor((line) => seen.push(String(line)));
      const [first, second] = [create(client, 2000), create(client, 2000)];
      for (const store of [first, second]) {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0"]);
        await store.read(runId, -1, 1);
      }
      await expect.poll(() => seen.filter((line) => line.includes('"XRANGE"')).length).toBe(2);
      const commands = seen.filter(
        (line) => / "(GET|SET|PTTL)" /.test(line) && line.includes(`"${prefix}format"`),
      );
      expect(commands.map((line) => / "(\w+)" /.exec(line)?.[1])).toEqual(["GET", "SET", "GET", "PTTL"]);
    });
  });
});
