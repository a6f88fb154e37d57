/**
 * Bytes to chunks: SSE events, JSON, and the checker. Decides whether what was read is the whole stream. Does not
 * read, wait or reconnect.
 */
import { checkChunk } from "./check-chunk.ts";
import { type EventId, parseEventId } from "./event-id.ts";
import { createSSEDecoder, type SSEDecoderOptions } from "./sse-decoder.ts";
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
  const sequence = createSequence(after);
  let done = false;
  let lastIsTerminal = false;
  let lastEventId = after;
  let heartbeatMs: number | undefined;
  let failure: StreamProtocolError | undefined;

  const events = createSSEDecoder({
    maxEventBytes,
    onComment: (text) => {
      const announced = /^hb=(\d{1,9})$/.exec(text);
      if (announced !== null) heartbeatMs = Number(announced[1]);
    },
  });

  /** Why the stream, if it ended here, would not be whole. */
  function findFault(): Error | undefined {
    if (done) return undefined;
    if (failure !== undefined) return failure;
    try {
      events.end();
    } catch (error) {
      return error as Error;
    }
    return lastIsTerminal ? undefined : new StreamTruncatedError();
  }

  return {
    decode(bytes) {
      const decoded: DecodedChunk[] = [];
      if (done) return decoded;
      if (failure !== undefined) throw failure;
      for (const event of events.decode(bytes)) {
        const { type, data, id } = event;
        if (type === "message" && data === "[DONE]") {
          done = true;
          return decoded;
        }
        if (id !== undefined) {
          const problem = sequence.follow(id);
          if (problem === "seen") continue;
          if (problem !== undefined) {
            failure = problem;
            return decoded;
          }
        }
        if (type !== "message") {
          lastEventId = sequence.place ?? event.lastEventId;
          continue;
        }
        let chunk: StreamChunk;
        try {
          chunk = JSON.parse(data);
        } catch (cause) {
          failure = invalidJson(data, cause);
          return decoded;
        }
        const problem = checkChunk(chunk);
        if (problem === undefined) {
          decoded.push({ chunk, eventId: sequence.place ?? event.lastEventId });
        } else if (problem.code === "unknown-type") {
          onUnknownChunk?.(chunk as unknown as UnknownChunk);
        } else {
          failure = new StreamProtocolError("invalid-chunk", problem.message);
          return decoded;
        }
        lastEventId = sequence.place ?? event.lastEventId;
        lastIsTerminal = isTerminalChunk(chunk);
      }
      return decoded;
    },
    end() {
      const fault = findFault();
      if (fault !== undefined) throw fault;
    },
    get done() {
      return done;
    },
    get complete() {
      return findFault() === undefined;
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

/** Follows the events of a run: none twice, none missing. Knows nothing of ids that are not `<runId>.<seq>`. */
function createSequence(after: string) {
  let last = parseEventId(after);
  /** The id of the last event; nothing that is repeated behind it takes it back. */
  let place = last === undefined ? undefined : after;
  /** Nearly every id is this one, and need not be parsed. */
  let next = nextId(last);

  return {
    follow(id: string): "seen" | StreamProtocolError | undefined {
      if (id === next) {
        last!.seq++;
      } else {
        const found = parseEventId(id);
        if (found === undefined) return undefined;
        if (last !== undefined) {
          if (found.runId === last.runId && found.seq <= last.seq) return "seen";
          return new StreamProtocolError(
            "sequence-gap",
            `Expected event ${next} next, got ${id}: what is between them is missing.`,
          );
        }
        last = found;
      }
      place = id;
      next = nextId(last);
      return undefined;
    },
    get place() {
      return place;
    },
  };
}

const nextId = (last: EventId | undefined): string | undefined =>
  last === undefined ? undefined : `${last.runId}.${last.seq + 1}`;

function invalidJson(data: string, cause: unknown): StreamProtocolError {
  const start = JSON.stringify(data.length > 60 ? `${data.slice(0, 60)}…` : data);
  return new StreamProtocolError(
    "invalid-json",
    `The data of an event is not JSON: expected one chunk, got ${start}.`,
    { cause },
  );
}
