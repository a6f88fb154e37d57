import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { StreamFinish, StreamOptions } from "../../src/stream/stream-options.ts";
import { createStreamBody } from "../../src/stream/web-body.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const frame = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;
const done = "data: [DONE]\n\n";

/** A source that yields the chunks that the test gives it, and counts its returns. */
function handFed() {
  let give: ((result: IteratorResult<StreamChunk>) => void) | undefined;
  const waiting: IteratorResult<StreamChunk>[] = [];
  const put = (result: IteratorResult<StreamChunk>) => {
    if (give === undefined) waiting.push(result);
    else give(result);
    give = undefined;
  };
  const source = {
    returned: 0,
    give: (chunk: StreamChunk) => put({ done: false, value: chunk }),
    end: () => put({ done: true, value: undefined }),
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<StreamChunk>>((resolve) => {
          const result = waiting.shift();
          if (result !== undefined) resolve(result);
          else give = resolve;
        }),
      async return() {
        source.returned++;
        return { done: true as const, value: undefined };
      },
    }),
  };
  return source;
}

/** Reads a stream as fast as it arrives, and records its text and its end. */
function reading(stream: ReadableStream<Uint8Array>) {
  const seen = { text: "", isOver: false };
  (async () => {
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen.text += decoder.decode(value);
    }
    seen.isOver = true;
  })();
  return seen;
}

