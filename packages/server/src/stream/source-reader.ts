/**
 * Reads one source: opens it, requests its chunks while a consumer wants them, checks and prints each, and releases it
 * exactly once. The consumer decides what happens to chunks and failures.
 */
import { type ErrorChunk, isTerminalChunk, reduceStreamError } from "@kortyx/protocol";
import { describeValue, type PrintedChunk } from "@kortyx/protocol/internal";
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
import { printSourceChunk } from "./writable-data.ts";

/** Why no more chunks come. */
export type SourceEnd =
  /** The source ended on its own, without a terminal chunk. */
  | { type: "ended" }
  | { type: "terminal"; last: PrintedChunk }
  /** The source threw, or could not be opened. */
  | { type: "failed"; error: unknown }
  /** The source yielded something that is not a chunk. */
  | { type: "invalid"; error: unknown }
  /** The reader's signal was aborted. */
  | { type: "aborted" };

export interface SourceConsumer {
  /** Whether to request the next chunk now. When it becomes true, call {@link SourceReader.resume}. */
  readonly wantsChunk: boolean;
  /** Takes a chunk that is not a terminal. May close the reader. */
  onChunk(printed: PrintedChunk): void;
  /** Called once, unless the consumer closes the reader. The source is released in a later microtask. */
  onEnd(end: SourceEnd): void;
  /** Called once, just before the source is released, in the async context in which the reading began. */
  onRelease?(): void;
}

/**
 * The state of the source: being read, ended on its own, to be closed after its terminal, or to be closed in the
 * middle, which also aborts its signal.
 */
type SourceState = "reading" | "over" | "finished" | "unwanted";

/**
 * The source runs in the async context of {@link SourceReader.start}, no matter what resumes or closes the reader. A class,
 * because thousands of streams wait at the same time, and closures take memory.
 */
export class SourceReader {
  readonly #consumer: SourceConsumer;
  #state: SourceState = "reading";
  #iterator: ChunkIterator | undefined;
  #chunks = 0;
  #error: Readonly<ErrorChunk> | undefined;
  /** Continues the loop while that waits for its consumer. */
  #wake: (() => void) | undefined;
  #release!: (reader: SourceReader) => void;
  /** Only set if the source is a function or a promise. */
  #sourceAbort: AbortController | undefined;
  #closeReason: unknown;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(consumer: SourceConsumer) {
    this.#consumer = consumer;
  }

  /** The number of chunks read, including the terminal. */
  get chunks(): number {
    return this.#chunks;
  }

  /** The `error` chunk that is the stream's outcome if nothing more comes. */
  get error(): Readonly<ErrorChunk> | undefined {
    return this.#error;
  }

  /** Begins to read. The reader owns the source from now on, and leaves it when `signal` is aborted. */
  start(source: StreamSource, signal?: AbortSignal | null | undefined): void {
    const { promise, resolve } = Promise.withResolvers<SourceReader>();
    this.#release = resolve;
    promise.then(SourceReader.#onRelease);
    try {
      if (signal?.aborted) {
        closeSource(source);
        this.#leave();
        return;
      }
      if (signal) {
        this.#signal = signal;
        this.#onAbort = () => this.#leave();
        signal.addEventListener("abort", this.#onAbort);
      }
      void this.#read(source);
    } catch (error) {
      this.#end("over", { type: "failed", error });
    }
  }

  /** The consumer wants chunks again. */
  resume(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Leaves the source: no more chunks are needed. Its signal is aborted with `reason`. Does nothing after the end. */
  close(reason?: unknown): void {
    this.#close("unwanted", reason);
  }

  #leave(): void {
    this.#end("unwanted", { type: "aborted" });
  }

  #end(state: SourceState, end: SourceEnd): void {
    if (this.#close(state)) this.#consumer.onEnd(end);
  }

  /** @returns whether the source was being read until now. */
  #close(state: SourceState, reason?: unknown): boolean {
    if (this.#state !== "reading") return false;
    this.#state = state;
    this.#closeReason = reason;
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#release(this);
    return true;
  }

  /**
   * Releases the source. That runs user code, in a later microtask than the end of the stream, so that the last piece
   * is already written. Attached to a promise when reading begins, to keep the async context of that call.
   */
  static #onRelease(this: void, reader: SourceReader): void {
    reader.#consumer.onRelease?.();
    // The consumer may have aborted the reading itself, when it received the end.
    const reason = reader.#closeReason ?? reader.#signal?.reason;
    if (reader.#state === "unwanted") reader.#sourceAbort?.abort(reason);
    if (reader.#state !== "over" && reader.#iterator !== undefined) closeIterator(reader.#iterator);
  }

  /**
   * A single call that lasts as long as the reading and awaits its own promises, so that the source runs in the async
   * context of this call, not of the code that resumes it. Never rejects.
   */
  async #read(source: StreamSource): Promise<void> {
    try {
      let iterable: ChunkIterable;
      if (isChunkIterable(source)) {
        iterable = source;
      } else {
        this.#sourceAbort = new AbortController();
        iterable = await openSource(source, this.#sourceAbort.signal);
      }
      const iterator = toIterator(iterable);
      if (this.#state !== "reading") {
        closeIterator(iterator);
        return;
      }
      this.#iterator = iterator;
      while (this.#state === "reading") {
        if (!this.#consumer.wantsChunk) {
          await this.#resumed();
          continue;
        }
        const next = iterator.next();
        const result = isPromiseLike(next) ? await next : next;
        if (this.#state === "reading") this.#take(result);
      }
    } catch (error) {
      this.#end("over", { type: "failed", error });
    }
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Handles one result of the source. */
  #take(result: IteratorResult<unknown>): void {
    if (typeof result !== "object" || result === null) {
      const error = new TypeError(
        `The source's next() must return an iterator result, { done, value }; got ${describeValue(result)}.`,
      );
      this.#end("unwanted", { type: "invalid", error });
      return;
    }
    if (result.done) {
      this.#end("over", { type: "ended" });
      return;
    }
    let printed: PrintedChunk;
    try {
      printed = printSourceChunk(result.value, this.#chunks + 1);
    } catch (error) {
      this.#end("unwanted", { type: "invalid", error });
      return;
    }
    // A chunk's own toJSON() may have closed the reader.
    if (this.#state !== "reading") return;
    const { chunk } = printed;
    this.#chunks++;
    if (this.#error !== undefined || chunk.type === "error") {
      this.#error = reduceStreamError(this.#error, chunk);
    }
    if (isTerminalChunk(chunk)) this.#end("finished", { type: "terminal", last: printed });
    else this.#consumer.onChunk(printed);
  }
}
