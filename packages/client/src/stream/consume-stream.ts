/**
 * Reads a stream to its end with callbacks, and reports how it ended. Does not open, retry or reconnect.
 */
import {
  type AbortChunk,
  type ChatTypes,
  type DoneChunk,
  type ErrorChunk,
  reduceStreamError,
  type StreamChunk,
} from "@kortyx/protocol";
import { checkFunctionOption, checkOption, createTextPieces } from "@kortyx/protocol/internal";
import { StreamRemoteError, toError } from "./errors.ts";

/** How a stream ended. */
export interface StreamOutcome {
  /**
   * `done` and `abort`: on such a chunk. `error`: on an `error` chunk, even if a `done` without `finishReason` follows.
   * `end`: in order, without a terminal chunk. `stopped`: `onChunk` returned `false`.
   */
  outcome: "done" | "abort" | "error" | "end" | "stopped";
  /** The chunk that decided it. */
  chunk?: DoneChunk | AbortChunk | ErrorChunk | undefined;
}

/** Callbacks of {@link consumeStream}. The next chunk waits for a promise that one of them returns. */
export interface ConsumeStreamHandlers<Types extends ChatTypes = ChatTypes> {
  /** Called with every chunk. The next one waits for a returned promise; `false` stops the stream. */
  onChunk?: ((chunk: StreamChunk<Types>) => unknown) | undefined;
  /**
   * Called with each piece of the answer's text: every `text-delta`, and a whole `message` unless it repeats the
   * streamed text. A piece that begins another text starts with a blank line, so that the concatenated pieces are the
   * copied text.
   */
  onText?: ((text: string) => unknown) | undefined;
  /** The stream was complete, and its outcome is not `error` or `stopped`. */
  onDone?: ((outcome: StreamOutcome) => unknown) | undefined;
  /**
   * Called at most once: with a {@link StreamRemoteError} when the stream ended on an `error` chunk, else with the
   * error of reading. Not called for the caller's own abort, or if a callback threw.
   *
   * @param chunk - The `error` chunk, if there is one.
   */
  onError?: ((error: Error, chunk?: ErrorChunk) => unknown) | undefined;
}

/**
 * Reads a stream to its end.
 *
 * @returns How it ended; an `error` chunk is an outcome, not a rejection.
 * @throws TypeError, as a rejection, for a stream that is not an async iterable and a handler that is not a function.
 * @throws The error of the stream, or of a callback; the stream is then cancelled.
 *
 * @example
 * ```ts
 * const { outcome } = await consumeStream(stream, { onText: (text) => render(text) });
 * outcome; // "done"
 * ```
 */
export function consumeStream<Types extends ChatTypes = ChatTypes>(
  stream: AsyncIterable<StreamChunk<Types>>,
  handlers?: ConsumeStreamHandlers<Types>,
): Promise<StreamOutcome>;
export async function consumeStream(
  stream: AsyncIterable<StreamChunk>,
  handlers: ConsumeStreamHandlers = {},
): Promise<StreamOutcome> {
  checkArguments(stream, handlers);
  const { onChunk, onText, onDone, onError } = handlers;
  let last: StreamChunk | undefined;
  let error: ErrorChunk | undefined;
  const toPiece = onText && createTextPieces();
  let isCalling = false;
  try {
    for await (last of stream) {
      isCalling = true;
      error = reduceStreamError(error, last);
      const piece = toPiece?.(last);
      if (piece) await onText?.(piece);
      if ((await onChunk?.(last)) === false) return { outcome: "stopped" };
      isCalling = false;
    }
  } catch (thrown) {
    if (!isCalling && !isAbort(stream, thrown)) await onError?.(toError(thrown));
    throw thrown;
  }
  if (error) {
    await onError?.(new StreamRemoteError(error), error);
    return { outcome: "error", chunk: error };
  }
  const outcome: StreamOutcome =
    last?.type === "done" || last?.type === "abort"
      ? { outcome: last.type, chunk: last }
      : { outcome: "end" };
  await onDone?.(outcome);
  return outcome;
}

function checkArguments(stream: AsyncIterable<StreamChunk>, handlers: ConsumeStreamHandlers): void {
  const isStream = typeof stream?.[Symbol.asyncIterator] === "function";
  checkOption("stream", isStream, "an async iterable of chunks, such as readStream(response)", stream);
  for (const name of ["onChunk", "onText", "onDone", "onError"] as const) {
    checkFunctionOption(name, handlers[name]);
  }
}

/**
 * Whether reading failed because the caller aborted: the stream threw the reason of its signal, which may be any value,
 * or an `AbortError`, as from iterables that do not expose their signal.
 */
function isAbort(stream: AsyncIterable<StreamChunk>, thrown: unknown): boolean {
  const { signal } = stream as { signal?: AbortSignal | undefined };
  if (signal?.aborted && Object.is(thrown, signal.reason)) return true;
  return (thrown as Error | null | undefined)?.name === "AbortError";
}
