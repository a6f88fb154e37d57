import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { StreamSource, StreamSourceContext } from "../../src/stream/source.ts";
import type { StreamOptions } from "../../src/stream/stream-options.ts";
import { createStreamBody } from "../../src/stream/web-body.ts";

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const frame = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;
const done = "data: [DONE]\n\n";
const decoder = new TextDecoder();

async function readPieces(stream: ReadableStream<Uint8Array>): Promise<string[]> {
  const pieces: string[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return pieces;
    pieces.push(decoder.decode(value));
  }
}
const readAll = async (stream: ReadableStream<Uint8Array>) => (await readPieces(stream)).join("");
const macrotask = () => new Promise<void>((resolve) => setImmediate(resolve));

function deferred<Value>() {
  let resolve!: (value: Value) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Value>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
}

/** A source that counts the calls of `next()` and `return()`. */
function countedSource(chunks: Iterable<StreamChunk>) {
  const iterator = chunks[Symbol.iterator]();
  const source = {
    pulled: 0,
    returned: 0,
    [Symbol.asyncIterator]: () => ({
      async next() {
        source.pulled++;
        return iterator.next();
      },
      async return() {
        source.returned++;
        return { done: true as const, value: undefined };
      },
    }),
  };
  return source;
}

function* numbered(count: number) {
  for (let index = 0; index < count; index++) yield delta(String(index));
}

/** A source that waits for the chunks that the test gives it. */
function handFed() {
  let answer: (result: IteratorResult<StreamChunk>) => void = () => {};
  return {
    give: (chunk: StreamChunk) => answer({ done: false, value: chunk }),
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<StreamChunk>>((resolve) => {
          answer = resolve;
        }),
    }),
  };
}

/** A source whose `next()` never resolves. */
function silentSource() {
  const source = {
    returned: 0,
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<StreamChunk>>(() => {}),
      return() {
        source.returned++;
        return new Promise<IteratorResult<StreamChunk>>(() => {});
      },
    }),
  };
  return source;
}

describe("sources", () => {
  const chunks = [delta("a"), delta("b")];
  const expected = frame(chunks[0]) + frame(chunks[1]) + done;
  const asyncIterable = async function* () {
    yield* chunks;
  };
  const sources: Record<string, () => StreamSource> = {
    "an array": () => chunks,
    "a generator": () => chunks.values(),
    "an async generator": () => asyncIterable(),
    "a ReadableStream": () =>
      new ReadableStream({
        start: (controller) => {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      }),
    "a promise of an array": () => Promise.resolve(chunks),
    "a promise of an async generator": async () => asyncIterable(),
    "a function": () => () => asyncIterable(),
    "an async function": () => async () => asyncIterable(),
  };
  for (const [name, open] of Object.entries(sources)) {
    test(`${name} is encoded completely, and ends with [DONE]`, async () => {
      expect(await readAll(createStreamBody(open()))).toBe(expected);
    });
  }

  test("an empty source becomes [DONE] alone", async () => {
    expect(await readAll(createStreamBody([]))).toBe(done);
  });

  test("an object of an unknown type is sent unchanged", async () => {
    const chunk = { type: "x-weather", degrees: 21 };
    expect(await readAll(createStreamBody([chunk as never]))).toBe(frame(chunk) + done);
  });

  for (const terminal of [{ type: "done" }, { type: "abort", reason: "stopped" }] as const) {
    test(`after ${terminal.type} the source is not pulled again, and its return() is called`, async () => {
      const source = countedSource([delta("a"), terminal, delta("never")]);
      expect(await readAll(createStreamBody(source))).toBe(frame(delta("a")) + frame(terminal) + done);
      expect(source).toMatchObject({ pulled: 2, returned: 1 });
    });
  }

  test("an error chunk is not terminal, so more may follow", async () => {
    const error: StreamChunk = { type: "error", message: "m" };
    expect(await readAll(createStreamBody([error, delta("a")]))).toBe(
      frame(error) + frame(delta("a")) + done,
    );
  });

  test("return() of a source that has ended is not called", async () => {
    const source = countedSource([delta("a")]);
    await readAll(createStreamBody(source));
    expect(source.returned).toBe(0);
  });
});

describe("back-pressure", () => {
  test("next() is never called while one is pending", async () => {
    let pending = 0;
    let most = 0;
    let count = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next() {
          most = Math.max(most, ++pending);
          return new Promise<IteratorResult<StreamChunk>>((resolve) =>
            queueMicrotask(() => {
              pending--;
              resolve(count++ < 400 ? { done: false, value: delta("a") } : { done: true, value: undefined });
            }),
          );
        },
      }),
    };
    await readAll(createStreamBody(source));
    expect(most).toBe(1);
  });

  test("an unread synchronous source is pulled for one piece, 64 chunks", async () => {
    // A busy machine would end the piece earlier.
    using _clock = vi.spyOn(performance, "now").mockReturnValue(1000);
    let pulled = 0;
    const source = {
      [Symbol.iterator]: () => ({
        next() {
          pulled++;
          return { done: false, value: delta("a") };
        },
      }),
    };
    const stream = createStreamBody(source);
    for (let turn = 0; turn < 10; turn++) await macrotask();
    expect(pulled).toBe(64);
    await stream.cancel();
  });

  test("an unread body stops a source of 200,000 chunks after two pieces, and delivers all in order once it is read", async () => {
    const source = countedSource(numbered(200_000));
    const stream = createStreamBody(source);
    for (let turn = 0; turn < 50; turn++) await macrotask();
    expect(source.pulled).toBeLessThanOrEqual(130);
    expect(source.pulled).toBeGreaterThan(0);
    const text = await readAll(stream);
    expect(text.endsWith(done)).toBe(true);
    const seen = [...text.matchAll(/"delta":"(\d+)"/g)].map(([, digits]) => Number(digits));
    expect(seen).toHaveLength(200_000);
    expect(seen.every((value, index) => value === index)).toBe(true);
  });

  test("a reader that stops midway stops the source", async () => {
    const source = countedSource(numbered(10_000));
    const reader = createStreamBody(source).getReader();
    await reader.read();
    for (let turn = 0; turn < 50; turn++) await macrotask();
    const pulled = source.pulled;
    expect(pulled).toBeLessThanOrEqual(64 * 3);
    for (let turn = 0; turn < 50; turn++) await macrotask();
    expect(source.pulled).toBe(pulled);
  });
});

