/**
 * Checks that a response has the requested status and media type. Reads no streams.
 */
import { describeValue, parseMediaType } from "@kortyx/protocol/internal";
import {
  type ByteReader,
  type ByteStream,
  bodyOf,
  createPieceEncoder,
  discard,
  isResponse,
} from "../stream/byte-stream.ts";
import { StreamBodyError, StreamContentTypeError, StreamHttpError } from "../stream/errors.ts";

/** The most that is kept of the body of an unexpected response, in UTF-16 code units. */
const maxErrorBodyLength = 64 * 1024;
/** The longest wait for that body. */
export const maxErrorBodyMs = 10_000;

/**
 * @param mediaType - The expected media type; undefined accepts any.
 * @param signal - Ends the reading of an error's body when aborted.
 * @returns The unread body; `null` if there is none.
 * @throws StreamHttpError, StreamContentTypeError for a response with another status or media type, whose body is then
 * read or cancelled. StreamBodyError for a response that was read before, or a value that is not a response.
 */
export async function checkResponse(
  response: Response,
  mediaType: string | undefined,
  signal: AbortSignal,
): Promise<ByteStream | null> {
  if (!isResponse(response))
    throw new StreamBodyError(`fetch resolved to ${describeValue(response)}, expected a Response`);
  if (!response.ok) throw new StreamHttpError(response, await readErrorBody(response, signal));
  const body = bodyOf(response);
  // Without a body, there is no type to check.
  if (!body || !mediaType || parseMediaType(response.headers.get("content-type")) === mediaType) return body;
  discard(body);
  throw new StreamContentTypeError(response, mediaType);
}

/**
 * Reads the start of a body, parsed if it is JSON. A body that fails midway, or cannot be read, is treated as complete.
 */
async function readErrorBody(response: Response, signal: AbortSignal): Promise<unknown> {
  let reader: ByteReader | undefined;
  const cancel = () => discard(reader);
  const timer = setTimeout(cancel, maxErrorBodyMs);
  signal.addEventListener("abort", cancel);
  const toBytes = createPieceEncoder();
  const utf8 = new TextDecoder();
  let text = "";
  try {
    reader = bodyOf(response)?.getReader();
    if (signal.aborted) cancel();
    while (reader && text.length < maxErrorBodyLength) {
      const { done, value } = await reader.read();
      if (done) break;
      text += utf8.decode(toBytes(value), { stream: true });
    }
  } catch {}
  clearTimeout(timer);
  signal.removeEventListener("abort", cancel);
  cancel();
  text = text.slice(0, maxErrorBodyLength);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
