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
  const results: Result[] = [];
  const arrived: { index: number; next: Promise<IteratorResult<Chunk, Result>> }[] = [];
  let wake = () => {};
  // Without `Promise.race`, which a promise that stays pending would remember each time.
  const request = (index: number) => {
    const next = streams[index]!.next();
    const arrive = () => {
      arrived.push({ index, next });
      wake();
    };
    next.then(arrive, arrive);
  };
  try {
    for (const index of streams.keys()) request(index);
    for (let open = streams.length; open > 0; ) {
      signal.throwIfAborted();
      const arrival = arrived.shift();
      if (arrival === undefined) {
        await untilAborted(new Promise<void>((resolve) => (wake = resolve)), signal);
        continue;
      }
      const { done, value } = await arrival.next;
      if (done) {
        open--;
        results[arrival.index] = value;
      } else {
        yield value;
        request(arrival.index);
      }
    }
    return results;
  } finally {
    for (const stream of streams) closeIterator(stream);
  }
}
