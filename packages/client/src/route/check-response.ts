/**
 * Tells the answer that was asked for from every other answer of a route. Reads no stream.
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

/** The most that is kept of the body of a response that is not what was asked for, in UTF-16 code units. */
const maxErrorBodyLength = 64 * 1024;
/** The longest that is waited for it. */
export const maxErrorBodyMs = 10_000;

/**
 * @param mediaType - What the answer is to be; undefined for anything.
 * @param signal - When it is aborted, the reading of an error's body ends.
 * @returns The body, unread; `null` where there is none.
 * @throws StreamHttpError, StreamContentTypeError for a response of another status or media type; its body has been
 * read or cancelled then. StreamBodyError for one that was read before, and for what is not a response.
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
  // Without a body there is no type to check.
  if (!body || !mediaType || parseMediaType(response.headers.get("content-type")) === mediaType) return body;
  discard(body);
  throw new StreamContentTypeError(response, mediaType);
}

/** Reads the start of a body, as JSON if it is; what breaks off, or cannot be read, is as good as its end. */
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
