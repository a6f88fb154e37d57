import { once } from "node:events";
import { createServer, type IncomingMessage, request as requestHttp, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server } from "node:net";
import { gzipSync } from "node:zlib";
import express from "express";
import Fastify from "fastify";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type NodeRequest, toNodeHandler } from "../../src/node.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => {
  log.mockClear();
});
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const loggedText = () => log.mock.calls.map((call) => call.join(" ")).join("\n");
const json = { "content-type": "application/json" };

async function listen(server: Server & { closeAllConnections?(): void }): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Returns the request as a web-standard handler reads it. */
const echo = toNodeHandler(async (request) =>
  Response.json({
    body: await request.text(),
    length: request.headers.get("content-length"),
    encoding: request.headers.get("content-encoding"),
  }),
);
const echoed = async (response: Response) => [response.status, (await response.json()).body];

/** A server whose middleware runs before `listener` and may read or replace the body. */
const serveAfter = (middleware: (req: IncomingMessage & NodeRequest) => unknown, listener = echo) =>
  listen(
    createServer(async (req, res) => {
      await middleware(req);
      await listener(req, res);
    }),
  );

async function consume(req: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of req) text += piece;
  return text;
}

describe("after a parser of Express, a handler reads", () => {
  const text = JSON.stringify({ a: [1, "é", null], "b c": { d: true } });

  test.each([
    ["json()", express.json(), text],
    ["json() for every type", express.json({ type: "*/*" }), text],
    ["raw()", express.raw({ type: "*/*" }), text],
    ["text()", express.text({ type: "*/*" }), text],
    ["a parser for other types, which leaves the body unread", express.text(), text],
    ["json() that is not strict: null", express.json({ strict: false }), "null"],
    ["json() that is not strict: a number", express.json({ strict: false }), "7"],
  ])("the same body: %s", async (_, parser, body) => {
    const app = express().use(parser).use(echo);
    const response = await fetch(await listen(createServer(app)), { method: "POST", headers: json, body });
    expect(await echoed(response)).toEqual([200, body]);
  });

  test("the body that json() has decompressed, without the headers that describe the sent bytes", async () => {
    const app = express().use(express.json()).use(echo);
    const response = await fetch(await listen(createServer(app)), {
      method: "POST",
      headers: { ...json, "content-encoding": "gzip" },
      body: gzipSync(text),
    });
    expect(await response.json()).toEqual({ body: text, length: null, encoding: null });
  });

  test.each([
    [false, "a=1&b=x+%26+y&b=2", 200],
    [true, "a=1&b=x+%26+y&b=2", 200],
    [true, "a%5Bb%5D=1", 500],
  ])(
    "a flat form after urlencoded({ extended: %s }), and no guess at a nested one",
    async (extended, body, status) => {
      const app = express().use(express.urlencoded({ extended })).use(echo);
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const response = await fetch(await listen(createServer(app)), { method: "POST", headers, body });
      expect(response.status).toBe(status);
      if (status === 200) expect((await response.json()).body).toBe(body);
      else expect(loggedText()).toContain("read before");
    },
  );

  test("no body when a parser leaves an empty object because there was nothing to parse", async () => {
    const leaveEmpty: express.RequestHandler = (req, _, next) => {
      req.body = {};
      next();
    };
    const url = await listen(createServer(express().use(leaveEmpty).use(echo)));
    const get = await fetch(url);
    const post = await fetch(url, { method: "POST" });
    const unread = await fetch(url, { method: "POST", headers: { "content-type": "text/plain" }, body: "x" });
    expect([await echoed(get), await echoed(post), await echoed(unread)]).toEqual([
      [200, ""],
      [200, ""],
      [200, "x"],
    ]);
  });

  test("a chat request in a chat route", async () => {
    const route = createChatRoute({
      agent: {
        async *streamChat([message]) {
          yield { type: "text-delta", delta: message!.content };
          yield { type: "done" };
        },
      },
    });
    const app = express().use(express.json()).use(toNodeHandler(route.fetch));
    const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }] });
    const response = await fetch(await listen(createServer(app)), { method: "POST", headers: json, body });
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"Hello"')]);
  });
});

