import type { ErrorChunk, StreamChunk } from "@kortyx/protocol";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type RunResult, type RunWriterOptions, startRunWriter } from "../../src/runs/run-writer.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore, type MemoryRunStoreOptions } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import type { StreamSource } from "../../src/stream/source.ts";
import { logOf, openRun } from "../../src/testing/contract/run-store-calls.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => {
  vi.useFakeTimers();
  log.mockClear();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  expect(streamRegistry().streams.size).toBe(0);
  vi.useRealTimers();
});
const realSetImmediate = setImmediate;
/** Advances the clock, then runs the event loop turns that a producer needs. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => realSetImmediate(resolve));
}

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
const done: StreamChunk = { type: "done" };
const stopped = { type: "abort", reason: "stopped" } as const;
const parse = (entries: readonly string[]): unknown[] => entries.map((entry) => JSON.parse(entry));

/** A source that yields the chunks that the test gives it, and records its calls. */
function handFed() {
  const waiting: (IteratorResult<StreamChunk> | Error)[] = [];
  let settle: ((result: IteratorResult<StreamChunk> | Error) => void) | undefined;
  const put = (result: IteratorResult<StreamChunk> | Error) => {
    if (settle === undefined) waiting.push(result);
    else settle(result);
    settle = undefined;
  };
  const source = {
    pulls: 0,
    returned: 0,
    signal: undefined as AbortSignal | undefined,
    give: (...chunks: StreamChunk[]) => chunks.forEach((value) => void put({ done: false, value })),
    end: () => put({ done: true, value: undefined }),
    fail: (error: Error) => put(error),
    open: (context: { signal: AbortSignal }) => {
      source.signal = context.signal;
      return source;
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        source.pulls++;
        const result =
          waiting.shift() ??
          (await new Promise<IteratorResult<StreamChunk> | Error>((resolve) => {
            settle = resolve;
          }));
        if (result instanceof Error) throw result;
        return result;
      },
      async return() {
        source.returned++;
        return { done: true as const, value: undefined };
      },
    }),
  };
  return source;
}

/** A memory store that records its appends, and can delay them or make them fail. */
function watchedStore(options?: MemoryRunStoreOptions) {
  const store = createMemoryRunStore(options);
  const watched = {
    ...store,
    /** All appends as `[firstSeq, number of entries]`, successful or not. */
    appends: [] as [number, number][],
    renewals: 0,
    /** Appends wait for this promise. */
    gate: undefined as Promise<void> | undefined,
    /** Appends are acknowledged but not kept. */
    losesWrites: false,
    /** Every method fails, before or after its work. */
    failing: undefined as "before" | "after" | undefined,
    async append(runId: string, firstSeq: number, entries: readonly string[]) {
      watched.appends.push([firstSeq, entries.length]);
      await watched.gate;
      if (watched.losesWrites) return "ok";
      return attempt(() => store.append(runId, firstSeq, entries));
    },
    renew(runId: string) {
      watched.renewals++;
      return attempt(() => store.renew(runId));
    },
    end: ((...values) => attempt(() => store.end(...values))) as RunStore["end"],
    read: ((...values) => attempt(() => store.read(...values))) as RunStore["read"],
  };
  async function attempt<Value>(call: () => Promise<Value>): Promise<Value> {
    if (watched.failing === "before") throw new Error("The store is away.");
    const value = await call();
    if (watched.failing === "after") throw new Error("The answer is lost.");
    return value;
  }
  return watched;
}

/** Delays appends until the returned function is called. */
function close(store: ReturnType<typeof watchedStore>): () => void {
  let open!: () => void;
  store.gate = new Promise((resolve) => {
    open = resolve;
  });
  return open;
}

async function produce(source: StreamSource, options: Partial<RunWriterOptions> = {}) {
  const store = (options.store as ReturnType<typeof watchedStore>) ?? watchedStore();
  const runId = await openRun(store, { runId: "r" });
  const finishes: RunResult[] = [];
  const producer = startRunWriter({
    runId,
    source,
    first: { type: "run-start", runId },
    onFinish: (finish) => finishes.push(finish),
    ...options,
    store,
    append: (...values) => store.append(...values),
  });
  return {
    store,
    producer,
    finishes,
    /** The log without the first entry. */
    logged: async () => parse((await logOf(store, runId)).slice(1)),
  };
}

/** The log of a run with this source, without the first entry. */
async function logged(source: StreamSource, options?: Partial<RunWriterOptions>): Promise<unknown[]> {
  const run = await produce(source, options);
  await pass(0);
  await run.producer.finished;
  return run.logged();
}

