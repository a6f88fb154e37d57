import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore, type RedisClient, type RedisRunStoreOptions } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { placeInId, placeOf } from "../../src/stores/run-id.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { callsOf, logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { type ChildStore, startChildStore } from "./run-store-child.ts";

const never = new AbortController().signal;
/** The store checks its runs every second. From now on, the test decides when a second has passed. */
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
  /** The client with a few methods replaced. */
  const clientWith = (methods: Partial<RedisClient>): RedisClient =>
    Object.assign(Object.create(client), methods);
  async function startChildOf(options: object = {}): Promise<ChildStore> {
    const child = await startChildStore({ socketPath: redis.socketPath, prefix, ...options });
    children.push(child);
    return child;
  }
  const keyOf = (kind: "run" | "log", runId: string) => `${prefix}{${placeInId(runId)}}:${kind}:${runId}`;
  const keysLeft = async () => (await client.keys("*")).filter((key) => key.startsWith(prefix)).sort();
  const subscribers = async () =>
    (await client.sendCommand<string>(["CLIENT", "LIST", "TYPE", "pubsub"])).split("\n").filter(Boolean);

  describe("keys", () => {
    test("all expire except the format number: those of an ended run after its retention time, those of an open run a lease later", async () => {
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
        const name = key
          .slice(`${prefix}{${placeOf("ann")}}:`.length)
          .replace(open, "OPEN")
          .replace(ended, "ENDED");
        // In seconds, rounded up to a multiple of five.
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

    test("disappear after the retention time, even if the producer vanished", async () => {
      const store = create({ leaseMs: 50, retentionMs: 50 });
      const ended = await openRun(store, { key: "k", sessionId: "s" });
      await store.append(ended, 0, ["0"]);
      await store.end(ended, { type: "done" });
      const abandoned = await openRun(store, { key: "l", sessionId: "t" });
      await store.append(abandoned, 0, ["0"]);
      await expect.poll(keysLeft).toEqual([`${prefix}format`]);
      expect(await store.append(abandoned, 1, ["1"])).toBe("lost");
    });

    test("of an open run's names are extended with each renewal of its lease, however short the retention", async () => {
      const store = create({ leaseMs: 60_000, retentionMs: 0 });
      const runId = await openRun(store, { key: "k", sessionId: "s" });
      const names = (await keysLeft()).filter((key) => /:(open|key|session):/.test(key));
      expect(names.length).toBe(3);
      vi.useFakeTimers({ toFake: ["performance"] });
      for (let count = 0; count < 3; count++) {
        for (const name of names) await client.pExpire(name, 30_000);
        // A timer of a third of a lease may be early by a millisecond.
        vi.advanceTimersByTime(20_000 - 1);
        await store.renew(runId);
        for (const name of names) expect(await client.pTTL(name)).toBeGreaterThan(40_000);
      }
    });

    test("begin with the prefix, which keeps stores separate", async () => {
      const runId = await openRun(create(), { key: "k", sessionId: "s" });
      const other = create({ prefix: `other-${prefix}` });
      expect(await other.read(runId, -1, 1)).toBe(undefined);
      expect(await other.latest("ann", "s")).toBe(undefined);
      expect((await other.open(opening({ key: "k", bodyHash: "another" }))).status).toBe("created");
    });

    test("that Redis evicts make the run lost; its log is never read with a gap", async () => {
      const store = create();
      const runId = await openRun(store);
      await store.append(runId, 0, ["0", "1"]);
      await client.del(keyOf("log", runId));
      expect(await store.read(runId, -1, 10)).toBe(undefined);
      await store.append(runId, 2, ["2"]);
      expect(await store.read(runId, -1, 10)).toBe(undefined);
      const another = await openRun(store);
      await client.del(keyOf("run", another));
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

    test("lost with the listening connection is made up for by a tick", async () => {
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
      // A client that is destroyed at the moment it reconnects would stay connected.
      await expect.poll(subscribers).toHaveLength(1);
    });

    test("comes from the tick if no listening connection can be opened", async () => {
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

    test("is remembered if it came while no call was waiting", async () => {
      stopTicks();
      const store = create();
      const runId = await openRun(store);
      const listening = store.wait(runId, -1, never);
      await expect.poll(subscribers).toHaveLength(1);
      await store.append(runId, 0, ["0"]);
      await listening;
      for (let seq = 1; seq < 4; seq++) {
        await store.append(runId, seq, [`${seq}`]);
        // Its message is sent before the replies to these commands.
        for (let trips = 0; trips < 3; trips++) await subscribers();
        await store.wait(runId, seq - 1, never);
      }
      await store.end(runId, { type: "done" });
      await store.wait(runId, 100, never);
    });

    test("comes again after a failed listening connection is replaced", async () => {
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

    test("is waited for on one connection a tick if Redis refuses to announce", async () => {
      stopTicks();
      let connections = 0;
      const store = create({
        client: clientWith({
          duplicate() {
            connections++;
            return Object.assign(client.duplicate(), {
              subscribe: () => Promise.reject(new Error("ERR unknown command")),
            });
          },
        }),
      });
      const runIds = await Promise.all(Array.from({ length: 20 }, () => openRun(store)));
      for (let tick = 1; tick <= 3; tick++) {
        const waits = runIds.map((runId) => store.wait(runId, -1, never));
        await expect.poll(() => connections).toBe(tick);
        // Its failure, and waits that begin after it.
        await new Promise((resolve) => setTimeout(resolve, 50));
        const later = runIds.map((runId) => store.wait(runId, -1, never));
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(connections).toBe(tick);
        vi.advanceTimersByTime(1000);
        await Promise.all([...waits, ...later]);
      }
    });

    test("comes over one connection per process, which listens only to awaited runs and closes when idle", async () => {
      stopTicks();
      const store = create();
      const abort = new AbortController();
      const runIds = await Promise.all(Array.from({ length: 30 }, () => openRun(store)));
      const waits = runIds.map((runId) => store.wait(runId, -1, abort.signal));
      const listenedTo = async () => {
        const [line] = await subscribers();
        return Number(/ sub=(\d+)/.exec(line ?? "")?.[1]);
      };
      await expect.poll(listenedTo).toBe(30);
      expect((await subscribers()).length).toBe(1);
      expect(vi.getTimerCount()).toBe(1);
      abort.abort();
      await Promise.all(waits);
      vi.advanceTimersByTime(4000);
      // A follower waits again and again, but subscribes once.
      expect(await listenedTo()).toBe(30);
      vi.advanceTimersByTime(2000);
      expect(vi.getTimerCount()).toBe(0);
      // It listens again as soon as a run is awaited, even while it is closing.
      const waiting = store.wait(runIds[0]!, -1, never);
      await expect.poll(listenedTo).toBe(1);
      await create().append(runIds[0]!, 0, ["0"]);
      await waiting;
      await store.close();
      await expect.poll(subscribers).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    });

    test("does not keep a process alive whose store is closed", async () => {
      const child = await startChildOf();
      const runId = await openRun(create());
      const waiting = child.call("wait", runId, -1);
      await child.call("renew", runId);
      await child.call("close");
      await waiting;
      expect(await child.exited).toBe(0);
    });
  });

  test("a read costs the same with long and short names, because owner and session are sent once", async () => {
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
    // The replies to INFO account for the difference.
    expect(Math.abs((await costOf("x".repeat(256))) - (await costOf("x")))).toBeLessThan(1000);
    // After a thousand other runs, the names are read again.
    const old = await openRun(store, { sessionId: "s" });
    await store.read(old, -1, 0);
    for (let count = 0; count < 1001; count++) {
      await store.read(await openRun(store, { owner: `${count}` }), -1, 0);
    }
    expect((await store.read(old, -1, 0))?.run).toMatchObject({ owner: "ann", sessionId: "s" });
  });

  test("is refused with a client that can only listen, and shared with one that also executes commands", async () => {
    const connect = (RESP: 2 | 3) =>
      createClient({ socket: { path: redis.socketPath, reconnectStrategy: 20 }, RESP }).connect();
    const [resp2, resp3] = [await connect(2), await connect(3)];
    for (const listener of [resp2, resp3]) {
      await listener.subscribe("news", () => {});
    }
    expect(() => create({ client: resp2 })).toThrow(
      "client must be able to execute commands, but in RESP 2 it only listens to channels: create another one for " +
        "createRedisRunStore(), as `await client.duplicate().connect()` does.",
    );
    await openRun(create({ client: resp3 }));
    for (const listener of [resp2, resp3]) listener.destroy();
  });

  describe("scripts", () => {
    test("are loaded again after Redis has dropped them", async () => {
      const store = create();
      const runId = await openRun(store);
      await client.scriptFlush();
      expect(await store.append(runId, 0, ["0"])).toBe("ok");
      await client.scriptFlush();
      const both = await Promise.all([store.append(runId, 1, ["1"]), store.append(runId, 1, ["1"])]);
      expect(both).toEqual(["ok", "ok"]);
      expect(await logOf(store, runId)).toEqual(["0", "1"]);
    });

    test("work even if Redis keeps dropping them", async () => {
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

    test("are sent in full only once", async () => {
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
      // The format check, the opening and the first append.
      expect(sent.length).toBe(3);
    });
  });
});

describe.skipIf(!hasRedis())("an unreachable Redis", () => {
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

  test("makes every method reject within 2 s", async () => {
    const runId = await openRun(store);
    await redis.kill();
    const results = await Promise.allSettled(callsOf(store, runId).map((call) => call()));
    for (const settled of results) {
      // The first commands may meet the end of the connection.
      const reason = settled.status === "rejected" ? String(settled.reason) : "none";
      expect(reason).toMatch(/Redis did not reply within 2000 ms|closed/i);
    }
  });

  test("makes a route return 503 with a retry time, and serve again when Redis is back", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const agent = {
      streamChat: async function* () {
        yield { type: "done" as const };
      },
    };
    // open() is retried for one lease.
    const hasty = { ...createRedisRunStore({ client, commandTimeoutMs: 200 }), leaseMs: 500 };
    const route = createChatRoute({ agent, runs: { store: hasty }, authorize: () => "ann" });
    const send = (method: string, query = "") =>
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
      const response = await send(method, query);
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
      expect(await response.json()).toMatchObject({ code: "store-unavailable" });
    }
    expect(log).toHaveBeenCalledTimes(5);
    log.mockRestore();
    await redis.restart();
    await vi.waitFor(async () => {
      const response = await send("POST");
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("[DONE]");
    });
  });

  test("is awaited for commandTimeoutMs", async () => {
    const hasty = createRedisRunStore({ client, commandTimeoutMs: 50 });
    await redis.kill();
    // The first command may meet the end of the connection; the second is queued for the next connection.
    await hasty.read("r", -1, 1).catch(() => {});
    await expect(hasty.read("r", -1, 1)).rejects.toThrow(
      "Redis did not reply within 50 ms (commandTimeoutMs).",
    );
  });

  test("delays neither the abort of a wait nor the closing of the store", async () => {
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
    // This store never had a listening connection.
    waits.push(silent.wait(runId, -1, abort.signal), listening.wait("another", -1, abort.signal));
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort();
    await Promise.all(waits);
    await silent.close();
    await listening.close();
    await expect(listening.read(runId, -1, 1)).rejects.toThrow("closed");
    await listening.wait(runId, -1, never);
  });

  test("ends a wait after a second, so that the caller can try again", async () => {
    stopTicks();
    const runId = await openRun(store);
    await redis.kill();
    const waiting = store.wait(runId, -1, never);
    vi.advanceTimersByTime(1000);
    await waiting;
  });

  test("serves new runs and wakes their readers when it comes back empty", async () => {
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

  test("does not keep a process alive whose store is closed", async () => {
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