describe("a body that was read before the handler", () => {
  test("fails a handler that reads it with a 500 and a code, and the log explains what to do", async () => {
    const response = await fetch(await serveAfter(consume), { method: "POST", headers: json, body: "{}" });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: "The body of the request was read before the route could read it.",
      code: "body-already-read",
    });
    expect(log.mock.calls).toEqual([
      [expect.stringMatching(/was read before.*before anything that reads.*req\.body/)],
    ]);
  });

  test("fails a chat route in the same way", async () => {
    const route = createChatRoute({ agent: { streamChat: () => [] } });
    const url = await serveAfter(consume, toNodeHandler(route.fetch));
    const response = await fetch(url, { method: "POST", headers: json, body: "{}" });
    expect([response.status, (await response.json()).code]).toEqual([500, "body-already-read"]);
    expect(loggedText()).toMatch(/read before.*req\.body/);
  });

  test("does not matter if the handler does not read it, or if it was empty", async () => {
    const ignore = toNodeHandler(() => new Response("fine"));
    const ignored = await fetch(await serveAfter(consume, ignore), { method: "POST", body: "x" });
    const url = await serveAfter(consume);
    const empty = await fetch(url, { method: "POST" });
    const deleted = await fetch(url, { method: "DELETE" });
    expect([await ignored.text(), await echoed(empty), await echoed(deleted)]).toEqual([
      "fine",
      [200, ""],
      [200, ""],
    ]);
  });

  test.each<[string, HeadersInit, unknown]>([
    ["a form with files", { "content-type": "multipart/form-data; boundary=x" }, { file: "a.txt" }],
    ["a value that JSON cannot print", json, { id: 1n }],
    ["the stream itself", json, { pipe() {} }],
    ["nothing", json, undefined],
  ])("fails the handler if the value left by a parser cannot replace it: %s", async (_, headers, left) => {
    const url = await serveAfter(async (req) => {
      await consume(req);
      req.body = left;
    });
    const response = await fetch(url, { method: "POST", headers, body: "x" });
    expect([response.status, (await response.json()).code]).toEqual([500, "body-already-read"]);
  });

  test("is replaced by the bytes or text that a parser left", async () => {
    for (const left of [Buffer.from("é\u0000"), "é\u0000", new Uint8Array([0xc3, 0xa9, 0])]) {
      const url = await serveAfter(async (req) => {
        await consume(req);
        req.body = left;
      });
      const response = await fetch(url, { method: "POST", body: "x" });
      expect(await echoed(response)).toEqual([200, "é\u0000"]);
    }
  });
});

describe("over HTTP/2", () => {
  test.each([
    ["a parsed body is used", { parsed: true }, [200, '{"a":1}']],
    ["a body that was read and not kept fails the handler", { parsed: false }, [500, undefined]],
  ])("%s", async (_, { parsed }, expected) => {
    const server = createHttp2Server(async (req, res) => {
      const text = await consume(req as unknown as IncomingMessage);
      if (parsed) Object.assign(req, { body: JSON.parse(text) });
      await echo(req, res);
    });
    const session = connectHttp2(await listen(server as unknown as Server));
    closers.push(() => session.close());
    const stream = session.request({ ":method": "POST", "content-type": "application/json" });
    stream.end('{"a":1}');
    const [headers] = await once(stream, "response");
    let text = "";
    for await (const piece of stream) text += piece;
    expect([headers[":status"], JSON.parse(text).body]).toEqual(expected);
  });

  test("a request without a body is still empty after middleware has read it", async () => {
    const server = createHttp2Server(async (req, res) => {
      await consume(req as unknown as IncomingMessage);
      await echo(req, res);
    });
    const session = connectHttp2(await listen(server as unknown as Server));
    closers.push(() => session.close());
    const stream = session.request({ ":method": "DELETE" });
    const [headers] = await once(stream, "response");
    stream.resume();
    expect(headers[":status"]).toBe(200);
  });
});

