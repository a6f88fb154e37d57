/**
 * The pump: a source of chunks in, pieces of SSE text out, at the pace of a sink. Decides the size of a piece, when it
 * is written, and how a stream ends; a SourceReader reads the source. Knows neither HTTP nor web streams.
 */
import {
  type AbortChunk,
  type AssistantUIMessage,
  type ChatTypes,
  createMessageAccumulator,
  DONE_FRAME,
  type ErrorChunk,
  encodeChunk,
  type MessageAccumulator,
  type StreamChunk,
  type UnknownChunk,
} from "@kortyx/protocol";
import { appendToPiece, endPiece, type PrintedChunk } from "@kortyx/protocol/internal";
import { type OpenStream, registerFinishing, registerStream } from "../shutdown/stream-registry.ts";
import { createFlushScheduler } from "./flush-scheduler.ts";
import { maskError } from "./mask-error.ts";
import { registerSave } from "./message-saves.ts";
import { isTurnDue, type TurnWaiter, waitForTurn } from "./next-turn.ts";
import type { StreamSource } from "./source.ts";
import { type SourceConsumer, type SourceEnd, SourceReader } from "./source-reader.ts";
import { setRealTimeout } from "./start-timer.ts";
import {
  type ContinuedStreamOptions,
  defaultMaxAnswerBytes,
  encodeHeartbeat,
  never,
  readStreamTimes,
  type StreamFinishReason,
  type StreamTimes,
  sourceIdle,
} from "./stream-options.ts";
import { type StreamDeadline, StreamTimers, type TimedStream } from "./stream-timers.ts";

/** A piece ends at this many chunks, … */
const maxPieceChunks = 64;
/** … at this many characters (16 KiB of ASCII), … */
const maxPieceLength = 16 * 1024;
/**
 * … or when it has been filling for this long, because a source that computes without waiting would otherwise delay it.
 */
const maxFillMs = 5;
/** After this many chunks of a piece, … */
const chunksWithClock = 8;
/**
 * … only one in this many reads the clock, which costs half as much as printing a chunk. A source that turns slow then has
 * fewer than this many more chunks held back: a reader should not notice it at 30 ms of work per chunk.
 */
const chunksPerClock = 4;
/**
 * Chunks that are ready together, less than this after the previous piece, wait for as long for more: a fast source would
 * otherwise pay for a write, a packet and a wake-up of its reader in each turn of the event loop. A chunk that is alone
 * never waits.
 */
const minBurstGapMs = 1;

/** Where the pieces go. */
export interface StreamSink {
  /**
   * Called once, before the first piece or at the end: the stream is open, or it failed before it yielded anything,
   * with the `error` chunk for that.
   */
  onOpen?(failure: ErrorChunk | undefined): void;
  /**
   * Called instead of `onOpen` when the source throws before it has yielded anything. If it returns true, it has
   * handled the error, and the stream closes silently.
   */
  onThrow?(error: unknown): boolean;
  /** Takes a piece. @returns its size in bytes. */
  write(text: string): number;
  /** The stream has ended. `cut`: not in order, and its reader must be able to tell. */
  close(ending: "complete" | "cut"): void;
}

export interface StreamPump {
  /** The sink can take a piece. Called again only after it received one. */
  pull(): void;
  /** The client has left. The source's signal is aborted with `reason`. */
  cancel(reason?: unknown): void;
}

/**
 * Starts pumping; the source is first read at the first `pull()`.
 *
 * The source, `onError` and `onFinish` run in the async context of this call (what `AsyncLocalStorage` holds there),
 * no matter what pulls, leaves or ends the stream.
 *
 * Chunks that are ready together form one piece; a single chunk is written within the macrotask that brought it. Several
 * that follow the previous piece in less than a millisecond wait for a millisecond, for more to join them.
 * Without a `pull()`, only the last piece is written, and at most one chunk is requested from the source.
 */
export const createStreamPump = (
  source: StreamSource,
  options: ContinuedStreamOptions,
  sink: StreamSink,
): StreamPump => new Pump(source, options, sink);

/** A class, because thousands of streams wait at the same time: without closures, each takes half the memory. */
class Pump implements StreamPump, OpenStream, SourceConsumer, TimedStream, TurnWaiter {
  readonly #options: ContinuedStreamOptions;
  readonly #sink: StreamSink;
  readonly #times: StreamTimes;
  readonly #timers: StreamTimers;
  readonly #reader: SourceReader = new SourceReader(this);
  readonly #unregister: () => void;

