/**
 * Writes one run: takes chunks from its source and appends them to its log, in batches, never more than one at a time.
 * Owns the source. Nobody has to be there to read.
 */
import {
  type AssistantUIMessage,
  createMessageAccumulator,
  type ErrorChunk,
  isTerminalChunk,
  reduceStreamError,
  type StreamChunk,
  type UnknownChunk,
} from "@kortyx/protocol";
import { type PrintedChunk, parseTimeoutMs, stringifyChunk } from "@kortyx/protocol/internal";
import { registerFinishing, registerStream } from "../shutdown/stream-registry.ts";
import { producerLost, type RunStore, type RunTerminal } from "../stores/run-store.ts";
import { outsideRequests } from "../stream/async-context.ts";
import { type FailureOptions, maskError } from "../stream/mask-error.ts";
import { onNextTurn } from "../stream/next-turn.ts";
import {
  type ChunkIterator,
  closeIterator,
  isPromiseLike,
  openSource,
  type StreamSource,
  toIterator,
} from "../stream/source.ts";
import { startInterval, startTimer, type Timer, unref } from "../stream/start-timer.ts";
import { defaultMaxAnswerSize, storeRetryMs } from "../stream/stream-options.ts";
import { printSourceChunk } from "../stream/writable-data.ts";

/** A batch is appended at this many chunks, … */
const maxBatchChunks = 64;
/** … at this many characters of JSON, … */
const maxBatchLength = 64 * 1024;
/** … or when it is this old. */
const flushWindowMs = 15;
/** A terminal may exceed the limit of its run by so much, because a run must end. */
const maxTerminalLength = 64 * 1024;

/** How large a run may grow. */
export interface RunLimits {
  /** The JSON of all chunks together, in UTF-16 code units. @defaultValue 8,388,608 */
  maxRunCharacters?: number | undefined;
  /** @defaultValue 100,000 */
  maxRunChunks?: number | undefined;
  /** In milliseconds; 0 is forever. @defaultValue 1,800,000 (30 minutes) */
  maxRunDurationMs?: number | undefined;
}

/** How a run has ended. */
export interface RunResult {
  /** What its followers have seen, as a chat shows it: give it back as one of `initialMessages`. Its id is the run's. */
  message: AssistantUIMessage;
  terminal: RunTerminal;
}

export interface RunProducerOptions extends RunLimits, FailureOptions {
  store: RunStore;
  runId: string;
  source: StreamSource;
  /** The first entry. */
  first: StreamChunk;
  /** Called, and waited for, when the run has ended. What it throws is logged. */
  onFinish?: ((result: RunResult) => unknown) | undefined;
}

export interface RunProducer {
  /** Resolves when the first entry is in the log. */
  readonly started: Promise<void>;
  /** Resolves when the run has ended, its source is released and `onFinish` is done. Never rejects. */
  readonly finished: Promise<void>;
}

/** @throws RangeError for what is not a number of milliseconds. */
export const readMaxRunDurationMs = ({ maxRunDurationMs = 30 * 60_000 }: RunLimits): number =>
  parseTimeoutMs("maxRunDurationMs", maxRunDurationMs);

/** Chunks that a UI waits for are appended at once; the pieces of a tool's input are text like any other. */
const isBoundary = (type: string): boolean =>
  (type.startsWith("tool-") && type !== "tool-call-delta") || type === "interrupt";

/**
 * Starts producing. The source, `onError` and `onFinish` run in the async context of this call, no matter what ends the
 * run; the renewal of its lease and the wait for its end run in no request's.
 */