describe("the log", () => {
  test("begins with the first entry, which is stored before the source yields anything", async () => {
    const source = handFed();
    const { store, producer } = await produce(source.open);
    await producer.started;
    expect(await logOf(store, "r")).toEqual(['{"type":"run-start","runId":"r"}']);
    source.end();
    await producer.finished;
  });

  test("contains the chunks of the source in order, and ends with its terminal", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string(), fc.constant("x".repeat(30_000))), { maxLength: 300 }),
        fc.constantFrom("array", "generator", "stream"),
        async (texts, kind) => {
          const chunks: StreamChunk[] = [...texts.map(delta), { type: "done", finishReason: "stop" }];
          const sources = {
            array: chunks,
            async *generator() {
              for (const chunk of chunks) {
                if (chunk.type === "text-delta" && chunk.delta.length % 5 === 4) await null;
                yield chunk;
              }
            },
            stream: new ReadableStream<StreamChunk>({
              start(controller) {
                for (const chunk of chunks) controller.enqueue(chunk);
              },
            }),
          };
          expect(await logged(sources[kind as "array"])).toEqual(chunks);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("ends with done if the source ends without a terminal", async () => {
    expect(await logged([delta("a")])).toEqual([delta("a"), { type: "done" }]);
    expect(await logged([])).toEqual([{ type: "done" }]);
  });

  test("contains chunks of unknown types unchanged", async () => {
    const chunk = { type: "x-future", deep: [{ 語: null }] } as unknown as StreamChunk;
    expect(await logged([chunk])).toEqual([chunk, { type: "done" }]);
  });

  test("ends with an error chunk if nothing follows it, and continues otherwise", async () => {
    const error: StreamChunk = { type: "error", message: "Busy.", code: "busy" };
    expect(await logged([delta("a"), error])).toEqual([delta("a"), error]);
    expect(await logged([error])).toEqual([error]);
    expect(await logged([error, delta("a")])).toEqual([error, delta("a"), { type: "done" }]);
    expect(await logged([error, error])).toEqual([error, error]);
    const stop: StreamChunk = { type: "done", finishReason: "stop" };
    expect(await logged([error, stop])).toEqual([error, stop]);
  });

  test("ends with an error chunk before a done without a reason, of which only the usage is kept", async () => {
    const error: StreamChunk = { type: "error", message: "Busy.", code: "busy" };
    const usage = { inputTokens: 3, outputTokens: 1 };
    const run = await produce([delta("a"), error, { type: "done", usage, data: { state: 1 } }]);
    await pass(0);
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), error]);
    expect(run.finishes).toMatchObject([{ terminal: error, message: { status: "error", error, usage } }]);
    expect(run.finishes[0]?.message.parts).toMatchObject([{ text: "a", state: "done" }]);
  });

  test("contains mended chunks, and the error for a chunk that cannot be mended names its number in the source", async () => {
    const error: StreamChunk = { type: "error", message: "Busy." };
    const bad = { type: "tool-call-result", tool: "t", toolCallId: "1", content: undefined, isError: null };
    const mended = { type: "tool-call-result", tool: "t", toolCallId: "1", content: null };
    const failed = { ...error, code: null, retryable: null } as unknown as StreamChunk;
    expect(
      await logged([bad as unknown as StreamChunk, failed, { ...done, finishReason: null } as never]),
    ).toEqual([mended, error]);
    await logged([delta("a"), error, { type: "status", message: "m" }, { type: "text-delta" } as never]);
    expect(log.mock.calls.at(-1)?.[1]).toMatchObject({
      message: 'Chunk 4 ("text-delta"): delta must be a string; got undefined.',
    });
  });

  test("puts neutral chunks that follow an error before it, in order and at once", async () => {
    const error: StreamChunk = { type: "error", message: "Busy.", code: "busy" };
    const status: StreamChunk = { type: "status", message: "Giving up" };
    const end: StreamChunk = { type: "text-end" };
    const custom = { type: "x-cost", cents: 3 } as unknown as StreamChunk;
    expect(await logged([delta("a"), error, end, status, custom, done])).toEqual([
      delta("a"),
      end,
      status,
      custom,
      error,
    ]);
    expect(await logged([error, end])).toEqual([end, error]);
    expect(await logged([error, status, delta("b"), done])).toEqual([status, error, delta("b"), done]);
    const source = handFed();
    const run = await produce(source.open);
    source.give(error, status);
    await pass(15);
    expect(await run.logged()).toEqual([status]);
    source.give(done);
    await pass(0);
    await run.producer.finished;
    expect(await run.logged()).toEqual([status, error]);
  });

  test("ends with a stop that comes before the done, and contains the error as an entry", async () => {
    const error: StreamChunk = { type: "error", message: "Busy." };
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"), error);
    await pass(15);
    await run.store.end("r", stopped);
    source.give({ type: "done", usage: { outputTokens: 1 } });
    await pass(0);
    await run.producer.finished;
    expect((await run.logged()).at(-1)).toEqual(stopped);
    expect(run.finishes).toMatchObject([{ terminal: stopped, message: { status: "aborted" } }]);
  });

  test("contains an error chunk that came before the source failed or the run was ended", async () => {
    const error: StreamChunk = { type: "error", message: "Busy.", code: "busy" };
    const failing = async function* () {
      yield error;
      throw new Error("boom");
    };
    expect(await logged(failing, { onError: () => "Failed." })).toEqual([
      error,
      { type: "error", message: "Failed." },
    ]);
    const source = handFed();
    const run = await produce(source.open, { maxRunDurationMs: 1000 });
    source.give(error);
    await pass(1000);
    await run.producer.finished;
    expect(await run.logged()).toEqual([error, { type: "abort", reason: "timeout" }]);
  });
});

