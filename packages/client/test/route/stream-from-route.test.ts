import type { StreamChunk } from "@kortyx/protocol";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type ConnectionState,
  type StreamFromRouteOptions,
  streamChatFromRoute,
  streamFromRoute,
} from "../../src/route/stream-from-route.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import {
  bytesOf,
  collect,
  delta,
  doneMarker,
  eventStream,
  frame,
  greeting,
  macrotask,
  never,
  streamResponse,
  testBody,
} from "../stream/bodies.ts";

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the request", () => {
  test("is made once, at the first next()", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    const stream = streamFromRoute({ endpoint: "/api", body: {}, fetch });
    await macrotask();
    expect(calls).toHaveLength(0);
    expect(await collect(stream)).toEqual({ chunks: [delta("Hi")] });
    expect(calls).toHaveLength(1);
  });

  test("posts JSON, asks for an event stream, and bypasses the cache", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    await collect(streamFromRoute({ endpoint: "/api", body: { a: 1 }, fetch }));
    const { url, init } = calls[0]!;
    expect(url).toBe("/api");
    expect(init).toMatchObject({ method: "POST", body: '{"a":1}', cache: "no-store" });
    expect(Object.fromEntries(init.headers)).toEqual({
      accept: "text/event-stream",
      "content-type": "application/json",
    });
    expect(init.credentials).toBeUndefined();
  });

  test("sends no body when none is given, with any method", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    await collect(
      streamFromRoute({ endpoint: new URL("http://host/api"), method: "GET", credentials: "include", fetch }),
    );
    const { url, init } = calls[0]!;
    expect(String(url)).toBe("http://host/api");
    expect(init).toMatchObject({ method: "GET", credentials: "include" });
    expect(init.body).toBeUndefined();
    expect(Object.fromEntries(init.headers)).toEqual({ accept: "text/event-stream" });
  });

  test("calls endpoint, headers and body if they are functions, async ones included, when it is made", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    let token = "old";
    const stream = streamFromRoute({
      endpoint: async () => `/api?${token}`,
      headers: () => ({ authorization: token }),
      body: async () => ({ token }),
      fetch,
    });
    token = "new";
    await collect(stream);
    const { url, init } = calls[0]!;
    expect([url, init.headers.get("authorization"), init.body]).toEqual([
      "/api?new",
      "new",
      '{"token":"new"}',
    ]);
  });

  test("uses the caller's headers instead of ours", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    await collect(
      streamFromRoute({
        endpoint: "/",
        body: 1,
        headers: [
          ["Accept", "x/y"],
          ["Content-Type", "a/b"],
        ],
        fetch,
      }),
    );
    expect(Object.fromEntries(calls[0]!.init.headers)).toEqual({ accept: "x/y", "content-type": "a/b" });
  });

  test("uses the global fetch when the caller gives none", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    vi.stubGlobal("fetch", fetch);
    await collect(streamFromRoute({ endpoint: "/api" }));
    vi.unstubAllGlobals();
    expect(calls).toHaveLength(1);
  });
});

test("of streamChatFromRoute contains the conversation, and nothing undefined", async () => {
  const { calls, fetch } = createScriptedFetch(greeting);
  const messages = [{ role: "user" as const, content: "Hello" }];
  await collect(streamChatFromRoute({ endpoint: "/api", messages, fetch }));
  const rest = {
    sessionId: "s",
    workflowId: "w",
    context: { a: 1 },
    idempotencyKey: "k",
    resume: { requestId: "r", resumeToken: "t", answer: "yes" },
  };
  await collect(streamChatFromRoute({ endpoint: "/api", messages, ...rest, fetch }));
  expect(calls.map(({ init }) => JSON.parse(init.body as string))).toEqual([
    { messages },
    { messages, ...rest },
  ]);
});

describe("failures", () => {
  test("a missing response is a StreamConnectionError with the cause", async () => {
    const cause = new TypeError("fetch failed");
    const { fetch } = createScriptedFetch(() => Promise.reject(cause));
    const { error } = await collect(streamFromRoute({ endpoint: "/api", fetch }));
    expect(error).toMatchObject({
      name: "StreamConnectionError",
      code: "connection",
      message: expect.stringMatching(
        /^No response from \/api: TypeError: fetch failed\. Nothing listens there, /,
      ),
      cause,
    });
  });

  test("an error status, a wrong content type and a truncated body have their own error types", async () => {
    const nameOf = async (response: Response) =>
      (
        (await collect(streamFromRoute({ endpoint: "/", fetch: createScriptedFetch(() => response).fetch })))
          .error as Error
      ).name;
    expect(await nameOf(new Response("{}", { status: 500 }))).toBe("StreamHttpError");
    expect(await nameOf(new Response("<html>", { headers: { "content-type": "text/html" } }))).toBe(
      "StreamContentTypeError",
    );
    expect(await nameOf(new Response(frame(delta("a")), eventStream))).toBe("StreamTruncatedError");
  });

  test("an error from an option's function is passed on unchanged, and no request is made", async () => {
    const boom = new Error("no token");
    for (const option of ["endpoint", "headers", "body"]) {
      const { calls, fetch } = createScriptedFetch(greeting);
      const options = { endpoint: "/", fetch, [option]: () => Promise.reject(boom) };
      expect((await collect(streamFromRoute(options))).error).toBe(boom);
      expect(calls).toHaveLength(0);
    }
  });
});

