/**
 * Bytes to SSE events, of any kind and for anybody. The grammar is eventsource-parser's; UTF-8 and the limit on the size of
 * an event are those of `event-frames.ts`. Knows nothing of chunks.
 *
 * Source: HTML Standard, sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".
 */
import { createParser } from "eventsource-parser";
import { StreamProtocolError } from "./errors.ts";
import { createEventFrames } from "./event-frames.ts";

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
   * Called with the text of each comment line, without its colon and one leading space: when the blank line behind it is
   * there, or at `end()`. Must not throw.
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
   * @throws StreamProtocolError `too-large` when that is what ended the stream.
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
  const frames = createEventFrames(options.maxEventBytes);
  let lastEventId = "";
  let retryMs: number | undefined;
  let failure: StreamProtocolError | undefined;
  let events: SSEEvent[] = [];

  // An exception in one of these would leave the parser in the middle of a line.
  const parser = createParser({
    onEvent: ({ event: type = "message", data, id }) => {
      events.push(id === undefined ? { type, data, lastEventId } : { type, data, lastEventId, id });
    },
    onId: (id) => {
      lastEventId = id;
    },
    onRetry: (ms) => {
      if (Number.isSafeInteger(ms)) retryMs = ms;
    },
    onComment: options.onComment,
  });
  // The byte order mark was stripped before; a blank line takes the parser past its own search for one.
  parser.feed("\n");

  return {
    decode(bytes) {
      if (failure !== undefined) throw failure;
      frames.push(bytes);
      events = [];
      try {
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) parser.feed(frame);
      } catch (error) {
        if (!(error instanceof StreamProtocolError)) throw error;
        failure = error;
      }
      return events;
    },
    end() {
      if (failure !== undefined) throw failure;
      // The event itself is dropped, but its `retry:` counts.
      const rest = frames.rest();
      parser.feed(rest.slice(0, rest.lastIndexOf("\n") + 1));
    },
    get lastEventId() {
      return lastEventId;
    },
    get retryMs() {
      return retryMs;
    },
  };
}
