import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, constants, createSecureServer } from "node:http2";
import { type AddressInfo, connect as connectSocket, type Server } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import type { StreamChunk } from "@kortyx/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { toSSE } from "../../src/index.ts";
import { type NodeRequest, type NodeResponse, sendStream, toNodeHandler } from "../../src/node.ts";
import { type ClientResponse, type Destination, openRequest, type RequestOptions } from "./node-client.ts";
import { type Answer, type RunningTarget, type Target, targets } from "./node-targets.ts";
import { selfSignedCertificate } from "./self-signed-certificate.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const frame = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;
const done = "data: [DONE]\n\n";
const openingComment = ":hb=8000\n\n";

function deferred<Value>() {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Anything that has not happened by then never will, however busy the machine is. */
const giveUpMs = 20_000;

/** Waits for a promise that settles soon; if it does not, the test fails with the name `what`. */
async function wait<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Still waiting after ${giveUpMs} ms: ${what}.`)), giveUpMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const pause = (durationMs: number) => new Promise<void>((resolve) => setTimeout(resolve, durationMs));
const macrotask = () => new Promise<void>((resolve) => setImmediate(resolve));

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + giveUpMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Still waiting after ${giveUpMs} ms: ${what}.`);
    await pause(2);
  }
}

/** Waits for a promise that must settle at once: within ten turns of the event loop, too soon for any timer. */
async function atOnce(promise: Promise<unknown>, what: string): Promise<void> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let turn = 0; turn < 10 && !isSettled; turn++) await macrotask();
  if (!isSettled) throw new Error(`Not at once: ${what}.`);
  await promise;
}

/** Reads to the end. `isCut`: the body ended without a proper HTTP end. */
async function readRest({ pieces }: ClientResponse): Promise<{ text: string; isCut: boolean }> {
  const parts: string[] = [];
  try {
    for await (const piece of pieces) parts.push(piece);
    return { text: parts.join(""), isCut: false };
  } catch {
    return { text: parts.join(""), isCut: true };
  }
}

/** Reads until the text so far meets the condition. */
async function readUntil({ pieces }: ClientResponse, isEnough: (text: string) => boolean): Promise<string> {
  let text = "";
  while (!isEnough(text)) {
    const piece = await pieces.next();
    if (piece.done) throw new Error(`The body ended after ${JSON.stringify(text)}.`);
    text += piece.value;
  }
  return text;
}

/** Yields `chunks`, then stays silent forever. `left` resolves when it is aborted and returned. */
function silentSource(chunks: StreamChunk[] = []) {
  const rest = chunks.values();
  const aborted = deferred<void>();
  const returned = deferred<void>();
  const state = { isOpened: false };
  const source = ({ signal }: { signal: AbortSignal }) => {
    state.isOpened = true;
    signal.addEventListener("abort", () => aborted.resolve());
    return {
      [Symbol.asyncIterator]: () => ({
        async next(): Promise<IteratorResult<StreamChunk>> {
          const next = rest.next();
          return next.done ? new Promise(() => {}) : { done: false, value: next.value };
        },
        return() {
          returned.resolve();
          return new Promise<IteratorResult<StreamChunk>>(() => {});
        },
      }),
    };
  };
  return { source, state, left: Promise.all([aborted.promise, returned.promise]) };
}

/** The setting of a behaviour test: a client, and a server whose answer the test sets. */
interface Stage {
  target: Target;
  running: RunningTarget;
  /** Sends a request that gets this answer. A client still connected after the test is disconnected. */
  open(answer: Answer | Promise<Answer>, options?: RequestOptions): Promise<ClientResponse>;
  /** Sets the answer to requests from elsewhere. */
  answerWith(answer: Answer): void;
  /** The signal of the last request, where a handler was given one. */
  requestSignal(): AbortSignal | undefined;
  /** The counts before the server was started. */
  before: { timers: number; streams: number };
}

/** Counts the timers that keep the process alive. */
const countTimers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

const countStreams = () => {
  const registry = (globalThis as { [key: symbol]: unknown })[Symbol.for("@kortyx/server/streams")];
  return (registry as { streams: Set<unknown> } | undefined)?.streams.size ?? 0;
};

/** These run on every target, in this order. The last one closes the server. */
const behaviours: { title: string; run: (stage: Stage) => Promise<void> }[] = [];
const behaviour = (title: string, run: (stage: Stage) => Promise<void>) =>
  void behaviours.push({ title, run });

