/**
 * Bytes to chunks, one by one, as they are asked for: the fields of an event, JSON, the checker, and the sequence of a run. Judges each event, but not whether the stream is whole. Does not read, wait or reconnect.
 *
 * Source: HTML Standard, section 9.2.6 "Interpreting an event stream". Property tests hold it equal to the SSE decoder.
 */
import { createChunkChecker } from "./chunk-checker.ts";
import { isTerminalChunk, type StreamChunk, type UnknownChunk } from "./chunks.ts";
import { StreamProtocolError } from "./errors.ts";
import { createEventFrames } from "./event-frames.ts";
import { type EventId, parseEventId } from "./event-id.ts";

export interface ChunkDecoderOptions {
  /**
   * The largest event, in bytes of UTF-8 from one blank line to the next, comments included, a line end counted once.
   * It bounds the memory that one event can take.
   *
   * @defaultValue 8 MiB
   */
  maxEventBytes?: number | undefined;
  /**
   * Called with each chunk whose `type` this version does not know; without it they are skipped. Must not throw, nor ask
   * for the next chunk.
   */
  onUnknownChunk?: ((chunk: UnknownChunk) => void) | undefined;
  /**
   * The event id (`<runId>.<seq>`) that the stream is resumed behind: the events of that run up to this one are
   * dropped, and the next one must be the one behind it. Anything else than such an id drops nothing.
   */
  after?: string | undefined;
}

/** What is known of a stream beside its chunks. */
export interface StreamPosition {
  /** `[DONE]` was seen: the stream has ended, whatever may still arrive. */
  readonly done: boolean;
  /**
   * The stream may end here, unless an error was thrown: the last chunk was a terminal, or `[DONE]` was seen. In a run,
   * `[DONE]` counts only after a terminal or an `error`: a log that has lost its end is not a whole answer.
   */
  readonly complete: boolean;
  /** The id in force at the last good event, for the `Last-Event-ID` header; before the first one `after`, or `""`. */
  readonly lastEventId: string;
  /** The last `retry:` time in milliseconds. */
  readonly retryMs?: number | undefined;
  /** The heartbeat interval that the server announced (`:hb=<ms>`), in milliseconds; 0 when it sends none. */
  readonly heartbeatMs?: number | undefined;
  /** The server announced (`:stay`) that the run may end with this connection. */
  readonly mustStay?: boolean | undefined;
}

