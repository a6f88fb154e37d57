/**
 * One iterable over a sequence of bodies: opens the next one when a body ends too early or is cancelled for a pause,
 * and ends with the stream, a failure, the caller's abort or when the consumer leaves. Does not know where bodies come
 * from; a reader reads each.
 */
import {
  type ChunkDecoderOptions,
  parseEventId,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import {
  checkFunctionOption,
  checkLimitOption,
  checkOption,
  parseDelayMs,
  withSafeUrl,
} from "@kortyx/protocol/internal";
import type { ConnectionWatch, PausableStream } from "../route/shared-connections.ts";
import { type BodyEnd, BodyReader, type BodyReaderOptions } from "./body-reader.ts";
import { type ByteStream, discard } from "./byte-stream.ts";

export interface ChunkStreamOptions extends Omit<ChunkDecoderOptions, "after"> {
  /** Ends the iteration when aborted: it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * The longest silence, in milliseconds, before the connection counts as dead. Any byte ends the silence, including
   * heartbeats. Once the server announces heartbeats, the limit is three intervals plus 2 s, or none if it sends no
   * heartbeats. Only time during which the consumer waits counts. 0 and `Infinity` wait forever, and a response that is
   * read whole has no limit.
   *
   * @defaultValue 60,000
   */
  idleTimeoutMs?: number | undefined;
}

/** Why the next body is opened. */
interface Interruption extends BodyEnd {
  /** The connection was released on purpose: open the next body when this resolves. */
  pause: Promise<void> | undefined;
}

/**
 * Provides the next body.
 *
 * @param signal - Aborted when the body is no longer wanted: the consumer has left, or the stream is paused.
 * @param interruption - Why the previous body ended; undefined for the first one.
 * @returns `null` if the expected body is missing; `"complete"` if the stream has nothing more.
 * @throws The error that the iteration then throws.
 */
export type OpenBody = (
  signal: AbortSignal,
  interruption: Interruption | undefined,
) => Promise<ByteStream | null | "complete">;

type Result = IteratorResult<StreamChunk>;

const over = { done: true } as Result;

interface Failure {
  error: unknown;
}

/** The next body is being opened. */
interface Opening {
  phase: "opening";
  request: AbortController;
  /** The request was aborted for a pause, which ends when this resolves. */
  pause: Promise<void> | undefined;
}

/** A body is being read. */
interface Reading {
  phase: "reading";
  request: AbortController;
  body: BodyReader;
  /** The body was cancelled for a pause, which ends when this resolves. */
  pause: Promise<void> | undefined;
}

/** The next `next()` rejects with the failure, and those after it find the end. */
interface Over {
  phase: "over";
  failure: Failure | undefined;
}

/** `unread`, then `opening` with the first `next()`, then alternating `reading` and `opening` until `over`. */
type State = { phase: "unread" } | Opening | Reading | Over;

/**
 * The iterable that every reading function returns.
 *
 * When its signal is aborted, the iteration rejects with the signal's reason, which may be any value.
 */
export class ChunkStream implements AsyncIterable<StreamChunk>, PausableStream {
  readonly signal: AbortSignal | undefined;
  readonly #openBody: OpenBody;
  readonly #watchConnection: ((stream: PausableStream) => ConnectionWatch) | undefined;
  readonly #readerOptions: Omit<BodyReaderOptions, "previous">;
  #state: State = { phase: "unread" };
  #isTaken = false;
  #interruption: Interruption | undefined;
  #watch: ConnectionWatch | undefined;
  /** The pause in progress. */
  #pause: PromiseWithResolvers<void> | undefined;
  readonly #onAbort = (): void => this.#leave({ error: this.signal?.reason });
  /** Pending calls of `next()`, and the last of them. */
  #waitingCalls = 0;
  #lastCall: Promise<Result> = Promise.resolve(over);
  /** A call of `next()` is running, and what the calls that `onUnknownChunk` makes meanwhile wait for. */
  #isCalling = false;
  #runningCall: PromiseWithResolvers<Result> | undefined;

  /**
   * @param openBody - Called at the first `next()`, and after every body that ended too early; also with an aborted
   * signal, if the consumer leaves before the first `next()`.
   * @param watchConnection - Pauses the stream, if `openBody` can resume after a pause; without it, there are no
   * pauses.
   */
  constructor(
    openBody: OpenBody,
    options: ChunkStreamOptions,
    watchConnection?: (stream: PausableStream) => ConnectionWatch,
  ) {
    const { signal, maxEventBytes, onUnknownChunk } = options;
    checkLimitOption("maxEventBytes", maxEventBytes);
    checkFunctionOption("onUnknownChunk", onUnknownChunk);
    checkOption("signal", !signal || typeof signal.addEventListener === "function", "an AbortSignal", signal);
    this.signal = signal;
    this.#openBody = openBody;
    this.#watchConnection = watchConnection;
    this.#readerOptions = {
      maxEventBytes,
      onUnknownChunk: (chunk) => {
        if (this.#state.phase !== "over") onUnknownChunk?.(chunk);
      },
      idleTimeoutMs: parseDelayMs("idleTimeoutMs", options.idleTimeoutMs ?? 60_000),
    };
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamChunk> {
    if (this.#isTaken) throw new TypeError("A stream can be iterated only once: request another.");
    this.#isTaken = true;
    return {
      next: () => (this.#waitingCalls++ === 0 ? this.#call() : this.#callLater()),
      return: async () => {
        this.#leave();
        return over;
      },
    };
  }

  pause(): boolean {
    if (this.#pause) return true;
    const state = this.#state;
    if (!this.#watchConnection || !this.#canBeLeft(state)) return false;
    this.#pause = Promise.withResolvers();
    state.pause = this.#pause.promise;
    if (state.phase === "reading") state.body.cancel(new StreamTruncatedError("The connection was released"));
    else state.request.abort();
    return true;
  }

  continue(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  /** Whether another body can continue from the current position. */
  #canBeLeft(state: State): state is Opening | Reading {
    if (state.phase === "opening") return parseEventId(this.#interruption?.lastEventId ?? "") !== undefined;
    return state.phase === "reading" && state.body.canBeLeft;
  }

  #call(): Promise<Result> {
    this.#isCalling = true;
    const call = this.#next();
    this.#isCalling = false;
    if (this.#runningCall === undefined) this.#lastCall = call;
    else this.#runningCall.resolve(call);
    this.#runningCall = undefined;
    return call;
  }

  #callLater(): Promise<Result> {
    if (this.#isCalling && this.#runningCall === undefined) {
      this.#runningCall = Promise.withResolvers();
      this.#lastCall = this.#runningCall.promise;
    }
    const next = () => this.#next();
    this.#lastCall = this.#lastCall.then(next, next);
    return this.#lastCall;
  }

  /** Most chunks were read with an earlier one: an async function would cost more than their parsing. */
  #next(): Promise<Result> {
    const value = this.#take();
    return value === undefined ? this.#pull() : Promise.resolve(this.#deliver(value));
  }

  /** Reads until there is a chunk, or the end. */
  async #pull(): Promise<Result> {
    if (this.#state.phase === "unread") this.#begin();
    for (;;) {
      const state = this.#state;
      if (state.phase === "over") return this.#takeEnd(state);
      if (state.phase === "opening") await this.#open(state);
      else if (state.phase === "reading") {
        try {
          state.body.push(await state.body.read());
        } catch (error) {
          this.#interrupt(state, error);
        }
      }
      const value = this.#take();
      if (value !== undefined) return this.#deliver(value);
    }
  }

  /**
   * @returns the next chunk of the bytes read so far; undefined if there is none, or the stream is not being read now.
   */
  #take(): StreamChunk | undefined {
    const state = this.#state;
    if (state.phase !== "reading") return undefined;
    try {
      const chunk = state.body.next();
      // The caller may have aborted in `onUnknownChunk`.
      if (this.#state !== state) return undefined;
      if (chunk === undefined && state.body.isDone) this.#finish(state);
      return chunk;
    } catch (error) {
      this.#interrupt(state, error);
      return undefined;
    }
  }

  #deliver(value: StreamChunk): Result {
    this.#waitingCalls--;
    const { type } = value;
    return { done: false, value: type === "source" || type === "file" ? withSafeUrl(value) : value };
  }

  #begin(): void {
    this.signal?.addEventListener("abort", this.#onAbort);
    if (this.signal?.aborted) {
      this.#onAbort();
      return;
    }
    this.#watch = this.#watchConnection?.(this);
    this.#openNext();
  }

  #openNext(): void {
    this.#state = { phase: "opening", request: new AbortController(), pause: undefined };
  }

  async #open(state: Opening): Promise<void> {
    const { signal } = state.request;
    const aborted = new Promise<void>((resolve) => {
      signal.onabort = () => resolve();
    });
    const opened = this.#openBody(signal, this.#interruption);
    try {
      const body = await Promise.race([opened, aborted]);
      if (body === null) throw new StreamTruncatedError("The response has no body");
      if (body === "complete") this.#close();
      else if (body && this.#state === state && !state.pause) this.#beginReading(state, body);
    } catch (error) {
      this.#leave({ error });
    }
    if (this.#state === state) {
      this.#interruption = { ...this.#interruption!, pause: state.pause, hasBytes: false, silentMs: 0 };
      this.#openNext();
    }
    if (signal.aborted) discardOpened(opened);
  }

  #beginReading({ request }: Opening, bytes: ByteStream): void {
    const body = new BodyReader(bytes, { ...this.#readerOptions, previous: this.#interruption });
    this.#state = { phase: "reading", request, body, pause: undefined };
    this.#watch?.opened();
  }

  /** `[DONE]` has arrived. */
  #finish(state: Reading): void {
    if (state.body.isWhole) {
      state.body.finish();
      this.#close();
      return;
    }
    const error = new StreamTruncatedError("The run ended without a `done`, `abort` or `error`");
    if (state.body.isExhausted) this.#leave({ error });
    else this.#interrupt(state, error);
  }

  /** The body has ended. */
  #interrupt(state: Reading, thrown: unknown): void {
    if (this.#state !== state) return;
    const { body, pause } = state;
    const end = body.endedWith(thrown);
    body.release(end.error);
    // A connection that breaks after the terminal chunk has lost nothing.
    if (body.isWhole) {
      this.#close();
      return;
    }
    this.#interruption = { ...end, pause };
    this.#openNext();
  }

  /** Stops reading permanently: aborts the request and cancels the body, which ends a pending read. */
  #leave(failure?: Failure): void {
    const state = this.#state;
    this.#close(failure);
    if (state.phase === "unread") {
      // There may be a body that will not be read.
      discardOpened(this.#openBody(AbortSignal.abort(), undefined));
    } else if (state.phase !== "over") {
      state.request.abort(failure?.error);
      if (state.phase === "reading") state.body.release(failure?.error);
    }
  }

  /** The stream has ended in order, or failed. */
  #close(failure?: Failure): void {
    if (this.#state.phase === "over") return;
    this.#state = { phase: "over", failure };
    this.#watch?.stop();
    this.signal?.removeEventListener("abort", this.#onAbort);
  }

  /** The failure is thrown once. */
  #takeEnd({ failure }: Over): Result {
    this.#waitingCalls--;
    this.#state = { phase: "over", failure: undefined };
    if (failure) throw failure.error;
    return over;
  }
}

/** Releases a body that is no longer needed, as soon as it arrives. */
function discardOpened(opened: ReturnType<OpenBody>): void {
  opened.then((body) => discard(body === "complete" ? null : body)).catch(() => {});
}