export function startRunWriter(options: RunProducerOptions): RunProducer {
  const { store, runId, source, first, onFinish } = options;
  const { maxRunCharacters = defaultMaxAnswerSize, maxRunChunks = 100_000 } = options;
  const sourceAbort = new AbortController();
  const ended = new AbortController();
  const message = createMessageAccumulator({ id: runId, role: "assistant" } as AssistantUIMessage);
  let iterator: ChunkIterator | undefined;
  /** A `next()` is under way, or the source itself. */
  let isPending = true;
  /** Nothing more is taken from the source. */
  let isOver = false;
  /** As in the pump: it has ended by itself, it has said its last word, or nobody wants the rest. */
  let sourceState: "over" | "finished" | "unwanted" = "unwanted";
  /**
   * An error that is the outcome if nothing follows it that counts. As the terminal it must be the last entry: what does not
   * count is written ahead of it.
   */
  let heldError: Readonly<ErrorChunk> | undefined;
  /** The `done` after it, which is not written. */
  let unwrittenDone: UnknownChunk | undefined;

  let batch: string[] = [];
  let batchChunks: UnknownChunk[] = [];
  let batchLength = 0;
  let batchIsUrgent = false;
  let batchedAt = 0;
  let flushTimer: Timer | undefined;
  let isAppending = false;
  let isRenewing = false;
  /** The source is not asked again before the event loop has turned. */
  let isTurnDue = false;
  /** Called when nothing is being appended. */
  let onIdle: (() => void) | undefined;

  /** Chunks of the source. */
  let taken = 0;
  let nextSeq = 0;
  let chunks = 0;
  let size = 0;
  let hasText = false;
  let leaseUntil = performance.now() + store.leaseMs;
  let terminal: RunTerminal | undefined;

  let onStarted!: () => void;
  const started = new Promise<void>((resolve) => {
    onStarted = resolve;
  });

  const unregister = registerStream({ shutdown: () => void finish({ type: "abort", reason: "shutdown" }) });
  // A process that has nothing to do but to watch over a run may end.
  const durationTimer = unref(
    startTimer(() => void finish({ type: "abort", reason: "timeout" }), readMaxRunDurationMs(options)),
  );
  const renewTimer = outsideRequests(() => unref(startInterval(renew, store.leaseMs / 3)));

  const sourceReleased = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const finished = callAtEnd();

  /**
   * Calls user code at the end of the source and at that of the log. Called when the run begins, because what follows an
   * `await` runs in the async context of its function, and not in that of the code that ends the run.
   */
  async function callAtEnd(): Promise<void> {
    await sourceReleased.promise;
    if (sourceState === "unwanted") sourceAbort.abort();
    if (sourceState !== "over" && iterator !== undefined) closeIterator(iterator);
    await closed.promise;
    const finishing = callOnFinish();
    registerFinishing(finishing);
    // Last: a process may exit when its runs are gone.
    unregister();
    await finishing;
  }

  async function callOnFinish(): Promise<void> {
    try {
      await onFinish?.({ message: message.message, terminal: terminal ?? producerLost });
    } catch (error) {
      console.error(`onFinish of run ${runId} failed:`, error);
    }
  }

  /** The log has its terminal, or is out of reach: nothing more can be written. */
  function close(last: RunTerminal | undefined): void {
    if (ended.signal.aborted) return;
    ended.abort();
    isOver = true;
    terminal = last;
    clearTimeout(flushTimer);
    clearTimeout(durationTimer);
    clearInterval(renewTimer);
    onStarted();
    sourceReleased.resolve();
    apply((terminal ?? producerLost) as UnknownChunk);
    // It holds the usage.
    if (unwrittenDone !== undefined) apply(unwrittenDone);
    message.finish("truncated");
    closed.resolve();
  }

  function apply(chunk: StreamChunk | UnknownChunk): void {
    if (onFinish === undefined) return;
    try {
      message.apply(chunk);
    } catch {
      // A structured object that cannot be built is left out.
    }
  }

  /** Ends the run from this side: what is there is written first. */
  async function finish(last: RunTerminal): Promise<void> {
    if (isOver) return;
    isOver = true;
    if (last !== heldError) letGo();
    sourceReleased.resolve();
    await whenIdle();
    if (batch.length > 0 && !ended.signal.aborted) await append();
    if (ended.signal.aborted) return;
    close(await withStore(() => store.end(runId, last, nextSeq - 1)));
  }

  /** The error was a warning. */
  function letGo(): void {
    if (heldError !== undefined) push(heldError, stringifyChunk(heldError));
    heldError = undefined;
  }

  /** Asks the store until it answers, or the lease has passed. @returns undefined then. */
  async function withStore<Value>(ask: () => Promise<Value>): Promise<Value | undefined> {
    for (;;) {
      try {
        return await withinLease(ask());
      } catch (error) {
        if (performance.now() >= leaseUntil) {
          console.error(`Run ${runId} has lost its store:`, error);
          return undefined;
        }
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
        if (ended.signal.aborted) return undefined;
      }
    }
  }

  /** An answer that never comes is a failure, too. */
  async function withinLease<Value>(answer: Promise<Value>): Promise<Value> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error("The store has not answered within a lease.");
      timer = unref(startTimer(() => reject(error), store.leaseMs));
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function renew(): Promise<void> {
    if (isAppending || isRenewing || ended.signal.aborted) return;
    isRenewing = true;
    let askedAt = 0;
    const result = await withStore(() => {
      askedAt = performance.now();
      return store.renew(runId);
    });
    isRenewing = false;
    if (result === "ok") leaseUntil = Math.max(leaseUntil, askedAt + store.leaseMs);
    else if (result === undefined) close(undefined);
    else await closeEnded([]);
  }

  /** Somebody else has ended the run. What its log holds of `inDoubt` was written, although we were not told. */
  async function closeEnded(inDoubt: UnknownChunk[]): Promise<void> {
    isOver = true;
    sourceReleased.resolve();
    const page = await withStore(() => store.read(runId, Number.MAX_SAFE_INTEGER, 0));
    if (page === undefined) return close(undefined);
    for (const chunk of inDoubt.slice(0, Math.max(0, page.run.lastSeq - nextSeq))) apply(chunk);
    // A log that has lost its end is not continued, and its followers need not wait for the lease.
    close(page.run.terminal ?? (await withStore(() => store.end(runId, producerLost))));
  }

  async function append(): Promise<void> {
    isAppending = true;
    // Beside a source that never waits, nothing else would run.
    takeTurn();
    clearTimeout(flushTimer);
    flushTimer = undefined;
    const entries = batch;
    const entryChunks = batchChunks;
    batch = [];
    batchChunks = [];
    batchLength = 0;
    batchIsUrgent = false;
    const askedAt = performance.now();
    const result = await withStore(() => store.append(runId, nextSeq, entries));
    if (result === "ok") {
      leaseUntil = askedAt + store.leaseMs;
      nextSeq += entries.length;
      for (const chunk of entryChunks) apply(chunk);
      onStarted();
    } else if (result === "full") {
      isOver = true;
      sourceReleased.resolve();
      close(await withStore(() => store.end(runId, tooLarge("The store of answers is full."))));
    } else if (result === undefined) {
      close(undefined);
    } else {
      await closeEnded(entryChunks);
    }
    isAppending = false;
    if (onIdle !== undefined) onIdle();
    else scheduleFlush();
  }

  function takeTurn(): void {
    if (!isTurnDue) onNextTurn(onTurn);
    isTurnDue = true;
  }

  function onTurn(): void {
    isTurnDue = false;
    ask();
  }

  async function whenIdle(): Promise<void> {
    if (!isAppending) return;
    await new Promise<void>((resolve) => {
      onIdle = resolve;
    });
    onIdle = undefined;
  }

  const isFull = () => batch.length >= maxBatchChunks || batchLength >= maxBatchLength;

  function scheduleFlush(): void {
    if (isAppending || batch.length === 0 || ended.signal.aborted) return;
    const delayMs = batchedAt + flushWindowMs - performance.now();
    if (batchIsUrgent || isFull() || delayMs <= 0) void append();
    else flushTimer ??= setTimeout(append, delayMs);
  }

  function push(chunk: StreamChunk | UnknownChunk, json: string): void {
    if (batch.length === 0) batchedAt = performance.now();
    batch.push(json);
    batchChunks.push(chunk as UnknownChunk);
    batchLength += json.length;
    // The entry that makes a run addressable, and the first that a user sees.
    const isFirstText = chunk.type === "text-delta" && !hasText;
    hasText ||= isFirstText;
    batchIsUrgent ||= chunks < 2 || isFirstText || isBoundary(chunk.type);
    chunks++;
    size += json.length;
  }

  const tooLarge = (text: string): ErrorChunk => ({ type: "error", message: text, code: "run-too-large" });

  /** Takes one result of the source. */
  function take(result: IteratorResult<unknown>): void {
    if (typeof result !== "object" || result === null) {
      const error = new TypeError(`next() of a source answered ${result}, which is no iterator result.`);
      void finish(maskError(error, options));
      return;
    }
    if (result.done) {
      sourceState = "over";
      void finish(heldError ?? { type: "done" });
      return;
    }
    let printed: PrintedChunk;
    try {
      printed = printSourceChunk(result.value, ++taken);
    } catch (error) {
      void finish(maskError(error, options));
      return;
    }
    const { json } = printed;
    const chunk = printed.chunk as UnknownChunk;
    /** The error stays the outcome. */
    const isHeld =
      heldError !== undefined && chunk.type !== "error" && reduceStreamError(heldError, chunk) !== undefined;
    if (!isHeld) letGo();
    const isTerminal = isTerminalChunk(chunk);
    const isTooLarge = isTerminal
      ? size + json.length > maxRunCharacters + maxTerminalLength
      : size + json.length > maxRunCharacters || chunks >= maxRunChunks;
    if (isTooLarge) {
      void finish(tooLarge("The answer is larger than this server allows."));
      return;
    }
    if (isTerminal) {
      sourceState = "finished";
      if (isHeld) unwrittenDone = chunk;
      void finish(isHeld ? heldError! : (chunk as RunTerminal));
      return;
    }
    if (chunk.type === "error") heldError = chunk as unknown as ErrorChunk;
    else push(chunk, json);
    scheduleFlush();
  }

  /** A batch that is full is appended at once, unless another one is: then the source waits until it is its turn. */
  function ask(): void {
    if (iterator === undefined) return;
    try {
      while (!isOver && !isPending && !isTurnDue && !isFull()) {
        const result = iterator.next();
        if (isPromiseLike(result)) {
          isPending = true;
          const answer = result instanceof Promise ? result : Promise.resolve(result);
          answer.then(onResult).catch(onFailure);
          return;
        }
        take(result);
      }
    } catch (error) {
      onFailure(error);
    }
  }

  function onResult(result: IteratorResult<unknown>): void {
    isPending = false;
    if (isOver) return;
    take(result);
    ask();
  }

  function onFailure(error: unknown): void {
    isPending = false;
    sourceState = "over";
    if (!isOver) void finish(maskError(error, options));
  }

  async function watchForEnd(): Promise<void> {
    while (!ended.signal.aborted) {
      await store.wait(runId, Number.MAX_SAFE_INTEGER, ended.signal);
      if (ended.signal.aborted) return;
      const page = await withStore(() => store.read(runId, Number.MAX_SAFE_INTEGER, 0));
      if (page !== undefined && page.run.terminal === undefined) continue;
      // Whoever is ending it closes it, too.
      if (isOver) return;
      isOver = true;
      sourceReleased.resolve();
      await whenIdle();
      close(page?.run.terminal);
    }
  }

  push(first, stringifyChunk(first));
  void append().then(() => outsideRequests(watchForEnd));
  openSource(source, sourceAbort.signal)
    .then((iterable) => {
      const opened = toIterator(iterable);
      isPending = false;
      if (isOver) {
        closeIterator(opened);
        return;
      }
      iterator = opened;
      ask();
    })
    .catch(onFailure);
  return { started, finished };
}