/** A hand-fed source and its stream, without jitter, so that heartbeats are exact. */
function fed(options: StreamOptions = {}) {
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  const source = handFed();
  let signal!: AbortSignal;
  const finishes: StreamFinish[] = [];
  const stream = createStreamBody(
    (context) => {
      signal = context.signal;
      return source;
    },
    { onFinish: (finish) => finishes.push(finish), ...options },
  );
  return { source, stream, signal, finishes };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("heartbeats", () => {
  test("follow the opening comment after 8 s of silence, and every 8 s from then on", async () => {
    const { source, stream } = fed();
    const seen = reading(stream);
    await pass(25);
    expect(seen.text).toBe(":hb=8000\n\n");
    await pass(7999);
    expect(seen.text).toBe(":hb=8000\n\n");
    await pass(1);
    expect(seen.text).toBe(":hb=8000\n\n".repeat(2));
    await pass(16_000);
    expect(seen.text).toBe(":hb=8000\n\n".repeat(4));
    source.end();
    await pass(0);
    expect(seen).toEqual({ text: ":hb=8000\n\n".repeat(4) + done, isOver: true });
  });

  test("announce their own interval, and are jittered by 10 %", async () => {
    const { stream } = fed({ heartbeatMs: 1000 });
    for (const [random, dueMs] of [
      [0, 900],
      [1, 1100],
    ] as const) {
      vi.spyOn(Math, "random").mockReturnValue(random);
      const source = handFed();
      const jittered = createStreamBody(source, { heartbeatMs: 1000 });
      const seen = reading(jittered);
      await pass(25);
      await pass(dueMs - 1);
      expect(seen.text).toBe(":hb=1000\n\n");
      await pass(2);
      expect(seen.text).toBe(":hb=1000\n\n".repeat(2));
      source.end();
      await pass(0);
    }
    await stream.cancel();
  });

  test("are not sent while chunks flow", async () => {
    const { source, stream } = fed({ heartbeatMs: 1000 });
    const seen = reading(stream);
    for (let second = 0; second < 10; second++) {
      source.give(delta("a"));
      await pass(999);
    }
    expect(seen.text).not.toContain(":hb");
    source.end();
    await pass(0);
  });

  test("are not sent to a reader that lags, and continue when it reads again", async () => {
    const { stream } = fed({ heartbeatMs: 1000, stallTimeoutMs: 0 });
    const reader = stream.getReader();
    await pass(10_000);
    const decoder = new TextDecoder();
    expect(decoder.decode((await reader.read()).value)).toBe(":hb=1000\n\n");
    const second = reader.read();
    await pass(2000);
    expect(decoder.decode((await second).value)).toBe(":hb=1000\n\n");
    await reader.cancel();
  });

  test("stop after the opening comment if the interval is 0", async () => {
    const { source, stream } = fed({ heartbeatMs: 0 });
    const seen = reading(stream);
    await pass(3_600_000);
    expect(seen.text).toBe(":hb=0\n\n");
    source.end();
    await pass(0);
  });
});

describe("limits", () => {
  test("maxDurationMs ends a pending source at the deadline with an abort (timeout) and [DONE]", async () => {
    const { source, stream, signal, finishes } = fed({ maxDurationMs: 5000 });
    const seen = reading(stream);
    source.give(delta("a"));
    await pass(4999);
    expect(seen.isOver).toBe(false);
    await pass(1);
    expect(seen).toEqual({
      text: frame(delta("a")) + frame({ type: "abort", reason: "timeout" }) + done,
      isOver: true,
    });
    expect(source.returned).toBe(1);
    expect(signal.aborted).toBe(true);
    expect(finishes).toMatchObject([{ reason: "timeout", chunks: 1, durationMs: 5000 }]);
  });

  test("maxDurationMs also ends a source that keeps yielding", async () => {
    const { source, stream } = fed({ maxDurationMs: 5000 });
    const seen = reading(stream);
    for (let step = 0; step < 60; step++) {
      source.give(delta("a"));
      await pass(100);
    }
    expect(seen.isOver).toBe(true);
    expect(seen.text.match(/"delta"/g)?.length).toBe(50);
  });

  test("sourceIdleTimeoutMs ends a silent source with a retryable error, despite heartbeats", async () => {
    const { source, stream, finishes } = fed({ sourceIdleTimeoutMs: 30_000 });
    const seen = reading(stream);
    await pass(20_000);
    source.give(delta("a"));
    await pass(29_999);
    expect(seen.isOver).toBe(false);
    await pass(1);
    expect(seen.isOver).toBe(true);
    expect(seen.text).toContain(":hb=8000");
    expect(
      seen.text.endsWith(
        frame({
          type: "error",
          message: "The answer took too long to continue. Please try again.",
          code: "source-idle",
          retryable: true,
        }) + done,
      ),
    ).toBe(true);
    expect(source.returned).toBe(1);
    expect(finishes).toMatchObject([{ reason: "source-idle", chunks: 1 }]);
  });

  test("sourceIdleTimeoutMs does not count the time without a read", async () => {
    const { source, stream } = fed({ sourceIdleTimeoutMs: 1000, stallTimeoutMs: 0, heartbeatMs: 0 });
    source.give(delta("a"));
    await pass(10_000);
    const seen = reading(stream);
    await pass(900);
    expect(seen).toEqual({ text: frame(delta("a")), isOver: false });
    await pass(200);
    expect(seen.text).toContain("source-idle");
  });

  test("stallTimeoutMs cancels a stream with a piece that stays unread for 60 s, without [DONE]", async () => {
    const { source, stream, signal, finishes } = fed();
    source.give(delta("a"));
    await pass(59_900);
    expect(signal.aborted).toBe(false);
    await pass(200);
    expect(signal.aborted).toBe(true);
    expect(source.returned).toBe(1);
    expect(finishes).toMatchObject([{ reason: "stalled" }]);
    const seen = reading(stream);
    await pass(0);
    expect(seen).toEqual({ text: frame(delta("a")), isOver: true });
  });

  test("a reader that reads from time to time does not stall", async () => {
    const { source, stream, finishes } = fed({ stallTimeoutMs: 1000 });
    const reader = stream.getReader();
    for (let step = 0; step < 10; step++) {
      source.give(delta("a"));
      await pass(900);
      await reader.read();
    }
    expect(finishes).toEqual([]);
    await reader.cancel();
  });

  test("a slow source does not count as a stall", async () => {
    const { stream, finishes } = fed({ stallTimeoutMs: 1000, heartbeatMs: 0 });
    const seen = reading(stream);
    await pass(100_000);
    expect(finishes).toEqual([]);
    expect(seen.isOver).toBe(false);
    await pass(0);
    await vi.waitFor(() => expect(seen.text).toBe(":hb=0\n\n"));
    expect(vi.getTimerCount()).toBe(1);
    vi.clearAllTimers();
  });
});

describe("times that are too long for a timer", () => {
  for (const ms of [Number.POSITIVE_INFINITY, 2 ** 31, 30 * 86_400_000]) {
    test(`never pass, in any option: ${ms} ms`, async () => {
      const { source, stream, finishes } = fed({
        maxDurationMs: ms,
        heartbeatMs: ms,
        stallTimeoutMs: ms,
        sourceIdleTimeoutMs: ms,
      });
      const seen = reading(stream);
      await pass(86_400_000);
      // The opening comment of a silent stream announces that there are no heartbeats.
      expect(seen).toEqual({ text: ":hb=0\n\n", isOver: false });
      expect(finishes).toEqual([]);
      source.end();
      await pass(0);
      expect(seen.text).toBe(`:hb=0\n\n${done}`);
    });
  }

  test("do not affect other times", async () => {
    const { stream } = fed({ maxDurationMs: 2 ** 31 - 1, heartbeatMs: 0, stallTimeoutMs: Infinity });
    const seen = reading(stream);
    await pass(2 ** 31 - 2);
    expect(seen.isOver).toBe(false);
    await pass(1);
    expect(seen.text).toContain('"timeout"');
  });
});

test("an invalid number of milliseconds is refused, and nothing is opened", () => {
  for (const name of ["maxDurationMs", "heartbeatMs", "stallTimeoutMs", "sourceIdleTimeoutMs"]) {
    const open = vi.fn();
    for (const ms of [Number.NaN, -1, "8000" as unknown as number]) {
      expect(() => createStreamBody(open, { [name]: ms })).toThrow(RangeError);
    }
    expect(open).not.toHaveBeenCalled();
  }
});

describe("onFinish", () => {
  const finishOf = async (chunks: StreamChunk[], options: StreamOptions = {}) => {
    const finishes: StreamFinish[] = [];
    const seen = reading(
      createStreamBody(chunks, { onFinish: (finish) => finishes.push(finish), ...options }),
    );
    await pass(0);
    expect(finishes).toHaveLength(1);
    expect(finishes[0]?.bytes).toBe(new TextEncoder().encode(seen.text).length);
    return finishes[0]!;
  };

  test("is called once, with the reason, the counts of chunks and bytes, and the duration", async () => {
    expect(await finishOf([delta("語"), { type: "done" }])).toMatchObject({
      reason: "done",
      chunks: 2,
      durationMs: 0,
    });
    expect(await finishOf([{ type: "abort", reason: "stopped" }])).toMatchObject({
      reason: "abort",
      chunks: 1,
    });
    expect(await finishOf([delta("a")])).toMatchObject({ reason: "end", chunks: 1 });
    expect(await finishOf([])).toMatchObject({ reason: "end", chunks: 0 });
    expect(await finishOf([{ type: "error", message: "m" }])).toMatchObject({ reason: "error", chunks: 1 });
    const failed: StreamChunk[] = [{ type: "error", message: "m" }, { type: "text-end" }];
    expect(await finishOf(failed)).toMatchObject({ reason: "error", chunks: 2 });
    expect(await finishOf([...failed, { type: "done" }])).toMatchObject({ reason: "error", chunks: 3 });
    expect(await finishOf([...failed, { type: "done", finishReason: "stop" }])).toMatchObject({
      reason: "done",
    });
    expect(await finishOf([...failed, delta("a"), { type: "done" }])).toMatchObject({ reason: "done" });
    expect(await finishOf([...failed, delta("a")])).toMatchObject({ reason: "end" });
    expect(await finishOf([...failed, { type: "abort", reason: "stopped" }])).toMatchObject({
      reason: "abort",
    });
    expect(await finishOf([delta("a"), 7 as never], { onError: () => "m" })).toMatchObject({
      reason: "error",
      chunks: 1,
    });
  });

  test("reports cancelled if the client leaves, by cancel() or by the signal", async () => {
    const { stream, finishes } = fed();
    await stream.cancel();
    const abort = new AbortController();
    const other = fed({ signal: abort.signal });
    abort.abort();
    await pass(0);
    expect([...finishes, ...other.finishes].map(({ reason }) => reason)).toEqual(["cancelled", "cancelled"]);
  });

  test("reports the written terminal even if the client leaves before reading it", async () => {
    const finishes: StreamFinish[] = [];
    const stream = createStreamBody([{ type: "done" }], { onFinish: (finish) => finishes.push(finish) });
    await pass(0);
    await stream.cancel();
    expect(finishes.map(({ reason }) => reason)).toEqual(["done"]);
  });

  test("has a message only with collectMessage", async () => {
    expect(await finishOf([delta("a")])).not.toHaveProperty("message");
    const chunks: StreamChunk[] = [
      { type: "run-start", runId: "r" },
      delta("Hel"),
      delta("lo"),
      { type: "done" },
    ];
    expect((await finishOf(chunks, { collectMessage: true })).message).toEqual({
      id: "r",
      role: "assistant",
      parts: [{ type: "text", key: "", text: "Hello", state: "done" }],
      status: "done",
    });
  });

  test("has a message with status done if the source ends without a terminal", async () => {
    expect((await finishOf([delta("a")], { collectMessage: true })).message?.status).toBe("done");
  });

  test("is called before the source is aborted", async () => {
    const order: string[] = [];
    const { stream, signal } = fed({ maxDurationMs: 1000, onFinish: () => order.push("finish") });
    signal.addEventListener("abort", () => order.push("abort"));
    reading(stream);
    await pass(1000);
    expect(order).toEqual(["finish", "abort"]);
  });

  test("has the partial message of an abandoned stream, and the error of a failed one", async () => {
    const { source, stream, finishes } = fed({ collectMessage: true });
    reading(stream);
    source.give(delta("Hel"));
    await pass(0);
    source.give(7 as never);
    vi.spyOn(console, "error").mockImplementation(() => {});
    await pass(0);
    expect(finishes[0]?.message).toMatchObject({
      parts: [{ text: "Hel" }],
      status: "error",
      error: { code: "invalid-chunk" },
    });
    const left = fed({ collectMessage: true });
    left.source.give(delta("Hel"));
    await pass(0);
    await left.stream.cancel();
    expect(left.finishes[0]?.message).toMatchObject({ parts: [{ text: "Hel" }], status: "aborted" });
  });

  test("has a message without a chunk that a structured object refuses", async () => {
    const object = { type: "structured-data", streamId: "s", dataType: "t" } as const;
    const chunks: StreamChunk[] = [
      delta("a"),
      { ...object, kind: "final", data: [1] },
      { ...object, kind: "set", path: "0", value: 2 },
      delta("b"),
    ];
    expect((await finishOf(chunks, { collectMessage: true })).message).toMatchObject({
      status: "done",
      parts: [{ text: "a" }, { data: [1] }, { text: "b" }],
    });
  });

  test("has no message of more than 8 MiB", async () => {
    const mebibyte = delta("x".repeat(1024 * 1024));
    expect(await finishOf(Array(7).fill(mebibyte), { collectMessage: true })).toHaveProperty("message");
    expect(await finishOf(Array(8).fill(mebibyte), { collectMessage: true })).not.toHaveProperty("message");
    const one = delta("x".repeat(9 * 1024 * 1024));
    expect(await finishOf([one], { collectMessage: true })).not.toHaveProperty("message");
  });

  test("is logged and does no harm if it throws or rejects", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const boom = new Error("boom");
    for (const onFinish of [
      () => {
        throw boom;
      },
      () => Promise.reject(boom),
    ]) {
      const seen = reading(createStreamBody([delta("a")], { onFinish }));
      await pass(0);
      expect(seen).toEqual({ text: frame(delta("a")) + done, isOver: true });
    }
    expect(log.mock.calls).toEqual([
      ["onFinish of a stream failed:", boom],
      ["onFinish of a stream failed:", boom],
    ]);
  });
});

test("10,000 streams on one long-lived signal leave no listener and no timer", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...parameters: Parameters<typeof add>) => {
    listeners++;
    add(...parameters);
  };
  signal.removeEventListener = (...parameters: Parameters<typeof remove>) => {
    listeners--;
    remove(...parameters);
  };
  for (let count = 0; count < 10_000; count++) {
    const stream = createStreamBody(handFed(), { signal });
    if (count === 0) expect(listeners).toBe(1);
    await stream.cancel();
  }
  expect(listeners).toBe(0);
});

test("a source that aborts its own request in next() does no harm", async () => {
  const abort = new AbortController();
  const source = {
    [Symbol.iterator]: () => ({
      next() {
        abort.abort();
        return { done: false, value: delta("late") };
      },
    }),
  };
  const seen = reading(createStreamBody(source, { signal: abort.signal }));
  await pass(0);
  expect(seen).toEqual({ text: "", isOver: true });
});
