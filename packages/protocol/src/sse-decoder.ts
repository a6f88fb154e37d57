/**
 * Bytes to SSE events. The grammar is eventsource-parser's; this file adds UTF-8, the limit on the size of an event,
 * and a short cut for the frames that our own encoder prints. Knows nothing of chunks.
 *
 * Source: HTML Standard, sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".
 */
import { createParser } from "eventsource-parser";
import { StreamProtocolError } from "./stream-error.ts";

/** 8 MiB. */
const defaultMaxEventBytes = 8 * 1024 * 1024;
/** What is not a character yet has one byte less than the longest one, at most. */
const maxUnfinishedBytes = 3;
const streaming = { stream: true };
const LF = 10;
const BOM = 0xfeff;

/** One event as the standard dispatches it. */
export interface SSEEvent {
  /** `"message"` unless the event has an `event:` line. */
  type: string;
  /** The `data:` lines, joined by LF. */
  data: string;
  /** The last event id in force: it persists over events without an `id:` line; `""` when there was none. */
  lastEventId: string;
  /** What the event's own `id:` line says; absent without one. */
  id?: string | undefined;
}

export interface SSEDecoderOptions {
  /**
   * The largest event, in bytes of UTF-8 from one blank line to the next, comments included, a line end counted once.
   * It bounds the memory that one event can take.
   *
   * @defaultValue 8 MiB
   */
  maxEventBytes?: number | undefined;
  /**
   * Called with the text of each comment line, without its colon and one leading space, when the blank line behind it
   * is there. Must not throw.
   */
  onComment?: ((text: string) => void) | undefined;
}

export interface SSEDecoder {
  /**
   * Decodes the next piece of the stream, however it was cut. Takes time linear in its length.
   *
   * An event that is larger than `maxEventBytes` ends the stream: this call returns the events before it, and every
   * later call throws.
   *
   * @throws StreamProtocolError `too-large`, on the call after the one that met it.
   */
  decode(bytes: Uint8Array): SSEEvent[];
  /**
   * Tells the decoder that the stream is over. An event without its blank line is dropped, as the standard says.
   *
   * @throws StreamProtocolError `too-large` when that is what ended the stream and `decode` has not thrown it yet.
   */
  end(): void;
  /** An event was too large: the next call throws. */
  readonly failed: boolean;
  /** The last event id that was dispatched, for the `Last-Event-ID` header. `""` when there was none. */
  readonly lastEventId: string;
  /** The last valid `retry:` time in milliseconds. */
  readonly retryMs: number | undefined;
}

/** The same, with each event handed on in a call: the way on which chunks are read has no object for an event. */
export interface SSEReader extends Omit<SSEDecoder, "decode"> {
  /** @throws as `decode` does. */
  read(bytes: Uint8Array): void;
}

/** Gets what an {@link SSEEvent} has. Must not throw. */
export type OnSSEEvent = (type: string, data: string, lastEventId: string, id: string | undefined) => void;

/**
 * Creates a decoder for one stream.
 *
 * @example
 * ```ts
 * const decoder = createSSEDecoder();
 * decoder.decode(new TextEncoder().encode("id: 7\ndata: hi\n\n"));
 * // [{ type: "message", data: "hi", lastEventId: "7", id: "7" }]
 * ```
 */
export function createSSEDecoder(options: SSEDecoderOptions = {}): SSEDecoder {
  let events: SSEEvent[] = [];
  const reader = createSSEReader(options, (type, data, lastEventId, id) => {
    events.push(id === undefined ? { type, data, lastEventId } : { type, data, lastEventId, id });
  });
  return {
    decode(bytes) {
      events = [];
      reader.read(bytes);
      return events;
    },
    end: reader.end,
    get failed() {
      return reader.failed;
    },
    get lastEventId() {
      return reader.lastEventId;
    },
    get retryMs() {
      return reader.retryMs;
    },
  };
}

