/**
 * Reads a stream to its end with callbacks, and says how it ended. Does not open, retry or reconnect.
 */
import type { AbortChunk, DoneChunk, ErrorChunk, StreamChunk } from "@kortyx/protocol";
import { wasAborted } from "./chunk-stream.ts";
import { StreamRemoteError } from "./stream-errors.ts";

/** How a stream ended. */
export interface StreamOutcome {
  /**
   * `done` and `abort`: on such a chunk. `error`: the last chunk was an `error`. `end`: in order, without a terminal
   * chunk. `stopped`: `onChunk` returned `false`.
   */
  outcome: "done" | "abort" | "error" | "end" | "stopped";
  /** The chunk that decided it. */
  chunk?: DoneChunk | AbortChunk | ErrorChunk | undefined;
}

export interface ConsumeStreamHandlers {
  /** Gets every chunk. The next one waits for a promise that it returns; `false` stops the stream. */
  onChunk?: ((chunk: StreamChunk) => unknown) | undefined;
  /** Gets each piece of text: every `text-delta`, and a whole `message` when nothing has been streamed. */
  onText?: ((text: string) => unknown) | undefined;
  /** The stream was complete, and its outcome is not `error` or `stopped`. */
  onDone?: ((outcome: StreamOutcome) => unknown) | undefined;
  /**
   * Called at most once: with a {@link StreamRemoteError} when the stream ended on an `error` chunk, else with what
   * reading threw. Not for the caller's own abort, nor for what a callback threw.
   */
  onError?: ((error: Error) => unknown) | undefined;
}

/**
 * Reads a stream to its end.
 *
 * @returns How it ended; an `error` chunk is an outcome, not a rejection.
 * @throws What reading the stream threw, or what a callback threw; the stream is left then.
 *
 * @example
 * ```ts
 * const { outcome } = await consumeStream(stream, { onText: (text) => write(text) });
 * ```
 */
export async function consumeStream(
  stream: AsyncIterable<StreamChunk>,
  handlers: ConsumeStreamHandlers = {},
): Promise<StreamOutcome> {
  const { onChunk, onText, onDone, onError } = handlers;
  const iterator = stream[Symbol.asyncIterator]();
  let last: StreamChunk | undefined;
  let hasDelta = false;

  for (;;) {
    let result: IteratorResult<StreamChunk>;
    try {
      result = await iterator.next();
    } catch (error) {
      if (!wasAborted(stream))
        await onError?.(error instanceof Error ? error : new Error(String(error), { cause: error }));
      throw error;
    }
    if (result.done) break;
    last = result.value;
    try {
      if (last.type === "text-delta") {
        hasDelta = true;
        if (onText !== undefined) await onText(last.delta);
      } else if (last.type === "message" && !hasDelta && onText !== undefined) {
        await onText(last.content);
      }
      if (onChunk !== undefined && (await onChunk(last)) === false) {
        await iterator.return?.();
        return { outcome: "stopped" };
      }
    } catch (error) {
      await iterator.return?.();
      throw error;
    }
  }

  switch (last?.type) {
    case "error":
      await onError?.(new StreamRemoteError(last));
      return { outcome: "error", chunk: last };
    case "done":
    case "abort": {
      const outcome: StreamOutcome = { outcome: last.type, chunk: last };
      await onDone?.(outcome);
      return outcome;
    }
    default: {
      const outcome: StreamOutcome = { outcome: "end" };
      await onDone?.(outcome);
      return outcome;
    }
  }
}
