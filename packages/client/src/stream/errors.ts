/**
 * The errors that only a client can meet. Errors of the contract itself are in the protocol package.
 */
import { type ErrorChunk, StreamError } from "@kortyx/protocol";

/**
 * The request got no response: refused, unknown host, blocked by CORS, offline, or no headers in time. `cause` is the
 * error of `fetch`; the message lists possible causes.
 */
export class StreamConnectionError extends StreamError {
  override readonly name = "StreamConnectionError";
  readonly code = "connection";

  constructor(url: string, cause: unknown) {
    // Node puts the reason one level down, and for a host with several addresses only as a code.
    const { code, message } = ((cause as Error | null | undefined)?.cause ?? {}) as { code?: string } & Error;
    const detail = code ?? message;
    const causes =
      "Nothing listens there, there is no network, or, in a page, CORS or the Content-Security-Policy forbids the request.";
    super(
      cause instanceof StreamIdleError
        ? `No response from ${url} within ${cause.silentMs / 1000} s.`
        : `No response from ${url}: ${cause}${detail ? ` (${detail})` : ""}. ${causes}`,
      { cause },
    );
  }
}

/**
 * The request is invalid, and nothing is sent. The message names what to change; `cause` is the error of `fetch`, or of what
 * the request is made from, if there is one.
 */
export class StreamRequestError extends StreamError {
  override readonly name = "StreamRequestError";
  readonly code = "invalid-request";

  constructor(mistake: string, cause: unknown) {
    super(`The request cannot be made: ${mistake}`, { cause });
  }
}

/**
 * The route responded with a status other than 2xx. For a Kortyx route's body, `{ error, code }`, the message is its
 * `error`: the same text as that of an `error` chunk.
 */
export class StreamHttpError extends StreamError {
  override readonly name = "StreamHttpError";
  readonly code = "http-status";
  /** The HTTP status of the response. */
  declare readonly status: number;
  /** The body: parsed if it is JSON, else its text. At most 65,536 UTF-16 code units are kept. */
  declare readonly body: unknown;
  /** The server's `retry-after`, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;

  constructor(response: Response, body: unknown) {
    // A third-party `fetch` may omit the status text.
    const { status, statusText = "", headers } = response;
    const said = (body as { error?: unknown } | null | undefined)?.error;
    const detail = typeof said === "string" ? said : statusText;
    super(textOfRoute(body) || `The route responded with ${status}${detail && `: ${detail}`}`);
    this.status = status;
    this.body = body;
    this.retryAfterMs = parseRetryAfter(headers);
  }
}

/** The route responded with 2xx but an unexpected content type, such as that of a login page. */
export class StreamContentTypeError extends StreamError {
  override readonly name = "StreamContentTypeError";
  readonly code = "content-type";
  /** The received `content-type`; `""` if there was none. */
  declare readonly contentType: string;

  constructor(response: Response, expected: string) {
    const contentType = response.headers.get("content-type") ?? "";
    const from = response.url ? ` from ${response.url}` : "";
    super(`Expected ${expected}, got ${contentType || "no content type"}${from}.`);
    this.contentType = contentType;
  }
}

/**
 * A body cannot be read: it was already read, it is not a stream, or its `fetch` cannot stream and the response has no
 * other method to read it.
 */
export class StreamBodyError extends StreamError {
  override readonly name = "StreamBodyError";
  readonly code = "unreadable-body";

  constructor(problem: string) {
    super(`Cannot read the body: ${problem}.`);
  }
}

/**
 * Nothing arrived for longer than the server's heartbeats, or `idleTimeoutMs`, allow: the connection is dead. Also the
 * `cause` of a `StreamConnectionError` if no headers arrived within `connectTimeoutMs`.
 */
export class StreamIdleError extends StreamError {
  override readonly name = "StreamIdleError";
  readonly code = "idle";
  /** How long the client waited, in milliseconds. */
  declare readonly silentMs: number;

  constructor(silentMs: number) {
    super(`No data received for ${silentMs / 1000} s: the answer is incomplete.`);
    this.silentMs = silentMs;
  }
}

/** The stream ended on an `error` chunk: the server reported that the answer failed. */
export class StreamRemoteError extends StreamError {
  override readonly name = "StreamRemoteError";
  readonly code = "remote";
  /** The `error` chunk, with its `code`, `retryable` and `correlationId`. */
  declare readonly chunk: ErrorChunk;

  constructor(chunk: ErrorChunk) {
    // An error without a text would be displayed as nothing.
    super(chunk.message || "Stream error.");
    this.chunk = chunk;
  }
}

/** Why a chat refused an action. */
export type ChatStateErrorCode =
  /** An answer is streaming, or a file is being uploaded: `stop()` it, or wait for it. */
  | "busy"
  /** A message without text, metadata or anything else. */
  | "empty-message"
  /** Not a message, a file or an answer that a chat can take, such as the event passed to a handler. */
  | "invalid-message"
  /** There is no user message to answer again. */
  | "nothing-to-regenerate"
  /** The question was already answered, the conversation continued without an answer, or no tool is waited for. */
  | "not-pending"
  /** The last user message, with what follows it, exceeds `maxHistoryBytes`. */
  | "too-large";

/** A chat refused an action because of its state or its input. */
export class ChatStateError extends StreamError {
  override readonly name = "ChatStateError";
  declare readonly code: ChatStateErrorCode;

  constructor(code: ChatStateErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The text for the user from a Kortyx route: in the body of a failure, or in the `error` chunk of a partial answer. */
function textOfRoute(body: unknown): string | undefined {
  const { error, code } = (body ?? {}) as { error?: unknown; code?: unknown };
  if (typeof error === "string") return typeof code === "string" ? error : undefined;
  const { type, message } = (error ?? {}) as Partial<ErrorChunk>;
  return type === "error" && typeof message === "string" ? message : undefined;
}

/**
 * RFC 9110, section 10.2.3: seconds, or a date, which counts from when the response was sent. The local clock, which
 * may be wrong, is used only if the response has no date.
 */
function parseRetryAfter(headers: Pick<Headers, "get">): number | undefined {
  // The first value, in case a proxy added another.
  const [value = ""] = /^(?:\d+(?=\s*(?:,|$))|[a-z]+,? [^,]+)/i.exec(headers.get("retry-after") ?? "") ?? [];
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // A date begins with a day of the week. `Date.parse` also accepts other text, such as "1.5".
  const sentAt = Date.parse(headers.get("date") ?? "");
  const ms = Date.parse(value) - (Number.isNaN(sentAt) ? Date.now() : sentAt);
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Turns any thrown value into an Error. */
export const toError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
