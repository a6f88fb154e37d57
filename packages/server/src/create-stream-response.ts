/**
 * The response of a streaming route: headers, status, and the pump as its body. Does not read requests.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { type EncodeStreamOptions, encodeStream } from "./encode-stream.ts";
import type { StreamSource } from "./stream-source.ts";

export interface StreamResponseOptions extends EncodeStreamOptions {
  /** Headers to add or replace; `null` removes one of the defaults. */
  headers?: HeadersInit | Record<string, string | null | undefined> | undefined;
  /** @defaultValue 200 */
  status?: number | undefined;
}

/** `x-accel-buffering` makes nginx hand each event on at once. */
const defaultHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  connection: "keep-alive",
  "x-accel-buffering": "no",
};

/**
 * Turns whatever an agent gives into the response of a route: an iterable or `ReadableStream` of chunks, a promise of
 * one, or a function that is called with a signal.
 *
 * The body holds one SSE event for each chunk and ends with `[DONE]`. A source that throws, rejects, or yields
 * something that is not a chunk ends the stream with one `error` chunk, which tells the client nothing but a
 * correlation id unless `onError` says more. When the client leaves, the source's `return()` is called and the signal
 * of a function source is aborted, within 50 ms. Memory: at most two pieces of 64 chunks or 16 KiB, whichever is less.
 *
 * @example
 * ```ts
 * return toSSE(agent.streamChat(messages, { sessionId }));
 * return toSSE(({ signal }) => agent.streamChat(messages, { sessionId, signal }));
 * ```
 */
export function toSSE(source: StreamSource, options: StreamResponseOptions = {}): Response {
  const { status = 200, headers, ...streamOptions } = options;
  return new Response(encodeStream(source, streamOptions), { status, headers: mergeHeaders(headers) });
}

/**
 * The same for an `AsyncIterable` that is there already.
 *
 * An async generator that sits in an `await` cannot be interrupted from outside: where its work should stop when the
 * client leaves, give {@link toSSE} a function and hand the signal on.
 */
export function createStreamResponse(
  iterable: AsyncIterable<StreamChunk>,
  options?: StreamResponseOptions,
): Response {
  return toSSE(iterable, options);
}

function mergeHeaders(custom: StreamResponseOptions["headers"]): Headers {
  const headers = new Headers(defaultHeaders);
  const entries: Iterable<[string, string | null | undefined]> =
    custom !== undefined && Symbol.iterator in custom
      ? (custom as Iterable<[string, string]>)
      : Object.entries(custom ?? {});
  for (const [name, value] of entries) {
    if (value === null) headers.delete(name);
    else if (value !== undefined) headers.set(name, value);
  }
  return headers;
}
