import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type ChatMessage, DONE_FRAME, encodeChunk, type StreamChunk } from "@kortyx/protocol";
import { chatRequestFields } from "@kortyx/protocol/internal";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { RouteAgentOptions as AgentOptions } from "../../src/route/chat-agent.ts";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const messages: ChatMessage[] = [{ role: "user", content: "Hi" }];
const log = vi.spyOn(console, "error").mockImplementation(() => {});
afterEach(() => {
  vi.useRealTimers();
  log.mockClear();
});

const post = (body: unknown, init: RequestInit = {}) =>
  new Request("http://host/api/chat", {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
    headers: { "content-type": "application/json", ...init.headers },
  });

/** A route whose agent is one function of the signal. */
function routeOf(
  streamChat: (signal: AbortSignal) => AsyncIterable<StreamChunk> | Promise<AsyncIterable<StreamChunk>>,
  options: Partial<ChatRouteOptions> = {},
) {
  const calls: [ChatMessage[], AgentOptions][] = [];
  const agent = {
    streamChat(given: ChatMessage[], agentOptions: AgentOptions) {
      calls.push([given, agentOptions]);
      return streamChat(agentOptions.signal);
    },
  };
  return { route: createChatRoute({ agent, ...options }), calls };
}
const answer = async function* () {
  yield delta("Hel");
  yield delta("lo");
  yield { type: "done" } as const;
};

test("an invalid number of milliseconds is refused when the route is created", () => {
  for (const ms of [Number.NaN, -1]) {
    for (const name of ["heartbeatMs", "maxDurationMs", "stallTimeoutMs", "sourceIdleTimeoutMs"]) {
      expect(() => routeOf(answer, { [name]: ms })).toThrow(RangeError);
    }
    const runs = { store: createMemoryRunStore(), maxRunDurationMs: ms };
    expect(() => routeOf(answer, { runs, authorize: "anonymous" })).toThrow(RangeError);
  }
});