test("an error from an option's function or onUnknownChunk is final, even if it looks like a transient one", async () => {
  const refused = Object.assign(new Error("no token"), { status: 401, code: "idle" });
  const headers = vi.fn(() => {
    throw refused;
  });
  const unasked = createScriptedFetch(greeting);
  expect((await collect(streamFromRoute({ endpoint: "/", runs: true, headers, ...unasked }))).error).toBe(
    refused,
  );
  expect(headers).toHaveBeenCalledTimes(1);

  const { calls, fetch } = createScriptedFetch(() =>
    streamResponse(`id: run.1\n${frame(delta("a"))}id: run.2\n${frame({ type: "x-new" })}`),
  );
  const onUnknownChunk = () => {
    throw refused;
  };
  expect(await collect(streamFromRoute({ endpoint: "/", fetch, onUnknownChunk }))).toEqual({
    chunks: [delta("a")],
    error: refused,
  });
  expect(calls).toHaveLength(1);
});

describe("cancellation", () => {
  test("abort before the headers aborts the request and rejects with the caller's reason", async () => {
    const { calls, fetch } = createScriptedFetch(never);
    const abort = new AbortController();
    const collected = collect(streamFromRoute({ endpoint: "/", fetch, signal: abort.signal }));
    await macrotask();
    abort.abort("stopped");
    expect(await collected).toEqual({ chunks: [], error: "stopped" });
    expect(calls[0]?.init.signal?.reason).toBe("stopped");
  });

  test("abort settles the stream at once while an option, or a fetch that ignores its signal, is pending", async () => {
    const never = () => new Promise<never>(() => {});
    for (const option of [{ endpoint: never }, { headers: never }, { body: never }, { fetch: never }]) {
      const abort = new AbortController();
      const collected = collect(
        streamFromRoute({ endpoint: "/", signal: abort.signal, ...createScriptedFetch(greeting), ...option }),
      );
      await macrotask();
      abort.abort("stopped");
      expect(await collected).toEqual({ chunks: [], error: "stopped" });
    }
  });

  test("abort inside an option's function settles the stream before the next option is called", async () => {
    const abort = new AbortController();
    const endpoint = () => {
      abort.abort("stopped");
      return "/";
    };
    const headers = () => new Promise<never>(() => {});
    const stream = streamFromRoute({
      endpoint,
      headers,
      signal: abort.signal,
      ...createScriptedFetch(greeting),
    });
    expect(await collect(stream)).toEqual({ chunks: [], error: "stopped" });
  });

  test("abort while the options are pending prevents the request", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    const abort = new AbortController();
    let give: (headers: HeadersInit) => void = () => {};
    const headers = () =>
      new Promise<HeadersInit>((resolve) => {
        give = resolve;
      });
    const collected = collect(streamFromRoute({ endpoint: "/", headers, fetch, signal: abort.signal }));
    await macrotask();
    abort.abort("stopped");
    give({});
    await collected;
    await macrotask();
    expect(calls).toHaveLength(0);
  });

  test("return() before the headers aborts the request and ends the pending next()", async () => {
    const { calls, fetch } = createScriptedFetch(never);
    const iterator = streamFromRoute({ endpoint: "/", fetch })[Symbol.asyncIterator]();
    const pending = iterator.next();
    await macrotask();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });

  test("a response that arrives after return() is cancelled", async () => {
    const body = testBody([frame(delta("a"))]);
    let respond: (response: Response) => void = () => {};
    // As a polyfill that ignores the signal.
    const fetch = () =>
      new Promise<Response>((resolve) => {
        respond = resolve;
      });
    const iterator = streamFromRoute({ endpoint: "/", fetch })[Symbol.asyncIterator]();
    const pending = iterator.next();
    await macrotask();
    await iterator.return?.();
    respond(new Response(body.stream, eventStream));
    expect(await pending).toEqual({ done: true, value: undefined });
    await macrotask();
    expect(body.cancelled).toBeDefined();
  });

  test("break in the loop aborts the request's signal", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    for await (const _ of streamFromRoute({ endpoint: "/", fetch })) break;
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });
});

/** An event of a run. */
const entry = (seq: number, chunk: StreamChunk, runId = "run") => `id: ${runId}.${seq}\n${frame(chunk)}`;
const httpError = (status: number, headers: HeadersInit = {}, body = "{}") =>
  new Response(body, { status, headers });
const [a, b, c] = [delta("a"), delta("b"), delta("c")];
const end = { type: "done" } as const;
const noJitter = () => void vi.spyOn(Math, "random").mockReturnValue(0);
/** Time passes as soon as nothing else is pending. */
const noWaiting = () => {
  noJitter();
  vi.useFakeTimers();
  vi.setTimerTickMode("nextTimerAsync");
};

/** Collects the stream of a route that responds with `answers` in turn. */
async function collectFrom(
  answers: Parameters<typeof createScriptedFetch>,
  options: Partial<StreamFromRouteOptions> = {},
): Promise<{ chunks: StreamChunk[]; error?: unknown; requests: string[]; states: ConnectionState[] }> {
  const abort = new AbortController();
  const { calls, fetch: answer } = createScriptedFetch(...answers);
  const fetch: typeof answer = (url, init) => {
    if (calls.length > 1_000) abort.abort("endless requests");
    return answer(url, init);
  };
  const states: ConnectionState[] = [];
  const collected = await collect(
    streamFromRoute({
      endpoint: "/api",
      body: {},
      fetch,
      signal: abort.signal,
      onConnectionChange: (state) => states.push(state),
      ...options,
    }),
  );
  const requests = calls.map(({ init }) =>
    `${init.method} ${init.headers.get("last-event-id") ?? ""}`.trimEnd(),
  );
  return { ...collected, requests, states };
}

