import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunFinish } from "../../src/runs/run-options.ts";
import { drain } from "../../src/shutdown/drain.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";
import {
  type Agent,
  ann,
  answer,
  bob,
  del,
  delta,
  eventsOf,
  forget,
  get,
  lastEventId,
  log,
  messages,
  pause,
  post,
  reading,
  refusal,
  routeOf,
  runIdOf,
  settle,
  start,
  steered,
  stoppedFrame,
  until,
  url,
  watchRuns,
  withoutComments,
} from "./chat-runs-harness.ts";

watchRuns();

describe("authorization", () => {
  test("is required: a route with runs cannot be created without authorize", () => {
    expect(() =>
      createChatRoute({ agent: { streamChat: answer as never }, runs: { store: createMemoryRunStore() } }),
    ).toThrow(
      new TypeError(
        'runs: a route with runs needs `authorize`; `authorize: "anonymous"` admits every visitor.',
      ),
    );
  });

  test("happens before anything is read or looked up, and fails with 401", async () => {
    const store = createMemoryRunStore();
    const spies = (["open", "read", "latest", "stopKey", "end"] as const).map((name) =>
      vi.spyOn(store, name),
    );
    const { route, calls } = routeOf(answer, { runs: { store } });
    const body = new ReadableStream(
      {
        pull() {
          throw new Error("The body was read.");
        },
      },
      { highWaterMark: 0 },
    );
    const unread = new Request(url(), {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
      duplex: "half",
    } as RequestInit);
    for (const request of [unread, get("?run=r", {}), del("?run=r", {}), del("?key=k", {})]) {
      const response = await route.fetch(request);
      expect([response.status, await response.json()]).toEqual([
        401,
        { error: "Please sign in.", code: "unauthorized" },
      ]);
    }
    expect(calls).toEqual([]);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  test("does not look up an id of more than 256 characters in a query, which is never found", async () => {
    const { route, store } = routeOf();
    const spies = [vi.spyOn(store, "read"), vi.spyOn(store, "latest")];
    const long = "x".repeat(257);
    const statuses = await Promise.all(
      [
        get(`?session=${long}`),
        get(`?run=${long}`),
        get("", lastEventId(`${long}.1`)),
        del(`?session=${long}`),
        del(`?run=${long}`),
        del(`?key=${long}`),
      ].map(async (request) => (await route.fetch(request)).status),
    );
    expect(statuses).toEqual([204, 404, 400, 404, 404, 400]);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  test("may be anonymous: then a run is found by its id only, and never by its session", async () => {
    const { route } = routeOf(steered().agent, { route: { authorize: "anonymous" } });
    const { runId, seen } = await start(route, { sessionId: "s", idempotencyKey: "k" }, {});
    expect((await route.GET(get("?session=s", {}))).status).toBe(204);
    expect(await refusal(await route.DELETE(del("?session=s", {})))).toEqual([404, "run-not-found"]);
    expect(seen.isOver).toBe(false);
    const follower = reading(await route.GET(get(`?run=${runId}`, {}))).seen;
    expect((await route.DELETE(del(`?run=${runId}`, {}))).status).toBe(200);
    await Promise.all([seen.over, follower.over]);
    expect(follower.text).toBe(seen.text);
  });
});

describe("other methods", () => {
  test("(HEAD, OPTIONS, PUT) start nothing", async () => {
    const { route, calls, store } = routeOf();
    const open = vi.spyOn(store, "open");
    const statuses = await Promise.all(
      ["HEAD", "OPTIONS", "PUT"].map(async (method) => {
        const response = await route.fetch(new Request(url(), { method, ...ann() }));
        return [response.status, response.headers.get("allow"), await response.text()];
      }),
    );
    const allow = "POST, GET, DELETE, OPTIONS";
    expect(statuses).toEqual([
      [405, allow, ""],
      [204, allow, ""],
      [405, allow, '{"error":"This route supports POST, GET and DELETE.","code":"method-not-allowed"}'],
    ]);
    expect(calls).toEqual([]);
    expect(open).not.toHaveBeenCalled();
  });

  test("fetch passes GET and DELETE to their handlers", async () => {
    const { route } = routeOf();
    const runId = runIdOf(await (await route.fetch(post())).text());
    expect((await route.fetch(get(`?run=${runId}&after=3`))).status).toBe(204);
    expect((await route.fetch(del(`?run=${runId}`))).status).toBe(200);
  });
});

describe("cors", () => {
  test("covers the responses to GET and DELETE: streams, 204, 404 and 200", async () => {
    const { route } = routeOf(answer, { route: { cors: { origin: "https://app.example" } } });
    const from = (init = ann()) => ({ ...init, headers: { ...init.headers, origin: "https://app.example" } });
    const runId = runIdOf(await (await route.POST(post())).text());
    const responses = [
      await route.GET(get(`?run=${runId}`, from())),
      await route.GET(get(`?run=${runId}&after=3`, from())),
      await route.GET(get("?run=unknown", from())),
      await route.DELETE(del(`?run=${runId}`, from())),
      await route.DELETE(del("?key=k", from())),
    ];
    expect(responses.map(({ status }) => status)).toEqual([200, 204, 404, 200, 202]);
    for (const { headers } of responses) {
      expect(headers.get("access-control-allow-origin")).toBe("https://app.example");
      expect(headers.get("vary")).toBe("origin");
    }
    await responses[0]?.text();
    const preflight = await route.OPTIONS(
      new Request(url(), {
        method: "OPTIONS",
        headers: { origin: "https://app.example", "access-control-request-method": "DELETE" },
      }),
    );
    expect(preflight.headers.get("access-control-allow-methods")).toBe("POST, GET, DELETE, OPTIONS");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("last-event-id");
  });
});

describe("callbacks", () => {
  test("onStart is awaited before the agent is called, and onFinish gets the same, the message and the terminal", async () => {
    const order: string[] = [];
    const finishes: RunFinish[] = [];
    const onStart = vi.fn(async () => {
      await pause(10);
      order.push("start");
    });
    const { route } = routeOf(
      async function* () {
        order.push("agent");
        yield delta("Hello");
      },
      {
        runs: {
          onStart,
          onFinish: (finish) => {
            order.push("finish");
            finishes.push(finish);
          },
        },
      },
    );
    const runId = runIdOf(await (await route.POST(post({ sessionId: "s" }))).text());
    await until(() => expect(order).toEqual(["start", "agent", "finish"]));
    const begun = { runId, owner: "ann", sessionId: "s", trigger: "send", input: messages[0], messages };
    expect(onStart.mock.calls).toEqual([[begun]]);
    expect(finishes).toEqual([
      {
        ...begun,
        message: {
          id: runId,
          role: "assistant",
          parts: [{ type: "text", key: "", text: "Hello", state: "done" }],
          status: "done",
        },
        terminal: { type: "done" },
      },
    ]);
  });

  test("onStart ends the run with a masked error if it throws, and the agent is not called", async () => {
    const { route, calls } = routeOf(answer, {
      runs: {
        onStart: () => {
          throw new Error("password");
        },
      },
    });
    const text = await (await route.POST(post())).text();
    expect(text).toContain('"code":"internal"');
    expect(text).not.toContain("password");
    expect(calls).toEqual([]);
  });

  test("waitUntil receives a promise that lasts until onFinish is done", async () => {
    let finish!: () => void;
    const promises: Promise<unknown>[] = [];
    const { route } = routeOf(answer, {
      runs: {
        waitUntil: (promise) => promises.push(promise),
        onFinish: () => new Promise<void>((resolve) => (finish = resolve)),
      },
    });
    await (await route.POST(post({ idempotencyKey: "k" }))).text();
    await (await route.POST(post({ idempotencyKey: "k" }))).text();
    expect(promises.length).toBe(1);
    await until(() => expect(finish).toBeDefined());
    expect(await Promise.race([promises[0], "waits"])).toBe("waits");
    finish();
    await promises[0];
  });
});

describe("a client that leaves", () => {
  test("does not stop its run", async () => {
    const finishes: RunFinish[] = [];
    const { agent, next } = steered();
    const { route, calls } = routeOf(agent, { runs: { onFinish: (finish) => finishes.push(finish) } });
    const abort = new AbortController();
    const { runId, leave } = await start(route, {}, { ...ann(), signal: abort.signal });
    abort.abort();
    await leave();
    for (let count = 0; count < 3; count++) {
      next();
      await pause(20);
    }
    expect(calls[0]?.[1].signal.aborted).toBe(false);
    const { seen } = reading(await route.GET(get(`?run=${runId}`)));
    await until(() => expect(seen.text).toContain('"delta":"3"'));
    await route.DELETE(del(`?run=${runId}`));
    await until(() => expect(finishes.length).toBe(1));
  });

  test.each(["cancel", "continue"] as const)(
    "learns before the first event whether the run may end with its connection (onDisconnect: %s)",
    async (onDisconnect) => {
      const { route } = routeOf(steered().agent, { runs: { onDisconnect } });
      const { runId, leave } = await start(route);
      const reader = (await route.GET(get(`?run=${runId}`))).body!.getReader();
      const { value } = await reader.read();
      const [opening] = new TextDecoder().decode(value).split(/^id: /m);
      expect(opening?.includes(":stay\n\n")).toBe(onDisconnect === "cancel");
      await reader.cancel();
      await leave();
    },
  );

  test("stops its run with onDisconnect: cancel, but only as the last one, and not if it was asked to reconnect", async () => {
    const runs = { onDisconnect: "cancel" } as const;
    const { route, calls } = routeOf(steered().agent, { runs });
    const { runId, leave } = await start(route);
    const other = reading(await route.GET(get(`?run=${runId}`)));
    await until(() => expect(other.seen.text).toContain("text-delta"));
    await leave();
    await pause(20);
    expect(calls[0]?.[1].signal.aborted).toBe(false);
    await other.leave();
    await until(() => expect(calls[0]?.[1].signal.aborted).toBe(true));
    const text = await (await route.GET(get(`?run=${runId}`))).text();
    expect(eventsOf(text).at(-2)?.data).toBe('{"type":"abort","reason":"cancelled"}');

    const short = routeOf(steered().agent, { runs, route: { maxDurationMs: 300 } });
    const detached = await start(short.route);
    await detached.seen.over;
    expect(detached.seen.text).toMatch(/retry: \d+\n\n$/);
    await pause(20);
    expect(short.calls[0]?.[1].signal.aborted).toBe(false);
    expect((await short.store.read(detached.runId, -1, 1))?.run.terminal).toBe(undefined);
  });

  test("also ends the answer of readers in another process with onDisconnect: cancel", async () => {
    const store = createMemoryRunStore();
    const runs = { store, onDisconnect: "cancel" } as const;
    const { runId, leave } = await start(routeOf(steered().agent, { runs }).route);
    const there = routeOf(answer, { runs });
    const { seen } = reading(await there.route.GET(get(`?run=${runId}`)));
    await until(() => expect(seen.text).toContain("text-delta"));
    await leave();
    await seen.over;
    expect(eventsOf(seen.text).at(-2)?.data).toBe('{"type":"abort","reason":"cancelled"}');
  });
});

describe("an agent that falls silent", () => {
  const silent = (body: object) => {
    const ends: RunFinish[] = [];
    const runs = { onFinish: (finish: RunFinish) => void ends.push(finish) };
    const { route, calls } = routeOf(steered().agent, { runs, route: { sourceIdleTimeoutMs: 50 } });
    return { response: route.POST(post(body)), calls, ends };
  };

  test("is aborted after sourceIdleTimeoutMs, and its run ends with an error that may be tried again", async () => {
    const { response, calls, ends } = silent({});
    const [, text, last] = eventsOf(await (await response).text());
    expect(text?.data).toBe('{"type":"text-delta","delta":"0"}');
    expect(JSON.parse(last!.data)).toMatchObject({ type: "error", code: "source-idle", retryable: true });
    expect(calls[0]?.[1].signal.aborted).toBe(true);
    await until(() => expect(ends).toMatchObject([{ terminal: { code: "source-idle" } }]));
  });

  test("is not silent before onStart has returned", async () => {
    const runs = { onStart: () => pause(150) };
    const { route } = routeOf(answer, { runs, route: { sourceIdleTimeoutMs: 60 } });
    const text = await (await route.POST(post())).text();
    expect(eventsOf(text).at(-2)?.data).toBe('{"type":"done"}');
  });

  test("is aborted during a buffered answer, too", async () => {
    const response = await silent({ stream: false }).response;
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ text: "0", error: { code: "source-idle" } });
  });
});

describe("draining", () => {
  test("ends runs at the deadline with an abort (shutdown), which their followers here receive", async () => {
    const { route, calls } = routeOf(steered().agent);
    const { seen } = await start(route);
    const buffered = routeOf(steered().agent);
    const answered = buffered.route.POST(post({ stream: false }));
    await until(() => expect(buffered.calls.length).toBe(1));
    const drained = drain({ deadlineMs: 600 });
    await pause(20);
    expect(seen.isOver).toBe(false);
    for (const request of [post(), get("?session=s"), del("?session=s")]) {
      expect(await refusal(await route.fetch(request))).toEqual([503, "draining"]);
    }
    expect(await drained).toMatchObject({ aborted: 2 });
    await seen.over;
    expect(eventsOf(seen.text).map(({ data }) => data)).toEqual([
      expect.stringContaining("run-start"),
      '{"type":"text-delta","delta":"0"}',
      '{"type":"abort","reason":"shutdown"}',
      "[DONE]",
    ]);
    expect(calls[0]?.[1].signal.aborted).toBe(true);
    const response = await answered;
    expect([response.status, (await response.json()).text]).toEqual([200, "0"]);
  });

  test("waits for runs that finish in time, even without followers", async () => {
    const { agent, next } = steered();
    const finite: Agent = async function* (options) {
      for await (const chunk of agent(options)) {
        yield chunk;
        if (chunk.type === "text-delta" && chunk.delta === "1") return;
      }
    };
    const { route, store } = routeOf(finite);
    const { runId, leave } = await start(route);
    await leave();
    const drained = drain({ deadlineMs: 10_000 });
    next();
    expect(await drained).toEqual({ finished: 1, aborted: 0 });
    expect((await store.read(runId, -1, 1))?.run.terminal).toEqual({ type: "done" });
  });

  test("that begins while a request is read refuses the request and opens no run", async () => {
    const store = createMemoryRunStore();
    const open = vi.spyOn(store, "open");
    const { route, calls } = routeOf(answer, {
      runs: { store },
      route: {
        authorize: () => {
          void drain({ deadlineMs: 0 });
          return "ann";
        },
      },
    });
    expect(await refusal(await route.POST(post()))).toEqual([503, "draining"]);
    expect(open).not.toHaveBeenCalled();
    expect(calls).toEqual([]);
  });

  test("hands followers off at once if another process serves the store, and continues the run", async () => {
    const memory = createMemoryRunStore();
    const store: RunStore = { ...memory, canHandOff: true };
    const { agent, next } = steered();
    const here = routeOf(agent, { runs: { store, onDisconnect: "cancel" } });
    const { seen, runId } = await start(here.route);
    const buffered = routeOf(steered().agent, { runs: { store } });
    const answered = buffered.route.POST(post({ stream: false }, bob()));
    await until(() => expect(buffered.calls.length).toBe(1));
    const drained = drain({ deadlineMs: 1500 });
    await seen.over;
    expect(seen.text).toMatch(/"delta":"0"\}\n\nretry: \d+\n\n$/);
    next();
    // Another process.
    const registry = streamRegistry();
    forget();
    const there = routeOf(answer, { runs: { store } });
    const resumed = reading(await there.route.GET(get("", lastEventId(`${runId}.1`)))).seen;
    await until(() => expect(resumed.text).toContain('"delta":"1"'));
    Object.assign(globalThis, { [Symbol.for("@kortyx/server/streams")]: registry });
    expect(await drained).toEqual({ finished: 0, aborted: 2 });
    await resumed.over;
    expect(eventsOf(resumed.text).map(({ data }) => data)).toEqual([
      '{"type":"text-delta","delta":"1"}',
      '{"type":"abort","reason":"shutdown"}',
      "[DONE]",
    ]);
    const response = await answered;
    expect([response.status, (await response.json()).chunks.at(-1)]).toEqual([
      200,
      { type: "abort", reason: "shutdown" },
    ]);
  });
});

describeStores(({ name, setUp }) => {
  describe(`with runs in ${name}`, () => {
    let fixture: RunStoreFixture;
    let store: RunStore;
    beforeEach(() => {
      fixture = setUp();
      store = fixture.create();
    });
    afterEach(async () => {
      for (const stream of streamRegistry().streams) stream.shutdown();
      await until(() => expect(streamRegistry().streams.size).toBe(0));
      await store.close();
      fixture.dispose();
    });

    test("every reader of 50 runs that are stopped at random moments sees the same prefix and one abort", async () => {
      const { route, calls } = routeOf(
        async function* ({ signal }) {
          for (let count = 0; count < 500 && !signal.aborted; count++) {
            yield delta(`${count} `);
            const kind = Math.floor(Math.random() * 4);
            if (kind === 1) await settle();
            if (kind === 2) await pause(Math.random() * 4);
            if (kind === 3 && Math.random() < 0.1) {
              yield { type: "tool-call-start", tool: "t", toolCallId: `${count}`, input: {} };
              await pause(5);
              yield { type: "tool-call-result", tool: "t", toolCallId: `${count}`, content: "x" };
            }
          }
        },
        { runs: { store, maxOpenRuns: 50 } },
      );
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const response = await route.POST(post({ sessionId: `${index}`, idempotencyKey: `${index}` }));
          const first = reading(response).seen;
          await pause(Math.random() * 30);
          const second = reading(await route.GET(get(`?session=${index}`))).seen;
          await pause(Math.random() * 30);
          const query = [`?session=${index}`, `?key=${index}`][index % 2]!;
          const stops = await Promise.all([route.DELETE(del(query)), route.DELETE(del(query))]);
          const [stop, again] = await Promise.all(stops.map((stopped) => stopped.json()));
          expect(stop).toEqual(again);
          await Promise.all([first.over, second.over]);
          expect(second.text).toBe(first.text);
          const third = await (await route.GET(get(`?run=${stop.runId}`))).text();
          expect(withoutComments(third)).toBe(first.text);

          const events = eventsOf(first.text);
          const terminals = events.filter(({ data }) => /"type":"(abort|done|error)"/.test(data));
          expect(terminals.map(({ data }) => JSON.parse(data))).toEqual([stop.terminal]);
          expect(events.at(-2)).toEqual(terminals[0]);
          expect(events.at(-1)?.data).toBe("[DONE]");
          expect(events.slice(0, -1).map(({ id }) => id)).toEqual(
            events.slice(0, -1).map((_, seq) => `${stop.runId}.${seq}`),
          );
          const words = events.filter(({ data }) => data.includes("text-delta"));
          expect(words.map(({ data }) => JSON.parse(data).delta)).toEqual(
            words.map((_, count) => `${count} `),
          );
        }),
      );
      expect(calls.length).toBe(50);
      await until(() => expect(streamRegistry().streams.size).toBe(0));
    });

    test("stopping a run that streams at full speed does not crash the process", async () => {
      const { route, calls } = routeOf(
        async function* ({ signal }) {
          for (let count = 0; !signal.aborted; count++) {
            yield delta(`${count} `);
            if (count % 100 === 99) await settle();
          }
        },
        { runs: { store, maxRunCharacters: 2 ** 30, maxRunChunks: 2 ** 30 } },
      );
      for (let count = 0; count < 10; count++) {
        const { runId, seen } = await start(route);
        await pause(Math.random() * 20);
        const response = await route.DELETE(del(`?run=${runId}`));
        expect((await response.json()).terminal).toEqual({ type: "abort", reason: "stopped" });
        await seen.over;
        expect(eventsOf(seen.text).at(-2)?.data).toBe(stoppedFrame);
        await until(() => expect(calls[count]?.[1].signal.aborted).toBe(true));
      }
    });
  });
});

