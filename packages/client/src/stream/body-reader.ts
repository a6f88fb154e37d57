/**
 * Reads one body: bytes to chunks, the silence that counts as a dead connection, and the end. Owns the body's reader and
 * the timers: its creator calls `release` or `finish`. Does not know where bodies come from, or what follows one.
 */
import {
  type ChunkDecoder,
  type ChunkDecoderOptions,
  createChunkDecoder,
  parseEventId,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { type ByteReader, type ByteStream, createPieceEncoder, discard } from "./byte-stream.ts";
import { StreamIdleError } from "./errors.ts";
import { createIdleWatchdog, type IdleWatchdog, never } from "./idle-watchdog.ts";

/** After `[DONE]`, the server may take this long to close the body before it is cancelled. */
const closeGraceMs = 250;

/** What counts of a silence at most: in a longer one, the program may have been suspended. */
const maxSilentMs = 60_000;

type Piece = Awaited<ReturnType<ByteReader["read"]>>;

export interface BodyReaderOptions extends Omit<ChunkDecoderOptions, "after"> {
  /** The longest silence until the server announces its heartbeats, in milliseconds; 0 is forever. */
  idleTimeoutMs: number;
  /** Where the body before ended; undefined for the first one of a stream. */
  previous: BodyEnd | undefined;
}

/** Where the reading stands when a body has ended too early. */
export interface BodyEnd {
  error: unknown;
  /** The event id to resume after; `""` when there is none. */
  lastEventId: string;
  /** How long the server wants to be left alone, in milliseconds. */
  retryMs: number | undefined;
  /** Chunks that this body has given. */
  newChunks: number;
  /** This body has given at least one byte. */
  hasBytes: boolean;
  /** How long the consumer had waited for the next one when it ended, in milliseconds; a minute at most. */
  silentMs: number;
  /** The type of the last chunk of the stream, in this body or an earlier one. */
  lastType: string | undefined;
}

export class BodyReader {
  readonly #reader: ByteReader;
  readonly #decoder: ChunkDecoder;
  readonly #watchdog: IdleWatchdog;
  readonly #toBytes = createPieceEncoder();
  readonly #previous: BodyEnd | undefined;
  #lastType: string | undefined;
  #newChunks = 0;
  #hasBytes = false;
  /** When the last read began, and whether it is pending. */
  #readAt = 0;
  #isReading = false;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why it was cancelled here. */
  #cancelled: Error | undefined;

  constructor(body: ByteStream, options: BodyReaderOptions) {
    const { maxEventBytes, onUnknownChunk, idleTimeoutMs, previous } = options;
    this.#previous = previous;
    this.#lastType = previous?.lastType;
    this.#decoder = createChunkDecoder({
      maxEventBytes,
      onUnknownChunk: (chunk) => {
        this.#lastType = chunk.type;
        onUnknownChunk?.(chunk);
      },
      after: previous?.lastEventId,
    });
    this.#watchdog = createIdleWatchdog(body.isWhole ? 0 : idleTimeoutMs);
    this.#reader = body.getReader();
  }

  /** `[DONE]` has come. */
  get isDone(): boolean {
    return this.#decoder.done;
  }

  /** The stream may end here, unless it broke the contract. An `error` on which an earlier body ended is an end, too. */
  get isWhole(): boolean {
    return this.#decoder.complete || (this.#decoder.done && this.#lastType === "error");
  }

  /** It was resumed, and has given nothing. */
  get isExhausted(): boolean {
    return this.#decoder.lastEventId === this.#previous?.lastEventId;
  }

  /** Another body can continue where this one is left. */
  get canBeLeft(): boolean {
    const { mustStay, lastEventId } = this.#decoder;
    return !mustStay && parseEventId(lastEventId) !== undefined;
  }

  /**
   * @returns the next chunk of what was read; undefined when there is none.
   * @throws StreamProtocolError for what breaks the contract.
   */
  next(): StreamChunk | undefined {
    const chunk = this.#decoder.next();
    if (chunk !== undefined) {
      this.#newChunks++;
      this.#lastType = chunk.type;
    }
    return chunk;
  }

  /** Reads one more piece, which is for {@link push}. What it rejects with is for {@link endedWith}. */
  read(): Promise<Piece> {
    this.#watchdog.expect(this.#decoder.heartbeatMs);
    this.#readAt = performance.now();
    this.#watchSilence(this.#watchdog.start(this.#readAt));
    this.#isReading = true;
    return this.#reader.read();
  }

  /**
   * Takes the piece that was read.
   *
   * @throws StreamTruncatedError when there is none, the reason of {@link cancel}, and StreamBodyError for a piece that is
   * neither bytes nor text.
   */
  push({ done, value }: Piece): void {
    this.#isReading = false;
    this.#watchdog.end();
    if (this.#cancelled) throw this.#cancelled;
    if (done) throw new StreamTruncatedError();
    this.#hasBytes = true;
    this.#decoder.push(this.#toBytes(value));
  }

  /** Cancels the body, which ends a pending read; {@link push} then throws the reason. */
  cancel(reason: Error): void {
    this.#cancelled = reason;
    discard(this.#reader, reason);
  }

  /** Cancels the body, unless it is over, and unlocks it. */
  release(reason?: unknown): void {
    clearTimeout(this.#silenceTimer);
    discard(this.#reader, reason);
    this.#reader.releaseLock();
  }

  /** After `[DONE]`: gives the server a moment to close the body, so that the connection can be used again. */
  finish(): void {
    const release = () => {
      clearTimeout(graceTimer);
      this.release();
    };
    const graceTimer = setTimeout(release, closeGraceMs);
    this.#reader.read().then(release, release);
  }

  /** @param thrown - Why the body ended too early: what any method threw, or what a read rejected with. */
  endedWith(thrown: unknown): BodyEnd {
    const error = this.#isReading
      ? new StreamTruncatedError("The connection broke", { cause: thrown })
      : thrown;
    const { lastEventId, retryMs = this.#previous?.retryMs } = this.#decoder;
    return {
      error,
      lastEventId,
      retryMs,
      newChunks: this.#newChunks,
      hasBytes: this.#hasBytes,
      silentMs: Math.min(performance.now() - this.#readAt, maxSilentMs),
      lastType: this.#lastType,
    };
  }

  #watchSilence(delayMs: number): void {
    if (delayMs === never) return;
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      const nextMs = this.#watchdog.look(performance.now());
      if (nextMs !== 0) this.#watchSilence(nextMs);
      else this.cancel(new StreamIdleError(this.#watchdog.limitMs));
    }, delayMs);
  }
}
