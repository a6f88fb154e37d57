/**
 * Whatever reads a stream, and however slowly, the application's code runs in the async context in which the route was
 * called. The file runs twice, because Node 22 and 24 carry that context in different ways.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, type Server } from "node:net";
import { serve as serveHono } from "@hono/node-server";
import type { StreamChunk } from "@kortyx/protocol";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { contextStorage, getContext } from "hono/context-storage";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  collectBufferedStream,
  createChatRoute,
  drain,
  type StreamResponseOptions,
  type StreamSourceContext,
  toSSE,
} from "../../src/index.ts";
import { sendStream, toNodeHandler } from "../../src/node.ts";

/** The current request, as a logger, a tracer or a framework would keep it. */
const requests = new AsyncLocalStorage<string>();

/** A process that drains cannot stop draining, so tests drop the registry instead. */
afterEach(() => {
  Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/streams"));
});

const until = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 20_000 });

/** Records in which requests each event happened. */
function diary(current: () => string | undefined = () => requests.getStore()) {
  const seen = new Map<string, Set<string | undefined>>();
  return {
    note(what: string) {
      seen.set(what, (seen.get(what) ?? new Set()).add(current()));
    },
    has: (what: string) => seen.has(what),
    /** Each event with the requests in which it happened. */
    entries: () => Object.fromEntries([...seen].map(([what, where]) => [what, [...where]])),
  };
}
type Diary = ReturnType<typeof diary>;

interface Watched {
  diary: Diary;
  /** The number of requested chunks. */
  steps: number;
  open(context: StreamSourceContext): AsyncGenerator<StreamChunk>;
  options: StreamResponseOptions;
}

/** A source of large chunks that writes to the diary whenever it or one of its callbacks runs. */
function watched(count: number, book = diary(), length = 20_000): Watched {
  const source: Watched = {
    diary: book,
    steps: 0,
    async *open({ signal }) {
      book.note("open");
      signal.addEventListener("abort", () => book.note("abort"));
      try {
        for (; source.steps < count; source.steps++) {
          book.note("step");
          // Sometimes at once, sometimes later, as agents do.
          if (source.steps % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
          yield { type: "message", content: "x".repeat(length) };
        }
        throw new Error("The model is away.");
      } finally {
        book.note("finally");
      }
    },
    options: {
      onError() {
        book.note("onError");
        return "Please try again.";
      },
      onFinish: () => book.note("onFinish"),
    },
  };
  return source;
}

/** The diary entries if all these events happened in one request. */
const allIn = (request: string, ...what: string[]) =>
  Object.fromEntries(what.map((name) => [name, [request]]));

async function listening(server: Server): Promise<number> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A client on a bare socket that reads nothing before `readAll` is called. */
function connectTo(port: number, path = "/", body?: string) {
  const socket = connect(port, "127.0.0.1");
  const head = `${body === undefined ? "GET" : "POST"} ${path} HTTP/1.1\r\nhost: x\r\n`;
  const fields =
    body === undefined ? "" : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
  socket.write(`${head}${fields}\r\n${body ?? ""}`);
  socket.pause();
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  const lastChunk = "\r\n0\r\n\r\n";
  let tail = "";
  return {
    /** @returns the end of the response, once it is complete. */
    readAll: () =>
      new Promise<string>((resolve) => {
        socket.on("data", (data) => {
          tail = (tail + data).slice(-500);
          if (tail.endsWith(lastChunk)) resolve(tail);
        });
        socket.resume();
      }),
    leave: () => socket.destroy(),
  };
}

/** Waits until no chunk of the source is requested any more, because no client reads. */
async function untilStalled(source: Watched): Promise<void> {
  let before = -1;
  while (source.steps !== before) {
    before = source.steps;
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (source.steps === 0) before = -1;
  }
}

const chatBody = JSON.stringify({ messages: [{ role: "user", content: "Hi" }] });
const agentOf = (source: Watched) => ({
  streamChat: (_: unknown, { signal }: StreamSourceContext) => source.open({ signal }),
});

/** An application that keeps its current request in some way, and responds with a source. */
interface Application {
  name: string;
  /** Starts it. `current` returns the path of the current request, if not from `requests`. */
  serve(answer: (path: string) => Watched): Promise<{ port: number; current?: () => string | undefined }>;
  body?: string;
}

const onNode = async (listener: RequestListener) => ({ port: await listening(createServer(listener)) });

const applications: Application[] = [
  {
    name: "Hono's contextStorage with toSSE",
    async serve(answer) {
      const app = new Hono<{ Variables: { user: string } }>();
      app.use(contextStorage());
      app.use(async (context, next) => {
        context.set("user", context.req.path);
        await next();
      });
      app.get("*", (context) => {
        const { open, options } = answer(context.req.path);
        return toSSE(open, { ...options, signal: context.req.raw.signal });
      });
      const server = await new Promise<Server>((resolve) => {
        const starting = serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () =>
          resolve(starting as Server),
        );
      });
      const current = () => {
        try {
          return getContext<{ Variables: { user: string } }>().get("user");
        } catch {
          return undefined;
        }
      };
      return { port: await listening(server), current };
    },
  },
  {
    name: "an Express middleware with sendStream",
    async serve(answer) {
      const app = express();
      app.use((req, _res, next) => requests.run(req.path, next));
      app.get("/{*path}", (req, res) => {
        const { open, options } = answer(req.path);
        return sendStream(req, res, open, options);
      });
      return onNode(app);
    },
  },
  {
    name: "a Fastify hook with sendStream",
    async serve(answer) {
      const app = Fastify();
      app.addHook("onRequest", (request, _reply, next) => requests.run(request.url, next));
      app.get("/*", (request, reply) => {
        reply.hijack();
        const { open, options } = answer(request.url);
        return sendStream(request.raw, reply.raw, open, options);
      });
      await app.listen({ port: 0, host: "127.0.0.1" });
      return { port: await listening(app.server) };
    },
  },
  {
    name: "node:http with toNodeHandler around a chat route that signs tokens",
    body: chatBody,
    serve: (answer) =>
      onNode((req, res) => {
        requests.run(req.url!, () => {
          const source = answer(req.url!);
          const resumeSecret = "a secret of more than 32 characters";
          const route = createChatRoute({ agent: agentOf(source), resumeSecret, ...source.options });
          return toNodeHandler(route.fetch)(req, res);
        });
      }),
  },
  {
    name: "node:http with sendStream",
    serve: (answer) =>
      onNode((req, res) => {
        requests.run(req.url!, () => {
          const { open, options } = answer(req.url!);
          return sendStream(req, res, open, options);
        });
      }),
  },
  {
    name: "a framework that reads the response outside of the handler's context, as Next.js does",
    body: chatBody,
    serve: (answer) => {
      const handle = (request: Request) => {
        const { pathname } = new URL(request.url);
        return requests.run(pathname, async () => {
          const source = answer(pathname);
          const { POST } = createChatRoute({ agent: agentOf(source), ...source.options });
          return POST(request);
        });
      };
      return onNode(toNodeHandler(handle));
    },
  },
];

