import { once } from "node:events";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import fc from "fast-check";
import nodeFetch from "node-fetch";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import { requestChat } from "../../src/route/request-chat.ts";
import { streamChatFromRoute, streamFromRoute } from "../../src/route/stream-from-route.ts";
import { bodyOf, createPieceEncoder, discard } from "../../src/stream/byte-stream.ts";
import { readStream } from "../../src/stream/read-stream.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import {
  bodilessResponse,
  bytesOf,
  collect,
  delta,
  doneMarker,
  frame,
  macrotask,
  never,
  testBody,
} from "./bodies.ts";

const text = frame(delta("Grüße, 世界 😀")) + frame({ type: "done" }) + doneMarker;
const chunks = [delta("Grüße, 世界 😀"), { type: "done" }];
const messages = [{ role: "user" as const, content: "Hello" }];
const cut = frame(delta("half"));

describe("a response without a body property", () => {
  for (const method of ["text", "arrayBuffer", "blob"] as const) {
    test(`is read as a whole by its ${method}()`, async () => {
      const { fetch } = createScriptedFetch(() => bodilessResponse(text, { method }));
      expect(await collect(readStream(bodilessResponse(text, { method })))).toEqual({ chunks });
      expect(await collect(streamFromRoute({ endpoint: "/", fetch }))).toEqual({ chunks });
      expect(await collect(streamChatFromRoute({ endpoint: "/", messages, fetch }))).toEqual({ chunks });
    });

    test(`is read as a buffered answer by its ${method}()`, async () => {
      const answer = JSON.stringify({ chunks: [], text: "世界", structured: [] });
      const { fetch } = createScriptedFetch(() =>
        bodilessResponse(answer, { method, type: "application/json" }),
      );
      expect(await requestChat({ endpoint: "/", messages, fetch })).toMatchObject({ text: "世界" });
    });

    test(`with an error status is read by its ${method}()`, async () => {
      const { fetch } = createScriptedFetch(() =>
        bodilessResponse('{"error":"Süß."}', { method, status: 409 }),
      );
      const { error } = await collect(streamChatFromRoute({ endpoint: "/", messages, fetch }));
      expect(error).toMatchObject({ name: "StreamHttpError", status: 409, body: { error: "Süß." } });
    });
  }

  test("completes the answer of a chat, which accepts the next message", async () => {
    const { fetch } = createScriptedFetch(() => bodilessResponse(text));
    const chat = createChat({ endpoint: "/", fetch });
    for (const count of [2, 4]) {
      await chat.send("Hello");
      const { status, messages } = chat.getSnapshot();
      expect([status, messages.length]).toEqual(["ready", count]);
      expect(messages.at(-1)).toMatchObject({
        status: "done",
        parts: [{ type: "text", text: "Grüße, 世界 😀" }],
      });
    }
  });

  test("is also read by a custom transport", async () => {
    const chat = createChat({ transport: { start: () => readStream(bodilessResponse(text)) } });
    await chat.send("Hello");
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject({ status: "done", parts: [{ type: "text" }] });
  });

  test("that has no method to read it fails at once, with an error that explains why", async () => {
    const { calls, fetch } = createScriptedFetch(() => bodilessResponse(text, { method: "none" }));
    const expected = {
      name: "StreamBodyError",
      code: "unreadable-body",
      message:
        "Cannot read the body: this fetch cannot stream, and its response has no text(), arrayBuffer() or blob().",
    };
    const { error } = await collect(streamChatFromRoute({ endpoint: "/", messages, fetch, runs: true }));
    expect(error).toMatchObject(expected);
    await expect(requestChat({ endpoint: "/", messages, fetch })).rejects.toMatchObject(expected);
    const chat = createChat({ endpoint: "/", fetch });
    await chat.send("Hello");
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: expected });
    expect(calls).toHaveLength(3);
  });

  test("is truncated when its text is cut off or reading it fails, with the cause", async () => {
    expect(await collect(readStream(bodilessResponse(cut)))).toMatchObject({
      chunks: [delta("half")],
      error: { name: "StreamTruncatedError" },
    });
    const cause = new Error("network");
    expect(await collect(readStream(bodilessResponse(Promise.reject(cause))))).toMatchObject({
      chunks: [],
      error: { name: "StreamTruncatedError", cause },
    });
  });

  test("is resumed after the event at which a run was cut", async () => {
    const event = (seq: number, chunk: unknown) => `id: run.${seq}\n${frame(chunk)}`;
    const answers = [event(0, delta("a")), event(1, delta("b")) + event(2, { type: "done" }) + doneMarker];
    const { calls, fetch } = createScriptedFetch(() => bodilessResponse(answers[calls.length - 1]!));
    vi.spyOn(Math, "random").mockReturnValue(0);
    expect(await collect(streamChatFromRoute({ endpoint: "/", messages, fetch }))).toEqual({
      chunks: [delta("a"), delta("b"), { type: "done" }],
    });
    expect(calls.map(({ init }) => init.headers.get("last-event-id"))).toEqual([null, "run.0"]);
  });

  test("of another type is refused, whatever its content", async () => {
    const { error } = await collect(readStream(bodilessResponse(text, { type: "text/html" })));
    expect(error).toMatchObject({ name: "StreamContentTypeError", contentType: "text/html" });
  });

  test("with the status 204 has no body", async () => {
    expect(bodyOf(bodilessResponse("", { status: 204 }))).toBeNull();
  });

  test("is not read before the first next(), or after the caller has aborted", async () => {
    const response = bodilessResponse(text);
    const read = vi.spyOn(response, "text");
    const iterator = readStream(response)[Symbol.asyncIterator]();
    await macrotask();
    await iterator.return?.();
    await macrotask();
    expect(read).not.toHaveBeenCalled();
  });

  test("does not block an abort while it is read, even with an error status", async () => {
    for (const status of [200, 500]) {
      for (const how of ["abort", "return"] as const) {
        const abort = new AbortController();
        const response = bodilessResponse(new Promise(() => {}), { status });
        const iterator = readStream(response, { signal: abort.signal })[Symbol.asyncIterator]();
        const next = iterator.next();
        next.catch(() => {});
        await macrotask();
        if (how === "abort") {
          abort.abort("stopped");
          await expect(next).rejects.toBe("stopped");
        } else {
          await iterator.return?.();
          expect(await next).toEqual({ done: true, value: undefined });
        }
      }
    }
  });

  test("aborts its request when the caller aborts", async () => {
    const { calls, fetch } = createScriptedFetch(() => bodilessResponse(new Promise(() => {})));
    const iterator = streamChatFromRoute({ endpoint: "/", messages, fetch })[Symbol.asyncIterator]();
    void iterator.next();
    await macrotask();
    await iterator.return?.();
    expect(calls[0]?.init.signal?.aborted).toBe(true);
  });
});