describe("a source that is silent for sourceIdleTimeoutMs", () => {
  const idle = {
    type: "error",
    message: "The answer took too long to continue. Please try again.",
    code: "source-idle",
    retryable: true,
  };

  test("is left, and its run ends with an error after the last chunk", async () => {
    const source = handFed();
    const { producer, logged, finishes } = await produce(source.open, { sourceIdleTimeoutMs: 30_000 });
    // Each chunk starts the time again, not only the first one and not only the timer's turn.
    for (let chunk = 0; chunk < 4; chunk++) {
      await pass(20_000);
      source.give(delta("a"));
    }
    // Up to a batch later: its time begins when it is asked for the next chunk.
    await pass(29_900);
    expect(source.signal?.aborted).toBe(false);
    await pass(200);
    expect(source.signal?.aborted).toBe(true);
    await pass(100);
    await producer.finished;
    expect((await logged()).slice(-2)).toEqual([delta("a"), idle]);
    expect(source.returned).toBe(1);
    expect(finishes).toMatchObject([{ terminal: idle, message: { status: "error" } }]);
  });

  test("is not silent when its chunk comes just in time", async () => {
    const source = handFed();
    const { producer, logged } = await produce(source.open, { sourceIdleTimeoutMs: 5000 });
    source.give(delta("a"));
    await pass(0);
    await pass(4990);
    source.give(delta("b"));
    // Before its batch is appended.
    await pass(10);
    source.give(done);
    await pass(100);
    await producer.finished;
    expect((await logged()).at(-1)).toEqual(done);
  });

  test("is not silent while its store takes no more", async () => {
    const source = handFed();
    const run = await produce(source.open, { sourceIdleTimeoutMs: 5000 });
    const open = close(run.store);
    // The first is being appended, and the batch after it is full.
    const sent = Array.from({ length: 65 }, (_, index) => delta(`${index} `));
    source.give(...sent);
    await pass(0);
    await pass(9900);
    expect(source.pulls).toBe(sent.length);
    open();
    await pass(0);
    // It has been asked for the next chunk only now.
    expect(source.pulls).toBe(sent.length + 1);
    await pass(4000);
    source.give(done);
    await pass(100);
    await run.producer.finished;
    expect((await run.logged()).at(-1)).toEqual(done);
  });

  test("is waited for without the option", async () => {
    const source = handFed();
    const { producer, finishes } = await produce(source.open, { maxRunDurationMs: 0 });
    await pass(3_600_000);
    expect(finishes).toEqual([]);
    source.end();
    await pass(100);
    await producer.finished;
  });
});

describe("a batch is appended", () => {
  test("at once with the first chunk and the first text, otherwise after 15 ms", async () => {
    const source = handFed();
    const { store, producer } = await produce(source.open);
    await pass(0);
    expect(store.appends).toEqual([[0, 1]]);
    source.give({ type: "status", message: "Thinking" });
    await pass(0);
    expect(store.appends).toEqual([
      [0, 1],
      [1, 1],
    ]);
    source.give({ type: "status", message: "Reading" });
    await pass(10);
    source.give({ type: "status", message: "Writing" });
    await pass(4);
    expect(store.appends.length).toBe(2);
    await pass(1);
    expect(store.appends.slice(2)).toEqual([[2, 2]]);
    source.give(delta("a"));
    await pass(0);
    expect(store.appends.slice(3)).toEqual([[4, 1]]);
    source.give(delta("b"), delta("c"));
    await pass(14);
    expect(store.appends.length).toBe(4);
    await pass(1);
    expect(store.appends.slice(4)).toEqual([[5, 2]]);
    source.end();
    await producer.finished;
  });

  test.each<[string, StreamChunk, boolean]>([
    ["tool-call-start", { type: "tool-call-start", tool: "t", toolCallId: "c" }, true],
    ["tool-call-delta", { type: "tool-call-delta", toolCallId: "c", delta: "{" }, false],
    ["tool-call-ready", { type: "tool-call-ready", tool: "t", toolCallId: "c", input: {} }, true],
    ["tool-call-result", { type: "tool-call-result", tool: "t", toolCallId: "c", content: "x" }, true],
    ["tool-call-error", { type: "tool-call-error", tool: "t", toolCallId: "c", message: "x" }, true],
    ["tool-result", { type: "tool-result", content: "x" }, true],
    [
      "interrupt",
      { type: "interrupt", requestId: "q", resumeToken: "t", input: { kind: "text", multiple: false } },
      true,
    ],
    ["reasoning-delta", { type: "reasoning-delta", delta: "x" }, false],
    ["text-delta", delta("x"), false],
    ["status", { type: "status", message: "x" }, false],
  ])("after a %s that follows text, at once: %s", async (_, chunk, isUrgent) => {
    const source = handFed();
    const { store, producer } = await produce(source.open);
    source.give(delta("a"));
    await pass(0);
    source.give(delta("b"));
    await pass(0);
    source.give(chunk);
    await pass(0);
    expect(store.appends.slice(2)).toEqual(isUrgent ? [[2, 2]] : []);
    source.end();
    await producer.finished;
  });

  test("when it has 64 chunks or 64 Ki characters", async () => {
    for (const [count, size] of [
      [64, 1],
      [3, 30_000],
    ] as const) {
      const source = handFed();
      const { store, producer } = await produce(source.open);
      source.give(delta("a"));
      await pass(0);
      source.give(...Array(count - 1).fill(delta("x".repeat(size))));
      await pass(0);
      expect(store.appends.slice(2)).toEqual([]);
      source.give(delta("x".repeat(size)));
      await pass(0);
      expect(store.appends.slice(2)).toEqual([[2, count]]);
      source.end();
      await producer.finished;
    }
  });

  test("after about 15 ms even if the source computes without ever waiting", async () => {
    vi.useRealTimers();
    for (const isAsync of [false, true]) {
      const work = function* () {
        for (let count = 0; count < 40; count++) {
          const until = performance.now() + 4;
          while (performance.now() < until);
          yield delta(`${count}`);
        }
      };
      const source = isAsync
        ? (async function* () {
            yield* work();
          })()
        : work();
      const { store, producer } = await produce(source);
      let turns = 0;
      const turn = () => {
        turns++;
        next = setImmediate(turn);
      };
      let next = setImmediate(turn);
      await producer.finished;
      clearImmediate(next);
      // 160 ms of work.
      expect(Math.max(...store.appends.map(([, count]) => count))).toBeLessThanOrEqual(8);
      expect(turns).toBeGreaterThanOrEqual(7);
    }
    vi.useFakeTimers();
  });

  test("15 ms after its first chunk even if the previous append took longer", async () => {
    const source = handFed();
    const { store, producer } = await produce(source.open);
    source.give(delta("a"));
    await pass(0);
    const open = close(store);
    source.give(delta("b"));
    await pass(15);
    source.give(delta("c"));
    await pass(100);
    expect(store.appends.slice(2)).toEqual([[2, 1]]);
    store.gate = undefined;
    open();
    await pass(0);
    expect(store.appends.slice(3)).toEqual([[3, 1]]);
    source.end();
    await producer.finished;
  });

  test("only if it has chunks: an error that may be the outcome causes no empty append", async () => {
    const source = handFed();
    const { store, producer } = await produce(source.open);
    await pass(0);
    source.give({ type: "error", message: "m" });
    await pass(1000);
    expect(store.appends).toEqual([[0, 1]]);
    source.end();
    await producer.finished;
  });
});

