import { globSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { consumeStream } from "../../src/stream/consume-stream.ts";
import { type ReadStreamOptions, readStream } from "../../src/stream/read-stream.ts";
import { bytesOf, collect, delta, doneMarker, frame, macrotask, testBody } from "./bodies.ts";

let unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", onUnhandled);
});
afterEach(async () => {
  vi.useRealTimers();
  await macrotask();
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
});

describe("golden transcripts", () => {
  const folder = new URL("../../../protocol/transcripts/", import.meta.url);
  for (const file of globSync("*/*.sse", { cwd: folder })) {
    const bytes = readFileSync(new URL(file, folder));
    const { complete, outcome, entries } = JSON.parse(
      readFileSync(new URL(file.replace(".sse", ".json"), folder), "utf8"),
    );
    test(`${file} yields its chunks and ends as ${outcome}, in 1-byte and in 100-byte pieces`, async () => {
      for (const size of [1, 100]) {
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += size)
          pieces.push(new Uint8Array(bytes.subarray(at, at + size)));
        const unknown: unknown[] = [];
        const { stream } = testBody(pieces);
        const { chunks, error } = await collect(
          readStream(stream, { onUnknownChunk: (chunk) => unknown.push(chunk) }),
        );
        const known = entries.filter((entry: { unknown?: true }) => !entry.unknown);
        expect(chunks).toEqual(known.map((entry: { chunk: unknown }) => entry.chunk));
        expect(unknown).toHaveLength(entries.length - known.length);
        if (complete) expect(error).toBeUndefined();
        else if (outcome === "violation") expect(error).toMatchObject({ name: "StreamProtocolError" });
        else expect(error).toMatchObject({ name: "StreamTruncatedError", code: "truncated" });
      }
    });
  }
});