describe("POST", () => {
  test("streams the agent's answer, and passes the fields of the body to the agent", async () => {
    const { route, calls } = routeOf(answer);
    const rest = {
      sessionId: "s",
      workflowId: "w",
      context: { a: 1 },
      resume: { requestId: "r", resumeToken: "t", answer: "yes" },
      resumes: [{ requestId: "r", resumeToken: "t", answer: "yes" }],
      toolResults: [{ toolCallId: "1", tool: "locate", content: "Rome" }],
      tools: [{ name: "locate", description: "Where the user is" }],
      trigger: "regenerate",
      messageId: "m",
    };
    const response = await route.POST(post({ messages, ...rest }));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toBe(
      'data: {"type":"text-delta","delta":"Hel"}\n\ndata: {"type":"text-delta","delta":"lo"}\n\ndata: {"type":"done"}\n\ndata: [DONE]\n\n',
    );
    expect(calls).toEqual([
      [messages, { ...rest, body: {}, owner: undefined, signal: expect.any(AbortSignal) }],
    ]);
  });

  test("passes the agent every field of the body that is meant for agents", async () => {
    const { route, calls } = routeOf(answer);
    const fields = Object.keys(chatRequestFields).filter(
      (name) => chatRequestFields[name as keyof typeof chatRequestFields] === "agent",
    );
    await (await route.POST(post({ messages }))).text();
    expect(Object.keys(calls[0]![1]).sort()).toEqual(
      [...fields, "body", "continued", "owner", "signal"].sort(),
    );
  });

  test("passes the agent the unknown keys of the body separately from everything else", async () => {
    const { route, calls } = routeOf(answer, { authorize: () => "ann" });
    const unknown = { theme: "dark", owner: "bob", signal: null, body: { owner: "bob" }, constructor: 1 };
    const known = { messages, sessionId: "s", stream: true, idempotencyKey: "k", resume: null };
    const text = JSON.stringify({ ...known, ...unknown });
    await (await route.POST(post(text.replace("{", '{"__proto__":{"isAdmin":true},')))).text();
    const { body, owner, signal, sessionId } = calls[0]![1];
    expect(body).toEqual(unknown);
    expect([owner, sessionId, signal]).toEqual(["ann", "s", expect.any(AbortSignal)]);
    expect(Object.assign({}, body)).not.toHaveProperty("isAdmin");
  });

  test("applies its limits to parts, answers and tools, and its schemes to files", async () => {
    const { route, calls } = routeOf(answer, { maxItems: 1, fileUrlSchemes: ["gs:"] });
    const withParts = (...urls: string[]) => {
      const parts = urls.map((url) => ({ type: "file", mediaType: "image/png", url }));
      return post({ messages: [{ role: "user", content: "", parts }] });
    };
    const many = await route.POST(withParts("gs://a", "gs://b"));
    const other = await route.POST(withParts("data:,"));
    expect([many.status, other.status, calls]).toEqual([400, 400, []]);
    expect((await other.json()).issues).toEqual([
      {
        path: "messages.0.parts.0.url",
        expected: "a URL that begins with gs:",
        received: "a string of 6 characters",
      },
    ]);
    await (await route.POST(withParts("gs://a"))).text();
    expect(calls[0]![0][0]!.parts).toEqual([{ type: "file", mediaType: "image/png", url: "gs://a" }]);
  });

  test("limits unknown keys like the rest of the body", async () => {
    const { route, calls } = routeOf(answer, { maxBodyBytes: 200, maxDepth: 4 });
    const large = await route.POST(post({ messages, theme: "x".repeat(200) }));
    const deep = await route.POST(post({ messages, theme: [[[[]]]] }));
    expect([large.status, deep.status, calls]).toEqual([413, 400, []]);
  });

  test("with stream: false returns the buffered JSON", async () => {
    const { route } = routeOf(answer);
    const response = await route.POST(post({ messages, stream: false }));
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({
      chunks: [delta("Hel"), delta("lo"), { type: "done" }],
      text: "Hello",
      structured: [],
    });
  });

  test("with stream: false returns 500 with the partial result when the stream ends with an error chunk", async () => {
    const error: StreamChunk = { type: "error", message: "Busy.", code: "busy" };
    const { route } = routeOf(async function* () {
      yield delta("Hel");
      yield error;
    });
    const response = await route.POST(post({ messages, stream: false }));
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      chunks: [delta("Hel"), error],
      text: "Hel",
      structured: [],
      error,
    });
  });

  describe("with stream: false keeps the limits of a stream:", () => {
    /** A buffered answer of an agent that falls silent, and what the route's `onFinish` received. */
    async function askSilent(limits: Partial<ChatRouteOptions>) {
      const onFinish = vi.fn();
      const { route, calls } = routeOf(
        async function* () {
          yield delta("Hel");
          await new Promise(() => {});
        },
        { ...limits, onFinish },
      );
      const response = await route.POST(post({ messages, stream: false }));
      return { response, signal: calls[0]![1].signal, finish: onFinish.mock.calls[0]?.[0] };
    }

    test("maxDurationMs", async () => {
      const { response, signal, finish } = await askSilent({ maxDurationMs: 30 });
      expect(response.status).toBe(200);
      const chunks = [delta("Hel"), { type: "abort", reason: "timeout" }];
      expect(await response.json()).toEqual({ chunks, text: "Hel", structured: [] });
      expect(signal.aborted).toBe(true);
      expect(finish).toMatchObject({ reason: "timeout", message: { status: "aborted" }, messages });
    });

    test("sourceIdleTimeoutMs", async () => {
      const { response, signal, finish } = await askSilent({ sourceIdleTimeoutMs: 30 });
      expect(response.status).toBe(500);
      expect(await response.json()).toMatchObject({ text: "Hel", error: { code: "source-idle" } });
      expect(signal.aborted).toBe(true);
      expect(finish).toMatchObject({ reason: "source-idle", message: { status: "error" } });
    });
  });

  test("with stream: false names the time after which a client may try again", async () => {
    const { route } = routeOf(async function* () {
      yield delta("Hel");
      yield { type: "error", message: "Busy.", retryAfterMs: 1500 };
    });
    const response = await route.POST(post({ messages, stream: false }));
    expect([response.status, response.headers.get("retry-after")]).toEqual([500, "2"]);
  });

  test.each([
    [-3000, null],
    [1e30, "2147483647"],
  ])(
    "with stream: false sends no invalid time after which a client may try again: %s",
    async (retryAfterMs, sent) => {
      const { route } = routeOf(async function* () {
        yield { type: "error", message: "Busy.", retryAfterMs };
      });
      const response = await route.POST(post({ messages, stream: false }));
      expect([response.status, response.headers.get("retry-after")]).toEqual([500, sent]);
    },
  );

  test("passes on the options of toSSE, such as headers", async () => {
    const { route } = routeOf(answer, { headers: { "x-run": "7" } });
    const response = await route.POST(post({ messages }));
    expect(response.headers.get("x-run")).toBe("7");
    await response.text();
  });

  test("calls onFinish with the owner, the conversation and the answer as a chat message", async () => {
    const onFinish = vi.fn();
    const { route, calls } = routeOf(
      async function* () {
        calls[0]![0].unshift({ role: "system", content: "Be kind." });
        yield* answer();
      },
      { onFinish, authorize: () => "ann" },
    );
    const conversation = [
      { role: "user", content: "Hello", id: "1" },
      { role: "assistant", content: "Hi" },
      { role: "user", content: "Again", id: "2", metadata: { tag: 1 } },
      { role: "assistant", content: "Once" },
    ];
    await (await route.POST(post({ messages: conversation, sessionId: "s" }))).text();
    expect(onFinish.mock.calls).toEqual([
      [
        {
          reason: "done",
          chunks: expect.any(Number),
          bytes: expect.any(Number),
          durationMs: expect.any(Number),
          owner: "ann",
          sessionId: "s",
          input: conversation[2],
          trigger: "send",
          messageId: undefined,
          messages: conversation,
          message: {
            id: expect.stringMatching(
              /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
            ),
            role: "assistant",
            status: "done",
            parts: [{ type: "text", key: "", text: "Hello", state: "done" }],
          },
        },
      ],
    ]);
  });

  test("calls onFinish with the partial message when the client leaves", async () => {
    const onFinish = vi.fn();
    const { route } = routeOf(
      async function* () {
        yield delta("Hel");
        await new Promise(() => {});
      },
      { onFinish, onError: () => "Sorry." },
    );
    const left = await route.POST(post({ messages }));
    await left.body?.cancel();
    await vi.waitFor(() => expect(onFinish).toHaveBeenCalled());
    expect(onFinish.mock.calls[0]?.[0]).toMatchObject({
      reason: "cancelled",
      owner: undefined,
      sessionId: undefined,
      input: messages[0],
      message: { role: "assistant", status: "aborted", parts: [{ text: "Hel" }] },
    });
  });

  test("folds no message with collectMessage: false", async () => {
    const onFinish = vi.fn();
    const { route } = routeOf(answer, { onFinish, collectMessage: false });
    await (await route.POST(post({ messages }))).text();
    expect(onFinish.mock.calls[0]?.[0]).not.toHaveProperty("message");
  });

  test("aborts the agent when the request is aborted, streaming or buffered", async () => {
    for (const stream of [true, false]) {
      let signal: AbortSignal | undefined;
      let timer: NodeJS.Timeout | undefined;
      const { route } = routeOf((given) => {
        signal = given;
        // A timer keeps the pending agent in memory.
        const next = () =>
          new Promise<IteratorResult<StreamChunk>>((resolve) => {
            timer = setTimeout(() => resolve({ done: true, value: undefined }), 60_000);
          });
        return { [Symbol.asyncIterator]: () => ({ next }) };
      });
      const abort = new AbortController();
      const answered = route.POST(post({ messages, stream }, { signal: abort.signal }));
      await vi.waitFor(() => expect(signal).toBeDefined());
      // Only the route still holds the request, and its signal must still work.
      for (let turn = 0; turn < 3; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        collectGarbage();
      }
      abort.abort("gone");
      await answered;
      clearTimeout(timer);
      expect(signal?.aborted).toBe(true);
    }
  });
});

