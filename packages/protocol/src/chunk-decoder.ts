/**
 * Bytes to chunks: SSE events, JSON, and the checker. Decides whether what was read is the whole stream. Does not
 * read, wait or reconnect.
 */
import { checkChunk } from "./check-chunk.ts";
import { type EventId, parseEventId } from "./event-id.ts";
import { createSSEReader, type SSEDecoderOptions } from "./sse-decoder.ts";
import { isTerminalChunk, type StreamChunk, type UnknownChunk } from "./stream-chunk.ts";
import { StreamProtocolError, StreamTruncatedError } from "./stream-error.ts";

/** A chunk with its place in the stream. */
export interface DecodedChunk {
  chunk: StreamChunk;
  /** The event id in force, for resuming behind this chunk; `""` when the stream has none. */
  eventId: string;
}

export interface ChunkDecoderOptions extends Pick<SSEDecoderOptions, "maxEventBytes"> {
  /** Called with each chunk whose `type` this version does not know; without it they are skipped. Must not throw. */
  onUnknownChunk?: ((chunk: UnknownChunk) => void) | undefined;
  /**
   * The event id (`<runId>.<seq>`) that the stream is resumed behind: the events of that run up to this one are
   * dropped. Anything else than such an id is ignored.
   */
  after?: string | undefined;
}

export interface ChunkDecoder {
  /**
   * Decodes the next piece of the stream, however it was cut. Takes time linear in its length.
   *
   * What breaks the contract ends the stream: this call returns the chunks before it, and every later call throws.
   * Bytes after `[DONE]` are ignored, and so are events with an `event:` line other than `message`. Where events have
   * ids of a run, one that was seen before is dropped, and a missing one breaks the contract.
   *
   * @throws StreamProtocolError `too-large`, `invalid-json`, `invalid-chunk` or `sequence-gap`, on the call after the
   * one that met it.
   */
  decode(bytes: Uint8Array): DecodedChunk[];
  /**
   * Tells the decoder that no more bytes come.
   *
   * @throws StreamProtocolError what `decode` has not thrown yet.
   * @throws StreamTruncatedError when the stream is not {@link complete}.
   */
  end(): void;
  /** `[DONE]` was seen: the stream has ended, whatever may still arrive. */
  readonly done: boolean;
  /** `[DONE]` was seen, or the last chunk was a terminal: if the stream ends here, `end()` does not throw. */
  readonly complete: boolean;
  /** The id in force at the last good event, for the `Last-Event-ID` header. `""` when there was none. */
  readonly lastEventId: string;
  /** The last `retry:` time in milliseconds. */
  readonly retryMs: number | undefined;
  /** The heartbeat interval that the server announced (`:hb=<ms>`), in milliseconds; 0 when it sends none. */
  readonly heartbeatMs: number | undefined;
}

/**
 * Creates a decoder for one stream.
 *
 * @example
 * ```ts
 * const decoder = createChunkDecoder();
 * const decoded = decoder.decode(new TextEncoder().encode('data: {"type":"done"}\n\ndata: [DONE]\n\n'));
 * decoder.end(); // throws if the stream is not complete
 * // decoded is [{ chunk: { type: "done" }, eventId: "" }]
 * ```
 */
export function createChunkDecoder(options: ChunkDecoderOptions = {}): ChunkDecoder {
  const { maxEventBytes, onUnknownChunk, after = "" } = options;
  /** The last event of a run, and the only one that may follow it. */
  let place = parseEventId(after);
  let nextId = nextIdOf(place);
  let lastEventId = after;
  let heartbeatMs: number | undefined;
  let isDone = false;
  /** Undefined before the first one. */
  let lastChunk: StreamChunk | undefined;
  let failure: StreamProtocolError | undefined;
  /** The chunks of the piece that is being decoded. */
  let decoded: DecodedChunk[] = [];

  function onComment(text: string): void {
    const announced = /^hb=(\d{1,9})$/.exec(text);
    if (announced !== null) heartbeatMs = Number(announced[1]);
  }

  const events = createSSEReader({ maxEventBytes, onComment }, (type, data, idInForce, id) => {
    if (isDone || failure !== undefined) return;
    isDone = data === "[DONE]" && type === "message";
    if (isDone) return;
    try {
      read(type, data, idInForce, id);
    } catch (error) {
      failure = error as StreamProtocolError;
    }
  });

  /** @returns whether the event is one that was given before. */
  function isRepeated(id: string): boolean {
    if (id === nextId) {
      place!.seq++;
    } else {
      const found = parseEventId(id);
      if (found === undefined) return false;
      if (place !== undefined) {
        if (found.runId === place.runId && found.seq <= place.seq) return true;
        const problem = `Expected event ${nextId} next, got ${id}: what is between them is missing.`;
        throw new StreamProtocolError("sequence-gap", problem);
      }
      place = found;
    }
    nextId = nextIdOf(place);
    return false;
  }

  /** Reads one event. What is wrong with it is thrown. */
  function read(type: string, data: string, idInForce: string, id: string | undefined): void {
    if (id !== undefined && isRepeated(id)) return;
    // Nothing that is repeated takes the place in a run back.
    const eventId = place === undefined ? idInForce : id === undefined ? lastEventId : id;
    if (type === "message") {
      const chunk = parseJson(data) as StreamChunk;
      const problem = checkChunk(chunk);
      if (problem === undefined) decoded.push({ chunk, eventId });
      else if (problem.code === "unknown-type") onUnknownChunk?.(chunk as unknown as UnknownChunk);
      else throw new StreamProtocolError("invalid-chunk", problem.message);
      lastChunk = chunk;
    }
    lastEventId = eventId;
  }

  const endsWithTerminal = (): boolean => lastChunk !== undefined && isTerminalChunk(lastChunk);

  return {
    decode(bytes) {
      decoded = [];
      if (isDone) return decoded;
      if (failure !== undefined) throw failure;
      events.read(bytes);
      return decoded;
    },
    end() {
      if (isDone) return;
      if (failure !== undefined) throw failure;
      events.end();
      if (!endsWithTerminal()) throw new StreamTruncatedError();
    },
    get done() {
      return isDone;
    },
    get complete() {
      return isDone || (endsWithTerminal() && failure === undefined && !events.failed);
    },
    get lastEventId() {
      return lastEventId;
    },
    get retryMs() {
      return events.retryMs;
    },
    get heartbeatMs() {
      return heartbeatMs;
    },
  };
}

const nextIdOf = (place: EventId | undefined): string | undefined =>
  place && `${place.runId}.${place.seq + 1}`;

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    const start = JSON.stringify(data.length > 60 ? `${data.slice(0, 60)}…` : data);
    const problem = `The data of an event is not JSON: expected one chunk, got ${start}.`;
    throw new StreamProtocolError("invalid-json", problem, { cause });
  }
}
