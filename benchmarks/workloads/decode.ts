/** A body back into chunks: `decode <content> <size of a piece>`. */
import { measurePasses } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { implementation as kortyx } from "../implementations/kortyx.ts";
import { createBody, cutBytes, encodeAll } from "./bodies.ts";
import { contents, countOf } from "./chunks.ts";
import { createSource } from "./sources.ts";

export async function measure({ variant: [content, size], budgetMs, load }: Job): Promise<Measures> {
  const implementation = await load();
  const count = countOf(content!);
  const original = contents[content!]!(count);
  // Readers without an encoder of their own read our bytes.
  const encoder = implementation.encode === undefined ? kortyx : implementation;
  const bytes = await encodeAll(encoder, createSource(encoder.translate?.(original) ?? original, "sync"));
  const pieces = cutBytes(bytes, size === "frame" ? "frame" : Number(size));

  const text = original.reduce((all, chunk) => all + (chunk.type === "text-delta" ? chunk.delta : ""), "");
  let found = "";
  await implementation.decode!(createBody(pieces), (chunk) => {
    const { type, delta, textDelta } = chunk as Record<string, string>;
    if (/^(text-delta|TEXT_MESSAGE_CONTENT)$/.test(type!)) found += delta ?? textDelta;
  });
  if (found !== text) throw new Error(`Read ${found.length} characters of ${text.length}.`);

  const ns = await measurePasses(async () => {
    let chunks = 0;
    await implementation.decode!(createBody(pieces), () => chunks++);
    if (chunks < count) throw new Error(`${chunks} chunks of ${count}.`);
    return count;
  }, budgetMs);
  return { ns, pieces: pieces.length };
}