describe("a parser that is still reading", () => {
  /** Sends the first half of a body; the caller sends the second half. */
  async function sendHalf(url: string) {
    const sending = requestHttp(url, { method: "POST", headers: { ...json, "content-length": "7" } });
    const answered = once(sending, "response").then(async ([response]: IncomingMessage[]) => [
      response!.statusCode,
      await consume(response!),
    ]);
    sending.write('{"a"');
    return { sending, answered };
  }

  /** Calls the handler when the middleware has read the first half. */
  const afterFirstHalf = async (onText: (req: NodeRequest, text: string) => void) => {
    const state = { unsettled: 0 };
    const url = await serveAfter(
      async (req) => {
        let text = "";
        req.on("end", () => onText(req, text));
        await new Promise<void>((resolve) => {
          req.on("data", (piece) => {
            text += piece;
            resolve();
          });
        });
      },
      async (req, res) => {
        state.unsettled++;
        await echo(req, res);
        state.unsettled--;
      },
    );
    return { url, state };
  };

  test("is awaited, and its result is used", async () => {
    const { url, state } = await afterFirstHalf((req, text) => {
      // Parses in a later turn.
      setImmediate(() => {
        req.body = JSON.parse(text);
      });
    });
    const { sending, answered } = await sendHalf(url);
    await vi.waitFor(() => expect(state.unsettled).toBe(1));
    sending.end(":1}");
    const [status, text] = await answered;
    expect([status, JSON.parse(text as string).body]).toEqual([200, '{"a":1}']);
  });

  test("is logged if it leaves no body, but not if the client leaves meanwhile", async () => {
    const { url, state } = await afterFirstHalf(() => {});
    const first = await sendHalf(url);
    await vi.waitFor(() => expect(state.unsettled).toBe(1));
    first.sending.end(":1}");
    expect((await first.answered)[0]).toBe(500);
    await vi.waitFor(() => expect(state.unsettled).toBe(0));
    expect(log).toHaveBeenCalledTimes(1);
    log.mockClear();
    const second = await sendHalf(url);
    second.answered.catch(() => {});
    await vi.waitFor(() => expect(state.unsettled).toBe(1));
    second.sending.destroy();
    await vi.waitFor(() => expect(state.unsettled).toBe(0));
    expect(log).not.toHaveBeenCalled();
  });

  test("takes nothing from the handler if it only listens", async () => {
    let seen = "";
    const server = createServer((req, res) => {
      req.on("data", (piece) => {
        seen += piece;
      });
      void echo(req, res);
    });
    const url = await listen(server);
    const response = await fetch(url, { method: "POST", body: "x".repeat(100_000) });
    expect(await echoed(response)).toEqual([200, "x".repeat(100_000)]);
    expect(seen).toHaveLength(100_000);
  });
});

describe("in Fastify, whose parser has already read the body", () => {
  test.each<[string, (request: never, reply: never) => unknown]>([
    ["its own request and reply", (request, reply) => echo(request, reply)],
    [
      "request.raw and the raw response of a hijacked reply",
      (request: { raw: IncomingMessage }, reply: { raw: ServerResponse; hijack(): void }) => {
        reply.hijack();
        return echo(request.raw, reply.raw);
      },
    ],
  ])("the handler can read it from %s", async (_, handler) => {
    const fastify = Fastify();
    fastify.post("/", handler as never);
    const url = await fastify.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => fastify.close());
    const response = await fetch(url, { method: "POST", headers: json, body: '{ "a": 1 }' });
    expect(await echoed(response)).toEqual([200, '{"a":1}']);
  });
});

const handlers = {
  "a custom handler": toNodeHandler(async (request) => new Response(await request.text())),
  "a chat route": toNodeHandler(createChatRoute({ agent: { streamChat: () => [] } }).fetch),
};

describe.each(Object.entries(handlers))("a client that leaves during its upload to %s", (_, listener) => {
  test("is not a failure: nothing is logged, and the call resolves", async () => {
    let settled: Promise<void> | undefined;
    const server = createServer((req, res) => {
      settled = listener(req, res);
    });
    const { port } = new URL(await listen(server));
    const client = connect(Number(port), "127.0.0.1");
    client.write(
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    );
    await vi.waitFor(() => expect(settled).toBeDefined());
    client.destroy();
    await settled;
    expect(log).not.toHaveBeenCalled();
  });

  test("is not a failure over HTTP/2 either", async () => {
    let settled: Promise<void> | undefined;
    const server = createHttp2Server((req, res) => {
      settled = listener(req, res);
    });
    const session = connectHttp2(await listen(server as unknown as Server));
    const stream = session.request({ ":method": "POST", "content-type": "application/json" });
    stream.on("error", () => {});
    stream.write("{");
    await vi.waitFor(() => expect(settled).toBeDefined());
    session.destroy();
    await settled;
    expect(log).not.toHaveBeenCalled();
  });
});

test("leaving the body unread does not abort the signal of a request that succeeds", async () => {
  let signal: AbortSignal | undefined;
  const listener = toNodeHandler((request) => {
    signal = request.signal;
    return new Response("fine");
  });
  const response = await fetch(await listen(createServer(listener)), {
    method: "POST",
    body: "x".repeat(200_000),
  });
  expect(await response.text()).toBe("fine");
  await new Promise((resolve) => setImmediate(resolve));
  expect(signal?.aborted).toBe(false);

  const session = connectHttp2(await listen(createHttp2Server(listener) as unknown as Server));
  closers.push(() => session.close());
  const stream = session.request({ ":method": "POST" });
  stream.write("x");
  stream.resume();
  await once(stream, "end");
  stream.end();
  await once(stream, "close");
  await new Promise((resolve) => setImmediate(resolve));
  expect(signal?.aborted).toBe(false);
});