describe("a stream with event ids", () => {
  beforeEach(noWaiting);

  test("continues after the last event, with a GET without body or query", async () => {
    const { calls, fetch } = createScriptedFetch(
      () => streamResponse(entry(0, a) + entry(1, b)),
      () => streamResponse(entry(2, c) + entry(3, end) + doneMarker),
    );
    const stream = streamFromRoute({
      endpoint: "/api",
      query: { a: "1" },
      body: { x: 1 },
      headers: { authorization: "t", "last-event-id": "mine" },
      credentials: "include",
      fetch,
    });
    expect(await collect(stream)).toEqual({ chunks: [a, b, c, end] });
    expect(calls.map(({ url }) => url)).toEqual(["/api?a=1", "/api"]);
    expect(calls[1]?.init).toMatchObject({ method: "GET", credentials: "include", cache: "no-store" });
    expect(calls[1]?.init.body).toBeUndefined();
    expect(Object.fromEntries(calls[1]!.init.headers)).toEqual({
      accept: "text/event-stream",
      authorization: "t",
      "last-event-id": "run.1",
    });
  });

  test("continues regardless of how its connection ended, and of how the next ones fail", async () => {
    const { chunks, error, requests } = await collectFrom([
      () =>
        new Response(testBody([entry(0, a)], { breaks: new TypeError("terminated") }).stream, eventStream),
      new TypeError("fetch failed"),
      () => httpError(502, {}, "<html>"),
      () => streamResponse(),
      () => streamResponse(entry(1, b)),
      () => streamResponse(entry(2, { type: "done" })),
    ]);
    expect(error).toBeUndefined();
    expect(chunks).toEqual([a, b, { type: "done" }]);
    expect(requests).toEqual(["POST", ...Array(4).fill("GET run.0"), "GET run.1"]);
  });

  test("delivers no chunk twice when the server repeats some", async () => {
    const { chunks, error } = await collectFrom([
      () => streamResponse(entry(0, a) + entry(1, b)),
      () => streamResponse(entry(0, a) + entry(1, b) + entry(2, c) + entry(3, end) + doneMarker),
    ]);
    expect([chunks, error]).toEqual([[a, b, c, end], undefined]);
  });

  test("whose next event is missing or belongs to another run fails without a retry", async () => {
    for (const next of [entry(2, c), entry(1, c, "other")]) {
      const { chunks, error, requests } = await collectFrom([
        () => streamResponse(entry(0, a)),
        () => streamResponse(next + doneMarker),
      ]);
      expect(chunks).toEqual([a]);
      expect(error).toMatchObject({ name: "StreamProtocolError", code: "sequence-gap" });
      expect(requests).toEqual(["POST", "GET run.0"]);
    }
  });

  test("that violates the protocol is not requested again", async () => {
    const { error, requests } = await collectFrom([() => streamResponse(`${entry(0, a)}data: {oops\n\n`)]);
    expect(error).toMatchObject({ name: "StreamProtocolError", code: "invalid-json" });
    expect(requests).toEqual(["POST"]);
  });

  test("is complete when nothing follows an error chunk (204)", async () => {
    const failed = { type: "error", message: "Producer lost." } as const;
    const { chunks, error, states } = await collectFrom([
      () => streamResponse(entry(0, a) + entry(1, failed)),
      () => new Response(null, { status: 204 }),
    ]);
    expect([chunks, error]).toEqual([[a, failed], undefined]);
    expect(states.map(({ state }) => state)).toEqual(["open", "reconnecting"]);
  });

  test("is lost when nothing follows any other chunk (204): the run has another end in place of that chunk", async () => {
    const failed = { type: "error", message: "m" } as const;
    for (const answers of [
      [() => streamResponse(entry(0, a))],
      [() => streamResponse(entry(0, failed) + entry(1, a))],
      [() => streamResponse(entry(0, failed)), () => streamResponse(entry(1, a))],
    ]) {
      const { chunks, error, states } = await collectFrom([
        ...answers,
        () => new Response(null, { status: 204 }),
      ]);
      expect(error).toBeUndefined();
      expect(chunks.at(-2)).toEqual(a);
      expect(chunks.at(-1)).toEqual({
        type: "error",
        message: "This answer is no longer available. Please ask again.",
        code: "run-lost",
        retryable: true,
      });
      expect(states.filter(({ state }) => state === "open")).toHaveLength(answers.length);
    }
  });

  test("is truncated when it starts with a 204", async () => {
    const { error, states } = await collectFrom([() => new Response(null, { status: 204 })]);
    expect(error).toMatchObject({
      name: "StreamTruncatedError",
      message: "The response has no body: the answer is incomplete.",
    });
    expect(states).toEqual([]);
  });

  test("is resumed when [DONE] arrives without a done, an abort or an error, because the end is missing from the log", async () => {
    const failed = { type: "error", message: "Not kept any more.", code: "run-lost" } as const;
    const unknown = `id: run.1\n${frame({ type: "x-new" })}`;
    for (const [first, next, chunks] of [
      [entry(0, a), entry(1, end), [a, end]],
      [
        entry(0, a),
        entry(1, b) + entry(2, { type: "abort", reason: "stopped" }),
        [a, b, { type: "abort", reason: "stopped" }],
      ],
      [entry(0, a), frame(failed), [a, failed]],
      // A warning, not the end, because other chunks follow.
      [entry(0, failed) + unknown, entry(2, end), [failed, end]],
      [entry(0, failed) + entry(1, a), entry(2, failed), [failed, a, failed]],
    ] as const) {
      const result = await collectFrom([
        () => streamResponse(first + doneMarker),
        () => streamResponse(next + doneMarker),
      ]);
      expect([result.chunks, result.error]).toEqual([chunks, undefined]);
      expect(result.requests[1]).toMatch(/^GET run\./);
      expect(result.requests).toHaveLength(2);
    }
  });

  test("is truncated when resuming it returns only [DONE], because the server has no more", async () => {
    const truncated = {
      name: "StreamTruncatedError",
      message: "The run ended without a `done`, `abort` or `error`: the answer is incomplete.",
    };
    for (const answers of [
      [() => streamResponse(entry(0, a) + doneMarker), () => streamResponse(doneMarker)],
      [() => streamResponse(entry(0, a)), () => streamResponse(`:hb=8000\n\n${entry(0, a)}${doneMarker}`)],
    ]) {
      const { chunks, error, requests } = await collectFrom(answers);
      expect([chunks, requests]).toEqual([[a], ["POST", "GET run.0"]]);
      expect(error).toMatchObject(truncated);
    }
    const once = await collectFrom([() => streamResponse(entry(0, a) + doneMarker)], { giveUpAfterMs: 0 });
    expect(once).toMatchObject({ chunks: [a], error: truncated, requests: ["POST"] });
  });

  test("is complete when [DONE] follows an error from an earlier connection", async () => {
    const failed = { type: "error", message: "Producer lost." } as const;
    const { chunks, error } = await collectFrom([
      () => streamResponse(entry(0, a) + entry(1, failed)),
      () => streamResponse(doneMarker),
    ]);
    expect([chunks, error]).toEqual([[a, failed], undefined]);
  });

  test("fails with the error that interrupted it when the route cannot resume (405)", async () => {
    const { chunks, error, requests } = await collectFrom([
      () => streamResponse(entry(0, a)),
      () => httpError(503),
      () => httpError(405),
    ]);
    expect(chunks).toEqual([a]);
    expect(error).toMatchObject({ name: "StreamTruncatedError" });
    expect(requests).toEqual(["POST", "GET run.0", "GET run.0"]);
  });

  test("fails with the route's response when the run is gone or another page is served", async () => {
    const gone = await collectFrom([() => streamResponse(entry(0, a)), () => httpError(404)]);
    expect(gone.error).toMatchObject({ name: "StreamHttpError", status: 404 });
    const login = await collectFrom([
      () => streamResponse(entry(0, a)),
      () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    ]);
    expect(login.error).toMatchObject({ name: "StreamContentTypeError" });
  });

  test("gives up 15 minutes after its last byte, with the error of the last attempt", async () => {
    const startedAt = performance.now();
    const { error, requests, states } = await collectFrom([
      () => streamResponse(entry(0, a)),
      ...Array(9).fill(new TypeError("fetch failed")),
      () => httpError(504),
    ]);
    expect(error).toMatchObject({ name: "StreamHttpError", status: 504 });
    // One retry at once, then one every 3.5 s.
    expect(requests).toHaveLength(2 + Math.floor(900 / 3.5));
    const attempts = states.map((state) => (state.state === "open" ? 0 : state.attempt));
    expect(attempts).toEqual(attempts.map((_, index) => index));
    expect(performance.now() - startedAt).toBeLessThanOrEqual(900_000);
  });

  test("also gives up when connections open without delivering a byte, even after earlier chunks", async () => {
    const { chunks, error, requests } = await collectFrom(
      [
        ...[0, 1, 2].map((seq) => () => streamResponse(entry(seq, a))),
        () => new Response(testBody([], {}).stream, eventStream),
      ],
      { giveUpAfterMs: 60_000 },
    );
    expect(chunks).toEqual([a, a, a]);
    expect(error).toMatchObject({ name: "StreamTruncatedError" });
    expect(requests).toHaveLength(3 + Math.floor(60 / 3.5));
  });

  test("continues as long as bytes arrive, even if only heartbeats", async () => {
    const answers = Array(50).fill(() => streamResponse(":hb=8000\n\n"));
    const { chunks, error } = await collectFrom(
      [
        () => streamResponse(entry(0, a)),
        ...answers,
        () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
      ],
      { giveUpAfterMs: 10_000 },
    );
    expect([chunks, error]).toEqual([[a, b, end], undefined]);
  });

  test("gives up when bodies stay open without data, or attempts hang", async () => {
    for (const hang of [() => new Response(testBody([], { stays: true }).stream, eventStream), never]) {
      const startedAt = performance.now();
      let isFirst = true;
      const { calls, fetch } = createScriptedFetch(() => {
        if (!isFirst) return hang();
        isFirst = false;
        return streamResponse(entry(0, a));
      });
      const { error } = await collect(streamFromRoute({ endpoint: "/", fetch, giveUpAfterMs: 300_000 }));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(idle|connection)$/) });
      expect(performance.now() - startedAt).toBeGreaterThan(290_000);
      expect(performance.now() - startedAt).toBeLessThan(365_000);
      expect(calls.length).toBeGreaterThan(4);
    }
  });

  test("does not give up because the program was suspended, whenever that happens", async () => {
    let asleepMs = 0;
    const { now } = performance;
    vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + asleepMs);
    const sleep = () => {
      asleepMs += 3_600_000;
    };
    let request = 0;
    const { fetch } = createScriptedFetch(async ({ signal }) => {
      request++;
      if (request === 1) return streamResponse(entry(0, a));
      // Suspended while waiting for headers, and at the next attempt while reading.
      if (request === 2) sleep();
      if (request === 2) throw new TypeError("network changed");
      if (request > 3) return streamResponse(entry(1, b) + entry(2, end) + doneMarker);
      const { stream, fail } = testBody([], { stays: true });
      signal?.addEventListener("abort", () => {});
      setTimeout(() => {
        sleep();
        fail(new TypeError("network changed"));
      }, 10);
      return new Response(stream, eventStream);
    });
    const onConnectionChange = ({ state }: ConnectionState) => {
      // Suspended while waiting to reconnect.
      if (state === "reconnecting") setTimeout(sleep, 1);
    };
    const options = { endpoint: "/", giveUpAfterMs: 300_000, onConnectionChange };
    expect(await collect(streamFromRoute({ ...options, fetch }))).toEqual({ chunks: [a, b, end] });
    expect(request).toBe(4);
  });

  test("continues over any number of connections that each deliver something new", async () => {
    const { chunks, error } = await collectFrom(
      Array.from({ length: 30 }, (_, seq) => () => streamResponse(entry(seq, seq === 29 ? end : a))),
      { giveUpAfterMs: 5_000 },
    );
    expect([chunks.length, error]).toEqual([30, undefined]);
  });

  test("does not reconnect when giveUpAfterMs is 0", async () => {
    const { error, requests } = await collectFrom([() => streamResponse(entry(0, a))], { giveUpAfterMs: 0 });
    expect(error).toMatchObject({ name: "StreamTruncatedError" });
    expect(requests).toEqual(["POST"]);
  });

  test("evaluates headers and endpoint for every request, and the body only for requests that send it", async () => {
    const [endpoint, headers, body] = [vi.fn(() => "/api"), vi.fn(() => ({})), vi.fn(() => ({}))];
    await collectFrom(
      [
        () => streamResponse(entry(0, a)),
        () => httpError(503),
        () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
      ],
      { endpoint, headers, body },
    );
    expect([endpoint, headers, body].map(({ mock }) => mock.calls.length)).toEqual([3, 3, 1]);
  });

  test("refreshes expired headers without reporting it", async () => {
    let token = 0;
    const { calls, fetch } = createScriptedFetch(
      () => streamResponse(entry(0, a)),
      () => httpError(401),
      () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
    );
    const states: string[] = [];
    const { chunks } = await collect(
      streamFromRoute({
        endpoint: "/",
        headers: () => ({ authorization: `token ${token++}` }),
        fetch,
        onConnectionChange: ({ state }) => states.push(state),
      }),
    );
    expect(chunks).toEqual([a, b, end]);
    expect(calls.map(({ init }) => init.headers.get("authorization"))).toEqual([
      "token 0",
      "token 1",
      "token 2",
    ]);
    expect(states).toEqual(["open", "reconnecting", "open"]);
  });

  test("works without onConnectionChange", async () => {
    const answers = [
      () => streamResponse(entry(0, a)),
      () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
    ];
    expect((await collectFrom(answers, { onConnectionChange: undefined })).chunks).toEqual([a, b, end]);
  });
});

