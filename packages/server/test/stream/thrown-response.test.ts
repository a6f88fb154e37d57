import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { runInNewContext } from "node:vm";
import type { StreamChunk } from "@kortyx/protocol";
import { HTTPException } from "hono/http-exception";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ChatRoute, ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { ChatRunOptions } from "../../src/runs/run-options.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
afterEach(() => {
  log.mockClear();
});

const messages = [{ role: "user", content: "Hi" }];
const request = (body: object = {}) =>
  new Request("http://host/api/chat", {
    method: "POST",
    body: JSON.stringify({ messages, ...body }),
    headers: { "content-type": "application/json", origin: "https://app.example" },
  });
const done: StreamChunk = { type: "done" };
const answer = async function* () {
  yield done;
};

/** The places where application code runs before anything is sent, each with a route in which it throws `thrown`. */
const places: Record<string, (thrown: unknown) => Partial<ChatRouteOptions> & { stream?: boolean }> = {
  "authorize throws": (thrown) => ({
    authorize() {
      throw thrown;
    },
  }),
  "authorize rejects": (thrown) => ({ authorize: async () => Promise.reject(thrown) }),
  "the agent throws when called": (thrown) => ({
    agent: {
      streamChat() {
        throw thrown;
      },
    },
  }),
  "the agent rejects when called": (thrown) => ({ agent: { streamChat: () => Promise.reject(thrown) } }),
  "the agent throws before its first chunk": (thrown) => ({ agent: throwingAgent(thrown) }),
  "a buffered answer's agent throws": (thrown) => ({ agent: throwingAgent(thrown), stream: false }),
  // A stream would have begun by then.
  "a buffered answer's agent throws after 40 ms": (thrown) => ({
    agent: {
      async *streamChat() {
        await new Promise((resolve) => setTimeout(resolve, 40));
        yield* throwingAgent(thrown).streamChat();
      },
    },
    stream: false,
  }),
};

function throwingAgent(thrown: unknown, chunks: StreamChunk[] = []) {
  return {
    async *streamChat() {
      yield* chunks;
      throw thrown;
    },
  };
}

async function post(thrown: unknown, place: keyof typeof places, options: Partial<ChatRouteOptions> = {}) {
  const { stream, ...given } = places[place]!(thrown);
  const route = createChatRoute({ agent: { streamChat: answer }, ...options, ...given });
  return route.POST(request({ ...(stream === false && { stream }) }));
}

/** An error as Next.js throws it, for example in `redirect()`. */
const digested = (digest: string) => Object.assign(new Error(digest), { digest });

/** A response of another class than the global one, as from a polyfill or another realm. */
function responseOfAnotherRealm(): unknown {
  const make = runInNewContext(
    `(body, headers) => ({
      status: 402, statusText: "", url: "", bodyUsed: false, headers, body,
      arrayBuffer() {}, text() {}, json() {},
    })`,
  );
  return make(new Response("Upgrade.").body, new Headers({ "x-plan": "free" }));
}

