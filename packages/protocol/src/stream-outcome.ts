/**
 * Decides when an `error` chunk is the outcome of a stream and when it was a warning: one rule for readers and writers.
 */
import { chunkTypeOf } from "./chunk-shape.ts";
import type { ErrorChunk, StreamChunk, UnknownChunk } from "./chunks.ts";

/**
 * Folds the chunks of a stream into the error that is its outcome if the stream ends now.
 *
 * An `error` is the outcome when the stream ends after it, or when a `done` without a `finishReason` follows: agents
 * that fail often end with both. Chunks that only close or describe something (every `-end`, `interrupt-resolved`,
 * `status`, `trace`, `checkpoint`, `metadata`, `part-metadata`) may come between the two, and so may chunks of unknown
 * types, which readers skip. Anything else makes the error a warning.
 *
 * @param error - The result of this function for the previous chunk; undefined at the beginning.
 *
 * @example
 * ```ts
 * const failure = { type: "error", message: "The search failed." } as const;
 * const chunks = [failure, { type: "text-delta", delta: "I know this one." }, { type: "done" }] as const;
 * let error: Readonly<ErrorChunk> | undefined;
 * for (const chunk of chunks) error = reduceStreamError(error, chunk);
 * // The answer continued, so the error was a warning.
 * error; // undefined
 * ```
 */
export function reduceStreamError(
  error: Readonly<ErrorChunk> | undefined,
  chunk: StreamChunk | UnknownChunk,
): Readonly<ErrorChunk> | undefined {
  const { type } = chunk;
  if (type === "error") return chunk as ErrorChunk;
  const isPassed =
    type === "done"
      ? // Null if the chunk was never repaired, as in an application's own transport.
        (chunk.finishReason ?? undefined) === undefined
      : passed.test(type) || chunkTypeOf(type) === undefined;
  return isPassed ? error : undefined;
}

const passed = /-end$|^(interrupt-resolved|status|trace|checkpoint|(part-)?metadata)$/;