describe("a retry", () => {
  beforeEach(noWaiting);
  const good = () => streamResponse(frame(a) + doneMarker);

  for (const [name, answer] of [
    ["no answer", new TypeError("fetch failed")],
    ["502", () => httpError(502)],
    ["429", () => httpError(429)],
    ["a body that broke off before the first chunk", () => streamResponse(":hb=8000\n\n")],
  ] as const) {
    test(`after ${name} is made only for a GET or a route with runs`, async () => {
      for (const [options, requests] of [
        [{}, ["POST"]],
        [{ runs: false }, ["POST"]],
        [{ runs: true }, ["POST", "POST"]],
        [{ method: "GET", body: undefined }, ["GET", "GET"]],
        [{ method: "GET", body: undefined, runs: false }, ["GET", "GET"]],
        [{ method: "PUT" }, ["PUT"]],
      ] as const) {
        const result = await collectFrom([answer, good], options);
        expect(result.requests).toEqual(requests);
        expect(result.error === undefined).toBe(requests.length === 2);
      }
    });
  }

  test("is not made after the first chunk when events have no ids", async () => {
    const { chunks, error, requests } = await collectFrom([() => streamResponse(frame(a)), good], {
      runs: true,
    });
    expect(chunks).toEqual([a]);
    expect(error).toMatchObject({ name: "StreamTruncatedError" });
    expect(requests).toEqual(["POST"]);
  });

  test("is made for any request to a server that is draining", async () => {
    const draining = () => httpError(503, {}, '{"error":"Restarting.","code":"draining"}');
    const { chunks, requests } = await collectFrom([draining, draining, good]);
    expect([chunks, requests]).toEqual([[a], ["POST", "POST", "POST"]]);
  });

  test("has the same query, and evaluates endpoint, headers and body again", async () => {
    let count = 0;
    const { calls, fetch } = createScriptedFetch(() => httpError(502), good);
    const body = () => ({ count: ++count });
    await collect(streamFromRoute({ endpoint: "/api", query: { a: "1" }, body, runs: true, fetch }));
    expect(calls.map(({ url, init }) => [url, init.body])).toEqual([
      ["/api?a=1", '{"count":1}'],
      ["/api?a=1", '{"count":2}'],
    ]);
  });

  test("after a 401 is made once, if the headers come from a function", async () => {
    const refused = () => httpError(401);
    expect((await collectFrom([refused, good], { headers: () => ({}) })).chunks).toEqual([a]);
    const twice = await collectFrom([refused, refused, good], { headers: () => ({}) });
    expect(twice.error).toMatchObject({ name: "StreamHttpError", status: 401 });
    expect(twice.requests).toHaveLength(2);
    expect((await collectFrom([refused, good], { headers: {} })).requests).toHaveLength(1);
  });

  test("of a chat repeats its idempotency key, and every chat has its own", async () => {
    const messages = [{ role: "user" as const, content: "Hello" }];
    const keys: string[][] = [];
    for (let chat = 0; chat < 2; chat++) {
      const { calls, fetch } = createScriptedFetch(new TypeError("fetch failed"), () => httpError(502), good);
      await collect(streamChatFromRoute({ endpoint: "/", messages, runs: true, fetch }));
      keys.push(calls.map(({ init }) => JSON.parse(init.body as string).idempotencyKey));
    }
    expect(keys[0]).toEqual(Array(3).fill(expect.stringMatching(uuidV4)));
    expect(new Set(keys[0]).size).toBe(1);
    expect(new Set(keys.flat()).size).toBe(2);
  });

  test("of a chat keeps the caller's key, and has none without runs", async () => {
    const messages = [{ role: "user" as const, content: "Hello" }];
    const { calls, fetch } = createScriptedFetch(greeting);
    for (const options of [{ runs: true, idempotencyKey: "mine" }, { runs: false }, {}]) {
      await collect(streamChatFromRoute({ endpoint: "/", messages, fetch, ...options }));
    }
    expect(calls.map(({ init }) => JSON.parse(init.body as string))).toEqual([
      { messages, idempotencyKey: "mine" },
      { messages },
      { messages },
    ]);
  });
});

