/**
 * The errors that only a client can meet. Those of the contract itself are the protocol's.
 */
import { type ErrorChunk, StreamError } from "@kortyx/protocol";

/**
 * The request got no response: refused, unknown host, blocked by CORS, offline, or no headers in time. `cause` is what
 * `fetch` threw; the message says what it may be.
 */
export class StreamConnectionError extends StreamError {
  override readonly name = "StreamConnectionError";
  readonly code = "connection";

  constructor(url: string, cause: unknown) {
    // Node has the reason one level down, and for a host with several addresses only as a code.
    const { code, message } = ((cause as Error | null | undefined)?.cause ?? {}) as { code?: string } & Error;
    const detail = code ?? message;
    const causes =
      "Nothing listens there, there is no network, or, in a page, CORS or the Content-Security-Policy forbids the request.";
    super(
      cause instanceof StreamIdleError
        ? `No response from ${url}: ${cause.message}`
        : `No response from ${url}: ${cause}${detail ? ` (${detail})` : ""}. ${causes}`,
      { cause },
    );
  }
}

/**
 * The request cannot be made as it is: `fetch` refuses it before anything is sent. The message says what to change, and
 * `cause` is what was thrown.
 */
export class StreamRequestError extends StreamError {
  override readonly name = "StreamRequestError";
  readonly code = "invalid-request";

  constructor(mistake: string, cause: unknown) {
    super(`The request cannot be made: ${mistake}`, { cause });
  }
}

/**
 * The route answered with a status other than 2xx. Where the body is that of a Kortyx route, `{ error, code }`, the message
 * is its `error`: the same text as that of an `error` chunk.
 */
export class StreamHttpError extends StreamError {
  override readonly name = "StreamHttpError";
  readonly code = "http-status";
  declare readonly status: number;
  /** The body: parsed when it is JSON, else its text. At most 65,536 UTF-16 code units of it are kept. */
  declare readonly body: unknown;
  /** The server's `retry-after`, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;

  constructor(response: Response, body: unknown) {
    // A fetch of somebody else may leave the text of the status out.
    const { status, statusText = "", headers } = response;
    const said = (body as { error?: unknown } | null | undefined)?.error;
    const detail = typeof said === "string" ? said : statusText;
    super(textOfRoute(body) || `The route answered ${status}${detail && `: ${detail}`}`);
    this.status = status;
    this.body = body;
    this.retryAfterMs = parseRetryAfter(headers);
  }
}

/** The route answered 2xx with something else than was asked for, such as a login page. */
export class StreamContentTypeError extends StreamError {
  override readonly name = "StreamContentTypeError";
  readonly code = "content-type";
  /** The `content-type` that came; `""` when there was none. */
  declare readonly contentType: string;

  constructor(response: Response, expected: string) {
    const contentType = response.headers.get("content-type") ?? "";
    const from = response.url ? ` from ${response.url}` : "";
    super(`Expected ${expected}, got ${contentType || "no content type"}${from}.`);
    this.contentType = contentType;
  }
}

/**
 * A body cannot be read: it was read before, it is not a stream, or the `fetch` that made it cannot stream and its
 * response has no other way to be read.
 */
export class StreamBodyError extends StreamError {
  override readonly name = "StreamBodyError";
  readonly code = "unreadable-body";

  constructor(problem: string) {
    super(`Cannot read the body: ${problem}.`);
  }
}

/**
 * Nothing came for longer than the server's heartbeats allow, or than `idleTimeoutMs`: the connection is dead. Also the
 * `cause` of a `StreamConnectionError` when no headers came within `connectTimeoutMs`.
 */
export class StreamIdleError extends StreamError {
  override readonly name = "StreamIdleError";
  readonly code = "idle";

  constructor(silentMs: number) {
    super(`Nothing came for ${silentMs / 1000} s: the answer is incomplete.`);
  }
}

/** The stream ended on an `error` chunk: the server tells that the answer failed. */
export class StreamRemoteError extends StreamError {
  override readonly name = "StreamRemoteError";
  readonly code = "remote";
  /** What the server said, with its own `code`, `retryable` and `correlationId`. */
  declare readonly chunk: ErrorChunk;

  constructor(chunk: ErrorChunk) {
    // An error without a text would be shown as nothing.
    super(chunk.message || "Stream error.");
    this.chunk = chunk;
  }
}

/** Why a chat cannot do what it was asked for. */
export type ChatStateErrorCode =
  /** An answer is streaming: `stop()` it, or wait for it. */
  | "busy"
  /** A message without text, metadata or anything else. */
  | "empty-message"
  /** Not a message at all, such as the event that a handler gets. */
  | "invalid-message"
  /** There is no message of the user to answer again. */
  | "nothing-to-regenerate"
  /** The question was answered already, or the conversation went on without an answer. */
  | "not-pending";

/** A chat refused an action, because of its state or of what it was given. */
export class ChatStateError extends StreamError {
  override readonly name = "ChatStateError";
  declare readonly code: ChatStateErrorCode;

  constructor(code: ChatStateErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What one of our routes says to the user: in the body of a failure, or in the `error` chunk of a partial answer. */
function textOfRoute(body: unknown): string | undefined {
  const { error, code } = (body ?? {}) as { error?: unknown; code?: unknown };
  if (typeof error === "string") return typeof code === "string" ? error : undefined;
  const { type, message } = (error ?? {}) as Partial<ErrorChunk>;
  return type === "error" && typeof message === "string" ? message : undefined;
}

/**
 * RFC 9110, section 10.2.3: seconds, or a date, which counts from when the response was sent. The clock of this machine,
 * which may be wrong, is asked only where the response does not say.
 */
function parseRetryAfter(headers: Pick<Headers, "get">): number | undefined {
  // The first value, where a proxy has added another.
  const [value = ""] = /^(?:\d+(?=\s*(?:,|$))|[a-z]+,? [^,]+)/i.exec(headers.get("retry-after") ?? "") ?? [];
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // A date begins with a day of the week. `Date.parse` also takes what is not one, such as "1.5".
  const sentAt = Date.parse(headers.get("date") ?? "");
  const ms = Date.parse(value) - (Number.isNaN(sentAt) ? Date.now() : sentAt);
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** What anybody may throw, as an Error. */
export const toError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
