import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerResponse } from "node:http2";
import { type AddressInfo, connect, type Server } from "node:net";
import compression from "compression";
import express from "express";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { HTTPException } from "hono/http-exception";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { toSSE } from "../../src/index.ts";
import type { NodeRequest, NodeResponse } from "../../src/node.ts";
import { openRequest } from "./node-client.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
const crashes: unknown[] = [];
const onCrash = (error: unknown) => void crashes.push(error);
process.on("unhandledRejection", onCrash);
process.on("uncaughtException", onCrash);

const closers: (() => unknown)[] = [];
/** A fresh copy, because it logs headers that come too late only once per process. */
let node: typeof import("../../src/node.ts");
beforeEach(async () => {
  log.mockClear();
  vi.resetModules();
  node = await import("../../src/node.ts");
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  expect(crashes.splice(0)).toEqual([]);
});

const done = 'data: {"type":"done"}\n\ndata: [DONE]\n\n';
const loggedText = () => log.mock.calls.map((call) => call.join(" ")).join("\n");

/** A source that is already open and records whether it was closed. */
function openSource() {
  const state = { isClosed: false };
  const chunks = [{ type: "done" } as const].values();
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => chunks.next(),
      async return() {
        state.isClosed = true;
        return { done: true as const, value: undefined };
      },
    }),
  };
  return { source, state };
}

type Listener = (req: NodeRequest, res: NodeResponse) => Promise<void>;
type AnyResponse = NodeResponse & Pick<ServerResponse & Http2ServerResponse, "setHeader" | "appendHeader">;

/** Both ways to send a stream, with the caller's headers and status. */
const senders = {
  sendStream:
    (source: AsyncIterable<never>, options?: object): Listener =>
    (req, res) =>
      node.sendStream(req, res, source, options),
  toNodeHandler: (source: AsyncIterable<never>, options?: object): Listener =>
    node.toNodeHandler(() => toSSE(source, options)),
};

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Lets `prepare` change the response before the listener gets it. @returns one response, read to its end. */
async function answerOf(
  protocol: "http1" | "http2",
  prepare: (res: AnyResponse, req: NodeRequest) => unknown,
  makeListener: () => Listener,
) {
  let settled: Promise<void> | undefined;
  let thrown: unknown;
  const listener = makeListener();
  const onRequest = (req: NodeRequest, res: NodeResponse) => {
    prepare(res as AnyResponse, req);
    try {
      settled = listener(req, res);
    } catch (error) {
      thrown = error;
    }
  };
  const server: Server = protocol === "http2" ? createHttp2Server(onRequest) : createServer(onRequest);
  const origin = await listen(server);
  closers.push(() => server.close());
  const response = await openRequest({ protocol, origin });
  let text = "";
  let isCut = false;
  try {
    for await (const piece of response.pieces) text += piece;
  } catch {
    isCut = true;
  }
  expect(thrown).toBeUndefined();
  await expect(settled).resolves.toBeUndefined();
  return { status: response.status, headers: response.headers, text, isCut };
}

