import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { type SilentProxy, startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { type RedisLibrary, redisLibraries } from "./redis-libraries.ts";

describe.skipIf(!hasRedis()).each(redisLibraries)("the connection of a Redis store, of $name", (library) => {
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

  async function connect(options?: object, address: Parameters<RedisLibrary["connect"]>[0] = proxy) {
    const connected = await library.connect(address, options);
    clients.push(connected);
    return connected;
  }
  function create({ client }: Awaited<ReturnType<typeof connect>>, commandTimeoutMs = 100): RunStore {
    const store = createRedisRunStore({ client, prefix, commandTimeoutMs });
    stores.push(store);
    return store;
  }

  test.each(library.settings.slice(0, 2))(
    "is replaced if it stays open but carries nothing, of a client %s",
    async (_, options) => {
      const store = create(await connect(options), 300);
      const runId = await openRun(writer);
      for (let seq = 0; seq < 3; seq++) {
        await expect.poll(() => store.append(runId, 2 * seq, [`${2 * seq}`]).catch(String)).toBe("ok");
        proxy.silence();
        const missed = store.append(runId, 2 * seq + 1, [`${2 * seq + 1}`]);
        await expect(missed).rejects.toThrow("did not reply within 300 ms");
        await expect
          .poll(() => store.append(runId, 2 * seq + 1, [`${2 * seq + 1}`]).catch(String))
          .toBe("ok");
        // A single new connection replaces the silent ones.
        await expect.poll(() => proxy.live).toBe(1);
      }
      expect(await logOf(writer, runId)).toEqual(["0", "1", "2", "3", "4", "5"]);
      await store.close();
      await expect.poll(() => proxy.live).toBe(0);
    },
  );

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
    await expect.poll(() => proxy.live).toBe(library.connections);
    expect(client.isReady()).toBe(true);
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

  describe.each(library.settings)(
    "of a client %s, does not execute abandoned commands later",
    (_, options) => {
      let own: RedisServer;
      let store: RunStore;
      beforeEach(async () => {
        own = await startRedis();
        store = create(await connect(options, { path: own.socketPath }));
        await expect.poll(() => store.renew("r").catch(String)).toBe("lost");
      });
      afterEach(() => own.close());

      async function expectNoRuns() {
        await expect.poll(() => store.renew("r").catch(String)).toBe("lost");
        const keys = (await own.command("KEYS", `${prefix}*`)) as string[];
        expect(keys.filter((key) => !key.endsWith(":format"))).toEqual([]);
      }

      test("although it may queue them while it is offline", async () => {
        await own.kill();
        // The first command may meet the end of the connection.
        await store.renew("r").catch(() => {});
        await expect(store.open(opening({ key: "k" }))).rejects.toThrow();
        await own.restart();
        await expectNoRuns();
      });

      test("although Redis asks for their scripts too late", async () => {
        await own.command("SCRIPT", "FLUSH");
        await own.command("CLIENT", "PAUSE", "60000", "WRITE");
        await expect(store.open(opening({ key: "k" }))).rejects.toThrow("did not reply within 100 ms");
        await own.command("CLIENT", "UNPAUSE");
        await expectNoRuns();
      });

      test("although it may repeat those that are unanswered when its connection closes", async () => {
        own.suspend();
        for (const key of ["k", "l"]) {
          await expect(store.open(opening({ key }))).rejects.toThrow("did not reply within 100 ms");
        }
        await own.restart();
        await expectNoRuns();
      });
    },
  );
});
