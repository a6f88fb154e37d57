/**
 * Tells an event stream from every other answer of a route. Reads no stream.
 */
import { StreamContentTypeError, StreamHttpError } from "./stream-errors.ts";

/** The most that is read of the body of a response that is not what was asked for. */
const maxErrorBodyBytes = 64 * 1024;
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
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!response.ok) throw new StreamHttpError(response, await readErrorBody(response, signal));
  // Nothing can be of any type.
  if (bodyOf(response) === null || mediaType === undefined) return;
  const received = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (received === mediaType) return;
  discardBody(response.body);
  throw new StreamContentTypeError(response, mediaType);
}

/** Chromium gives an empty stream as the body of a 204, where the Fetch Standard has `null`. */
export const bodyOf = (response: Response): ReadableStream<Uint8Array> | null =>
  response.status === 204 ? null : response.body;

/** Releases the connection of a body that nobody will read. */
export function discardBody(body: ReadableStream<Uint8Array> | null | undefined): void {
  body?.cancel().catch(() => {});
}

async function readErrorBody(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
  const text = await readStart(response.body, signal);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads the start of a body; what breaks off is as good as its end. */
async function readStart(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal | undefined,
): Promise<string> {
  const reader = body?.getReader();
  const cancel = () => void reader?.cancel().catch(() => {});
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel);
  const timer = setTimeout(cancel, maxErrorBodyMs);
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    while (reader !== undefined && bytes < maxErrorBodyBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, maxErrorBodyBytes - bytes), { stream: true });
      bytes += value.length;
    }
  } catch {}
  clearTimeout(timer);
  signal?.removeEventListener("abort", cancel);
  cancel();
  return text;
}