describe.each(["http1", "http2"] as const)("over %s", (protocol) => {
  describe.each(Object.entries(senders))("%s", (name, sender) => {
    const answer = (prepare: Parameters<typeof answerOf>[1], options?: object) => {
      const { source, state } = openSource();
      const make = () => sender(source as AsyncIterable<never>, options);
      return answerOf(protocol, prepare, make).then((result) => ({ ...result, state }));
    };

    test("after flushHeaders(), the stream continues the open response, and missing headers are logged once", async () => {
      const flush = (res: AnyResponse) => {
        res.setHeader("content-type", "text/event-stream");
        res.flushHeaders!();
      };
      for (let time = 0; time < 2; time++) {
        const { status, headers, text, isCut } = await answer(flush);
        expect([status, headers["content-type"], text, isCut]).toEqual([
          200,
          "text/event-stream",
          done,
          false,
        ]);
      }
      expect(log.mock.calls).toEqual([
        [expect.stringMatching(/sent before.*lack: cache-control: no-cache, x-accel-buffering: no\./)],
      ]);
    });

    test("after a first piece with another status, the application's choice stands", async () => {
      const begin = (res: AnyResponse) => {
        res.statusCode = 202;
        res.write(": hello\n\n");
      };
      const { status, text } = await answer(begin);
      expect([status, text]).toEqual([202, `: hello\n\n${done}`]);
      expect(loggedText()).toMatch(/lack: status 200, .*content-type: text\/event-stream/);
    });

    test("when all stream headers were sent before, nothing is logged", async () => {
      const { text } = await answer((res) => {
        for (const [header, value] of Object.entries({
          "content-type": "text/event-stream",
          "cache-control": "no-cache",
          "x-accel-buffering": "no",
        })) {
          res.setHeader(header, value);
        }
        res.flushHeaders!();
      });
      expect(text).toBe(done);
      expect(log).not.toHaveBeenCalled();
    });

    test("when the response has already ended, nothing is sent, the source is closed, and this is logged", async () => {
      const { text, state } = await answer((res) => {
        res.setHeader("content-type", "text/plain");
        res.write("over");
        res.end();
      });
      expect(text).toBe("over");
      await vi.waitFor(() => expect(state.isClosed).toBe(true));
      expect(loggedText()).toContain("had already ended");
    });

    test("a header that Node refuses causes a masked 500, and the source is closed", async () => {
      const { status, text, state } = await answer(() => {}, { headers: { "x-key": "secret\u0001" } });
      expect([status, JSON.parse(text)]).toEqual([
        500,
        {
          error: "Something went wrong on the server.",
          code: "internal",
          correlationId: expect.any(String),
        },
      ]);
      await vi.waitFor(() => expect(state.isClosed).toBe(true));
      expect(log).toHaveBeenCalledTimes(1);
    });

    test.each([
      { headers: { "x-key": "secret\nsecret" } },
      { headers: { "a b": "c" } },
      { status: 99 },
      { status: 204 },
      { status: 1000 },
    ])("the invalid option %j causes a masked 500, and the source is closed", async (options) => {
      const { status, text, state } = await answer(() => {}, options);
      expect(status).toBe(500);
      expect(text).not.toContain("secret");
      if (name === "sendStream") await vi.waitFor(() => expect(state.isClosed).toBe(true));
      expect(log).toHaveBeenCalledTimes(1);
    });

    test("a writeHead() that always throws cuts off the response, and the source is closed", async () => {
      const { source, state } = openSource();
      const failing = answerOf(
        protocol,
        (res) => {
          res.writeHead = () => {
            throw new Error("No head.");
          };
        },
        () => sender(source as AsyncIterable<never>),
      );
      await expect(failing).rejects.toThrow();
      await vi.waitFor(() => expect(state.isClosed).toBe(true));
      expect(loggedText()).toContain("No head.");
    });

    test("a write() that throws cuts off the response, and the reason is logged", async () => {
      const answered = answer((res) => {
        res.flushHeaders!();
        res.write = () => {
          throw new Error("No piece.");
        };
      });
      // Over HTTP/2 the reset may come before the head was sent; in Node 22, the request has then failed.
      const { isCut } = await answered.catch(() => ({ isCut: true }));
      expect(isCut).toBe(true);
      expect(loggedText()).toContain("No piece.");
    });

    test("headers set by the application are kept, except type and length, and cookies and lists are merged", async () => {
      const prepare = (res: AnyResponse) => {
        res.setHeader("content-type", "text/html");
        res.setHeader("Content-Length", 5);
        res.setHeader("Set-Cookie", ["a=1", "b=2"]);
        res.setHeader("vary", "Origin");
        res.setHeader("access-control-allow-origin", "https://app.example");
        res.setHeader("access-control-expose-headers", "x-id");
        res.setHeader("cache-control", "no-cache, no-transform");
        res.setHeader("x-rate-limit", 7);
      };
      const options = {
        headers: [
          ["set-cookie", "c=3"],
          ["vary", "origin, cookie"],
          ["access-control-expose-headers", "retry-after"],
          ["x-own", "1"],
        ],
      };
      const { status, headers, text } = await answer(prepare, options);
      expect([status, text]).toEqual([200, done]);
      expect(headers).toMatchObject({
        "content-type": "text/event-stream",
        "set-cookie": ["a=1", "b=2", "c=3"],
        vary: "Origin, cookie",
        "access-control-allow-origin": "https://app.example",
        "access-control-expose-headers": "x-id, retry-after",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-rate-limit": "7",
        "x-own": "1",
      });
      expect(headers).not.toHaveProperty("content-length");
    });

    test("a header option replaces a header that was set before", async () => {
      const prepare = (res: AnyResponse) => res.setHeader("cache-control", "private");
      const { headers } = await answer(prepare, { headers: { "cache-control": "no-store" } });
      expect(headers["cache-control"]).toBe("no-store");
    });

    test("headers may have the form that getHeaders() returns", async () => {
      const headers = { "x-rate-limit": 7, "set-cookie": ["a=1", "b=2"], "x-none": undefined };
      const { headers: sent } = await answer((res) => res.setHeader("set-cookie", ["a=1"]), { headers });
      expect(sent).toMatchObject({ "x-rate-limit": "7", "set-cookie": ["a=1", "b=2"] });
      expect(sent).not.toHaveProperty("x-none");
    });
  });
});

