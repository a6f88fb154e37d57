import { afterEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import { toMessageText } from "../../src/chat/messages.ts";
import {
  type ChatTransport,
  type ChatTransportOptions,
  createRouteTransport,
  type RouteTransportOptions,
} from "../../src/chat/route-transport.ts";
import type { RouteStreamOptions } from "../../src/route/stream-from-route.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import {
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

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const streamOptions = (options: Partial<ChatTransportOptions> = {}): ChatTransportOptions => ({
  signal: new AbortController().signal,
  onConnectionChange: () => {},
  ...options,
});
const messages = [{ role: "user" as const, content: "Hello" }];
const transportOf = (options: Partial<RouteStreamOptions>) =>
  createRouteTransport(() => ({ endpoint: "/api?tenant=1", ...options }));

describe("start", () => {
  test("posts the body unchanged and yields the chunks of the answer", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    const body = { messages, sessionId: "s", idempotencyKey: "k" };
    const { start } = transportOf({ fetch, headers: { authorization: "t" }, credentials: "include" });
    expect(await collect(start(body, streamOptions()))).toEqual({ chunks: [delta("Hi")] });
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      url: "/api?tenant=1",
      init: { method: "POST", credentials: "include", body: JSON.stringify(body) },
    });
    expect(Object.fromEntries(calls[0]!.init.headers)).toEqual({
      accept: "text/event-stream",
      authorization: "t",
      "content-type": "application/json",
    });
  });

  test("is retried only if its body has an idempotency key", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    for (const [idempotencyKey, requests] of [
      ["k", 2],
      [undefined, 1],
    ] as const) {
      const { calls, fetch } = createScriptedFetch(
        () => new Response("", { status: 502 }),
        () => streamResponse(doneMarker),
      );
      await collect(transportOf({ fetch }).start({ messages, idempotencyKey }, streamOptions()));
      expect(calls).toHaveLength(requests);
    }
  });
});

describe("resume", () => {
  test("requests the latest run of the session, without a body", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    const { resume } = transportOf({ fetch });
    expect(await collect(resume({ sessionId: "a b" }, streamOptions()))).toEqual({ chunks: [delta("Hi")] });
    expect(calls[0]).toMatchObject({ url: "/api?tenant=1&session=a+b", init: { method: "GET" } });
    expect(calls[0]?.init.body).toBeUndefined();
  });

  test("is retried when the request fails", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { calls, fetch } = createScriptedFetch(new TypeError("fetch failed"), () =>
      streamResponse(doneMarker),
    );
    expect(await collect(transportOf({ fetch }).resume({ sessionId: "s" }, streamOptions()))).toEqual({
      chunks: [],
    });
    expect(calls.map(({ url, init }) => [url, init.method])).toEqual(
      Array(2).fill(["/api?tenant=1&session=s", "GET"]),
    );
  });

  test("fails with the status when there is no run", async () => {
    for (const status of [404, 405]) {
      const { fetch } = createScriptedFetch(() => new Response("{}", { status }));
      const { error } = await collect(transportOf({ fetch }).resume({ sessionId: "s" }, streamOptions()));
      expect(error).toMatchObject({ name: "StreamHttpError", status });
    }
  });

  test("continues after the last event when the connection is lost", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { calls, fetch } = createScriptedFetch(
      () => streamResponse(`id: run.0\n${frame(delta("a"))}`),
      () => streamResponse(`id: run.1\n${frame(delta("b"))}id: run.2\n${frame({ type: "done" })}`),
    );
    expect(await collect(transportOf({ fetch }).resume({ sessionId: "s" }, streamOptions()))).toEqual({
      chunks: [delta("a"), delta("b"), { type: "done" }],
    });
    expect(calls[1]?.init.headers.get("last-event-id")).toBe("run.0");
  });
});

