import { describe, expect, test, vi } from "vitest";
import { drain } from "../../src/shutdown/drain.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import {
  type Agent,
  ann,
  answer,
  bob,
  del,
  delta,
  eventsOf,
  get,
  lastEventId,
  messages,
  pause,
  post,
  reading,
  refusal,
  routeOf,
  runIdOf,
  start,
  steered,
  stoppedFrame,
  until,
  url,
  watchRuns,
  withoutComments,
} from "./chat-runs-harness.ts";

watchRuns();

test("Unicode line breaks are escaped in the log and on the wire, from the user's message to the error", async () => {
  const text = "a\u2028b\u2029c\u0085d";
  const { route, store } = routeOf(async function* () {
    yield delta(text);
    yield { type: "error", message: text };
    yield { type: "status", message: text };
    yield { type: "error", message: text, code: text };
  });
  const body = await (await route.POST(post({ messages: [{ role: "user", content: text }] }))).text();
  const page = await store.read(runIdOf(body), -1, 100);
  expect(page?.entries).toHaveLength(5);
  expect(body + page?.entries.join("")).not.toMatch(/[\u0085\u2028\u2029]/);
  expect(body.split("a\\u2028b\\u2029c\\u0085d")).toHaveLength(7);
  expect(page?.run.terminal).toEqual({ type: "error", message: text, code: text });
});

describe("event ids", () => {
  /** A reader that treats only blocks beginning with `data:` as events. */
  const readNaively = (text: string) =>
    text
      .split("\n\n")
      .filter((block) => block.startsWith("data:"))
      .map((block) => block.slice("data:".length).trim());
  const whole = [
    expect.stringContaining("run-start"),
    '{"type":"text-delta","delta":"Hel"}',
    '{"type":"text-delta","delta":"lo"}',
    '{"type":"done"}',
    "[DONE]",
  ];
  const plainPost = (headers: Record<string, string>, query = "", body: object = {}) =>
    new Request(url(query), {
      method: "POST",
      headers: { "x-user": "ann", "content-type": "application/json", ...headers },
      body: JSON.stringify({ messages, ...body }),
    });

  test.each<[string, Request]>([
    ["no accept", plainPost({})],
    ["accept: */*", plainPost({ accept: "*/*" })],
    ["accept: application/json", plainPost({ accept: "application/json, text/plain" })],
  ])(
    "are left out of a POST with %s, for readers that skip events beginning with an id",
    async (_, request) => {
      const { route, store } = routeOf();
      const text = await (await route.POST(request)).text();
      expect(text).not.toMatch(/^id:/m);
      expect(readNaively(text)).toEqual(whole);
      // The run is otherwise a normal one.
      const { runId } = JSON.parse(readNaively(text)[0]!);
      expect((await store.read(runId, -1, 10))?.entries).toHaveLength(4);
      const again = await (await route.GET(get(`?run=${runId}`))).text();
      expect(again).toContain(`id: ${runId}.0\n`);
      expect(withoutComments(again.replaceAll(/^id: .*\n/gm, ""))).toBe(withoutComments(text));
    },
  );

  test.each<[string, Request]>([
    ["accept: text/event-stream", plainPost({ accept: "text/event-stream" })],
    [
      "accept: text/event-stream among other types, in capitals",
      plainPost({ accept: "application/json, Text/Event-Stream;q=0.9" }),
    ],
    ["last-event-id", plainPost({ "last-event-id": "" })],
    ["an idempotency key", plainPost({}, "", { idempotencyKey: "k" })],
    ["?session=", plainPost({}, "?session=s")],
    ["?run=", plainPost({}, "?run=r")],
  ])("are sent to a POST with %s", async (_, request) => {
    const { route } = routeOf();
    const text = await (await route.POST(request)).text();
    expect(eventsOf(text).map(({ id }) => id?.replace(/^.*\./, "."))).toEqual([
      ".0",
      ".1",
      ".2",
      ".3",
      undefined,
    ]);
  });

  test("are required for a handoff: draining keeps a reader without them connected until its answer ends", async () => {
    const { agent, next } = steered();
    const store: RunStore = { ...createMemoryRunStore(), canHandOff: true };
    const { route } = routeOf(agent, { runs: { store } });
    const plain = reading(await route.POST(plainPost({})));
    const withIds = reading(await route.POST(post()));
    await until(() => expect(plain.seen.text + withIds.seen.text).toMatch(/text-delta.*text-delta/s));
    const drained = drain({ deadlineMs: 0 });
    await until(() => expect([plain.seen.isOver, withIds.seen.isOver]).toEqual([true, true]));
    next();
    await drained;
    expect(plain.seen.text).toMatch(/data: {"type":"abort","reason":"shutdown"}\n\ndata: \[DONE]\n\n$/);
    expect(withIds.seen.text).toMatch(/retry: \d+\n\n$/);
  });
});