test("after the client leaves, the source is released before sendStream resolves", async () => {
  const isReleased = Promise.withResolvers<boolean>();
  const server = createServer(async (req, res) => {
    let signal: AbortSignal | undefined;
    await node.sendStream(req, res, async function* (context) {
      signal = context.signal;
      yield { type: "status", message: "working" };
      await new Promise(() => {});
    });
    isReleased.resolve(signal!.aborted);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}`);
  await response.body!.cancel();
  expect(await isReleased.promise).toBe(true);
  server.close();
});

test("a connection that the application closes is not kept alive", async () => {
  for (const sender of Object.values(senders)) {
    const { headers } = await answerOf(
      "http1",
      (res) => res.setHeader("connection", "close"),
      () => sender(openSource().source as AsyncIterable<never>),
    );
    expect(headers.connection).toBe("close");
  }
});

test("a connection that the client closes is not kept alive: Node would refuse its next request", async () => {
  for (const sender of Object.values(senders)) {
    const server = createServer(sender(openSource().source as AsyncIterable<never>));
    closers.push(() => server.close());
    const { port } = new URL(await listen(server));
    const client = connect(Number(port), "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nhost: host\r\nconnection: Close\r\n\r\n");
    const text = (await client.toArray()).join("");
    expect(text.match(/^connection: .*$/gim)).toEqual(["Connection: close"]);
    expect(text).toContain("[DONE]");
  }
});

describe("toNodeHandler", () => {
  const answer = (handler: () => unknown) =>
    answerOf(
      "http1",
      () => {},
      () => node.toNodeHandler(handler as () => Response),
    );

  test.each<[string, () => unknown]>([
    ["a Response", () => new Response("Sign in.", { status: 401, headers: { "x-own": "1" } })],
    [
      "Hono's HTTPException",
      () => new HTTPException(401, { res: new Response("Sign in.", { headers: { "x-own": "1" } }) }),
    ],
  ])("%s that the handler throws becomes the response, and nothing is logged", async (_, make) => {
    const { status, headers, text } = await answer(async () => {
      throw make();
    });
    expect([status, headers["x-own"], text]).toEqual([401, "1", "Sign in."]);
    expect(log).not.toHaveBeenCalled();
  });

  test("refuses a whole route in place of its fetch, or no handler, at once", () => {
    for (const [handler, got] of [
      [{ fetch: () => new Response() }, "an object"],
      [undefined, "undefined"],
    ]) {
      const error = `The handler must be a function, such as route.fetch; got ${got}.`;
      expect(() => node.toNodeHandler(handler as never)).toThrow(new TypeError(error));
    }
  });

  test("anything else that the handler throws causes a masked 500, even a Next.js redirect()", async () => {
    const { status, text } = await answer(() => {
      throw Object.assign(new Error("NEXT_REDIRECT"), { digest: "NEXT_REDIRECT;push;/login;307;" });
    });
    expect([status, JSON.parse(text).code]).toEqual([500, "internal"]);
    expect(log).toHaveBeenCalledTimes(1);
  });

  const shared = new Response("once");
  test.each<[string, () => unknown, RegExp]>([
    ["nothing", () => undefined, /must return a Response; got undefined/],
    ["null", () => null, /must return a Response; got null/],
    ["an object", () => ({ text: "hi" }), /must return a Response; got object/],
    ["a body that a reader holds", lockedResponse, /lock/],
    [
      "a body that is not a web stream",
      () => ({ status: 200, headers: new Headers(), body: "text" }),
      /getReader/,
    ],
  ])("a handler that returns %s causes a 500 with the reason in the log", async (_, make, reason) => {
    const { status } = await answer(make);
    expect(status).toBe(500);
    expect(loggedText()).toMatch(reason);
  });

  test("a response that is returned twice is sent once and causes a 500 the second time", async () => {
    expect((await answer(() => shared)).text).toBe("once");
    expect((await answer(() => shared)).status).toBe(500);
  });
});

function lockedResponse(): Response {
  const response = new Response("x");
  response.body?.getReader();
  return response;
}

describe("Fastify", () => {
  type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
  async function answer(handler: Handler, hook: Handler = () => {}) {
    const fastify = Fastify();
    fastify.addHook("onRequest", async (request, reply) => void hook(request, reply));
    fastify.addHook("onSend", async (_, reply) => void reply.header("x-on-send", "1"));
    fastify.get("/", handler as never);
    const url = await fastify.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => fastify.close());
    const response = await fetch(url);
    return { response, text: await response.text() };
  }
  const source = () => openSource().source as AsyncIterable<never>;
  const setHeaders: Handler = (_, reply) =>
    reply
      .header("access-control-allow-origin", "https://app.example")
      .header("vary", "Origin")
      .header("x-rate-limit", 7)
      .header("content-length", 5)
      .header("cache-control", "no-store")
      .header("set-cookie", "a=1")
      .header("set-cookie", "b=2");

  test.each<[string, boolean, () => Handler]>([
    ["sendStream(request, reply)", true, () => (request, reply) => node.sendStream(request, reply, source())],
    ["toNodeHandler(…)", true, () => node.toNodeHandler(() => toSSE(source())) as Handler],
    [
      "sendStream(request.raw, reply.raw) of a hijacked reply",
      false,
      () => (request, reply) => {
        reply.hijack();
        return node.sendStream(request.raw, reply.raw, source());
      },
    ],
    [
      "toNodeHandler(…)(request.raw, reply.raw) of a hijacked reply",
      false,
      () => (request, reply) => {
        reply.hijack();
        return node.toNodeHandler(() => toSSE(source()))(request.raw, reply.raw);
      },
    ],
    [
      "sendStream(request, reply) of a hijacked reply",
      false,
      () => (request, reply) => {
        reply.hijack();
        return node.sendStream(request, reply, source());
      },
    ],
  ])("%s keeps the headers that hooks set on the reply", async (_, hasOnSend, handler) => {
    const { response, text } = await answer(handler(), setHeaders);
    expect(text).toBe(done);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "access-control-allow-origin": "https://app.example",
      "cache-control": "no-store",
      vary: "Origin",
      "x-accel-buffering": "no",
      "x-rate-limit": "7",
    });
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.has("x-on-send")).toBe(hasOnSend);
    expect(log).not.toHaveBeenCalled();
  });

  test("cookies and lists of the handler's response are added to those of the reply", async () => {
    const handler = node.toNodeHandler(
      () =>
        new Response("x", {
          status: 201,
          headers: [
            ["set-cookie", "c=3"],
            ["vary", "cookie"],
          ],
        }),
    );
    const { response } = await answer(handler as Handler, setHeaders);
    expect([response.status, response.headers.get("vary")]).toEqual([201, "Origin, cookie"]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2", "c=3"]);
  });

  test("a raw response whose head was written receives the stream", async () => {
    const { response, text } = await answer((request, reply) => {
      reply.hijack();
      reply.raw.writeHead(203, { "content-type": "text/event-stream" });
      return node.sendStream(request.raw, reply.raw, source());
    });
    expect([response.status, text]).toEqual([203, done]);
  });

  test("an invalid header or status causes a masked 500", async () => {
    for (const options of [{ headers: { "x-key": "secret\u0001" } }, { status: 99 }]) {
      const { response, text } = await answer((request, reply) =>
        node.sendStream(request, reply, source(), options),
      );
      expect([response.status, JSON.parse(text).code]).toEqual([500, "internal"]);
      expect(text).not.toContain("secret");
    }
  });

  test("no connection header is set over HTTP/2, where Node would warn about it", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on("warning", onWarning);
    const fastify = Fastify({ http2: true });
    fastify.get("/", (request, reply) => node.sendStream(request, reply, source()));
    const origin = await fastify.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => fastify.close());
    const response = await openRequest({ protocol: "http2", origin });
    let text = "";
    for await (const piece of response.pieces) text += piece;
    expect([response.headers["content-type"], text]).toEqual(["text/event-stream", done]);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  test("a reply that was already sent receives nothing more", async () => {
    let settled: Promise<void> | undefined;
    const { text } = await answer(async (request, reply) => {
      reply.send("over");
      await once(reply.raw, "finish");
      settled = node.sendStream(request, reply, source());
      return settled;
    });
    expect(text).toBe("over");
    await expect(settled).resolves.toBeUndefined();
    expect(loggedText()).toContain("had already ended");
  });

  test("HEAD gets the headers of a stream and opens no source", async () => {
    const fastify = Fastify();
    const open = vi.fn(() => []);
    fastify.get("/", (request, reply) => node.sendStream(request, reply, open));
    const url = await fastify.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => fastify.close());
    const response = await fetch(url, { method: "HEAD" });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(open).not.toHaveBeenCalled();
  });
});

test("Express: headers and cookies set by middleware arrive, even with compression", async () => {
  const app = express();
  app.use(compression());
  app.get("/", (req, res) => {
    res.vary("Origin").cookie("a", "1").append("set-cookie", "b=2");
    return node.sendStream(req, res, openSource().source as AsyncIterable<never>);
  });
  const server = createServer(app);
  const origin = await listen(server);
  closers.push(() => server.close());
  const response = await openRequest({ protocol: "http1", origin });
  let text = "";
  for await (const piece of response.pieces) text += piece;
  expect(text).toBe(done);
  expect(response.headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2"]);
  expect(response.headers.vary).toBe("Origin, Accept-Encoding");
});

test("sendStream() refuses an invalid request or response by name, and opens no source", () => {
  const send = (...targets: unknown[]) => node.sendStream(...(targets as [never, never, never]));
  expect(() => send()).toThrow("req must be a request of Node or Fastify; got undefined.");
  const error =
    "res must be a response of Node or a reply of Fastify: sendStream(req, res, source); got an object.";
  expect(() => send({}, () => expect.fail("opened"), {})).toThrow(
    "sendStream(req, res, source); got a function.",
  );
  expect(() => send({}, {})).toThrow(new TypeError(error));
});
