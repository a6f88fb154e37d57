/**
 * Many kinds of chunks, one stream for each, compared with the limit: `fraction <direction> <set>`. The set is
 * `shapes`, the chunks that agents send, or `random`, chunks drawn from the schemas. Both sides take turns in one
 * process, which has seen all of them before the end: a measure is the limit's time over ours for one kind.
 */

import { isTerminalChunk, type StreamChunk } from "../../packages/protocol/dist/index.js";
import fc from "../../packages/protocol/node_modules/fast-check/lib/fast-check.js";
import { anyChunk } from "../../packages/protocol/test/chunk-arbitraries.ts";
import { comparePasses, type Pass } from "../harness/compare-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import type { Implementation } from "../implementations/implementation.ts";
import { implementation as kortyx } from "../implementations/kortyx.ts";
import { implementation as limit } from "../implementations/limit.ts";
import { createBody, cutBytes, drain, encodeAll } from "./bodies.ts";
import { shapes } from "./shapes.ts";
import { createSource } from "./sources.ts";

const chunksInStream = 1000;
const draws = 100;

/** The streams of each set, by name. */
const sets: Record<string, () => Record<string, StreamChunk[]>> = {
  shapes: () =>
    Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shape(chunksInStream)])),
  random: () => {
    // The generator hardly ever repeats itself, and a terminal would end its stream.
    const drawn = fc
      .sample(anyChunk, { seed: 1, numRuns: 2 * draws })
      .filter((chunk) => !isTerminalChunk(chunk));
    const streams = drawn.slice(0, draws).map((chunk) => Array.from({ length: chunksInStream }, () => chunk));
    return Object.fromEntries(streams.map((stream, index) => [`${stream[0]!.type} ${index + 1}`, stream]));
  },
};

export async function measure({ variant: [direction, set], budgetMs, load }: Job): Promise<Measures> {
  const ours = await load();
  const prepare = direction === "encode" ? prepareEncoding : prepareDecoding;
  const partMs = budgetMs / (set === "random" ? 16 : 8);
  const fractions: Measures = {};
  const streams = Object.entries(sets[set!]!());
  // While the engine compiles code for a shape that it has not seen, a stream takes several times as long. The second
  // time counts; the cold start is another workload.
  for (const [name, chunks] of [...streams, ...streams]) {
    const passes = [await prepare(limit, chunks), await prepare(ours, chunks)] as const;
    fractions[name] = (await comparePasses(...passes, partMs)).ratio;
  }
  return fractions;
}

async function prepareEncoding(implementation: Implementation, chunks: StreamChunk[]): Promise<Pass> {
  return async () => {
    await drain(implementation, createSource(chunks, "sync"));
    return chunks.length;
  };
}

async function prepareDecoding(implementation: Implementation, chunks: StreamChunk[]): Promise<Pass> {
  const pieces = cutBytes(await encodeAll(kortyx, createSource(chunks, "sync")), 16384);
  return async () => {
    let count = 0;
    await implementation.decode!(createBody(pieces), () => count++);
    if (count !== chunks.length) throw new Error(`${count} chunks of ${chunks.length}.`);
    return count;
  };
}
