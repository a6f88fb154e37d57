/**
 * Bytes to chunks, one at a time, at the consumer's pace, over one body or several. Owns the body that it reads:
 * whatever ends the iteration, the body is cancelled or read to its end here. Does not know where bodies come from.
 */
import {
  type ChunkDecoder,
  type ChunkDecoderOptions,
  createChunkDecoder,
  parseEventId,
  type StreamChunk,
  StreamProtocolError,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { checkFunctionOption, checkLimitOption, checkOption, parseDelayMs } from "@kortyx/protocol/internal";
import type { ConnectionWatch, PausableStream } from "../route/shared-connections.ts";
import { type ByteReader, type ByteStream, createPieceEncoder, discard } from "./byte-stream.ts";
import { StreamIdleError } from "./errors.ts";
import { createIdleWatchdog, type IdleWatchdog, never } from "./idle-watchdog.ts";

/** After `[DONE]`, the server may take this long to close the body before it is cancelled. */
const closeGraceMs = 250;

/** What counts of a silence at most: in a longer one, the program may have been suspended. */
const maxSilentMs = 60_000;

export interface ChunkStreamOptions extends Omit<ChunkDecoderOptions, "after"> {
  /** Ends the iteration when aborted: it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * The longest silence, in milliseconds, before the connection counts as dead. Any byte ends it, heartbeats included.
   * As soon as the server announces its heartbeats, three of their intervals and 2 s count instead, or nothing where it
   * sends none. Only time in which the consumer waits counts. 0 waits forever; `Infinity` until heartbeats are announced.
   *
   * @defaultValue 60,000
   */
  idleTimeoutMs?: number | undefined;
}

/** Where the reading stands when a body has ended too early. */
interface Interruption {
  error: unknown;
  /** The event id to resume behind; `""` when there is none. */
  lastEventId: string;
  /** How long the server wants to be left alone, in milliseconds. */
  retryMs: number | undefined;
  /** Chunks that this body has given. */
  newChunks: number;
  /** This body has given at least one byte. */
  hasBytes: boolean;
  /** How long the consumer had waited for the next one when it ended, in milliseconds; a minute at most. */
  silentMs: number;
  /** The type of the last chunk of all bodies. */
  lastType: string | undefined;
  /** The connection was let go on purpose: open the next body when this resolves. */
  pause: Promise<void> | undefined;
}

/**
 * Provides the next body.
 *
 * @param signal - Aborted when the body is no longer wanted: the consumer has left, or the stream is paused.
 * @param interruption - Why the body before ended; undefined for the first one.
 * @returns `null` when there should be a body and is none; `"complete"` when the stream has nothing more to give.
 * @throws What the iteration is to throw.
 */
export type OpenBody = (
  signal: AbortSignal,
  interruption: Interruption | undefined,
) => Promise<ByteStream | null | "complete">;

type Result = IteratorResult<StreamChunk>;

const over = { done: true } as Result;

/** Cancels a body, which does nothing to one that is over, and unlocks it. */
function releaseReader(reader: ByteReader | undefined, reason?: unknown): void {
  discard(reader, reason);
  reader?.releaseLock();
}

/** Gives the server a moment to close the body, so that the connection can be used again. */
function finishReading(reader: ByteReader): void {
  const release = () => {
    clearTimeout(timer);
    releaseReader(reader);
  };
  const timer = setTimeout(release, closeGraceMs);
  reader.read().then(release, release);
}

interface ChunkStream extends AsyncIterable<StreamChunk>, Partial<PausableStream> {
  isAborted?: boolean;
}

/** Whether a stream failed because its caller's own signal was aborted. */
export const wasAborted = (stream: ChunkStream): boolean => stream.isAborted === true;

/**
 * The iterable behind every reading function.
 *
 * @param open - Called at the first `next()`, and after every body that ended too early; also, with a signal that is
 * aborted, when the consumer leaves before the first `next()`.
 * @param watchConnection - Pauses the stream, where `open` resumes after a pause.
 */
export function createChunkStream(
  open: OpenBody,
  options: ChunkStreamOptions,
  watchConnection?: (stream: PausableStream) => ConnectionWatch,
): AsyncIterable<StreamChunk> {
  const { signal, maxEventBytes, onUnknownChunk } = options;
  checkLimitOption("maxEventBytes", maxEventBytes);
  checkFunctionOption("onUnknownChunk", onUnknownChunk);
  checkOption("signal", !signal || typeof signal.addEventListener === "function", "an AbortSignal", signal);
  const idleTimeoutMs = parseDelayMs("idleTimeoutMs", options.idleTimeoutMs ?? 60_000);
  let isStarted = false;
  let isOver = false;
  /** What the first `next()` that finds nothing more rejects with. */
  let failure: { error: unknown } | undefined;
  let interruption: Interruption | undefined;
  // Of each body:
  let request: AbortController | undefined;
  let reader: ByteReader | undefined;
  let toBytes: (piece: unknown) => Uint8Array;
  let decoder: ChunkDecoder;
  let watchdog: IdleWatchdog;
  let watchTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why it was cancelled here. */
  let cancelled: Error | undefined;
  let pause: Promise<void> | undefined;
  let endPause: (() => void) | undefined;
  let newChunks: number;
  let hasBytes: boolean;
  /** When the last read began. */
  let readAt = 0;
  // Of all of them:
  let lastType: string | undefined;
  let watch: ConnectionWatch | undefined;
  /** Calls of `next()` that wait, and the last one of them all. */
  let waiting = 0;
  let lastCall: Promise<Result>;

  /** The stream has ended in order, or failed. */
  function close(failed?: { error: unknown }): void {
    if (isOver) return;
    isOver = true;
    failure = failed;
    clearTimeout(watchTimer);
    watch?.stop();
    signal?.removeEventListener("abort", onAbort);
  }

  /** Stops reading for good: the body is cancelled, which ends a pending read; or the request, where there is none. */
  function leave(failed?: { error: unknown }): void {
    if (isOver) return;
    close(failed);
    request?.abort(failed?.error);
    releaseReader(reader, failed?.error);
    // There may be a body that nobody has begun to read.
    if (!isStarted) void openBody();
  }

  function onAbort(): void {
    stream.isAborted = true;
    leave({ error: signal?.reason });
  }

  async function openBody(): Promise<void> {
    cancelled = pause = undefined;
    newChunks = 0;
    hasBytes = false;
    decoder = createChunkDecoder({
      maxEventBytes,
      onUnknownChunk: (chunk) => {
        lastType = chunk.type;
        if (!isOver) onUnknownChunk?.(chunk);
      },
      after: interruption?.lastEventId,
    });
    request = new AbortController();
    const { signal } = request;
    const isUnwanted = new Promise<void>((resolve) => {
      signal.onabort = () => resolve();
    });
    if (isOver) request.abort();
    const opening = open(signal, interruption);
    try {
      const body = await Promise.race([opening, isUnwanted]);
      if (body === null) throw new StreamTruncatedError("The response has no body");
      if (body === "complete") close();
      else if (body && !isOver && !pause) {
        watchdog = createIdleWatchdog(body.isWhole ? 0 : idleTimeoutMs);
        toBytes = createPieceEncoder();
        reader = body.getReader();
        watch?.opened();
      }
    } catch (error) {
      if (!pause) leave({ error });
    }
    if (pause) interruption = { ...interruption!, pause, hasBytes: false, silentMs: 0 };
    // Nobody wants a body that comes now.
    if (isOver || pause) opening.then((body) => discard(body === "complete" ? null : body)).catch(() => {});
  }

  /** This body gives no more. */
  function interrupt(error: unknown): void {
    releaseReader(reader, error);
    // A connection that breaks behind the terminal has lost nothing.
    if (decoder.complete && !(error instanceof StreamProtocolError)) {
      close();
      return;
    }
    reader = undefined;
    clearTimeout(watchTimer);
    const { lastEventId, retryMs = interruption?.retryMs } = decoder;
    const silentMs = Math.min(performance.now() - readAt, maxSilentMs);
    interruption = { error, lastEventId, retryMs, newChunks, hasBytes, silentMs, lastType, pause };
  }

  /** Ends the body, and with it a read that is pending. */
  function cancelBody(reason: Error): void {
    cancelled = reason;
    discard(reader, reason);
  }

  function watchSilence(delayMs: number): void {
    if (delayMs === never) return;
    clearTimeout(watchTimer);
    watchTimer = setTimeout(() => {
      const nextMs = watchdog.look(performance.now());
      if (nextMs !== 0) watchSilence(nextMs);
      else cancelBody(new StreamIdleError(watchdog.limitMs));
    }, delayMs);
  }

  const pausable: PausableStream = {
    pause() {
      if (isOver || cancelled || endPause || !isStarted) return false;
      if (decoder.complete || decoder.mustStay) return false;
      if (!parseEventId(decoder.lastEventId)) return false;
      pause = new Promise((resolve) => {
        endPause = resolve;
      });
      if (reader) cancelBody(new StreamTruncatedError("The connection was let go"));
      else request?.abort();
      return true;
    },
    continue() {
      endPause?.();
      endPause = undefined;
    },
  };

  async function pull(): Promise<Result> {
    try {
      if (!isStarted && !isOver) {
        signal?.addEventListener("abort", onAbort);
        if (signal?.aborted) onAbort();
        else watch = watchConnection?.(pausable);
        isStarted = true;
      }
      while (!isOver) {
        if (!reader) {
          await openBody();
          continue;
        }
        try {
          const value = decoder.next();
          // The caller may have aborted in `onUnknownChunk`.
          if (isOver) break;
          if (value) {
            newChunks++;
            lastType = value.type;
            return { done: false, value };
          }
          if (decoder.done) {
            // An `error` that an earlier body ended on is an end, too.
            if (!decoder.complete && lastType !== "error") {
              const error = new StreamTruncatedError("The run ended without a `done`, `abort` or `error`");
              if (decoder.lastEventId !== interruption?.lastEventId) throw error;
              // It was resumed, and nothing has come: the server has no more.
              leave({ error });
              break;
            }
            finishReading(reader);
            close();
            break;
          }
          watchdog.expect(decoder.heartbeatMs);
          readAt = performance.now();
          watchSilence(watchdog.start(readAt));
          let piece: Awaited<ReturnType<ByteReader["read"]>>;
          try {
            piece = await reader.read();
          } catch (cause) {
            throw new StreamTruncatedError("The connection broke", { cause });
          }
          watchdog.end();
          if (cancelled) throw cancelled;
          hasBytes ||= !piece.done;
          if (!piece.done) decoder.push(toBytes(piece.value));
          else throw new StreamTruncatedError();
        } catch (error) {
          interrupt(error);
        }
      }
      const failed = failure;
      failure = undefined;
      if (failed) throw failed.error;
      return over;
    } finally {
      waiting--;
    }
  }

  const iterator: AsyncIterator<StreamChunk> = {
    next() {
      lastCall = waiting++ === 0 ? pull() : lastCall.then(pull, pull);
      return lastCall;
    },
    async return() {
      leave();
      return over;
    },
  };

  let isTaken = false;
  const stream: ChunkStream = {
    ...(watchConnection && pausable),
    [Symbol.asyncIterator]() {
      if (isTaken) throw new TypeError("A stream can be iterated only once.");
      isTaken = true;
      return iterator;
    },
  };
  return stream;
}