  /** `opening`: the sink has received nothing. `closed`: it receives nothing more. */
  #phase: "opening" | "open" | "closed" = "opening";
  #finishReason: StreamFinishReason | undefined;
  /** To be called when `onFinish` has returned. */
  #onSaved: (() => void) | undefined;
  /** The source is not read again before the next turn of the event loop. */
  #awaitsTurn = false;

  /** The piece being filled, without its end: see `appendToPiece`. */
  #text = "";
  #pieceChunks = 0;
  #filledSince: number;
  /** When the last piece began to be filled. */
  #flushedSince = Number.NEGATIVE_INFINITY;
  /** A timer will write the piece, unless it is full before. */
  #isPausing = false;
  /** When we began waiting for the source alone. Heartbeats do not reset it. */
  #waitingSince: number;
  /** Writes the piece when no more chunks are ready. */
  readonly #idleCall = createFlushScheduler(this, Pump.#flushWanted);

  #bytes = 0;
  #message: MessageAccumulator<ChatTypes, AssistantUIMessage> | undefined;

  constructor(source: StreamSource, options: ContinuedStreamOptions, sink: StreamSink) {
    this.#options = options;
    this.#sink = sink;
    this.#times = readStreamTimes(options);
    this.#timers = new StreamTimers(this, this.#times);
    this.#filledSince = this.#waitingSince = this.#timers.startedAt;
    if (options.collectMessage === true) {
      const fields = options.continued ?? { id: crypto.randomUUID(), role: "assistant" };
      this.#message = createMessageAccumulator(fields as AssistantUIMessage);
    }
    this.#unregister = registerStream(this);
    this.#timers.start();
    this.#reader.start(source, options.signal);
  }