describe("POST", () => {
  test("starts a run, whose events have ids and begin with the user's message, in exactly these bytes", async () => {
    const { route, calls } = routeOf();
    const rest = {
      sessionId: "s",
      workflowId: "w",
      context: { a: 1 },
      resume: { requestId: "q", resumeToken: "t", answer: "yes" },
    };
    const response = await route.POST(post({ ...rest, idempotencyKey: "k" }));
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      "cache-control": "no-cache",
      connection: "keep-alive",
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    const text = await response.text();
    const runId = runIdOf(text);
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(withoutComments(text).replaceAll(runId, "RUN")).toBe(
      'id: RUN.0\ndata: {"type":"run-start","runId":"RUN","sessionId":"s","input":{"role":"user","content":"Hi"},"acceptsParts":true}\n\n' +
        'id: RUN.1\ndata: {"type":"text-delta","delta":"Hel"}\n\n' +
        'id: RUN.2\ndata: {"type":"text-delta","delta":"lo"}\n\n' +
        'id: RUN.3\ndata: {"type":"done"}\n\n' +
        "data: [DONE]\n\n",
    );
    expect(calls).toEqual([
      [
        messages,
        { ...rest, resumes: [rest.resume], body: {}, owner: "ann", signal: expect.any(AbortSignal) },
      ],
    ]);
    const again = runIdOf(await (await route.POST(post())).text());
    expect(again).not.toBe(runId);
  });

  test("begins the log with the user's last message", async () => {
    const conversation = [
      { role: "user", content: "First" },
      { role: "assistant", content: "Second" },
      { role: "user", content: "Third", id: "m3" },
      { role: "assistant", content: "Fourth" },
    ];
    const { route } = routeOf();
    const [first] = eventsOf(await (await route.POST(post({ messages: conversation }))).text());
    expect(JSON.parse(first!.data).input).toEqual({ role: "user", content: "Third", id: "m3" });
  });

  test("responds once the first entry is stored, and not before", async () => {
    const store = createMemoryRunStore();
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { route } = routeOf(answer, {
      runs: {
        store: {
          ...store,
          append: async (...values) => {
            await gate;
            return store.append(...values);
          },
        },
      },
    });
    let isAnswered = false;
    const answered = route.POST(post()).then((response) => {
      isAnswered = true;
      return response;
    });
    await pause(20);
    expect(isAnswered).toBe(false);
    open();
    expect((await (await answered).text()).endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("with a known key attaches to its run, without calling the agent again", async () => {
    const { agent, next } = steered();
    const { route, calls } = routeOf(agent);
    const body = { idempotencyKey: "k", sessionId: "s" };
    const first = await start(route, body);
    next();
    await until(() => expect(first.seen.text).toContain('"delta":"1"'));
    const again = reading(await route.POST(post(body))).seen;
    const resumed = reading(await route.POST(post(body, lastEventId(`${first.runId}.1`)))).seen;
    await until(() => expect(again.text).toBe(first.seen.text));
    await route.DELETE(del(`?run=${first.runId}`));
    await Promise.all([first.seen.over, again.over, resumed.over]);
    expect(again.text).toBe(first.seen.text);
    expect(first.seen.text.endsWith(resumed.text)).toBe(true);
    expect(eventsOf(resumed.text).map(({ data }) => data)).toEqual([
      '{"type":"text-delta","delta":"1"}',
      stoppedFrame,
      "[DONE]",
    ]);
    // It also attaches to the ended run.
    expect(await (await route.POST(post(body))).text()).toBe(first.seen.text);
    expect(calls.length).toBe(1);
    expect(await refusal(await route.POST(post(body, lastEventId("nonsense"))))).toEqual([
      400,
      "invalid-cursor",
    ]);
  });

  test("starts one run for ten concurrent requests with one key, and all of them follow it", async () => {
    const { route, calls } = routeOf();
    const texts = await Promise.all(
      Array.from({ length: 10 }, async () => (await route.POST(post({ idempotencyKey: "k" }))).text()),
    );
    expect(new Set(texts.map(withoutComments)).size).toBe(1);
    expect(calls.length).toBe(1);
  });

  test("keeps large files out of the log, which every follower receives, but not from the agent and onFinish", async () => {
    const onFinish = vi.fn();
    const { route, calls } = routeOf(answer, { runs: { onFinish } });
    const file = (length: number) => ({
      type: "file" as const,
      mediaType: "image/png",
      url: "data:,".padEnd(length, "A"),
    });
    const text = { type: "text" as const, text: "A".repeat(100_000) };
    const input = { role: "user" as const, content: "", parts: [text, file(65_536), file(65_537)] };
    const sent = await (await route.POST(post({ messages: [input] }))).text();
    expect(JSON.parse(eventsOf(sent)[0]!.data).input).toEqual({ ...input, parts: [text, file(65_536)] });
    await until(() => expect(onFinish).toHaveBeenCalledTimes(1));
    expect([calls[0]![0], onFinish.mock.calls[0]![0].input]).toEqual([[input], input]);
  });

  test("with a known key and another body is refused, unless it comes from another owner", async () => {
    const { route, calls } = routeOf();
    await (await route.POST(post({ idempotencyKey: "k" }))).text();
    for (const other of [
      { sessionId: "s" },
      { messages: [{ role: "user", content: "Bye" }] },
      { stream: false },
      { theme: "dark" },
    ]) {
      const response = await route.POST(post({ idempotencyKey: "k", ...other }));
      expect([response.status, response.headers.get("cache-control"), await response.json()]).toEqual([
        409,
        "no-store",
        {
          error: "The idempotency key was already used with another body; use a new key for each message.",
          code: "key-conflict",
        },
      ]);
    }
    await (await route.POST(post({ idempotencyKey: "k", sessionId: "s" }, bob()))).text();
    expect(calls.length).toBe(2);
  });

  test("in a session with an open run is refused, stops that run, or runs in parallel", async () => {
    const rejecting = routeOf(steered().agent);
    await start(rejecting.route, { sessionId: "s" });
    const response = await rejecting.route.POST(post({ sessionId: "s" }));
    expect([response.status, await response.json()]).toEqual([
      409,
      {
        error: "An answer is still in progress in this conversation. Stop it, or wait until it ends.",
        code: "run-active",
      },
    ]);
    await start(rejecting.route, { sessionId: "another" });
    await start(rejecting.route, { sessionId: "s" }, bob());
    expect(rejecting.calls.length).toBe(3);

    const stopping = routeOf(steered().agent, { runs: { onActiveRun: "stop" } });
    const first = await start(stopping.route, { sessionId: "s" });
    const second = await start(stopping.route, { sessionId: "s" });
    await first.seen.over;
    expect(eventsOf(first.seen.text).map(({ data }) => data)).toEqual([
      expect.stringContaining("run-start"),
      '{"type":"text-delta","delta":"0"}',
      stoppedFrame,
      "[DONE]",
    ]);
    expect(second.seen.isOver).toBe(false);

    const allowing = routeOf(steered().agent, { runs: { onActiveRun: "allow" } });
    const third = await start(allowing.route, { sessionId: "s" });
    await start(allowing.route, { sessionId: "s" });
    expect(third.seen.isOver).toBe(false);
  });

  test("is refused with 429 while the owner has the maximum of open runs, 8 by default", async () => {
    for (const [maxOpenRuns, allowed] of [
      [undefined, 8],
      [2, 2],
    ] as const) {
      const { route, calls } = routeOf(steered().agent, { runs: { maxOpenRuns } });
      for (let count = 0; count < allowed; count++) await start(route);
      const response = await route.POST(post());
      expect([response.status, response.headers.get("retry-after"), await response.json()]).toEqual([
        429,
        "5",
        {
          error: "Too many of your answers are still in progress. Stop one, or wait until one ends.",
          code: "too-many-runs",
        },
      ]);
      await start(route, {}, bob());
      expect(calls.length).toBe(allowed + 1);
    }
  });

  test("is refused with 503 when the store is full", async () => {
    const { route, calls } = routeOf(steered().agent, {
      runs: { store: createMemoryRunStore({ maxHeapBytes: 1000 }) },
    });
    await start(route);
    const response = await route.POST(post());
    expect([response.status, response.headers.get("retry-after"), await response.json()]).toEqual([
      503,
      "5",
      { error: "The server is busy. Please try again later.", code: "store-full" },
    ]);
    expect(calls.length).toBe(1);
  });

  test("returns a stream even if the agent fails, because the run exists", async () => {
    const { route } = routeOf(() => {
      throw new Error("password");
    });
    const response = await route.POST(post());
    expect(response.status).toBe(200);
    const events = eventsOf(await response.text());
    expect(events.length).toBe(3);
    expect(JSON.parse(events[1]!.data)).toEqual({
      type: "error",
      message: "Something went wrong on the server.",
      code: "internal",
      correlationId: expect.any(String),
    });
    expect(events[1]?.id).toMatch(/\.1$/);
    expect(events[2]).toEqual({ id: undefined, data: "[DONE]" });
  });

  test("applies the options of toSSE to its connections: headers, heartbeats, maxDurationMs, onError", async () => {
    const silent: Agent = async function* ({ signal }) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      yield delta("late");
    };
    const { route } = routeOf(silent, {
      route: { headers: { "x-run": "7", connection: null }, heartbeatMs: 15, maxDurationMs: 400 },
    });
    const response = await route.POST(post());
    expect([response.headers.get("x-run"), response.headers.get("connection")]).toEqual(["7", null]);
    const text = await response.text();
    expect(text).toMatch(/^:hb=15\n\nid: [\w-]+\.0\ndata: .*\n\n(:hb=15\n\n)+retry: \d+\n\n$/);
    const resumed = await (await route.GET(get(`?run=${runIdOf(text)}&after=0`))).text();
    expect(resumed).toMatch(/^(:hb=15\n\n)+retry: \d+\n\n$/);

    const failing = routeOf(
      // biome-ignore lint/correctness/useYield: it fails before it could yield
      async function* () {
        throw new Error("boom");
      },
      { route: { onError: () => "Busy." } },
    );
    expect(await (await failing.route.POST(post())).text()).toContain('{"type":"error","message":"Busy."}');
  });
});

describe("stream: false", () => {
  test("returns the whole run as JSON, and attaches with a known key", async () => {
    const { route, calls } = routeOf();
    for (let count = 0; count < 2; count++) {
      const response = await route.POST(post({ stream: false, idempotencyKey: "k" }));
      expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
      expect(await response.json()).toEqual({
        chunks: [
          { type: "run-start", runId: expect.any(String), input: messages[0], acceptsParts: true },
          delta("Hel"),
          delta("lo"),
          { type: "done" },
        ],
        text: "Hello",
        structured: [],
      });
    }
    expect(calls.length).toBe(1);
  });

  test("returns 500 with the partial result when the run ends with an error", async () => {
    const { route } = routeOf(async function* () {
      yield delta("Hel");
      yield { type: "error", message: "Busy.", code: "busy" };
    });
    const response = await route.POST(post({ stream: false }));
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ text: "Hel", error: { code: "busy" } });
  });

  test("ignores maxDurationMs, which is for connections that can be resumed", async () => {
    const { route } = routeOf(
      async function* () {
        yield delta("a");
        await pause(100);
        yield delta("b");
      },
      { route: { maxDurationMs: 20, heartbeatMs: 10 } },
    );
    const response = await route.POST(post({ stream: false }));
    expect(response.status).toBe(200);
    expect((await response.json()).text).toBe("ab");
  });

  test("returns the answer even if its reader of the store dies during a wait", {
    timeout: 20_000,
  }, async () => {
    const memory = createMemoryRunStore({ leaseMs: 300 });
    const store: RunStore = { ...memory, wait: () => new Promise(() => {}) };
    const { agent, next } = steered();
    const { route, calls } = routeOf(agent, { runs: { store } });
    const answered = route.POST(post({ stream: false, sessionId: "s" }));
    await until(() => expect(calls.length).toBe(1));
    next();
    await pause(100);
    await route.DELETE(del("?session=s"));
    expect((await (await answered).json()).text).toBe("01");
  });

  /** Requests the run again while only a reader of its second half follows. The store reads the first half by `toRead`. */
  async function requestBesideReader(
    toRead: (read: RunStore["read"]) => RunStore["read"],
  ): Promise<Response> {
    const { agent, next } = steered();
    const memory = createMemoryRunStore();
    let read: RunStore["read"] = memory.read;
    const store: RunStore = { ...memory, read: (...given) => read(...given) };
    const { route, calls } = routeOf(agent, { runs: { store } });
    const body = { stream: false, sessionId: "s", idempotencyKey: "k" };
    const abort = new AbortController();
    const left = route.POST(post(body, { ...ann(), signal: abort.signal }));
    await until(() => expect(calls.length).toBe(1));
    const first = reading(await route.GET(get("?session=s")));
    await until(() => expect(first.seen.text).toContain('"delta":"0"'));
    const runId = runIdOf(first.seen.text);
    abort.abort();
    await Promise.all([left, first.leave()]);
    const { seen } = reading(await route.GET(get("", lastEventId(`${runId}.1`))));
    next();
    await until(() => expect(seen.text).toContain('"delta":"1"'));
    const readBeginning = vi.fn(toRead(memory.read));
    read = (id, after, limit) => (after < 1 ? readBeginning : memory.read)(id, after, limit);
    const answered = route.POST(post(body));
    await until(() => expect(readBeginning).toHaveBeenCalled());
    await memory.end(runId, { type: "done" });
    return answered;
  }

  test("returns the whole run while another reader reads its second half, even if the store fails for a moment", async () => {
    let isFailing = true;
    const response = await requestBesideReader((read) => async (...given) => {
      if (!isFailing) return read(...given);
      isFailing = false;
      throw new Error("password");
    });
    expect((await response.json()).text).toBe("01");
    expect(isFailing).toBe(false);
  });

  test("returns 500 with `run-lost`, and never the second half alone, if the log has lost the first half", async () => {
    const response = await requestBesideReader(() => async () => undefined);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ text: "", error: { code: "run-lost" } });
  });

  test("lets go of the run as soon as its client leaves, which ends it with onDisconnect: cancel", async () => {
    const { agent } = steered();
    const store = createMemoryRunStore({ leaseMs: 600_000 });
    const { route, calls } = routeOf(agent, { runs: { store, onDisconnect: "cancel" } });
    const abort = new AbortController();
    const answered = route.POST(post({ stream: false }, { ...ann(), signal: abort.signal }));
    await until(() => expect(calls.length).toBe(1));
    await until(() => expect(streamRegistry().followers.size).toBe(1));
    abort.abort();
    await answered;
    await until(() => expect(calls[0]?.[1].signal.aborted).toBe(true));
  });

  test("ends with onDisconnect: cancel also the run of a client that has left before it was opened", async () => {
    const memory = createMemoryRunStore();
    const gate = Promise.withResolvers<void>();
    const open = vi.fn(async (request: Parameters<RunStore["open"]>[0]) => {
      await gate.promise;
      return memory.open(request);
    });
    const { route, calls } = routeOf(steered().agent, {
      runs: { store: { ...memory, open }, onDisconnect: "cancel" },
    });
    const abort = new AbortController();
    const answered = route.POST(post({ stream: false }, { ...ann(), signal: abort.signal }));
    await until(() => expect(open).toHaveBeenCalled());
    abort.abort();
    gate.resolve();
    expect((await answered).status).toBe(499);
    await until(() => expect(calls[0]?.[1].signal.aborted).toBe(true));
  });

  test("does not end the run when its client leaves", async () => {
    const { agent, next } = steered();
    const { route, calls } = routeOf(agent);
    const abort = new AbortController();
    const answered = route.POST(post({ stream: false, sessionId: "s" }, { ...ann(), signal: abort.signal }));
    await until(() => expect(calls.length).toBe(1));
    abort.abort();
    await answered;
    next();
    const { seen } = reading(await route.GET(get("?session=s")));
    await until(() => expect(seen.text).toContain('"delta":"1"'));
    expect(calls[0]?.[1].signal.aborted).toBe(false);
  });
});
