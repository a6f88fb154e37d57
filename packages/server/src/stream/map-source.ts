/**
 * A source whose chunks are changed on their way. An iterator, not a generator: leaving it while it waits must reach the
 * source at once. Checks no chunks.
 */
import {
  type ChunkIterable,
  type ChunkIterator,
  closeIterator,
  isChunkIterable,
  isPromiseLike,
  openSource,
  type StreamSource,
  toIterator,
} from "./source.ts";

/** What changes the chunks of a source. Anything may come from a source: values are not checked before. */
export interface ChunkChange {
  /** @returns what takes the place of a chunk, at least one; undefined to leave it as it is. */
  replace(chunk: unknown): unknown[] | Promise<unknown[]> | undefined;
  /** @returns what follows the last chunk of a source that ends without a terminal chunk. */
  append?(): unknown[] | Promise<unknown[]>;
}

/** @param begin - Called when the source is opened, because the change of one stream may have a state. */
export function mapSource(source: StreamSource, begin: () => ChunkChange): StreamSource {
  const map = (iterable: ChunkIterable) =>
    ({
      [Symbol.asyncIterator]: () => new MappedIterator(toIterator(iterable), begin()),
    }) as unknown as ChunkIterable;
  // A source that is already open stays recognisable as such, so that it is closed even if it is never read.
  if (isChunkIterable(source)) return map(source);
  if (isPromiseLike(source)) return (source as PromiseLike<ChunkIterable>).then(map);
  return async ({ signal }) => map(await openSource(source, signal));
}

type Result = IteratorResult<unknown>;

class MappedIterator implements ChunkIterator {
  readonly #iterator: ChunkIterator;
  readonly #change: ChunkChange;
  readonly #queue: Result[] = [];

  constructor(iterator: ChunkIterator, change: ChunkChange) {
    this.#iterator = iterator;
    this.#change = change;
  }

  next(): Result | PromiseLike<Result> {
    const queued = this.#queue.shift();
    if (queued !== undefined) return queued;
    const next = this.#iterator.next();
    return isPromiseLike(next) ? next.then((result) => this.#map(result as Result)) : this.#map(next);
  }

  return(): Result {
    closeIterator(this.#iterator);
    return { done: true, value: undefined };
  }

  #map(result: Result): Result | PromiseLike<Result> {
    // The reader rejects what is not a result.
    if (typeof result !== "object" || result === null) return result;
    const changed = result.done ? this.#change.append?.() : this.#change.replace(result.value);
    if (changed === undefined) return result;
    const end = result.done ? result : undefined;
    return isPromiseLike(changed)
      ? (changed as Promise<unknown[]>).then((values) => this.#take(values, end))
      : this.#take(changed, end);
  }

  #take(values: unknown[], end?: Result): Result {
    this.#queue.push(...values.map((value) => ({ done: false as const, value })));
    if (end !== undefined) this.#queue.push(end);
    return this.#queue.shift()!;
  }
}
