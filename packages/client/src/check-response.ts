/**
 * Tells the answer that was asked for from every other answer of a route. Reads no stream.
 */
import { parseMediaType } from "@kortyx/protocol";
import { StreamContentTypeError, StreamHttpError } from "./stream-errors.ts";

/** The most that is kept of the body of a response that is not what was asked for, in UTF-16 code units. */
const maxErrorBodyLength = 64 * 1024;
/** The longest that is waited for it. */
const maxErrorBodyMs = 10_000;

/**
 * @param mediaType - What the answer is to be; undefined for anything.
 * @param signal - When it is aborted, the reading of an error's body ends.
 * @throws StreamHttpError, StreamContentTypeError for a response of another status or media type; its body has been
 * read or cancelled then.
 */
export async function checkResponse(
  response: Response,
  mediaType: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!response.ok) throw new StreamHttpError(response, await readErrorBody(response, signal));
  // Without a body there is no type to check.
  if (!bodyOf(response) || !mediaType) return;
  if (parseMediaType(response.headers.get("content-type")) === mediaType) return;
  discard(response.body);
  throw new StreamContentTypeError(response, mediaType);
}

/** Chromium gives an empty stream as the body of a 204, where the Fetch Standard has `null`. */
export const bodyOf = (response: Response): ReadableStream<Uint8Array> | null =>
  response.status === 204 ? null : response.body;

/** Releases the connection of a body that nobody will read, or read on; whether that works is nobody's concern. */
export function discard(
  body: ReadableStream<Uint8Array> | ReadableStreamDefaultReader<Uint8Array> | null | undefined,
  reason?: unknown,
): void {
  body?.cancel(reason).catch(() => {});
}

/** Reads the start of a body, as JSON if it is; what breaks off is as good as its end. */
async function readErrorBody({ body }: Response, signal: AbortSignal): Promise<unknown> {
  const reader = body?.getReader();
  const cancel = () => discard(reader);
  const timer = setTimeout(cancel, maxErrorBodyMs);
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  const utf8 = new TextDecoder();
  let text = "";
  try {
    while (reader && text.length < maxErrorBodyLength) {
      const { done, value } = await reader.read();
      if (done) break;
      text += utf8.decode(value, { stream: true });
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