describe("the time between attempts", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
  });
  afterEach(() => expect(vi.getTimerCount()).toBe(0));
  const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  /** Starts a stream and records its requests and delays. */
  function start(
    answers: Parameters<typeof createScriptedFetch>,
    options: Partial<StreamFromRouteOptions> = {},
  ) {
    const { calls, fetch } = createScriptedFetch(...answers);
    const delays: number[] = [];
    const collected = collect(
      streamFromRoute({
        endpoint: "/",
        fetch,
        onConnectionChange: (state) => state.state === "reconnecting" && delays.push(state.delayMs),
        ...options,
      }),
    );
    return { calls, delays, collected };
  }

  test("is random, and counts from the last request, whatever its result", async () => {
    const { calls, delays, collected } = start([
      () => streamResponse(entry(0, a)),
      new TypeError("fetch failed"),
      () => httpError(502),
      () => streamResponse(entry(1, b)),
      () => streamResponse(entry(2, c) + entry(3, end) + doneMarker),
    ]);
    const counts: number[] = [];
    for (const ms of [0, 1_749, 1, 4_124, 1, 4_124, 1, 4_124, 1]) {
      await advance(ms);
      counts.push(calls.length);
    }
    expect(counts).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5]);
    expect(await collected).toEqual({ chunks: [a, b, c, end] });
    expect(delays).toEqual([1_750, 4_125, 4_125, 4_125]);
  });

  test("is shortened by the duration of a connection or a failure", async () => {
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const lasting = (text: string, ms: number) => async () => {
      const { stream, close } = testBody([text], { stays: true });
      void wait(ms).then(close);
      return new Response(stream, eventStream);
    };
    const answers = [
      lasting(entry(0, a), 5_000),
      lasting(entry(1, b), 2_000),
      async () => {
        await wait(3_000);
        throw new TypeError("fetch failed");
      },
      lasting(entry(2, c), 2_000),
      async () => streamResponse(entry(3, { type: "done" })),
    ];
    const { calls, fetch } = createScriptedFetch(() => answers[calls.length - 1]!());
    const delays: number[] = [];
    const onConnectionChange = (change: ConnectionState) =>
      void (change.state === "reconnecting" && delays.push(change.delayMs));
    const collected = collect(streamFromRoute({ endpoint: "/", fetch, onConnectionChange }));
    await advance(60_000);
    expect(await collected).toEqual({ chunks: [a, b, c, { type: "done" }] });
    expect(delays).toEqual([1_750, 2_125, 1_125, 2_125]);
  });

  test("is not shortened by a page that comes online ten times a second", async () => {
    const page = new EventTarget();
    vi.stubGlobal("window", page);
    const { calls, fetch } = createScriptedFetch(() => {
      if (calls.length > 1) throw new TypeError("fetch failed");
      return streamResponse(entry(0, a));
    });
    const collected = collect(streamFromRoute({ endpoint: "/", fetch, giveUpAfterMs: 30_000 }));
    for (let ms = 0; ms < 20_000; ms += 100) {
      page.dispatchEvent(new Event("online"));
      await advance(100);
    }
    expect(calls).toHaveLength(2 + Math.floor(20 / 3.5));
    await advance(30_000);
    await collected;
    vi.unstubAllGlobals();
  });

  test("is the server's delay plus a random part, and stays in effect for later connections", async () => {
    const { calls, delays, collected } = start([
      () => streamResponse(`retry: 3000\n\n${entry(0, a)}`),
      () => streamResponse(entry(1, b)),
      () => httpError(503, { "retry-after": "7" }),
      () => streamResponse(`retry: 100\n\n${entry(2, c)}`),
      () => streamResponse(entry(3, end)),
    ]);
    const counts: number[] = [];
    for (const ms of [4_499, 1, 4_499, 1, 8_749, 1, 224, 1]) {
      await advance(ms);
      counts.push(calls.length);
    }
    expect(counts).toEqual([1, 2, 2, 3, 3, 4, 4, 5]);
    expect(await collected).toEqual({ chunks: [a, b, c, end] });
    expect(delays).toEqual([4_500, 4_500, 8_750, 225]);
  });

  test("is reported with the attempt and the error before it, and followed by a report of the open connection", async () => {
    const states: ConnectionState[] = [];
    const { collected } = start(
      [
        () => streamResponse(entry(0, a)),
        new TypeError("fetch failed"),
        () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
      ],
      { onConnectionChange: (state) => states.push(state) },
    );
    await advance(8_000);
    await collected;
    expect(states).toEqual([
      { state: "open" },
      {
        state: "reconnecting",
        attempt: 1,
        delayMs: 1_750,
        error: expect.objectContaining({ name: "StreamTruncatedError" }),
      },
      {
        state: "reconnecting",
        attempt: 2,
        delayMs: 4_125,
        error: expect.objectContaining({ name: "StreamConnectionError" }),
      },
      { state: "open" },
    ]);
  });

  test("may be ten minutes at the server's request, but fails if it exceeds giveUpAfterMs", async () => {
    const wanted = start([
      () => streamResponse(entry(0, a)),
      () => httpError(503, { "retry-after": "600" }),
      () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
    ]);
    await advance(610_000);
    expect(await wanted.collected).toEqual({ chunks: [a, b, end] });
    const { collected } = start([
      () => streamResponse(entry(0, a)),
      () => httpError(503, { "retry-after": "3600" }),
    ]);
    await advance(1_750);
    expect(await collected).toMatchObject({ chunks: [a], error: { status: 503, retryAfterMs: 3_600_000 } });
  });

  test("ends at once when the consumer aborts, with the reason, and no request follows", async () => {
    for (const retry of ["", "retry: 60000\n\n"]) {
      const abort = new AbortController();
      const { calls, collected } = start([() => streamResponse(retry + entry(0, a))], {
        signal: abort.signal,
      });
      await advance(100);
      expect(vi.getTimerCount()).toBe(1);
      abort.abort("left");
      expect(await collected).toEqual({ chunks: [a], error: "left" });
      expect(vi.getTimerCount()).toBe(0);
      await advance(100_000);
      expect(calls).toHaveLength(1);
    }
  });

  test("does not begin after a request that failed because the consumer aborted", async () => {
    const { calls, fetch } = createScriptedFetch(never);
    const abort = new AbortController();
    const onConnectionChange = vi.fn();
    const options = { endpoint: "/", runs: true, onConnectionChange, signal: abort.signal };
    const collected = collect(streamFromRoute({ ...options, fetch }));
    await advance(0);
    abort.abort("left");
    expect(await collected).toEqual({ chunks: [], error: "left" });
    await advance(100_000);
    expect(calls).toHaveLength(1);
    expect(onConnectionChange).not.toHaveBeenCalled();
  });

  test("ends at once when the consumer returns, together with the pending next()", async () => {
    const { calls, fetch } = createScriptedFetch(() => streamResponse(entry(0, a)));
    const iterator = streamFromRoute({ endpoint: "/", fetch })[Symbol.asyncIterator]();
    await iterator.next();
    const pending = iterator.next();
    await advance(100);
    expect(vi.getTimerCount()).toBe(1);
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
    await advance(100_000);
    expect(calls).toHaveLength(1);
  });
});

