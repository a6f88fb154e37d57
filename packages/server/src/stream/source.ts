/**
 * What a route may hand over as a stream, and how it becomes one iterator. Does not check, buffer or print chunks.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";

/** Chunks, in any of the forms in which TypeScript code hands them on. */
export type ChunkIterable = AsyncIterable<StreamChunk> | Iterable<StreamChunk> | ReadableStream<StreamChunk>;

/** Given to a source that is a function. */
export interface StreamSourceContext {
  /** Aborted when the chunks are no longer wanted: hand it to the agent, so that it stops working. */
  signal: AbortSignal;
}

/** An iterable of chunks, a promise of one, or a function that opens one. */
export type StreamSource =
  | ChunkIterable
  | PromiseLike<ChunkIterable>
  | ((context: StreamSourceContext) => ChunkIterable | PromiseLike<ChunkIterable>);

/** An iterator whose `next()` may answer at once or with a promise. */
export interface ChunkIterator {
  next(): IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>>;
  return?(): unknown;
}

/** Calls a source that is a function; a failure of the call becomes a rejection. */
export async function openSource(source: StreamSource, signal: AbortSignal): Promise<ChunkIterable> {
  return typeof source === "function" ? source({ signal }) : source;
}

/** Whether a source is ready to be iterated, without a promise or a call. */
export function isChunkIterable(source: StreamSource): source is ChunkIterable {
  return typeof source === "object" && source !== null && !("then" in source);
}

/**
 * @throws TypeError when `source` cannot be iterated.
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
      // A Node stream: its iterator is a generator, which can be left only when its next chunk has come, and which listens
      // for errors only from its first `next()` on. An error before that is kept for it, but must not end the process.
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

/** Tells an iterator that no more is wanted. Never waits for its answer, never throws. */
export function closeIterator(iterator: ChunkIterator): void {
  try {
    const answer = iterator.return?.();
    // An async generator in the middle of an `await` answers when that settles; what it answers is of no interest.
    if (isPromiseLike(answer)) answer.then(undefined, () => {});
  } catch {
    // The source is being left: its failure to clean up is its own.
  }
}

/** Closes a source that will not be used: what is open already is told so, a function is not called. */
export function closeSource(source: StreamSource): void {
  const close = (iterable: ChunkIterable): void => {
    try {
      closeIterator(toIterator(iterable));
    } catch {
      // It could not have been iterated either.
    }
  };
  if (isChunkIterable(source)) close(source);
  else if (isPromiseLike(source)) source.then(close, () => {});
}

export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
