/**
 * The pump: a source of chunks in, pieces of SSE text out, driven by whoever takes them. Owns the source from the call
 * on: whatever ends the stream, the source is released here, once. Knows neither HTTP nor web streams.
 */
import {
  type AbortChunk,
  type AssistantUIMessage,
  createMessageAccumulator,
  DONE_FRAME,
  type ErrorChunk,
  encodeChunk,
  isTerminalChunk,
  type MessageAccumulator,
  reduceStreamError,
  type StreamChunk,
  type UnknownChunk,
} from "@kortyx/protocol";
import { encodeChunkJson, type PrintedChunk } from "@kortyx/protocol/internal";
import { type OpenStream, registerFinishing, registerStream } from "../shutdown/stream-registry.ts";
import { createFlushScheduler } from "./flush-scheduler.ts";
import { maskError } from "./mask-error.ts";
import { onNextTurn } from "./next-turn.ts";
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
} from "./source.ts";
import {
  defaultMaxAnswerSize,
  encodeHeartbeat,
  maxTurnMs,
  never,
  readStreamTimes,
  type StreamFinishReason,
  type StreamOptions,
  type StreamTimes,
} from "./stream-options.ts";
import { type StreamDeadline, StreamTimers, type TimedStream } from "./stream-timers.ts";
import { printSourceChunk } from "./writable-data.ts";

/** A piece ends at this many chunks, … */
const maxPieceChunks = 64;
/** … at this many characters (16 KiB of ASCII), … */
const maxPieceLength = 16 * 1024;
/** … or when it has been filled for this long, because a source that computes without waiting would else hold it back. */
const maxFillMs = 5;

const sourceIdle: ErrorChunk = {
  type: "error",
  message: "The answer did not go on in time.",
  code: "source-idle",
  retryable: true,
};

/**
 * Where a source stands when its stream ends: it has ended by itself, it has said its last word and must be closed, or
 * it is in the middle and must be told that nobody wants the rest.
 */
type SourceState = "over" | "finished" | "unwanted";

/** How a stream has ended. */
interface Ending {
  pump: Pump;
  reason: StreamFinishReason;
  source: SourceState;
  /** Why the rest is unwanted. */
  cause?: unknown;
}

/** Where the pieces go. */
export interface StreamSink {
  /**
   * Called once, before the first piece or at the end: the stream is open, or it failed before it gave anything, and
   * this is the chunk that says so.
   */
  onOpen?(failure: ErrorChunk | undefined): void;
  /**
   * Called in place of `onOpen` when the source throws before it gave anything. When it returns true, it has dealt with
   * the error, and the stream closes without a word.
   */
  onThrow?(error: unknown): boolean;
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
 * The source, `onError` and `onFinish` run in the async context of this call (what `AsyncLocalStorage` holds there),
 * no matter what pulls, leaves or ends the stream.
 *
 * Chunks that are ready together make one piece; a chunk that is alone is written within the macrotask that brought
 * it. Without a `pull()` nothing is written but the last piece, and the source is asked for one chunk at most.
 */
export const createStreamPump = (
  source: StreamSource,
  options: StreamOptions,
  sink: StreamSink,
): StreamPump => new Pump(source, options, sink);

/** A class, because thousands of streams wait at the same time: without closures one takes half of the memory. */
class Pump implements StreamPump, OpenStream, TimedStream {
  readonly #options: StreamOptions;
  readonly #sink: StreamSink;
  readonly #timers: StreamTimers;
  #sourceAbort: AbortController | undefined;
  #iterator: ChunkIterator | undefined;

  /** The source is not asked again before the event loop has turned. */
  #isTurnDue = false;
  #isClosed = false;
  /** Wakes the loop that asks the source, while that waits to be allowed to. */
  #wake: (() => void) | undefined;
  readonly #resolveEnded: (ending: Ending) => void;

  /** The piece that is being filled. */
  #text = "";
  #pieceChunks = 0;
  #filledSince: number;
  /** When the event loop was last waited for. */
  #turnedAt: number;

  /** Since when the source alone is waited for, as far as chunks tell: heartbeats are not its doing. */
  #waitingSince: number;
  readonly #times: StreamTimes;
  #isOpened = false;
  /** The outcome of the stream, if nothing more comes. */
  #error: Readonly<ErrorChunk> | undefined;
  #chunks = 0;
  #bytes = 0;
  #message: MessageAccumulator<AssistantUIMessage> | undefined;

  /** The piece goes when no more chunks are ready. */
  readonly #idleCall = createFlushScheduler(this, Pump.#flushWanted);
  /** Only there when the caller has a signal. */
  #onAbort: (() => void) | undefined;
  readonly #unregister: () => void;