test("the vitest project selects the mechanism", ({ task }) => {
  expect(process.execArgv.includes("--no-async-context-frame")).toBe(
    task.file.projectName === "server-async-hooks",
  );
});

describe.each(applications)("$name: a source keeps its context", ({ serve, body }) => {
  /** Makes two requests at the same time, which must not be confused. */
  async function setUp(count: number) {
    const sources = new Map<string, Watched>();
    let current: (() => string | undefined) | undefined;
    const served = await serve((path) => {
      const source = watched(count, diary(current));
      sources.set(path, source);
      return source;
    });
    current = served.current;
    const clients = ["/ann", "/bob"].map((path) => ({ path, client: connectTo(served.port, path, body) }));
    await until(() => expect(sources.size).toBe(2));
    await Promise.all([...sources.values()].map(untilStalled));
    return clients.map(({ path, client }) => ({ path, client, source: sources.get(path)! }));
  }

  test("if the client of its 600 chunks begins to read late", async () => {
    const answers = await setUp(600);
    for (const { source } of answers) expect(source.steps).toBeLessThan(600);
    const texts = await Promise.all(answers.map(({ client }) => client.readAll()));
    for (const [index, { path, source }] of answers.entries()) {
      expect(texts[index]).toContain("Please try again.");
      await until(() => expect(source.diary.has("onFinish")).toBe(true));
      expect(source.diary.entries()).toEqual(allIn(path, "open", "step", "finally", "onError", "onFinish"));
    }
  });

  test("if the client leaves", async () => {
    for (const { path, client, source } of await setUp(600)) {
      client.leave();
      await until(() => expect(source.diary.has("finally")).toBe(true));
      expect(source.diary.entries()).toEqual(allIn(path, "open", "step", "abort", "finally", "onFinish"));
    }
  });
});

