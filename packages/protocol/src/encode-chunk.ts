/**
 * Prints SSE frames: one call, one event. The only place that does.
 *
 * Source: HTML Standard, section 9.2.5 "Parsing an event stream".
 */

import type { StreamChunk, UnknownChunk } from "./chunks.ts";
import { StreamProtocolError } from "./errors.ts";
import { isVisibleAscii, visibleAsciiRule } from "./id-rules.ts";
import { printJSON, printPlainChunk } from "./print-chunk.ts";
import { toChunk } from "./to-chunk.ts";

/** Ends a stream that ended in order; always the last frame. */
export const DONE_FRAME = "data: [DONE]\n\n";

/** Options of {@link encodeChunk}. */
export interface EncodeChunkOptions {
  /** Printed as the `id:` line of the event: 1 to 128 visible ASCII characters. */
  id?: string | undefined;
}

/** Every character at which `str.splitlines()` ends a line; the first three end a line of SSE too. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it searches for control characters.
const anyLineBreak = /\r\n|[\n\r\v\f\x1c-\x1e\u0085\u2028\u2029]/g;

/**
 * Prints one chunk as one SSE event, which decodes to `JSON.parse(JSON.stringify(chunk))`. Does not check that the value
 * is a chunk.
 *
 * The text holds no raw line break of any kind (U+0085, U+2028 and U+2029 are escaped), so the event is always exactly
 * one `data:` line. Properties that are undefined are left out, as JSON does.
 *
 * @throws StreamProtocolError `unserializable-chunk` when the chunk is undefined, a function or a symbol, or holds a
 * BigInt or a cycle, or when its `toJSON()` returns nothing; `invalid-frame` when `id` is not 1 to 128 visible ASCII
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

/** A chunk as it is sent. */
export interface PrintedChunk {
  chunk: StreamChunk | UnknownChunk;
  /** For {@link encodeChunkJson}. */
  json: string;
}

/**
 * Turns a value into a chunk, as {@link toChunk} does, and prints it as JSON text. For each chunk of a source. U+0085,
 * U+2028 and U+2029 are escaped.
 *
 * @param position - The chunk's number in its stream, for the messages of errors.
 * @throws StreamProtocolError `invalid-chunk` as {@link toChunk} does, `unserializable-chunk` as {@link encodeChunk} does.
 */
export function printChunk(value: unknown, position?: number): PrintedChunk {
  const json = printPlainChunk(value);
  if (json !== undefined) return { chunk: value as StreamChunk, json };
  const chunk = toChunk(value, position);
  return { chunk, json: stringify(chunk, position) };
}

/**
 * Prints a chunk as JSON text, as it is in an event and in the log of a run: U+0085, U+2028 and U+2029 are escaped.
 *
 * @throws StreamProtocolError `invalid-chunk` for what is not a chunk, `unserializable-chunk` for what JSON cannot hold.
 *
 * @example
 * ```ts
 * stringifyChunk({ type: "done" }); // '{"type":"done"}'
 * ```
 */
export function stringifyChunk(value: unknown): string {
  return printChunk(value).json;
}

/**
 * Prints a chunk that is already JSON text, such as an entry of a run's log. Does not inspect the text, which must come
 * from {@link stringifyChunk} and contain no line break.
 *
 * @throws StreamProtocolError `invalid-frame` as {@link encodeChunk} does.
 */
export function encodeChunkJson(json: string, options?: EncodeChunkOptions): string {
  const id = options?.id;
  if (id === undefined) return `data: ${json}\n\n`;
  if (!isVisibleAscii(id)) {
    throw new StreamProtocolError(
      "invalid-frame",
      `Event id ${JSON.stringify(id)}: expected ${visibleAsciiRule}.`,
    );
  }
  return `id: ${id}\ndata: ${json}\n\n`;
}

/**
 * Adds a chunk to a piece: events of {@link stringifyChunk} texts, without the blank line that ends the last of them. A
 * loop that collects frames by their own blank lines concatenates one string more per chunk.
 */
export const appendToPiece = (piece: string, json: string): string =>
  piece === "" ? `data: ${json}` : `${piece}\n\ndata: ${json}`;

/** @returns the frames of a piece of {@link appendToPiece}. */
export const endPiece = (piece: string): string => (piece === "" ? "" : `${piece}\n\n`);

/**
 * Prints a comment, which readers ignore. Line breaks in `text`, those of Unicode included, continue the comment on the
 * next line, so that no text can open a field.
 *
 * @example
 * ```ts
 * encodeComment("keep-alive"); // ":keep-alive\n\n"
 * ```
 */
export function encodeComment(text: string): string {
  return `:${text.replace(anyLineBreak, "\n:")}\n\n`;
}

/**
 * Prints how long a client waits before it reconnects.
 *
 * @param ms - Milliseconds; a safe integer >= 0.
 * @throws StreamProtocolError `invalid-frame` for any other number.
 *
 * @example
 * ```ts
 * encodeRetry(3000); // "retry: 3000\n\n"
 * ```
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

function stringify(chunk: unknown, position?: number): string {
  const subject = position === undefined ? "The chunk" : `Chunk ${position}`;
  let json: string | undefined;
  try {
    json = printJSON(chunk);
  } catch (cause) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      `${subject} cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  if (json === undefined) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      typeof chunk === "object"
        ? `${subject} cannot be written as JSON: its toJSON() returned nothing.`
        : `${subject} cannot be written as JSON: expected an object, got ${typeof chunk}.`,
    );
  }
  return json;
}