describe("timeouts", () => {
  afterEach(() => void vi.useRealTimers());

  test("a response that is read as a whole may be silent until its end", async () => {
    vi.useFakeTimers();
    const answer = Promise.withResolvers<string>();
    const { fetch } = createScriptedFetch(() => bodilessResponse(answer.promise));
    const reading = collect(streamChatFromRoute({ endpoint: "/", messages, fetch }));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(vi.getTimerCount()).toBe(0);
    answer.resolve(text);
    expect(await reading).toEqual({ chunks });
  });

  test("a streaming body after one that was read as a whole has a timeout again", async () => {
    vi.useFakeTimers();
    const body = testBody([], { stays: true });
    const answers = [
      bodilessResponse(`id: run.0\n${frame(delta("a"))}`),
      new Response(body.stream, { headers: { "content-type": "text/event-stream" } }),
    ];
    const { fetch } = createScriptedFetch(() => answers.shift()!);
    const reading = collect(streamChatFromRoute({ endpoint: "/", messages, fetch, giveUpAfterMs: 30_000 }));
    await vi.advanceTimersByTimeAsync(3_500 + 60_000);
    expect((await reading).error).toMatchObject({ name: "StreamIdleError" });
  });

  test("a fetch marked as a polyfill has no timeout until its response is complete", async () => {
    vi.useFakeTimers();
    const { promise, resolve } = Promise.withResolvers<Response>();
    const { calls, fetch } = createScriptedFetch(() => promise);
    const polyfill = Object.assign(fetch, { polyfill: true });
    const reading = collect(streamChatFromRoute({ endpoint: "/", messages, fetch: polyfill }));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(calls[0]?.init.signal?.aborted).toBe(false);
    resolve(bodilessResponse(text));
    expect(await reading).toEqual({ chunks });
  });

  test("a polyfill has a timeout when the caller sets one", async () => {
    vi.useFakeTimers();
    const { calls, fetch } = createScriptedFetch(never);
    const polyfill = Object.assign(fetch, { polyfill: true });
    const options = { endpoint: "/", messages, fetch: polyfill, connectTimeoutMs: 1000 };
    const reading = collect(streamChatFromRoute(options));
    await vi.advanceTimersByTimeAsync(1000);
    expect((await reading).error).toMatchObject({ name: "StreamConnectionError" });
    expect(calls).toHaveLength(1);
  });
});

