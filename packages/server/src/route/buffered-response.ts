/**
 * The answer to `stream: false`, as one JSON value. Without a run, it is a stream of the route that is read here to its
 * end, so limits of time, a shutdown and `onFinish` are those of the stream.
 */
import {
  type BufferedStreamResult,
  createSSEDecoder,
  DONE_FRAME,
  type StreamChunk,
  StreamProtocolError,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { summarizeStreamChunks } from "../stream/collect-stream.ts";
import { retryAfterHeader } from "../stream/error-response.ts";
import { defaultMaxAnswerBytes } from "../stream/stream-options.ts";

/** The response that has a whole answer. */
export const bufferedResponse = (result: BufferedStreamResult): Response =>
  Response.json(result, {
    status: result.error === undefined ? 200 : 500,
    headers: { "cache-control": "no-store", ...retryAfterHeader(result.error?.retryAfterMs) },
  });

/**
 * Reads a stream of the route.
 *
 * @param stream - Its response; a refusal is returned unchanged.
 * @throws StreamProtocolError `too-large` beyond `maxBytes`, and the reason of `signal` when the client has left.
 */
export async function readIntoResponse(
  stream: Response,
  { maxBytes = defaultMaxAnswerBytes, signal }: { maxBytes?: number | undefined; signal: AbortSignal },
): Promise<Response> {
  if (!stream.ok || stream.body === null) return stream;
  const reader = stream.body.getReader();
  const decoder = createSSEDecoder({ maxEventBytes: Number.POSITIVE_INFINITY });
  const chunks: StreamChunk[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      // Cut off: the client has left.
      signal.throwIfAborted();
      throw new StreamTruncatedError();
    }
    bytes += value.length;
    // The end of the stream is not a part of the answer.
    if (bytes > maxBytes + DONE_FRAME.length) {
      const message = `The answer is larger than the limit of ${maxBytes} bytes (maxBufferedBytes).`;
      const error = new StreamProtocolError("too-large", message);
      reader.cancel(error).catch(() => {});
      throw error;
    }
    decoder.push(value);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.data === "[DONE]") return bufferedResponse({ chunks, ...summarizeStreamChunks(chunks) });
      chunks.push(JSON.parse(event.data));
    }
  }
}