/** With and without `nextTick`, which some runtimes lack. */
describe.each(["nextTick", "the promise queue"])("pieces, flushed by %s", (scheduler) => {
  let encode = createStreamBody;
  // The clock stands still, so that a busy machine does not shorten pieces.
  let clock = 1000;
  let now: { mockRestore(): void };
  beforeEach(() => {
    now = vi.spyOn(performance, "now").mockImplementation(() => clock);
  });
  afterEach(() => now.mockRestore());
  beforeAll(async () => {
    if (scheduler === "nextTick") return;
    vi.resetModules();
    vi.doMock("../../src/stream/flush-scheduler.ts", async (importOriginal) => {
      const { createFlushScheduler } =
        await importOriginal<typeof import("../../src/stream/flush-scheduler.ts")>();
      return {
        createFlushScheduler: (owner: unknown, call: (owner: unknown) => void) =>
          createFlushScheduler(owner, call, null),
      };
    });
    encode = (await import("../../src/stream/web-body.ts")).createStreamBody;
  });

  test("chunks that are ready together are sent together: 20,000 arrive in fewer than 400 pieces", async () => {
    const source = (async function* () {
      yield* numbered(20_000);
    })();
    const pieces = await readPieces(encode(source));
    expect(pieces.length).toBeLessThan(400);
    expect(pieces.join("").match(/data: \{/g)).toHaveLength(20_000);
  });

  test("chunks are still joined through four wrapping generators", async () => {
    let source: AsyncIterable<StreamChunk> = (async function* () {
      yield* numbered(6400);
    })();
    for (let depth = 0; depth < 4; depth++) {
      const inner = source;
      source = (async function* () {
        for await (const chunk of inner) yield chunk;
      })();
    }
    expect((await readPieces(encode(source))).length).toBeLessThanOrEqual(102);
  });

  test("a piece has at most 64 chunks, and ends once it has 16 KiB", async () => {
    const small = await readPieces(
      encode(
        (async function* () {
          yield* numbered(1000);
        })(),
      ),
    );
    for (const piece of small) expect(piece.match(/data: \{/g)?.length ?? 0).toBeLessThanOrEqual(64);
    const large = Array.from({ length: 400 }, () => delta("x".repeat(320)));
    const pieces = await readPieces(encode(large));
    for (const piece of pieces) expect(piece.length).toBeLessThan(16_384 + 370);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeGreaterThanOrEqual(16_384);
  });

  test("a single chunk is delivered in the macrotask in which it came", async () => {
    const source = handFed();
    const reader = encode(source).getReader();
    for (const text of ["a", "b", "c"]) {
      const read = reader.read();
      await macrotask();
      let received = "";
      read.then(({ value }) => {
        received = decoder.decode(value);
      });
      // By the next macrotask, the chunk has been delivered.
      const inNextMacrotask = new Promise<string>((resolve) => setImmediate(() => resolve(received)));
      source.give(delta(text));
      expect(await inNextMacrotask).toBe(frame(delta(text)));
    }
    await reader.cancel();
  });

  test("bursts in quick succession share a piece, which is a millisecond late at most", async () => {
    const bursts = 40;
    const source = (async function* () {
      for (let burst = 0; burst < bursts; burst++) {
        for (let index = 0; index < 4; index++) yield delta(`${burst} `);
        await macrotask();
      }
      // Leaves a piece that nothing follows.
      await new Promise(() => {});
    })();
    const reader = encode(source).getReader();
    let text = "";
    let pieces = 0;
    while (!text.includes(frame(delta(`${bursts - 1} `)))) {
      text += decoder.decode((await reader.read()).value);
      pieces++;
    }
    expect(pieces).toBeLessThan(bursts / 2);
    await reader.cancel();
  });

  test("a burst is sent in its macrotask when the previous piece is a millisecond old", async () => {
    let received = "";
    const inNextMacrotask: string[] = [];
    const source = (async function* () {
      for (const text of ["a", "b", "c"]) {
        await macrotask();
        clock += 1;
        received = "";
        setImmediate(() => inNextMacrotask.push(received));
        yield delta(text);
        yield delta(text);
        await macrotask();
      }
    })();
    for await (const piece of encode(source)) received += decoder.decode(piece);
    expect(inNextMacrotask).toEqual(["a", "b", "c"].map((text) => frame(delta(text)).repeat(2)));
  });

  test("a chunk that came without a pending read is delivered at the next read, even if the source is silent", async () => {
    const source = (async function* () {
      yield* numbered(64);
      await macrotask();
      yield delta("late");
      await new Promise(() => {});
    })();
    const stream = encode(source);
    for (let turn = 0; turn < 10; turn++) await macrotask();
    const reader = stream.getReader();
    expect(decoder.decode((await reader.read()).value).match(/data: \{/g)).toHaveLength(64);
    expect(decoder.decode((await reader.read()).value)).toBe(frame(delta("late")));
    await reader.cancel();
  });

  for (const busyMs of [0.5, 1, 1.3]) {
    test(`a source that computes ${busyMs} ms between its chunks without waiting delivers its first chunk within 10 ms`, async () => {
      const start = clock;
      const source = (async function* () {
        for (const chunk of numbered(64)) {
          clock += busyMs;
          yield chunk;
        }
      })();
      const reader = encode(source).getReader();
      await reader.read();
      const delay = clock - start;
      await reader.cancel();
      expect(delay).toBeLessThan(10);
    });
  }
});

describe("a source that turns slow, with 50 ms of work per chunk", () => {
  test.each([
    [5, 6, "after the first slow one"],
    [24, 28, "after at most four slow ones, if it had yielded eight or more"],
  ])("after %i chunks, delivers %i in its first piece: %s", async (fastChunks, delivered) => {
    let clock = 1000;
    const now = vi.spyOn(performance, "now").mockImplementation(() => clock);
    const source = (async function* () {
      for (const [index, chunk] of [...numbered(40)].entries()) {
        if (index >= fastChunks) clock += 50;
        yield chunk;
      }
    })();
    const reader = createStreamBody(source).getReader();
    const { value } = await reader.read();
    now.mockRestore();
    await reader.cancel();
    expect(decoder.decode(value).match(/data: \{/g)).toHaveLength(delivered);
  });
});

describe("the opening", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("a source that is silent for 25 ms opens with a comment, then continues", async () => {
    const source = handFed();
    const reader = createStreamBody(source).getReader();
    const first = reader.read();
    await vi.advanceTimersByTimeAsync(24);
    expect(await Promise.race([first, "silence"])).toBe("silence");
    await vi.advanceTimersByTimeAsync(1);
    expect(decoder.decode((await first).value)).toBe(":hb=8000\n\n");
    const second = reader.read();
    await vi.advanceTimersByTimeAsync(1000);
    source.give(delta("a"));
    expect(decoder.decode((await second).value)).toBe(frame(delta("a")));
    await reader.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a source that yields within 25 ms and then falls silent causes no comment", async () => {
    const source = async function* () {
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield delta("a");
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const text = readAll(createStreamBody(source()));
    await vi.advanceTimersByTimeAsync(120);
    expect(await text).toBe(frame(delta("a")) + done);
  });

  test("a source that yields within 25 ms causes no comment, and leaves no timer", async () => {
    const source = async function* () {
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield delta("a");
    };
    const text = readAll(createStreamBody(source()));
    await vi.advanceTimersByTimeAsync(20);
    expect(await text).toBe(frame(delta("a")) + done);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("when the client leaves,", () => {
  let unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  beforeEach(() => {
    unhandled = [];
    process.on("unhandledRejection", onUnhandled);
  });
  afterEach(async () => {
    await macrotask();
    process.off("unhandledRejection", onUnhandled);
    expect(unhandled).toEqual([]);
  });

  test("cancel() resolves at once, and a pending source has its return() called and its signal aborted", async () => {
    const source = silentSource();
    let signal: AbortSignal | undefined;
    const stream = createStreamBody((context) => {
      signal = context.signal;
      return source;
    });
    await macrotask();
    expect(await Promise.race([stream.cancel(), macrotask().then(() => "waits")])).toBe(undefined);
    expect(source.returned).toBe(1);
    expect(signal?.aborted).toBe(true);
  });

  test("an aborted signal closes the body without [DONE] and passes its reason to the source", async () => {
    const source = silentSource();
    const abort = new AbortController();
    let signal: AbortSignal | undefined;
    const stream = createStreamBody(
      (context) => {
        signal = context.signal;
        return source;
      },
      { signal: abort.signal },
    );
    const text = readAll(stream);
    await macrotask();
    abort.abort("gone");
    expect(await text).toBe("");
    expect(source.returned).toBe(1);
    expect(signal?.reason).toBe("gone");
  });

  test("a late chunk or error of the released source is dropped", async () => {
    for (const settle of ["resolve", "reject"] as const) {
      const gate = deferred<IteratorResult<StreamChunk>>();
      const next = vi.fn(() => gate.promise);
      const stream = createStreamBody({ [Symbol.asyncIterator]: () => ({ next }) });
      await macrotask();
      await stream.cancel();
      if (settle === "resolve") gate.resolve({ done: false, value: delta("late") });
      else gate.reject(new Error("late"));
      await macrotask();
      expect(next).toHaveBeenCalledTimes(1);
    }
  });

  test("a ReadableStream source is cancelled", async () => {
    const cancel = vi.fn();
    const stream = createStreamBody(new ReadableStream<StreamChunk>({ cancel }));
    await macrotask();
    await stream.cancel();
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  test("a source whose return() throws or rejects does no harm", async () => {
    for (const leave of [
      () => {
        throw new Error("in return");
      },
      () => Promise.reject(new Error("in return")),
    ]) {
      const stream = createStreamBody({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise<IteratorResult<StreamChunk>>(() => {}),
          return: leave,
        }),
      });
      await macrotask();
      await stream.cancel();
    }
  });

  test("a source whose promise settles later is closed unread", async () => {
    const source = countedSource(numbered(10));
    const gate = deferred<typeof source>();
    const stream = createStreamBody(gate.promise);
    await stream.cancel();
    gate.resolve(source);
    await macrotask();
    expect(source).toMatchObject({ pulled: 0, returned: 1 });
  });

  test("a request that was aborted before the call opens no source, and closes one that is or will be open", async () => {
    const open = vi.fn();
    const signal = AbortSignal.abort();
    expect(await readAll(createStreamBody(open, { signal }))).toBe("");
    expect(open).not.toHaveBeenCalled();
    const source = countedSource(numbered(10));
    for (const opened of [source, Promise.resolve(source)]) {
      expect(await readAll(createStreamBody(opened, { signal }))).toBe("");
    }
    expect(source).toMatchObject({ pulled: 0, returned: 2 });
    const cancel = vi.fn();
    expect(await readAll(createStreamBody(new ReadableStream({ cancel }), { signal }))).toBe("");
    expect(cancel).toHaveBeenCalledTimes(1);
    expect(await readAll(createStreamBody(Promise.reject(new Error("late")), { signal }))).toBe("");
  });

  test("a body that is cancelled after its last piece does not release the source again", async () => {
    for (const chunks of [[delta("a")], [delta("a"), { type: "done" } as const]]) {
      const source = countedSource(chunks);
      let signal: AbortSignal | undefined;
      const stream = createStreamBody((context) => {
        signal = context.signal;
        return source;
      });
      await macrotask();
      await stream.cancel();
      expect(source.returned).toBe(chunks.length - 1);
      expect(signal?.aborted).toBe(false);
    }
  });

  describe("from within code that the stream calls,", () => {
    const abort = () => {
      const controller = new AbortController();
      return { signal: controller.signal, now: () => controller.abort("left") };
    };

    test("onError: the failing stream is cut off", async () => {
      for (const open of [
        () => Promise.reject(new Error("x")),
        async () =>
          (async function* () {
            yield delta("a");
            throw new Error("x");
          })(),
      ]) {
        const { signal, now } = abort();
        const onError = () => {
          now();
          return "failed";
        };
        expect(await readAll(createStreamBody(open, { signal, onError }))).not.toContain("[DONE]");
      }
    });

    test("onError: the source of an invalid chunk is aborted with the reason of the request", async () => {
      const { signal, now } = abort();
      let source: AbortSignal | undefined;
      const open = (context: StreamSourceContext) => {
        source = context.signal;
        return [7 as never];
      };
      const onError = () => {
        now();
        return "failed";
      };
      await readAll(createStreamBody(open, { signal, onError }));
      expect(source?.reason).toBe("left");
    });

    test("next() and toJSON(): nothing more is written, and the source is not pulled again", async () => {
      const { signal, now } = abort();
      let pulled = 0;
      const source = {
        returned: 0,
        [Symbol.iterator]: () => ({
          next() {
            if (++pulled === 3) now();
            return { done: false as const, value: delta(String(pulled)) };
          },
          return() {
            source.returned++;
            return { done: true as const, value: undefined };
          },
        }),
      };
      await readAll(createStreamBody(source, { signal }));
      expect([pulled, source.returned]).toEqual([3, 1]);
      const second = abort();
      const toJSON = () => {
        second.now();
        return { type: "done" };
      };
      const json = { type: "done", toJSON };
      expect(await readAll(createStreamBody([json as never], { signal: second.signal }))).toBe("");
      const third = abort();
      const another = {
        ...delta("a"),
        toJSON() {
          third.now();
          return delta("a");
        },
      };
      expect(await readAll(createStreamBody([another], { signal: third.signal }))).toBe("");
      await macrotask();
    });

    test("a synchronous generator: it is closed as soon as possible", async () => {
      const { signal, now } = abort();
      let yielded = 0;
      let isClosed = false;
      function* endless() {
        try {
          for (;;) {
            if (++yielded === 10) now();
            yield delta("a");
          }
        } finally {
          isClosed = true;
        }
      }
      await readAll(createStreamBody(endless(), { signal }));
      expect([yielded, isClosed]).toEqual([10, true]);
    });

    test("return() at the terminal: the terminal and [DONE] are still written, and return() is called once", async () => {
      const { signal, now } = abort();
      let returned = 0;
      const source = {
        [Symbol.iterator]: () => ({
          next: () => ({ done: false as const, value: { type: "done" } as const }),
          return() {
            returned++;
            now();
            return { done: true as const, value: undefined };
          },
        }),
      };
      expect(await readAll(createStreamBody(source, { signal }))).toBe(frame({ type: "done" }) + done);
      expect(returned).toBe(1);
    });
  });

  test("the reason of cancel() reaches the source's signal", async () => {
    let signal: AbortSignal | undefined;
    const stream = createStreamBody((context) => {
      signal = context.signal;
      return silentSource();
    });
    await stream.cancel("gone");
    expect(signal?.reason).toBe("gone");
  });

  test("no listener remains on a long-lived signal, and none after the end of a stream", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await readAll(createStreamBody([delta("a")], { signal }));
    await createStreamBody(silentSource(), { signal }).cancel();
    await readAll(createStreamBody(["bad" as never], { signal, onError: () => "bad" }));
    expect(added.mock.calls.map((call) => call[1])).toEqual(removed.mock.calls.map((call) => call[1]));
    expect(added).toHaveBeenCalledTimes(3);
  });
});

describe("a source that fails", () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  beforeEach(() => void log.mockClear());

  const cycle: Record<string, unknown> = { type: "tool-result" };
  cycle.content = cycle;
  const boom = new Error("password=hunter2");
  const failures: Record<
    string,
    { open: () => StreamSource; code: string; logged: unknown; before?: string }
  > = {
    "throws an Error": {
      open: () =>
        (async function* () {
          yield delta("a");
          throw boom;
        })(),
      code: "internal",
      logged: boom,
      before: frame(delta("a")),
    },
    "throws a string": {
      open: () =>
        (async function* () {
          yield delta("a");
          throw "password=hunter2";
        })(),
      code: "internal",
      logged: "password=hunter2",
      before: frame(delta("a")),
    },
    "throws synchronously": {
      open: () =>
        (function* () {
          yield delta("a");
          throw boom;
        })(),
      code: "internal",
      logged: boom,
      before: frame(delta("a")),
    },
    "is a rejected promise": { open: () => Promise.reject(boom), code: "internal", logged: boom },
    "is a throwing function": {
      open: () => () => {
        throw boom;
      },
      code: "internal",
      logged: boom,
    },
    "is not a source": {
      open: () => 7 as never,
      code: "internal",
      logged: expect.objectContaining({
        name: "TypeError",
        message:
          "A stream source must be an async iterable, an iterable or a ReadableStream of chunks; got a number.",
      }),
    },
    "resolves next() to nonsense": {
      open: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => undefined as never }) }),
      code: "internal",
      logged: expect.objectContaining({
        message: "The source's next() must return an iterator result, { done, value }; got undefined.",
      }),
    },
    "returns a text from next()": {
      open: () => ({ [Symbol.asyncIterator]: () => ({ next: () => "text" as never }) }),
      code: "internal",
      logged: expect.objectContaining({
        message: 'The source\'s next() must return an iterator result, { done, value }; got "text".',
      }),
    },
    "yields a string": {
      open: () => ["text" as never],
      code: "invalid-chunk",
      logged: expect.objectContaining({ code: "invalid-chunk" }),
    },
    "yields undefined": {
      open: () => [undefined as never],
      code: "invalid-chunk",
      logged: expect.objectContaining({ code: "invalid-chunk" }),
    },
    "yields a chunk with a wrong field": {
      open: () => [{ type: "abort" } as never],
      code: "invalid-chunk",
      logged: expect.objectContaining({
        message: 'Chunk 1 ("abort"): reason must be a string; got undefined.',
      }),
    },
    "yields a BigInt": {
      open: () => [{ type: "tool-result", content: 1n }],
      code: "invalid-chunk",
      logged: expect.objectContaining({ code: "unserializable-chunk" }),
    },
    "yields a cycle": {
      open: () => [delta("a"), cycle as never],
      code: "invalid-chunk",
      logged: expect.objectContaining({ code: "unserializable-chunk" }),
      before: frame(delta("a")),
    },
  };
  for (const [name, { open, code, logged, before = "" }] of Object.entries(failures)) {
    test(`${name}: sends one masked error chunk and [DONE], closes cleanly, and logs the real error once with the same id`, async () => {
      const text = await readAll(createStreamBody(open()));
      const [, correlationId] = /"correlationId":"([0-9a-f-]{36})"/.exec(text) ?? [];
      expect(text).toBe(
        `${before}data: {"type":"error","message":"Something went wrong on the server.","code":"${code}","correlationId":"${correlationId}"}\n\n${done}`,
      );
      expect(log).toHaveBeenCalledTimes(1);
      expect(log.mock.calls[0]?.[0]).toContain(correlationId);
      expect(log.mock.calls[0]?.[1]).toEqual(logged);
    });
  }

  describe("exposeErrors", () => {
    const exposed = async (open: () => StreamSource, options: StreamOptions = {}) => {
      const text = await readAll(createStreamBody(open(), { exposeErrors: true, ...options }));
      return JSON.parse(text.split("\n\n").at(-3)!.slice("data: ".length));
    };
    const correlationId = expect.any(String);

    test("sends the client the text of the source's error, and still logs it", async () => {
      const throwing = () => Promise.reject(boom);
      expect(await exposed(throwing)).toEqual({
        type: "error",
        message: boom.message,
        code: "internal",
        correlationId,
      });
      expect(log).toHaveBeenCalledTimes(1);
      expect(await exposed(() => Promise.reject("not an Error"))).toMatchObject({ message: "not an Error" });
    });

    test("names the invalid chunk", async () => {
      expect(await exposed(() => [delta("a"), { type: "abort" } as never])).toMatchObject({
        message: 'Chunk 2 ("abort"): reason must be a string; got undefined.',
        code: "invalid-chunk",
      });
      expect(await exposed(() => [delta("a"), 7 as never])).toMatchObject({
        message: "Chunk 2 must be an object; got a number.",
      });
    });

    test("does not override onError", async () => {
      expect(await exposed(() => Promise.reject(boom), { onError: () => "Busy." })).toEqual({
        type: "error",
        message: "Busy.",
      });
    });

    test("masks errors if it is false, and must be a boolean", async () => {
      const masked = await exposed(() => Promise.reject(boom), { exposeErrors: false });
      expect(masked.message).toBe("Something went wrong on the server.");
      expect(() => createStreamBody([], { exposeErrors: "yes" as never })).toThrow(
        'exposeErrors must be a boolean; got "yes".',
      );
    });
  });

  test("a thenable that resolves twice yields its chunk once, even while the next one is pending", async () => {
    const gate = deferred<IteratorResult<StreamChunk>>();
    const result: IteratorResult<StreamChunk> = { done: false, value: delta("a") };
    const twice = {
      // biome-ignore lint/suspicious/noThenProperty: this is what is tested
      then(resolve: (answer: typeof result) => void) {
        resolve(result);
        setImmediate(resolve, result);
      },
    };
    const answers = [twice as never, gate.promise];
    const text = readAll(
      createStreamBody({ [Symbol.asyncIterator]: () => ({ next: () => answers.shift()! }) }),
    );
    for (let turn = 0; turn < 5; turn++) await macrotask();
    gate.resolve({ done: true, value: undefined });
    expect(await text).toBe(frame(delta("a")) + done);
  });

  test("a source whose next() rejects has ended, so its return() is not called", async () => {
    const leave = vi.fn();
    await readAll(
      createStreamBody({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(boom), return: leave }),
      }),
    );
    expect(leave).not.toHaveBeenCalled();
  });

  test("a null source is logged as such", async () => {
    await readAll(createStreamBody(null as never));
    expect(log.mock.calls[0]?.[1]).toMatchObject({ message: expect.stringMatching(/got null\.$/) });
  });

  test("a source that yields an invalid chunk has its return() called and its signal aborted", async () => {
    const source = countedSource([delta("a"), "bad" as never, delta("never")]);
    let signal: AbortSignal | undefined;
    await readAll(
      createStreamBody((context) => {
        signal = context.signal;
        return source;
      }),
    );
    expect(source).toMatchObject({ pulled: 2, returned: 1 });
    expect(signal?.aborted).toBe(true);
  });

  test("onError sets the text, code and retryable of the chunk, and nothing is logged", async () => {
    const failing = () => createStreamBody.bind(null, Promise.reject(boom));
    expect(
      await readAll(failing()({ onError: (error) => (error === boom ? "Try again later." : "?") })),
    ).toBe(frame({ type: "error", message: "Try again later." }) + done);
    expect(
      await readAll(failing()({ onError: () => ({ message: "Busy.", code: "busy", retryable: true }) })),
    ).toBe(frame({ type: "error", message: "Busy.", code: "busy", retryable: true }) + done);
    expect(log).not.toHaveBeenCalled();
  });

  test("an onError that throws or returns nothing usable leaves the chunk masked, and both errors are logged", async () => {
    const text = await readAll(
      createStreamBody(Promise.reject(boom), {
        onError: () => {
          throw new Error("in onError");
        },
      }),
    );
    expect(text).toContain('"message":"Something went wrong on the server.","code":"internal"');
    expect(log.mock.calls[0]?.[1]).toMatchObject({ errors: [boom, { message: "in onError" }] });
    for (const answer of [undefined, {}, 5, Promise.resolve("later")]) {
      expect(
        await readAll(createStreamBody(Promise.reject(boom), { onError: () => answer as never })),
      ).toContain('"message":"Something went wrong on the server.","code":"internal"');
    }
  });
});
