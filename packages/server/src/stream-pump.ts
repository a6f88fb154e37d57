/**
 * The pump: a source of chunks in, pieces of SSE text out, driven by whoever takes them. Owns the source from the call
 * on: whatever ends the stream, the source is released here, once. Knows neither HTTP nor web streams.
 */
import {
  type AbortChunk,
  createMessageAccumulator,
  DONE_FRAME,
  type ErrorChunk,
  encodeChunk,
  encodeChunkJson,
  encodeComment,
  isTerminalChunk,
  type MessageAccumulator,
  type StreamChunk,
  stringifyChunk,
  type UnknownChunk,
} from "@kortyx/protocol";
import { type Deadline, watchDeadlines } from "./deadlines.ts";
import { onNextTurn } from "./event-loop-turn.ts";
import { createIdleCall } from "./idle-call.ts";
import { describeFailure } from "./stream-failure.ts";
import type { StreamFinishReason, StreamOptions } from "./stream-options.ts";
import { registerStream } from "./stream-registry.ts";
import {
  type ChunkIterable,
  type ChunkIterator,
  closeIterator,
  closeSource,
  isChunkIterable,
  isPromiseLike,
  openSource,
  type StreamSource,
  toIterator,
} from "./stream-source.ts";

/** A piece ends at this many chunks, … */
const maxPieceChunks = 64;
/** … at this many characters (16 KiB of ASCII), … */
const maxPieceLength = 16 * 1024;
/** … or when it has been filled for this long, because a source that computes without waiting would else hold it back. */
const maxFillMs = 5;

/**
 * After so long the event loop gets a turn. Neither a socket that takes everything at once nor the reader of a web
 * stream gives it one (`drain` too comes in the same turn), and beside a source that never waits, nothing else would run.
 */
const maxTurnMs = 10;

/** A source that is silent for this long makes the stream open with a comment, so that headers leave the server. */
const openingWindowMs = 25;

/** A message larger than this, in characters on the wire, is not collected for `onFinish`. */
const maxMessageLength = 8 * 1024 * 1024;

/**
 * Where a source stands when its stream ends: it has ended by itself, it has said its last word and must be closed, or
 * it is in the middle and must be told that nobody wants the rest.
 */
type SourceState = "over" | "finished" | "unwanted";

/** Where the pieces go. */
export interface StreamSink {
  /**
   * Called once, before the first piece or at the end: the stream is open, or it failed before it gave anything, and
   * this is the chunk that says so.
   */
  onOpen?(failure: ErrorChunk | undefined): void;
  /** Takes a piece. @returns its size in bytes. */
  write(text: string): number;
  /** Nothing more comes. `isCut`: the stream did not end in order. */
  close(isCut: boolean): void;
}

export interface StreamPump {
  /** The sink can take a piece. Called again only after it was given one. */
  pull(): void;
  /** The client has left. The source's signal is aborted with `reason`. */
  cancel(reason?: unknown): void;
}

/**
 * Starts pumping; the source is first asked at the first `pull()`.
 *
 * Chunks that are ready together make one piece; a chunk that is alone is written within the macrotask that brought
 * it. Without a `pull()` nothing is written but the last piece, and the source is asked for one chunk at most.
 */
