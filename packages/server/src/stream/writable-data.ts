/**
 * The `data` of a `done` that JSON cannot write: a cycle, a BigInt, a `toJSON()` that throws. It is omitted, because
 * the answer before it is complete.
 */
import type { DoneChunk } from "@kortyx/protocol";
import { stringifyChunk } from "@kortyx/protocol";
import { type PrintedChunk, printChunk } from "@kortyx/protocol/internal";

/**
 * @returns the chunk itself, or a copy without `data` if it is a `done` that can only be written without it. The reason
 * is then logged.
 */
function withWritableData<Chunk>(chunk: Chunk): Chunk {
  const done = chunk as unknown as DoneChunk | null | undefined;
  if (typeof done !== "object" || done?.type !== "done" || !("data" in done)) return chunk;
  try {
    stringifyChunk(done);
    return chunk;
  } catch (problem) {
    try {
      const names = Object.keys(done).filter((name) => name !== "data") as (keyof DoneChunk)[];
      const copy = Object.fromEntries(names.map((name) => [name, done[name]])) as Chunk;
      stringifyChunk(copy);
      console.error("The data of a done chunk was left out, because it cannot be written as JSON:", problem);
      return copy;
    } catch {
      // Something else is wrong with it.
      return chunk;
    }
  }
}

/** Prints a value of a source, as `printChunk` does, but omits `data` that cannot be written. */
export function printSourceChunk(value: unknown, position: number): PrintedChunk {
  try {
    return printChunk(value, position);
  } catch (error) {
    const writable = withWritableData(value);
    if (writable === value) throw error;
    return printChunk(writable, position);
  }
}