test("a chat whose run ends with [DONE] alone, and has nothing more, keeps the partial answer and fails as lost", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  const { calls, fetch } = createScriptedFetch(
    () => streamResponse(`id: run.0\n${frame(delta("half"))}${doneMarker}`),
    () => new Response(null, { status: 204 }),
  );
  const chat = createChat({ endpoint: "/api", runs: true, fetch });
  await chat.send("Hello");
  expect(calls.map(({ init }) => init.method)).toEqual(["POST", "GET"]);
  const { status, error, messages } = chat.getSnapshot();
  expect({ status, error }).toMatchObject({
    status: "error",
    error: { name: "StreamRemoteError", chunk: { code: "run-lost" } },
  });
  expect(toMessageText(messages.at(-1)!)).toBe("half");
});

for (const method of ["start", "resume"] as const) {
  test(`${method} uses its own signal and connection callback, not those of the route options`, async () => {
    const abort = new AbortController();
    const [own, other] = [vi.fn(), vi.fn()];
    const { fetch } = createScriptedFetch(
      () => new Response(testBody([], { stays: true }).stream, eventStream),
    );
    const transport = transportOf({ fetch, onConnectionChange: other, signal: AbortSignal.abort() });
    const options = streamOptions({ signal: abort.signal, onConnectionChange: own });
    const collected = collect(
      method === "start"
        ? transport.start({ messages }, options)
        : transport.resume({ sessionId: "s" }, options),
    );
    await macrotask();
    abort.abort("left");
    expect(await collected).toEqual({ chunks: [], error: "left" });
    expect(own.mock.calls).toEqual([[{ state: "open" }]]);
    expect(other).not.toHaveBeenCalled();
  });
}

