/**
 * A source of chunks as the response of a streaming route. Does not read requests.
 */
import type { ChatTypes, ErrorChunk } from "@kortyx/protocol";
import { refuseWhileDraining } from "../shutdown/stream-registry.ts";
import { checkNames } from "./check-names.ts";
import { errorResponse } from "./error-response.ts";
import { type CustomHeaders, createEventStreamHead } from "./event-stream-headers.ts";
import { closeSource, type SourceChunk, type StreamSource } from "./source.ts";
import type { ContinuedStreamOptions, StreamOptions } from "./stream-options.ts";
import { isThrownOnPurpose } from "./thrown-response.ts";
import { createStreamBody, type StreamOpening } from "./web-body.ts";

/** Options of a streamed response: those of its stream, its headers and its status. */
export interface StreamResponseOptions<Types extends ChatTypes = ChatTypes> extends StreamOptions<Types> {
  /**
   * Headers to add to those of the stream or to replace, also as `res.getHeaders()` returns them; `null` removes a default.
   * Refusals and buffered answers do not have them.
   */
  headers?: CustomHeaders | undefined;
  /** The status of the response, which must allow a body. @defaultValue 200 */
  status?: number | undefined;
}

/** Every option; one that is missing here is a type error. */
const optionNames: Record<keyof StreamResponseOptions, true> = {
  signal: true,
  headers: true,
  status: true,
  heartbeatMs: true,
  maxDurationMs: true,
  stallTimeoutMs: true,
  sourceIdleTimeoutMs: true,
  onError: true,
  exposeErrors: true,
  onFinish: true,
  collectMessage: true,
};

/** @throws TypeError for an option of an unknown name. */
export const checkResponseNames = (functionName: string, options: StreamResponseOptions): void =>
  checkNames(functionName, options, optionNames);

/**
 * Turns an agent's output into the response of a route: an iterable or `ReadableStream` of chunks, a promise of one, or
 * a function that is called with a signal.
 *
 * The body holds one SSE event for each chunk and ends with `[DONE]`. A source that throws, rejects, or yields
 * something that is not a chunk ends the stream with one `error` chunk, which reveals only a correlation id unless
 * `onError` returns more. When the client leaves, the source's `return()` is called and the signal of a function source
 * is aborted, at once. Memory: at most two pieces of 64 chunks or 16,384 characters, whichever is less, plus one chunk.
 * While the process drains, the response is a 503 and the source is not opened.
 *
 * @throws TypeError or RangeError for a wrong or unknown option, and for headers or a status that a response with a
 * body cannot have; the source is then not opened.
 *
 * @example
 * ```ts
 * const { messages, sessionId } = await readChatRequest(request);
 * const response = toSSE(({ signal }) => agent.streamChat(messages, { sessionId, signal }));
 * response.headers.get("content-type"); // "text/event-stream"
 * ```
 */
export function toSSE<Types extends ChatTypes = ChatTypes>(
  source: StreamSource<Types>,
  options?: StreamResponseOptions<Types>,
): Response;
export function toSSE(source: StreamSource, options: StreamResponseOptions = {}): Response {
  const refusal = refuseWhileDraining(source);
  if (refusal !== undefined) return errorResponse(refusal);
  try {
    checkResponseNames("toSSE", options);
    return respond(source, options);
  } catch (error) {
    closeSource(source);
    throw error;
  }
}

/**
 * Like {@link toSSE}, for an existing `AsyncIterable`.
 *
 * An async generator that is waiting in an `await` cannot be interrupted from outside: if its work should stop when the
 * client leaves, give {@link toSSE} a function and pass the signal on.
 *
 * @example
 * ```ts
 * const response = createStreamResponse(stream, { heartbeatMs: 5000 });
 * ```
 */
export function createStreamResponse<Types extends ChatTypes = ChatTypes>(
  iterable: AsyncIterable<SourceChunk<Types>>,
  options?: StreamResponseOptions<Types>,
): Response {
  return toSSE(iterable, options);
}

/**
 * Waits until the stream has opened, with its first chunk or after 25 ms of silence, so that a source that fails at
 * once can still produce an error status.
 *
 * @returns The response, and the `error` chunk of a source that failed before it yielded anything.
 * @throws the value that the source throws on purpose before it has yielded anything.
 */
export async function openStreamResponse(
  source: StreamSource,
  options: StreamResponseOptions & ContinuedStreamOptions,
): Promise<{ response: Response; failure: ErrorChunk | undefined }> {
  // Draining may have begun while the request was being read.
  const refusal = refuseWhileDraining(source);
  if (refusal !== undefined) return { response: errorResponse(refusal), failure: undefined };
  let opening!: StreamOpening;
  const opened = new Promise<ErrorChunk | undefined>((resolve, reject) => {
    opening = {
      onOpen: resolve,
      onThrow(error) {
        if (!isThrownOnPurpose(error)) return false;
        reject(error);
        return true;
      },
    };
  });
  const response = respond(source, options, opening);
  return { response, failure: await opened };
}

function respond(
  source: StreamSource,
  options: StreamResponseOptions & ContinuedStreamOptions,
  opening?: StreamOpening,
): Response {
  const { status, headers, ...streamOptions } = options;
  // Throws before anything is opened.
  const head = createEventStreamHead({ status, headers });
  return new Response(createStreamBody(source, streamOptions, opening), head);
}
