import type { ChatMessage, StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RouteAgentOptions as AgentOptions } from "../../src/route/chat-agent.ts";
import type { ChatRoute, ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { ChatRunOptions, RunFinish } from "../../src/runs/run-options.ts";
import { drain } from "../../src/shutdown/drain.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
/** There is no way back from draining but a new process; tests forget the registry instead. */
const forget = () => Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/streams"));
beforeEach(() => log.mockClear());
afterEach(async () => {
  // Whatever a test has left running ends here, so that it cannot disturb another one.
  for (const stream of streamRegistry().streams) stream.shutdown();
  await until(() => expect(streamRegistry().streams.size + streamRegistry().followers.size).toBe(0));
  forget();
});

const messages: ChatMessage[] = [{ role: "user", content: "Hi" }];
const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const stoppedFrame = '{"type":"abort","reason":"stopped"}';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const settle = () => new Promise(setImmediate);
/** Until `check` passes: at once, or on a busy machine a little later. */
const until = (check: () => unknown) => vi.waitFor(check, { interval: 2 });

type Agent = (options: AgentOptions) => AsyncIterable<StreamChunk>;

const answer: Agent = async function* () {
  yield delta("Hel");
  yield delta("lo");
  yield { type: "done" };
};

/** An agent that gives one chunk, and another one at each word of the test, until it is aborted. */
function steered() {
  let allowed = 1;
  let proceed: () => void = () => {};
  return {
    /** Lets the agent give its next chunk. */
    next() {
      allowed++;
      proceed();
    },
    agent: async function* ({ signal }: AgentOptions): AsyncGenerator<StreamChunk> {
      for (let count = 0; ; count++) {
        while (count === allowed && !signal.aborted) {
          await new Promise<void>((resolve) => {
            proceed = resolve;
            signal.addEventListener("abort", () => resolve());
          });
        }
        if (signal.aborted) return;
        yield delta(`${count}`);
      }
    },
  };
}

const asUser =
  (user: string) =>
  (init: RequestInit = {}): RequestInit => ({ ...init, headers: { "x-user": user, ...init.headers } });
const ann = asUser("ann");
const bob = asUser("bob");

interface Set {
  runs?: Partial<ChatRunOptions>;
  route?: Partial<ChatRouteOptions>;
}

/** A route with runs, whose user is named in a header. */
function routeOf(agent: Agent = answer, { runs, route: options }: Set = {}) {
  const calls: [ChatMessage[], AgentOptions][] = [];
  const store = runs?.store ?? createMemoryRunStore();
  const route = createChatRoute({
    agent: {
      streamChat(asked, agentOptions) {
        calls.push([asked, agentOptions]);
        return agent(agentOptions);
      },
    },
    authorize: (request) => request.headers.get("x-user"),
    runs: { store, ...runs },
    ...options,
  });
  return { route, store, calls };
}

const url = (query = "") => `http://host/api/chat${query}`;
const post = (body: object = {}, init: RequestInit = ann()) =>
  new Request(url(), {
    method: "POST",
    body: JSON.stringify({ messages, ...body }),
    ...init,
    headers: { "content-type": "application/json", accept: "text/event-stream", ...init.headers },
  });
const get = (query: string, init: RequestInit = ann()) => new Request(url(query), init);
const del = (query: string, init: RequestInit = ann()) =>
  new Request(url(query), { ...init, method: "DELETE" });
const lastEventId = (id: string, init = ann()) => ({
  ...init,
  headers: { ...init.headers, "last-event-id": id },
});

/** The events of a text: their ids and what they hold. */
function eventsOf(text: string): { id: string | undefined; data: string }[] {
  return text
    .split("\n\n")
    .filter((event) => event.includes("data: "))
    .map((event) => ({ id: /^id: (.*)$/m.exec(event)?.[1], data: /^data: (.*)$/m.exec(event)![1]! }));
}
const runIdOf = (text: string) => /id: ([0-9a-f-]+)\.0\n/.exec(text)![1]!;

/** Comments come when it takes long. */
const withoutComments = (text: string) => text.replaceAll(/^:.*\n\n/gm, "");

/** Reads an answer as it comes, without its comments. */
function reading(response: Response) {
  const seen = { text: "", isOver: false, over: Promise.resolve() };
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  seen.over = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen.text = withoutComments(seen.text + decoder.decode(value, { stream: true }));
    }
    seen.isOver = true;
  })();
  return { seen, leave: () => reader.cancel() };
}

