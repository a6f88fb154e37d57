import { setTimeout as delay } from "node:timers/promises";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import { toRedisLink } from "../../src/stores/redis-client.ts";
import { placeInId } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";
import { startChildStore } from "./run-store-child.ts";
import { describeRunStore } from "./run-store-contract.ts";

const never = new AbortController().signal;
/** The store checks its runs every second. From now on, only announcements wake readers. */
const stopTicks = () => vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });

describe.skipIf(!hasRedis())("a client of ioredis", () => {
  let redis: RedisServer;
  let others: RedisClient;
  let prefix: string;
  let stores: RunStore[];
  let clients: Redis[];
  beforeAll(async () => {
    redis = await startRedis();
    others = await redis.connect();
  });
  afterAll(() => redis.close());
  beforeEach(() => {
    prefix = `${crypto.randomUUID()}:`;
    stores = [];
    clients = [];
  });
  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all(stores.map((store) => store.close()));
    for (const client of clients) client.disconnect();
  });

  function connect(options: object = {}): Redis {
    const client = new Redis({ path: redis.socketPath, ...options });
    client.on("error", () => {});
    clients.push(client);
    return client;
  }
  function create(client: RedisClient, options: object = {}): RunStore {
    const store = createRedisRunStore({ client, prefix, ...options });
    stores.push(store);
    return store;
  }
  const connections = async () =>
    String(await redis.command("CLIENT", "LIST"))
      .trim()
      .split("\n").length;

  describeRunStore({
    name: "Redis, with ioredis",
    isShared: true,
    setUp: () => ({
      create: (options) => create(connect({ lazyConnect: true }), options),
      isAnnounced: true,
      address: {},
      dispose: () => {},
    }),
  });

  test("shares runs with one of the redis package, whose prefix is the same as both of its own", async () => {
    stopTicks();
    const store = create(connect({ keyPrefix: "app:" }));
    const other = create(others, { prefix: `app:${prefix}` });
    const runId = await openRun(store);
    for (let seq = 0; seq < 10; seq += 2) {
      const waiting = other.wait(runId, seq - 1, never);
      await store.append(runId, seq, [`${seq}`]);
      await waiting;
      const next = store.wait(runId, seq, never);
      await other.append(runId, seq + 1, [`${seq + 1}`]);
      await next;
    }
    const keys = (await redis.command("KEYS", `*${prefix}*`)) as string[];
    expect(keys).toContain(`app:${prefix}{${placeInId(runId)}}:log:${runId}`);
  });

  test("with a prefix that makes an empty hash tag is refused", () => {
    expect(() => create(connect({ keyPrefix: "{" }), { prefix: "}:" })).toThrow(
      'prefix must be a string without "{}", where a hash tag would be empty; got "{}:".',
    );
  });

  test("need not be connected, nor able to execute commands", async () => {
    const lazy = connect({ lazyConnect: true, commandTimeout: 0, stringNumbers: true });
    const subscriber = connect();
    await subscriber.subscribe("news");
    const monitor = await connect().monitor();
    clients.push(monitor);
    for (const client of [lazy, subscriber, monitor]) {
      const store = create(client);
      const runId = await openRun(store);
      const waiting = store.wait(runId, -1, never);
      await store.append(runId, 0, ["0"]);
      await waiting;
      const page = await store.read(runId, -1, 1);
      expect(page).toMatchObject({ entries: ["0"], leaseLeftMs: expect.any(Number) });
    }
    expect(lazy.status).toBe("wait");
  });

  test("is not asked to connect for a store that does nothing, nor to stay connected after it is closed", async () => {
    const before = await connections();
    const store = create(connect({ lazyConnect: true }));
    expect(await connections()).toBe(before);
    const runId = await openRun(store);
    const waiting = store.wait(runId, -1, never);
    await expect.poll(connections).toBe(before + 2);
    await store.close();
    await waiting;
    await expect.poll(connections).toBe(before);
    // A connection that is being opened is closed, too.
    const hasty = create(connect({ lazyConnect: true }));
    const reading = hasty.read(runId, -1, 1);
    await hasty.close();
    await expect(reading).rejects.toThrow("closed");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await connections()).toBe(before);
  });

  test("that waits for its first connection does not delay the failure of a call when its store is closed", async () => {
    const store = create(connect({ path: "/nowhere/redis.sock", lazyConnect: true }), {
      commandTimeoutMs: 3_600_000,
    });
    const reading = store.read("r", -1, 1);
    await delay(50);
    await store.close();
    await expect(reading).rejects.toThrow("The connection to Redis is closed.");
    const own = toRedisLink(connect({ lazyConnect: true }), 0).duplicate();
    own.destroy();
    const calling = own.eval("return 1", { keys: [], values: [] }, never);
    await expect(calling).rejects.toThrow("The connection to Redis is closed.");
  });

  test("lets the store report that Redis is away, and prints nothing", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const own = await startRedis();
    try {
      const store = create(connect({ path: own.socketPath, lazyConnect: true }), { commandTimeoutMs: 100 });
      const runId = await openRun(store);
      const waiting = store.wait(runId, -1, never);
      await store.append(runId, 0, ["0"]);
      await waiting;
      await own.kill();
      await store.read(runId, -1, 1).catch(() => {});
      await expect(store.read(runId, -1, 1)).rejects.toThrow(
        "Redis did not reply within 100 ms (commandTimeoutMs).",
      );
      await own.restart();
      await expect.poll(() => store.read(runId, -1, 1).catch(String)).toBe(undefined);
      expect(log).not.toHaveBeenCalled();
    } finally {
      log.mockRestore();
      await own.close();
    }
  });

  test("does not keep a process alive whose store is closed, even if Redis has stopped", async () => {
    const own = await startRedis();
    try {
      const child = await startChildStore({ socketPath: own.socketPath, prefix, library: "ioredis" });
      const waiting = child.call("wait", "r", -1);
      await child.call("renew", "r");
      own.suspend();
      await child.call("close");
      await waiting;
      expect(await child.exited).toBe(0);
    } finally {
      await own.close();
    }
  });
});
