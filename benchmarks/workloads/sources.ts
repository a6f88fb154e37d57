/** Async generators that stand in for an agent and set the pace of its chunks. */
import { setImmediate as nextMacrotask } from "node:timers/promises";

/** The number of chunks in one macrotask. */
const arrivals: Record<string, number> = { sync: Number.POSITIVE_INFINITY, burst16: 16, alone: 1 };

export async function* createSource<Chunk>(chunks: Chunk[], arrival: string): AsyncGenerator<Chunk> {
  const burst = arrivals[arrival]!;
  for (let index = 0; index < chunks.length; index++) {
    if (index > 0 && index % burst === 0) await nextMacrotask();
    yield chunks[index]!;
  }
}

/** A source wrapped in this many generators that only pass chunks on, like middleware. */
export function wrap<Chunk>(source: AsyncIterable<Chunk>, times: number): AsyncIterable<Chunk> {
  if (times === 0) return source;
  return (async function* () {
    for await (const chunk of wrap(source, times - 1)) yield chunk;
  })();
}