describe.each(Object.keys(places))("%s:", (place) => {
  test("a Response becomes the answer, and nothing is logged", async () => {
    const thrown = new Response("Please sign in.", { status: 401, headers: { "x-own": "1" } });
    const response = await post(thrown, place);
    expect(response).toBe(thrown);
    expect([response.status, response.headers.get("x-own"), await response.text()]).toEqual([
      401,
      "1",
      "Please sign in.",
    ]);
    expect(log).not.toHaveBeenCalled();
  });

  test("a redirect can be read by pages of other origins", async () => {
    const response = await post(Response.redirect("https://login.example/"), place, {
      cors: { origin: "https://app.example" },
    });
    expect([response.status, response.headers.get("location")]).toEqual([302, "https://login.example/"]);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
  });

  test("a Response of another realm becomes the answer, as a Response of this one", async () => {
    const response = await post(responseOfAnotherRealm(), place);
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.headers.get("x-plan"), await response.text()]).toEqual([
      402,
      "free",
      "Upgrade.",
    ]);
  });

  test("the response of Hono's HTTPException becomes the answer", async () => {
    const plain = await post(new HTTPException(403, { message: "Not yours." }), place);
    expect([plain.status, await plain.text()]).toEqual([403, "Not yours."]);
    const res = new Response("Wait.", { headers: { "retry-after": "9" } });
    const own = await post(new HTTPException(429, { res }), place);
    expect([own.status, own.headers.get("retry-after"), await own.text()]).toEqual([429, "9", "Wait."]);
    expect(log).not.toHaveBeenCalled();
  });

  test.each([
    ["redirect() of Next.js", digested("NEXT_REDIRECT;replace;/login;307;")],
    ["notFound() of Next.js", digested("NEXT_HTTP_ERROR_FALLBACK;404")],
    ["cookies() of Next.js while it builds", digested("DYNAMIC_SERVER_USAGE")],
    ["redirect() of SvelteKit", { status: 303, location: "/login" }],
    [
      "error() of SvelteKit",
      new (class HttpError {
        status = 403;
        body = { message: "Not yours." };
      })(),
    ],
    ["data() of React Router", { type: "DataWithResponseInit", data: "No.", init: { status: 403 } }],
  ])("%s is rethrown for the framework to handle", async (_, thrown) => {
    await expect(post(thrown, place)).rejects.toBe(thrown);
    expect(log).not.toHaveBeenCalled();
  });

  test.each<[string, unknown]>([
    ["an error", new Error("password=hunter2")],
    ["an error with another server's digest", digested("1234567890")],
    [
      "an error of an HTTP client",
      Object.assign(new Error("password=hunter2"), { status: 403, body: { message: "password=hunter2" } }),
    ],
    ["an object that is not an error", { status: 200, message: "password=hunter2" }],
    ["the data of another server's response", { status: 401, body: { message: "password=hunter2" } }],
    ["Nest's exception, whose getResponse() returns no Response", { getResponse: () => "password=hunter2" }],
    [
      "a getResponse() that throws",
      {
        getResponse() {
          throw new Error("password=hunter2");
        },
      },
    ],
    ["a Response whose status cannot be sent", Response.error()],
    ["nothing", undefined],
  ])("%s causes a masked 500 and is logged", async (_, thrown) => {
    const response = await post(thrown, place);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual(
      place.startsWith("a buffered answer")
        ? expect.objectContaining({ code: "internal" })
        : {
            error: "Something went wrong on the server.",
            code: "internal",
            correlationId: expect.any(String),
          },
    );
    expect(log).toHaveBeenCalledTimes(1);
  });

  test("a Response that was or is being read causes a masked 500, not a rejection", async () => {
    const read = new Response("Please sign in.", { status: 401 });
    await read.text();
    const locked = new Response("Please sign in.", { status: 401 });
    locked.body!.getReader();
    for (const thrown of [read, locked]) {
      expect((await post(thrown, place, { cors: { origin: "*" } })).status).toBe(500);
    }
  });
});

describe("a Response of fetch()", () => {
  let provider: Server;
  let url: string;
  beforeAll(async () => {
    provider = createServer((_, res) => res.writeHead(401).end("The key sk-123 is not valid."));
    await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    provider.closeAllConnections();
    provider.close();
  });

  test("causes a masked 500 if an agent throws it, because it is another server's", async () => {
    const response = await post(await fetch(url), "the agent throws before its first chunk");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("sk-123");
  });
});

test("a Response thrown after a silent stream has opened becomes a masked error chunk", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    let reject!: (thrown: unknown) => void;
    const streamChat = () =>
      new Promise<never>((_, refused) => {
        reject = refused;
      });
    const answered = createChatRoute({ agent: { streamChat } }).POST(request());
    await vi.waitFor(() => expect(reject).toBeDefined());
    await vi.advanceTimersByTimeAsync(30);
    const response = await answered;
    reject(new Response("No.", { status: 401 }));
    expect([response.status, await response.text()]).toEqual([
      200,
      expect.stringContaining('"Something went wrong on the server."'),
    ]);
    expect(log).toHaveBeenCalledTimes(1);
  } finally {
    vi.useRealTimers();
  }
});

test("a Response or redirect thrown mid-stream becomes a masked error chunk, and is logged", async () => {
  const text: StreamChunk = { type: "text-delta", delta: "a" };
  for (const thrown of [new Response("No.", { status: 401 }), digested("NEXT_REDIRECT;push;/;307;")]) {
    const route = createChatRoute({ agent: throwingAgent(thrown, [text]) });
    const response = await route.POST(request());
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('"Something went wrong on the server."');
  }
  expect(log).toHaveBeenCalledTimes(2);
});