  pull(): void {
    if (this.#phase === "closed") return;
    this.#timers.wanted();
    if (this.#text !== "") {
      // It came before the sink could take it, and can be written now, with any other ready chunks.
      this.#filledSince = performance.now();
      this.#idleCall.schedule();
    }
    if (this.#times.sourceIdleTimeoutMs !== never && this.#waitingSince === never) {
      this.#waitingSince = performance.now();
    }
    this.#reader.resume();
  }

  cancel(reason?: unknown): void {
    this.#close("cancelled");
    this.#reader.close(reason);
  }

  /** The process is shutting down. */
  shutdown(): void {
    this.#end("shutdown", { type: "abort", reason: "shutdown" });
  }

  sourceIdleAt(now: number): number {
    return (this.#timers.isWanted ? this.#waitingSince : now) + this.#times.sourceIdleTimeoutMs;
  }

  onDeadline(deadline: StreamDeadline, now: number): void {
    if (deadline === "maxDuration") this.#end("timeout", { type: "abort", reason: "timeout" });
    else if (deadline === "sourceIdle") this.#end("source-idle", sourceIdle);
    else if (deadline === "stall") this.#cut("stalled");
    else this.#write(encodeHeartbeat(this.#times.heartbeatMs), now);
  }

  get wantsChunk(): boolean {
    return this.#timers.isWanted && !this.#awaitsTurn;
  }

  onChunk(printed: PrintedChunk): void {
    this.#append(printed);
    if (!this.#timers.isWanted) return;
    if (this.#isFull()) this.#flush();
    else this.#idleCall.schedule();
  }

  #isFull(): boolean {
    const chunks = this.#pieceChunks;
    if (chunks === 1) this.#filledSince = performance.now();
    if (chunks === maxPieceChunks || this.#text.length >= maxPieceLength) return true;
    const readsClock = chunks <= chunksWithClock || chunks % chunksPerClock === 0;
    return readsClock && chunks > 1 && performance.now() - this.#filledSince >= maxFillMs;
  }

  onEnd(end: SourceEnd): void {
    if (end.type === "aborted") this.#cut("cancelled");
    else if (end.type === "failed") this.#onFailure(end.error);
    else if (end.type === "invalid") this.#endWithError(end.error);
    else {
      if (end.type === "terminal") this.#append(end.last);
      const reason = end.type === "terminal" ? (end.last.chunk.type as "done" | "abort") : "end";
      this.#end(this.#reader.error === undefined ? reason : "error");
    }
  }

  #onFailure(error: unknown): void {
    if (this.#phase === "opening" && this.#reader.chunks === 0 && this.#sink.onThrow?.(error)) {
      this.#cut("error");
    } else this.#endWithError(error);
  }

  #endWithError(error: unknown): void {
    const last = maskError(error, this.#options);
    // `onError` may have closed the stream.
    if (this.#options.signal?.aborted) this.#cut("cancelled");
    else this.#end("error", last);
  }

  /** Calls user code when the stream has ended. */
  onRelease(): void {
    if (this.#options.onFinish !== undefined) registerFinishing(this.#callOnFinish());
    // A process may exit when its streams have ended, but not before the source is released.
    this.#unregister();
  }

  async #callOnFinish(): Promise<void> {
    try {
      const durationMs = performance.now() - this.#timers.startedAt;
      const reason = this.#finishReason!;
      this.#message?.finish(reason === "end" ? "done" : reason === "cancelled" ? "aborted" : "truncated");
      await this.#options.onFinish?.({
        reason,
        chunks: this.#reader.chunks,
        bytes: this.#bytes,
        durationMs,
        ...(this.#message && { message: this.#message.message }),
      });
    } catch (error) {
      console.error("onFinish of a stream failed:", error);
    }
    this.#onSaved?.();
  }

  #append({ chunk, json }: PrintedChunk): void {
    this.#text = appendToPiece(this.#text, json);
    this.#pieceChunks++;
    if (this.#message !== undefined) this.#collect(chunk, this.#bytes + this.#text.length);
  }

  #collect(chunk: StreamChunk | UnknownChunk, length: number): void {
    if (length > defaultMaxAnswerBytes) this.#message = undefined;
    try {
      this.#message?.apply(chunk);
    } catch {
      // A chunk that cannot be applied to its structured object is omitted, so that the rest of the answer is saved.
    }
  }

  static #flushWanted(this: void, pump: Pump): void {
    if (pump.#isPausing || !pump.#timers.isWanted || pump.#text === "") return;
    const isBurst = pump.#pieceChunks > 1;
    if (isBurst && pump.#filledSince - pump.#flushedSince < minBurstGapMs) {
      pump.#isPausing = true;
      setRealTimeout(Pump.#onPauseEnd, minBurstGapMs, pump);
    } else pump.#flush();
  }

  static #onPauseEnd(this: void, pump: Pump): void {
    pump.#isPausing = false;
    if (pump.#timers.isWanted && pump.#text !== "") pump.#flush();
  }

  #flush(): void {
    const piece = endPiece(this.#text);
    this.#text = "";
    this.#pieceChunks = 0;
    this.#flushedSince = this.#filledSince;
    this.#waitingSince = never;
    if (!this.#awaitsTurn && isTurnDue(this.#filledSince)) {
      this.#awaitsTurn = true;
      waitForTurn(this);
    }
    // At most a few milliseconds old, which saves reading the clock again.
    this.#write(piece, this.#filledSince);
  }

  onTurn(): void {
    this.#awaitsTurn = false;
    this.#reader.resume();
  }

  #write(piece: string, now: number): void {
    if (this.#phase === "opening") {
      this.#phase = "open";
      this.#sink.onOpen?.(undefined);
    }
    this.#timers.written(now);
    this.#bytes += this.#sink.write(piece);
  }

  /** Ends the stream in order: with `last`, if the source has not sent a terminal itself, and `[DONE]`. */
  #end(reason: StreamFinishReason, last?: ErrorChunk | AbortChunk): void {
    const text = endPiece(this.#text);
    const failure = this.#reader.chunks === 0 && last?.type === "error" ? last : undefined;
    if (!this.#close(reason, failure)) return;
    const piece = text + (last === undefined ? "" : encodeChunk(last)) + DONE_FRAME;
    if (last !== undefined) this.#collect(last, piece.length);
    this.#reader.close();
    this.#write(piece, this.#timers.startedAt);
    this.#sink.close("complete");
  }

  /** Ends the stream without `[DONE]`: a remaining reader must be able to tell that it is incomplete. */
  #cut(reason: StreamFinishReason): void {
    if (!this.#close(reason)) return;
    this.#reader.close();
    this.#sink.close("cut");
  }

  /** @returns false if the stream was already closed. */
  #close(reason: StreamFinishReason, failure?: ErrorChunk): boolean {
    if (this.#phase === "closed") return false;
    const wasOpening = this.#phase === "opening";
    this.#phase = "closed";
    this.#finishReason = reason;
    const { onFinish, messageKey } = this.#options;
    if (onFinish !== undefined && messageKey !== undefined) this.#onSaved = registerSave(messageKey);
    this.#text = "";
    this.#timers.stop();
    if (wasOpening) this.#sink.onOpen?.(failure);
    return true;
  }
}
