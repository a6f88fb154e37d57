import type { EventEmitter } from "node:events";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { type SilentProxy, startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";
import { redisLibraries } from "./redis-libraries.ts";

const never = new AbortController().signal;

describe.skipIf(!hasRedis()).each(redisLibraries)(
  "the connection that listens to Redis, of $name",
  (library) => {
    let redis: RedisServer;
    let proxy: SilentProxy;
    let direct: Awaited<ReturnType<RedisServer["connect"]>>;
    let connected: Awaited<ReturnType<typeof library.connect>>;
    let client: RedisClient;
    let store: RunStore;
    beforeAll(async () => {
      redis = await startRedis();
      direct = await redis.connect();
    });
    afterAll(() => redis.close());
    beforeEach(async () => {
      proxy = await startSilentProxy({ path: redis.socketPath });
      connected = await library.connect(proxy);
      client = connected.client;
    });
    afterEach(async () => {
      vi.useRealTimers();
      await store.close();
      connected.destroy();
      await proxy.close();
    });

    /** The client, with a look at each of its duplicates. */
    function watched<Client extends RedisClient>(
      client: Client,
      onDuplicate: (duplicate: Client) => void,
    ): Client {
      const duplicate = (...options: never[]) => {
        const created = (client.duplicate as (...options: never[]) => Client)(...options);
        onDuplicate(created);
        return created;
      };
      return Object.assign(Object.create(client), { duplicate });
    }
    const subscribers = async () =>
      (await direct.sendCommand<string>(["CLIENT", "LIST", "TYPE", "pubsub"])).split("\n").filter(Boolean);

    /** Waits for an entry, as a follower does: a tick wakes it if no announcement does. */
    async function readNext(runId: string, seq: number): Promise<void> {
      const waiting = store.wait(runId, seq - 1, never);
      vi.advanceTimersByTime(1000);
      await waiting;
      expect((await store.read(runId, seq - 1, 1))?.entries).toEqual([`${seq}`]);
    }

    test("is replaced within seconds if it stays open but carries nothing", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      store = createRedisRunStore({ client });
      const writer = createRedisRunStore({ client: direct });
      const runId = await openRun(writer);
      let seq = 0;
      for (let round = 0; round < 3; round++) {
        const listening = store.wait(runId, seq - 1, never);
        await expect.poll(subscribers).not.toEqual([]);
        await writer.append(runId, seq, [`${seq}`]);
        await listening;
        proxy.silence("subscribers");
        await writer.append(runId, seq + 1, [`${seq + 1}`]);
        // The tick finds the entry. Three ticks later, it is still unannounced.
        await readNext(runId, seq + 1);
        vi.advanceTimersByTime(3000);
        const next = store.wait(runId, seq + 1, never);
        await expect.poll(() => proxy.live).toBe(library.connections + 1);
        await writer.append(runId, seq + 2, [`${seq + 2}`]);
        await next;
        seq += 3;
      }
    });

    test("is replaced if it falls silent before a run is awaited again", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      store = createRedisRunStore({ client });
      const writer = createRedisRunStore({ client: direct });
      const runId = await openRun(writer);
      const left = store.wait(runId, -1, never);
      // Another run keeps the connection open.
      const another = store.wait(await openRun(writer), -1, never);
      await expect.poll(async () => (await subscribers())[0]).toContain(" sub=2 ");
      // The store is ready for announcements.
      await writer.append(runId, 0, ["0"]);
      await left;
      proxy.silence("subscribers");
      // The reply to UNSUBSCRIBE never comes.
      vi.advanceTimersByTime(6000);
      await another;
      await writer.append(runId, 1, ["1"]);
      await readNext(runId, 1);
      vi.advanceTimersByTime(3000);
      const next = store.wait(runId, 1, never);
      await expect.poll(() => proxy.live).toBe(library.connections + 1);
      await writer.append(runId, 2, ["2"]);
      await next;
    });

    test("is replaced if it does not carry the end that a writer waits for", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      store = createRedisRunStore({ client });
      const others = createRedisRunStore({ client: direct });
      const runId = await openRun(store);
      const ending = store.wait(runId, Number.MAX_SAFE_INTEGER, never);
      await expect.poll(subscribers).not.toEqual([]);
      proxy.silence("subscribers");
      await others.end(runId, { type: "done" });
      vi.advanceTimersByTime(1000);
      await ending;
      await store.read(runId, Number.MAX_SAFE_INTEGER, 0);
      vi.advanceTimersByTime(3000);
      const next = store.wait(await openRun(store), -1, never);
      await expect.poll(() => proxy.live).toBe(library.connections + 1);
      await store.close();
      await next;
    });

    test.each(library.protocols)("is kept while it announces what is read, in %o", async (options) => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      let duplicates = 0;
      const inVersion = await library.connect(proxy, options);
      store = createRedisRunStore({ client: watched(inVersion.client, () => duplicates++) });
      const writer = createRedisRunStore({ client: direct });
      const runId = await openRun(writer);
      for (let seq = 0; seq < 20; seq++) {
        const waiting = store.wait(runId, seq - 1, never);
        if (seq === 0) await expect.poll(subscribers).toHaveLength(1);
        await writer.append(runId, seq, [`${seq}`]);
        await waiting;
        await store.read(runId, seq - 1, 1);
        // Also while there is nothing to announce.
        vi.advanceTimersByTime(seq < 10 ? 1000 : 4000);
      }
      expect(duplicates).toBe(library.connections);
      inVersion.destroy();
    });

    test.each(library.settings)(
      "listens again after Redis has closed it, of a client %s",
      async (_, options) => {
        vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
        const own = await library.connect(proxy, options);
        store = createRedisRunStore({ client: own.client });
        const runId = await openRun(store);
        const waiting = store.wait(runId, -1, never);
        await expect.poll(subscribers).toHaveLength(1);
        const [before] = await subscribers();
        await direct.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
        await expect
          .poll(async () => (await subscribers()).filter((line) => line !== before))
          .toHaveLength(1);
        await createRedisRunStore({ client: direct }).append(runId, 0, ["0"]);
        await waiting;
        own.destroy();
      },
    );

    test("is closed with its store even while it is reconnecting", async () => {
      const created: RedisClient[] = [];
      store = createRedisRunStore({ client: watched(client, (duplicate) => created.push(duplicate)) });
      void store.wait(await openRun(store), -1, never);
      await expect.poll(subscribers).toHaveLength(1);
      const closed = new Promise<void>((resolve) => {
        // Its next socket is opened in the same turn.
        (created.at(-1) as unknown as EventEmitter).once("reconnecting", () => {
          void Promise.resolve().then(() => store.close().then(resolve));
        });
      });
      await direct.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
      await closed;
      await expect.poll(() => proxy.live).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(proxy.live).toBe(1);
      expect(await subscribers()).toEqual([]);
    });
  },
);
