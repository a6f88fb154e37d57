/**
 * The options of a stream, its report at the end, and all defaults and constants shared by several modules of this
 * package. Checks options; measures and sends nothing.
 */
import { type AssistantUIMessage, type ChatTypes, type ErrorChunk, encodeComment } from "@kortyx/protocol";
import {
  checkBooleanOption,
  checkFunctionOption,
  checkOption,
  parseTimeoutMs,
} from "@kortyx/protocol/internal";
import type { FailureOptions } from "./mask-error.ts";

/** The time of an event that never happens. */
export const never: number = Number.POSITIVE_INFINITY;

/**
 * Heartbeats are early or late by up to this share of their interval, so that those of many streams do not coincide.
 */
export const heartbeatJitter = 0.1;

/**
 * A source that is silent for this long, in milliseconds, counts as begun: its stream opens with a comment, so that
 * headers are sent.
 */
export const openingWindowMs = 25;

/**
 * After this long, in milliseconds, the event loop gets a turn. Neither a socket that accepts everything at once nor
 * the reader of a web stream yields (even `drain` fires in the same turn), so a source that never waits would starve
 * the process.
 */
export const maxTurnMs = 10;

/** The pause before a failed run store is called again, in milliseconds. */
export const storeRetryMs = 250;

/** An answer of more bytes on the wire than this, 8 MiB, is not kept in memory unless an option allows it. */
export const defaultMaxAnswerBytes: number = 8 * 1024 * 1024;

/** The same for a run, in UTF-16 code units of its chunks' JSON. */
export const defaultMaxRunCharacters: number = 8 * 1024 * 1024;

/** Ends an answer whose source was silent for too long. */
export const sourceIdle: ErrorChunk = {
  type: "error",
  message: "The answer took too long to continue. Please try again.",
  code: "source-idle",
  retryable: true,
};

/** Why a stream ended. */
export type StreamFinishReason =
  /** The source sent `done`. */
  | "done"
  /** The source sent `abort`. */
  | "abort"
  /** The source ended without a terminal chunk. */
  | "end"
  /** The source failed, or its stream ended on an `error` chunk, even if a `done` without `finishReason` follows. */
  | "error"
  /** The client left. */
  | "cancelled"
  /** `maxDurationMs` passed. */
  | "timeout"
  /** The source was silent for `sourceIdleTimeoutMs`. */
  | "source-idle"
  /** A piece waited unread for `stallTimeoutMs`. */
  | "stalled"
  /** The process is shutting down: see `drain`. */
  | "shutdown";

/** The report on a finished stream. */
export interface StreamFinish<Types extends ChatTypes = ChatTypes> {
  /** Why the stream ended. */
  reason: StreamFinishReason;
  /** The number of chunks that were read from the source. When a client leaves, it may lack the last ones. */
  chunks: number;
  /** The number of bytes sent, including comments. */
  bytes: number;
  /** How long the stream took, in milliseconds. */
  durationMs: number;
  /**
   * With `collectMessage`: what the client saw, as a chat shows it; pass it back in `initialMessages`. Its id is a new
   * UUID, that of a `run-start`, or that of the message that it continues. Absent if the stream is larger than 8 MiB.
   */
  message?: AssistantUIMessage<Types> | undefined;
}

/**
 * Options of one stream. Times are milliseconds >= 0; `Infinity`, and more than 2,147,483,647 (25 days), mean never.
 * Anything else is a RangeError.
 */
export interface StreamOptions<Types extends ChatTypes = ChatTypes> extends FailureOptions {
  /** Ends the stream when aborted: the request's signal, if the runtime has one. */
  signal?: AbortSignal | undefined;
  /**
   * How often a comment is sent while there is nothing else to send, in milliseconds ± 10 %; 0 sends only the one that
   * opens the stream of a source that is silent at first. It must be shorter than the shortest idle timeout between server
   * and client: 10 s on Bun, 55 s on Heroku, 60 s for nginx and AWS, 100 s at Cloudflare.
   *
   * @defaultValue 8000
   */
  heartbeatMs?: number | undefined;
  /**
   * Ends the stream with `abort` `timeout` after this many milliseconds; 0 never does. That of a run ends without a
   * terminal chunk, and its client continues it: `maxRunDurationMs` is the limit of the run, and of a buffered answer from
   * it. A reader of a run without event ids, which cannot continue, receives an `error` `connection-ended`.
   *
   * @defaultValue never
   */
  maxDurationMs?: number | undefined;
  /**
   * Cancels the stream when a piece has waited unread for this many milliseconds; 0 never does.
   *
   * @defaultValue 60,000
   */
  stallTimeoutMs?: number | undefined;
  /**
   * Ends the stream, and the run if it has one, with an `error` `source-idle` when the source has yielded nothing for
   * this many milliseconds after a request; 0 never does.
   *
   * @defaultValue never
   */
  sourceIdleTimeoutMs?: number | undefined;
  /**
   * Called once when the stream has ended, for any reason. An error that it throws is logged and has no other effect.
   */
  onFinish?: ((finish: StreamFinish<Types>) => unknown) | undefined;
  /** Folds the chunks of the stream into the `message` of `onFinish`. @defaultValue false */
  collectMessage?: boolean | undefined;
}

/** Options of a stream that continues an earlier answer. */
export interface ContinuedStreamOptions extends StreamOptions {
  /** The message that `collectMessage` adds to. */
  continued?: AssistantUIMessage | undefined;
  /** The name of the message for requests that wait until `onFinish` has saved it. */
  messageKey?: string | undefined;
  /** How long the stream of a silent source waits for its first chunk before it opens. @defaultValue 25 ms */
  openingMs?: number | undefined;
}

/** The times of a stream, in milliseconds; `Infinity` means never. */
export interface StreamTimes {
  heartbeatMs: number;
  maxDurationMs: number;
  stallTimeoutMs: number;
  sourceIdleTimeoutMs: number;
  openingMs: number;
}

/**
 * Parses the times, after checking all other options.
 *
 * @throws RangeError for a time that is not a number of milliseconds, TypeError for another option of the wrong type.
 */
export function readStreamTimes(options: ContinuedStreamOptions): StreamTimes {
  const { heartbeatMs = 8000, maxDurationMs = never } = options;
  const { stallTimeoutMs = 60_000, sourceIdleTimeoutMs = never } = options;
  const { signal, onError, onFinish, exposeErrors, collectMessage } = options;
  checkFunctionOption("onError", onError);
  checkFunctionOption("onFinish", onFinish);
  checkBooleanOption("exposeErrors", exposeErrors);
  checkBooleanOption("collectMessage", collectMessage);
  const isSignal = signal === undefined || signal === null || typeof signal?.addEventListener === "function";
  checkOption("signal", isSignal, "an AbortSignal", signal);
  return {
    heartbeatMs: parseTimeoutMs("heartbeatMs", heartbeatMs),
    maxDurationMs: parseTimeoutMs("maxDurationMs", maxDurationMs),
    stallTimeoutMs: parseTimeoutMs("stallTimeoutMs", stallTimeoutMs),
    sourceIdleTimeoutMs: parseTimeoutMs("sourceIdleTimeoutMs", sourceIdleTimeoutMs),
    openingMs: options.openingMs ?? openingWindowMs,
  };
}

/** The comment that asks a client to keep its connection, because the run may end with it. */
export const stayComment = encodeComment("stay");

/** The comment that keeps a connection awake, and announces its interval: 0 if it is never sent. */
export const encodeHeartbeat = (heartbeatMs: number): string =>
  encodeComment(`hb=${heartbeatMs === never ? 0 : heartbeatMs}`);