describe("silence", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => expect(vi.getTimerCount()).toBe(0));
  const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  test("before the headers is an error after 30 s", async () => {
    const { calls, fetch } = createScriptedFetch(never);
    const collected = collect(streamFromRoute({ endpoint: "/api", fetch }));
    await advance(29_999);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
    await advance(1);
    expect((await collected).error).toMatchObject({
      name: "StreamConnectionError",
      message: "No response from /api within 30 s.",
    });
  });

  test("before the headers is limited by connectTimeoutMs, where 0 means no limit", async () => {
    const { fetch } = createScriptedFetch(never);
    const collected = collect(streamFromRoute({ endpoint: "/api", connectTimeoutMs: 1_500, fetch }));
    await advance(1_500);
    expect((await collected).error).toMatchObject({
      message: "No response from /api within 1.5 s.",
    });
    const abort = new AbortController();
    const { signal } = abort;
    const forever = collect(streamFromRoute({ endpoint: "/", connectTimeoutMs: 0, fetch, signal }));
    await advance(0);
    expect(vi.getTimerCount()).toBe(0);
    abort.abort("left");
    expect(await forever).toEqual({ chunks: [], error: "left" });
  });

  for (const connectTimeoutMs of [Number.POSITIVE_INFINITY, 2 ** 31, 30 * 86_400_000]) {
    test(`before the headers has no limit when no timer can wait that long: ${connectTimeoutMs} ms`, async () => {
      let respond: (response: Response) => void = () => {};
      const { fetch } = createScriptedFetch(
        () =>
          new Promise((resolve) => {
            respond = resolve;
          }),
      );
      const collected = collect(streamFromRoute({ endpoint: "/api", connectTimeoutMs, fetch }));
      await advance(86_400_000);
      respond(streamResponse(frame(a) + doneMarker));
      expect(await collected).toEqual({ chunks: [a] });
    });
  }

  test("timeouts that are not a number of milliseconds are refused, and no request is made", () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    for (const ms of [Number.NaN, -1, "30" as unknown as number]) {
      for (const name of ["connectTimeoutMs", "idleTimeoutMs"]) {
        expect(() => streamFromRoute({ endpoint: "/", fetch, [name]: ms })).toThrow(RangeError);
      }
    }
    expect(calls).toEqual([]);
  });

  test("before the headers of a resume counts as a failed attempt", async () => {
    noJitter();
    let request = 0;
    const { calls, fetch } = createScriptedFetch(({ signal }) => {
      if (++request === 1) return streamResponse(entry(0, a));
      if (request === 3) return streamResponse(entry(1, b) + entry(2, end) + doneMarker);
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    });
    const collected = collect(streamFromRoute({ endpoint: "/", fetch }));
    await advance(33_500);
    expect(await collected).toEqual({ chunks: [a, b, end] });
    expect(calls).toHaveLength(3);
  });

  test("in the body cancels it, and the stream continues after the last event", async () => {
    noJitter();
    const silent = testBody([entry(0, a)], { stays: true });
    const { calls, fetch } = createScriptedFetch(
      () => new Response(silent.stream, eventStream),
      () => streamResponse(entry(1, b) + entry(2, end) + doneMarker),
    );
    const states: ConnectionState[] = [];
    const onConnectionChange = (state: ConnectionState) => states.push(state);
    const collected = collect(streamFromRoute({ endpoint: "/", fetch, onConnectionChange }));
    await advance(59_999);
    expect(calls).toHaveLength(1);
    await advance(1);
    expect(await collected).toEqual({ chunks: [a, b, end] });
    expect(silent.cancelled).toBeDefined();
    expect(states[1]).toMatchObject({
      state: "reconnecting",
      error: { name: "StreamIdleError", code: "idle" },
    });
  });

  test("is limited per connection: one server's heartbeats do not apply to the next", async () => {
    noJitter();
    const bodies = [testBody([`:hb=1000\n\n${entry(0, a)}`], { stays: true }), testBody([], { stays: true })];
    const { calls, fetch } = createScriptedFetch(
      ...bodies.map(
        ({ stream }) =>
          () =>
            new Response(stream, eventStream),
      ),
      () => streamResponse(entry(1, end)),
    );
    const collected = collect(streamFromRoute({ endpoint: "/", fetch }));
    await advance(4_999);
    expect(calls).toHaveLength(1);
    await advance(1);
    expect(calls).toHaveLength(2);
    await advance(59_999);
    expect(calls).toHaveLength(2);
    await advance(1 + 3_500);
    expect(calls).toHaveLength(3);
    expect(await collected).toEqual({ chunks: [a, end] });
  });
});

