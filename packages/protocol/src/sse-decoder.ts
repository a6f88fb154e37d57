/**
 * Bytes to SSE events. The grammar is eventsource-parser's; this file adds UTF-8, the limit on the size of an event,
 * and a short cut for the frames that our own encoder prints. Knows nothing of chunks.
 *
 * Source: HTML Standard, sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".
 */
import { createParser } from "eventsource-parser";
import { createEventSizer } from "./event-size.ts";
import { StreamProtocolError } from "./stream-error.ts";

/** 8 MiB. */
const defaultMaxEventBytes = 8 * 1024 * 1024;
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
   * The largest event, in bytes from one blank line to the next, comments and line ends included. It bounds the memory
   * that one event can take.
   *
   * @defaultValue 8 MiB
   */
  maxEventBytes?: number | undefined;
  /** Called with the text of each comment line, without its colon and one leading space. Must not throw. */
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
 * // [{ type: "message", data: "hi", lastEventId: "7" }]
 * ```
 */
export function createSSEDecoder(options: SSEDecoderOptions = {}): SSEDecoder {
  const { maxEventBytes = defaultMaxEventBytes, onComment } = options;
  const textDecoder = createTextDecoder();
  const sizer = createEventSizer(maxEventBytes);

  let events: SSEEvent[] = [];
  let lastEventId = "";
  let retryMs: number | undefined;
  let failure: StreamProtocolError | undefined;
  /** The first character has been seen, so that a byte order mark is not one any more. */
  let started = false;
  /** The start of a frame in our encoder's spelling, kept back until the rest is there. */
  let carry = "";
  /** The parser has seen a part of an event: it gets everything until that event's blank line. */
  let parserIsBusy = false;

  // These only queue: an exception here would leave the parser in the middle of a line.
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      const type = event ?? "message";
      events.push(id === undefined ? { type, data, lastEventId } : { type, data, lastEventId, id });
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

  /**
   * Reads text without CR. Whole frames in our encoder's spelling are cut out here; everything else is the parser's.
   * The two agree because a blank line resets the parser, so it never notices the frames that it does not get.
   */
  function readFrames(text: string): void {
    let at = 0;
    while (at < text.length) {
      if (!parserIsBusy) {
        const lineEnd = text.indexOf("\n", at);
        if (lineEnd !== -1) {
          if (text.startsWith("data: ", at) && text.charCodeAt(lineEnd + 1) === LF) {
            events.push({ type: "message", data: text.slice(at + 6, lineEnd), lastEventId });
            at = lineEnd + 2;
            continue;
          }
          if (text.startsWith("id: ", at) && text.startsWith("data: ", lineEnd + 1)) {
            const id = text.slice(at + 4, lineEnd);
            const dataEnd = text.indexOf("\n", lineEnd + 7);
            if (dataEnd !== -1 && text.charCodeAt(dataEnd + 1) === LF && !id.includes("\0")) {
              lastEventId = id;
              events.push({ type: "message", data: text.slice(lineEnd + 7, dataEnd), lastEventId, id });
              at = dataEnd + 2;
              continue;
            }
          }
        }
      }
      const blankLine = text.indexOf("\n\n", at);
      if (blankLine !== -1) {
        parser.feed(text.slice(at, blankLine + 2));
        parserIsBusy = false;
        at = blankLine + 2;
        continue;
      }
      const rest = text.slice(at);
      if (!parserIsBusy && mayBecomeOurFrame(rest)) {
        carry = rest;
      } else {
        parser.feed(rest);
        parserIsBusy = true;
      }
      return;
    }
  }

  return {
    decode(bytes) {
      if (failure !== undefined) throw failure;
      if (bytes.length === 0) return [];
      let text = textDecoder.decode(bytes, { stream: true });
      const hasCR = text.includes("\r");
      const hasLineEnd = hasCR || text.includes("\n");
      const cut = sizer.count(bytes, hasLineEnd);
      if (cut !== -1) {
        failure = new StreamProtocolError(
          "too-large",
          `An event is larger than the limit of ${maxEventBytes} bytes (maxEventBytes).`,
        );
        // The events before it count. They end with a line end, which leaves no half character behind, so that the
        // rest of the piece decodes by itself.
        const rest = cut === 0 ? text : createTextDecoder().decode(bytes.subarray(cut), { stream: true });
        text = text.slice(0, text.length - rest.length);
      }
      if (!started && text !== "") {
        started = true;
        if (text.charCodeAt(0) === BOM) text = text.slice(1);
      }

      events = [];
      if (carry !== "" && !hasLineEnd) {
        carry += text;
      } else {
        if (carry !== "") {
          text = carry + text;
          carry = "";
        }
        if (hasCR || (parserIsBusy && !hasLineEnd)) {
          parser.feed(text);
          parserIsBusy = true;
        } else {
          readFrames(text);
        }
        if (sizer.atBoundary) parserIsBusy = false;
      }
      return events;
    },
    end() {
      if (failure !== undefined) throw failure;
    },
    get lastEventId() {
      return lastEventId;
    },
    get retryMs() {
      return retryMs;
    },
  };
}

/** Leaves the byte order mark to this file, because runtimes differ in how they strip one that comes in pieces. */
const createTextDecoder = () => new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Whether text without a blank line may still grow into `data: …` or `id: …` + `data: …`. Says no to anything that
 * takes effect before its blank line (`retry:`, comments), and to more lines than our frames have, which keeps the
 * work linear: a carried text is searched again only when a line end arrives.
 */
function mayBecomeOurFrame(text: string): boolean {
  if (!text.startsWith("d") && !text.startsWith("i")) return false;
  const lineEnd = text.indexOf("\n");
  if (lineEnd === -1 || lineEnd === text.length - 1) return true;
  return text.startsWith("d", lineEnd + 1) && !text.includes("\n", lineEnd + 1);
}