describe("a store that is slow", () => {
  test.each([
    ["an array", 1],
    ["an async generator", 1],
    ["an array of large chunks", 40_000],
  ])(
    "stops %s: one append is in progress, one batch waits, and no further chunk is requested",
    async (kind, size) => {
      let pulls = 0;
      const chunks = function* () {
        for (; pulls < 1000; ) yield delta(`${pulls++}`.padEnd(size, "x"));
      };
      const expected = [...chunks()];
      pulls = 0;
      const store = watchedStore();
      const open = close(store);
      const source =
        kind === "an async generator"
          ? (async function* () {
              yield* chunks();
            })()
          : chunks();
      const { producer, logged: read } = await produce(source, { store, maxRunCharacters: 100_000_000 });
      await pass(1000);
      expect(store.appends).toEqual([[0, 1]]);
      expect(pulls).toBe(size === 1 ? 64 : 2);
      open();
      await producer.finished;
      expect(await read()).toEqual([...expected, { type: "done" }]);
      // Proves that a batch reached its limit.
      expect(Math.max(...store.appends.map(([, count]) => count))).toBe(size === 1 ? 64 : 2);
    },
  );

  test("receives one append at a time", async () => {
    const store = createMemoryRunStore();
    let inProgress = 0;
    let most = 0;
    const slow: RunStore = {
      ...store,
      async append(...values) {
        most = Math.max(most, ++inProgress);
        for (let turns = Math.random() * 5; turns > 0; turns--) await null;
        inProgress--;
        return store.append(...values);
      },
    };
    await logged(
      Array.from({ length: 2000 }, (_, index) => delta(`${index}`)),
      { store: slow as never },
    );
    expect(most).toBe(1);
  });

  test("receives the terminal after all chunks, even if the source ends during an append", async () => {
    const store = watchedStore();
    const source = handFed();
    const run = await produce(source, { store });
    await pass(0);
    const open = close(store);
    const call = { tool: "t", toolCallId: "1" };
    const chunks: StreamChunk[] = [
      { type: "tool-call-start", ...call, input: {} },
      { type: "tool-call-result", ...call, content: 1 },
    ];
    source.give(...chunks);
    await pass(100);
    expect(store.appends.at(-1)).toEqual([1, 1]);
    source.end();
    await pass(0);
    open();
    store.gate = new Promise((resolve) => setTimeout(resolve, 1000));
    await pass(1000);
    await run.producer.finished;
    expect(await run.logged()).toEqual([...chunks, done]);
  });

  test("shows no reader an entry that it has not acknowledged", async () => {
    const store = watchedStore();
    const source = handFed();
    const { producer } = await produce(source.open, { store });
    await producer.started;
    let isStarted = false;
    const held = watchedStore();
    const open = close(held);
    const other = await produce([], { store: held });
    void other.producer.started.then(() => {
      isStarted = true;
    });
    await pass(1000);
    expect([isStarted, await logOf(held, "r")]).toEqual([false, []]);
    open();
    await other.producer.started;
    await other.producer.finished;
    source.end();
    await producer.finished;
  });
});

