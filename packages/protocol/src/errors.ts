/**
 * The errors of the contract, and the guard that recognises them (and those of the client) across copies of the
 * package. Does not contain errors that only one side can meet.
 */

/** Shared by every copy and version of the package, so that two copies in one program recognise each other. */
const brand = Symbol.for("@kortyx/error");

/**
 * The `code` of every error of these packages. The `code` of an `error` chunk is not one of them: it belongs to the
 * application.
 */
export type StreamErrorCode =
  | StreamProtocolErrorCode
  // StreamTruncatedError
  | "truncated"
  // Errors of @kortyx/client, and ChatStateError
  | "connection"
  | "content-type"
  | "http-status"
  | "idle"
  | "remote"
  | "unreadable-body"
  | "busy"
  | "empty-message"
  | "invalid-message"
  | "nothing-to-regenerate"
  | "not-pending"
  // ChatRequestError of @kortyx/server; the first one is also StreamRequestError of @kortyx/client
  | "invalid-request"
  | "invalid-resume-token"
  | "already-answered"
  | "interrupt-expired"
  | "body-already-read"
  | "body-too-large"
  | "incomplete-body"
  | "unsupported-media-type";

/**
 * Base class of these packages' errors; incorrect use of a function may also throw a `TypeError` or `RangeError`.
 * Distinguish them by class, `name` or `code`, which is stable. Use {@link isStreamError} where more than one copy of
 * the package may be loaded.
 *
 * @example
 * ```ts
 * try {
 *   for await (const chunk of stream) render(chunk);
 * } catch (error) {
 *   if (!(error instanceof StreamError)) throw error;
 *   console.error(error.name, error.code); // such as "StreamTruncatedError", "truncated"
 * }
 * ```
 */
export abstract class StreamError extends Error {
  /** A literal on each class, because bundlers rename classes. */
  abstract override readonly name: string;
  /** Stable and machine-readable, such as `"truncated"`. */
  abstract readonly code: StreamErrorCode;
  /** @internal On the prototype, so that it is not printed with the error. */
  get [brand](): true {
    return true;
  }
}

/** What can be wrong with a stream, a chunk, or an argument of the codec. */
export type StreamProtocolErrorCode =
  /** The data of an event is not JSON. */
  | "invalid-json"
  /** A value is not a chunk: no string `type`, or a known type with wrong fields. */
  | "invalid-chunk"
  /**
   * A chunk cannot be written as JSON: undefined, a function, a symbol, a BigInt or a cycle, or a `toJSON()` that
   * returns nothing.
   */
  | "unserializable-chunk"
  /** An event id or retry time that would not make one well-formed frame. */
  | "invalid-frame"
  /** An event of a run is missing, or belongs to another run. */
  | "sequence-gap"
  /** An event exceeds `maxEventBytes`, or a collected stream exceeds its limit. */
  | "too-large"
  /** A `structured-data` chunk that cannot be applied. */
  | "invalid-structured-data";

/** Data that was received, or was about to be sent, violates the contract. */
export class StreamProtocolError extends StreamError {
  override readonly name = "StreamProtocolError";
  declare readonly code: StreamProtocolErrorCode;

  constructor(code: StreamProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The answer is incomplete: the stream stopped before `[DONE]` and before a terminal chunk, or, in a run, before a terminal
 * chunk or an `error`.
 */
export class StreamTruncatedError extends StreamError {
  override readonly name = "StreamTruncatedError";
  readonly code = "truncated";

  /** @param what - What happened, without a full stop. */
  constructor(what = "The stream ended too early", options?: ErrorOptions) {
    super(`${what}: the answer is incomplete.`, options);
  }
}

/**
 * Whether `error` is one of these packages' errors, including one created by another copy of the package.
 *
 * @example
 * ```ts
 * isStreamError(new StreamTruncatedError()); // true
 * isStreamError(new TypeError("Failed to fetch")); // false
 * ```
 */
export function isStreamError(error: unknown): error is StreamError {
  return typeof error === "object" && error !== null && brand in error;
}
