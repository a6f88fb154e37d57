/**
 * Decodes SSE events to chunks, one at a time on request: JSON, the checker, the sequence of a run, and whether the
 * stream was complete. Does not read, wait or reconnect.
 */
import { isTerminalChunk, type StreamChunk, type UnknownChunk } from "./chunks.ts";
import { StreamProtocolError, StreamTruncatedError } from "./errors.ts";
import { type EventId, parseEventId } from "./event-id.ts";
import { FlatChunks } from "./flat-chunks.ts";
import { canBeJoined, parseTogether } from "./parse-together.ts";
import { type EventBlock, EventBlocks } from "./sse-decoder.ts";
import { toKnownChunk } from "./to-chunk.ts";

/** Options of {@link createChunkDecoder}. */
export interface ChunkDecoderOptions {
  /**
   * The largest event, in bytes from one blank line to the next, comments included, a line end counted once. It bounds
   * the memory that one event can take.
   *
   * @defaultValue 8 MiB
   */
  maxEventBytes?: number | undefined;
  /**
   * Called by `next` with each chunk whose `type` this version does not know; without it they are skipped. Must not
   * throw, nor call the decoder.
   */
  onUnknownChunk?: ((chunk: UnknownChunk) => void) | undefined;
  /**
   * The event id (`<runId>.<seq>`) after which the stream is resumed: that run's events up to this one are dropped, and
   * the next one must be its successor. Text that is not an event id drops nothing.
   */
  after?: string | undefined;
}

/** Decodes the bytes of one stream to chunks. Takes bytes by `push`, and returns one chunk for each `next`. */
export interface ChunkDecoder {
  /** Takes the next piece of the stream, however it was cut, in time linear in its length. Never throws. */
  push(bytes: Uint8Array): void;
  /**
   * Parses only the next pushed chunk. Its event id is `lastEventId`.
   *
   * A contract violation ends the stream, after the chunks before it. Everything after `[DONE]` is ignored, and so are
   * events with an `event:` line other than `message`. Of a run's events, repeated ones are dropped, and a missing one
   * violates the contract.
   *
   * @returns `undefined` if no chunk is complete.
   * @throws StreamProtocolError `too-large`, `invalid-json`, `invalid-chunk` or `sequence-gap`; then on every call.
   */
  next(): StreamChunk | undefined;
  /**
   * Ends the stream and checks that it was complete. Call it when `next` returns `undefined`.
   *
   * @throws StreamProtocolError the one that `next` threw, if any.
   * @throws StreamTruncatedError when the stream is not `complete`.
   */
  end(): void;
  /** `[DONE]` was read: the stream has ended; anything after it is ignored. */
  readonly done: boolean;
  /**
   * The stream may end here: the last chunk was a terminal, or `[DONE]` was read. In a run, `[DONE]` counts only after
   * a terminal or an `error`: a log that has lost its end is not a complete answer. False after an error.
   */
  readonly complete: boolean;
  /**
   * The id in effect at the last valid event, for the `Last-Event-ID` header; `after`, or `""`, before the first one.
   */
  readonly lastEventId: string;
  /** The last valid `retry:` time that was pushed, in milliseconds. */
  readonly retryMs: number | undefined;
  /** The heartbeat interval announced by the server (`:hb=<ms>`), in milliseconds; 0 if it sends none. */
  readonly heartbeatMs: number | undefined;
  /** The server announced (`:stay`) that the run may end with this connection. */
  readonly mustStay: boolean;
}

/**
 * Creates a decoder for one stream. Strings in chunks may be slices that keep their whole network piece in memory.
 *
 * @throws RangeError for a `maxEventBytes` that is not a number, or is negative.
 *
 * @example
 * ```ts
 * const decoder = createChunkDecoder();
 * decoder.push(new TextEncoder().encode('data: {"type":"done"}\n\ndata: [DONE]\n\n'));
 * decoder.next(); // { type: "done" }
 * decoder.next(); // undefined
 * decoder.end(); // throws if the stream is not complete
 * ```
 */
export function createChunkDecoder(options: ChunkDecoderOptions = {}): ChunkDecoder {
  return new BlockDecoder(options);
}

/**
 * How much JSON is parsed at once, in UTF-16 code units. More would gain nothing, and a consumer that leaves needs none
 * of it.
 */
const maxTogether = 16 * 1024;

class BlockDecoder implements ChunkDecoder {
  done = false;
  complete = false;
  lastEventId: string;
  heartbeatMs: number | undefined;
  mustStay = false;
  readonly #blocks: EventBlocks;
  readonly #onUnknownChunk: ((chunk: UnknownChunk) => void) | undefined;
  readonly #flatChunks = new FlatChunks();
  /** The chunks of the next blocks, not checked yet: they were parsed together with an earlier one. */
  #values: object[] = [];
  #valueAt = 0;
  /** How many texts to parse one by one, because they could not be parsed together. */
  #oneByOne = 0;
  /** The last event of a run, and the id of the only one that may follow it. */
  #place: EventId | undefined;
  #nextId: string | undefined;
  /** How many chunks were pushed, those of unknown types included, and not those that were read before. */
  #chunks = 0;
  /** The last chunk was an `error`, on which a run may end. */
  #isFailed = false;
  /** The error that ended the stream. */
  #failure: { error: unknown } | undefined;