describe("limits", () => {
  const tooLarge = {
    type: "error",
    message: "The answer is larger than this server allows.",
    code: "run-too-large",
  };

  test("a run that grows too large keeps the chunks that fit, ends with an error and releases its source", async () => {
    const source = handFed();
    const size =
      JSON.stringify({ type: "run-start", runId: "r" }).length + 3 * JSON.stringify(delta("a")).length;
    const run = await produce(source.open, { maxRunCharacters: size });
    source.give(delta("a"), delta("b"), delta("c"), delta("d"), delta("e"));
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), delta("b"), delta("c"), tooLarge]);
    expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
    expect(run.finishes[0]?.terminal).toEqual(tooLarge);
  });

  test("a run with the maximum number of chunks can still end in order", async () => {
    expect(await logged([delta("a"), delta("b"), done], { maxRunChunks: 3 })).toEqual([
      delta("a"),
      delta("b"),
      done,
    ]);
    expect(await logged([delta("a"), delta("b"), delta("c"), done], { maxRunChunks: 3 })).toEqual([
      delta("a"),
      delta("b"),
      tooLarge,
    ]);
  });

  test("a terminal still fits into a full run, up to a limit of its own", async () => {
    const last = (size: number): StreamChunk => ({ type: "done", data: { text: "x".repeat(size) } });
    expect(await logged([delta("a"), last(60_000)], { maxRunCharacters: 100 })).toEqual([
      delta("a"),
      last(60_000),
    ]);
    expect(await logged([delta("a"), last(70_000)], { maxRunCharacters: 100 })).toEqual([
      delta("a"),
      tooLarge,
    ]);
  });

  test("are 8 Mi characters, 100,000 chunks and 30 minutes by default", async () => {
    const large = delta("x".repeat(1024 * 1024 - 40));
    expect((await logged(Array(9).fill(large))).at(-1)).toEqual(tooLarge);
    expect((await logged(Array(7).fill(large))).at(-1)).toEqual(done);
    const many = await logged(Array(100_001).fill(delta("a")));
    expect([many.length, many.at(-1)]).toEqual([100_000, tooLarge]);
    const source = handFed();
    const { producer, finishes } = await produce(source.open);
    await pass(30 * 60_000 - 1);
    expect(finishes).toEqual([]);
    await pass(1);
    await producer.finished;
    expect(finishes[0]?.terminal).toEqual({ type: "abort", reason: "timeout" });
    expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
  });

  for (const maxRunDurationMs of [0, 2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY]) {
    test(`an endless maximum duration never ends a run: ${maxRunDurationMs} ms`, async () => {
      const source = handFed();
      const { producer, finishes, store } = await produce(source.open, { maxRunDurationMs });
      await pass(3_600_000);
      expect(finishes).toEqual([]);
      expect(store.appends).toEqual([[0, 1]]);
      source.end();
      await producer.finished;
    });
  }

  test("a lease that is too long for a timer is renewed only by entries", async () => {
    const source = handFed();
    const store = watchedStore({ leaseMs: Number.POSITIVE_INFINITY });
    const { producer } = await produce(source.open, { store });
    await pass(3_600_000);
    expect(store.renewals).toBe(0);
    source.end();
    await producer.finished;
  });

  test("a full store ends the run and releases its source", async () => {
    const source = handFed();
    const store = watchedStore({ maxHeapBytes: 850 });
    const run = await produce(source.open, { store });
    source.give(delta("a"));
    await pass(0);
    source.give(delta("x".repeat(200)));
    await pass(20);
    await run.producer.finished;
    expect(await run.logged()).toEqual([
      delta("a"),
      {
        type: "error",
        message: "The server has no room for this answer. Please try again later.",
        code: "store-full",
      },
    ]);
    expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
  });
});

describe("a source that fails", () => {
  const boom = new Error("password=hunter2");
  const masked = {
    type: "error",
    message: "Something went wrong on the server.",
    code: "internal",
    correlationId: expect.any(String),
  };

  test.each<[string, StreamSource]>([
    [
      "when it is opened",
      () => {
        throw boom;
      },
    ],
    ["as a promise", () => Promise.reject(boom)],
    [
      "at once",
      // biome-ignore lint/correctness/useYield: it fails before it could yield
      async function* () {
        throw boom;
      },
    ],
    [
      "in a plain iterator",
      {
        [Symbol.iterator]: () => ({
          next() {
            throw boom;
          },
        }),
      },
    ],
  ])(
    "%s ends the run with a generic error and the id under which the real one is logged",
    async (_, source) => {
      const entries = await logged(source);
      expect(entries).toEqual([masked]);
      const [{ correlationId }] = entries as [{ correlationId: string }];
      expect(log.mock.calls).toEqual([[expect.stringContaining(correlationId), boom]]);
    },
  );

  test("later keeps the chunks before the failure", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"), delta("b"));
    source.fail(boom);
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), delta("b"), masked]);
    // It ended on its own.
    expect(source.returned).toBe(0);
  });

  test.each<[string, unknown, string]>([
    ["a number", 7, "invalid-chunk"],
    ["undefined", undefined, "invalid-chunk"],
    ["a known type with a wrong field", { type: "text-delta", delta: 7 }, "invalid-chunk"],
    ["something that is not JSON", { type: "x", value: 1n }, "invalid-chunk"],
  ])("by yielding %s ends the run with the code of the failure, and is closed", async (_, value, code) => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"), value as StreamChunk, delta("b"));
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), { ...masked, code }]);
    expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
  });

  test.each([
    ["at once", () => undefined as never],
    ["with a promise", async () => null as never],
  ])("by a next() that returns no result, %s, ends the run but not the process", async (_, next) => {
    const returned = vi.fn();
    const entries = await logged({ [Symbol.asyncIterator]: () => ({ next, return: returned }) });
    expect(entries).toEqual([masked]);
    expect(returned).toHaveBeenCalledTimes(1);
  });

  test("by not being iterable ends the run", async () => {
    expect(await logged({} as never)).toEqual([masked]);
  });

  test("is described by onError, if it is set", async () => {
    const onError = () => ({ message: "The model is busy.", code: "busy", retryable: true });
    expect(await logged(() => Promise.reject(boom), { onError })).toEqual([
      { type: "error", message: "The model is busy.", code: "busy", retryable: true },
    ]);
  });
});