behaviour(
  "a short source produces exactly its frames and [DONE], with the headers of an event stream",
  async ({ target, open }) => {
    const chunks = [delta("a"), delta("é 💬 \n"), { type: "done" } as const];
    const response = await open({ source: chunks });
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
    expect(response.headers["content-encoding"]).toBe(target.isCompressed ? "gzip" : undefined);
    expect(response.headers.connection).toBe(target.protocol === "http2" ? undefined : "keep-alive");
    expect(await readRest(response)).toEqual({ text: chunks.map(frame).join("") + done, isCut: false });
  },
);

/** Heartbeats too rare to flush anything along with them: nothing that arrives has waited for one. */
const rareHeartbeats = { heartbeatMs: 600_000 };

behaviour("the headers and the opening comment of a silent source arrive", async ({ open }) => {
  const response = await open({ source: silentSource().source, options: rareHeartbeats });
  const first = readUntil(response, (text) => text.includes("\n\n"));
  expect(await wait(first, "the opening comment")).toBe(":hb=600000\n\n");
});

behaviour("heartbeats keep coming while the source is silent", async ({ open }) => {
  const response = await open({ source: silentSource().source, options: { heartbeatMs: 40 } });
  const comments = ":hb=40\n\n".repeat(5);
  const text = await wait(
    readUntil(response, (text) => text.length >= comments.length),
    "five comments",
  );
  expect(text.startsWith(comments)).toBe(true);
});

behaviour("the first event of a source that then falls silent arrives", async ({ open }) => {
  const { source } = silentSource([delta("a")]);
  const response = await open({ source, options: rareHeartbeats });
  const first = readUntil(response, (text) => text.includes("\n\n"));
  expect(await wait(first, "the first event")).toBe(frame(delta("a")));
});

behaviour(
  "a source that throws midway produces one masked error chunk, [DONE] and a clean end",
  async ({ open }) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const response = await open({
      source: (async function* () {
        yield delta("a");
        throw new Error("password=hunter2");
      })(),
    });
    const { text, isCut } = await readRest(response);
    const [, correlationId] = /"correlationId":"([0-9a-f-]{36})"/.exec(text) ?? [];
    expect(text).toBe(
      `${frame(delta("a"))}data: {"type":"error","message":"Something went wrong on the server.","code":"internal","correlationId":"${correlationId}"}\n\n${done}`,
    );
    expect(isCut).toBe(false);
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  },
);

behaviour(
  "50,000 chunks reach a client that pauses while reading, complete and in order",
  async ({ open }) => {
    const chunks = Array.from({ length: 50_000 }, (_, index) => delta(String(index)));
    const response = await open({
      source: (async function* () {
        yield* chunks;
      })(),
    });
    let text = "";
    let pieces = 0;
    for await (const piece of response.pieces) {
      text += piece;
      if (++pieces % 10 === 0) await pause(3);
    }
    const expected = chunks.map(frame).join("") + done;
    expect(text).toHaveLength(expected.length);
    expect(text === expected).toBe(true);
  },
);

behaviour(
  "a client that does not read stops a source of 2,000,000 chunks, and receives every chunk once it reads again",
  async ({ open }) => {
    // Chunks of equal size that do not compress, so that the socket buffers hold few of them.
    const noise = randomBytes(64 * 1024).toString("base64");
    let total = 2_000_000;
    let pulled = 0;
    const source = (async function* () {
      for (; pulled < total; pulled++) {
        const offset = (pulled * 997) % (noise.length - 1000);
        yield delta(`${pulled}:${noise.slice(offset, offset + 1000)}`);
      }
    })();
    const response = await open({ source });
    // It has stopped when 20 checks in a row find nothing new.
    let seen = -1;
    let unchanged = 0;
    await until(() => {
      unchanged = pulled === seen ? unchanged + 1 : 0;
      seen = pulled;
      return unchanged === 20;
    }, "a standstill of the source");
    // The sockets of a loopback connection hold about 6 MiB.
    expect(pulled).toBeLessThan(20_000);
    total = pulled + 2000;
    let received = 0;
    let isInOrder = true;
    let rest = "";
    for await (const piece of response.pieces) {
      const frames = (rest + piece).split("\n\n");
      rest = frames.pop()!;
      for (const text of frames) {
        if (text === "data: [DONE]") continue;
        isInOrder &&= text.startsWith(`data: {"type":"text-delta","delta":"${received}:`);
        received++;
      }
    }
    expect({ received, isInOrder, rest }).toEqual({ received: total, isInOrder: true, rest: "" });
  },
);