describe("stop", () => {
  test("deletes a run by its id or by its key, and discards the response body", async () => {
    const bodies = [testBody(["{}"]), testBody(["{}"])];
    const { calls, fetch } = createScriptedFetch(
      ...bodies.map(
        ({ stream }) =>
          () =>
            new Response(stream),
      ),
    );
    const { stop } = transportOf({ fetch, headers: { authorization: "t" } });
    await stop({ runId: "r&1" });
    await stop({ idempotencyKey: "k" });
    expect(calls.map(({ url, init }) => [url, init.method, init.body])).toEqual([
      ["/api?tenant=1&run=r%261", "DELETE", "{}"],
      ["/api?tenant=1&key=k", "DELETE", "{}"],
    ]);
    expect(Object.fromEntries(calls[0]!.init.headers)).toEqual({
      accept: "application/json",
      authorization: "t",
      "content-type": "application/json",
    });
    for (const body of bodies) expect(body.cancelled).toBeDefined();
  });

  test("succeeds with any successful response, including an empty one", async () => {
    for (const response of [new Response(null, { status: 204 }), new Response("<p>", { status: 200 })]) {
      expect(
        await transportOf({ fetch: createScriptedFetch(() => response).fetch }).stop({ runId: "r" }),
      ).toBeUndefined();
    }
  });

  test("rejects without a retry when it is refused or gets no response", async () => {
    const { calls, fetch } = createScriptedFetch(
      () => new Response('{"error":"No such run."}', { status: 404 }),
      new TypeError("fetch failed"),
    );
    const { stop } = transportOf({ fetch });
    await expect(stop({ runId: "r" })).rejects.toMatchObject({ name: "StreamHttpError", status: 404 });
    await expect(stop({ runId: "r" })).rejects.toMatchObject({ name: "StreamConnectionError" });
    expect(calls).toHaveLength(2);
  });

  const unavailable = (retryAfter?: string) => () =>
    new Response('{"error":"Please try again.","code":"store-unavailable"}', {
      status: 503,
      headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
    });

  test("is retried after the delay that the server requests while the store or the process is unavailable", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = createScriptedFetch(
      unavailable("3"),
      unavailable("0"),
      () => new Response("{}", { status: 200 }),
    );
    const stopped = vi.fn();
    void transportOf({ fetch }).stop({ runId: "r" }).then(stopped);
    const counts: number[] = [];
    for (const ms of [0, 2_999, 1, 999, 1]) {
      await vi.advanceTimersByTimeAsync(ms);
      counts.push(calls.length);
    }
    expect(counts).toEqual([1, 1, 2, 2, 3]);
    expect(stopped).toHaveBeenCalledTimes(1);
  });

  test("fails with the server's message when retries do not succeed within 10 s, or are not possible", async () => {
    vi.useFakeTimers();
    for (const [retryAfter, requests, afterMs] of [
      ["3", 4, 9_000],
      ["20", 1, 0],
      [undefined, 1, 0],
    ] as const) {
      const { calls, fetch } = createScriptedFetch(unavailable(retryAfter));
      const startedAt = performance.now();
      const failed = expect(transportOf({ fetch }).stop({ idempotencyKey: "k" })).rejects.toMatchObject({
        name: "StreamHttpError",
        message: "Please try again.",
        status: 503,
      });
      await vi.advanceTimersByTimeAsync(afterMs);
      await failed;
      expect([calls.length, performance.now() - startedAt]).toEqual([requests, afterMs]);
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  test("fails when it gets no response within 10 s, whatever the stream's connect timeout", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = createScriptedFetch(never);
    const stopped = transportOf({ fetch, connectTimeoutMs: 0 }).stop({ runId: "r" });
    stopped.catch(() => {});
    await vi.advanceTimersByTimeAsync(9_999);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await expect(stopped).rejects.toMatchObject({
      name: "StreamConnectionError",
      message: "No response from /api?tenant=1&run=r within 10 s.",
    });
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("invalid options are refused when the transport is created", () => {
  const create = (options: object) => () => createRouteTransport(options as RouteTransportOptions);
  expect(create({})).toThrow(TypeError);
  expect(create({ endpoint: "/api", giveUpAfterMs: -1 })).toThrow(RangeError);
});

test("a custom transport may replace one method and keep the others of the route", async () => {
  const { calls, fetch } = createScriptedFetch(() =>
    streamResponse(frame({ type: "run-start", runId: "r" }), frame({ type: "done" }), doneMarker),
  );
  const route = createRouteTransport({ endpoint: "/api", fetch });
  const started: unknown[] = [];
  const transport: ChatTransport = {
    ...route,
    start(body, options) {
      started.push(body.messages.at(-1)?.content);
      return route.start(body, options);
    },
  };
  const chat = createChat({ transport, sessionId: "s", runs: true });
  await chat.send("Hello");
  await chat.resume();
  expect(started).toEqual(["Hello"]);
  expect(calls.map(({ url, init }) => `${init.method} ${url}`)).toEqual(["POST /api", "GET /api?session=s"]);
});

test("the options are read for every request", async () => {
  const { calls, fetch } = createScriptedFetch(greeting);
  let tenant = 1;
  const { start, resume, stop } = createRouteTransport(() => ({ endpoint: `/api/${tenant++}`, fetch }));
  await collect(start({ messages }, streamOptions()));
  await collect(resume({ sessionId: "s" }, streamOptions()));
  await stop({ runId: "r" });
  expect(calls.map(({ url }) => url)).toEqual(["/api/1", "/api/2?session=s", "/api/3?run=r"]);
});

test("a chat shows why it is reconnecting while the store is unavailable, and then continues", async () => {
  vi.useFakeTimers();
  const { calls, fetch } = createScriptedFetch(
    ...Array(3).fill(
      () =>
        new Response('{"error":"Please try again.","code":"store-unavailable"}', {
          status: 503,
          headers: { "retry-after": "3" },
        }),
    ),
    () => streamResponse(frame({ type: "run-start", runId: "r" }), frame(delta("Hi")), doneMarker),
  );
  const chat = createChat({ endpoint: "/api", fetch, runs: true });
  const sent = chat.send("Hello");
  await vi.advanceTimersByTimeAsync(1);
  expect(chat.getSnapshot()).toMatchObject({
    status: "submitted",
    reconnecting: true,
    connectionError: { message: "Please try again.", status: 503 },
    error: undefined,
  });
  await vi.advanceTimersByTimeAsync(20_000);
  await sent;
  expect(chat.getSnapshot()).toMatchObject({
    status: "ready",
    reconnecting: false,
    connectionError: undefined,
    messages: [{ role: "user" }, { parts: [{ text: "Hi" }] }],
  });
  expect(new Set(calls.map(({ init }) => init.body)).size).toBe(1);
});
