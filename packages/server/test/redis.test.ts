import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisClient, type RedisRunStoreOptions } from "../src/redis.ts";
import type { RunStore } from "../src/run-store.ts";
import { hasRedis, type RedisServer, startRedis } from "./redis-server.ts";
import { type ChildStore, startChildStore, wallClock } from "./run-store-child.ts";
import { logOf, opening, openRun } from "./run-store-contract.ts";

const never = new AbortController().signal;
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const timeOf = async (promise: Promise<unknown>) => {
  const startedAt = performance.now();
  await promise.catch(() => {});
  return performance.now() - startedAt;
};

describe.skipIf(!hasRedis())("Redis", () => {
  let redis: RedisServer;
  let client: Awaited<ReturnType<RedisServer["connect"]>>;
  let prefix: string;
  let stores: RunStore[];
  let children: ChildStore[];
  beforeAll(async () => {
    redis = await startRedis();
    client = await redis.connect();
  });
  afterAll(() => redis.close());
  beforeEach(() => {
    prefix = `${crypto.randomUUID()}:`;
    stores = [];
    children = [];
  });
  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all([...stores.map((store) => store.close()), ...children.map((child) => child.kill())]);
  });

  function create(options: Partial<RedisRunStoreOptions> = {}): RunStore {
    const store = createRedisRunStore({ client, prefix, ...options });
    stores.push(store);
    return store;
  }
  async function startChildOf(options: object = {}): Promise<ChildStore> {
    const child = await startChildStore({ socketPath: redis.socketPath, prefix, ...options });
    children.push(child);
    return child;
  }
  const keysLeft = async () => (await client.keys("*")).filter((key) => key.startsWith(prefix)).sort();
  const subscribers = async () =>
    (await client.sendCommand<string>(["CLIENT", "LIST", "TYPE", "pubsub"])).split("\n").filter(Boolean);

  describe("keys", () => {
    test("all expire: an open run's after its lease and the time that runs are kept, an ended one's after that", async () => {
      const store = create();
      const open = await openRun(store, { key: "k", sessionId: "s" });
      await store.append(open, 0, ["0"]);
      const ended = await openRun(store, { key: "l", sessionId: "t" });
      await store.append(ended, 0, ["0"]);
      await store.end(ended, { type: "done" });
      await store.stopKey("ann", "m");
      const left: Record<string, number> = {};
      for (const key of await keysLeft()) {
        left[key.slice(prefix.length).replace(open, "OPEN").replace(ended, "ENDED")] = Math.ceil(
          (await client.pTTL(key)) / 1000,
        );
      }
      expect(left).toEqual({
        "run:OPEN": 915,
        "log:OPEN": 915,
        "run:ENDED": 900,
        "log:ENDED": 900,
        "open:ann": 915,
        "key:3:ann:k": 915,
        "key:3:ann:l": 900,
        "key:3:ann:m:stopped": 60,
        "session:3:ann:s": 915,
        "session:3:ann:t": 915,
      });
    });

    test("are gone when runs were kept long enough, also when their producers vanished", async () => {
      const store = create({ leaseMs: 50, retentionMs: 50 });
      const ended = await openRun(store, { key: "k", sessionId: "s" });
      await store.append(ended, 0, ["0"]);
      await store.end(ended, { type: "done" });
      const abandoned = await openRun(store, { key: "l", sessionId: "t" });
      await store.append(abandoned, 0, ["0"]);
      expect((await keysLeft()).length).toBe(9);
      await expect.poll(keysLeft, { interval: 10, timeout: 5000 }).toEqual([]);
      expect(await store.append(abandoned, 1, ["1"])).toBe("lost");
    });

    test("begin with the prefix, which keeps stores apart", async () => {
      const runId = await openRun(create(), { key: "k", sessionId: "s" });
      const other = create({ prefix: `other-${prefix}` });
      expect(await other.read(runId, -1, 1)).toBe(undefined);
      expect(await other.latest("ann", "s")).toBe(undefined);
      expect((await other.open(opening({ key: "k", bodyHash: "another" }))).status).toBe("created");
    });

    test("that Redis has evicted make a run lost, and never a wrong log", async () => {
      const store = create();
      const runId = await openRun(store);
      await store.append(runId, 0, ["0", "1"]);
      await client.del(`${prefix}log:${runId}`);
      expect(await store.read(runId, -1, 10)).toBe(undefined);
      await store.append(runId, 2, ["2"]);
      expect(await store.read(runId, -1, 10)).toBe(undefined);
      const another = await openRun(store);
      await client.del(`${prefix}run:${another}`);
      expect(await store.append(another, 0, ["0"])).toBe("lost");
    });
  });

  describe("a wake-up", () => {
    test("comes from another process within 100 ms", async () => {
      const store = create();
      const child = await startChildOf();
      const runId = await openRun(store);
      const delays: number[] = [];
      for (let seq = 0; seq < 20; seq += 2) {
        const here = store.wait(runId, seq - 1, never);
        const appended = await child.call("append", runId, seq, [`${seq}`]);
        await here;
        delays.push(wallClock() - appended.at);
        const there = child.call("wait", runId, seq);
        await child.call("renew", runId);
        const appendedAt = wallClock();
        await store.append(runId, seq + 1, [`${seq + 1}`]);
        delays.push((await there).at - appendedAt);
      }
      expect(median(delays)).toBeLessThan(100);
    });

    test("that is lost because the listening connection is cut costs a tick of a second", async () => {
      const store = create();
      const runId = await openRun(store);
      for (let seq = 0; seq < 3; seq++) {
        const waiting = store.wait(runId, seq - 1, never);
        await vi.waitFor(async () => expect((await subscribers()).length).toBe(1), { timeout: 5000 });
        const killed = client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
        const appended = create().append(runId, seq, [`${seq}`]);
        expect(await timeOf(waiting)).toBeLessThan(2500);
        await Promise.all([killed, appended]);
      }
    });

    test("is found by the tick when there is no connection to listen with", async () => {
      const store = create({
        client: {
          scriptLoad: (script) => client.scriptLoad(script),
          evalSha: (sha1, options) => client.evalSha(sha1, options),
          duplicate: () => ({
            connect: () => Promise.reject(new Error("refused")),
            subscribe: () => Promise.reject(new Error("refused")),
            unsubscribe: () => Promise.reject(new Error("refused")),
            on: () => {},
            destroy() {
              throw new Error("not open");
            },
          }),
        },
      });
      const runId = await openRun(store);
      const waiting = store.wait(runId, -1, never);
      const others = create();
      await others.append(runId, 0, ["0"]);
      expect(await timeOf(waiting)).toBeLessThan(2500);
      const ending = store.wait(runId, Number.MAX_SAFE_INTEGER, never);
      await others.end(runId, { type: "done" });
      expect(await timeOf(ending)).toBeLessThan(2500);
    });

    test("that came while nobody waited is remembered", async () => {
      const store = create();
      const runId = await openRun(store);
      const listening = store.wait(runId, -1, never);
      await vi.waitFor(async () => expect((await subscribers()).length).toBe(1), { timeout: 5000 });
      await store.append(runId, 0, ["0"]);
      await listening;
      for (let seq = 1; seq < 4; seq++) {
        await store.append(runId, seq, [`${seq}`]);
        // Its message was sent before the answers to these.
        for (let trips = 0; trips < 3; trips++) await subscribers();
        expect(await timeOf(store.wait(runId, seq - 1, never))).toBeLessThan(700);
      }
      await store.end(runId, { type: "done" });
      expect(await timeOf(store.wait(runId, 100, never))).toBeLessThan(700);
    });

    test("comes again when a connection to listen with that has given up is replaced", async () => {
      let connections = 0;
      const store = create({
        client: {
          scriptLoad: (script) => client.scriptLoad(script),
          evalSha: (sha1, options) => client.evalSha(sha1, options),
          duplicate() {
            const connection = client.duplicate();
            if (++connections === 1) connection.connect = () => Promise.reject(new Error("refused"));
            return connection;
          },
        },
      });
      const others = create();
      const runId = await openRun(store);
      const delays: number[] = [];
      for (let seq = 0; seq < 8; seq++) {
        const waiting = store.wait(runId, seq - 1, never);
        await vi.waitFor(async () => expect((await subscribers()).length).toBe(seq === 0 ? 0 : 1));
        await others.append(runId, seq, [`${seq}`]);
        delays.push(await timeOf(waiting));
      }
      expect(connections).toBe(2);
      expect(median(delays)).toBeLessThan(700);
    });

    test("comes over one connection a process, which listens to what is waited for, and to nothing after a while", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      const store = create();
      const abort = new AbortController();
      const runIds = await Promise.all(Array.from({ length: 30 }, () => openRun(store)));
      const waits = runIds.map((runId) => store.wait(runId, -1, abort.signal));
      const listenedTo = async () => {
        const [line] = await subscribers();
        return Number(/ sub=(\d+)/.exec(line ?? "")?.[1]);
      };
      await expect.poll(listenedTo, { interval: 10, timeout: 5000 }).toBe(31);
      expect((await subscribers()).length).toBe(1);
      expect(vi.getTimerCount()).toBe(1);
      abort.abort();
      await Promise.all(waits);
      vi.advanceTimersByTime(4000);
      // Whoever follows a run waits again and again, and pays for the listening once.
      expect(await listenedTo()).toBe(31);
      vi.advanceTimersByTime(2000);
      expect(vi.getTimerCount()).toBe(0);
      // And listens again when it is waited for again, be it in the middle of leaving.
      const waiting = store.wait(runIds[0]!, -1, never);
      await expect.poll(listenedTo, { interval: 10, timeout: 5000 }).toBe(2);
      await create().append(runIds[0]!, 0, ["0"]);
      await waiting;
      await store.close();
      await expect.poll(subscribers, { interval: 10, timeout: 5000 }).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    });

    test("is not awaited by a process whose store is closed", async () => {
      const child = await startChildOf();
      const runId = await openRun(create());
      const waiting = child.call("wait", runId, -1);
      await child.call("renew", runId);
      await child.call("close");
      await waiting;
      expect(await child.exited).toBe(0);
    });
  });

  describe("scripts", () => {
    test("that Redis has forgotten are loaded again", async () => {
      const store = create();
      const runId = await openRun(store);
      await client.scriptFlush();
      expect(await store.append(runId, 0, ["0"])).toBe("ok");
      await client.scriptFlush();
      const both = await Promise.all([store.append(runId, 1, ["1"]), store.append(runId, 1, ["1"])]);
      expect(both).toEqual(["ok", "ok"]);
      expect(await logOf(store, runId)).toEqual(["0", "1"]);
    });

    test("that Redis does not keep at all are an error, not a loop", async () => {
      let asked = 0;
      const store = create({
        client: {
          scriptLoad: async () => "0".repeat(40),
          evalSha: async () => {
            asked++;
            throw new Error("NOSCRIPT No matching script.");
          },
          duplicate: () => client.duplicate(),
        },
      });
      await expect(store.renew("r")).rejects.toThrow("NOSCRIPT");
      expect(asked).toBe(2);
    });
  });
});