/** @internal */
export function createSSEReader(options: SSEDecoderOptions, onEvent: OnSSEEvent): SSEReader {
  const { maxEventBytes = defaultMaxEventBytes, onComment } = options;
  // The byte order mark is left to this file, because runtimes differ in how they strip one that comes in pieces.
  const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

  let lastEventId = "";
  let retryMs: number | undefined;
  let failure: StreamProtocolError | undefined;
  /** The first character has been seen, so that a byte order mark is not one any more. */
  let hasStarted = false;
  /** The last character was CR: an LF now belongs to the same line end. */
  let afterCR = false;
  /** The event that is under way: what came since the last blank line. Line ends are LF. */
  let carry = "";
  let carryEndsLine = false;
  /** At least as many bytes as `carry` and an unfinished character have; counted exactly only where it matters. */
  let carryBytes = 0;

  // An exception in one of these would leave the parser in the middle of a line.
  const parser = createParser({
    onEvent: ({ event = "message", data, id }) => onEvent(event, data, lastEventId, id),
    onId: (id) => {
      lastEventId = id;
    },
    onRetry: (ms) => {
      if (Number.isSafeInteger(ms)) retryMs = ms;
    },
    onComment,
  });
  // The byte order mark is stripped below; a blank line takes the parser past its own search for one.
  parser.feed("\n");

  /**
   * Reads the events of a text that begins behind a blank line; what has no blank line yet is carried. Frames in our
   * encoder's spelling are cut out here, all others are the parser's. The two agree because the parser gets whole
   * events alone, so that it never notices those that it does not get.
   */
  function readEvents(text: string): void {
    let at = 0;
    for (;;) {
      while (text.charCodeAt(at) === LF) at++;
      const lineEnd = text.indexOf("\n", at);
      if (lineEnd === -1) break;
      // The blank line, or what is behind the one line that may come before the data of our frames.
      const isOneLine = text.charCodeAt(lineEnd + 1) === LF;
      const end = isOneLine ? lineEnd : text.indexOf("\n\n", lineEnd);
      if (end === -1) break;
      if (carryBytes > maxEventBytes && byteLength(text.slice(at, end + 1)) > maxEventBytes) {
        fail();
        return;
      }
      const dataAt = isOneLine ? at : lineEnd + 1;
      const isOurs =
        text.startsWith("data: ", dataAt) &&
        (isOneLine || (text.startsWith("id: ", at) && text.indexOf("\n", dataAt) === end));
      const id = isOurs && !isOneLine ? text.slice(at + 4, lineEnd) : undefined;
      if (!isOurs || id?.includes("\0")) {
        parser.feed(text.slice(at, end + 2));
      } else {
        if (id !== undefined) lastEventId = id;
        onEvent("message", text.slice(dataAt + 6, end), lastEventId, id);
      }
      at = end + 2;
    }
    carry = at === 0 ? text : text.slice(at);
    // No character takes more than three bytes for each of its UTF-16 code units.
    if (at > 0) carryBytes = 3 * carry.length + maxUnfinishedBytes;
    carryEndsLine = carry.endsWith("\n");
  }

  function fail(): void {
    carry = "";
    failure = new StreamProtocolError(
      "too-large",
      `An event is larger than the limit of ${maxEventBytes} bytes (maxEventBytes).`,
    );
  }

  return {
    read(bytes) {
      if (failure !== undefined) throw failure;
      // Behind an ASCII character nothing is unfinished, and runtimes are faster where nothing can be.
      const isWhole = bytes[bytes.length - 1]! < 0x80;
      let text = textDecoder.decode(bytes, isWhole ? undefined : streaming);
      carryBytes += bytes.length;
      if (text === "") return;
      if (!hasStarted && text.charCodeAt(0) === BOM) text = text.slice(1);
      hasStarted = true;
      if (afterCR && text.startsWith("\n")) text = text.slice(1);
      afterCR = false;
      if (text.includes("\r")) {
        afterCR = text.endsWith("\r");
        text = text.replace(/\r\n?/g, "\n");
      }

      // A text that is carried is searched only where it is new, which keeps the work linear.
      if (carry === "") {
        readEvents(text);
      } else if ((carryEndsLine && text.startsWith("\n")) || text.includes("\n\n")) {
        readEvents(carry + text);
      } else if (text !== "") {
        carry += text;
        carryEndsLine = text.endsWith("\n");
      }
      if (carryBytes > maxEventBytes) {
        const exactly = byteLength(carry);
        carryBytes = exactly + maxUnfinishedBytes;
        if (exactly > maxEventBytes) fail();
      }
    },
    end() {
      if (failure !== undefined) throw failure;
      // The event itself is dropped, but its `retry:` counts.
      parser.feed(carry.slice(0, carry.lastIndexOf("\n") + 1));
      carry = "";
    },
    get failed() {
      return failure !== undefined;
    },
    get lastEventId() {
      return lastEventId;
    },
    get retryMs() {
      return retryMs;
    },
  };
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;
