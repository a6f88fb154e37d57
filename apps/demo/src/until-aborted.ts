/**
 * Lets an agent end with its signal, whatever it is doing then.
 */
import type { StreamChunk } from "@kortyx/server";

/** Hands on the chunks of an answer. Once the signal is aborted, nothing more comes of it: no chunk and no error. */
export async function* untilAborted(
  signal: AbortSignal | undefined,
  answer: AsyncIterable<StreamChunk>,
): AsyncGenerator<StreamChunk> {
  if (signal?.aborted) return;
  try {
    for await (const chunk of answer) {
      if (signal?.aborted) return;
      yield chunk;
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