describe.skipIf(!hasRedis())("Redis that is gone", () => {
  let redis: RedisServer;
  let client: RedisClient;
  let store: RunStore;
  beforeEach(async () => {
    redis = await startRedis();
    client = await redis.connect();
    store = createRedisRunStore({ client });
  });
  afterEach(async () => {
    await store.close();
    await redis.close();
  });

  test("makes every method reject within 2.5 s", async () => {
    const runId = await openRun(store);
    await redis.kill();
    const startedAt = performance.now();
    const asked = await Promise.allSettled([
      store.open(opening()),
      store.append(runId, 0, ["0"]),
      store.renew(runId),
      store.end(runId, { type: "done" }),
      store.endIfLeaseExpired(runId),
      store.read(runId, -1, 1),
      store.latest("ann", "s"),
      store.stopKey("ann", "k"),
    ]);
    expect(asked.map(({ status }) => status)).toEqual(Array(8).fill("rejected"));
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });

  test("is waited for as long as commandTimeoutMs says", async () => {
    const hasty = createRedisRunStore({ client, commandTimeoutMs: 50 });
    await redis.kill();
    // The first command may meet the end of the connection, the second one is kept for the next.
    await hasty.read("r", -1, 1).catch(() => {});
    await expect(hasty.read("r", -1, 1)).rejects.toThrow("Redis has not answered within 50 ms.");
  });

  test("holds up neither whoever waits and leaves, nor the closing of the store", async () => {
    const listening = await openRun(store);
    const silent = createRedisRunStore({ client });
    const abort = new AbortController();
    const waits = [store.wait(listening, -1, abort.signal)];
    await new Promise((resolve) => setTimeout(resolve, 50));
    await redis.kill();
    // This one has never had a connection to listen with.
    waits.push(silent.wait(listening, -1, abort.signal), store.wait("another", -1, abort.signal));
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort();
    expect(await timeOf(Promise.all(waits))).toBeLessThan(500);
    expect(await timeOf(silent.close())).toBeLessThan(500);
    expect(await timeOf(store.close())).toBeLessThan(500);
    await expect(store.read(listening, -1, 1)).rejects.toThrow("closed");
    await store.wait(listening, -1, never);
  });

  test("lets whoever waits ask again after a second", async () => {
    const runId = await openRun(store);
    await redis.kill();
    expect(await timeOf(store.wait(runId, -1, never))).toBeLessThan(2500);
  });

  test("and comes back empty serves new runs, and wakes those who wait for them", async () => {
    const lost = await openRun(store);
    const waiting = store.wait(lost, -1, never);
    await redis.restart();
    await waiting;
    await vi.waitFor(async () => expect(await store.read(lost, -1, 1)).toBe(undefined), { timeout: 5000 });
    const runId = await openRun(store);
    expect(await store.append(runId, 0, ["0"])).toBe("ok");
    const next = store.wait(runId, 0, never);
    await createRedisRunStore({ client }).append(runId, 1, ["1"]);
    expect(await timeOf(next)).toBeLessThan(2500);
    expect(await logOf(store, runId)).toEqual(["0", "1"]);
  });

  test("does not keep a process alive that has closed its store", async () => {
    const child = await startChildStore({ socketPath: redis.socketPath, prefix: "kortyx:" });
    const runId = await openRun(store);
    const waiting = child.call("wait", runId, -1);
    await child.call("renew", runId);
    await redis.kill();
    await child.call("close");
    await waiting;
    expect(await child.exited).toBe(0);
  });
});
