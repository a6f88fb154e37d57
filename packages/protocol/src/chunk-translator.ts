/**
 * Translates chunks into the events of another protocol, one after the other. Does no I/O, and knows none of them: each is
 * in an entry of its own.
 */
import type { StreamChunk, UnknownChunk } from "./chunks.ts";

/** Translates the chunks of one stream. */
export interface ChunkTranslator<Event> {
  /**
   * Translates the next chunk.
   *
   * @returns its events; some are held back until the next call.
   */
  translate(chunk: StreamChunk | UnknownChunk): Event[];
  /**
   * To be called when no more chunks are ready.
   *
   * @returns what was held back only to be sent less often.
   */
  flush(): Event[];
  /**
   * Ends the stream.
   *
   * @param end - `complete` if the stream ended in order, with a terminal chunk or without; `truncated` if it was cut off.
   * @returns the events that close everything that is open, and the end in the words of the other protocol, if they have
   * not been sent.
   */
  end(end: "complete" | "truncated"): Event[];
}

/**
 * The events of a whole stream. Flushes before it waits for a chunk that does not come at once. Leaving the loop leaves the
 * source.
 *
 * @throws what the source throws, after the events that end the stream as `truncated`.
 */
export async function* translateChunks<Event>(
  chunks: AsyncIterable<StreamChunk | UnknownChunk>,
  translator: ChunkTranslator<Event>,
): AsyncGenerator<Event, void, void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let hasEnded = false;
  try {
    for (;;) {
      const next = nextOf(iterator);
      // As many turns as an async generator takes to pass on a chunk that it has.
      for (let turn = 0; turn < 8 && !next.isSettled; turn++) await undefined;
      if (!next.isSettled) yield* translator.flush();
      const result = await next.result;
      hasEnded = result.done === true;
      if (result.done) break;
      yield* translator.translate(result.value);
    }
    yield* translator.end("complete");
  } catch (error) {
    // A translator that fails does so again.
    if (!hasEnded) yield* translator.end("truncated");
    throw error;
  } finally {
    if (!hasEnded) await iterator.return?.();
  }
}

function nextOf<Item>(iterator: AsyncIterator<Item>) {
  const next = { isSettled: false, result: iterator.next() };
  const settle = () => {
    next.isSettled = true;
  };
  next.result.then(settle, settle);
  return next;
}
