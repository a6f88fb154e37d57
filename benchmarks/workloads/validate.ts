/** What the checker adds to reading: our SSE decoder and `JSON.parse`, with it (`kortyx`) and without it (`kortyx/unchecked`). */
import { checkChunk, createSSEDecoder } from "../../packages/protocol/dist/index.js";
import { measurePasses } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { createBody, cutBytes, encodeAll } from "./bodies.ts";
import { textChunks } from "./chunks.ts";
import { createSource } from "./sources.ts";

const count = 2000;

export async function measure({ name, budgetMs, load }: Job): Promise<Measures> {
  const pieces = cutBytes(await encodeAll(await load(), createSource(textChunks(count), "sync")), 16384);
  const check = name.endsWith("/unchecked") ? () => undefined : checkChunk;

  const ns = await measurePasses(async () => {
    const decoder = createSSEDecoder();
    const reader = createBody(pieces).getReader();
    let chunks = 0;
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      for (const { data } of decoder.decode(read.value)) {
        if (data === "[DONE]") continue;
        if (check(JSON.parse(data)) !== undefined) throw new Error(`Not a chunk: ${data}`);
        chunks++;
      }
    }
    if (chunks !== count) throw new Error(`${chunks} chunks of ${count}.`);
    return chunks;
  }, budgetMs);
  return { ns };
}
