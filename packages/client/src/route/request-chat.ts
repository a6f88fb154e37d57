/**
 * Requests one buffered answer from a chat route, instead of a stream. Makes one request.
 */
import {
  type BufferedStreamResult,
  type ChatTypes,
  type ErrorChunk,
  reduceStreamError,
  type StreamChunk,
  StreamProtocolError,
  StreamTruncatedError,
  type StructuredDataChunk,
  toChunk,
} from "@kortyx/protocol";
import { withSafeUrl } from "@kortyx/protocol/internal";
import { type ByteStream, createPieceEncoder } from "../stream/byte-stream.ts";
import { type ChatBodyOptions, toChatBody } from "./chat-body.ts";
import { checkResponse } from "./check-response.ts";
import { checkOptionsOf, checkRouteOptions, fetchRoute, type RouteOptions } from "./fetch-route.ts";

/** Options of {@link requestChat}: the body of the request, and how the route is reached. */
export interface RequestChatOptions<Types extends ChatTypes = ChatTypes>
  extends ChatBodyOptions<Types>,
    RouteOptions {
  /** Aborts the request; the promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Requests the whole answer at once from a chat route. Has no timeout: use `signal` to abort it.
 *
 * An answer that was stopped, or has reached a limit of time, resolves with what came: its last chunk is an `abort`.
 *
 * @throws StreamHttpError for a status other than 2xx; when the agent failed (500) after its first chunk, its `body` is the
 * partial result, or the start of its text if that exceeds 65,536 UTF-16 code units.
 * @throws StreamConnectionError when no response came, StreamRequestError when the request cannot be made,
 * StreamContentTypeError when the response is not JSON, StreamBodyError when it cannot be read, StreamTruncatedError when
 * the connection broke, StreamProtocolError when it is not a buffered result, the error of an option's function, or the
 * signal's reason.
 * @throws TypeError, as a rejection, for an option of the wrong type, or without options.
 *
 * @example
 * ```ts
 * const messages = [{ role: "user" as const, content: "Hello" }];
 * const { text } = await requestChat({ endpoint: "/api/chat", messages });
 * text; // "Hello"
 * ```
 */
export function requestChat<Types extends ChatTypes = ChatTypes>(
  options: RequestChatOptions<Types>,
): Promise<BufferedStreamResult<Types>>;
export async function requestChat(options: RequestChatOptions): Promise<BufferedStreamResult> {
  checkOptionsOf("requestChat", options);
  const { signal = new AbortController().signal } = options;
  checkRouteOptions(options);
  try {
    const response = await fetchRoute(options, {
      method: "POST",
      accept: "application/json",
      body: { ...toChatBody(options), stream: false },
      signal,
      timeoutMs: Number.POSITIVE_INFINITY,
    });
    return parseResult(await readText(await checkResponse(response, "application/json", signal)));
  } catch (error) {
    // A failure caused by the caller's abort becomes the caller's reason.
    signal.throwIfAborted();
    throw error;
  }
}

/** Reads a body from any `fetch`: not every response with a stream also has `text()`. */
async function readText(body: ByteStream | null): Promise<string> {
  if (!body) return "";
  const reader = body.getReader();
  const toBytes = createPieceEncoder();
  const utf8 = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new StreamTruncatedError("The connection broke", { cause });
    });
    if (done) return text + utf8.decode();
    text += utf8.decode(toBytes(value), { stream: true });
  }
}

function parseResult(text: string): BufferedStreamResult {
  let result: BufferedStreamResult;
  try {
    result = JSON.parse(text);
  } catch (cause) {
    throw new StreamProtocolError("invalid-json", "The response is not JSON.", { cause });
  }
  if (
    !Array.isArray(result?.chunks) ||
    !Array.isArray(result.structured) ||
    typeof result.text !== "string"
  ) {
    throw new StreamProtocolError(
      "invalid-chunk",
      "The response is not a buffered result: expected { chunks: [], text: string, structured: [] }.",
    );
  }
  const { error: toldError, ...rest } = result;
  const chunks = toChunks("chunks", result.chunks) as StreamChunk[];
  const structured = toChunks("structured", result.structured) as StructuredDataChunk[];
  // Not every server sets `error` itself.
  const error = chunks.reduce<Readonly<ErrorChunk> | undefined>(reduceStreamError, undefined) ?? toldError;
  return { ...rest, chunks, structured, ...(error && { error }) };
}

/** @param name - The field of the result that holds them. */
function toChunks(name: string, values: unknown[]): unknown[] {
  return values.map((value, index) => {
    try {
      return withSafeUrl(toChunk(value));
    } catch (error) {
      throw new StreamProtocolError("invalid-chunk", `${name}.${index}: ${(error as Error).message}`);
    }
  });
}
