/**
 * The cost that checking adds to reading, without streams: `validate <content>`. `kortyx` is the chunk decoder, which
 * checks everything; `kortyx/unchecked` is our SSE decoder with a bare `JSON.parse`.
 */
import { deepStrictEqual } from "node:assert";
import {
  createChunkDecoder,
  createSSEDecoder,
  type StreamChunk,
} from "../../packages/protocol/dist/index.js";
import { measurePasses } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { cutBytes, encodeAll } from "./bodies.ts";
import { contents, countOf } from "./chunks.ts";
import { createSource } from "./sources.ts";

/** @returns the number of chunks read. */
type Read = (pieces: Uint8Array[], onChunk: (chunk: unknown) => void) => number;

const checked: Read = (pieces, onChunk) => {
  const decoder = createChunkDecoder();
  let count = 0;
  for (const piece of pieces) {
    decoder.push(piece);
    for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) {
      onChunk(chunk);
      count++;
    }
  }
  if (!decoder.complete) throw new Error("The stream is not complete.");
  return count;
};

const unchecked: Read = (pieces, onChunk) => {
  const decoder = createSSEDecoder();
  let count = 0;
  for (const piece of pieces) {
    decoder.push(piece);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.data === "[DONE]") continue;
      onChunk(JSON.parse(event.data));
      count++;
    }
  }
  decoder.end();
  return count;
};

export async function measure({ variant: [content], name, budgetMs, load }: Job): Promise<Measures> {
  const original: StreamChunk[] = contents[content!]!(countOf(content!));
  const pieces = cutBytes(await encodeAll(await load(), createSource(original, "sync")), 16384);
  const read = name.endsWith("/unchecked") ? unchecked : checked;
  const found: unknown[] = [];
  read(pieces, (chunk) => found.push(chunk));
  deepStrictEqual(found, original);

  const ns = await measurePasses(async () => {
    const count = read(pieces, () => {});
    if (count !== original.length) throw new Error(`${count} chunks of ${original.length}.`);
    return count;
  }, budgetMs);
  return { ns };
}