describe("an end from another context runs callbacks in the request's context:", () => {
  /** A stream of request A whose source waits after its first chunk until its signal is aborted. */
  function open(options: StreamResponseOptions = {}) {
    const book = diary();
    const body = requests.run("A", () => {
      const source = async function* ({ signal }: StreamSourceContext): AsyncGenerator<StreamChunk> {
        try {
          yield { type: "text-delta", delta: "Hello" };
          await new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              book.note("abort");
              resolve(undefined);
            });
          });
        } finally {
          book.note("finally");
        }
      };
      return toSSE(source, { onFinish: () => book.note("onFinish"), ...options }).body!;
    });
    return { body, book };
  }
  const expectAllInA = async (book: Diary) => {
    await until(() => expect(book.has("finally")).toBe(true));
    expect(book.entries()).toEqual(allIn("A", "abort", "finally", "onFinish"));
  };
  const read = (body: ReadableStream<Uint8Array>) => requests.run("reader", () => new Response(body).text());

  test("a reader that cancels", async () => {
    const { body, book } = open();
    const reader = requests.run("reader", () => body.getReader());
    await requests.run("reader", () => reader.read());
    await requests.run("reader", () => reader.cancel());
    await expectAllInA(book);
  });

  test("an aborted signal", async () => {
    const controller = new AbortController();
    const { body, book } = open({ signal: controller.signal });
    await requests.run("reader", () => body.getReader().read());
    requests.run("aborter", () => controller.abort());
    await expectAllInA(book);
  });

  test.each([
    ["maxDurationMs", { maxDurationMs: 20 }],
    ["sourceIdleTimeoutMs", { sourceIdleTimeoutMs: 20 }],
  ])("a limit, %s", async (_, limits) => {
    const { body, book } = open(limits);
    await read(body);
    await expectAllInA(book);
  });

  test("a reader that stalls", async () => {
    const { book } = open({ stallTimeoutMs: 20 });
    await expectAllInA(book);
  });

  test("a process that shuts down, where drain resolves after onFinish", async () => {
    const { body, book } = open();
    const text = read(body);
    await requests.run("drain", () => drain({ deadlineMs: 0 }));
    expect(book.has("onFinish")).toBe(true);
    expect(await text).toContain('{"type":"abort","reason":"shutdown"}');
    await expectAllInA(book);
  });
});

test("toNodeHandler: a client that leaves aborts the signal and cancels the application's own body in the request's context", async () => {
  const book = diary();
  const handle = (request: Request) => {
    request.signal.addEventListener("abort", () => book.note("abort"));
    let pulls = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          book.note("pull");
          if (pulls++ === 0) controller.enqueue(new TextEncoder().encode("Hello"));
          else return new Promise(() => {});
        },
        cancel: () => book.note("cancel"),
      }),
    );
  };
  const { port } = await onNode((req, res) => requests.run("A", () => toNodeHandler(handle)(req, res)));
  const client = connectTo(port);
  await until(() => expect(book.has("pull")).toBe(true));
  client.leave();
  await until(() => expect(book.has("abort") && book.has("cancel")).toBe(true));
  expect(book.entries()).toEqual(allIn("A", "pull", "abort", "cancel"));
});

describe("other forms of source keep their context:", () => {
  /** Reads with pauses, so that each read pulls the stream again. */
  async function readSlowly(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    while (!(await reader.read()).done) await new Promise((resolve) => setImmediate(resolve));
  }
  const content = "x".repeat(20_000);

  test("a synchronous generator, a ReadableStream, a promise of a source and a chunk's toJSON()", async () => {
    const book = diary();
    const chunk = (what: string) => {
      const plain: StreamChunk = { type: "message", content };
      return Object.assign(plain, {
        toJSON() {
          book.note(what);
          return { type: "message", content };
        },
      });
    };
    const generator = function* (): Generator<StreamChunk> {
      for (let step = 0; step < 20; step++) {
        book.note("generator");
        yield chunk("toJSON");
      }
    };
    const stream = () => {
      let steps = 0;
      return new ReadableStream<StreamChunk>(
        {
          pull(controller) {
            book.note("stream");
            if (steps++ === 20) controller.close();
            else controller.enqueue(chunk("toJSON"));
          },
        },
        { highWaterMark: 0 },
      );
    };
    for (const source of [generator(), stream, async () => generator(), Promise.resolve(generator())]) {
      await readSlowly(requests.run("A", () => toSSE(source).body!));
    }
    expect(book.entries()).toEqual(allIn("A", "generator", "toJSON", "stream"));
  });

  test("collectBufferedStream and `stream: false`, even if the caller leaves", async () => {
    const book = diary();
    const source = watched(30, book);
    await requests.run("A", () => collectBufferedStream(source.open).catch(() => {}));
    expect(book.entries()).toEqual(allIn("A", "open", "step", "finally"));

    const route = watched(30);
    const { POST } = createChatRoute({ agent: agentOf(route), ...route.options });
    const request = (signal?: AbortSignal) =>
      new Request("http://host/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], stream: false }),
        ...(signal && { signal }),
      });
    await requests.run("A", () => POST(request()));
    expect(route.diary.entries()).toEqual(allIn("A", "open", "step", "finally", "onError", "onFinish"));

    const left = diary();
    const controller = new AbortController();
    const waiting = requests.run("A", () =>
      collectBufferedStream(
        async function* ({ signal }): AsyncGenerator<StreamChunk> {
          try {
            yield { type: "status", message: "Thinking" };
            await new Promise((resolve) => {
              left.note("step");
              signal.addEventListener("abort", () => {
                left.note("abort");
                resolve(undefined);
              });
            });
          } finally {
            left.note("finally");
          }
        },
        { signal: controller.signal },
      ),
    );
    await until(() => expect(left.has("step")).toBe(true));
    requests.run("aborter", () => controller.abort());
    await expect(waiting).rejects.toThrow("aborted");
    await until(() => expect(left.has("finally")).toBe(true));
    expect(left.entries()).toEqual(allIn("A", "step", "abort", "finally"));
  });
});