export function createStreamPump(source: StreamSource, options: StreamOptions, sink: StreamSink): StreamPump {
  const { signal, onError, onFinish } = options;
  const { heartbeatMs = 8000, maxDurationMs = 0, stallTimeoutMs = 60_000, sourceIdleTimeoutMs = 0 } = options;
  const sourceAbort = new AbortController();
  const startedAt = performance.now();
  let iterator: ChunkIterator | undefined;

  /** The sink waits for a piece. */
  let isWanted = false;
  /** The loop that asks the source runs, or waits for an answer. */
  let isAsking = false;
  /** It is on the stack. */
  let isTaking = false;
  /** The source is not asked again before the event loop has turned. */
  let isTurnDue = false;
  /** The source was left while it was on the stack itself. */
  let mustClose = false;
  let isClosed = false;

  /** The piece that is being filled. */
  let text = "";
  let pieceChunks = 0;
  let filledSince = startedAt;
  /** When the event loop was last waited for. */
  let turnedAt = startedAt;

  /** When the sink was last given something. */
  let writtenAt = startedAt;
  /** Since when the source alone is waited for, as far as chunks tell: heartbeats are not its doing. */
  let waitingSince = startedAt;
  let isOpened = false;
  let lastType = "";
  let chunks = 0;
  let bytes = 0;
  let message: MessageAccumulator | undefined =
    options.collectMessage === true ? createMessageAccumulator() : undefined;

  const unregister = registerStream({
    shutdown: () => end("shutdown", "unwanted", { type: "abort", reason: "shutdown" }),
  });
  const stopWatching = watchDeadlines(deadlines());

  /**
   * Releases everything that this stream holds. Last of all the source, whose clean-up is code that we do not know: by
   * then the stream is closed, and nothing that it does matters any more.
   */
  function release(reason: StreamFinishReason, source: SourceState, cause?: unknown): void {
    isClosed = true;
    text = "";
    open();
    stopWatching();
    unregister();
    signal?.removeEventListener("abort", leave);
    if (onFinish !== undefined) finish(reason);
    if (source === "unwanted") sourceAbort.abort(cause);
    if (source !== "over" && iterator !== undefined) {
      // A generator cannot be closed while it runs.
      if (isTaking) mustClose = true;
      else closeIterator(iterator);
    }
  }

  async function finish(reason: StreamFinishReason): Promise<void> {
    try {
      const durationMs = performance.now() - startedAt;
      message?.finish(reason === "end" ? "done" : reason === "cancelled" ? "aborted" : "truncated");
      await onFinish?.({ reason, chunks, bytes, durationMs, ...(message && { message: message.message }) });
    } catch (error) {
      console.error("onFinish of a stream failed:", error);
    }
  }

  /** The client has left. */
  function leave(): void {
    if (isClosed) return;
    isClosed = true;
    // Without `[DONE]`: whoever still reads is to see that the stream was cut.
    sink.close(true);
    release("cancelled", "unwanted", signal?.reason);
  }

  function open(failure?: ErrorChunk): void {
    if (isOpened) return;
    isOpened = true;
    sink.onOpen?.(failure);
  }

  function write(piece: string, now: number): void {
    open();
    isWanted = false;
    writtenAt = now;
    bytes += sink.write(piece);
  }

  function flush(): void {
    const piece = text;
    text = "";
    pieceChunks = 0;
    waitingSince = Number.POSITIVE_INFINITY;
    if (!isTurnDue && filledSince - turnedAt >= maxTurnMs) {
      isTurnDue = true;
      onNextTurn(onTurn);
    }
    // A few milliseconds ago at most, and the clock is not read again.
    write(piece, filledSince);
  }

  /** The piece goes when no more chunks are ready. */
  const scheduleFlush = createIdleCall(() => {
    if (isWanted && text !== "") flush();
  });

  /** Ends the stream in order: with `last`, where the source has not sent a last chunk itself, and `[DONE]`. */
  function end(reason: StreamFinishReason, source: SourceState, last?: ErrorChunk | AbortChunk): void {
    if (isClosed) return;
    isClosed = true;
    if (chunks === 0 && last?.type === "error") open(last);
    const piece = text + (last === undefined ? "" : encodeChunk(last)) + DONE_FRAME;
    if (last !== undefined) collect(last, piece.length);
    write(piece, startedAt);
    sink.close(false);
    release(reason, source);
  }

  function collect(chunk: StreamChunk | UnknownChunk, length: number): void {
    if (message === undefined) return;
    try {
      if (length > maxMessageLength) throw new RangeError();
      message.apply(chunk);
    } catch {
      // Too large, or a structured object that cannot be built: there is no message.
      message = undefined;
    }
  }

  function onTurn(): void {
    isTurnDue = false;
    turnedAt = performance.now();
    askSource();
  }

  /** Takes one result of the source. */
  function take(result: IteratorResult<unknown>): void {
    if (typeof result !== "object" || result === null) {
      const error = new TypeError(`next() of a source answered ${result}, which is no iterator result.`);
      end("error", "unwanted", describeFailure(error, onError));
      return;
    }
    if (result.done) {
      end(lastType === "error" ? "error" : "end", "over");
      return;
    }
    const chunk = result.value as UnknownChunk;
    let frame: string;
    try {
      frame = encodeChunkJson(stringifyChunk(chunk));
    } catch (error) {
      end("error", "unwanted", describeFailure(error, onError));
      return;
    }
    // A chunk's own toJSON() may have ended the request.
    if (isClosed) return;
    text += frame;
    chunks++;
    pieceChunks++;
    lastType = chunk.type;
    if (message !== undefined) collect(chunk, bytes + text.length);
    if (isTerminalChunk(chunk)) {
      // Nothing may follow it, so the source is not asked again.
      end(chunk.type, "finished");
      return;
    }
    if (!isWanted) return;
    const now = performance.now();
    if (pieceChunks === 1) filledSince = now;
    const isFull =
      pieceChunks === maxPieceChunks || text.length >= maxPieceLength || now - filledSince >= maxFillMs;
    if (isFull) flush();
    else scheduleFlush();
  }

  /** Asks the source for as long as somebody wants its chunks. Never rejects. */
  async function askSource(): Promise<void> {
    if (isAsking || iterator === undefined) return;
    isAsking = true;
    try {
      while (isWanted && !isClosed && !isTurnDue) {
        isTaking = true;
        const answer = iterator.next();
        let result: IteratorResult<unknown>;
        if (isPromiseLike(answer)) {
          stopTaking();
          result = await answer;
          isTaking = true;
        } else {
          result = answer;
        }
        if (!isClosed) take(result);
      }
    } catch (error) {
      onFailure(error);
    }
    stopTaking();
    isAsking = false;
  }

  function stopTaking(): void {
    isTaking = false;
    if (!mustClose) return;
    mustClose = false;
    closeIterator(iterator!);
  }

  /** The source, or the opening of it, threw: it is over. */
  function onFailure(error: unknown): void {
    if (!isClosed) end("error", "over", describeFailure(error, onError));
  }

  function begin(iterable: ChunkIterable): void {
    iterator = toIterator(iterable);
    if (isClosed) closeIterator(iterator);
    else askSource();
  }

  /** What is due when nothing happens; when several are due together, the first one wins. */
  function deadlines(): Deadline[] {
    const never = Number.POSITIVE_INFINITY;
    const heartbeatDelayMs = heartbeatMs * (0.9 + Math.random() * 0.2);
    const isWaitingForSource = () => isWanted && text === "";
    return [
      {
        dueAt: () => (maxDurationMs > 0 ? startedAt + maxDurationMs : never),
        run: () => end("timeout", "unwanted", { type: "abort", reason: "timeout" }),
      },
      {
        dueAt(now) {
          if (sourceIdleTimeoutMs === 0) return never;
          return (isWaitingForSource() ? waitingSince : now) + sourceIdleTimeoutMs;
        },
        run: () =>
          end("source-idle", "unwanted", {
            type: "error",
            message: "The answer did not go on in time.",
            code: "source-idle",
            retryable: true,
          }),
      },
      {
        dueAt: (now) => (stallTimeoutMs > 0 ? (isWanted ? now : writtenAt) + stallTimeoutMs : never),
        run() {
          isClosed = true;
          sink.close(true);
          release("stalled", "unwanted");
        },
      },
      {
        // The first comment opens the stream; the others keep it open. None is sent to a reader that lags.
        dueAt(now) {
          const delayMs = isOpened ? heartbeatDelayMs : openingWindowMs;
          return delayMs > 0 ? (isWaitingForSource() ? writtenAt : now) + delayMs : never;
        },
        run: (now) => write(encodeComment(`hb=${heartbeatMs}`), now),
      },
    ];
  }

  try {
    if (signal?.aborted) {
      closeSource(source);
      leave();
    } else {
      signal?.addEventListener("abort", leave);
      if (isChunkIterable(source)) {
        begin(source);
      } else {
        openSource(source, sourceAbort.signal).then(begin).catch(onFailure);
      }
    }
  } catch (error) {
    onFailure(error);
  }

  return {
    pull() {
      if (isClosed) return;
      isWanted = true;
      if (text !== "") {
        // It came while nobody asked, and can go now, with what else is ready.
        filledSince = performance.now();
        scheduleFlush();
      }
      if (sourceIdleTimeoutMs > 0 && waitingSince === Number.POSITIVE_INFINITY)
        waitingSince = performance.now();
      askSource();
    },
    cancel(reason) {
      if (!isClosed) release("cancelled", "unwanted", reason);
    },
  };
}
