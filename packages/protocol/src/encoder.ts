/**
 * Prints SSE frames: one call, one event. The only place that does.
 *
 * Source: HTML Standard, section 9.2.5 "Parsing an event stream".
 */
import { checkChunk } from "./check-chunk.ts";
import { printDelta } from "./delta-json.ts";
import { isEventIdText } from "./event-id.ts";
import type { StreamChunk, UnknownChunk } from "./stream-chunk.ts";
import { StreamProtocolError } from "./stream-error.ts";

/** Ends a stream that ended in order; always the last frame. */
export const DONE_FRAME = "data: [DONE]\n\n";

export interface EncodeChunkOptions {
  /** Printed as the `id:` line of the event: 1 to 128 visible ASCII characters. */
  id?: string | undefined;
}

/**
 * Prints one chunk as one SSE event, which decodes to `JSON.parse(JSON.stringify(chunk))`. Does not check that it is
 * one.
 *
 * JSON text holds no raw line break, so the event is always exactly one `data:` line. Properties that are undefined
 * are left out, as JSON does.
 *
 * @throws StreamProtocolError `unserializable-chunk` when the chunk is undefined, a function or a symbol, or holds a
 * BigInt or a cycle, or when its `toJSON()` gives nothing; `invalid-frame` when `id` is not 1 to 128 visible ASCII
 * characters. Nothing is printed then.
 *
 * @example
 * ```ts
 * encodeChunk({ type: "text-delta", delta: "Hi" }); // 'data: {"type":"text-delta","delta":"Hi"}\n\n'
 * ```
 */
export function encodeChunk(chunk: StreamChunk | UnknownChunk, options?: EncodeChunkOptions): string {
  return encodeChunkJson(stringify(chunk), options);
}

/**
 * Checks a value, and prints it as JSON text for {@link encodeChunkJson}: what a server does with each chunk of a
 * source. A chunk of a type that this version does not know passes.
 *
 * @throws StreamProtocolError `invalid-chunk` when the value is not a chunk, `unserializable-chunk` as
 * {@link encodeChunk} does.
 */
export function stringifyChunk(value: unknown): string {
  const json = printDelta(value);
  if (json !== undefined) return json;
  const problem = checkChunk(value);
  if (problem?.code === "invalid-chunk") throw new StreamProtocolError("invalid-chunk", problem.message);
  return stringify(value);
}

/**
 * Prints a chunk that is JSON text already, such as an entry of a run's log. Does not look into the text: it must be
 * what `JSON.stringify` gives, without a line break.
 *
 * @throws StreamProtocolError `invalid-frame` as {@link encodeChunk} does.
 */
export function encodeChunkJson(json: string, options?: EncodeChunkOptions): string {
  const id = options?.id;
  if (id === undefined) return `data: ${json}\n\n`;
  if (!isEventIdText(id)) {
    throw new StreamProtocolError(
      "invalid-frame",
      `Event id ${JSON.stringify(id)}: expected 1 to 128 visible ASCII characters.`,
    );
  }
  return `id: ${id}\ndata: ${json}\n\n`;
}

/**
 * Prints a comment, which readers ignore. Line breaks in `text` continue the comment on the next line, so that no
 * text can open a field.
 */
export function encodeComment(text: string): string {
  return `:${text.replace(/\r\n|\r|\n/g, "\n:")}\n\n`;
}

/**
 * Prints how long a client waits before it reconnects.
 *
 * @param ms - Milliseconds; a safe integer >= 0.
 * @throws StreamProtocolError `invalid-frame` for any other number.
 */
export function encodeRetry(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new StreamProtocolError(
      "invalid-frame",
      `Retry time ${ms}: expected a whole number of milliseconds >= 0.`,
    );
  }
  return `retry: ${ms}\n\n`;
}

function stringify(chunk: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(chunk);
  } catch (cause) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      `The chunk cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  if (json === undefined) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      typeof chunk === "object"
        ? "The chunk cannot be written as JSON: its toJSON() gives nothing."
        : `The chunk cannot be written as JSON: expected an object, got ${typeof chunk}.`,
    );
  }
  return json;
}
