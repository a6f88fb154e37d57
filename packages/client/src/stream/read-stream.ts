/**
 * Reads an existing response or body. Makes no requests.
 */
import type { ChatTypes, StreamChunk } from "@kortyx/protocol";
import { checkResponse } from "../route/check-response.ts";
import { isResponse, type StreamBody, toByteStream } from "./byte-stream.ts";
import { ChunkStream, type ChunkStreamOptions } from "./chunk-stream.ts";

/** Options of {@link readStream}. */
export interface ReadStreamOptions extends ChunkStreamOptions {}

/**
 * Reads the chunks of a stream.
 *
 * Nothing is read before the first `next()`, or beyond what the consumer requests. Leaving the loop cancels the body at
 * once. A stream can be iterated once. A URL that could run as a program is removed from a `source`, and is `""` in a `file`.
 *
 * @param body - A `Response`, whose status and content type are checked; a `ReadableStream` or another async iterable
 * of bytes or text; or `null`, which is truncated. A `Response` of a `fetch` that cannot stream is read whole.
 * @throws StreamTruncatedError when the body ends before the stream is complete, the connection breaks, or a run (events
 * with ids `<runId>.<seq>`) ends with `[DONE]` but without a `done`, an `abort` or an `error`.
 * @throws StreamIdleError when nothing arrives for longer than `idleTimeoutMs`, or the server's heartbeats, allow.
 * @throws StreamProtocolError when the data violates the contract; the chunks before that have been delivered.
 * @throws StreamHttpError, StreamContentTypeError when a `Response` is not a stream.
 * @throws StreamBodyError when the body was already read, or cannot be read.
 * @throws The signal's reason if the caller aborted.
 * @throws At the call, TypeError for an option of the wrong type, RangeError for a size or a time that is not a number, or
 * is negative.
 *
 * @example
 * ```ts
 * for await (const chunk of readStream(response)) {
 *   if (chunk.type === "text-delta") render(chunk.delta);
 * }
 * ```
 */
export function readStream<Types extends ChatTypes = ChatTypes>(
  body: StreamBody,
  options?: ReadStreamOptions,
): AsyncIterable<StreamChunk<Types>>;
export function readStream(body: StreamBody, options: ReadStreamOptions = {}): AsyncIterable<StreamChunk> {
  return new ChunkStream(async (signal, interruption) => {
    // There is no second body.
    if (interruption) throw interruption.error;
    return isResponse(body) ? checkResponse(body, "text/event-stream", signal) : toByteStream(body);
  }, options);
}
