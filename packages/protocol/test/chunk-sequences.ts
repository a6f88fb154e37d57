/** Random streams whose ids meet again and again, for tests of what reads a whole stream. Reproducible by seed. */
import fc from "fast-check";
import type { StreamChunk } from "../src/chunks.ts";
import { chunkOf, variants } from "./chunk-arbitraries.ts";

const few = (...ids: string[]) => fc.constantFrom(...ids);

/** The fields by which chunks find each other. */
const ids: Record<string, fc.Arbitrary<string>> = {
  toolCallId: few("a", "b", "", "__proto__"),
  tool: few("search", "buy"),
  segmentId: few("1", "2", "toString"),
  requestId: few("q1", "q2", "__proto__"),
  streamId: few("o1", "o2", "__proto__"),
  stepId: few("s1", "s2"),
  sourceId: few("p1", "p2"),
  path: few("title", "items", "items.0"),
};

const anyLinkedChunk: fc.Arbitrary<StreamChunk> = fc
  .tuple(fc.oneof(...variants.map(chunkOf)), fc.record(ids))
  .map(([chunk, linked]) => {
    const fields = Object.entries(linked).filter(([name]) => Object.hasOwn(chunk, name));
    return { ...chunk, ...Object.fromEntries(fields) };
  });

/** Any chunks in any order: most of them no valid stream. At most one is terminal, and it is the last. */
const anySequence: fc.Arbitrary<StreamChunk[]> = fc.array(anyLinkedChunk, { maxLength: 40 }).map((chunks) => {
  const end = chunks.findIndex(({ type }) => type === "done" || type === "abort");
  return end === -1 ? chunks : chunks.slice(0, end + 1);
});

/** @returns the same sequences for the same seed. */
export const sampleSequences = (seed: number, numRuns: number): StreamChunk[][] =>
  fc.sample(anySequence, { seed, numRuns });