describe("the source", () => {
  test.each<StreamChunk>([done, { type: "abort", reason: "tired" }])(
    "is closed once after its terminal $type, and not pulled again",
    async (terminal) => {
      const source = handFed();
      const run = await produce(source.open);
      source.give(delta("a"), terminal, delta("late"));
      await run.producer.finished;
      expect(await run.logged()).toEqual([delta("a"), terminal]);
      expect([source.pulls, source.returned, source.signal?.aborted]).toEqual([2, 1, false]);
    },
  );

  test("that has ended on its own is not closed", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.end();
    await run.producer.finished;
    expect([source.returned, source.signal?.aborted]).toEqual([0, false]);
  });

  test("that opens after the end of its run is closed", async () => {
    const source = handFed();
    let open!: (iterable: typeof source) => void;
    const run = await produce(() => new Promise((resolve) => (open = resolve)));
    await run.producer.started;
    await run.store.end("r", stopped);
    await run.producer.finished;
    open(source);
    await pass(0);
    expect([source.pulls, source.returned]).toEqual([0, 1]);
  });

  test("that never waits does not starve the event loop", async () => {
    for (const isAsync of [true, false]) {
      const endless = function* () {
        for (;;) yield delta("a");
      };
      const source = isAsync
        ? (async function* () {
            yield* endless();
          })()
        : endless();
      const { store, producer } = await produce(source, { maxRunCharacters: 2 ** 40, maxRunChunks: 2 ** 40 });
      let turns = 0;
      await new Promise<void>((resolve) => {
        const turn = () => {
          if (++turns < 20) realSetImmediate(turn);
          else resolve();
        };
        realSetImmediate(turn);
      });
      expect(store.appends.length).toBeGreaterThan(10);
      await store.end("r", stopped);
      await producer.finished;
    }
  });
});

describe("a stop from outside", () => {
  test("aborts a source that waits in a tool at once, and the late result is refused", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"), { type: "tool-call-start", tool: "t", toolCallId: "c" });
    await pass(20_000);
    await run.store.end("r", stopped);
    await pass(0);
    expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
    source.give({ type: "tool-call-result", tool: "t", toolCallId: "c", content: "late" });
    await run.producer.finished;
    expect((await run.logged()).at(-1)).toEqual(stopped);
    expect(run.finishes).toEqual([
      {
        terminal: stopped,
        message: {
          role: "assistant",
          id: "r",
          parts: [
            { type: "text", key: "", text: "a", state: "done" },
            { type: "tool-call", toolCallId: "c", tool: "t", inputText: "", state: "interrupted" },
          ],
          status: "aborted",
          abortReason: "stopped",
        },
      },
    ]);
  });

  test("drops chunks that were not appended yet", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"));
    await pass(0);
    source.give(delta("b"));
    await pass(5);
    await run.store.end("r", stopped);
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), stopped]);
    expect(run.finishes[0]?.message.parts).toEqual([{ type: "text", key: "", text: "a", state: "done" }]);
  });

  test("during an append aborts the source at once and does not crash the process", async () => {
    for (const wins of ["the append", "the stop"]) {
      const source = handFed();
      const store = watchedStore();
      const run = await produce(source.open, { store });
      source.give(delta("a"));
      await pass(0);
      let answer!: () => void;
      const slow: RunStore["append"] = async (...values) => {
        const early = wins === "the append" ? await memory.append(...values) : undefined;
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return early ?? memory.append(...values);
      };
      const memory = { append: store.append };
      store.append = slow;
      source.give(delta("b"));
      await pass(15);
      await store.end("r", stopped);
      await new Promise(realSetImmediate);
      await pass(0);
      expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
      expect(run.finishes).toEqual([]);
      answer();
      await run.producer.finished;
      const text = wins === "the append" ? "ab" : "a";
      expect(run.finishes[0]?.message.parts).toEqual([{ type: "text", key: "", text, state: "done" }]);
      expect((await run.logged()).length).toBe(wins === "the append" ? 3 : 2);
    }
  });

  test("wins over a source that ends a moment later, and loses to one that has already ended", async () => {
    const source = handFed();
    const run = await produce(source.open);
    await run.producer.started;
    const stopping = run.store.end("r", stopped);
    source.give(done);
    expect(await stopping).toEqual(stopped);
    await run.producer.finished;
    expect(await run.logged()).toEqual([stopped]);
    const other = await produce([done]);
    await other.producer.finished;
    expect(await other.store.end("r", stopped)).toEqual(done);
  });

  test("that removes the run aborts the source", async () => {
    const source = handFed();
    const store = watchedStore({ leaseMs: 3000 });
    const run = await produce(source.open, { store });
    await pass(0);
    store.renew = async () => "lost";
    store.read = async () => undefined;
    await pass(1000);
    await run.producer.finished;
    expect(source.signal?.aborted).toBe(true);
    expect(run.finishes[0]?.terminal).toMatchObject({ type: "error", code: "producer-lost" });
  });
});