  constructor(source: StreamSource, options: StreamOptions, sink: StreamSink) {
    this.#options = options;
    this.#sink = sink;
    this.#times = readStreamTimes(options);
    this.#timers = new StreamTimers(this, this.#times);
    this.#filledSince = this.#turnedAt = this.#waitingSince = this.#timers.startedAt;
    if (options.collectMessage === true) {
      const fields = { id: crypto.randomUUID(), role: "assistant" };
      this.#message = createMessageAccumulator(fields as AssistantUIMessage);
    }
    this.#unregister = registerStream(this);
    this.#timers.start();
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.#resolveEnded = resolve;
    promise.then(Pump.#finish);
    const { signal } = options;
    try {
      if (signal?.aborted) {
        closeSource(source);
        this.#leave();
        return;
      }
      if (signal !== undefined) {
        this.#onAbort = () => this.#leave();
        signal.addEventListener("abort", this.#onAbort);
      }
      void this.#run(source);
    } catch (error) {
      this.#onFailure(error);
    }
  }

  pull(): void {
    if (this.#isClosed) return;
    this.#timers.wanted();
    if (this.#text !== "") {
      // It came while nobody asked, and can go now, with what else is ready.
      this.#filledSince = performance.now();
      this.#idleCall.schedule();
    }
    if (this.#times.sourceIdleTimeoutMs !== never && this.#waitingSince === never) {
      this.#waitingSince = performance.now();
    }
    this.#wakeUp();
  }

  cancel(reason?: unknown): void {
    if (!this.#isClosed) this.#release("cancelled", "unwanted", reason);
  }

  /** The process is shutting down. */
  shutdown(): void {
    this.#end("shutdown", "unwanted", { type: "abort", reason: "shutdown" });
  }

  /**
   * Releases everything that this stream holds. User code runs in a later turn of the promise queue: by then the last
   * piece is written, and nothing that it does can change the stream.
   */
  #release(reason: StreamFinishReason, source: SourceState, cause?: unknown): void {
    this.#isClosed = true;
    this.#text = "";
    this.#open();
    this.#timers.stop();
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#resolveEnded({ pump: this, reason, source, cause });
  }

  /**
   * Calls user code when the stream has ended. Attached to a promise when the stream begins, so that it runs in the async
   * context of that moment, and not in that of the code that ends the stream.
   */
  static #finish(this: void, { pump, reason, source, cause }: Ending): void {
    if (pump.#options.onFinish !== undefined) registerFinishing(pump.#callOnFinish(reason));
    if (source === "unwanted") pump.#sourceAbort?.abort(cause);
    if (source !== "over" && pump.#iterator !== undefined) closeIterator(pump.#iterator);
    // Last: a process may exit when its streams are gone.
    pump.#unregister();
  }

  async #callOnFinish(reason: StreamFinishReason): Promise<void> {
    try {
      const durationMs = performance.now() - this.#timers.startedAt;
      this.#message?.finish(reason === "end" ? "done" : reason === "cancelled" ? "aborted" : "truncated");
      await this.#options.onFinish?.({
        reason,
        chunks: this.#chunks,
        bytes: this.#bytes,
        durationMs,
        ...(this.#message && { message: this.#message.message }),
      });
    } catch (error) {
      console.error("onFinish of a stream failed:", error);
    }
  }

  /** The client has left. */
  #leave(): void {
    if (this.#isClosed) return;
    this.#release("cancelled", "unwanted", this.#options.signal?.reason);
    // Without `[DONE]`: whoever still reads is to see that the stream was cut.
    this.#sink.close(true);
  }

  #open(failure?: ErrorChunk): void {
    if (this.#isOpened) return;
    this.#isOpened = true;
    this.#sink.onOpen?.(failure);
  }

  #write(piece: string, now: number): void {
    this.#open();
    this.#timers.written(now);
    this.#bytes += this.#sink.write(piece);
  }

  static #flushWanted(this: void, pump: Pump): void {
    if (pump.#timers.isWanted && pump.#text !== "") pump.#flush();
  }

  #flush(): void {
    const piece = this.#text;
    this.#text = "";
    this.#pieceChunks = 0;
    this.#waitingSince = never;
    if (!this.#isTurnDue && this.#filledSince - this.#turnedAt >= maxTurnMs) {
      this.#isTurnDue = true;
      onNextTurn(() => this.#onTurn());
    }
    // A few milliseconds ago at most, and the clock is not read again.
    this.#write(piece, this.#filledSince);
  }

  /** Ends the stream in order: with `last`, where the source has not sent a last chunk itself, and `[DONE]`. */
  #end(reason: StreamFinishReason, source: SourceState, last?: ErrorChunk | AbortChunk): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#chunks === 0 && last?.type === "error") this.#open(last);
    const piece = this.#text + (last === undefined ? "" : encodeChunk(last)) + DONE_FRAME;
    if (last !== undefined) this.#collect(last, piece.length);
    this.#release(reason, source);
    this.#write(piece, this.#timers.startedAt);
    this.#sink.close(false);
  }