describe("an agent that fails", () => {
  const boom = new Error("password=hunter2");
  const failures = {
    "throws when called": () => {
      throw boom;
    },
    "rejects when called": () => Promise.reject(boom),
    "throws at once": async function* (): AsyncGenerator<StreamChunk> {
      yield* [];
      throw boom;
    },
    "throws after 20 ms": async function* (): AsyncGenerator<StreamChunk> {
      yield* [];
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw boom;
    },
  };
  for (const [name, streamChat] of Object.entries(failures)) {
    test(`that ${name} causes a 500 with a generic message and the id under which the error is logged`, async () => {
      vi.useFakeTimers();
      const answered = routeOf(streamChat).route.POST(post({ messages }));
      await vi.advanceTimersByTimeAsync(20);
      const response = await answered;
      expect(response.status).toBe(500);
      const body = await response.json();
      expect(body).toEqual({
        error: "Something went wrong on the server.",
        code: "internal",
        correlationId: expect.any(String),
      });
      expect(log.mock.calls).toEqual([[expect.stringContaining(body.correlationId), boom]]);
      expect(vi.getTimerCount()).toBe(0);
    });
  }

  test("that fails at once, with a time to wait that onError names, causes a 500 with it", async () => {
    const onError = () => ({
      message: "The model is busy.",
      code: "model-busy",
      retryable: true,
      retryAfterMs: 1500,
    });
    const failing = async function* (): AsyncGenerator<StreamChunk> {
      yield* [];
      throw boom;
    };
    const response = await routeOf(failing, { onError }).route.POST(post({ messages }));
    expect([response.status, response.headers.get("retry-after")]).toEqual([500, "2"]);
    expect(await response.json()).toEqual({
      error: "The model is busy.",
      code: "model-busy",
      retryable: true,
    });
  });

  test("that fails after the opening window causes an error chunk in the stream", async () => {
    vi.useFakeTimers();
    const answered = routeOf(async function* () {
      yield* [];
      await new Promise((resolve) => setTimeout(resolve, 100));
      throw boom;
    }).route.POST(post({ messages }));
    await vi.advanceTimersByTimeAsync(25);
    const response = await answered;
    expect(response.status).toBe(200);
    const text = response.text();
    await vi.advanceTimersByTimeAsync(100);
    expect(await text).toMatch(
      /^:hb=8000\n\ndata: \{"type":"error","message":"Something went wrong on the server\."/,
    );
  });

  test("that fails after its first chunk causes an error chunk in the stream", async () => {
    const { route } = routeOf(async function* () {
      yield delta("a");
      throw boom;
    });
    const response = await route.POST(post({ messages }));
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('"code":"internal"');
  });

  test("causes a masked 500 with stream: false", async () => {
    const { route } = routeOf(async function* () {
      yield delta("a");
      throw boom;
    });
    const response = await route.POST(post({ messages, stream: false }));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("hunter2");
  });

  test("is described by onError, if it is set", async () => {
    const onError = () => ({ message: "The model is busy.", code: "busy", retryable: true });
    const { route } = routeOf(failures["rejects when called"], { onError });
    for (const stream of [true, false]) {
      const response = await route.POST(post({ messages, stream }));
      expect(response.status).toBe(500);
      expect(await response.json()).toEqual({ error: "The model is busy.", code: "busy", retryable: true });
      const short = routeOf(failures["rejects when called"], { onError: () => "Busy." }).route;
      expect(await (await short.POST(post({ messages, stream }))).json()).toEqual({
        error: "Busy.",
        code: "internal",
      });
    }
  });
});

describe("a request that is refused", () => {
  test("has an invalid body: 400 with the parser's message, and the agent is not called", async () => {
    const { route, calls } = routeOf(answer);
    const response = await route.POST(post({ messages: "Hi" }));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: "Invalid chat request: messages must be an array, got a string of 2 characters.",
      code: "invalid-request",
      issues: [{ path: "messages", expected: "an array", received: "a string of 2 characters" }],
    });
    expect(calls).toEqual([]);
  });

  test("is not JSON, is not declared as JSON, or is too large: 400, 415, 413", async () => {
    const { route } = routeOf(answer, { maxBodyBytes: 100 });
    const answers = [
      post("{oops"),
      post({ messages }, { headers: { "content-type": "text/plain" } }),
      post({ messages, filler: "x".repeat(100) }),
    ].map(async (request) => {
      const response = await route.POST(request);
      return [response.status, (await response.json()).code];
    });
    expect(await Promise.all(answers)).toEqual([
      [400, "invalid-json"],
      [415, "unsupported-media-type"],
      [413, "body-too-large"],
    ]);
  });

  test("has too many messages or too deep nesting for the limits of the route: 400", async () => {
    const { route } = routeOf(answer, { maxMessages: 1, maxDepth: 3 });
    for (const body of [{ messages: [...messages, ...messages] }, { messages, context: { a: { b: [] } } }]) {
      const response = await route.POST(post(body));
      expect([response.status, (await response.json()).code]).toEqual([400, "invalid-request"]);
    }
  });

  test("has a buffered answer that is larger than maxBufferedBytes: 500", async () => {
    const response = await routeOf(answer, { maxBufferedBytes: 10 }).route.POST(
      post({ messages, stream: false }),
    );
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: "internal" });
  });

  test("has a buffered answer whose events are larger than maxBufferedBytes; its silence does not count", async () => {
    const chunks = [delta("Hel"), delta("lo"), { type: "done" } as const];
    const size = chunks.map((chunk) => encodeChunk(chunk)).join("").length;
    const slow = async function* () {
      yield chunks[0]!;
      await new Promise((resolve) => setTimeout(resolve, 120));
      yield* chunks.slice(1);
    };
    const statusAt = async (maxBufferedBytes: number) => {
      // The time of a stall makes the stream look at its other times, too.
      const { route } = routeOf(slow, { maxBufferedBytes, heartbeatMs: 5, stallTimeoutMs: 40 });
      return (await route.POST(post({ messages, stream: false }))).status;
    };
    expect(await Promise.all([statusAt(size), statusAt(size - 1 - DONE_FRAME.length)])).toEqual([200, 500]);
  });

  test("gets exactly these fields, in a response that is not cached", async () => {
    const response = await routeOf(answer).route.POST(post("{oops"));
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({
      error: "Invalid chat request: the body is not JSON.",
      code: "invalid-json",
    });
  });

  test("has a system message: 400, unless the route allows the role", async () => {
    const body = { messages: [...messages, { role: "system", content: "Obey." }] };
    const refused = await routeOf(answer).route.POST(post(body));
    expect(refused.status).toBe(400);
    expect((await refused.json()).issues).toEqual([
      { path: "messages.1.role", expected: 'one of "user", "assistant"', received: '"system"' },
    ]);
    const allowed = await routeOf(answer, { allowedRoles: ["user", "system"] }).route.POST(post(body));
    expect(allowed.status).toBe(200);
    await allowed.text();
  });

  test("is not authorized: 401, or the response of authorize, before the body is read", async () => {
    const bad = () => post("{not even JSON");
    const refused = await routeOf(answer, { authorize: () => null }).route.POST(bad());
    expect(refused.status).toBe(401);
    expect(await refused.json()).toEqual({ error: "Please sign in.", code: "unauthorized" });
    const own = await routeOf(answer, {
      authorize: async () => new Response("Pay first.", { status: 402 }),
    }).route.POST(bad());
    expect(own.status).toBe(402);
  });

  test("has an authorize that throws: a masked 500", async () => {
    const response = await routeOf(answer, {
      authorize: () => {
        throw new Error("db password");
      },
    }).route.POST(post({ messages }));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("password");
  });

  test("has an authorize that returns undefined, in plain JavaScript: 401", async () => {
    const authorize = (() => undefined) as unknown as () => string;
    const { route, calls } = routeOf(answer, { authorize });
    expect((await route.POST(post({ messages }))).status).toBe(401);
    expect(calls).toHaveLength(0);
  });

  test.each([
    ["a user", { id: "ann" }, "an object"],
    ["a number", 42, "42"],
    ["a boolean", true, "true"],
    ["false", false, "false"],
    ["an error", new Error("No."), "an object"],
    ["an empty string", "", '""'],
    ["a string of 257 characters", "a".repeat(257), `"${"a".repeat(40)}"`],
    ["half a character", "J\ud800rg", '"J\\ud800rg"'],
  ])("has an authorize that returns %s: a masked 500, with the reason in the log", async (_, owner, got) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    for (const cors of [undefined, { origin: "https://app.example" }]) {
      const { route, calls } = routeOf(answer, { authorize: () => owner as unknown as string, cors });
      const response = await route.POST(post({ messages }));
      expect([response.status, (await response.json()).code]).toEqual([500, "internal"]);
      expect(log.mock.lastCall?.[1]).toEqual(
        new TypeError(
          `The result of authorize must be a well-formed string of 1 to 256 characters, a Response or null; got ${got}.`,
        ),
      );
      expect(calls).toHaveLength(0);
    }
    log.mockRestore();
  });

  test("the owner that authorize returns is passed to the agent", async () => {
    const { route, calls } = routeOf(answer, { authorize: (request) => request.headers.get("x-user") });
    await (await route.POST(post({ messages }, { headers: { "x-user": "ann" } }))).text();
    expect(calls[0]?.[1].owner).toBe("ann");
    const emoji = routeOf(answer, { authorize: () => "ann 😀" });
    await (await emoji.route.POST(post({ messages }))).text();
    expect(emoji.calls[0]?.[1].owner).toBe("ann 😀");
  });
});

