import type { StreamChunk } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import {
  collectBufferedStream,
  collectStream,
  summarizeStreamChunks,
} from "../../src/stream/collect-stream.ts";
import { toSSE } from "../../src/stream/to-sse.ts";
import { canonicalTranscripts } from "../transcripts.ts";

const delta = (text: string, segmentId?: string): StreamChunk =>
  segmentId === undefined
    ? { type: "text-delta", delta: text }
    : { type: "text-delta", delta: text, segmentId };
const textOf = async (...chunks: StreamChunk[]) => (await collectBufferedStream(chunks)).text;

test("collected chunks are summarized as in a buffered answer", async () => {
  for (const { chunks } of canonicalTranscripts) {
    const summary = summarizeStreamChunks(Object.freeze([...chunks]));
    expect({ chunks, ...summary }).toEqual(await collectBufferedStream(chunks));
  }
  const error = { type: "error", message: "Sorry." } as const;
  expect(summarizeStreamChunks([delta("a"), error, { type: "done" }])).toEqual({
    text: "a",
    structured: [],
    error,
  });
  expect(summarizeStreamChunks([])).toEqual({ text: "", structured: [] });
});

describe("collectStream", () => {
  for (const { name, chunks } of canonicalTranscripts) {
    test(`returns the chunks of ${name}`, async () => {
      expect(await collectStream(chunks)).toEqual(chunks);
      expect(
        await collectStream(async () =>
          (async function* () {
            yield* chunks;
          })(),
        ),
      ).toEqual(chunks);
    });
  }

  test("stops at the terminal, does not pull the source again and calls its return()", async () => {
    const next = vi.fn<() => IteratorResult<StreamChunk>>(() => ({ done: false, value: { type: "done" } }));
    const leave = vi.fn();
    expect(await collectStream({ [Symbol.iterator]: () => ({ next, return: leave }) })).toEqual([
      { type: "done" },
    ]);
    expect(next).toHaveBeenCalledTimes(1);
    expect(leave).toHaveBeenCalledTimes(1);
  });

  test("rejects with the error of the source", async () => {
    const boom = new Error("boom");
    await expect(collectStream(Promise.reject(boom))).rejects.toBe(boom);
    await expect(
      collectStream(
        (async function* () {
          yield delta("a");
          throw boom;
        })(),
      ),
    ).rejects.toBe(boom);
  });

  test("rejects an invalid iterator result, and releases the source", async () => {
    const leave = vi.fn();
    const source = {
      [Symbol.asyncIterator]: () => ({ next: async () => undefined as never, return: leave }),
    };
    await expect(collectStream(source)).rejects.toThrow(
      "The source's next() must return an iterator result, { done, value }; got undefined.",
    );
    expect(leave).toHaveBeenCalledTimes(1);
  });

  test("does not call return() of a source that threw", async () => {
    const boom = new Error("boom");
    const leave = vi.fn();
    const next = () => {
      throw boom;
    };
    await expect(collectStream({ [Symbol.iterator]: () => ({ next, return: leave }) })).rejects.toBe(boom);
    expect(leave).not.toHaveBeenCalled();
  });

  test("rejects with the reason of an aborted signal and releases the source, even while it is pending", async () => {
    const leave = vi.fn();
    let signal: AbortSignal | undefined;
    const abort = new AbortController();
    const source = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}), return: leave }),
    };
    const collected = collectBufferedStream(
      (context) => {
        signal = context.signal;
        return source;
      },
      { signal: abort.signal },
    );
    await new Promise((resolve) => setImmediate(resolve));
    abort.abort("gone");
    await expect(collected).rejects.toBe("gone");
    expect(leave).toHaveBeenCalledTimes(1);
    expect(signal?.reason).toBe("gone");
    await expect(collectBufferedStream([], { signal: abort.signal })).rejects.toBe("gone");
    // This source is already open.
    await expect(collectBufferedStream(source, { signal: abort.signal })).rejects.toBe("gone");
    expect(leave).toHaveBeenCalledTimes(2);
  });

  test("accepts null as no signal, as in a RequestInit, and so does toSSE", async () => {
    const signal = null as never;
    expect(await collectBufferedStream([delta("a")], { signal })).toMatchObject({ text: "a" });
    expect(await toSSE([delta("a")], { signal }).text()).toContain('"delta":"a"');
  });

  test("closes a source that opens after the caller left, and leaves no listener on a long-lived signal", async () => {
    const abort = new AbortController();
    const leave = vi.fn();
    let open: (source: Iterable<StreamChunk>) => void = () => {};
    const opening = new Promise<Iterable<StreamChunk>>((resolve) => {
      open = resolve;
    });
    const collected = collectBufferedStream(opening, { signal: abort.signal });
    abort.abort("gone");
    await expect(collected).rejects.toBe("gone");
    open({ [Symbol.iterator]: () => ({ next: vi.fn(), return: leave }) });
    await new Promise((resolve) => setImmediate(resolve));
    expect(leave).toHaveBeenCalledTimes(1);
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await collectBufferedStream([], { signal });
    expect(removed.mock.calls.map((call) => call[1])).toEqual(added.mock.calls.map((call) => call[1]));
    expect(added).toHaveBeenCalledTimes(1);
  });

  test("mends a chunk with another spelling of a value, and names an invalid one with its number", async () => {
    const result = { type: "tool-call-result", tool: "t", toolCallId: "1", content: undefined, node: null };
    expect(await collectStream([result as unknown as StreamChunk])).toEqual([
      { type: "tool-call-result", tool: "t", toolCallId: "1", content: null },
    ]);
    await expect(collectStream([delta("a"), { type: "text-delta" } as never])).rejects.toMatchObject({
      code: "invalid-chunk",
      message: 'Chunk 2 ("text-delta"): delta must be a string; got undefined.',
    });
  });

  test("rejects a value that is not a chunk, and releases the source", async () => {
    const leave = vi.fn();
    let signal: AbortSignal | undefined;
    const source = {
      [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 7 as never }), return: leave }),
    };
    const collected = collectStream((context) => {
      signal = context.signal;
      return source;
    });
    await expect(collected).rejects.toMatchObject({ name: "StreamProtocolError", code: "invalid-chunk" });
    expect(leave).toHaveBeenCalledTimes(1);
    expect(signal?.aborted).toBe(true);
  });
});

