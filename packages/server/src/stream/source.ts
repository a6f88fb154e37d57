/**
 * What a route may pass as a stream, and how it becomes one iterator. Does not check, buffer or print chunks.
 */
import type { ChatTypes, CustomChunk, StreamChunk } from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";

/** What a source may yield: chunks of the contract, and those of the types that {@link ChatTypes.chunks} declares. */
export type SourceChunk<Types extends ChatTypes = ChatTypes> = StreamChunk<Types> | CustomChunk<Types>;

/** Chunks, in any of the forms in which TypeScript code passes them. */
export type ChunkIterable<Types extends ChatTypes = ChatTypes> =
  | AsyncIterable<SourceChunk<Types>>
  | Iterable<SourceChunk<Types>>
  | ReadableChunks<SourceChunk<Types>>;

/**
 * A `ReadableStream` of chunks, by the methods that are used. Named in full, it would share `[Symbol.asyncIterator]` with
 * generators, and a compiler would compare a wrong generator with it instead of naming the wrong field.
 */
interface ReadableChunks<Chunk> {
  getReader(): {
    read(): Promise<{ done: boolean; value?: Chunk | undefined }>;
    cancel(): Promise<void>;
  };
}

/** Passed to a source that is a function. */
export interface StreamSourceContext {
  /** Aborted when the chunks are no longer wanted: pass it to the agent, so that it stops working. */
  signal: AbortSignal;
}

/** An iterable of chunks, a promise of one, or a function that opens one. */
export type StreamSource<Types extends ChatTypes = ChatTypes> =
  | ChunkIterable<Types>
  | PromiseLike<ChunkIterable<Types>>
  | ((context: StreamSourceContext) => ChunkIterable<Types> | PromiseLike<ChunkIterable<Types>>);

/** An iterator whose `next()` may return a result or a promise of one. */
export interface ChunkIterator {
  next(): IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>>;
  return?(): unknown;
}

/** Calls a source that is a function; an exception becomes a rejection. */
export async function openSource(source: StreamSource, signal: AbortSignal): Promise<ChunkIterable> {
  return typeof source === "function" ? source({ signal }) : source;
}

/** Whether a source can be iterated without awaiting a promise or calling a function. */
export function isChunkIterable(source: StreamSource): source is ChunkIterable {
  return typeof source === "object" && source !== null && !("then" in source);
}

/**
 * @throws TypeError if `source` cannot be iterated.
 */
export function toIterator(source: ChunkIterable): ChunkIterator {
  if (typeof source === "object" && source !== null) {
    if ("getReader" in source) {
      // Not every runtime can iterate a ReadableStream, and a reader's results have the iterator's shape.
      const reader = source.getReader();
      return { next: () => reader.read() as Promise<IteratorResult<unknown>>, return: () => reader.cancel() };
    }
    if (Symbol.asyncIterator in source) {
      const iterator = source[Symbol.asyncIterator]();
      const stream = source as { destroy?: unknown; on?: unknown };
      if (typeof stream.destroy !== "function") return iterator;
      // A Node stream: its iterator is a generator, which can be left only when its next chunk has arrived, and which
      // listens for errors only after its first `next()`. An earlier error is kept for it, but must not crash the
      // process.
      const { destroy, on } = stream;
      if (typeof on === "function") on.call(stream, "error", () => {});
      return { next: () => iterator.next(), return: () => destroy.call(stream) };
    }
    if (Symbol.iterator in source) return source[Symbol.iterator]();
  }
  throw new TypeError(
    `A stream source must be an async iterable, an iterable or a ReadableStream of chunks; got ${describeKind(source)}.`,
  );
}

/** Calls the `return()` of an iterator or a generator. Never waits for the result, never throws. */
export function closeIterator(iterator: { return?(...values: never[]): unknown }): void {
  try {
    const answer = (iterator as ChunkIterator).return?.();
    // An async generator in the middle of an `await` returns when that settles; the result is ignored.
    if (isPromiseLike(answer)) answer.then(undefined, () => {});
  } catch {
    // The source is being left: its failure to clean up is ignored.
  }
}

/** Closes an unused source: cancels it if it is already open; does not call a function. */
export function closeSource(source: StreamSource): void {
  const close = (iterable: ChunkIterable): void => {
    try {
      closeIterator(toIterator(iterable));
    } catch {
      // A source that cannot be iterated needs no closing.
    }
  };
  if (isChunkIterable(source)) close(source);
  else if (isPromiseLike(source)) source.then(close, () => {});
}

export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  // The first is what async generators return, and cheaper to recognise.
  if (value instanceof Promise) return true;
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
