/**
 * Reads a stream that is there. Makes no requests.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { bodyOf, checkResponse } from "./check-response.ts";
import { type ChunkStreamOptions, createChunkStream } from "./chunk-stream.ts";

export interface ReadStreamOptions extends ChunkStreamOptions {}

/** A body of bytes, or what `fetch` resolved to. */
export type StreamBody = ReadableStream<Uint8Array> | Response | null;

/**
 * Reads the chunks of a stream.
 *
 * Nothing is read before the first `next()`, and no more than the consumer asks for. Leaving the loop cancels the body
 * at once. A stream can be iterated once.
 *
 * @param body - A body, a `Response` (whose status and content type are checked), or `null`, which is truncated.
 * @throws StreamTruncatedError when the body ends before the stream is complete, or the connection breaks.
 * @throws StreamIdleError when nothing has come for longer than the server's heartbeats allow.
 * @throws StreamProtocolError when what arrives breaks the contract; the chunks before it have been delivered.
 * @throws StreamHttpError, StreamContentTypeError when a `Response` is not a stream.
 * @throws The signal's reason when the caller aborted.
 * @throws RangeError, at the call, for a time that is not a number of milliseconds.
 *
 * @example
 * ```ts
 * for await (const chunk of readStream(response.body)) {
 *   if (chunk.type === "text-delta") write(chunk.delta);
 * }
 * ```
 */
export function readStream(body: StreamBody, options: ReadStreamOptions = {}): AsyncIterable<StreamChunk> {
  return createChunkStream(async (signal, interruption) => {
    // There is no second body.
    if (interruption) throw interruption.error;
    // By shape, not by class: some server adapters replace the global `Response`, but not what `fetch` resolves to.
    const response = (body as Response | null)?.headers && (body as Response);
    if (!response) return (body as ReadableStream<Uint8Array> | null) ?? null;
    await checkResponse(response, "text/event-stream", signal);
    return bodyOf(response);
  }, options);
}
