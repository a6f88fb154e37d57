/**
 * Reads one body: bytes to chunks, the detection of a dead connection, and the end. Owns the body's reader and the
 * timers; its creator calls `release` or `finish`. Does not know where bodies come from, or what follows one.
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

/** The most that counts of one silence: during a longer one, the program may have been suspended. */
const maxSilentMs = 60_000;

type Piece = Awaited<ReturnType<ByteReader["read"]>>;

export interface BodyReaderOptions extends Omit<ChunkDecoderOptions, "after"> {
  /** The longest silence until the server announces its heartbeats, in milliseconds; 0 has no limit. */
  idleTimeoutMs: number;
  /** Where the previous body ended; undefined for the first one of a stream. */
  previous: BodyEnd | undefined;
}

/** The reading position after a body has ended too early. */
export interface BodyEnd {
  error: unknown;
  /** The event id to resume after; `""` if there is none. */
  lastEventId: string;
  /** How long the server asked clients to wait before reconnecting, in milliseconds. */
  retryMs: number | undefined;
  /** The number of chunks from this body. */
  newChunks: number;
  /** Whether this body yielded at least one byte. */
  hasBytes: boolean;
  /** How long the consumer had been waiting when the body ended, in milliseconds; at most a minute. */
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
  /** When the last read began, and whether it is still pending. */
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

  /** `[DONE]` has arrived. */
  get isDone(): boolean {
    return this.#decoder.done;
  }

  /**
   * Whether the stream may end here, unless it violated the contract. An `error` at the end of an earlier body also
   * counts as an end.
   */
  get isWhole(): boolean {
    return this.#decoder.complete || (this.#decoder.done && this.#lastType === "error");
  }

  /** Whether it was resumed and yielded nothing. */
  get isExhausted(): boolean {
    return this.#decoder.lastEventId === this.#previous?.lastEventId;
  }

  /** Whether another body can continue from the current position. */
  get canBeLeft(): boolean {
    const { mustStay, lastEventId } = this.#decoder;
    return !mustStay && parseEventId(lastEventId) !== undefined;
  }

  /**
   * @returns the next chunk of the bytes read so far; undefined if there is none.
   * @throws StreamProtocolError for a contract violation.
   */
  next(): StreamChunk | undefined {
    const chunk = this.#decoder.next();
    if (chunk !== undefined) {
      this.#newChunks++;
      this.#lastType = chunk.type;
    }
    return chunk;
  }

  /** Reads one more piece: pass the result to {@link push}, a rejection to {@link endedWith}. */
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
   * @throws StreamTruncatedError if the body has ended, the reason given to {@link cancel}, and StreamBodyError for a
   * piece that is neither bytes nor text.
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

  /** Cancels the body, unless it has ended, and unlocks it. */
  release(reason?: unknown): void {
    clearTimeout(this.#silenceTimer);
    discard(this.#reader, reason);
    this.#reader.releaseLock();
  }

  /** After `[DONE]`: gives the server a moment to close the body, so that the connection can be used again. */
  finish(): void {
    clearTimeout(this.#silenceTimer);
    const release = () => {
      clearTimeout(graceTimer);
      this.release();
    };
    const graceTimer = setTimeout(release, closeGraceMs);
    this.#reader.read().then(release, release);
  }

  /** @param thrown - Why the body ended too early: the error of a method or of a read. */
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