describe("other methods", () => {
  test("GET, DELETE and HEAD get a 405 that lists the allowed methods, and start nothing", async () => {
    const authorize = vi.fn();
    const { route, calls } = routeOf(answer, { authorize });
    for (const method of ["GET", "DELETE", "PUT"]) {
      const response = await route.fetch(new Request("http://host/", { method }));
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
      expect(await response.json()).toEqual({
        error: "This route supports POST.",
        code: "method-not-allowed",
      });
    }
    const head = await route.HEAD(new Request("http://host/", { method: "HEAD" }));
    expect([head.status, head.body]).toEqual([405, null]);
    const options = await route.OPTIONS(new Request("http://host/", { method: "OPTIONS" }));
    expect([options.status, options.headers.get("allow"), options.body]).toEqual([
      204,
      "POST, OPTIONS",
      null,
    ]);
    expect(calls).toEqual([]);
    expect(authorize).not.toHaveBeenCalled();
  });

  test("fetch passes every method to its handler", async () => {
    const { route } = routeOf(answer);
    const statuses = await Promise.all(
      [
        post({ messages }),
        new Request("http://host/", { method: "OPTIONS" }),
        new Request("http://host/", { method: "HEAD" }),
      ].map(async (request) => (await route.fetch(request)).status),
    );
    expect(statuses).toEqual([200, 204, 405]);
  });
});

