/**
 * Bytes to chunks: SSE events, JSON, and the checker. Decides whether what was read is the whole stream. Does not
 * read, wait or reconnect.
 */
import { checkChunk } from "./check-chunk.ts";
import { parseDelta } from "./delta-json.ts";
import { type EventId, parseEventId } from "./event-id.ts";
import { createSSEDecoder, type SSEDecoderOptions, type SSEEvent } from "./sse-decoder.ts";
import { isTerminalChunk, type StreamChunk, type UnknownChunk } from "./stream-chunk.ts";
import { StreamProtocolError, StreamTruncatedError } from "./stream-error.ts";

/** A chunk with its place in the stream. */
export interface DecodedChunk {
  chunk: StreamChunk;
  /** The event id in force, for resuming behind this chunk; `""` when the stream has none. */
  eventId: string;
}

export interface ChunkDecoderOptions extends Pick<SSEDecoderOptions, "maxEventBytes"> {
  /**
   * Called with each chunk whose `type` this version does not know; without it they are skipped. Must not throw, nor ask
   * for the next chunk.
   */
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
   * Takes the next piece, whose chunks `next` gives one by one: `decode` for those who hand chunks on at a consumer's
   * pace. Nothing is parsed before it is asked for.
   */
  push(bytes: Uint8Array): void;
  /**
   * @returns the next chunk of what was pushed; its event id is `lastEventId`. `undefined` when there is no whole one.
   * @throws StreamProtocolError as `decode` does, but at once, and from then on at every call.
   */
  next(): StreamChunk | undefined;
  /**
   * Tells the decoder that no more bytes come, and judges what was read: `next` must have said that there is no more.
   *
   * @throws StreamProtocolError what has not been thrown yet.
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
  /** The last chunk was a terminal. */
  let isTerminated = false;
  let failure: StreamProtocolError | undefined;

  const events = createSSEDecoder({
    maxEventBytes,
    onComment: (text) => {
      const announced = /^hb=(\d{1,9})$/.exec(text);
      if (announced !== null) heartbeatMs = Number(announced[1]);
    },
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

  /** Reads one event. What is wrong with it is thrown. @returns its chunk, unless there is none to be handed on. */
  function read({ type, data, id, lastEventId: idInForce }: SSEEvent): StreamChunk | undefined {
    isDone = data === "[DONE]" && type === "message";
    if (isDone || (id !== undefined && isRepeated(id))) return undefined;
    // Nothing that is repeated takes the place in a run back.
    const eventId = place === undefined ? idInForce : id === undefined ? lastEventId : id;
    let given: StreamChunk | undefined;
    if (type === "message") {
      isTerminated = false;
      given = parseDelta(data) ?? parseChunk(data);
    }
    lastEventId = eventId;
    return given;
  }

  /** @returns a chunk of a known type. */
  function parseChunk(data: string): StreamChunk | undefined {
    const chunk = parseJson(data) as StreamChunk;
    const problem = checkChunk(chunk);
    if (problem?.code === "invalid-chunk") {
      throw new StreamProtocolError("invalid-chunk", problem.message);
    }
    isTerminated = isTerminalChunk(chunk);
    if (problem === undefined) return chunk;
    onUnknownChunk?.(chunk as unknown as UnknownChunk);
    return undefined;
  }

  function push(bytes: Uint8Array): void {
    if (isDone) return;
    if (failure !== undefined) throw failure;
    events.push(bytes);
  }

  function next(): StreamChunk | undefined {
    try {
      while (!isDone) {
        if (failure !== undefined) throw failure;
        const event = events.next();
        if (event === undefined) break;
        const chunk = read(event);
        if (chunk !== undefined) return chunk;
      }
    } catch (error) {
      failure = error as StreamProtocolError;
      throw error;
    }
    return undefined;
  }

  return {
    decode(bytes) {
      push(bytes);
      const decoded: DecodedChunk[] = [];
      try {
        for (let chunk = next(); chunk !== undefined; chunk = next()) {
          decoded.push({ chunk, eventId: lastEventId });
        }
      } catch {
        // The next call throws it.
      }
      return decoded;
    },
    push,
    next,
    end() {
      if (isDone) return;
      if (failure !== undefined) throw failure;
      events.end();
      if (!isTerminated) throw new StreamTruncatedError();
    },
    get done() {
      return isDone;
    },
    get complete() {
      return isDone || (isTerminated && failure === undefined);
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