  #collect(chunk: StreamChunk | UnknownChunk, length: number): void {
    if (length > defaultMaxAnswerSize) this.#message = undefined;
    try {
      this.#message?.apply(chunk);
    } catch {
      // What a structured object refuses is left out, so that the rest of the answer is saved.
    }
  }

  #onTurn(): void {
    this.#isTurnDue = false;
    this.#turnedAt = performance.now();
    this.#wakeUp();
  }

  /** Takes one result of the source. */
  #take(result: IteratorResult<unknown>): void {
    if (typeof result !== "object" || result === null) {
      const error = new TypeError(`next() of a source answered ${result}, which is no iterator result.`);
      this.#end("error", "unwanted", maskError(error, this.#options));
      return;
    }
    if (result.done) {
      this.#end(this.#error === undefined ? "end" : "error", "over");
      return;
    }
    let printed: PrintedChunk;
    try {
      printed = printSourceChunk(result.value, this.#chunks + 1);
    } catch (error) {
      this.#end("error", "unwanted", maskError(error, this.#options));
      return;
    }
    // A chunk's own toJSON() may have ended the request.
    if (this.#isClosed) return;
    const { chunk, json } = printed;
    this.#text += encodeChunkJson(json);
    this.#chunks++;
    this.#pieceChunks++;
    if (this.#error !== undefined || chunk.type === "error")
      this.#error = reduceStreamError(this.#error, chunk);
    if (this.#message !== undefined) this.#collect(chunk, this.#bytes + this.#text.length);
    if (isTerminalChunk(chunk)) {
      // Nothing may follow it, so the source is not asked again.
      this.#end(this.#error === undefined ? chunk.type : "error", "finished");
      return;
    }
    if (!this.#timers.isWanted) return;
    const now = performance.now();
    if (this.#pieceChunks === 1) this.#filledSince = now;
    const isFull =
      this.#pieceChunks === maxPieceChunks ||
      this.#text.length >= maxPieceLength ||
      now - this.#filledSince >= maxFillMs;
    if (isFull) this.#flush();
    else this.#idleCall.schedule();
  }

  /**
   * Opens the source and requests its chunks while the sink wants them. One call lasts as long as the stream and waits for
   * promises of its own, so that the source runs in the async context of this call, and not in that of a pull. Never
   * rejects.
   */
  async #run(source: StreamSource): Promise<void> {
    try {
      let iterable: ChunkIterable;
      if (isChunkIterable(source)) {
        iterable = source;
      } else {
        this.#sourceAbort = new AbortController();
        iterable = await openSource(source, this.#sourceAbort.signal);
      }
      const iterator = toIterator(iterable);
      if (this.#isClosed) {
        closeIterator(iterator);
        return;
      }
      this.#iterator = iterator;
      while (!this.#isClosed) {
        if (!this.#timers.isWanted || this.#isTurnDue) {
          await this.#woken();
          continue;
        }
        const answer = iterator.next();
        const result = isPromiseLike(answer) ? await answer : answer;
        if (!this.#isClosed) this.#take(result);
      }
    } catch (error) {
      this.#onFailure(error);
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The source, or the opening of it, threw: it is over. */
  #onFailure(error: unknown): void {
    if (this.#isClosed) return;
    if (!this.#isOpened && this.#chunks === 0 && this.#sink.onThrow?.(error)) {
      this.#release("error", "over");
      this.#sink.close(true);
      return;
    }
    this.#end("error", "over", maskError(error, this.#options));
  }

  sourceIdleAt(now: number): number {
    return (this.#timers.isWanted ? this.#waitingSince : now) + this.#times.sourceIdleTimeoutMs;
  }

  onDeadline(deadline: StreamDeadline, now: number): void {
    if (deadline === "maxDuration") this.#end("timeout", "unwanted", { type: "abort", reason: "timeout" });
    else if (deadline === "sourceIdle") this.#end("source-idle", "unwanted", sourceIdle);
    else if (deadline === "stall") this.#stall();
    else this.#write(encodeHeartbeat(this.#times.heartbeatMs), now);
  }

  #stall(): void {
    this.#release("stalled", "unwanted");
    this.#sink.close(true);
  }
}
