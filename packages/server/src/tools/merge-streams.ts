/**
 * Several streams as one, in the order in which their chunks come. Knows no chunks.
 */
import { closeIterator } from "../stream/source.ts";
import { untilAborted } from "./until-aborted.ts";

/**
 * Requests the next chunk of a stream only when its last one was taken. Leaves all streams when one fails, when the signal
 * is aborted, or when it is left itself.
 *
 * @returns what the streams have returned, in their order.
 * @throws what a stream throws, and the reason of the signal.
 */
export async function* mergeStreams<Chunk, Result>(
  streams: readonly AsyncGenerator<Chunk, Result, void>[],
  signal: AbortSignal,
): AsyncGenerator<Chunk, Result[], void> {
  const results = new Map<number, Result>();
  const pending = new Map<number, Promise<{ index: number; result: IteratorResult<Chunk, Result> }>>();
  const request = (index: number) => {
    pending.set(
      index,
      streams[index]!.next().then((result) => ({ index, result })),
    );
  };
  try {
    for (const index of streams.keys()) request(index);
    while (pending.size > 0) {
      const { index, result } = await untilAborted(Promise.race(pending.values()), signal);
      if (result.done) {
        pending.delete(index);
        results.set(index, result.value);
      } else {
        yield result.value;
        request(index);
      }
    }
    return streams.map((_, index) => results.get(index)!);
  } finally {
    for (const stream of streams) closeIterator(stream);
  }
}