describe("however the connections of a run are cut", () => {
  const anyChunk: fc.Arbitrary<StreamChunk> = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 6 }).map((text): StreamChunk => delta(text)),
    fc.constantFrom<StreamChunk>(
      { type: "status", message: "data: x" },
      { type: "error", message: "Once more." },
      { type: "tool-call-start", tool: "search", toolCallId: "c", input: { q: "語\n\n" } },
    ),
  );
  const anyEnd = fc.constantFrom<StreamChunk>(
    { type: "done", finishReason: "stop" },
    { type: "abort", reason: "stopped" },
    { type: "error", message: "Producer lost." },
  );
  /** A request that fails, or a response that repeats `again` events and is cut after part of its bytes. */
  const anyFate = fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom<"refused" | "unavailable">("refused", "unavailable") },
    {
      weight: 5,
      arbitrary: fc.record({
        again: fc.nat(3),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        breaks: fc.boolean(),
      }),
    },
  );

  test("every chunk arrives exactly once, and a POST is repeated only with the same body", async () => {
    noWaiting();
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyChunk, { maxLength: 8 }),
        anyEnd,
        fc.array(anyFate, { minLength: 3, maxLength: 12 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 60 })),
        async (chunks, end, fates, sizes) => {
          const log = [{ type: "run-start", runId: "run" } as const, ...chunks, end];
          const queue = [...fates];
          const { calls, fetch } = createScriptedFetch(({ method, headers }) => {
            const fate = queue.shift() ?? { again: 0, part: 1, breaks: false };
            // A request that never gets a response is tested elsewhere.
            if (fate === "refused" && calls.length > 1) throw new TypeError("fetch failed");
            if (typeof fate === "string") return httpError(503);
            const after = new Headers(headers).get("last-event-id");
            expect(method).toBe(after === null ? "POST" : "GET");
            const from = after === null ? 0 : Number(after.slice("run.".length)) + 1;
            if (from === log.length) return new Response(null, { status: 204 });
            const first = Math.max(0, from - fate.again);
            const events = log.slice(first).map((chunk, index) => entry(first + index, chunk));
            const bytes = bytesOf([":hb=8000\n\n", ...events, doneMarker].join(""));
            const length = Math.round(bytes.length * fate.part);
            if (length < bytes.length) cuts++;
            const pieces: Uint8Array[] = [];
            for (let at = 0; at < length; ) {
              const size = sizes.next().value!;
              pieces.push(bytes.slice(at, Math.min(at + size, length)));
              at += size;
            }
            const breaks = fate.breaks ? new TypeError("terminated") : undefined;
            return new Response(testBody(pieces, { breaks }).stream, eventStream);
          });
          const messages = [{ role: "user" as const, content: "Hello" }];
          const stream = streamChatFromRoute({
            endpoint: "/",
            messages,
            runs: true,
            fetch,
          });
          expect(await collect(stream)).toEqual({ chunks: log });
          const posts = calls.filter(({ init }) => init.method === "POST");
          expect(new Set(posts.map(({ init }) => init.body)).size).toBe(1);
        },
      ),
      { numRuns: 400 },
    );
    expect(cuts).toBeGreaterThan(1_000);
  });
});

test("chunks of unknown types count as progress, and the next resume starts after them", async () => {
  noWaiting();
  let seq = 0;
  const { fetch } = createScriptedFetch(() =>
    streamResponse(`id: run.${seq}\n${frame(seq++ < 20 ? { type: "x-new" } : end)}`),
  );
  const stream = streamFromRoute({ endpoint: "/", runs: true, fetch, giveUpAfterMs: 5_000 });
  expect(await collect(stream)).toEqual({ chunks: [end] });
});

test("an abort during the delay prevents further evaluation of options", async () => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  const headers = vi.fn(() => ({}));
  const abort = new AbortController();
  const { fetch } = createScriptedFetch(() => streamResponse(entry(0, a)));
  const collected = collect(streamFromRoute({ endpoint: "/", headers, fetch, signal: abort.signal }));
  await vi.advanceTimersByTimeAsync(0);
  abort.abort("left");
  expect(await collected).toMatchObject({ error: "left" });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(headers).toHaveBeenCalledTimes(1);
});
