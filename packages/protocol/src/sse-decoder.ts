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
  /** Takes the next piece, whose events `next` gives one by one: `decode` for those who may want to stop in between. */
  push(bytes: Uint8Array): void;
  /**
   * @returns the next event of what was pushed; `undefined` when there is no whole one.
   * @throws StreamProtocolError `too-large`, from then on at every call.
   */
  next(): SSEEvent | undefined;
  /**
   * Tells the decoder that the stream is over. An event without its blank line is dropped, as the standard says, and so
   * is what `next` has not given yet.
   *
   * @throws StreamProtocolError `too-large` when that is what ended the stream and nothing has thrown it yet.
   */
  end(): void;
  /** The last event id that was dispatched, for the `Last-Event-ID` header. `""` when there was none. */
  readonly lastEventId: string;
  /** The last valid `retry:` time in milliseconds. */
  readonly retryMs: number | undefined;
}

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

  /** What is not read yet begins at `at`, behind a blank line. Line ends are LF. */
  let text = "";
  let at = 0;
  /** There may be a whole event in it. A text without one is not searched again, which keeps the work linear. */
  let mayHoldEvent = false;
  let endsLine = false;
  /** At least as many bytes as it and an unfinished character have; counted exactly only where it matters. */
  let textBytes = 0;
  /** Nothing came since the bytes were counted. */
  let isCounted = false;
  /** What came while the text was not read to its end. */
  let later = "";

  /** What the parser found in the event that it was given. */
  let found: SSEEvent | undefined;
  // An exception in one of these would leave the parser in the middle of a line.
  const parser = createParser({
    onEvent: ({ event: type = "message", data, id }) => {
      found = id === undefined ? { type, data, lastEventId } : { type, data, lastEventId, id };
    },
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

  function push(bytes: Uint8Array): void {
    if (failure !== undefined) throw failure;
    // Behind an ASCII character nothing is unfinished, and runtimes are faster where nothing can be.
    const isWhole = bytes[bytes.length - 1]! < 0x80;
    let piece = textDecoder.decode(bytes, isWhole ? undefined : streaming);
    textBytes += bytes.length;
    if (!hasStarted && piece !== "") {
      hasStarted = true;
      if (piece.charCodeAt(0) === BOM) piece = piece.slice(1);
    }
    if (afterCR && piece !== "") {
      afterCR = false;
      if (piece.startsWith("\n")) piece = piece.slice(1);
    }
    if (piece.includes("\r")) {
      afterCR = piece.endsWith("\r");
      piece = piece.replace(/\r\n?/g, "\n");
    }
    if (piece === "") return;
    isCounted = false;
    // What is no UTF-8 becomes a character of three bytes for each byte of it.
    if (piece.includes("\ufffd")) textBytes += 2 * (bytes.length + 1);
    if (mayHoldEvent) {
      later += piece;
    } else {
      mayHoldEvent = text === "" || (endsLine && piece.startsWith("\n")) || piece.includes("\n\n");
      text += piece;
    }
    endsLine = piece.endsWith("\n");
  }

  /**
   * Reads one event. Frames in our encoder's spelling are cut out here, all others are the parser's. The two agree
   * because the parser gets whole events alone, so that it never notices those that it does not get.
   */
  function next(): SSEEvent | undefined {
    if (failure !== undefined) throw failure;
    while (mayHoldEvent) {
      while (text.charCodeAt(at) === LF) at++;
      const lineEnd = text.indexOf("\n", at);
      // The blank line, or what is behind the one line that may come before the data of our frames.
      const isOneLine = lineEnd !== -1 && text.charCodeAt(lineEnd + 1) === LF;
      const end = isOneLine || lineEnd === -1 ? lineEnd : text.indexOf("\n\n", lineEnd);
      if (end === -1) {
        keepRest();
        continue;
      }
      if (textBytes > maxEventBytes && byteLength(text.slice(at, end + 1)) > maxEventBytes) fail();
      const start = at;
      const whole = text;
      const dataAt = isOneLine ? at : lineEnd + 1;
      at = end + 2;
      if (at === whole.length) keepRest();
      const isOurs =
        whole.startsWith("data: ", dataAt) &&
        (isOneLine || (whole.startsWith("id: ", start) && whole.indexOf("\n", dataAt) === end));
      const id = isOurs && !isOneLine ? whole.slice(start + 4, lineEnd) : undefined;
      if (!isOurs || id?.includes("\0")) {
        found = undefined;
        parser.feed(whole.slice(start, end + 2));
        if (found !== undefined) return found;
      } else {
        const data = whole.slice(dataAt + 6, end);
        if (id === undefined) return { type: "message", data, lastEventId };
        lastEventId = id;
        return { type: "message", data, lastEventId, id };
      }
    }
    if (textBytes > maxEventBytes && !isCounted) {
      isCounted = true;
      const exactly = byteLength(text);
      textBytes = exactly + maxUnfinishedBytes;
      if (exactly > maxEventBytes) fail();
    }
    return undefined;
  }

  /** What is left of the text is the text, with what has come since. */
  function keepRest(): void {
    text = text.slice(at) + later;
    mayHoldEvent = later !== "";
    later = "";
    // No character takes more than three bytes for each of its UTF-16 code units.
    if (at > 0) textBytes = 3 * text.length + maxUnfinishedBytes;
    at = 0;
  }

  function clear(): void {
    text = later = "";
    at = 0;
    mayHoldEvent = false;
  }

  function fail(): never {
    clear();
    failure = new StreamProtocolError(
      "too-large",
      `An event is larger than the limit of ${maxEventBytes} bytes (maxEventBytes).`,
    );
    throw failure;
  }

  return {
    decode(bytes) {
      push(bytes);
      const events: SSEEvent[] = [];
      try {
        for (let event = next(); event !== undefined; event = next()) events.push(event);
      } catch (error) {
        // The next call throws what ended the stream.
        if (error !== failure) throw error;
      }
      return events;
    },
    push,
    next,
    end() {
      if (failure !== undefined) throw failure;
      // The event itself is dropped, but its `retry:` counts.
      const rest = text + later;
      parser.feed(rest.slice(Math.max(at, rest.lastIndexOf("\n\n") + 1), rest.lastIndexOf("\n") + 1));
      clear();
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