describe("cors", () => {
  const from = (origin: string, init: RequestInit = {}) => ({
    ...init,
    headers: { origin, ...init.headers },
  });
  const corsHeaders = (response: Response) =>
    Object.fromEntries(
      [...response.headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"),
    );
  const preflight = (origin: string) =>
    new Request(
      "http://host/",
      from(origin, {
        method: "OPTIONS",
        headers: {
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type,x-api-key",
        },
      }),
    );

  test("is off by default", async () => {
    const { route } = routeOf(answer);
    const response = await route.POST(post({ messages }, from("https://app.example")));
    expect(corsHeaders(response)).toEqual({});
    await response.text();
    expect(corsHeaders(await route.OPTIONS(preflight("https://app.example")))).toEqual({});
  });

  test("lets an allowed origin see answers, errors and retry-after", async () => {
    const { route } = routeOf(answer, { cors: { origin: "https://app.example", credentials: true } });
    const expected = {
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "retry-after",
      vary: "origin",
    };
    for (const request of [
      post({ messages }, from("https://app.example")),
      post("{oops", from("https://app.example")),
      new Request("http://host/", from("https://app.example")),
    ]) {
      const response = await route.fetch(request);
      expect(corsHeaders(response)).toEqual(expected);
      await response.text();
    }
  });

  test("admits no one by a promise, whatever it resolves to", async () => {
    const { route } = routeOf(answer, { cors: { origin: (async () => true) as never } });
    const response = await route.POST(post({ messages }, from("https://app.example")));
    expect(corsHeaders(response)).toEqual({ vary: "origin" });
    await response.text();
  });

  test("takes any other true value of a test of origins for a yes, as JavaScript does", async () => {
    const origin = (name: string) => name.match(/\.example$/) as never;
    const { route } = routeOf(answer, { cors: { origin } });
    for (const [page, allowed] of [
      ["https://app.example", "https://app.example"],
      ["https://app.test", undefined],
    ] as const) {
      const response = await route.POST(post({ messages }, from(page)));
      expect(corsHeaders(response)["access-control-allow-origin"]).toBe(allowed);
      await response.text();
    }
  });

  test("allows in a preflight the method, the requested headers and last-event-id", async () => {
    const { route } = routeOf(answer, { cors: { origin: ["https://a.example", "https://b.example"] } });
    expect(corsHeaders(await route.OPTIONS(preflight("https://b.example")))).toEqual({
      "access-control-allow-origin": "https://b.example",
      "access-control-allow-methods": "POST, OPTIONS",
      "access-control-allow-headers": "content-type,x-api-key, content-type, last-event-id",
      "access-control-max-age": "600",
      vary: "origin, access-control-request-headers",
    });
  });

  test("compares origins exactly, and keeps the route's own vary header", async () => {
    const { route } = routeOf(answer, {
      cors: { origin: "https://app.example" },
      headers: { vary: "cookie" },
    });
    for (const origin of ["https://app.example.evil.test", "http://app.example", "https://app.exampl"]) {
      expect(corsHeaders(await route.OPTIONS(preflight(origin)))).toEqual({ vary: "origin" });
    }
    const response = await route.POST(post({ messages }, from("https://app.example")));
    expect(response.headers.get("vary")).toBe("cookie, origin");
    await response.text();
  });

  test("also covers a response of authorize with immutable headers", async () => {
    const authorize = () => Response.redirect("https://login.example/");
    const { route } = routeOf(answer, { authorize, cors: { origin: "https://app.example" } });
    const response = await route.POST(post({ messages }, from("https://app.example")));
    expect([response.status, response.headers.get("location")]).toEqual([302, "https://login.example/"]);
    expect(corsHeaders(response)).toMatchObject({ "access-control-allow-origin": "https://app.example" });
  });

  const exposed = (response: Response) => response.headers.get("access-control-expose-headers");

  test("keeps the headers that the application exposes and adds retry-after, each name once", async () => {
    for (const [own, expected] of [
      ["x-request-id", "x-request-id, retry-after"],
      ["X-Request-Id, x-plan", "X-Request-Id, x-plan, retry-after"],
      ["Retry-After, x-plan", "Retry-After, x-plan"],
      ["*", "*, retry-after"],
    ] as const) {
      const { route } = routeOf(answer, {
        cors: { origin: "https://app.example" },
        headers: { "access-control-expose-headers": own },
      });
      const response = await route.POST(post({ messages }, from("https://app.example")));
      expect(exposed(response)).toBe(expected);
      await response.text();
    }
  });

  test("keeps the headers of a response of authorize, and sets one origin", async () => {
    const authorize = () =>
      Response.json(
        { plan: "free" },
        {
          status: 402,
          headers: {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "x-plan",
            "cache-control": "private",
            vary: "Cookie, Origin",
            allow: "POST",
          },
        },
      );
    const { route } = routeOf(answer, { authorize, cors: { origin: "https://app.example" } });
    const response = await route.POST(post({ messages }, from("https://app.example")));
    expect(Object.fromEntries(response.headers)).toEqual({
      "access-control-allow-origin": "https://app.example",
      "access-control-expose-headers": "x-plan, retry-after",
      allow: "POST",
      "cache-control": "private",
      "content-type": "application/json",
      vary: "Cookie, Origin",
    });
  });

  test("allows another origin nothing, and sets vary so that caches keep responses separate", async () => {
    const { route } = routeOf(answer, { cors: { origin: (origin) => origin.endsWith(".example") } });
    expect(corsHeaders(await route.OPTIONS(preflight("https://evil.test")))).toEqual({ vary: "origin" });
    expect(corsHeaders(await route.OPTIONS(preflight("https://good.example")))).toMatchObject({
      "access-control-allow-origin": "https://good.example",
    });
  });

  test('allows every origin with "*", which is refused together with credentials', async () => {
    const { route } = routeOf(answer, { cors: { origin: "*" } });
    const response = await route.GET(new Request("http://host/", from("https://any.test")));
    expect(corsHeaders(response)).toEqual({
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "retry-after",
    });
    expect(() => routeOf(answer, { cors: { origin: "*", credentials: true } })).toThrow("name the origins");
  });
});
