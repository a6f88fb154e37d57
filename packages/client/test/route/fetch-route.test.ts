import { afterEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import { fetchRoute, type RouteOptions, type RouteRequest } from "../../src/route/fetch-route.ts";
import { requestChat } from "../../src/route/request-chat.ts";
import { streamChatFromRoute, streamFromRoute } from "../../src/route/stream-from-route.ts";
import { consumeStream } from "../../src/stream/consume-stream.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import { greeting, macrotask, never, streamResponse } from "../stream/bodies.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Makes one request and returns the arguments of `fetch`. */
async function request(route: Partial<RouteOptions>, request: Partial<RouteRequest> = {}) {
  const { calls, fetch } = createScriptedFetch(greeting);
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

  test("is added to a URL, and to the result of a function", async () => {
    const query = { run: "a&b", after: "=" };
    for (const endpoint of [new URL("http://host/api?x=1"), () => new URL("http://host/api?x=1")]) {
      expect((await request({ endpoint }, { query })).url).toBe("http://host/api?x=1&run=a%26b&after=%3D");
    }
  });

  test("leaves the endpoint unchanged when it is empty", async () => {
    const endpoint = new URL("http://host/api?x=1#y");
    expect((await request({ endpoint })).url).toBe(endpoint);
  });
});

describe("headers", () => {
  test("describe the sent and the expected type, with content-type only for a body", async () => {
    expect((await request({}, { body: null })).headers).toEqual({
      accept: "text/event-stream",
      "content-type": "application/json",
    });
    // Without content-type, a GET to another origin needs no preflight.
    expect((await request({}, { method: "GET", accept: "application/json" })).headers).toEqual({
      accept: "application/json",
    });
  });

  test("reach a custom fetch that spreads or indexes them", async () => {
    const sent: unknown[] = [];
    const fetch = async (_url: string | URL, init: RequestInit) => {
      const given = init.headers as Record<string, string>;
      sent.push({ ...given, authorization: "Bearer t" }, given["x-tenant"]);
      return streamResponse();
    };
    const { signal } = new AbortController();
    const routeRequest = {
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
      await fetchRoute({ endpoint: "/api", fetch, headers }, routeRequest);
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

  test("from the caller replace ours, in any shape and case", async () => {
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

  test("that belong to the request itself cannot be replaced", async () => {
    const { headers } = await request(
      { headers: { "Last-Event-ID": "caller", "x-other": "kept" } },
      { method: "GET", lastEventId: "run.3" },
    );
    expect(headers).toEqual({ accept: "text/event-stream", "last-event-id": "run.3", "x-other": "kept" });
  });
});

describe("the rest of the request", () => {
  test("has the method, a JSON body, no cache, and credentials only if the caller sets them", async () => {
    const { init } = await request({ credentials: "include" }, { method: "DELETE", body: { a: [1] } });
    expect(init).toMatchObject({
      method: "DELETE",
      body: '{"a":[1]}',
      cache: "no-store",
      credentials: "include",
    });
    const bare = (await request({}, { method: "GET" })).init;
    expect(bare.body).toBeUndefined();
    // A wrapper of the global fetch may set its own credentials.
    expect(bare).not.toHaveProperty("credentials");
  });

  test("has a body for false, 0, null and an empty string, and none for undefined", async () => {
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
  )("%s also takes its fetch as fetchImpl", async (_, request) => {
    const globalFetch = vi.fn();
    vi.stubGlobal("fetch", globalFetch);
    const fetchImpl = vi.fn(async () => new Response("{}", { status: 400 }));
    await Promise.resolve(request({ endpoint: "/api", fetchImpl })).catch(() => {});
    expect(fetchImpl).toHaveBeenCalledTimes(1);
    const fetch = vi.fn(async () => new Response("{}", { status: 400 }));
    await Promise.resolve(request({ endpoint: "/api", fetchImpl, fetch })).catch(() => {});
    expect([fetch, fetchImpl, globalFetch].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
  });

  test("a fetchImpl that is not a function is refused, and the error names the option", () => {
    const options = { endpoint: "/api", messages: [], fetchImpl: 1 as never };
    expect(() => streamChatFromRoute(options)).toThrow("fetchImpl");
    expect(() => createChat(options)).toThrow("fetchImpl");
  });

  test("uses the global fetch at the time of the request unless the caller passes one", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
    vi.stubGlobal("fetch", fetch);
    const { signal } = new AbortController();
    await fetchRoute({ endpoint: "/api" }, { method: "GET", accept: "x/y", signal, timeoutMs: Infinity });
    expect(calls).toHaveLength(1);
  });
});

/** An error as Node's `fetch` throws it, with the reason in its cause. */
const refusedInNode = (code: string | undefined, message: string) =>
  new TypeError("fetch failed", { cause: Object.assign(new Error(message), code && { code }) });

describe("a missing response", () => {
  const start = (fetch: RouteOptions["fetch"], timeoutMs: number, signal = new AbortController().signal) => {
    const response = fetchRoute(
      { endpoint: new URL("http://host/api"), fetch },
      { method: "POST", accept: "x/y", query: { a: "1" }, signal, timeoutMs },
    );
    response.catch(() => {});
    return response;
  };

  test("after the timeout is an error with the URL and the timeout, and aborts the request", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = createScriptedFetch(never);
    const response = start(fetch, 30_000);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls[0]?.init.signal?.aborted).toBe(true);
    await expect(response).rejects.toMatchObject({
      name: "StreamConnectionError",
      code: "connection",
      message: "No response from http://host/api?a=1 within 30 s.",
      cause: { name: "StreamIdleError", silentMs: 30_000 },
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is waited for without a limit when the timeout is infinite", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = createScriptedFetch(never);
    start(fetch, Infinity);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
  });

  test("due to a failed fetch is an error with its cause, of any type, and leaves no timer", async () => {
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

  test("is no longer watched for once a response arrives: no timer is left, and the body is not aborted", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = createScriptedFetch(greeting);
    await start(fetch, 30_000);
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
  });

  test("the caller's abort reaches the request with its reason, even after the headers", async () => {
    const abort = new AbortController();
    const { calls, fetch } = createScriptedFetch(greeting);
    await start(fetch, 30_000, abort.signal);
    abort.abort("stopped");
    expect(calls[0]?.init.signal?.reason).toBe("stopped");
  });
});

describe("options that are functions", () => {
  test("are called once per request: the endpoint first, then the body, then the headers", async () => {
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

  test("that return no URL are reported, and no request for /undefined is made", async () => {
    for (const [given, described] of [
      [undefined, "undefined"],
      [null, "null"],
      [7, "7"],
    ]) {
      const { calls, fetch } = createScriptedFetch(greeting);
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

  test("that throw make no request, leave no timer, and are not reported as a missing response", async () => {
    vi.useFakeTimers();
    const boom = new Error("no token");
    for (const option of [
      { endpoint: () => Promise.reject(boom) },
      { headers: () => Promise.reject(boom) },
    ]) {
      const { calls, fetch } = createScriptedFetch(greeting);
      const { signal } = new AbortController();
      const response = fetchRoute(
        { endpoint: "/", fetch, ...option },
        { method: "GET", accept: "x/y", signal, timeoutMs: 30_000 },
      );
      await expect(response).rejects.toBe(boom);
      expect([calls.length, vi.getTimerCount()]).toEqual([0, 0]);
    }
  });

  test("that resolve after the caller aborts make no request, and reject with the signal's reason", async () => {
    const { calls, fetch } = createScriptedFetch(greeting);
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
  const errorOf = (route: Partial<RouteOptions>, overrides: Partial<RouteRequest> = {}) =>
    fetchRoute(
      { endpoint: "http://127.0.0.1/", ...route },
      { method: "POST", accept: "x/y", signal, timeoutMs: 1_000, ...overrides },
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
    ["an invalid method", {}, { method: "A B" }, "'A B' is not a valid HTTP method."],
    ["an invalid header name", { headers: { "a b": "c" } }, {}, "`headers` cannot be sent: Headers.append: "],
    ["an invalid header value", { headers: { a: "語" } }, {}, "`headers` cannot be sent: Cannot convert "],
    ["a body that JSON cannot hold", {}, { body: { n: 1n } }, "`body` cannot be sent as JSON: Do not know "],
  ];

  for (const [name, route, overrides, message] of mistakes) {
    test(`because of ${name} reports what to change`, async () => {
      // Many applications wrap fetch this way.
      const wrapped: RouteOptions["fetch"] = (url, init) => globalThis.fetch(url, { ...init });
      for (const fetch of [undefined, wrapped]) {
        expect(await errorOf({ ...route, fetch }, overrides)).toMatchObject({
          name: "StreamRequestError",
          code: "invalid-request",
          message: expect.stringContaining(`The request cannot be made: ${message}`),
          cause: expect.any(TypeError),
        });
      }
    });
  }

  test("is not reported when a custom fetch accepts it and fails for another reason", async () => {
    for (const endpoint of ["/api", "http://user:secret@host/"]) {
      const fetch = () => Promise.reject(new TypeError("fetch failed"));
      expect(await errorOf({ endpoint, fetch })).toMatchObject({ name: "StreamConnectionError" });
    }
  });

  test("is not reported for the page's own scheme, as in desktop applications", async () => {
    vi.stubGlobal("document", { baseURI: "app://local/index.html" });
    const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    expect(await errorOf({ endpoint: "app://local/api", fetch })).toMatchObject({
      name: "StreamConnectionError",
    });
    expect(await errorOf({ endpoint: "ftp://local/api", fetch })).toMatchObject({
      name: "StreamRequestError",
    });
  });

  test("is not reported after an abort", async () => {
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
