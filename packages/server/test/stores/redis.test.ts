import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisClient, type RedisRunStoreOptions } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { callsOf, logOf, opening, openRun } from "./run-store-calls.ts";
import { type ChildStore, startChildStore } from "./run-store-child.ts";

const never = new AbortController().signal;
/** The store looks at its runs every second. From now on the test says when one has passed. */
const stopTicks = () => vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });

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
  /** The client, but for a few methods. */
  const clientWith = (methods: Partial<RedisClient>): RedisClient =>
    Object.assign(Object.create(client), methods);
  async function startChildOf(options: object = {}): Promise<ChildStore> {
    const child = await startChildStore({ socketPath: redis.socketPath, prefix, ...options });
    children.push(child);
    return child;
  }
  const keysLeft = async () => (await client.keys("*")).filter((key) => key.startsWith(prefix)).sort();
  const subscribers = async () =>
    (await client.sendCommand<string>(["CLIENT", "LIST", "TYPE", "pubsub"])).split("\n").filter(Boolean);

  describe("keys", () => {
    test("all expire but the number of the format: an open run's after its lease and the time that runs are kept, an ended one's after that", async () => {
      const store = create();
      const open = await openRun(store, { key: "k", sessionId: "s" });
      await store.append(open, 0, ["0"]);
      const ended = await openRun(store, { key: "l", sessionId: "t" });
      await store.append(ended, 0, ["0"]);
      await store.end(ended, { type: "done" });
      await store.stopKey("ann", "m");
      const left: Record<string, number> = {};
      expect(await client.pTTL(`${prefix}format`)).toBe(-1);
      for (const key of await keysLeft()) {
        if (key === `${prefix}format`) continue;
        const name = key.slice(prefix.length).replace(open, "OPEN").replace(ended, "ENDED");
        // In seconds, to the next five.
        left[name] = Math.ceil((await client.pTTL(key)) / 5000) * 5;
      }
      expect(left).toEqual({
        "run:OPEN": 915,
        "log:OPEN": 915,
        "run:ENDED": 900,
        "log:ENDED": 900,
        "open:ann": 915,
        "key:3:ann:k": 915,
        "key:3:ann:l": 900,
        "stop:ann": 60,
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
      await expect.poll(keysLeft).toEqual([`${prefix}format`]);
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
    test("comes from another process", async () => {
      stopTicks();
      const store = create();
      const child = await startChildOf({ hasTicks: false });
      const runId = await openRun(store);
      for (let seq = 0; seq < 20; seq += 2) {
        const here = store.wait(runId, seq - 1, never);
        await child.call("append", runId, seq, [`${seq}`]);
        await here;
        const there = child.call("wait", runId, seq);
        await child.call("renew", runId);
        await store.append(runId, seq + 1, [`${seq + 1}`]);
        await there;
      }
    });

    test("that is lost because the listening connection is cut is found by a tick", async () => {
      stopTicks();
      const store = create();
      const runId = await openRun(store);
      for (let seq = 0; seq < 3; seq++) {
        const waiting = store.wait(runId, seq - 1, never);
        await expect.poll(subscribers).toHaveLength(1);
        const killed = client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
        await Promise.all([killed, create().append(runId, seq, [`${seq}`])]);
        vi.advanceTimersByTime(1000);
        await waiting;
      }
      // A client that is destroyed in the moment in which it connects again stays connected.
      await expect.poll(subscribers).toHaveLength(1);
    });

    test("is found by the tick when there is no connection to listen with", async () => {
      stopTicks();
      const store = create({
        client: clientWith({
          duplicate() {
            const connection = client.duplicate();
            connection.connect = () => Promise.reject(new Error("refused"));
            return connection;
          },
        }),
      });
      const runId = await openRun(store);
      const waiting = store.wait(runId, -1, never);
      const others = create();
      await others.append(runId, 0, ["0"]);
      vi.advanceTimersByTime(1000);
      await waiting;
      const ending = store.wait(runId, Number.MAX_SAFE_INTEGER, never);
      await others.end(runId, { type: "done" });
      vi.advanceTimersByTime(1000);
      await ending;
    });

    test("that came while nobody waited is remembered", async () => {
      stopTicks();
      const store = create();
      const runId = await openRun(store);
      const listening = store.wait(runId, -1, never);
      await expect.poll(subscribers).toHaveLength(1);
      await store.append(runId, 0, ["0"]);
      await listening;
      for (let seq = 1; seq < 4; seq++) {
        await store.append(runId, seq, [`${seq}`]);
        // Its message was sent before the answers to these.
        for (let trips = 0; trips < 3; trips++) await subscribers();
        await store.wait(runId, seq - 1, never);
      }
      await store.end(runId, { type: "done" });
      await store.wait(runId, 100, never);
    });

    test("comes again when a connection to listen with that has given up is replaced", async () => {
      stopTicks();
      let connections = 0;
      const store = create({
        client: clientWith({
          duplicate() {
            const connection = client.duplicate();
            if (++connections === 1) connection.connect = () => Promise.reject(new Error("refused"));
            return connection;
          },
        }),
      });
      const others = create();
      const runId = await openRun(store);
      for (let seq = 0; seq < 8; seq++) {
        const waiting = store.wait(runId, seq - 1, never);
        await expect.poll(subscribers).toHaveLength(seq === 0 ? 0 : 1);
        await others.append(runId, seq, [`${seq}`]);
        if (seq === 0) vi.advanceTimersByTime(1000);
        await waiting;
      }
      expect(connections).toBe(2);
    });

    test("comes over one connection a process, which listens to what is waited for, and to nothing after a while", async () => {
      stopTicks();
      const store = create();
      const abort = new AbortController();
      const runIds = await Promise.all(Array.from({ length: 30 }, () => openRun(store)));
      const waits = runIds.map((runId) => store.wait(runId, -1, abort.signal));
      const listenedTo = async () => {
        const [line] = await subscribers();
        return Number(/ sub=(\d+)/.exec(line ?? "")?.[1]);
      };
      await expect.poll(listenedTo).toBe(31);
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
      await expect.poll(listenedTo).toBe(2);
      await create().append(runIds[0]!, 0, ["0"]);
      await waiting;
      await store.close();
      await expect.poll(subscribers).toEqual([]);
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

  test("a read costs as little with long names as with short ones: owner and session travel once", async () => {
    const store = create();
    const bytesOut = async () => Number(/total_net_output_bytes:(\d+)/.exec(await client.info("stats"))?.[1]);
    const costOf = async (name: string) => {
      const runId = await openRun(store, { owner: name, sessionId: name });
      for (let seq = 0; seq < 100; seq++) await store.append(runId, seq, [`${seq}`]);
      const page = await store.read(runId, -1, 1);
      const before = await bytesOut();
      for (let seq = 0; seq < 100; seq++) {
        const { run } = (await store.read(runId, seq - 1, 1))!;
        expect(run).toEqual(page!.run);
      }
      return (await bytesOut()) - before;
    };
    // The difference is that of the two answers to INFO.
    expect(Math.abs((await costOf("x".repeat(256))) - (await costOf("x")))).toBeLessThan(1000);
    // A thousand other runs later, it is read anew.
    const old = await openRun(store, { sessionId: "s" });
    await store.read(old, -1, 0);
    for (let count = 0; count < 1001; count++) {
      await store.read(await openRun(store, { owner: `${count}` }), -1, 0);
    }
    expect((await store.read(old, -1, 0))?.run).toMatchObject({ owner: "ann", sessionId: "s" });
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

    test("that Redis forgets all the time work all the same", async () => {
      const store = create();
      let isOver = false;
      const flushing = (async () => {
        while (!isOver) await client.scriptFlush();
      })();
      const runId = await openRun(store);
      for (let seq = 0; seq < 200; seq++) expect(await store.append(runId, seq, [`${seq}`])).toBe("ok");
      isOver = true;
      await flushing;
      expect((await logOf(store, runId)).length).toBe(200);
    });

    test("are sent as a whole once", async () => {
      const sent: number[] = [];
      const store = create({
        client: clientWith({
          withCommandOptions: () => ({
            evalSha: (sha1, options) => client.evalSha(sha1, options),
            eval(script, options) {
              sent.push(script.length);
              return client.eval(script, options);
            },
          }),
        }),
      });
      await client.scriptFlush();
      const runId = await openRun(store);
      for (let seq = 0; seq < 10; seq++) await store.append(runId, seq, [`${seq}`]);
      // The check of the format, the opening and the first append.
      expect(sent.length).toBe(3);
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
    vi.useRealTimers();
    await store.close();
    await redis.close();
  });

  test("makes every method reject, after 2 s at the latest", async () => {
    const runId = await openRun(store);
    await redis.kill();
    const asked = await Promise.allSettled(callsOf(store, runId).map((call) => call()));
    for (const settled of asked) {
      // The first commands may meet the end of the connection.
      const reason = settled.status === "rejected" ? String(settled.reason) : "none";
      expect(reason).toMatch(/Redis has not answered within 2000 ms\.$|closed/i);
    }
  });

  test("makes a route answer 503 with when to ask again, and serve again when Redis is back", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const agent = {
      streamChat: async function* () {
        yield { type: "done" as const };
      },
    };
    // An open is repeated for a lease.
    const hasty = { ...createRedisRunStore({ client, commandTimeoutMs: 200 }), leaseMs: 500 };
    const route = createChatRoute({ agent, runs: { store: hasty }, authorize: () => "ann" });
    const ask = (method: string, query = "") =>
      route.fetch(
        new Request(`http://host/${query}`, {
          method,
          ...(method === "POST" && {
            headers: { "content-type": "application/json" },
            body: '{"messages":[{"role":"user","content":"Hi"}]}',
          }),
        }),
      );
    await redis.kill();
    for (const [method, query] of [
      ["POST", ""],
      ["GET", "?run=r"],
      ["GET", "?session=s"],
      ["DELETE", "?run=r"],
      ["DELETE", "?key=k"],
    ] as const) {
      const response = await ask(method, query);
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
      expect(await response.json()).toMatchObject({ code: "store-unavailable" });
    }
    expect(log).toHaveBeenCalledTimes(5);
    log.mockRestore();
    await redis.restart();
    await vi.waitFor(async () => {
      const response = await ask("POST");
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("[DONE]");
    });
  });

  test("is waited for as long as commandTimeoutMs says", async () => {
    const hasty = createRedisRunStore({ client, commandTimeoutMs: 50 });
    await redis.kill();
    // The first command may meet the end of the connection, the second one is kept for the next.
    await hasty.read("r", -1, 1).catch(() => {});
    await expect(hasty.read("r", -1, 1)).rejects.toThrow("Redis has not answered within 50 ms.");
  });

  test("holds up neither whoever waits and leaves, nor the closing of the store", async () => {
    stopTicks();
    const patient = () => createRedisRunStore({ client, commandTimeoutMs: 3_600_000 });
    const [listening, silent] = [patient(), patient()];
    const runId = await openRun(listening);
    const abort = new AbortController();
    const waits = [listening.wait(runId, -1, abort.signal)];
    await listening.append(runId, 0, ["0"]);
    await waits[0];
    waits.push(listening.wait(runId, 0, abort.signal));
    await redis.kill();
    // This one has never had a connection to listen with.
    waits.push(silent.wait(runId, -1, abort.signal), listening.wait("another", -1, abort.signal));
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort();
    await Promise.all(waits);
    await silent.close();
    await listening.close();
    await expect(listening.read(runId, -1, 1)).rejects.toThrow("closed");
    await listening.wait(runId, -1, never);
  });

  test("lets whoever waits ask again after a second", async () => {
    stopTicks();
    const runId = await openRun(store);
    await redis.kill();
    const waiting = store.wait(runId, -1, never);
    vi.advanceTimersByTime(1000);
    await waiting;
  });

  test("and comes back empty serves new runs, and wakes those who wait for them", async () => {
    const lost = await openRun(store);
    const waiting = store.wait(lost, -1, never);
    await redis.restart();
    await waiting;
    await vi.waitFor(async () => expect(await store.read(lost, -1, 1)).toBe(undefined));
    const runId = await openRun(store);
    expect(await store.append(runId, 0, ["0"])).toBe("ok");
    const next = store.wait(runId, 0, never);
    await createRedisRunStore({ client }).append(runId, 1, ["1"]);
    await next;
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