const greedyClient = new URL("./greedy-client.mjs", import.meta.url);

for (const kind of ["generator", "async generator"] as const) {
  behaviour(
    `an endless ${kind} that never waits does not starve the event loop, and ends when the client leaves`,
    async ({ running, answerWith }) => {
      let hasGivenUp = false;
      let interval: ReturnType<typeof setInterval> | undefined;
      const ended = deferred<void>();
      const twentyTicks = deferred<void>();
      // Gives up on its own, so that a starved event loop fails the test instead of hanging it.
      function* endless() {
        let ticks = 0;
        interval = setInterval(() => {
          if (++ticks === 20) twentyTicks.resolve();
        }, 10);
        const deadline = performance.now() + giveUpMs;
        try {
          while (performance.now() < deadline) yield delta("more");
          hasGivenUp = true;
        } finally {
          clearInterval(interval);
          ended.resolve();
        }
      }
      async function* endlessAsync() {
        yield* endless();
      }
      answerWith({ source: kind === "generator" ? endless() : endlessAsync() });
      const { origin, certificate } = running;
      // A client in this thread would share the starved event loop.
      const client = new Worker(greedyClient, { workerData: { origin, certificate } });
      try {
        await Promise.race([twentyTicks.promise, ended.promise]);
        client.postMessage("leave");
        await ended.promise;
        expect(hasGivenUp).toBe(false);
      } finally {
        await client.terminate();
      }
    },
  );
}

behaviour(
  "a pending source has its signal aborted and return() called as soon as the client's socket closes",
  async ({ target, running, open, requestSignal }) => {
    const closed = deferred<void>();
    running.server.once("connection", (socket) => socket.once("close", () => closed.resolve()));
    const { source, left } = silentSource();
    const response = await open({ source });
    await readUntil(response, (text) => text === openingComment);
    response.leave();
    await wait(closed.promise, "the socket closed on the server");
    await atOnce(left, "the signal aborted and return() called");
    expect(requestSignal()?.aborted).toBe(target.bridge === "sendStream" ? undefined : true);
  },
);

behaviour(
  "the source is not opened, or released at once, if the client leaves before the handler responds",
  async ({ target, running, open }) => {
    const closed = deferred<void>();
    const arrived = deferred<void>();
    running.server.once("connection", (socket) => socket.once("close", () => closed.resolve()));
    running.server.once("request", () => arrived.resolve());
    const gate = deferred<Answer>();
    const leave = new AbortController();
    const response = open(gate.promise, { signal: leave.signal });
    await wait(arrived.promise, "the request");
    leave.abort();
    await expect(response).rejects.toThrow();
    await wait(closed.promise, "the socket closed on the server");
    const { source, state, left } = silentSource();
    gate.resolve({ source });
    await macrotask();
    if (target.bridge === "sendStream") expect(state.isOpened).toBe(false);
    if (state.isOpened) await atOnce(left, "the source released");
  },
);

