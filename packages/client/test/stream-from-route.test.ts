import { describe, expect, test, vi } from "vitest";
import { streamChatFromRoute, streamFromRoute } from "../src/stream-from-route.ts";
import { collect, delta, doneMarker, frame, macrotask, testBody } from "./bodies.ts";

const eventStream = { headers: { "content-type": "text/event-stream" } };
const answer = () => new Response(frame(delta("Hi")) + doneMarker, eventStream);

/** A `fetch` that remembers its calls. */
function fakeFetch(respond: (init: RequestInit) => Response | Promise<Response> = answer) {
  const calls: { url: string | URL; init: RequestInit & { headers: Headers } }[] = [];
  const fetch = async (url: string | URL, init: RequestInit) => {
    calls.push({ url, init: init as RequestInit & { headers: Headers } });
    return respond(init);
  };
  return { calls, fetch };
}

describe("the request", () => {
  test("is made at the first next(), once", async () => {
    const { calls, fetch } = fakeFetch();
    const stream = streamFromRoute({ endpoint: "/api", body: {}, fetch });
    await macrotask();
    expect(calls).toHaveLength(0);
    expect(await collect(stream)).toEqual({ chunks: [delta("Hi")] });
    expect(calls).toHaveLength(1);
  });

  test("posts JSON, asks for an event stream, and does not use a cache", async () => {
    const { calls, fetch } = fakeFetch();
    await collect(streamFromRoute({ endpoint: "/api", body: { a: 1 }, fetch }));
    const { url, init } = calls[0]!;
    expect(url).toBe("/api");
    expect(init).toMatchObject({ method: "POST", body: '{"a":1}', cache: "no-store" });
    expect(Object.fromEntries(init.headers)).toEqual({
      accept: "text/event-stream",
      "content-type": "application/json",
    });
    expect(init).not.toHaveProperty("credentials");
  });

  test("without a body sends none, with another method", async () => {
    const { calls, fetch } = fakeFetch();
    await collect(
      streamFromRoute({ endpoint: new URL("http://host/api"), method: "GET", credentials: "include", fetch }),
    );
    const { url, init } = calls[0]!;
    expect(String(url)).toBe("http://host/api");
    expect(init).toMatchObject({ method: "GET", credentials: "include" });
    expect(init).not.toHaveProperty("body");
    expect(Object.fromEntries(init.headers)).toEqual({ accept: "text/event-stream" });
  });

  test("endpoint, headers and body may be functions, async too, called when the request is made", async () => {
    const { calls, fetch } = fakeFetch();
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

  test("headers of the caller replace ours", async () => {
    const { calls, fetch } = fakeFetch();
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

  test("uses the global fetch when none is given", async () => {
    const { calls, fetch } = fakeFetch();
    vi.stubGlobal("fetch", fetch);
    await collect(streamFromRoute({ endpoint: "/api" }));
    vi.unstubAllGlobals();
    expect(calls).toHaveLength(1);
  });
});

test("streamChatFromRoute posts the conversation, and nothing that is undefined", async () => {
  const { calls, fetch } = fakeFetch();
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
  test("no response is a StreamConnectionError with the cause", async () => {
    const cause = new TypeError("fetch failed");
    const { fetch } = fakeFetch(() => Promise.reject(cause));
    const { error } = await collect(streamFromRoute({ endpoint: "/api", fetch }));
    expect(error).toMatchObject({
      name: "StreamConnectionError",
      code: "connection",
      message: "No response from /api: fetch failed",
      cause,
    });
  });

  test("an error status, a wrong content type and a cut body keep their types", async () => {
    const nameOf = async (response: Response) =>
      (
        (await collect(streamFromRoute({ endpoint: "/", fetch: fakeFetch(() => response).fetch })))
          .error as Error
      ).name;
    expect(await nameOf(new Response("{}", { status: 500 }))).toBe("StreamHttpError");
    expect(await nameOf(new Response("<html>", { headers: { "content-type": "text/html" } }))).toBe(
      "StreamContentTypeError",
    );
    expect(await nameOf(new Response(frame(delta("a")), eventStream))).toBe("StreamTruncatedError");
  });

  test("what an option's function throws comes out as it is, and no request is made", async () => {
    const boom = new Error("no token");
    for (const option of ["endpoint", "headers", "body"]) {
      const { calls, fetch } = fakeFetch();
      const options = { endpoint: "/", fetch, [option]: () => Promise.reject(boom) };
      expect((await collect(streamFromRoute(options))).error).toBe(boom);
      expect(calls).toHaveLength(0);
    }
  });
});

describe("leaving", () => {
  /** A `fetch` that never answers, and fails as `fetch` does when its signal is aborted. */
  const hangingFetch = () =>
    fakeFetch(
      ({ signal }) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    );

  test("abort before the headers aborts the request and rejects with the caller's reason", async () => {
    const { calls, fetch } = hangingFetch();
    const abort = new AbortController();
    const collected = collect(streamFromRoute({ endpoint: "/", fetch, signal: abort.signal }));
    await macrotask();
    abort.abort("stopped");
    expect(await collected).toEqual({ chunks: [], error: "stopped" });
    expect(calls[0]?.init.signal?.reason).toBe("stopped");
  });

  test("whoever leaves while an option is evaluated, or while a fetch that ignores its signal is pending, is not held up", async () => {
    const never = () => new Promise<never>(() => {});
    for (const option of [{ endpoint: never }, { headers: never }, { body: never }, { fetch: never }]) {
      const abort = new AbortController();
      const collected = collect(
        streamFromRoute({ endpoint: "/", signal: abort.signal, ...fakeFetch(), ...option }),
      );
      await macrotask();
      abort.abort("stopped");
      expect(await collected).toEqual({ chunks: [], error: "stopped" });
    }
  });

  test("no request is made for whoever left while the options were evaluated", async () => {
    const { calls, fetch } = fakeFetch();
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

  test("return() before the headers aborts the request, and the pending next() ends", async () => {
    const { calls, fetch } = hangingFetch();
    const iterator = streamFromRoute({ endpoint: "/", fetch })[Symbol.asyncIterator]();
    const pending = iterator.next();
    await macrotask();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });

  test("a response that comes after leaving is cancelled", async () => {
    const body = testBody([frame(delta("a"))]);
    let respond: (response: Response) => void = () => {};
    const { fetch } = fakeFetch(
      () =>
        new Promise((resolve) => {
          respond = resolve;
        }),
    );
    const iterator = streamFromRoute({ endpoint: "/", fetch })[Symbol.asyncIterator]();
    const pending = iterator.next();
    await macrotask();
    await iterator.return?.();
    respond(new Response(body.stream, eventStream));
    expect(await pending).toEqual({ done: true, value: undefined });
    await macrotask();
    expect(body.cancelled).toBeDefined();
  });

  test("break in the middle aborts the request's signal", async () => {
    const { calls, fetch } = fakeFetch();
    for await (const _ of streamFromRoute({ endpoint: "/", fetch })) break;
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });
});
