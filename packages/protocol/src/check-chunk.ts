/**
 * Says whether any JavaScript value is a chunk: on the server for what a source yields, in `requestChat` for a
 * buffered answer. Stricter than the checker
 * alone about what JSON cannot write.
 */
import { createChunkChecker, describeNoChunk, isRecord, parsedTypes } from "./chunk-checker.ts";
import type { StreamChunk } from "./chunks.ts";

/** @internal For any value: less than what its `typeof` says, where JSON cannot write it all. */
export const strictTypes = {
  ...parsedTypes,
  JSON: (value: unknown) => !["undefined", "function", "symbol"].includes(typeof value),
  // An object as JSON makes them, and not a Date, a Map or an instance of a class: only an Object.prototype, of
  // whatever realm, has this method itself.
  "{}": (value: unknown) => {
    if (!isRecord(value)) return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
  },
};

/** Why a value is not a chunk that this version knows. */
export interface ChunkProblem {
  /** `unknown-type`: an object with a string `type` that this version does not know, to be handed on as it is. */
  code: "unknown-type" | "invalid-chunk";
  /** Names the type, the field, what was expected and what came. Never quotes a value. */
  message: string;
}

const problemOf = createChunkChecker(strictTypes);

/**
 * Says why a value is not a chunk; `undefined` when it is one.
 *
 * Costs some dozen nanoseconds for a chunk of texts, and more with what its objects and lists hold. Fields that the type does not have are left alone.
 * An undefined property counts as absent, as it does in JSON.
 *
 * @param position - The chunk's number in its stream, for the message.
 */
export function checkChunk(value: unknown, position?: number): ChunkProblem | undefined {
  // JSON knows no functions with fields, nor what a prototype has.
  if (!isRecord(value) || !Object.hasOwn(value, "type")) {
    return { code: "invalid-chunk", message: describeNoChunk(value, position) };
  }
  const problem = problemOf(value, position);
  if (problem === undefined) return undefined;
  if (problem !== null) return { code: "invalid-chunk", message: problem };
  const name = JSON.stringify((value.type as string).slice(0, 80));
  return { code: "unknown-type", message: `Chunk type ${name} is not known.` };
}

/** Whether a value is a chunk of a type that this version knows, with all its fields right. */
export function isStreamChunk(value: unknown): value is StreamChunk {
  return checkChunk(value) === undefined;
}