describe("with runs", () => {
  const redirect = digested("NEXT_REDIRECT;replace;/login;307;");
  const refuse = () => new Response("No credit left.", { status: 402 });

  function runRoute(
    runs: Partial<ChatRunOptions>,
    agent: ChatRouteOptions["agent"] = { streamChat: answer },
  ) {
    const store = createMemoryRunStore();
    const authorize = () => "ann";
    return createChatRoute({ agent, authorize, runs: { store, ...runs } });
  }
  const eventsOf = async (response: Response) =>
    [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(([, data]) => data);

  test("a Response of onStart becomes the answer, and the agent is not called", async () => {
    const streamChat = vi.fn(answer);
    let reject!: (thrown: unknown) => void;
    const onStart = () =>
      new Promise((_, refused) => {
        reject = refused;
      });
    const route = runRoute({ onStart }, { streamChat });
    const answered = route.POST(request());
    await vi.waitFor(() => expect(reject).toBeDefined());
    reject(refuse());
    const response = await answered;
    expect([response.status, await response.text()]).toEqual([402, "No credit left."]);
    expect(streamChat).not.toHaveBeenCalled();
    expect(log).not.toHaveBeenCalled();
  });

  test.each([true, false])(
    "a Response from the agent becomes the answer, with stream: %s",
    async (stream) => {
      for (const agent of [
        throwingAgent(refuse()),
        {
          streamChat() {
            throw refuse();
          },
        },
      ]) {
        const response = await runRoute({}, agent).POST(request({ stream }));
        expect([response.status, await response.text()]).toEqual([402, "No credit left."]);
      }
      expect(log).not.toHaveBeenCalled();
    },
  );

  test("a Response of authorize also becomes the answer to GET and DELETE", async () => {
    const authorize = () => {
      throw new Response("Please sign in.", { status: 401 });
    };
    const route = createChatRoute({
      agent: { streamChat: answer },
      authorize,
      runs: { store: createMemoryRunStore() },
    });
    for (const method of ["GET", "DELETE"]) {
      const response = await route.fetch(new Request("http://host/api/chat?run=1", { method }));
      expect([response.status, await response.text()]).toEqual([401, "Please sign in."]);
    }
  });

  test("an error for the framework is rethrown", async () => {
    const onStart = () => Promise.reject(redirect);
    await expect(runRoute({ onStart }).POST(request())).rejects.toBe(redirect);
    await expect(runRoute({}, throwingAgent(redirect)).POST(request())).rejects.toBe(redirect);
  });

  test("a client that attaches to a refused run receives the refusal as an error", async () => {
    const route = runRoute({}, throwingAgent(refuse()));
    const body = { idempotencyKey: "key-1" };
    expect((await route.POST(request(body))).status).toBe(402);
    const attached = await route.POST(request(body));
    expect(await eventsOf(attached)).toEqual([
      expect.stringContaining('"type":"run-start"'),
      '{"type":"error","message":"The request was refused.","code":"refused"}',
      "[DONE]",
    ]);
  });

  test("a Response thrown after a run's first chunk becomes a masked error chunk", async () => {
    const chunk: StreamChunk = { type: "text-delta", delta: "a" };
    const response = await runRoute({}, throwingAgent(refuse(), [chunk])).POST(request());
    expect([response.status, await response.text()]).toEqual([200, masked]);
    expect(log).toHaveBeenCalledTimes(1);
  });

  const masked = expect.stringContaining('"Something went wrong on the server."');

  test.each<[string, number, (pending: () => Promise<never>) => ChatRoute]>([
    ["a silent agent", 25, (pending) => runRoute({}, { streamChat: pending })],
    ["a slow onStart", 1000, (pending) => runRoute({ onStart: pending })],
  ])("a run with %s becomes a stream after %i ms", async (_, beginsAfterMs, createRoute) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const { promise, reject } = Promise.withResolvers<never>();
      const pending = vi.fn(() => promise);
      let response: Response | undefined;
      const answered = createRoute(pending)
        .POST(request())
        .then((begun) => {
          response = begun;
        });
      // Unlike vi.waitFor(), this leaves the clock alone.
      while (pending.mock.calls.length === 0) await new Promise(setImmediate);
      await vi.advanceTimersByTimeAsync(beginsAfterMs - 1);
      expect(response).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      await answered;
      reject(refuse());
      const text = response?.text();
      await vi.advanceTimersByTimeAsync(100);
      expect([response?.status, await text]).toEqual([200, masked]);
      expect(log).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("stopping a run during onStart ends its request", async () => {
    const route = runRoute({ onStart: () => new Promise(() => {}) });
    const answered = route.POST(request({ sessionId: "s" }));
    const stop = () => route.DELETE(new Request("http://host/api/chat?session=s", { method: "DELETE" }));
    await vi.waitFor(async () => expect((await stop()).status).toBe(200));
    expect(await eventsOf(await answered)).toContain('{"type":"abort","reason":"stopped"}');
  });
});
