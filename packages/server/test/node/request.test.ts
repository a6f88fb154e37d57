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

/** Answers with what a web-standard handler reads of the request. */
const echo = toNodeHandler(async (request) =>
  Response.json({
    body: await request.text(),
    length: request.headers.get("content-length"),
    encoding: request.headers.get("content-encoding"),
  }),
);
const echoed = async (response: Response) => [response.status, (await response.json()).body];

/** A server whose middleware leaves something on the request, and has read the body or not. */
const behind = (middleware: (req: IncomingMessage & NodeRequest) => unknown, listener = echo) =>
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

describe("behind a parser of Express, a handler reads", () => {
  const text = JSON.stringify({ a: [1, "é", null], "b c": { d: true } });

  test.each([
    ["json()", express.json(), text],
    ["json() that takes every type", express.json({ type: "*/*" }), text],
    ["raw()", express.raw({ type: "*/*" }), text],
    ["text()", express.text({ type: "*/*" }), text],
    ["a parser for other types, which leaves it unread", express.text(), text],
    ["json() that is not strict: null", express.json({ strict: false }), "null"],
    ["json() that is not strict: a number", express.json({ strict: false }), "7"],
  ])("%s: the same body", async (_, parser, body) => {
    const app = express().use(parser).use(echo);
    const response = await fetch(await listen(createServer(app)), { method: "POST", headers: json, body });
    expect(await echoed(response)).toEqual([200, body]);
  });

  test("json() that has unpacked it: the body, and no header that is about the bytes that were sent", async () => {
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
    "urlencoded({ extended: %s }): a flat form, and no guess at a nested one",
    async (extended, body, status) => {
      const app = express().use(express.urlencoded({ extended })).use(echo);
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const response = await fetch(await listen(createServer(app)), { method: "POST", headers, body });
      expect(response.status).toBe(status);
      if (status === 200) expect((await response.json()).body).toBe(body);
      else expect(loggedText()).toContain("read before");
    },
  );

  test("the empty object that a parser leaves where there was nothing to parse is not a body", async () => {
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

  test("a chat route answers", async () => {
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

describe("a body that was read before, and of which nothing is left", () => {
  test("is named to a handler that reads it: 500 with a code, and the log says what to do", async () => {
    const response = await fetch(await behind(consume), { method: "POST", headers: json, body: "{}" });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: "The body of the request was read before the route could read it.",
      code: "body-already-read",
    });
    expect(log.mock.calls).toEqual([
      [expect.stringMatching(/was read before.*before anything that reads.*req\.body/)],
    ]);
  });

  test("is named by a chat route in the same way", async () => {
    const route = createChatRoute({ agent: { streamChat: () => [] } });
    const url = await behind(consume, toNodeHandler(route.fetch));
    const response = await fetch(url, { method: "POST", headers: json, body: "{}" });
    expect([response.status, (await response.json()).code]).toEqual([500, "body-already-read"]);
    expect(loggedText()).toMatch(/read before.*req\.body/);
  });

  test("is no matter to a handler that does not read it, nor where there was none", async () => {
    const ignore = toNodeHandler(() => new Response("fine"));
    const ignored = await fetch(await behind(consume, ignore), { method: "POST", body: "x" });
    const url = await behind(consume);
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
  ])("is named where what is left cannot stand for it: %s", async (_, headers, left) => {
    const url = await behind(async (req) => {
      await consume(req);
      req.body = left;
    });
    const response = await fetch(url, { method: "POST", headers, body: "x" });
    expect([response.status, (await response.json()).code]).toEqual([500, "body-already-read"]);
  });

  test("is used where a parser has left bytes or text", async () => {
    for (const left of [Buffer.from("é\u0000"), "é\u0000", new Uint8Array([0xc3, 0xa9, 0])]) {
      const url = await behind(async (req) => {
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
    ["a body that was parsed is used", { parsed: true }, [200, '{"a":1}']],
    ["a body of which nothing is left is named", { parsed: false }, [500, undefined]],
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

  test("a request without a body has none, whoever has read it", async () => {
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

describe("a parser that is still at work", () => {
  /** Sends the first half of a body; the second half when it is told to. */
  async function sendHalf(url: string) {
    const sending = requestHttp(url, { method: "POST", headers: { ...json, "content-length": "7" } });
    const answered = once(sending, "response").then(async ([response]: IncomingMessage[]) => [
      response!.statusCode,
      await consume(response!),
    ]);
    sending.write('{"a"');
    return { sending, answered };
  }

  /** The handler is called when the middleware has seen the first half. */
  const afterFirstHalf = async (onText: (req: NodeRequest, text: string) => void) => {
    const state = { unsettled: 0 };
    const url = await behind(
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

  test("is waited for, and what it leaves is used", async () => {
    const { url, state } = await afterFirstHalf((req, text) => {
      // It parses in its own time.
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

  test("that leaves nothing is named, and a client that leaves meanwhile is not", async () => {
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

  test("that only listens does not take anything away", async () => {
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

describe("in Fastify, whose parser has read the body", () => {
  test.each<[string, (request: never, reply: never) => unknown]>([
    ["its own request and reply", (request, reply) => echo(request, reply)],
    [
      "request.raw and the raw response of a hijacked reply",
      (request: { raw: IncomingMessage }, reply: { raw: ServerResponse; hijack(): void }) => {
        reply.hijack();
        return echo(request.raw, reply.raw);
      },
    ],
  ])("%s: the handler reads it", async (_, handler) => {
    const fastify = Fastify();
    fastify.post("/", handler as never);
    const url = await fastify.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => fastify.close());
    const response = await fetch(url, { method: "POST", headers: json, body: '{ "a": 1 }' });
    expect(await echoed(response)).toEqual([200, '{"a":1}']);
  });
});

const handlers = {
  "a handler of its own": toNodeHandler(async (request) => new Response(await request.text())),
  "a chat route": toNodeHandler(createChatRoute({ agent: { streamChat: () => [] } }).fetch),
};

describe.each(Object.entries(handlers))(
  "a client that leaves in the middle of its upload to %s",
  (_, listener) => {
    test("has not made it fail: nothing is logged, and the call resolves", async () => {
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

    test("over HTTP/2, too", async () => {
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
  },
);

test("a request whose body the handler leaves unread does not have its signal aborted when all is well", async () => {
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
