import { type StreamChunk, StreamTruncatedError } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import { consumeStream } from "../../src/stream/consume-stream.ts";
import { readStream } from "../../src/stream/read-stream.ts";
import { delta, doneMarker, frame, macrotask, testBody } from "./bodies.ts";

const streamOf = (...chunks: unknown[]) => readStream(testBody([...chunks.map(frame), doneMarker]).stream);
const handlers = () => ({ onChunk: vi.fn(), onText: vi.fn(), onDone: vi.fn(), onError: vi.fn() });

describe("the outcome", () => {
  const abort = { type: "abort", reason: "stopped" } as const;
  const done = { type: "done", finishReason: "stop" } as const;
  for (const [name, chunks, outcome] of [
    ["done", [delta("a"), done], { outcome: "done", chunk: done }],
    ["abort", [delta("a"), abort], { outcome: "abort", chunk: abort }],
    ["an end without a terminal", [delta("a")], { outcome: "end" }],
    ["an empty stream", [], { outcome: "end" }],
  ] as const) {
    test(`of ${name} is returned and passed to onDone, not to onError`, async () => {
      const { onChunk, onText, onDone, onError } = handlers();
      expect(await consumeStream(streamOf(...chunks), { onChunk, onText, onDone, onError })).toEqual(outcome);
      expect(onDone.mock.calls).toEqual([[outcome]]);
      expect(onError).not.toHaveBeenCalled();
      expect(onChunk.mock.calls).toEqual(chunks.map((chunk) => [chunk]));
    });
  }

  test("of an error chunk is returned, and passed to onError as a StreamRemoteError, not to onDone", async () => {
    const error = {
      type: "error",
      message: "Busy.",
      code: "busy",
      retryable: true,
      correlationId: "c",
    } as const;
    const { onDone, onError } = handlers();
    expect(await consumeStream(streamOf(delta("a"), error), { onDone, onError })).toEqual({
      outcome: "error",
      chunk: error,
    });
    expect(onError).toHaveBeenCalledTimes(1);
    expect(onError.mock.calls[0]?.[0]).toMatchObject({
      name: "StreamRemoteError",
      code: "remote",
      message: "Busy.",
      chunk: error,
    });
    expect(onError.mock.calls[0]?.[1]).toEqual(error);
    expect(onDone).not.toHaveBeenCalled();
  });

  test("of an error chunk with an empty message has a default message", async () => {
    const { onError } = handlers();
    await consumeStream(streamOf({ type: "error", message: "" }), { onError });
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ message: "Stream error.", chunk: { message: "" } });
  });

  test("of an error chunk followed by other chunks is not an error", async () => {
    const { onError } = handlers();
    for (const more of [[done], [delta("a"), { type: "done" }]]) {
      expect(
        await consumeStream(streamOf({ type: "error", message: "m" }, ...more), { onError }),
      ).toMatchObject({
        outcome: "done",
      });
    }
    expect(onError).not.toHaveBeenCalled();
  });

  test("of an error chunk followed by a done without a reason is the error, reported once", async () => {
    const error = { type: "error", message: "Quota exceeded." } as const;
    const status = { type: "status", message: "Giving up" };
    for (const chunks of [
      [delta("Half"), error, { type: "done", usage: { outputTokens: 1 } }],
      [delta("Half"), error, { type: "text-end" }, status, { type: "done" }],
      [delta("Half"), error, { type: "text-end" }],
      [{ type: "error", message: "first" }, error, { type: "x-cost", cents: 3 }, { type: "done" }],
    ]) {
      const { onChunk, onDone, onError } = handlers();
      expect(await consumeStream(streamOf(...chunks), { onChunk, onDone, onError })).toEqual({
        outcome: "error",
        chunk: error,
      });
      expect(onError.mock.calls.map(([told]) => (told as Error).message)).toEqual(["Quota exceeded."]);
      expect(onDone).not.toHaveBeenCalled();
      expect(onChunk).toHaveBeenCalledTimes(chunks.filter(({ type }) => type !== "x-cost").length);
    }
  });

  test("needs no handlers", async () => {
    expect(await consumeStream(streamOf(done))).toMatchObject({ outcome: "done" });
  });
});