/** Starts a run. @returns its id, once there is something to see of it. */
async function start(route: ChatRoute, body: object = {}, init: RequestInit = ann()) {
  const response = await route.POST(post(body, init));
  expect(response.status).toBe(200);
  const { seen, leave } = reading(response);
  await until(() => expect(seen.text).toContain("text-delta"));
  return { runId: runIdOf(seen.text), seen, leave };
}
const refusal = async (response: Response) => [response.status, (await response.json()).code];

test("no line break of Unicode stands raw in the log or on the wire, from the user's message to the error", async () => {
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
  /** A reader that takes an event for what begins with `data:`, and skips the rest. */
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
    "a POST with %s gets the whole answer without them, for readers that skip what begins with one",
    async (_, request) => {
      const { route, store } = routeOf();
      const text = await (await route.POST(request)).text();
      expect(text).not.toMatch(/^id:/m);
      expect(readNaively(text)).toEqual(whole);
      // It is a run like any other.
      const { runId } = JSON.parse(readNaively(text)[0]!);
      expect((await store.read(runId, -1, 10))?.entries).toHaveLength(4);
      const again = await (await route.GET(get(`?run=${runId}`))).text();
      expect(again).toContain(`id: ${runId}.0\n`);
      expect(withoutComments(again.replaceAll(/^id: .*\n/gm, ""))).toBe(withoutComments(text));
    },
  );

  test.each<[string, Request]>([
    ["accept: text/event-stream", plainPost({ accept: "text/event-stream" })],
    ["that and other types, in capitals", plainPost({ accept: "application/json, Text/Event-Stream;q=0.9" })],
    ["last-event-id", plainPost({ "last-event-id": "" })],
    ["an idempotency key", plainPost({}, "", { idempotencyKey: "k" })],
    ["?session=", plainPost({}, "?session=s")],
    ["?run=", plainPost({}, "?run=r")],
  ])("a POST with %s gets them", async (_, request) => {
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

  test("where the reader does not know them, draining leaves it here until its answer has ended", async () => {
    const { agent, next } = steered();
    const store: RunStore = { ...createMemoryRunStore(), canHandOff: true };
    const { route } = routeOf(agent, { runs: { store } });
    const plain = reading(await route.POST(plainPost({})));
    const knowing = reading(await route.POST(post()));
    await until(() => expect(plain.seen.text + knowing.seen.text).toMatch(/text-delta.*text-delta/s));
    const drained = drain({ deadlineMs: 0 });
    await until(() => expect([plain.seen.isOver, knowing.seen.isOver]).toEqual([true, true]));
    next();
    await drained;
    expect(plain.seen.text).toMatch(/data: {"type":"abort","reason":"shutdown"}\n\ndata: \[DONE]\n\n$/);
    expect(knowing.seen.text).toMatch(/retry: \d+\n\n$/);
  });
});

describe("POST", () => {
  test("starts a run, whose events have ids and begin with the user's message: these bytes", async () => {
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
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(withoutComments(text).replaceAll(runId, "RUN")).toBe(
      'id: RUN.0\ndata: {"type":"run-start","runId":"RUN","sessionId":"s","input":{"role":"user","content":"Hi"}}\n\n' +
        'id: RUN.1\ndata: {"type":"text-delta","delta":"Hel"}\n\n' +
        'id: RUN.2\ndata: {"type":"text-delta","delta":"lo"}\n\n' +
        'id: RUN.3\ndata: {"type":"done"}\n\n' +
        "data: [DONE]\n\n",
    );
    expect(calls).toEqual([[messages, { ...rest, body: {}, owner: "ann", signal: expect.any(AbortSignal) }]]);
    const again = runIdOf(await (await route.POST(post())).text());
    expect(again).not.toBe(runId);
  });

  test("begins the log with the last message of the user", async () => {
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

  test("answers when the first entry is there, and not before", async () => {
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

  test("with a known key attaches, and the agent is not asked again", async () => {
    const { agent, next } = steered();
    const { route, calls } = routeOf(agent);
    const body = { idempotencyKey: "k", sessionId: "s" };
    const first = await start(route, body);
    next();
    await until(() => expect(first.seen.text).toContain('"delta":"1"'));
    const again = reading(await route.POST(post(body))).seen;
    const behind = reading(await route.POST(post(body, lastEventId(`${first.runId}.1`)))).seen;
    await until(() => expect(again.text).toBe(first.seen.text));
    await route.DELETE(del(`?run=${first.runId}`));
    await Promise.all([first.seen.over, again.over, behind.over]);
    expect(again.text).toBe(first.seen.text);
    expect(first.seen.text.endsWith(behind.text)).toBe(true);
    expect(eventsOf(behind.text).map(({ data }) => data)).toEqual([
      '{"type":"text-delta","delta":"1"}',
      stoppedFrame,
      "[DONE]",
    ]);
    // Also when it has ended.
    expect(await (await route.POST(post(body))).text()).toBe(first.seen.text);
    expect(calls.length).toBe(1);
    expect(await refusal(await route.POST(post(body, lastEventId("nonsense"))))).toEqual([
      400,
      "invalid-cursor",
    ]);
  });

  test("made ten times at once with one key starts one run, which all of them follow", async () => {
    const { route, calls } = routeOf();
    const texts = await Promise.all(
      Array.from({ length: 10 }, async () => (await route.POST(post({ idempotencyKey: "k" }))).text()),
    );
    expect(new Set(texts.map(withoutComments)).size).toBe(1);
    expect(calls.length).toBe(1);
  });

  test("with a known key and another body is refused, and another owner's key is another key", async () => {
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
        { error: "The idempotency key belongs to another request.", code: "key-conflict" },
      ]);
    }
    await (await route.POST(post({ idempotencyKey: "k", sessionId: "s" }, bob()))).text();
    expect(calls.length).toBe(2);
  });

  test("in a session with an open run is refused, or stops that one, or goes on beside it", async () => {
    const rejecting = routeOf(steered().agent);
    await start(rejecting.route, { sessionId: "s" });
    const response = await rejecting.route.POST(post({ sessionId: "s" }));
    expect([response.status, await response.json()]).toEqual([
      409,
      {
        error: "The session has an answer that has not ended; stop it, or wait for its end.",
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

  test("is refused with 429 while the owner has as many open runs as allowed: 8, unless told otherwise", async () => {
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
          error: "Too many of your answers have not ended; wait for one, or stop one.",
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
      { error: "The server cannot take another answer now.", code: "store-full" },
    ]);
    expect(calls.length).toBe(1);
  });

  test("with an agent that fails is a stream all the same, because the run is there", async () => {
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

  test("hands the options of toSSE on to the connections: headers, heartbeats, maxDurationMs, onError", async () => {
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
      // biome-ignore lint/correctness/useYield: it fails before it could
      async function* () {
        throw new Error("boom");
      },
      { route: { onError: () => "Busy." } },
    );
    expect(await (await failing.route.POST(post())).text()).toContain('{"type":"error","message":"Busy."}');
  });
});

describe("stream: false", () => {
  test("answers the whole run in one piece, and attaches with a known key", async () => {
    const { route, calls } = routeOf();
    for (let count = 0; count < 2; count++) {
      const response = await route.POST(post({ stream: false, idempotencyKey: "k" }));
      expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
      expect(await response.json()).toEqual({
        chunks: [
          { type: "run-start", runId: expect.any(String), input: messages[0] },
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

  test("answers 500 with the partial result when the run ended on an error", async () => {
    const { route } = routeOf(async function* () {
      yield delta("Hel");
      yield { type: "error", message: "Busy.", code: "busy" };
    });
    const response = await route.POST(post({ stream: false }));
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ text: "Hel", error: { code: "busy" } });
  });

  test("is not given up after maxDurationMs, which is for connections that can be resumed", async () => {
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

  /** Asks for it again while only a reader of the run's second half follows; the store reads the first one by `toRead`. */
  async function askBesideReader(toRead: (read: RunStore["read"]) => RunStore["read"]): Promise<Response> {
    const { agent, next } = steered();
    const memory = createMemoryRunStore();
    let read: RunStore["read"] = memory.read;
    const store: RunStore = { ...memory, read: (...asked) => read(...asked) };
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

  test("is the whole run beside a reader of its second half, also when the store fails for a moment", async () => {
    let isFailing = true;
    const response = await askBesideReader((read) => async (...asked) => {
      if (!isFailing) return read(...asked);
      isFailing = false;
      throw new Error("password");
    });
    expect((await response.json()).text).toBe("01");
    expect(isFailing).toBe(false);
  });

  test("is 500 with `run-lost`, and never the second half alone, where the log has lost the first one", async () => {
    const response = await askBesideReader(() => async () => undefined);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ text: "", error: { code: "run-lost" } });
  });

  test("whose client leaves leaves the run at once, which ends with its last reader where it should", async () => {
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

  test("whose client leaves leaves the run alone", async () => {
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

describe("GET", () => {
  async function ended() {
    const { route, calls, store } = routeOf();
    const text = withoutComments(
      await (await route.POST(post({ sessionId: "s", idempotencyKey: "k" }))).text(),
    );
    return { route, calls, store, text, runId: runIdOf(text), events: text.split(/(?<=\n\n)/) };
  }

  test("goes on behind Last-Event-ID, behind ?after=, or from the beginning; Last-Event-ID wins", async () => {
    const { route, text, runId, events, calls } = await ended();
    const textOf = async (request: Request) => (await route.GET(request)).text();
    for (let seq = 0; seq < 3; seq++) {
      const rest = events.slice(seq + 1).join("");
      expect(await textOf(get("", lastEventId(`${runId}.${seq}`)))).toBe(rest);
      expect(await textOf(get(`?run=${runId}&after=${seq}`))).toBe(rest);
      expect(await textOf(get(`?session=s&after=${seq}`))).toBe(rest);
      expect(await textOf(get(`?run=other&after=0`, lastEventId(`${runId}.${seq}`)))).toBe(rest);
      expect(await textOf(get(`?session=other`, lastEventId(`${runId}.${seq}`)))).toBe(rest);
    }
    expect(await textOf(get(`?run=${runId}`))).toBe(text);
    expect(await textOf(get("?session=s"))).toBe(text);
    expect(await textOf(get(`?run=${runId}&after=1`, lastEventId("")))).toBe(events.slice(2).join(""));
    expect(calls.length).toBe(1);
    const response = await route.GET(get(`?run=${runId}`));
    expect(Object.fromEntries(response.headers)).toEqual({
      "cache-control": "no-cache",
      connection: "keep-alive",
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    await response.text();
  });

  test("answers 204 to whoever has everything", async () => {
    const { route, runId } = await ended();
    for (const request of [
      get("", lastEventId(`${runId}.3`)),
      get(`?run=${runId}&after=3`),
      get("?session=s&after=3"),
    ]) {
      const response = await route.GET(request);
      expect([response.status, response.body]).toEqual([204, null]);
    }
  });

  test("follows a run that goes on, also for whoever has everything so far", async () => {
    const { agent, next } = steered();
    const { route } = routeOf(agent);
    const { runId, seen } = await start(route, { sessionId: "s" });
    const followers = [
      await route.GET(get(`?run=${runId}&after=1`)),
      await route.GET(get("?session=s")),
      await route.GET(get("", lastEventId(`${runId}.0`))),
    ].map((response) => reading(response).seen);
    next();
    await until(() => {
      for (const { text } of [seen, ...followers]) expect(text).toContain(`id: ${runId}.2\n`);
    });
    await route.DELETE(del(`?run=${runId}`));
    await Promise.all([seen, ...followers].map(({ over }) => over));
    for (const { text } of followers) expect(seen.text.endsWith(text)).toBe(true);
    expect(followers.map(({ text }) => eventsOf(text).length)).toEqual([3, 5, 4]);
  });

  test("refuses a cursor that is malformed or another run's: 400", async () => {
    const { route, runId } = await ended();
    const malformedEventId = "The event id is malformed: expected `<run id>.<position>`.";
    const malformedPosition = "after must be the position of an event: a whole number, 0 or more.";
    const cases: [Request, string][] = [
      [get(""), "No run named: expected Last-Event-ID, ?run= or ?session=."],
      [get("?after=1"), "No run named: expected Last-Event-ID, ?run= or ?session=."],
      [get("", lastEventId("nonsense")), malformedEventId],
      [get("", lastEventId(runId)), malformedEventId],
      [get("", lastEventId(`${runId}.-1`)), malformedEventId],
      [get("", lastEventId(`${runId}.01`)), malformedEventId],
      [get("", lastEventId(`${runId}.1e3`)), malformedEventId],
      [get(`?run=${runId}`, lastEventId("nonsense")), malformedEventId],
      [get(`?run=${runId}&after=`), malformedPosition],
      [get(`?run=${runId}&after=-1`), malformedPosition],
      [get(`?run=${runId}&after=x`), malformedPosition],
      [get(`?run=${runId}&after=99999999999999999999`), malformedPosition],
      [get(`?run=${runId}&after=1.1`), malformedPosition],
    ];
    for (const [request, error] of cases) {
      const response = await route.GET(request);
      expect([request.url, response.status, await response.json()]).toEqual([
        request.url,
        400,
        { error, code: "invalid-cursor" },
      ]);
    }
  });

  test("beyond the end of the log finds the run lost, because the store has lost entries: an error and [DONE]", async () => {
    const { route, runId } = await ended();
    const asked = [
      route.GET(get("", lastEventId(`${runId}.4`))),
      route.GET(get(`?run=${runId}&after=4`)),
      route.GET(get("?session=s&after=4")),
      route.POST(post({ sessionId: "s", idempotencyKey: "k" }, ann(lastEventId(`${runId}.4`)))),
    ];
    for (const response of await Promise.all(asked)) {
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      expect(await response.text()).toBe(
        'data: {"type":"error","message":"The answer is not kept any more.","code":"run-lost","retryable":true}\n\n' +
          "data: [DONE]\n\n",
      );
    }
  });

  test("beyond the end of a log that grows is lost at once, and disturbs no other follower", async () => {
    const { agent, next } = steered();
    const { route } = routeOf(agent);
    for (const isFollowed of [true, false]) {
      const { runId, seen, leave } = await start(route);
      if (!isFollowed) await leave();
      const asked = route.GET(get(`?run=${runId}&after=99`));
      const follower = reading(await route.GET(get(`?run=${runId}`))).seen;
      const lost = await (await asked).text();
      expect(lost).toContain('"code":"run-lost"');
      next();
      await route.DELETE(del(`?run=${runId}`));
      await follower.over;
      expect(follower.text).toContain(stoppedFrame);
      if (isFollowed) await seen.over;
    }
  });

  test("and DELETE answer a run that is unknown, somebody else's or expired in the same words", async () => {
    const store = createMemoryRunStore({ retentionMs: 30 });
    const { route } = routeOf(answer, { runs: { store } });
    const expired = runIdOf(
      await (await route.POST(post({ sessionId: "old", idempotencyKey: "old" }))).text(),
    );
    await until(async () => expect(await store.read(expired, -1, 1)).toBe(undefined));
    const foreign = routeOf(steered().agent);
    const { runId } = await start(foreign.route, { sessionId: "s", idempotencyKey: "k" }, bob());
    const asked = (on: ChatRoute, query: string, init = ann()) => [
      on.GET(get(query, init)),
      on.DELETE(del(query)),
    ];
    const responses = await Promise.all([
      ...asked(route, "?run=unknown"),
      ...asked(route, `?run=${expired}`),
      ...asked(foreign.route, `?run=${runId}`),
      route.DELETE(del("?session=unknown")),
      route.DELETE(del("?session=old")),
      foreign.route.DELETE(del("?session=s")),
      route.GET(get("", lastEventId("unknown.0"))),
      route.GET(get("", lastEventId(`${expired}.3`))),
      foreign.route.GET(get("", lastEventId(`${runId}.0`))),
      foreign.route.GET(get("", lastEventId(`${runId}.9999`))),
      foreign.route.GET(get(`?run=${runId}&after=nonsense`)),
    ]);
    const described = await Promise.all(
      responses.map(async (response) => [
        response.status,
        Object.fromEntries(response.headers),
        await response.text(),
      ]),
    );
    for (const description of described) {
      expect(description).toEqual([
        404,
        { "cache-control": "no-store", "content-type": "application/json" },
        '{"error":"There is no such run.","code":"run-not-found"}',
      ]);
    }
    expect((await foreign.store.read(runId, -1, 1))?.run.terminal).toBe(undefined);
  });

  test("answers 204 to a session without a run, whether it is unknown, expired or somebody else's", async () => {
    const store = createMemoryRunStore({ retentionMs: 30 });
    const { route } = routeOf(answer, { runs: { store } });
    const expired = runIdOf(await (await route.POST(post({ sessionId: "old" }))).text());
    await until(async () => expect(await store.read(expired, -1, 1)).toBe(undefined));
    const foreign = routeOf(steered().agent);
    await start(foreign.route, { sessionId: "s" }, bob());
    const anonymous = routeOf(steered().agent, { route: { authorize: "anonymous" } });
    await start(anonymous.route, { sessionId: "s" }, {});
    for (const response of [
      await route.GET(get("?session=unknown")),
      await route.GET(get("?session=unknown&after=3")),
      await route.GET(get("?session=old")),
      await foreign.route.GET(get("?session=s")),
      await anonymous.route.GET(get("?session=s", {})),
    ]) {
      expect([response.status, Object.fromEntries(response.headers), await response.text()]).toEqual([
        204,
        { "cache-control": "no-store" },
        "",
      ]);
    }
  });
});

describe("DELETE", () => {
  test("stops a run by its id, its key or its session, and says what it ended with, again and again", async () => {
    for (const query of ["run", "key", "session"]) {
      const { agent, next } = steered();
      const { route, calls } = routeOf(agent);
      const { runId, seen } = await start(route, { sessionId: "s", idempotencyKey: "k" });
      const asked = del({ run: `?run=${runId}`, key: "?key=k", session: "?session=s" }[query]!);
      for (let count = 0; count < 3; count++) {
        const response = await route.DELETE(asked.clone());
        expect([response.status, response.headers.get("cache-control"), await response.json()]).toEqual([
          200,
          "no-store",
          { runId, terminal: { type: "abort", reason: "stopped" } },
        ]);
      }
      await seen.over;
      expect(eventsOf(seen.text).map(({ data }) => data)).toEqual([
        expect.stringContaining("run-start"),
        '{"type":"text-delta","delta":"0"}',
        stoppedFrame,
        "[DONE]",
      ]);
      expect(calls[0]?.[1].signal.aborted).toBe(true);
      next();
      await settle();
      expect(await (await route.GET(get(`?run=${runId}`))).text()).toBe(seen.text);
    }
  });

  test("of a run that has ended changes nothing", async () => {
    const { route } = routeOf();
    const text = await (await route.POST(post({ idempotencyKey: "k" }))).text();
    const runId = runIdOf(text);
    for (const query of [`?run=${runId}`, "?key=k"]) {
      const response = await route.DELETE(del(query));
      expect([response.status, await response.json()]).toEqual([200, { runId, terminal: { type: "done" } }]);
    }
    expect(await (await route.GET(get(`?run=${runId}`))).text()).toBe(withoutComments(text));
  });

  test("by session stops the newest run of it", async () => {
    const { route } = routeOf(steered().agent, { runs: { onActiveRun: "allow" } });
    const first = await start(route, { sessionId: "s" });
    const second = await start(route, { sessionId: "s" });
    expect((await (await route.DELETE(del("?session=s"))).json()).runId).toBe(second.runId);
    await second.seen.over;
    expect(first.seen.isOver).toBe(false);
  });

  test("by a key that is not known yet is remembered: the run opens as stopped, and no agent is asked", async () => {
    const onStart = vi.fn();
    const { route, calls } = routeOf(answer, { runs: { onStart } });
    const response = await route.DELETE(del("?key=k"));
    expect([response.status, await response.json()]).toEqual([202, { runId: null, terminal: null }]);
    const other = await (await route.POST(post({ idempotencyKey: "k" }, bob()))).text();
    expect(other).toContain('"done"');
    const text = await (await route.POST(post({ idempotencyKey: "k" }))).text();
    expect(eventsOf(text).map(({ data }) => data)).toEqual([stoppedFrame, "[DONE]"]);
    expect(calls.length).toBe(1);
    expect(onStart).toHaveBeenCalledTimes(1);
    const again = await route.DELETE(del("?key=k"));
    expect([again.status, (await again.json()).terminal]).toEqual([
      200,
      { type: "abort", reason: "stopped" },
    ]);
  });

  test("needs to be told which run, and takes no key that no run can have: 400", async () => {
    const { route, store } = routeOf();
    const stopKey = vi.spyOn(store, "stopKey");
    const response = await route.DELETE(del(""));
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: "No run named: expected ?run=, ?key= or ?session=.", code: "invalid-cursor" },
    ]);
    for (const key of ["", "x".repeat(129), "a%20b", "%E8%AA%9E", "a%00"]) {
      const refused = await route.DELETE(del(`?key=${key}`));
      expect([refused.status, await refused.json()]).toEqual([
        400,
        { error: "The key must be 1 to 128 visible ASCII characters.", code: "invalid-key" },
      ]);
    }
    expect(stopKey).not.toHaveBeenCalled();
  });
});

describe("who may ask", () => {
  test("has to be said: a route with runs and without authorize cannot be made", () => {
    expect(() =>
      createChatRoute({ agent: { streamChat: answer as never }, runs: { store: createMemoryRunStore() } }),
    ).toThrow(
      new TypeError(
        'runs: a route with runs needs `authorize`; `authorize: "anonymous"` admits every visitor.',
      ),
    );
  });

  test("is asked before anything is read or looked up; nobody is 401", async () => {
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

  test("has at most 256 characters for ids in a query: what is longer is found nowhere, and not looked up", async () => {
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

  test("may be everybody: then a run is known by its id alone, and no session can be asked for", async () => {
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
  test("start nothing: HEAD, OPTIONS, PUT", async () => {
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

  test("fetch hands GET and DELETE to their handlers", async () => {
    const { route } = routeOf();
    const runId = runIdOf(await (await route.fetch(post())).text());
    expect((await route.fetch(get(`?run=${runId}&after=3`))).status).toBe(204);
    expect((await route.fetch(del(`?run=${runId}`))).status).toBe(200);
  });
});

describe("cors", () => {
  test("covers the answers to GET and DELETE: streams, 204, 404 and 200", async () => {
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
  test("onStart comes before the agent and is waited for; onFinish has that, the message and the terminal", async () => {
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
    const begun = { runId, owner: "ann", sessionId: "s", input: messages[0], messages };
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

  test("onStart that throws ends the run with a masked error, and the agent is not asked", async () => {
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

  test("waitUntil is given what lasts until onFinish is done", async () => {
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

  test("onFinish of the route is not called: it is for plain streams", async () => {
    const onFinish = vi.fn();
    const { route } = routeOf(answer, { route: { onFinish } });
    await (await route.POST(post())).text();
    await settle();
    expect(onFinish).not.toHaveBeenCalled();
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
    "learns before the first event whether the run may end with its connection: onDisconnect %s",
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

  test("as the last one stops it with onDisconnect: cancel, but not before, and not when it was told to come back", async () => {
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
});

describe("draining", () => {
  test("ends runs at the deadline with abort shutdown, which those who follow here see", async () => {
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

  test("waits for runs that finish in time, also when nobody follows them", async () => {
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

  test("that begins while a request is read refuses it, and opens no run", async () => {
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

  test("hands followers off at once where another process serves the store, and keeps the run going", async () => {
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

    test("50 runs that are stopped at random moments: every reader sees the same prefix and one abort", async () => {
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

    test("a run that is stopped while it streams as fast as it can leaves the process alive", async () => {
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

test("an authorize that names nobody, in plain JavaScript, is 401", async () => {
  const authorize = (() => undefined) as unknown as () => string;
  const { route } = routeOf(answer, { route: { authorize } });
  for (const request of [post(), del("?session=s")]) {
    expect((await route.fetch(request)).status).toBe(401);
  }
});

describe("a store that fails", () => {
  type Method = "open" | "end" | "read" | "latest" | "stopKey";
  /** A store whose methods of these names fail, at once or in time, until it is healed. */
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
    // An open is repeated for a lease.
    return { ...store, ...broken, heal, leaseMs: 50 } as RunStore & { heal(): void };
  }
  const everything: Method[] = ["open", "end", "read", "latest", "stopKey"];

  const requests: [string, () => Request, Method[]][] = [
    ["a POST", () => post(), ["open"]],
    ["a POST whose answer is one piece", () => post({ stream: false }), ["open"]],
    ["a POST in place of an open run", () => post({ sessionId: "s" }), ["end"]],
    ["a GET behind an event", () => get("", lastEventId("run.1")), ["read"]],
    ["a GET of a run", () => get("?run=run"), ["read"]],
    ["a GET of a session", () => get("?session=s"), ["latest"]],
    ["a DELETE of a run", () => del("?run=run"), ["read"]],
    ["a DELETE of a session", () => del("?session=s"), ["latest"]],
    ["a DELETE of a key", () => del("?key=k"), ["stopKey"]],
  ];
  for (const [name, request, methods] of requests) {
    test(`answers ${name} with 503 store-unavailable, when to ask again, and an id that is in the log beside the reason`, async () => {
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

  test("in the middle of an answer in one piece is 503, too, once it has not answered for a lease", async () => {
    const store = createMemoryRunStore({ leaseMs: 30 });
    const read = vi.fn(() => Promise.reject(new Error("password")));
    const { route } = routeOf(answer, { runs: { store: { ...store, read } } });
    const response = await route.POST(post({ stream: false }));
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      503,
      "store-unavailable",
    ]);
  });

  test("is not an agent, a callback or a request that fails", async () => {
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
