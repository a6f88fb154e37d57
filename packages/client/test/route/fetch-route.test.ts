import { afterEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import { fetchRoute, type RouteOptions, type RouteRequest } from "../../src/route/fetch-route.ts";
import { requestChat } from "../../src/route/request-chat.ts";
import { streamChatFromRoute, streamFromRoute } from "../../src/route/stream-from-route.ts";
import { consumeStream } from "../../src/stream/consume-stream.ts";
import { fakeFetch, hangingFetch, macrotask, streamResponse } from "../stream/bodies.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Makes one request, and gives what `fetch` was called with. */
async function request(route: Partial<RouteOptions>, request: Partial<RouteRequest> = {}) {
  const { calls, fetch } = fakeFetch();
  const { signal } = new AbortController();
  await fetchRoute(
    { endpoint: "/api", fetch, ...route },
    { method: "POST", accept: "text/event-stream", signal, timeoutMs: Infinity, ...request },
  );
  expect(calls).toHaveLength(1);
  const { url, init } = calls[0]!;
  return { url, init, headers: Object.fromEntries(init.headers) };
}

describe("the query", () => {
  for (const [endpoint, url] of [
    ["/api", "/api?session=s+1"],
    ["/api?a=1", "/api?a=1&session=s+1"],
    ["/api#top", "/api?session=s+1"],
    ["/api?a=1#top", "/api?a=1&session=s+1"],
    ["/api#", "/api?session=s+1"],
    ["", "?session=s+1"],
    ["https://host:8080/api?a=%20", "https://host:8080/api?a=%20&session=s+1"],
  ] as const) {
    test(`is added to ${JSON.stringify(endpoint)}`, async () => {
      expect((await request({ endpoint }, { query: { session: "s 1" } })).url).toBe(url);
    });
  }

  test("is added to a URL, and to what a function gives", async () => {
    const query = { run: "a&b", after: "=" };
    for (const endpoint of [new URL("http://host/api?x=1"), () => new URL("http://host/api?x=1")]) {
      expect((await request({ endpoint }, { query })).url).toBe("http://host/api?x=1&run=a%26b&after=%3D");
    }
  });

  test("that is not there leaves the endpoint as it is", async () => {
    const endpoint = new URL("http://host/api?x=1#y");
    expect((await request({ endpoint })).url).toBe(endpoint);
  });
});

describe("headers", () => {
  test("say what is sent and wanted; content-type only with a body", async () => {
    expect((await request({}, { body: null })).headers).toEqual({
      accept: "text/event-stream",
      "content-type": "application/json",
    });
    // Without it, a GET to another origin needs no preflight.
    expect((await request({}, { method: "GET", accept: "application/json" })).headers).toEqual({
      accept: "application/json",
    });
  });

  test("reach a fetch of the application's own that spreads or indexes them", async () => {
    const sent: unknown[] = [];
    const fetch = async (_url: string | URL, init: RequestInit) => {
      const given = init.headers as Record<string, string>;
      sent.push({ ...given, authorization: "Bearer t" }, given["x-tenant"]);
      return streamResponse();
    };
    const { signal } = new AbortController();
    const asked = {
      method: "POST",
      accept: "x/y",
      body: 1,
      lastEventId: "run.3",
      signal,
      timeoutMs: Infinity,
    };
    for (const headers of [
      { "X-Tenant": "a" },
      [["X-Tenant", "a"]] as [string, string][],
      new Headers({ "X-Tenant": "a" }),
    ]) {
      await fetchRoute({ endpoint: "/api", fetch, headers }, asked);
      expect(sent.splice(0)).toEqual([
        {
          accept: "x/y",
          "content-type": "application/json",
          "x-tenant": "a",
          "last-event-id": "run.3",
          authorization: "Bearer t",
        },
        "a",
      ]);
    }
  });

  test("of the caller, in any shape and case, replace ours", async () => {
    const entries: [string, string][] = [
      ["ACCEPT", "x/y"],
      ["X-Token", "t"],
    ];
    for (const headers of [
      entries,
      Object.fromEntries(entries),
      new Headers(entries),
      () => entries,
      async () => new Headers(entries),
    ]) {
      expect((await request({ headers }, { body: 1 })).headers).toEqual({
        accept: "x/y",
        "content-type": "application/json",
        "x-token": "t",
      });
    }
  });

  test("of the request itself are replaced by nothing", async () => {
    const { headers } = await request(
      { headers: { "Last-Event-ID": "caller", "x-other": "kept" } },
      { method: "GET", lastEventId: "run.3" },
    );
    expect(headers).toEqual({ accept: "text/event-stream", "last-event-id": "run.3", "x-other": "kept" });
  });
});

describe("the rest of the request", () => {
  test("is the method, the body as JSON, no cache, and credentials where they are given", async () => {
    const { init } = await request({ credentials: "include" }, { method: "DELETE", body: { a: [1] } });
    expect(init).toMatchObject({
      method: "DELETE",
      body: '{"a":[1]}',
      cache: "no-store",
      credentials: "include",
    });
    const bare = (await request({}, { method: "GET" })).init;
    expect(bare.body).toBeUndefined();
    // A fetch around the global one may have its own.
    expect(bare).not.toHaveProperty("credentials");
  });

  test("false, 0, null and an empty text are bodies, undefined is none", async () => {
    for (const [body, sent] of [
      [false, "false"],
      [0, "0"],
      [null, "null"],
      ["", '""'],
      [undefined, undefined],
      [async () => undefined, undefined],
    ] as const) {
      expect((await request({}, { body })).init.body).toBe(sent);
    }
  });

  test.each<[string, (options: { endpoint: string } & Pick<RouteOptions, "fetch" | "fetchImpl">) => unknown]>(
    [
      [
        "streamFromRoute",
        (options) =>
          streamFromRoute({ ...options, body: {} })
            [Symbol.asyncIterator]()
            .next(),
      ],
      ["streamChatFromRoute", (options) => consumeStream(streamChatFromRoute({ ...options, messages: [] }))],
      ["requestChat", (options) => requestChat({ ...options, messages: [] })],
      ["createChat", (options) => createChat(options).send("Hi")],
    ],
  )("%s takes its fetch as fetchImpl, too", async (_, ask) => {
    const globalFetch = vi.fn();
    vi.stubGlobal("fetch", globalFetch);
    const fetchImpl = vi.fn(async () => new Response("{}", { status: 400 }));
    await Promise.resolve(ask({ endpoint: "/api", fetchImpl })).catch(() => {});
    expect(fetchImpl).toHaveBeenCalledTimes(1);
    const fetch = vi.fn(async () => new Response("{}", { status: 400 }));
    await Promise.resolve(ask({ endpoint: "/api", fetchImpl, fetch })).catch(() => {});
    expect([fetch, fetchImpl, globalFetch].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
  });

  test("a fetchImpl that is not a function is refused by name", () => {
    const options = { endpoint: "/api", messages: [], fetchImpl: 1 as never };
    expect(() => streamChatFromRoute(options)).toThrow("fetchImpl");
    expect(() => createChat(options)).toThrow("fetchImpl");
  });

  test("is made with the global fetch of the moment when there is no other", async () => {
    const { calls, fetch } = fakeFetch();
    vi.stubGlobal("fetch", fetch);
    const { signal } = new AbortController();
    await fetchRoute({ endpoint: "/api" }, { method: "GET", accept: "x/y", signal, timeoutMs: Infinity });
    expect(calls).toHaveLength(1);
  });
});

/** What Node's `fetch` throws: the reason is one level down. */
const refusedInNode = (code: string | undefined, message: string) =>
  new TypeError("fetch failed", { cause: Object.assign(new Error(message), code && { code }) });

describe("no answer", () => {
  const start = (fetch: RouteOptions["fetch"], timeoutMs: number, signal = new AbortController().signal) => {
    const response = fetchRoute(
      { endpoint: new URL("http://host/api"), fetch },
      { method: "POST", accept: "x/y", query: { a: "1" }, signal, timeoutMs },
    );
    response.catch(() => {});
    return response;
  };

  test("in time is an error that names the URL and the time, and aborts the request", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = hangingFetch();
    const response = start(fetch, 30_000);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls[0]?.init.signal?.aborted).toBe(true);
    await expect(response).rejects.toMatchObject({
      name: "StreamConnectionError",
      code: "connection",
      message: "No response from http://host/api?a=1: No data received for 30 s: the answer is incomplete.",
      cause: { name: "StreamIdleError" },
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is waited for without end when the time is forever", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = hangingFetch();
    start(fetch, Infinity);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
  });

  test("because fetch failed is an error with its cause, whatever that is, and leaves no timer", async () => {
    vi.useFakeTimers();
    const causes =
      "Nothing listens there, there is no network, or, in a page, CORS or the Content-Security-Policy forbids the request.";
    for (const [cause, said] of [
      [new TypeError("Failed to fetch"), "TypeError: Failed to fetch"],
      [refusedInNode("ECONNREFUSED", ""), "TypeError: fetch failed (ECONNREFUSED)"],
      [refusedInNode(undefined, "bad port"), "TypeError: fetch failed (bad port)"],
      ["offline", "offline"],
      [undefined, "undefined"],
    ] as const) {
      await expect(start(() => Promise.reject(cause), 30_000)).rejects.toMatchObject({
        name: "StreamConnectionError",
        message: `No response from http://host/api?a=1: ${said}. ${causes}`,
        cause,
      });
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an answer in time leaves no timer, and its body is not aborted when the time is over", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = fakeFetch();
    await start(fetch, 30_000);
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
  });

  test("the caller's abort reaches the request with its reason, also when the headers are there", async () => {
    const abort = new AbortController();
    const { calls, fetch } = fakeFetch();
    await start(fetch, 30_000, abort.signal);
    abort.abort("stopped");
    expect(calls[0]?.init.signal?.reason).toBe("stopped");
  });
});

describe("options that are functions", () => {
  test("are evaluated once for a request, the endpoint first, then the body, then the headers", async () => {
    const order: string[] = [];
    const note =
      <Value>(name: string, value: Value) =>
      async () => {
        order.push(name);
        return value;
      };
    const [endpoint, headers, body] = [note("endpoint", "/x"), note("headers", {}), note("body", 1)];
    await request({ endpoint, headers }, { body });
    expect(order).toEqual(["endpoint", "body", "headers"]);
  });

  test("that give no URL are a mistake that is named, in place of a request for /undefined", async () => {
    for (const [given, described] of [
      [undefined, "undefined"],
      [null, "null"],
      [7, "7"],
    ]) {
      const { calls, fetch } = fakeFetch();
      const { signal } = new AbortController();
      const response = fetchRoute(
        { endpoint: (() => given) as never, fetch },
        { method: "GET", accept: "x/y", signal, timeoutMs: 0 },
      );
      await expect(response).rejects.toMatchObject({
        name: "StreamRequestError",
        message: `The request cannot be made: \`endpoint\` is ${described}; expected a URL.`,
      });
      expect(calls).toHaveLength(0);
    }
  });

  test("that throw make no request, leave no timer, and are not taken for a missing answer", async () => {
    vi.useFakeTimers();
    const boom = new Error("no token");
    for (const option of [
      { endpoint: () => Promise.reject(boom) },
      { headers: () => Promise.reject(boom) },
    ]) {
      const { calls, fetch } = fakeFetch();
      const { signal } = new AbortController();
      const response = fetchRoute(
        { endpoint: "/", fetch, ...option },
        { method: "GET", accept: "x/y", signal, timeoutMs: 30_000 },
      );
      await expect(response).rejects.toBe(boom);
      expect([calls.length, vi.getTimerCount()]).toEqual([0, 0]);
    }
  });

  test("of whoever leaves meanwhile lead to no request, but to the signal's reason", async () => {
    const { calls, fetch } = fakeFetch();
    const abort = new AbortController();
    const response = fetchRoute(
      { endpoint: "/", fetch, headers: () => macrotask().then(() => ({})) },
      { method: "GET", accept: "x/y", signal: abort.signal, timeoutMs: 30_000 },
    );
    abort.abort("stopped");
    await expect(response).rejects.toBe("stopped");
    expect(calls).toHaveLength(0);
  });
});

describe("a request that cannot be made", () => {
  afterEach(() => void vi.unstubAllGlobals());
  const { signal } = new AbortController();
  const errorOf = (route: Partial<RouteOptions>, asked: Partial<RouteRequest> = {}) =>
    fetchRoute(
      { endpoint: "http://127.0.0.1/", ...route },
      { method: "POST", accept: "x/y", signal, timeoutMs: 1_000, ...asked },
    ).catch((error: unknown) => error as Error);

  const relative =
    'endpoint "/api/chat" is not a URL; outside a page it must be absolute, such as "https://example.com/api/chat".';
  const scheme = (url: string) =>
    `endpoint "${url}" has a scheme that cannot be requested; use "http:" or "https:".`;
  const noBody = "Request with GET/HEAD method cannot have body.";
  const mistakes: [string, Partial<RouteOptions>, Partial<RouteRequest>, string][] = [
    ["a relative endpoint", { endpoint: "/api/chat" }, {}, relative],
    ["an endpoint without a scheme", { endpoint: "localhost:3000/api" }, {}, scheme("localhost:3000/api")],
    ["a scheme that fetch does not know", { endpoint: "ftp://host/" }, {}, scheme("ftp://host/")],
    ["a scheme of sockets", { endpoint: new URL("ws://host/") }, {}, scheme("ws://host/")],
    ["a GET with a body", {}, { method: "GET", body: {} }, noBody],
    ["a HEAD with a body", {}, { method: "HEAD", body: {} }, noBody],
    ["a method that is none", {}, { method: "A B" }, "'A B' is not a valid HTTP method."],
    [
      "a header's name that is none",
      { headers: { "a b": "c" } },
      {},
      "`headers` cannot be sent: Headers.append: ",
    ],
    [
      "a header's value that is none",
      { headers: { a: "語" } },
      {},
      "`headers` cannot be sent: Cannot convert ",
    ],
    ["a body that JSON cannot hold", {}, { body: { n: 1n } }, "`body` cannot be sent as JSON: Do not know "],
  ];

  for (const [name, route, asked, message] of mistakes) {
    test(`because of ${name} says what to change`, async () => {
      // As many wrap it.
      const wrapped: RouteOptions["fetch"] = (url, init) => globalThis.fetch(url, { ...init });
      for (const fetch of [undefined, wrapped]) {
        expect(await errorOf({ ...route, fetch }, asked)).toMatchObject({
          name: "StreamRequestError",
          code: "invalid-request",
          message: expect.stringContaining(`The request cannot be made: ${message}`),
          cause: expect.any(TypeError),
        });
      }
    });
  }

  test("is not one that the application's own fetch takes, and that fails for another reason", async () => {
    for (const endpoint of ["/api", "http://user:secret@host/"]) {
      const fetch = () => Promise.reject(new TypeError("fetch failed"));
      expect(await errorOf({ endpoint, fetch })).toMatchObject({ name: "StreamConnectionError" });
    }
  });

  test("is not one to the page's own scheme, as applications of the desktop have them", async () => {
    vi.stubGlobal("document", { baseURI: "app://local/index.html" });
    const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    expect(await errorOf({ endpoint: "app://local/api", fetch })).toMatchObject({
      name: "StreamConnectionError",
    });
    expect(await errorOf({ endpoint: "ftp://local/api", fetch })).toMatchObject({
      name: "StreamRequestError",
    });
  });

  test("is not one that was aborted", async () => {
    const abort = new AbortController();
    const fetch = async () => {
      abort.abort("stopped");
      throw abort.signal.reason;
    };
    expect(await errorOf({ endpoint: "ftp://x/", fetch }, { signal: abort.signal })).toMatchObject({
      name: "StreamConnectionError",
      cause: "stopped",
    });
  });

  test("leaves no timer", async () => {
    vi.useFakeTimers();
    await errorOf({ endpoint: "/api" });
    await errorOf({}, { body: 1n });
    expect(vi.getTimerCount()).toBe(0);
  });
});