describe("a read error", () => {
  test("rejects and is passed to onError once", async () => {
    const { onDone, onError } = handlers();
    const cut = readStream(testBody([frame(delta("a"))]).stream);
    const rejection = expect.objectContaining({ name: "StreamTruncatedError" });
    await expect(consumeStream(cut, { onDone, onError })).rejects.toEqual(rejection);
    expect(onError.mock.calls).toEqual([[rejection]]);
    expect(onDone).not.toHaveBeenCalled();
  });

  test("that is not an Error reaches onError as an Error", async () => {
    const { onError } = handlers();
    const failing = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject("plain text") }) };
    await expect(consumeStream(failing, { onError })).rejects.toBe("plain text");
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ message: "plain text", cause: "plain text" });
  });

  const reasons = [undefined, "stop", null, Number.NaN, 0, new Error("Left."), new StreamTruncatedError()];
  test.each(reasons)(
    "after the caller aborted with %s rejects with the reason and is not passed to onError",
    async (reason) => {
      const { onError } = handlers();
      const abort = new AbortController();
      const body = testBody([frame(delta("a"))], { stays: true });
      const consumed = consumeStream(readStream(body.stream, { signal: abort.signal }), { onError });
      await macrotask();
      abort.abort(reason);
      await expect(consumed.catch((thrown) => ({ thrown }))).resolves.toEqual({
        thrown: abort.signal.reason,
      });
      expect(onError).not.toHaveBeenCalled();
    },
  );

  test("from an abort that passes through a custom iterable is not passed to onError", async () => {
    const { onError } = handlers();
    const abort = new AbortController();
    const body = testBody([frame(delta("a"))], { stays: true });
    async function* wrap() {
      yield* readStream(body.stream, { signal: abort.signal });
    }
    const consumed = consumeStream(wrap(), { onError });
    await macrotask();
    abort.abort();
    await expect(consumed).rejects.toMatchObject({ name: "AbortError" });
    expect(onError).not.toHaveBeenCalled();
  });

  test("with another cause before the caller aborts is passed to onError", async () => {
    const { onError } = handlers();
    const abort = new AbortController();
    const error = new Error("lost");
    const failing = {
      signal: abort.signal,
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          abort.abort("stop");
          throw error;
        },
      }),
    };
    await expect(consumeStream(failing, { onError })).rejects.toBe(error);
    expect(onError.mock.calls).toEqual([[error]]);
  });
});

describe("onChunk", () => {
  test("stops the stream by returning false, which cancels the body and calls neither onDone nor onError", async () => {
    const { onDone, onError } = handlers();
    const body = testBody([frame(delta("a")) + frame(delta("b"))], { stays: true });
    const onChunk = vi.fn(() => false);
    expect(await consumeStream(readStream(body.stream), { onChunk, onDone, onError })).toEqual({
      outcome: "stopped",
    });
    expect(onChunk).toHaveBeenCalledTimes(1);
    expect(body.cancelled).toBeDefined();
    expect(onDone).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
  });

  test("is awaited before the next chunk if it is async", async () => {
    const order: string[] = [];
    await consumeStream(streamOf(delta("a"), delta("b")), {
      onChunk: async (chunk) => {
        order.push(`start ${(chunk as { delta: string }).delta}`);
        await macrotask();
        order.push("end");
      },
    });
    expect(order).toEqual(["start a", "end", "start b", "end"]);
  });

  for (const handler of ["onChunk", "onText"] as const) {
    test(`an error from ${handler} is passed on unchanged, cancels the body, and does not reach onError`, async () => {
      const boom = new Error("boom");
      const { onError } = handlers();
      const body = testBody([frame(delta("a"))], { stays: true });
      const consumed = consumeStream(readStream(body.stream), {
        [handler]: () => Promise.reject(boom),
        onError,
      });
      await expect(consumed).rejects.toBe(boom);
      expect(body.cancelled).toBeDefined();
      expect(onError).not.toHaveBeenCalled();
    });
  }
});

test("an error from onDone or onError is passed on unchanged", async () => {
  const boom = new Error("boom");
  const reject = () => Promise.reject(boom);
  await expect(consumeStream(streamOf({ type: "done" }), { onDone: reject })).rejects.toBe(boom);
  await expect(consumeStream(streamOf(delta("a")), { onDone: reject })).rejects.toBe(boom);
  await expect(consumeStream(streamOf({ type: "error", message: "m" }), { onError: reject })).rejects.toBe(
    boom,
  );
});

test("onText receives the text of the answer piece by piece, exactly as the message contains it", async () => {
  const texts = async (...chunks: StreamChunk[]) => {
    const seen: string[] = [];
    await consumeStream(streamOf(...chunks), { onText: (text) => seen.push(text) });
    return seen;
  };
  const message = (content: string): StreamChunk => ({ type: "message", content });
  const call = { tool: "t", toolCallId: "1" };
  expect(
    await texts(
      delta("a"),
      delta("b"),
      { type: "tool-call-start", ...call, input: {} },
      { type: "tool-call-result", ...call, content: 1 },
      delta("c"),
      message("c"),
      message("abc"),
    ),
  ).toEqual(["a", "b", "\n\nc"]);
  expect(await texts(message("whole"), message("too"))).toEqual(["whole", "\n\ntoo"]);
});

test("a value that is not a stream, or a handler that is not a function, is refused by name", async () => {
  const consume = consumeStream as (stream?: unknown, handlers?: unknown) => Promise<unknown>;
  const expected = "stream must be an async iterable of chunks, such as readStream(response); got";
  await expect(consume()).rejects.toThrow(new TypeError(`${expected} undefined.`));
  await expect(consume(new Response(""))).rejects.toThrow(new TypeError(`${expected} an object.`));
  const handlers = { onText: "text" };
  await expect(consume(streamOf(), handlers)).rejects.toThrow('onText must be a function; got "text".');
});
