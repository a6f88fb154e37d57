/**
 * Bytes to chunks, one at a time, at the consumer's pace, over one body or several. Owns the body that it reads:
 * whatever ends the iteration, the body is cancelled or read to its end here. Does not know where bodies come from.
 */
import {
  type ChunkDecoderOptions,
  createChunkDecoder,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { discardBody } from "./check-response.ts";
import { createIdleWatchdog } from "./idle-watchdog.ts";
import { StreamIdleError } from "./stream-errors.ts";

/** After `[DONE]`, so long may the server take to close the body before it is cancelled. */
const closeGraceMs = 250;

export interface ChunkStreamOptions extends Omit<ChunkDecoderOptions, "after"> {
  /** Ends the iteration when aborted: it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * The longest silence, in milliseconds, before the connection counts as dead. Any byte ends it, heartbeats included.
   * As soon as the server announces its heartbeats, three of their intervals and 2 s count instead, or nothing where it
   * sends none. Only time in which the consumer waits counts. 0 waits forever.
   *
   * @defaultValue 60,000
   */
  idleTimeoutMs?: number | undefined;
}

/** Where the reading stands when a body has ended too early. */
export interface Interruption {
  error: unknown;
  /** The event id to resume behind; `""` when there is none. */
  lastEventId: string;
  /** How long the server wants to be left alone, in milliseconds. */
  retryMs: number | undefined;
  /** Chunks that this body has given. */
  newChunks: number;
  /** The type of the last chunk of all bodies. */
  lastType: StreamChunk["type"] | undefined;
}

/**
 * Provides the next body.
 *
 * @param signal - Aborted when the consumer leaves.
 * @param interruption - Why the body before ended; undefined for the first one.
 * @returns `null` when there should be a body and is none; `"over"` when the stream has nothing more to give.
 * @throws What the iteration is to throw.
 */
export type OpenBody = (
  signal: AbortSignal,
  interruption: Interruption | undefined,
) => Promise<ReadableStream<Uint8Array> | null | "over">;

interface Waiter {
  resolve(result: IteratorResult<StreamChunk>): void;
  reject(error: unknown): void;
}

const over: IteratorResult<StreamChunk> = { done: true, value: undefined };

/** Cancels a body, which does nothing to one that is over, and unlocks it. */
function releaseReader(reader: ReadableStreamDefaultReader<Uint8Array> | undefined, reason?: unknown): void {
  reader?.cancel(reason).catch(() => {});
  reader?.releaseLock();
}

/** Streams that ended because the caller's own signal was aborted. */
const abortedStreams = new WeakSet<AsyncIterable<StreamChunk>>();

/** Whether a stream failed because its caller aborted it. */
export const wasAborted = (stream: AsyncIterable<StreamChunk>): boolean => abortedStreams.has(stream);

/**
 * The iterable behind every reading function.
 *
 * @param open - Called at the first `next()`, and after every body that ended too early.
 * @param onUnread - Called when the consumer leaves before the first `next()`.
 */
export function createChunkStream(
  open: OpenBody,
  options: ChunkStreamOptions,
  onUnread: () => void = () => {},
): AsyncIterable<StreamChunk> {
  const { signal, idleTimeoutMs = 60_000, maxEventBytes, onUnknownChunk } = options;
  const decoderOptions: ChunkDecoderOptions = {
    maxEventBytes,
    onUnknownChunk: (chunk) => {
      if (state !== "over") onUnknownChunk?.(chunk);
    },
  };
  const left = new AbortController();
  let decoder = createChunkDecoder(decoderOptions);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Reads the next piece of this body. */
  let readPiece: () => void;
  let watchdog = createIdleWatchdog(idleTimeoutMs);
  let watchTimer: ReturnType<typeof setTimeout> | undefined;
  /** `idle`: nothing was asked for yet. */
  let state: "idle" | "open" | "over" = "idle";
  /** The calls of `next()` that wait, in their order. */
  const waiters: Waiter[] = [];
  /** What the first `next()` that finds nothing more rejects with. */
  let failure: { error: unknown } | undefined;
  let retryMs: number | undefined;
  let newChunks = 0;
  let lastType: StreamChunk["type"] | undefined;

  /** Answers those who wait at the end. */
  function settle(): void {
    for (const waiter of waiters.splice(0)) {
      if (failure === undefined) waiter.resolve(over);
      else waiter.reject(failure.error);
      failure = undefined;
    }
  }

  /** The stream has ended in order, or failed. */
  function close(error?: { error: unknown }): void {
    state = "over";
    failure = error;
    clearTimeout(watchTimer);
    signal?.removeEventListener("abort", onAbort);
    settle();
  }

  /** Stops reading for good: the body is cancelled, or, if it is not there yet, the request. */
  function leave(reason: unknown, error?: { error: unknown }): void {
    if (state === "over") return;
    if (state === "idle") onUnread();
    close(error);
    left.abort(reason);
    releaseReader(reader, reason);
  }

  function onAbort(): void {
    if (state === "over") return;
    abortedStreams.add(stream);
    leave(signal?.reason, { error: signal?.reason });
  }

  /** Gives the server a moment to close the body, so that the connection can be used again. */
  function finishReading(body: ReadableStreamDefaultReader<Uint8Array>): void {
    let isReleased = false;
    const release = () => {
      isReleased = true;
      clearTimeout(timer);
      releaseReader(body);
    };
    const readOn = (): Promise<void> =>
      body.read().then(({ done }) => {
        if (!isReleased) return done ? release() : readOn();
      }, release);
    const timer = setTimeout(release, closeGraceMs);
    void readOn();
  }

  async function openBody(interruption?: Interruption): Promise<void> {
    try {
      const body = await open(left.signal, interruption);
      if (left.signal.aborted) return body === "over" ? undefined : discardBody(body);
      if (body === "over") return close();
      if (body === null) throw new StreamTruncatedError("The response has no body: the answer is missing.");
      if (typeof body?.getReader !== "function") {
        throw new TypeError(`Expected a body, a Response or null to read; got ${typeof body}.`);
      }
      startReading(body);
    } catch (error) {
      // What fails because the consumer has left is nobody's error.
      if (state !== "over") leave(error, { error });
    }
  }

  function startReading(stream: ReadableStream<Uint8Array>): void {
    const body = stream.getReader();
    reader = body;
    // Whoever has given a body up does not listen to it any more.
    const isHeard = () => body === reader && state !== "over";
    const onRead = (piece: ReadableStreamReadResult<Uint8Array>) => {
      if (isHeard()) onPiece(piece);
    };
    const onReadError = (cause: unknown) => {
      if (!isHeard()) return;
      onBroken(new StreamTruncatedError("The connection broke before the stream was complete.", { cause }));
    };
    readPiece = () => void body.read().then(onRead, onReadError);
    readMore();
  }

  /** This body gives no more. */
  function interrupt(error: unknown): void {
    releaseReader(reader, error);
    reader = undefined;
    clearTimeout(watchTimer);
    watchdog = createIdleWatchdog(idleTimeoutMs);
    retryMs = decoder.retryMs ?? retryMs;
    const { lastEventId } = decoder;
    decoder = createChunkDecoder({ ...decoderOptions, after: lastEventId });
    const interruption: Interruption = { error, lastEventId, retryMs, newChunks, lastType };
    newChunks = 0;
    void openBody(interruption);
  }

  /** Takes the next chunk of the piece that is there. What is wrong with it is thrown. */
  function take(): IteratorResult<StreamChunk> | undefined {
    const chunk = decoder.next();
    // The caller may have aborted in `onUnknownChunk`.
    if (chunk === undefined || state === "over") return undefined;
    newChunks++;
    lastType = chunk.type;
    return { done: false, value: chunk };
  }

  /** Gives those who wait what the piece has, and reads on if that is not enough. */
  function advance(): void {
    try {
      while (waiters.length > 0) {
        const result = take();
        if (result === undefined) {
          readMore();
          return;
        }
        // Nearly always there is one, and an array gives its last element more easily.
        const waiter = waiters.length === 1 ? waiters.pop() : waiters.shift();
        waiter?.resolve(result);
      }
    } catch (error) {
      interrupt(error);
    }
  }

  function readMore(): void {
    if (state === "over") return;
    if (decoder.done) {
      finishReading(reader!);
      close();
      return;
    }
    if (decoder.heartbeatMs !== undefined) watchdog.announced(decoder.heartbeatMs);
    watch(watchdog.readStarted(performance.now()));
    readPiece();
  }

  function watch(delayMs: number | undefined): void {
    if (delayMs === undefined) return;
    clearTimeout(watchTimer);
    watchTimer = setTimeout(() => {
      const nextMs = watchdog.look(performance.now());
      if (nextMs === 0) onBroken(new StreamIdleError(watchdog.limitMs));
      else watch(nextMs);
    }, delayMs);
  }

  function onPiece(piece: ReadableStreamReadResult<Uint8Array>): void {
    watchdog.readEnded();
    try {
      if (piece.done) {
        decoder.end();
        releaseReader(reader);
        close();
        return;
      }
      decoder.push(piece.value);
    } catch (error) {
      interrupt(error);
      return;
    }
    advance();
  }

  function onBroken(error: Error): void {
    // A connection that breaks behind the terminal has lost nothing.
    if (decoder.complete) {
      releaseReader(reader, error);
      close();
    } else {
      interrupt(error);
    }
  }

  function wait(resolve: Waiter["resolve"], reject: Waiter["reject"]): void {
    waiters.push({ resolve, reject });
    if (waiters.length > 1) return;
    if (state === "over") settle();
    else if (state === "open") advance();
    else if (signal?.aborted) onAbort();
    else {
      state = "open";
      signal?.addEventListener("abort", onAbort);
      void openBody();
    }
  }

  /** The decoder has just said that there is nothing. */
  function waitForMore(resolve: Waiter["resolve"], reject: Waiter["reject"]): void {
    if (state === "open" && waiters.length === 0) {
      waiters.push({ resolve, reject });
      readMore();
    } else {
      wait(resolve, reject);
    }
  }

  const iterator: AsyncIterator<StreamChunk> = {
    next() {
      try {
        const result = state === "open" ? take() : undefined;
        if (result !== undefined) return Promise.resolve(result);
      } catch {
        // It is thrown again where somebody waits.
        return new Promise(wait);
      }
      return new Promise(waitForMore);
    },
    return() {
      leave(undefined);
      return Promise.resolve(over);
    },
  };

  let isTaken = false;
  const stream: AsyncIterable<StreamChunk> = {
    [Symbol.asyncIterator]() {
      if (isTaken) throw new TypeError("A stream can be iterated only once.");
      isTaken = true;
      return iterator;
    },
  };
  return stream;
}