describe("a log that has lost its last entries", () => {
  const lost: ErrorChunk = {
    type: "error",
    message: "The answer was interrupted on the server.",
    code: "producer-lost",
    retryable: true,
  };

  test("is not continued: the next chunk aborts the source, and the log ends with producer-lost", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"));
    await pass(0);
    run.store.losesWrites = true;
    source.give(delta("b"));
    await pass(20);
    run.store.losesWrites = false;
    source.give(delta("c"));
    await pass(20);
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), lost]);
    expect([source.signal?.aborted, run.finishes[0]?.terminal]).toEqual([true, lost]);
    expect(run.finishes[0]?.message.parts).toEqual([{ type: "text", key: "", text: "ab", state: "done" }]);
  });

  test("ends with producer-lost even if the source ends in order", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"));
    await pass(0);
    run.store.losesWrites = true;
    source.give(delta("b"));
    await pass(20);
    source.end();
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), lost]);
    expect(run.finishes[0]?.terminal).toEqual(lost);
  });
});

describe("a store that fails", () => {
  test("for a while gets the same entries at the same position again, and none is lost or doubled", async () => {
    for (const failing of ["before", "after"] as const) {
      const source = handFed();
      const run = await produce(source.open);
      source.give(delta("a"));
      await pass(0);
      run.store.failing = failing;
      source.give(delta("b"));
      await pass(2000);
      source.give(delta("c"));
      await pass(2000);
      expect(run.store.appends.slice(2).length).toBeGreaterThan(10);
      expect(new Set(run.store.appends.slice(2).map(String))).toEqual(new Set(["2,1"]));
      run.store.failing = undefined;
      await pass(250);
      expect(source.signal?.aborted).toBe(false);
      source.end();
      await run.producer.finished;
      expect(await run.logged()).toEqual([delta("a"), delta("b"), delta("c"), done]);
      expect(log).not.toHaveBeenCalled();
    }
  });

  test("to reply, and then has ended the run, leaves the written entries in the message", async () => {
    const source = handFed();
    const run = await produce(source.open);
    source.give(delta("a"));
    await pass(0);
    run.store.failing = "after";
    source.give(delta("b"));
    await pass(100);
    await run.store.end("r", stopped).catch(() => {});
    run.store.failing = undefined;
    await pass(500);
    await run.producer.finished;
    expect(await run.logged()).toEqual([delta("a"), delta("b"), stopped]);
    expect(run.finishes[0]?.message.parts).toEqual([{ type: "text", key: "", text: "ab", state: "done" }]);
  });

  test("to reply, and refuses a renewal before it can be read, leaves them in the message too", async () => {
    const source = handFed();
    const run = await produce(source.open);
    const { read } = run.store;
    source.give(delta("a"));
    await pass(4500);
    run.store.failing = "after";
    source.give(delta("b"));
    await pass(100);
    await run.store.end("r", stopped).catch(() => {});
    run.store.failing = undefined;
    run.store.read = () => Promise.reject(new Error("The store cannot be read."));
    // The append is refused, and the log is read every 250 ms; the renewal is due in between.
    await pass(390);
    run.store.read = read;
    await pass(500);
    await run.producer.finished;
    expect(run.store.renewals).toBe(1);
    expect(run.finishes[0]?.message.parts).toEqual([{ type: "text", key: "", text: "ab", state: "done" }]);
  });

  test("for longer than the lease ends the run, whose source is aborted then and not earlier", async () => {
    for (const isIdle of [true, false]) {
      log.mockClear();
      const source = handFed();
      const run = await produce(source.open);
      await pass(0);
      run.store.failing = "before";
      if (!isIdle) source.give(delta("a"));
      await pass(14_500);
      expect(source.signal?.aborted).toBe(false);
      await pass(1_000);
      await run.producer.finished;
      expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
      expect(run.finishes).toEqual([
        {
          message: expect.objectContaining({ status: "error" }),
          terminal: {
            type: "error",
            message: "The answer was interrupted on the server.",
            code: "producer-lost",
            retryable: true,
          },
        },
      ]);
      expect(log.mock.calls[0]?.[0]).toBe(
        "Run r was abandoned, because the run store failed for a whole lease:",
      );
    }
  });

  test("for less than the lease gets the lease renewed as soon as it works again", async () => {
    const source = handFed();
    const run = await produce(source.open);
    await pass(4_000);
    run.store.failing = "before";
    await pass(10_000);
    run.store.failing = undefined;
    await pass(250);
    expect((await run.store.read("r", -1, 0))?.leaseLeftMs).toBeGreaterThan(14_000);
    expect(log).not.toHaveBeenCalled();
    source.end();
    await run.producer.finished;
  });

  test("has a full lease from the last append or renewal to recover", async () => {
    for (const way of ["append", "renewal"]) {
      const source = handFed();
      const run = await produce(source.open);
      if (way === "renewal") await pass(60_000);
      else {
        await pass(4900);
        source.give(delta("a"));
        await pass(0);
      }
      run.store.failing = "before";
      await pass(14_500);
      expect(source.signal?.aborted).toBe(false);
      run.store.failing = undefined;
      source.end();
      await pass(500);
      await run.producer.finished;
      expect((await run.logged()).at(-1)).toEqual(done);
    }
  });

  test("at the end of the run is called again, and a shutdown meanwhile does not change the outcome", async () => {
    const source = handFed();
    const run = await produce(source.open);
    await pass(0);
    run.store.failing = "before";
    source.end();
    await pass(1000);
    expect(run.finishes).toEqual([]);
    for (const stream of streamRegistry().streams) stream.shutdown();
    run.store.failing = undefined;
    await pass(250);
    await run.producer.finished;
    expect(await run.logged()).toEqual([done]);
  });
});