describe("a body that was already read", () => {
  const expected = {
    name: "StreamBodyError",
    code: "unreadable-body",
    message:
      "Cannot read the body: it was already read, or is being read; read a clone() of the response elsewhere.",
  };
  const headers = { "content-type": "text/event-stream" };

  test("is an error with an explanation, for a response and for a stream", async () => {
    const used = new Response(text, { headers });
    await used.text();
    const locked = new Response(text, { headers });
    locked.body!.getReader();
    const started = new Response(text, { headers });
    const reader = started.body!.getReader();
    await reader.read();
    reader.releaseLock();
    for (const body of [used, used.body, locked, locked.body, started]) {
      expect((await collect(readStream(body))).error).toMatchObject(expected);
    }
    const bodiless = Object.assign(bodilessResponse(text), { bodyUsed: true });
    expect((await collect(readStream(bodiless))).error).toMatchObject(expected);
    const ended = Readable.from([text]);
    await ended.toArray();
    expect((await collect(readStream(ended))).error).toMatchObject(expected);
  });

  test("by a custom fetch fails the request, which is made once", async () => {
    const { calls, fetch } = createScriptedFetch(async () => {
      const response = new Response(text, { headers });
      console.assert((await response.text()) !== "");
      return response;
    });
    const stream = streamChatFromRoute({ endpoint: "/", messages, fetch, runs: true });
    expect((await collect(stream)).error).toMatchObject(expected);
    await expect(requestChat({ endpoint: "/", messages, fetch })).rejects.toMatchObject(expected);
    expect(calls).toHaveLength(2);
  });

  test("of an error response leaves its status", async () => {
    const response = new Response("why", { status: 418 });
    await response.text();
    expect((await collect(readStream(response))).error).toMatchObject({ status: 418, body: "" });
  });

  test("is no problem when a clone was read", async () => {
    const response = new Response(text, { headers });
    const clone = response.clone();
    expect(await collect(readStream(response))).toEqual({ chunks });
    expect(await clone.text()).toBe(text);
  });
});

describe("a body of another kind", () => {
  test("undefined is an error that explains that the fetch cannot stream, and what to pass", async () => {
    expect((await collect(readStream(bodilessResponse(text).body))).error).toMatchObject({
      name: "StreamBodyError",
      message:
        "Cannot read the body: expected a Response or a stream, got undefined: this fetch cannot stream; pass its Response, which is read whole.",
    });
  });

  test("a stream of strings is read, however it is split", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        const stream = new ReadableStream<string>({
          start(controller) {
            for (const piece of pieces) controller.enqueue(piece);
            controller.close();
          },
        });
        expect(await collect(readStream(stream))).toEqual({ chunks });
        expect(await collect(readStream(Readable.from(pieces)))).toEqual({ chunks });
      }),
    );
  });

  test("a response body piped through a TextDecoderStream is read", async () => {
    const body = new Response(text).body!.pipeThrough(new TextDecoderStream());
    expect(await collect(readStream(body))).toEqual({ chunks });
  });

  test("an async generator of bytes is read on demand, and closed at once", async () => {
    const steps: string[] = [];
    async function* pieces() {
      try {
        for (const letter of "abc") {
          steps.push(letter);
          yield bytesOf(frame(delta(letter)));
        }
      } finally {
        steps.push("left");
      }
    }
    for await (const chunk of readStream(pieces()))
      if (chunk.type === "text-delta" && chunk.delta === "b") break;
    await macrotask();
    expect(steps).toEqual(["a", "b", "left"]);
  });

  test("a silent source does not block an abort", async () => {
    const destroyed = new Readable({ read() {} });
    const returned = vi.fn(async () => ({ done: true as const, value: undefined }));
    const silent = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}), return: returned }),
    };
    for (const body of [destroyed, silent]) {
      const abort = new AbortController();
      const reading = collect(readStream(body, { signal: abort.signal }));
      await macrotask();
      abort.abort("stopped");
      expect(await reading).toEqual({ chunks: [], error: "stopped" });
    }
    await macrotask();
    expect([destroyed.destroyed, returned.mock.calls.length]).toEqual([true, 1]);
  });

  test("a source that is silent for too long is idle", async () => {
    vi.useFakeTimers();
    const silent = new Readable({ read() {} });
    const reading = collect(readStream(silent));
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await reading).error).toMatchObject({ name: "StreamIdleError" });
    expect(silent.destroyed).toBe(true);
    vi.useRealTimers();
  });

  test("pieces that are neither bytes nor strings are refused, and the error names them", async () => {
    for (const [piece, named] of [
      [{ type: "done" }, "an object"],
      [7, "7"],
      [null, "null"],
    ]) {
      const body = (async function* () {
        yield piece;
      })();
      expect((await collect(readStream(body as never))).error).toMatchObject({
        name: "StreamBodyError",
        message: `Cannot read the body: expected pieces of bytes or text, got ${named}.`,
      });
    }
  });
});

