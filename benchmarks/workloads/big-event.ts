/**
 * One event of 8 MiB, and one of half that size, in pieces of 1 KiB: a linear reader takes twice as long for the larger
 * one.
 */
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import { cpuNanoseconds } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { implementation as kortyx } from "../implementations/kortyx.ts";
import { createBody, cutBytes, encodeAll } from "./bodies.ts";
import { createSource } from "./sources.ts";

const MiB = 1024 * 1024;
/** The bytes around the text, so that the whole event stays below our default limit of 8 MiB. */
const envelope = 1024;

export async function measure({ budgetMs, load }: Job): Promise<Measures> {
  const implementation = await load();
  const encoder = implementation.encode === undefined ? kortyx : implementation;

  /** Reads it repeatedly, but only once if that takes long. @returns milliseconds */
  async function read(size: number): Promise<number> {
    const original: StreamChunk[] = [{ type: "text-delta", delta: "x".repeat(size - envelope) }];
    const bytes = await encodeAll(encoder, createSource(encoder.translate?.(original) ?? original, "sync"));
    const pieces = cutBytes(bytes, 1024);
    let times = 0;
    const startedAt = performance.now();
    const before = cpuNanoseconds();
    while (times === 0 || performance.now() - startedAt < budgetMs) {
      let longest = 0;
      await implementation.decode!(createBody(pieces), (chunk) => {
        const { delta, textDelta } = chunk as Record<string, string>;
        longest = Math.max(longest, (delta ?? textDelta)?.length ?? 0);
      });
      if (longest !== size - envelope) throw new Error(`Read ${longest} characters of ${size - envelope}.`);
      times++;
    }
    return (cpuNanoseconds() - before) / 1e6 / times;
  }

  await read(MiB / 4);
  const halfMs = await read(4 * MiB);
  const ms = await read(8 * MiB);
  return { ms, growth: ms / halfMs };
}