test("aborting in onUnknownChunk stops reading and reporting, even if no known chunk follows", async () => {
  vi.useFakeTimers();
  const abort = new AbortController();
  const onUnknownChunk = vi.fn(() => abort.abort("enough"));
  const body = testBody([frame({ type: "x-new" }).repeat(5)], { stays: true });
  const { error } = await collect(readStream(body.stream, { signal: abort.signal, onUnknownChunk }));
  expect(error).toBe("enough");
  expect(onUnknownChunk).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test.each(["x", "xa", "ax", "axa"])(
  "aborting in onUnknownChunk ends the iteration there: %s",
  async (order) => {
    const frames = [...order].map((name) => frame(name === "x" ? { type: "x-new" } : delta("a")));
    const abort = new AbortController();
    const body = testBody([frames.join(""), frame(delta("late"))], { stays: true });
    const onUnknownChunk = () => abort.abort("enough");
    const { chunks, error } = await collect(
      readStream(body.stream, { signal: abort.signal, onUnknownChunk }),
    );
    expect({ chunks, error }).toEqual({ chunks: order[0] === "a" ? [delta("a")] : [], error: "enough" });
    expect(body.cancelled).toEqual({ reason: "enough" });
  },
);

test("an error from onUnknownChunk is passed on unchanged", async () => {
  const mistake = new RangeError("of the application");
  const onUnknownChunk = () => {
    throw mistake;
  };
  const body = testBody([frame({ type: "x-new" }), doneMarker]);
  expect(await collect(readStream(body.stream, { onUnknownChunk }))).toEqual({ chunks: [], error: mistake });
  expect(body.cancelled).toBeDefined();
});

describe("endings", () => {
  const good = frame(delta("a"));
  test("[DONE] ends the iteration at once, even if the body stays open", async () => {
    const body = testBody([good + doneMarker], { stays: true });
    expect(await collect(readStream(body.stream))).toEqual({ chunks: [delta("a")] });
  });

  test("the end of the body after a terminal is complete", async () => {
    const { stream } = testBody([frame({ type: "done" })]);
    expect(await collect(readStream(stream))).toEqual({ chunks: [{ type: "done" }] });
  });

  test("the end of the body without [DONE] or a terminal is truncated, after the chunks before it", async () => {
    const { chunks, error } = await collect(readStream(testBody([good]).stream));
    expect(chunks).toEqual([delta("a")]);
    expect(error).toMatchObject({
      name: "StreamTruncatedError",
      message: "The stream ended too early: the answer is incomplete.",
    });
  });

  test("a value that is not a body is an error that names the expected and the received type", async () => {
    for (const [nothing, named] of [
      ["text", '"text"'],
      [{}, "an object"],
      [7, "7"],
    ]) {
      const { error } = await collect(readStream(nothing as never));
      expect(error).toMatchObject({
        name: "StreamBodyError",
        code: "unreadable-body",
        message: `Cannot read the body: expected a Response or a stream, got ${named}.`,
      });
    }
  });

  test("a null body is truncated", async () => {
    expect((await collect(readStream(null))).error).toMatchObject({ name: "StreamTruncatedError" });
  });

  test("a broken connection is truncated, with the cause", async () => {
    const body = testBody([good], { stays: true });
    const cause = new TypeError("terminated");
    const read = collect(readStream(body.stream));
    await macrotask();
    body.fail(cause);
    expect(await read).toMatchObject({
      chunks: [delta("a")],
      error: { name: "StreamTruncatedError", cause },
    });
  });

  test("a connection that breaks after the terminal is complete", async () => {
    const body = testBody([frame({ type: "done" })], { stays: true });
    const read = collect(readStream(body.stream));
    await macrotask();
    body.fail(new TypeError("terminated"));
    expect(await read).toEqual({ chunks: [{ type: "done" }] });
  });

  test("a protocol error is thrown after the good chunks of the same piece, without another read, and the body is cancelled", async () => {
    const body = testBody([`${good}data: {oops\n\n`], { stays: true });
    const { chunks, error } = await collect(readStream(body.stream));
    expect(chunks).toEqual([delta("a")]);
    expect(error).toMatchObject({ name: "StreamProtocolError", code: "invalid-json" });
    expect(body.pulls).toBe(1);
    expect(body.cancelled).toBeDefined();
  });

  test("an event larger than maxEventBytes is an error", async () => {
    const { stream } = testBody([frame(delta("x".repeat(200)))]);
    expect((await collect(readStream(stream, { maxEventBytes: 100 }))).error).toMatchObject({
      code: "too-large",
    });
  });
});

describe("a Response", () => {
  const headers = { "content-type": "text/event-stream" };
  const text = frame({ type: "done" }) + doneMarker;

  test("with an event stream is read, however its content type is written, even if it is sent twice", async () => {
    for (const contentType of [
      "text/event-stream",
      "Text/Event-Stream ; charset=utf-8",
      "text/event-stream\t; charset=utf-8",
      "text/event-stream, text/event-stream; charset=utf-8",
      "text/html, text/event-stream",
      "text/event-stream, nonsense",
    ]) {
      const response = new Response(text, { headers: { "content-type": contentType } });
      expect(await collect(readStream(response))).toEqual({ chunks: [{ type: "done" }] });
    }
  });

  test("of another class than the global one is also read", async () => {
    const response = new Response(text, { headers });
    vi.stubGlobal("Response", class {});
    const reading = await collect(readStream(response));
    vi.unstubAllGlobals();
    expect(reading).toEqual({ chunks: [{ type: "done" }] });
  });

  test("with another content type is an error that names it, and its body is cancelled", async () => {
    const body = testBody(["<html>"]);
    const { error } = await collect(
      readStream(new Response(body.stream, { headers: { "content-type": "text/html" } })),
    );
    expect(error).toMatchObject({
      name: "StreamContentTypeError",
      code: "content-type",
      contentType: "text/html",
      message: "Expected text/event-stream, got text/html.",
    });
    await macrotask();
    expect(body.cancelled).toBeDefined();
  });

  test("with two content types is judged by the last one", async () => {
    const response = new Response(text, { headers: { "content-type": "text/event-stream, text/html" } });
    expect((await collect(readStream(response))).error).toMatchObject({
      name: "StreamContentTypeError",
      contentType: "text/event-stream, text/html",
    });
  });

  test("without a content type is an error that mentions it", async () => {
    const { error } = await collect(readStream(new Response(testBody([text]).stream)));
    expect(error).toMatchObject({
      contentType: "",
      message: "Expected text/event-stream, got no content type.",
    });
  });

  test("without a body is truncated", async () => {
    expect((await collect(readStream(new Response(null, { status: 204 })))).error).toMatchObject({
      code: "truncated",
    });
  });

  test("with an error status is an error with the status, the parsed body and retry-after", async () => {
    const body = JSON.stringify({ error: "Too busy.", code: "busy" });
    const init = { status: 503, headers: { ...headers, "retry-after": "7" } };
    expect((await collect(readStream(new Response(body, init)))).error).toMatchObject({
      name: "StreamHttpError",
      code: "http-status",
      status: 503,
      body: { error: "Too busy.", code: "busy" },
      retryAfterMs: 7000,
      message: "Too busy.",
    });
  });

  test("with an error status and a text or empty body is an error with that body", async () => {
    const error = async (body: string | null, init: ResponseInit) =>
      (await collect(readStream(new Response(body, init)))).error;
    expect(await error("<h1>Bad gateway</h1>", { status: 502, statusText: "Bad Gateway" })).toMatchObject({
      body: "<h1>Bad gateway</h1>",
      retryAfterMs: undefined,
      message: "The route responded with 502: Bad Gateway",
    });
    expect(await error(null, { status: 404 })).toMatchObject({
      body: "",
      message: "The route responded with 404",
    });
  });

  test("with a date as retry-after provides the time until then, at least 0", async () => {
    const retryAfter = async (value: string) =>
      (
        (await collect(readStream(new Response("", { status: 429, headers: { "retry-after": value } }))))
          .error as { retryAfterMs?: number }
      ).retryAfterMs;
    expect(await retryAfter(new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(55_000);
    expect(await retryAfter("120")).toBe(120_000);
    expect(await retryAfter(new Date(0).toUTCString())).toBe(0);
    for (const value of ["soon", "", "1.5", "-5", "+5", "5 seconds", "2030-01-01T00:00:00Z", "Sun, never"]) {
      expect(await retryAfter(value)).toBeUndefined();
    }
    // When a proxy has added another, the first one counts.
    const past = new Date(0).toUTCString();
    for (const [values, ms] of [
      ["120, 120", 120_000],
      ["120,5", 120_000],
      [`${past}, ${past}`, 0],
      [`${past}, 120`, 0],
    ] as const) {
      expect(await retryAfter(values)).toBe(ms);
    }
  });

  test("with a date as retry-after is measured from the response's own date, not from the local clock", async () => {
    const sentAt = Date.UTC(2030, 0, 1, 12);
    const retryAfter = async (value: string, date: string) => {
      const init = { status: 503, headers: { "retry-after": value, date } };
      return ((await collect(readStream(new Response("", init)))).error as { retryAfterMs?: number })
        .retryAfterMs;
    };
    const date = new Date(sentAt).toUTCString();
    for (const skewMs of [0, -3_600_000, 3_600_000, -86_400_000_000]) {
      vi.spyOn(Date, "now").mockReturnValue(sentAt + skewMs);
      expect(await retryAfter(new Date(sentAt + 7_000).toUTCString(), date)).toBe(7_000);
      expect(await retryAfter(new Date(sentAt - 7_000).toUTCString(), date)).toBe(0);
      expect(await retryAfter("Tuesday, 01-Jan-30 12:00:09 GMT", date)).toBe(9_000);
      expect(await retryAfter("11", date)).toBe(11_000);
      // Without a date in the response, only the local clock is left.
      expect(await retryAfter(new Date(sentAt + skewMs + 5_000).toUTCString(), "unknown")).toBe(5_000);
    }
    vi.restoreAllMocks();
  });

  test("with the error body of one of our routes has its message, as an error chunk does", async () => {
    const message = "Something went wrong on the server.";
    const chunk = { type: "error", message, code: "internal", correlationId: "c-1" };
    const partial = { chunks: [chunk], text: "", structured: [], error: chunk };
    for (const body of [{ error: message, code: "internal", correlationId: "c-1" }, partial]) {
      const response = new Response(JSON.stringify(body), {
        status: 500,
        statusText: "Internal Server Error",
      });
      expect((await collect(readStream(response))).error).toMatchObject({ message, status: 500, body });
    }
    const streamed = `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`;
    await consumeStream(readStream(new Response(streamed, { headers })), {
      onError: (error) => expect(error.message).toBe(message),
    });
    expect.assertions(3);
  });

  test("with the error body of another server has the status, and a reason if one is found", async () => {
    for (const [body, said] of [
      [{ error: "no such table", status: 500 }, "The route responded with 500: no such table"],
      [{ error: "", code: "internal" }, "The route responded with 500"],
      [{ error: { message: "no such table" } }, "The route responded with 500"],
      [{ error: 7, code: "x" }, "The route responded with 500"],
      [null, "The route responded with 500"],
    ] as const) {
      const { error } = await collect(readStream(new Response(JSON.stringify(body), { status: 500 })));
      expect((error as Error).message).toBe(said);
    }
  });

  test("with an error body that breaks off, or is cut inside a character, keeps the received part", async () => {
    const body = testBody(["half of "], { stays: true });
    const read = collect(readStream(new Response(body.stream, { status: 500 })));
    await macrotask();
    body.fail(new Error("reset"));
    expect((await read).error).toMatchObject({ name: "StreamHttpError", body: "half of " });
    const bytes = bytesOf("語");
    const cut = testBody([bytes.subarray(0, 1), bytes.subarray(1)]);
    expect((await collect(readStream(new Response(cut.stream, { status: 500 })))).error).toMatchObject({
      body: "語",
    });
  });

  test("with an error that is not a string keeps it in the body only", async () => {
    const { error } = await collect(readStream(new Response('{"error":{"code":1}}', { status: 500 })));
    expect(error).toMatchObject({ message: "The route responded with 500", body: { error: { code: 1 } } });
  });

  test("that is not a stream and was redirected reports its final URL", async () => {
    const response = new Response("<html>", { headers: { "content-type": "text/html" } });
    Object.defineProperties(response, {
      redirected: { value: true },
      url: { value: "https://login.example/" },
    });
    expect((await collect(readStream(response))).error).toMatchObject({
      message: "Expected text/event-stream, got text/html from https://login.example/.",
    });
  });

  test("with an endless error body is read up to 64 KiB, then cancelled", async () => {
    const kilobyte = "x".repeat(1024);
    const body = testBody(Array(1000).fill(kilobyte));
    const { error } = await collect(readStream(new Response(body.stream, { status: 500 })));
    expect((error as { body: string }).body).toHaveLength(64 * 1024);
    expect(body.cancelled).toBeDefined();
  });
});

describe("pace", () => {
  test("nothing is read before the first next()", async () => {
    const body = testBody([frame(delta("a")), doneMarker]);
    const stream = readStream(body.stream);
    const iterator = stream[Symbol.asyncIterator]();
    await macrotask();
    expect(body.pulls).toBe(0);
    await iterator.next();
    expect(body.pulls).toBe(1);
  });

  test("a slow consumer slows the reading: no piece is requested before the previous one is used up", async () => {
    const body = testBody([frame(delta("a")) + frame(delta("b")), frame(delta("c")), doneMarker]);
    const iterator = readStream(body.stream)[Symbol.asyncIterator]();
    const pulls: number[] = [];
    for (let count = 0; count < 3; count++) {
      await iterator.next();
      await macrotask();
      pulls.push(body.pulls);
    }
    expect(pulls).toEqual([1, 1, 2]);
  });

  test("a second iteration throws", async () => {
    const stream = readStream(testBody([doneMarker]).stream);
    await collect(stream);
    expect(() => stream[Symbol.asyncIterator]()).toThrow(
      "A stream can be iterated only once: request another.",
    );
  });

  test("concurrent calls of next() are served in order", async () => {
    const body = testBody([frame(delta("a")), frame(delta("b")), frame(delta("c")) + doneMarker]);
    const iterator = readStream(body.stream)[Symbol.asyncIterator]();
    const results = await Promise.all([
      iterator.next(),
      iterator.next(),
      iterator.next(),
      iterator.next(),
      iterator.next(),
    ]);
    expect(results.map(({ value }) => value?.delta)).toEqual(["a", "b", "c", undefined, undefined]);
  });

  test("a pending call of next() is served before a later one, even when chunks are queued", async () => {
    const text = ["a", "b", "c", "d"].map((letter) => frame(delta(letter))).join("");
    const iterator = readStream(testBody([text + doneMarker]).stream)[Symbol.asyncIterator]();
    const order: string[] = [];
    const call = () => iterator.next().then(({ value }) => void order.push(value?.delta));
    const [first, second, third] = [call(), call(), call()];
    await first;
    await Promise.all([second, third, call()]);
    expect(order).toEqual(["a", "b", "c", "d"]);
  });

  test("a call of next() within onUnknownChunk is served after the call that it interrupts", async () => {
    const unknown = frame({ type: "x-new" });
    const pieces = [frame(delta("a")) + unknown, ":a comment\n\n", frame(delta("b")), frame(delta("c"))];
    const order: string[] = [];
    const call = () => iterator.next().then(({ value }) => void order.push(value?.delta));
    const inner: Promise<void>[] = [];
    const iterator = readStream(testBody([...pieces, doneMarker]).stream, {
      onUnknownChunk: () => inner.push(call().then(() => void order.push("inner"))),
    })[Symbol.asyncIterator]();
    await call();
    const outer = call().then(() => void order.push("outer"));
    await Promise.all([outer, ...inner]);
    expect(order).toEqual(["a", "b", "outer", "c", "inner"]);
    await iterator.return?.();
  });

  test("an error rejects the first of two pending next() calls, and the second is done", async () => {
    const iterator = readStream(testBody(["data: {oops\n\n"]).stream)[Symbol.asyncIterator]();
    const [first, second] = [iterator.next(), iterator.next()];
    await expect(first).rejects.toMatchObject({ code: "invalid-json" });
    expect(await second).toEqual({ done: true, value: undefined });
  });

  test("200,000 pieces without a chunk, read by one next(), leave nothing in memory", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const heartbeat = bytesOf(":hb=8000\n\n");
    let pieces = 0;
    const stream = new ReadableStream<Uint8Array>(
      { pull: (controller) => (pieces++ < 200_000 ? controller.enqueue(heartbeat) : undefined) },
      { highWaterMark: 0 },
    );
    const iterator = readStream(stream)[Symbol.asyncIterator]();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const next = iterator.next();
    while (pieces <= 200_000) await macrotask();
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
    await iterator.return?.();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test("next() keeps returning done after the end and after an error", async () => {
    for (const text of [doneMarker, "data: {oops\n\n"]) {
      const iterator = readStream(testBody([text]).stream)[Symbol.asyncIterator]();
      await iterator.next().catch(() => {});
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
    }
  });
});

describe("cancellation", () => {
  const endless = () => testBody([frame(delta("a")) + frame(delta("b"))], { stays: true });

  test("break cancels the body at once", async () => {
    const body = endless();
    for await (const _ of readStream(body.stream)) break;
    expect(body.cancelled).toBeDefined();
  });

  test("a throw in the loop cancels the body and is passed on unchanged", async () => {
    const body = endless();
    const boom = new Error("boom");
    const loop = (async () => {
      for await (const _ of readStream(body.stream)) throw boom;
    })();
    await expect(loop).rejects.toBe(boom);
    expect(body.cancelled).toBeDefined();
  });

  test("return() settles at once while a read is pending, and so does the read", async () => {
    const body = endless();
    const iterator = readStream(body.stream)[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    const pending = iterator.next();
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    expect(body.cancelled).toBeDefined();
    expect(await pending).toEqual({ done: true, value: undefined });
  });

  test("return() before the first next() reads nothing", async () => {
    const body = endless();
    const iterator = readStream(body.stream)[Symbol.asyncIterator]();
    await iterator.return?.();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(body.pulls).toBe(0);
    await macrotask();
    expect(body.cancelled).toBeDefined();
  });

  test("return() right after the first next(), before the body is read, cancels the body", async () => {
    const body = endless();
    const iterator = readStream(body.stream)[Symbol.asyncIterator]();
    const first = iterator.next();
    await iterator.return?.();
    expect(await first).toEqual({ done: true, value: undefined });
    expect(body.pulls).toBe(0);
    await macrotask();
    expect(body.cancelled).toBeDefined();
  });

  test("abort rejects with the signal's reason, whether a read is pending or chunks are queued", async () => {
    for (const taken of [1, 2]) {
      const body = endless();
      const abort = new AbortController();
      const iterator = readStream(body.stream, { signal: abort.signal })[Symbol.asyncIterator]();
      for (let count = 0; count < taken; count++) await iterator.next();
      const pending = taken === 2 ? iterator.next() : undefined;
      const reason = { why: "the user pressed Stop" };
      abort.abort(reason);
      await expect(pending ?? iterator.next()).rejects.toBe(reason);
      expect(body.cancelled).toEqual({ reason });
    }
  });

  test("an abort in the same turn as a piece rejects, and the piece is dropped", async () => {
    const body = testBody([], { stays: true });
    const abort = new AbortController();
    const next = readStream(body.stream, { signal: abort.signal })[Symbol.asyncIterator]().next();
    await macrotask();
    body.push(frame(delta("late")));
    abort.abort("stop");
    await expect(next).rejects.toBe("stop");
  });

  test("an error body that hangs does not block cancellation, and is cancelled", async () => {
    for (const how of ["abort", "return"] as const) {
      const body = testBody(["part"], { stays: true });
      const abort = new AbortController();
      const response = new Response(body.stream, { status: 500 });
      const iterator = readStream(response, { signal: abort.signal })[Symbol.asyncIterator]();
      const next = iterator.next();
      await macrotask();
      if (how === "abort") {
        abort.abort("stop");
        await expect(next).rejects.toBe("stop");
      } else {
        await iterator.return?.();
        expect(await next).toEqual({ done: true, value: undefined });
      }
      expect(body.cancelled).toBeDefined();
    }
  });

  test("a signal that is already aborted rejects without reading", async () => {
    const body = endless();
    const iterator = readStream(body.stream, { signal: AbortSignal.abort("early") })[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toBe("early");
    expect(body.pulls).toBe(0);
    expect(body.cancelled).toBeDefined();
  });

  test("next() after an earlier return() adds no listener", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const iterator = readStream(endless().stream, { signal })[Symbol.asyncIterator]();
    await iterator.return?.();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(added).not.toHaveBeenCalled();
  });

  test("finished streams leave no listener on a long-lived signal", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await collect(readStream(testBody([doneMarker]).stream, { signal }));
    await collect(readStream(testBody([""]).stream, { signal }));
    for await (const _ of readStream(endless().stream, { signal })) break;
    expect(added).toHaveBeenCalledTimes(3);
    expect(removed.mock.calls.map((call) => call[1])).toEqual(added.mock.calls.map((call) => call[1]));
  });

  test("a rejection from the body's cancel() is ignored", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytesOf(frame(delta("a")))),
      cancel: () => Promise.reject(new Error("in cancel")),
    });
    for await (const _ of readStream(stream)) break;
  });
});

describe("silence", () => {
  beforeEach(() => void vi.useFakeTimers());
  const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  /** Reads a body that stays open, and reports whether reading is over. */
  function start(pieces: string[], options: ReadStreamOptions = {}) {
    const body = testBody(pieces, { stays: true });
    const reading = { body, isOver: false, collected: collect(readStream(body.stream, options)) };
    void reading.collected.then(() => {
      reading.isOver = true;
    });
    return reading;
  }

  test("of 60 s is an error that gives the time, and cancels the body", async () => {
    const reading = start([frame(delta("a"))]);
    await advance(59_999);
    expect(reading.isOver).toBe(false);
    await advance(1);
    const { chunks, error } = await reading.collected;
    expect(chunks).toEqual([delta("a")]);
    expect(error).toMatchObject({
      name: "StreamIdleError",
      code: "idle",
      message: "No data received for 60 s: the answer is incomplete.",
      silentMs: 60_000,
    });
    expect(reading.body.cancelled).toEqual({ reason: error });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is ended by any byte: of a comment, a line end or part of a chunk", async () => {
    const reading = start([]);
    for (const text of [":\n\n", "\n", "data: ", '{"type":', '"done"}\n\n']) {
      await advance(59_999);
      reading.body.push(text);
    }
    await advance(59_999);
    expect(reading.isOver).toBe(false);
    await advance(1);
    expect(reading.isOver).toBe(true);
  });

  test("after the terminal does no harm: the stream ends in order", async () => {
    const reading = start([frame({ type: "done" })]);
    await advance(60_000);
    expect(await reading.collected).toEqual({ chunks: [{ type: "done" }] });
    expect(reading.body.cancelled).toBeDefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  for (const [name, pieces, options, limitMs, seconds] of [
    ["idleTimeoutMs", [], { idleTimeoutMs: 1_500 }, 1_500, "1.5"],
    ["the server's heartbeats", [":hb=8000\n\n"], {}, 26_000, "26"],
    ["the newest announcement", [":hb=1000\n\n", ":hb=8000\n\n"], {}, 26_000, "26"],
    ["the heartbeats, not idleTimeoutMs", [":hb=30000\n\n"], { idleTimeoutMs: 10 }, 92_000, "92"],
  ] as const) {
    test(`has the limit of ${name}`, async () => {
      const reading = start([...pieces], options);
      await advance(limitMs - 1);
      expect(reading.isOver).toBe(false);
      await advance(1);
      expect((await reading.collected).error).toMatchObject({
        message: expect.stringContaining(`No data received for ${seconds} s:`),
      });
    });
  }

  for (const [name, pieces, options] of [
    ["idleTimeoutMs is 0, even with announced heartbeats", [":hb=1000\n\n"], { idleTimeoutMs: 0 }],
    [
      "idleTimeoutMs is infinite, even with announced heartbeats",
      [":hb=1000\n\n"],
      { idleTimeoutMs: Infinity },
    ],
    ["idleTimeoutMs exceeds the range of a timer", [":hb=1000\n\n"], { idleTimeoutMs: 2 ** 31 }],
    ["the server announces that it sends no heartbeats", [":hb=0\n\n"], {}],
  ] as const) {
    test(`has no limit when ${name}`, async () => {
      const reading = start([...pieces], options);
      await advance(10_000_000);
      expect([reading.isOver, vi.getTimerCount()]).toEqual([false, 0]);
      reading.body.push(doneMarker);
      expect(await reading.collected).toEqual({ chunks: [] });
    });
  }

  test("does not count while the consumer is busy", async () => {
    const body = testBody([frame(delta("a")), frame(delta("b")), doneMarker]);
    const iterator = readStream(body.stream)[Symbol.asyncIterator]();
    for (const letter of ["a", "b"]) {
      expect((await iterator.next()).value).toEqual(delta(letter));
      await advance(600_000);
    }
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test("of a suspended program is excused for one more interval", async () => {
    for (const comes of [true, false]) {
      const reading = start([frame(delta("a"))]);
      await advance(30_000);
      // Timers stand still while the clock continues.
      const { now } = performance;
      vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 3_600_000);
      await advance(30_000);
      expect(reading.isOver).toBe(false);
      await advance(59_999);
      expect(reading.isOver).toBe(false);
      if (comes) reading.body.push(doneMarker);
      await advance(1);
      expect((await reading.collected).error).toEqual(
        comes ? undefined : expect.objectContaining({ name: "StreamIdleError" }),
      );
      vi.restoreAllMocks();
    }
  });

  for (const how of ["the end", "an error", "an abort", "return()"] as const) {
    test(`is not watched after ${how}: no timer is left`, async () => {
      const abort = new AbortController();
      const body = testBody([frame(delta("a"))], { stays: true });
      const iterator = readStream(body.stream, { signal: abort.signal })[Symbol.asyncIterator]();
      await iterator.next();
      const next = iterator.next();
      next.catch(() => {});
      await advance(0);
      expect(vi.getTimerCount()).toBe(1);
      if (how === "the end") body.close();
      else if (how === "an error") body.fail(new Error("reset"));
      else if (how === "an abort") abort.abort();
      else await iterator.return?.();
      await next.catch(() => {});
      await advance(0);
      expect(vi.getTimerCount()).toBe(0);
    });
  }

  test("needs one timer, whatever the order of reads, bytes and announcements", async () => {
    const anyStep = fc.oneof(
      fc.constant("next" as const),
      fc.constantFrom(":\n\n", ":hb=1000\n\n", ":hb=8000\n\n", ":hb=0\n\n", frame(delta("a"))),
      fc.nat(50_000),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 30 }), async (steps) => {
        const body = testBody([], { stays: true });
        const iterator = readStream(body.stream)[Symbol.asyncIterator]();
        const calls: Promise<unknown>[] = [];
        for (const step of steps) {
          if (step === "next") calls.push(iterator.next().catch(() => {}));
          else if (typeof step === "number") await advance(step);
          else if (body.cancelled === undefined) body.push(step);
          await advance(0);
          expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
        }
        await iterator.return?.();
        await Promise.all(calls);
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe("after [DONE]", () => {
  test("the body gets one more read, so that the connection can be reused, and is not cancelled when it ends", async () => {
    const body = testBody([doneMarker]);
    await collect(readStream(body.stream));
    await macrotask();
    expect(body.pulls).toBe(2);
    expect(body.cancelled).toBeUndefined();
  });

  test("a body that does not end within 250 ms is cancelled", async () => {
    vi.useFakeTimers();
    const body = testBody([doneMarker], { stays: true });
    await collect(readStream(body.stream));
    // Silence is no longer watched.
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(249);
    expect(body.cancelled).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(body.cancelled).toBeDefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a body that continues is cancelled after its next piece, and leaves no timer", async () => {
    vi.useFakeTimers();
    const body = testBody([doneMarker, "data: more\n\n"], { stays: true });
    await collect(readStream(body.stream));
    await vi.advanceTimersByTimeAsync(0);
    expect(body.cancelled).toBeDefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the body is unlocked and closed", () => {
  const whole = frame(delta("a")) + doneMarker;
  const endings: [string, string[], (stream: AsyncIterable<unknown>) => Promise<unknown>][] = [
    ["when it has ended", [whole], collect],
    ["when it has ended on a terminal chunk", [frame({ type: "done" })], collect],
    ["when it was cut", [frame(delta("a"))], collect],
    ["when it violated the protocol", ["data: {\n\n"], collect],
    [
      "when the loop was exited",
      [frame(delta("a")), whole],
      async (stream) => {
        for await (const _ of stream) break;
      },
    ],
    [
      "when it was cancelled during a read",
      [frame(delta("a"))],
      async (stream) => {
        const iterator = stream[Symbol.asyncIterator]();
        await iterator.next();
        const pending = iterator.next();
        await iterator.return?.();
        await pending;
      },
    ],
  ];
  test.each(endings)("%s", async (title, pieces, read) => {
    const body = testBody(pieces, { stays: title.includes("pending") });
    await read(readStream(body.stream));
    await macrotask();
    expect(body.stream.locked).toBe(false);
    expect(await body.stream.getReader().read()).toEqual({ done: true, value: undefined });
  });
});

test("no URL that a page could run is delivered", async () => {
  const unsafe = "java\nscript:alert(1)";
  const source = { type: "source", id: "1", title: "A" };
  const file = { type: "file", mediaType: "text/html" };
  const pieces = [
    { ...source, url: unsafe },
    { ...file, url: unsafe },
    { ...source, url: "https://a.example" },
  ];
  const { stream } = testBody([...pieces.map(frame), doneMarker]);
  expect(await collect(readStream(stream))).toMatchObject({
    chunks: [source, { ...file, url: "" }, { ...source, url: "https://a.example" }],
  });
});