test("the lease is renewed after each third of it while the source is silent", async () => {
  const source = handFed();
  const run = await produce(source.open);
  await pass(4999);
  expect(run.store.renewals).toBe(0);
  await pass(1);
  expect(run.store.renewals).toBe(1);
  await pass(55_000);
  expect(run.store.renewals).toBe(12);
  expect(await run.store.endIfLeaseExpired("r")).toBe(undefined);
  source.end();
  await run.producer.finished;
});

test("the lease is not renewed while an append, which renews it, is still pending", async () => {
  const source = handFed();
  const run = await produce(source.open);
  source.give(delta("a"));
  await pass(0);
  const open = close(run.store);
  source.give(delta("b"));
  await pass(14_900);
  expect(run.store.renewals).toBe(0);
  open();
  await pass(5000);
  expect(run.store.renewals).toBe(1);
  source.end();
  await run.producer.finished;
});

describe("onFinish", () => {
  test("is called once with the message and the terminal, and awaited", async () => {
    let finish!: () => void;
    const onFinish = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const usage = { inputTokens: 1, outputTokens: 2 };
    const { producer } = await produce([delta("Hel"), delta("lo"), { type: "done", usage }], { onFinish });
    let isFinished = false;
    const finished = producer.finished.then(() => {
      isFinished = true;
    });
    await pass(1000);
    expect(isFinished).toBe(false);
    finish();
    await finished;
    expect(onFinish.mock.calls).toEqual([
      [
        {
          terminal: { type: "done", usage },
          message: {
            id: "r",
            role: "assistant",
            parts: [{ type: "text", key: "", text: "Hello", state: "done" }],
            status: "done",
            usage,
          },
        },
      ],
    ]);
  });

  test("is logged and does no harm if it throws or rejects", async () => {
    const boom = new Error("boom");
    for (const onFinish of [
      () => {
        throw boom;
      },
      () => Promise.reject(boom),
    ]) {
      log.mockClear();
      expect(await logged([delta("a")], { onFinish })).toEqual([delta("a"), done]);
      expect(log.mock.calls).toEqual([["onFinish of run r failed:", boom]]);
    }
  });

  test("gets a message without a structured object that cannot be built", async () => {
    const wrong: StreamChunk = {
      type: "structured-data",
      streamId: "s",
      dataType: "t",
      kind: "append",
      path: "a",
      items: [1],
    };
    const run = await produce([delta("a"), wrong, { ...wrong, path: "a.b" }, delta("b")]);
    await run.producer.finished;
    expect(run.finishes.length).toBe(1);
    expect(run.finishes[0]?.message).toMatchObject({ status: "done" });
  });
});

test("a shutdown ends the run with an abort (shutdown), and earlier chunks are kept", async () => {
  const source = handFed();
  const run = await produce(source.open);
  source.give(delta("a"));
  await pass(0);
  source.give(delta("b"));
  await pass(0);
  for (const stream of streamRegistry().streams) stream.shutdown();
  await run.producer.finished;
  expect(await run.logged()).toEqual([delta("a"), delta("b"), { type: "abort", reason: "shutdown" }]);
  expect([source.signal?.aborted, source.returned]).toEqual([true, 1]);
});

test("a run leaves nothing behind, however it ends", async () => {
  const store = watchedStore();
  const listeners = new Map<AbortSignal, number>();
  const { wait } = store;
  store.wait = (runId, after, signal) => {
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    if (!listeners.has(signal)) {
      listeners.set(signal, 0);
      signal.addEventListener = (...values: Parameters<typeof add>) => {
        listeners.set(signal, listeners.get(signal)! + 1);
        add(...values);
      };
      signal.removeEventListener = (...values: Parameters<typeof remove>) => {
        listeners.set(signal, listeners.get(signal)! - 1);
        remove(...values);
      };
    }
    return wait(runId, after, signal);
  };
  for (const end of ["source", "stop", "timeout", "failure"]) {
    const source = handFed();
    const runId = await openRun(store);
    const first: StreamChunk = { type: "run-start", runId };
    const producer = startRunWriter({
      store,
      append: store.append,
      runId,
      first,
      source: source.open,
      maxRunDurationMs: 500,
    });
    source.give(delta("a"));
    await pass(0);
    source.give(delta("b"));
    await pass(0);
    if (end === "source") source.end();
    if (end === "stop") await store.end(runId, stopped);
    if (end === "failure") source.fail(new Error("boom"));
    await pass(500);
    await producer.finished;
    expect([vi.getTimerCount(), streamRegistry().streams.size]).toEqual([0, 0]);
  }
  expect(listeners.size).toBe(4);
  expect([...listeners.values()]).toEqual([0, 0, 0, 0]);
});
