/** A source of chunks as the body of a response, read to its end: `encode <content> <arrival>`. */
import { measurePasses } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { drain } from "./bodies.ts";
import { contents, countOf } from "./chunks.ts";
import { createSource, wrap } from "./sources.ts";

export async function measure({ variant: [content, arrival], budgetMs, load }: Job): Promise<Measures> {
  const implementation = await load();
  const count = countOf(content!);
  const original = contents[content!]!(count);
  const chunks = implementation.translate?.(original) ?? original;
  if (arrival === "wrapped") {
    const { pieces } = await drain(implementation, wrap(createSource(chunks, "burst16"), 4));
    return { chunksPerPiece: count / pieces };
  }

  const { bytes } = await drain(implementation, createSource(chunks, arrival!));
  const content_ = original.reduce((sum, chunk) => sum + ("delta" in chunk ? chunk.delta.length : 0), 0);
  if (bytes < content_ + 8 * count) throw new Error(`Only ${bytes} bytes for ${count} chunks.`);
  let pieces = 0;
  const ns = await measurePasses(async () => {
    const drained = await drain(implementation, createSource(chunks, arrival!));
    if (drained.bytes < 0.9 * bytes) throw new Error(`${drained.bytes} bytes, not ${bytes}.`);
    pieces = drained.pieces;
    return count;
  }, budgetMs);
  return { ns, bytes: bytes / count, ...(pieces > 0 && { chunksPerPiece: count / pieces }) };
}