/** Gives the chunks of one stream one by one. */
export interface PullDecoder extends StreamPosition {
  /**
   * Takes the next piece of the stream, however it was cut. What `next` has yet to give is copied: ask for it first. What
   * comes behind `done` is of no use.
   */
  push(bytes: Uint8Array): void;
  /**
   * Parses no more than it gives.
   *
   * @returns the next chunk of what was pushed; its event id is `lastEventId`. `undefined` when there is no whole one.
   * @throws StreamProtocolError `too-large`, `invalid-json`, `invalid-chunk` or `sequence-gap`. The stream ends with it:
   * do not ask again.
   */
  next(): StreamChunk | undefined;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const problemOf = /* @__PURE__ */ createChunkChecker(undefined, undefined, true);

/** A line of a frame: its field and its value. A line that begins with a colon is a comment. */
const anyLine = /([^:\n]*)(?:: ?)?([^\n]*)\n/g;

/**
 * A frame as our own encoder prints it: its id, and the parts of a text or reasoning delta in characters that JSON does
 * not escape, or else its data. Says what the long way would say, or nothing.
 */
const ownFrame =
  /^(?:id: ([\x21-\x7e]+)\n)?data: (?:\{"type":"(text|reasoning)-delta","delta":"([ !#-[\]-\ud7ff\ue000-\uffff]*)"(?:,"segmentId":"([ !#-[\]-\ud7ff\ue000-\uffff]*)")?\}|([^\n]*))\n\n$/;

/**
 * Creates a decoder for one stream whose chunks are asked for one by one. Texts of a chunk may be slices that keep the
 * piece in memory that they came in.
 */
export function createPullDecoder(options: ChunkDecoderOptions = {}): PullDecoder {
  const { maxEventBytes, onUnknownChunk, after = "" } = options;
  const frames = createEventFrames(maxEventBytes);
  /** The last event of a run, and the id of the only one that may follow it. */
  let place: EventId | undefined;
  let nextId: string | undefined;
  /** The last chunk was an `error`, on which a run may end. */
  let isFailed = false;

  /** @returns whether the event is one that was given before. */
  function isRepeated(id: string): boolean {
    if (id === nextId) {
      place!.seq++;
    } else {
      const found = parseEventId(id);
      if (!found) return false;
      if (place) {
        if (found.runId === place.runId && found.seq <= place.seq) return true;
        throw new StreamProtocolError("sequence-gap", `Expected event ${nextId}, got ${id}.`);
      }
      place = found;
    }
    nextId = `${place!.runId}.${place!.seq + 1}`;
    return false;
  }

  /** @returns the chunk, unless nobody knows its type. */
  function parseChunk(data: string): StreamChunk | undefined {
    let chunk: StreamChunk;
    try {
      chunk = JSON.parse(data);
    } catch (cause) {
      throw new StreamProtocolError("invalid-json", `Not JSON: ${JSON.stringify(data.slice(0, 60))}.`, {
        cause,
      });
    }
    const problem = problemOf(chunk);
    if (problem) throw new StreamProtocolError("invalid-chunk", problem);
    decoder.complete = isTerminalChunk(chunk);
    isFailed = chunk.type === "error";
    if (problem === undefined) return chunk;
    onUnknownChunk?.(chunk as unknown as UnknownChunk);
    return undefined;
  }

  /** Reads one event. @returns its chunk, unless there is none to be handed on. */
  function read(frame: string): StreamChunk | undefined {
    const own = ownFrame.exec(frame);
    let id = own?.[1];
    let data = own?.[5];
    let type = "message";
    if (!own) {
      for (const [, field, value = ""] of frame.matchAll(anyLine)) {
        if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
        else if (field === "event") type = value || "message";
        else if (field === "id" && !value.includes("\0")) id = value;
        else if (field === "retry" && /^\d{1,16}$/.test(value)) decoder.retryMs = Number(value);
        else if (field === "" && /^hb=\d{1,9}$/.test(value)) decoder.heartbeatMs = Number(value.slice(3));
        else if (field === "" && value === "stay") decoder.mustStay = true;
      }
      // A block without data is no event, but its id counts.
      if (data === undefined) type = "";
    }
    if (data === "[DONE]" && type === "message") {
      decoder.done = true;
      decoder.complete ||= !place || isFailed;
      return undefined;
    }
    if (id && isRepeated(id)) return undefined;
    let chunk: StreamChunk | undefined;
    if (type === "message") {
      decoder.complete = isFailed = false;
      chunk = data === undefined ? toDeltaChunk(own!) : parseChunk(data);
    }
    // A bad event has thrown: nothing is resumed behind it.
    decoder.lastEventId = id ?? decoder.lastEventId;
    return chunk;
  }

  const decoder: Mutable<PullDecoder> = {
    push: frames.push,
    next() {
      while (!decoder.done) {
        const frame = frames.next();
        if (!frame) break;
        const chunk = read(frame);
        if (chunk) return chunk;
      }
      return undefined;
    },
    done: false,
    complete: false,
    lastEventId: after,
  };
  isRepeated(after);
  return decoder;
}

function toDeltaChunk(found: RegExpExecArray): StreamChunk {
  const type = found[2] === "text" ? "text-delta" : "reasoning-delta";
  const delta = found[3]!;
  const segmentId = found[4];
  return segmentId === undefined ? { type, delta } : { type, delta, segmentId };
}
