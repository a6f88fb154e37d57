/**
 * Bytes to SSE events of any kind. eventsource-parser reads the grammar; this file adds UTF-8, the limit on the size of
 * an event, and the order in which a consumer sees events and errors. Knows nothing about chunks.
 *
 * Source: HTML Standard, sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".
 */
import { createParser } from "eventsource-parser";
import { checkLimitOption } from "./check-option.ts";
import { StreamProtocolError } from "./errors.ts";
import { EventSize } from "./event-size.ts";
import { Queue } from "./queue.ts";

/** One event as the standard dispatches it. */
export interface SSEEvent {
  /** `"message"` unless the event has an `event:` line. */
  type: string;
  /** The `data:` lines, joined by LF. */
  data: string;
  /** The last event id in effect: it persists across events without an `id:` line; `""` if there was none. */
  lastEventId: string;
  /** The value of the event's own `id:` line; absent without one. */
  id?: string | undefined;
}

/** Options of {@link createSSEDecoder}. */
export interface SSEDecoderOptions {
  /**
   * The largest event, in bytes from one blank line to the next, comments included, a line end counted once. It bounds
   * the memory that one event can take.
   *
   * @defaultValue 8 MiB
   */
  maxEventBytes?: number | undefined;
  /** Called by `push` with the text of each comment line, without its colon and one leading space. Must not throw. */
  onComment?: ((text: string) => void) | undefined;
}

/** Decodes the bytes of one stream to SSE events. Takes bytes by `push`, and returns one event for each `next`. */
export interface SSEDecoder {
  /** Takes the next piece of the stream, however it was cut, in time linear in its length. Never throws. */
  push(bytes: Uint8Array): void;
  /**
   * Reads the next event from the bytes pushed so far.
   *
   * @returns `undefined` if no event is complete.
   * @throws StreamProtocolError `too-large`, after the events before the oversized one; then on every call.
   */
  next(): SSEEvent | undefined;
  /**
   * Ends the stream. An event without its blank line is dropped, as the standard requires.
   *
   * @throws StreamProtocolError `too-large` when that has ended the stream.
   */
  end(): void;
  /**
   * The id in effect after what `next` has read, also of a block without data, for the `Last-Event-ID` header. `""` when
   * there was none.
   */
  readonly lastEventId: string;
  /** The last valid `retry:` time that was pushed, in milliseconds. */
  readonly retryMs: number | undefined;
}

/**
 * Creates a decoder for one stream.
 *
 * @throws RangeError for a `maxEventBytes` that is not a number, or is negative.
 *
 * @example
 * ```ts
 * const decoder = createSSEDecoder();
 * decoder.push(new TextEncoder().encode("id: 7\ndata: hi\n\n"));
 * decoder.next(); // { type: "message", data: "hi", lastEventId: "7", id: "7" }
 * decoder.next(); // undefined
 * ```
 */
export function createSSEDecoder(options: SSEDecoderOptions = {}): SSEDecoder {
  const blocks = new EventBlocks(options);
  let lastEventId = "";
  return {
    push: (bytes) => blocks.push(bytes),
    next() {
      for (let block = blocks.next(); block !== undefined; block = blocks.next()) {
        const { id, event: type = "message", data } = block;
        lastEventId = id ?? lastEventId;
        if (data !== undefined) {
          return id === undefined ? { type, data, lastEventId } : { type, data, lastEventId, id };
        }
      }
      return undefined;
    },
    end: () => blocks.end(),
    get lastEventId() {
      return lastEventId;
    },
    get retryMs() {
      return blocks.retryMs;
    },
  };
}

/** The lines between two blank lines: an event, or at least an id. */
export interface EventBlock {
  id: string | undefined;
  event: string | undefined;
  /** A block without data is no event, but its id counts. */
  data: string | undefined;
}

/** Reads the blocks of one stream, and keeps them until they are requested. */
export class EventBlocks {
  /** The last valid `retry:` time, in milliseconds. It counts as soon as its line is complete. */
  retryMs: number | undefined;
  /**
   * Leaves the byte order mark to the parser, because runtimes differ in how they strip one that is split across
   * pieces.
   */
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #parser;
  readonly #size: EventSize;
  readonly #maxEventBytes: number;
  readonly #blocks = new Queue<EventBlock>();
  /** The error that ended the stream, after these blocks. */
  #failure: StreamProtocolError | undefined;

  constructor({ maxEventBytes = 8 * 1024 * 1024, onComment }: SSEDecoderOptions) {
    checkLimitOption("maxEventBytes", maxEventBytes);
    this.#maxEventBytes = maxEventBytes;
    this.#size = new EventSize(maxEventBytes);
    // An exception in a callback would leave the parser in the middle of a line.
    this.#parser = createParser({
      onId: (id) => {
        this.#blocks.add({ id, event: undefined, data: undefined });
      },
      onEvent: (event) => {
        // The parser has called onId for the same block, if it has an id.
        if (event.id === undefined) this.#blocks.add(event as EventBlock);
        else this.#blocks.replaceNewest(event as EventBlock);
      },
      onRetry: (ms) => {
        if (Number.isSafeInteger(ms)) this.retryMs = ms;
      },
      onComment,
    });
  }

  push(piece: Uint8Array): void {
    if (this.#failure !== undefined) return;
    const fitting = this.#size.count(piece);
    if (fitting < piece.length) {
      const message = `An event is larger than maxEventBytes, ${this.#maxEventBytes} bytes.`;
      this.#failure = new StreamProtocolError("too-large", message);
      piece = piece.subarray(0, fitting);
    }
    // Runtimes decode faster without keeping the bytes of an unfinished character; there are none after ASCII.
    const isWhole = piece[piece.length - 1]! < 0x80;
    this.#parser.feed(this.#utf8.decode(piece, { stream: !isWhole }));
  }

  next(): EventBlock | undefined {
    const block = this.#blocks.take();
    if (block === undefined && this.#failure !== undefined) throw this.#failure;
    return block;
  }

  /** @returns a block that `next` has not returned yet: that many calls after the next one. */
  peek(index: number): EventBlock | undefined {
    return this.#blocks.peek(index);
  }

  /** Drops the blocks that were not requested yet. */
  clear(): void {
    this.#blocks.clear();
  }

  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