test("an authorize that returns undefined, in plain JavaScript, causes a 401", async () => {
  const authorize = (() => undefined) as unknown as () => string;
  const { route } = routeOf(answer, { route: { authorize } });
  for (const request of [post(), del("?session=s")]) {
    expect((await route.fetch(request)).status).toBe(401);
  }
});

describe("a store that fails", () => {
  type Method = "open" | "end" | "read" | "latest" | "stopKey";
  /** A store whose methods with these names throw or reject until it is healed. */
  function failingStore(...methods: Method[]) {
    const store = createMemoryRunStore();
    let isHealed = false;
    const broken = Object.fromEntries(
      methods.map((method, index) => [
        method,
        (...values: unknown[]) => {
          if (isHealed) return (store[method] as (...values: unknown[]) => unknown)(...values);
          const failure = new Error("password");
          if (index % 2 === 1) throw failure;
          return Promise.reject(failure);
        },
      ]),
    );
    const heal = () => {
      isHealed = true;
    };
    // open() is retried for one lease.
    return { ...store, ...broken, heal, leaseMs: 50 } as RunStore & { heal(): void };
  }
  const everything: Method[] = ["open", "end", "read", "latest", "stopKey"];

  const requests: [string, () => Request, Method[]][] = [
    ["a POST", () => post(), ["open"]],
    ["a buffered POST", () => post({ stream: false }), ["open"]],
    ["a POST in place of an open run", () => post({ sessionId: "s" }), ["end"]],
    ["a GET after an event", () => get("", lastEventId("run.1")), ["read"]],
    ["a GET of a run", () => get("?run=run"), ["read"]],
    ["a GET of a session", () => get("?session=s"), ["latest"]],
    ["a DELETE of a run", () => del("?run=run"), ["read"]],
    ["a DELETE of a session", () => del("?session=s"), ["latest"]],
    ["a DELETE of a key", () => del("?key=k"), ["stopKey"]],
  ];
  for (const [name, request, methods] of requests) {
    test(`answers ${name} with 503 store-unavailable, a time to retry, and an id under which the reason is logged`, async () => {
      for (const failing of [methods, everything]) {
        const onError = vi.fn(() => "An agent's words.");
        const agent = steered().agent;
        const store = failingStore(...failing);
        const { route, calls } = routeOf(agent, { runs: { store, onActiveRun: "stop" }, route: { onError } });
        const isInPlace = failing === methods && name.includes("in place");
        if (isInPlace) void (await route.POST(post({ sessionId: "s" }))).body?.cancel();
        const before = calls.length;
        log.mockClear();
        const response = await route.fetch(request());
        expect(response.status).toBe(503);
        expect(response.headers.get("retry-after")).toBe("3");
        expect(response.headers.get("cache-control")).toBe("no-store");
        const body = (await response.json()) as { correlationId: string };
        expect(body).toEqual({
          error: "Answers are not available at the moment. Please try again.",
          code: "store-unavailable",
          correlationId: expect.any(String),
        });
        expect(log.mock.calls).toEqual([
          [
            `The run store failed (store-unavailable, correlationId ${body.correlationId}):`,
            new Error("password"),
          ],
        ]);
        expect([calls.length, onError.mock.calls.length]).toEqual([before, 0]);
        store.heal();
        for (const stream of streamRegistry().streams) stream.shutdown();
      }
    });
  }

  test("during a buffered answer also causes a 503, after a lease without success", async () => {
    const store = createMemoryRunStore({ leaseMs: 30 });
    const read = vi.fn(() => Promise.reject(new Error("password")));
    const { route } = routeOf(answer, { runs: { store: { ...store, read } } });
    const response = await route.POST(post({ stream: false }));
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      503,
      "store-unavailable",
    ]);
  });

  test("is not confused with an agent, a callback or a request that fails", async () => {
    const failing = () => {
      throw new Error("password");
    };
    const { route } = routeOf(failing);
    const streamed = await route.POST(post());
    expect(streamed.status).toBe(200);
    expect(await streamed.text()).toContain('"code":"internal"');
    expect((await route.POST(post({ stream: false }))).status).toBe(500);
    expect((await routeOf(answer, { route: { authorize: failing } }).route.POST(post())).status).toBe(500);
    expect((await routeOf(answer, { runs: { waitUntil: failing } }).route.POST(post())).status).toBe(500);
    expect((await route.POST(post({ messages: 7 }))).status).toBe(400);
  });
});