  constructor({ maxEventBytes, onUnknownChunk, after = "" }: ChunkDecoderOptions) {
    this.#blocks = new EventBlocks({ maxEventBytes, onComment: (text) => this.#readComment(text) });
    this.#onUnknownChunk = onUnknownChunk;
    this.lastEventId = after;
    this.#isRepeated(after);
  }

  push(bytes: Uint8Array): void {
    this.#blocks.push(bytes);
    // No chunk follows, and a sender without end must not fill the memory.
    if (this.done || this.#failure !== undefined) this.#blocks.clear();
  }

  next(): StreamChunk | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      while (!this.done) {
        const block = this.#blocks.next();
        if (block === undefined) break;
        const value = this.#valueAt < this.#values.length ? this.#values[this.#valueAt++] : undefined;
        const chunk = this.#read(block, value);
        if (chunk !== undefined) return chunk;
      }
      return undefined;
    } catch (error) {
      this.#failure = { error };
      this.complete = false;
      throw error;
    }
  }

  end(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.complete) throw new StreamTruncatedError();
  }

  get retryMs(): number | undefined {
    return this.#blocks.retryMs;
  }

  #readComment(text: string): void {
    if (text === "stay") this.mustStay = true;
    else if (/^hb=\d{1,9}$/.test(text)) this.heartbeatMs = Number(text.slice(3));
  }

  /**
   * @param value - The data, if it is already parsed.
   * @returns the chunk of a block, if it has one for the caller.
   */
  #read({ id, event = "message", data }: EventBlock, value: object | undefined): StreamChunk | undefined {
    const isMessage = event === "message" && data !== undefined;
    if (isMessage && data === "[DONE]") {
      this.done = true;
      this.complete ||= this.#place === undefined || this.#isFailed;
      return undefined;
    }
    if (id && this.#isRepeated(id)) return undefined;
    const chunk = isMessage ? this.#parse(data, value) : undefined;
    // Only reached by valid events: a stream is never resumed after an invalid one.
    this.lastEventId = id ?? this.lastEventId;
    return chunk;
  }

  /** @returns whether the event was read before. */
  #isRepeated(id: string): boolean {
    if (id === this.#nextId) {
      this.#place!.seq++;
    } else {
      const found = parseEventId(id);
      if (found === undefined) return false;
      if (this.#place !== undefined) {
        if (found.runId === this.#place.runId && found.seq <= this.#place.seq) return true;
        throw new StreamProtocolError("sequence-gap", `Expected event ${this.#nextId}, got ${id}.`);
      }
      this.#place = found;
    }
    this.#nextId = `${this.#place!.runId}.${this.#place!.seq + 1}`;
    return false;
  }

  /** @returns the chunk, when its type is known. */
  #parse(data: string, value: object | undefined): StreamChunk | undefined {
    this.complete = this.#isFailed = false;
    this.#chunks++;
    if (value === undefined) {
      const flat = this.#flatChunks.read(data);
      if (flat !== undefined) return flat;
    }
    const parsed = value ?? this.#parseAhead(data);
    const chunk = toKnownChunk(parsed, this.#chunks);
    if (chunk === undefined) {
      this.#onUnknownChunk?.(parsed as UnknownChunk);
      return undefined;
    }
    this.complete = isTerminalChunk(chunk);
    this.#isFailed = chunk.type === "error";
    // Those that decide how the stream may end are never read by another path.
    if (value === undefined && !this.complete && !this.#isFailed) this.#flatChunks.learn(chunk);
    return chunk;
  }

  /** Parses `data`, and with it the data of the next blocks, as far as that is possible. */
  #parseAhead(data: string): unknown {
    if (this.#oneByOne > 0) {
      this.#oneByOne--;
      return parseJson(data, this.#chunks);
    }
    if (this.#blocks.peek(0) === undefined) return parseJson(data, this.#chunks);
    const texts = this.#joinableTexts(data);
    const values = texts.length > 1 ? parseTogether(texts) : undefined;
    if (values === undefined) {
      this.#oneByOne = Math.max(texts.length - 1, 0);
      return parseJson(data, this.#chunks);
    }
    this.#values = values;
    this.#valueAt = 1;
    return values[0];
  }

  /** @returns `data` and the data of the blocks after it, up to the first that must be parsed alone. */
  #joinableTexts(data: string): string[] {
    const texts: string[] = [];
    let text: string | undefined = data;
    for (let length = data.length; text !== undefined && canBeJoined(text); length += text?.length ?? 0) {
      if (length > maxTogether) break;
      texts.push(text);
      const block = this.#blocks.peek(texts.length - 1);
      text =
        block === undefined || block.event !== undefined || block.data === "[DONE]" ? undefined : block.data;
    }
    return texts;
  }
}

function parseJson(data: string, position: number): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    const start = JSON.stringify(data.slice(0, 60));
    throw new StreamProtocolError("invalid-json", `Chunk ${position} is not JSON: ${start}.`, { cause });
  }
}