behaviour("HEAD gets the headers without a body, and the source is not opened", async ({ open }) => {
  const { source, state } = silentSource();
  const response = await open({ source }, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(response.headers["content-type"]).toBe("text/event-stream");
  expect(await wait(readRest(response), "the end")).toEqual({ text: "", isCut: false });
  expect(state.isOpened).toBe(false);
});

behaviour("aborting the `signal` option ends the body without [DONE]", async ({ target, open }) => {
  const abort = new AbortController();
  const { source, left } = silentSource([delta("a")]);
  const response = await open({ source, options: { signal: abort.signal } });
  expect(await readUntil(response, (text) => text.includes("\n\n"))).toBe(frame(delta("a")));
  abort.abort();
  await atOnce(left, "the signal aborted and return() called");
  // `sendStream` visibly cuts the body off; the body of a `Response` never fails and just ends.
  const rest = { text: "", isCut: target.bridge === "sendStream" };
  expect(await wait(readRest(response), "the end")).toEqual(rest);
});

behaviour(
  "no call, stream or timer remains after all streams have ended, and the server closes",
  async ({ running, before }) => {
    await until(() => running.unresolved() === 0, "every call resolved");
    await until(() => countStreams() <= before.streams, "every stream unregistered");
    await wait(running.close(), "the server closed");
    await until(() => countTimers() <= before.timers, "every timer stopped");
  },
);

for (const target of targets)
  describe(target.name, () => {
    const opened: Promise<ClientResponse>[] = [];
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    let stage: Stage;

    beforeAll(async () => {
      const before = { timers: countTimers(), streams: countStreams() };
      let answer: Answer | Promise<Answer> = { source: [] };
      let signal: AbortSignal | undefined;
      const running = await target.start((request) => {
        signal = request?.signal;
        return answer;
      });
      process.on("warning", onWarning);
      stage = {
        target,
        running,
        before,
        requestSignal: () => signal,
        answerWith(next) {
          answer = next;
        },
        open(next, options) {
          answer = next;
          const response = openRequest({ ...running, protocol: target.protocol }, options);
          opened.push(response);
          return response;
        },
      };
    });

    afterEach(async () => {
      for (const response of opened.splice(0)) (await response.catch(() => undefined))?.leave();
      // An `UnsupportedWarning` would report a header that HTTP/2 does not have.
      expect(warnings.splice(0)).toEqual([]);
    });

    afterAll(async () => {
      process.off("warning", onWarning);
      if (stage.running.server.listening) await stage.running.close();
    });

    for (const { title, run } of behaviours) test(title, () => run(stage));
  });

describe("the bridge alone", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  const serve = (protocol: "http1" | "http2", handler: () => Response): Promise<Destination> =>
    listen(protocol, toNodeHandler(handler));

  async function listen(
    protocol: "http1" | "http2",
    listener: (req: NodeRequest, res: NodeResponse) => Promise<void>,
  ): Promise<Destination> {
    const { key, cert } = await selfSignedCertificate();
    const server =
      protocol === "http1" ? createServer(listener) : createSecureServer({ key, cert }, listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const scheme = protocol === "http1" ? "http" : "https";
    return { protocol, origin: `${scheme}://127.0.0.1:${port}`, certificate: cert };
  }

  for (const protocol of ["http1", "http2"] as const) {
    test.each([
      [{ heartbeatMs: Number.NaN }, "heartbeatMs must be a number of milliseconds"],
      [{ heartBeatMs: 5000 }, 'sendStream has no option "heartBeatMs". Did you mean "heartbeatMs"?'],
    ])(`over ${protocol}, %o causes a 500 with the reason in the log`, async (options: object, reason) => {
      const error = vi.spyOn(console, "error").mockImplementation(() => {});
      const open = vi.fn();
      const listener = (req: NodeRequest, res: NodeResponse) => sendStream(req, res, open, options);
      const response = await openRequest(await listen(protocol, listener));
      expect(response.status).toBe(500);
      expect((await readRest(response)).text).toContain('"code":"internal"');
      expect(open).not.toHaveBeenCalled();
      expect(String(error.mock.calls[0]?.[1])).toContain(reason);
      error.mockRestore();
    });

    test(`over ${protocol}, every cookie of a response is sent`, async () => {
      const headers: [string, string][] = [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ];
      const response = await openRequest(await serve(protocol, () => new Response("x", { headers })));
      expect(response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
      await readRest(response);
    });

    test(`over ${protocol}, a stream returned for HEAD sends no body, and its source is released at once`, async () => {
      const { source, left } = silentSource([delta("a")]);
      const response = await openRequest(await serve(protocol, () => toSSE(source)), { method: "HEAD" });
      expect(response.headers["content-type"]).toBe("text/event-stream");
      expect(await readRest(response)).toEqual({ text: "", isCut: false });
      await atOnce(left, "the source released");
    });

    test(`over ${protocol}, a broken body is visibly incomplete`, async () => {
      let breakOff: () => void = () => {};
      const body = () =>
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("half of it"));
            breakOff = () => controller.error(new Error("broken off"));
          },
        });
      const response = await openRequest(await serve(protocol, () => new Response(body())));
      expect(await readUntil(response, (text) => text !== "")).toBe("half of it");
      breakOff();
      expect(await readRest(response)).toEqual({ text: "", isCut: true });
    });
  }

  /** Sends a raw request and returns the whole raw response. */
  async function sendRaw(
    head: string,
    handler: (request: Request) => Response | Promise<Response>,
  ): Promise<string> {
    const server = createServer(toNodeHandler(handler));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = connectSocket(port, "127.0.0.1");
    client.write(`${head}\r\nconnection: close\r\n\r\n`);
    let text = "";
    for await (const bytes of client) text += bytes;
    return text;
  }

  test("a malformed host and a forbidden method get a 400, and nothing is logged", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const handler = vi.fn(() => new Response("x"));
    for (const head of ["GET / HTTP/1.1\r\nhost: a b", "TRACE / HTTP/1.1\r\nhost: x"]) {
      expect(await sendRaw(head, handler)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(handler).not.toHaveBeenCalled();
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  test("HEAD through sendStream closes a source that was already open", async () => {
    const returned = vi.fn(async () => ({ done: true as const, value: undefined }));
    const source = { [Symbol.asyncIterator]: () => ({ next: vi.fn(), return: returned }) };
    const server = createServer((req, res) => void sendStream(req, res, source));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "HEAD" });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(returned).toHaveBeenCalledTimes(1);
  });

  test("a stream that no client reads is cut off when it stalls, so that a late reader finds no end", async () => {
    const stalled = deferred<string>();
    function* flood() {
      for (;;) yield delta("x".repeat(10_000));
    }
    const options = {
      stallTimeoutMs: 200,
      onFinish: ({ reason }: { reason: string }) => stalled.resolve(reason),
    };
    const server = createServer((req, res) => void sendStream(req, res, flood(), options));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = connectSocket(port, "127.0.0.1").pause();
    client.on("error", () => {});
    client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(await wait(stalled.promise, "the stall")).toBe("stalled");
    let tail = "";
    client.on("data", (bytes) => {
      tail = (tail + bytes).slice(-100);
    });
    await wait(once(client.resume(), "close"), "the end of the connection");
    expect(tail).not.toContain("[DONE]");
    // A complete chunked body ends with this last chunk.
    expect(tail.endsWith("0\r\n\r\n")).toBe(false);
  });

  test("a path that begins with two slashes does not name another host", async () => {
    const echo = (request: Request) => new Response(request.url);
    expect(await sendRaw("GET //other/x HTTP/1.1\r\nhost: here", echo)).toMatch(/http:\/\/here\/\/other\/x/);
    expect(await sendRaw("GET http://here/y HTTP/1.1\r\nhost: here", echo)).toMatch(/http:\/\/here\/y/);
  });

  test("the signal of a garbage-collected request is still aborted when the client leaves", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const aborted = deferred<void>();
    let isCalled = false;
    const listener = toNodeHandler((request) => {
      request.signal.addEventListener("abort", () => aborted.resolve());
      isCalled = true;
      return new Promise<Response>(() => {});
    });
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = connectSocket(port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    while (!isCalled) await macrotask();
    for (let turn = 0; turn < 3; turn++) {
      await macrotask();
      collectGarbage();
    }
    client.destroy();
    await wait(aborted.promise, "the signal aborted");
  });

  test("a body from user code that never waits does not starve the event loop", async () => {
    const piece = new TextEncoder().encode("x".repeat(40));
    let deadline = 0;
    let ticks = 0;
    const ended = deferred<number>();
    let timer: NodeJS.Timeout | undefined;
    const body = new ReadableStream({
      pull(controller) {
        timer ??= setInterval(() => ticks++, 10);
        deadline ||= performance.now() + giveUpMs;
        if (ticks < 40 && performance.now() < deadline) {
          // Slower than the client, so that its socket is never full, but never waiting.
          const until = performance.now() + 0.2;
          while (performance.now() < until);
          controller.enqueue(piece);
          return;
        }
        controller.close();
        ended.resolve(ticks);
      },
    });
    const { origin } = await serve("http1", () => new Response(body));
    const client = new Worker(greedyClient, { workerData: { origin } });
    try {
      expect(await ended.promise).toBeGreaterThanOrEqual(40);
    } finally {
      clearInterval(timer);
      await client.terminate();
    }
  });

  for (const target of targets.filter(({ protocol }) => protocol === "http2")) {
    test(`${target.name}: a stream that the client resets is released, and the others on its connection continue`, async () => {
      const leaving = silentSource();
      const gate = deferred<StreamChunk[]>();
      const sources = [leaving.source, gate.promise];
      const running = await target.start(() => ({ source: sources.shift()! }));
      servers.push(running.server);
      const session = connect(running.origin, { ca: running.certificate! });
      const [first, second] = [session.request({ ":path": "/" }), session.request({ ":path": "/" })];
      await Promise.all([once(first, "response"), once(second, "response")]);
      first.close(constants.NGHTTP2_CANCEL);
      await wait(leaving.left, "the source released");
      gate.resolve([delta("b")]);
      let text = "";
      for await (const bytes of second) text += bytes;
      expect(text.replace(openingComment, "")).toBe(frame(delta("b")) + done);
      session.close();
    });
  }
});