describe("collectBufferedStream", () => {
  test("returns chunks, text and structured data as one JSON value", async () => {
    const structured: StreamChunk = {
      type: "structured-data",
      streamId: "s",
      dataType: "d",
      kind: "final",
      data: 1,
    };
    const chunks = [delta("Hel"), structured, delta("lo"), { type: "done" } as const];
    expect(await collectBufferedStream(chunks)).toEqual({ chunks, text: "Hello", structured: [structured] });
  });

  test("joins the deltas of each text, and separates texts with a blank line", async () => {
    expect(await textOf(delta("a1", "a"), delta("b1", "b"), delta("a2", "a"), delta("b2", "b"))).toBe(
      "a1a2\n\nb1b2",
    );
    expect(await textOf(delta("one"), { type: "text-end" }, delta("two"))).toBe("one\n\ntwo");
    expect(await textOf({ type: "text-start" }, { type: "text-end" }, delta("only"))).toBe("only");
  });

  test("returns the text in the order of the message, without repetitions by whole messages", async () => {
    const message = (content: string): StreamChunk => ({ type: "message", content });
    const call = { tool: "t", toolCallId: "1" };
    const loop: StreamChunk[] = [
      delta("Let me look."),
      { type: "tool-call-start", ...call, input: {} },
      { type: "tool-call-result", ...call, content: 42 },
      delta("It is 42."),
    ];
    expect(await textOf(...loop, message("It is 42."))).toBe("Let me look.\n\nIt is 42.");
    expect(await textOf(message("one"), message("two"))).toBe("one\n\ntwo");
    expect(await textOf(message("whole"), delta("streamed"))).toBe("whole\n\nstreamed");
  });

  test("keeps the text whole if an object cannot be built", async () => {
    const set = (path: string): StreamChunk => ({
      type: "structured-data",
      streamId: "s",
      dataType: "d",
      kind: "set",
      path,
      value: 1,
    });
    expect(await textOf(delta("a"), set("a"), set("a.b"), set("a..b"), delta("b"))).toBe("ab");
  });

  test("leaves reasoning out of the text", async () => {
    expect(await textOf({ type: "reasoning-delta", delta: "hm" }, delta("a"))).toBe("a");
  });

  test("returns an error that ended the stream, but not one that more chunks follow", async () => {
    const error: StreamChunk = { type: "error", message: "m" };
    expect((await collectBufferedStream([delta("a"), error])).error).toEqual(error);
    expect(
      (await collectBufferedStream([delta("a"), error, { type: "text-end" }, { type: "done" }])).error,
    ).toEqual(error);
    for (const more of [delta("a"), { type: "done", finishReason: "stop" } as const]) {
      expect(await collectBufferedStream([error, more, { type: "done" }])).not.toHaveProperty("error");
    }
  });

  test("rejects a stream larger than its limit in UTF-8 bytes, and releases the source", async () => {
    const leave = vi.fn();
    const endless = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false as const, value: delta("語") }),
        return: leave,
      }),
    };
    await expect(collectBufferedStream(endless, { maxBytes: 1000 })).rejects.toMatchObject({
      code: "too-large",
      message:
        "The stream is larger than the limit of 1000 bytes (maxBytes, or maxBufferedBytes of a route).",
    });
    expect(leave).toHaveBeenCalledTimes(1);
    // 'data: {"type":"text-delta","delta":"語"}\n\n' is 43 bytes
    await expect(collectBufferedStream([delta("語")], { maxBytes: 43 })).resolves.toBeDefined();
    await expect(collectBufferedStream([delta("語")], { maxBytes: 42 })).rejects.toBeDefined();
    // As the option of a route is called.
    await expect(collectBufferedStream([], { maxBufferedBytes: 42 } as object)).rejects.toThrow(
      'collectBufferedStream has no option "maxBufferedBytes".',
    );
  });

  test("has a limit of 8 MiB by default", async () => {
    const mebibyte = delta("x".repeat(1024 * 1024));
    await expect(collectBufferedStream(Array(7).fill(mebibyte))).resolves.toBeDefined();
    await expect(collectBufferedStream(Array(8).fill(mebibyte))).rejects.toMatchObject({ code: "too-large" });
  });
});
