/**
 * What arrived in response to one request, and when: the bytes of a body become blocks of an event stream with times.
 * Sends nothing and judges nothing.
 */
import { createSSEDecoder } from "@kortyx/protocol";

/** One event or comment of a stream. Times are in milliseconds since the request was sent. */
export interface Block {
  /** When its first byte had arrived. */
  beganMs: number;
  /** When its last byte had arrived. */
  atMs: number;
  /** The text of a comment; absent for an event. */
  comment?: string | undefined;
  /** The data of an event, as far as it is short, or the `type` in it. Absent for a comment. */
  type?: string | undefined;
  /** The id of an event. */
  id?: string | undefined;
}

/** The response to one request. Times are in milliseconds since the request was sent. */
export interface Recording {
  /** "1.0", "1.1" or "2". */
  httpVersion: string;
  status: number;
  /** In lower case; several of one name are joined by commas. */
  headers: Record<string, string>;
  headersMs: number;
  blocks: Block[];
  /** The time of a `retry:` line, which a server sends when it gives up a connection in order. */
  retryMs?: number | undefined;
  /** The beginning of a body that is not an event stream. */
  text: string;
  /** When the body ended, broke off, or was left. */
  endMs: number;
  /** `left`: the doctor closed the connection, because the time was up or because it had seen enough. */
  end: "whole" | "broken" | "left";
  /** What Node reported about a broken body. */
  problem?: string | undefined;
}

/** How much of a body that is not an event stream is kept, in characters. */
const maxText = 300;

const lineFeed = 0x0a;

/** Adds the pieces of a body to a recording. */
export function createBlockReader(recording: Recording): (piece: Uint8Array, atMs: number) => void {
  const { blocks } = recording;
  const isEventStream = /^text\/event-stream/i.test(recording.headers["content-type"] ?? "");
  const utf8 = new TextDecoder();
  /** When the first byte of the current block arrived; blank lines belong to no block. */
  let beganMs: number | undefined;
  let now = 0;
  const add = (block: Partial<Block>) => {
    blocks.push({ beganMs: beganMs ?? now, atMs: now, ...block });
    beganMs = undefined;
  };
  const decoder = createSSEDecoder({ onComment: (comment) => add({ comment }) });
  return (piece, atMs) => {
    if (!isEventStream) {
      recording.text = (recording.text + utf8.decode(piece, { stream: true })).slice(0, maxText);
      return;
    }
    now = atMs;
    // Line by line, because the decoder reports comments before the events that were pushed with them.
    for (let start = 0; start < piece.length; ) {
      const feed = piece.indexOf(lineFeed, start);
      const end = feed < 0 ? piece.length : feed + 1;
      const line = piece.subarray(start, end);
      if (line.length > 2 || feed < 0) beganMs ??= atMs;
      decoder.push(line);
      const event = decoder.next();
      recording.retryMs = decoder.retryMs;
      if (event !== undefined) add({ type: readType(event.data), id: event.id });
      start = end;
    }
  };
}

/** The `type` of a chunk, or the data itself, such as `[DONE]`. */
function readType(data: string): string {
  try {
    const { type } = JSON.parse(data);
    if (typeof type === "string") return type;
  } catch {
    // `[DONE]`, or a wire without JSON.
  }
  return data.slice(0, maxText);
}