describe("over a socket", () => {
  let server: Server;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  /** Serves one response to every request. @returns its URL. */
  async function serve(status: number, type: string, body: string, stays = false): Promise<string> {
    server = createServer((_req, res) => {
      res.writeHead(status, { "content-type": type });
      res.write(body);
      if (!stays) res.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }
  const fetch = nodeFetch as unknown as typeof globalThis.fetch;

  test("node-fetch, whose bodies are Node streams, streams an answer", async () => {
    const endpoint = await serve(200, "text/event-stream", text);
    expect(await collect(streamChatFromRoute({ endpoint, messages, fetch }))).toEqual({ chunks });
    const { body } = await fetch(endpoint);
    expect(await collect(readStream(body))).toEqual({ chunks });
  });

  test("node-fetch delivers the first chunk while the answer continues, and its request ends with the loop", async () => {
    const endpoint = await serve(200, "text/event-stream", text, true);
    const closed = new Promise<void>((resolve) => {
      server.on("request", (_req, res) => res.on("close", resolve));
    });
    for await (const chunk of streamChatFromRoute({ endpoint, messages, fetch })) {
      expect(chunk).toEqual(chunks[0]);
      break;
    }
    await closed;
  });

  test("node-fetch delivers the body of an error, and a buffered answer", async () => {
    const failing = await serve(403, "application/json", '{"error":"No."}');
    expect((await collect(streamChatFromRoute({ endpoint: failing, messages, fetch }))).error).toMatchObject({
      status: 403,
      body: { error: "No." },
    });
    server.close();
    const endpoint = await serve(200, "application/json", '{"chunks":[],"text":"Hi","structured":[]}');
    expect(await requestChat({ endpoint, messages, fetch })).toMatchObject({ text: "Hi" });
  });

  test("a response of node:http is read as a body, although it has headers", async () => {
    const endpoint = await serve(200, "text/event-stream", text);
    const answer = await new Promise<IncomingMessage>((resolve) => get(endpoint, resolve));
    expect(await collect(readStream(answer))).toEqual({ chunks });
  });
});

test("a surrogate pair split over two strings is one character, and bytes pass through unchanged", () => {
  const toBytes = createPieceEncoder();
  const bytes = bytesOf("x");
  expect(toBytes(bytes)).toBe(bytes);
  const pieces = ["a\ud83d", "\ude00b", "\ud83d", "\ude00"].map(toBytes);
  expect(new TextDecoder().decode(Buffer.concat(pieces))).toBe("a😀b😀");
});

test("discard cancels a body, and ignores a rejected cancellation", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const body = testBody(["x"]);
  discard(body.stream);
  expect(body.cancelled).toBeDefined();
  discard(new ReadableStream({ cancel: () => Promise.reject(new Error("in cancel")) }));
  discard(null);
  await macrotask();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});
