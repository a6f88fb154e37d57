/**
 * Decides what follows a failed request or an interrupted body: another request and its time, or the end. Pure:
 * randomness and elapsed time are passed in; it neither waits nor makes requests.
 */
import { parseEventId, StreamError } from "@kortyx/protocol";
import { parseDelayMs } from "@kortyx/protocol/internal";
import type { StreamHttpError } from "../stream/errors.ts";
import type { StreamFromRouteOptions } from "./stream-from-route.ts";

/**
 * A server that goes down loses all of its clients at once. The first attempts after long-lived connections are spread
 * over `firstSpreadMs`. Every other request follows the last one by `gapMs` plus at most `gapSpreadMs`, whether that
 * one failed or not. So about 29 % of the clients make a request in any second, none makes two within 3.5 s, and each
 * is back within 5 s of the network's return.
 */
const firstSpreadMs = 3_500;
export const gapMs = 3_500;
const gapSpreadMs = 1_250;

/**
 * When the server sets the time to wait, the next request is made after that time, even if it is less than `gapMs`. The
 * spread equals that wait, but at least `pacedSpreadMs`, doubled for each attempt without new data. After
 * `maxPacedAttempts` in a row, each within `gapMs` of the last request, a wait shorter than `gapMs` no longer counts.
 */
const pacedSpreadMs = 250;
const maxPacedAttempts = 4;

/** A request without a response is made at most twice: the address is probably wrong or blocked. */
const maxUnanswered = 2;
/** A POST that fails with 500 is made at most twice: the handler is probably broken, not the server down. */
const maxServerErrors = 2;

/** Times are in milliseconds. */
export interface ReconnectFailure {
  error: unknown;
  /** The event id to resume after; `""` if there is none. */
  lastEventId: string;
  /** The server's `retry:` time. */
  retryMs?: number | undefined;
  /** The number of chunks from the failed connection. */
  newChunks: number;
  /** How long no byte has arrived, not counting time suspended or offline. */
  silentMs: number;
  /** How long ago the last request was made. */
  sinceRequestMs: number;
  /** The browser reports that it is offline. */
  isOffline: boolean;
}

/** The next request. Times are in milliseconds from now. */
export interface ReconnectStep {
  /** Whether it requests the events after `lastEventId`, instead of repeating the first request. */
  isResume: boolean;
  /** 1 for the first since new data arrived; 0 for one that only changes headers. */
  attempt: number;
  /** The earliest time, whatever happens in the meantime. */
  minMs: number;
  /** When it is made, unless the connection seems to be back earlier. */
  delayMs: number;
}

/** Kinds of failure, by what they imply for the next request. */
type FailureClass =
  /** The body broke off or fell silent. */
  | "interrupted"
  /** The request got no response. */
  | "unanswered"
  /** The server is shutting down and rejected the request before acting on it. */
  | "draining"
  /** 500: the handler failed. */
  | "server-error"
  /** Another temporary status, for both GET and POST. */
  | "passing"
  /** A temporary status that does not prove that a POST, which may cost money, had no effect. */
  | "passing-for-get"
  /** 401 and 403: the headers were rejected, without any effect. */
  | "refused"
  /** 405: the route does not support the method. */
  | "no-method"
  /** The same request would fail again. */
  | "final";

/** The fields that a StreamError may have. */
type KnownError = Partial<Pick<StreamHttpError, "status" | "body" | "retryAfterMs">> & { code?: string };

/** Request timeout, too early, too many requests (RFC 9110, section 15; RFC 8470; RFC 6585), and gateways. */
const passingStatuses = new Set([408, 425, 429, 502, 503, 504]);
/**
 * Not implemented, and HTTP version not supported. CDNs use their own 5xx statuses from 520 up, which are temporary.
 */
const finalServerStatuses = new Set([501, 505]);

function classify({ status, body, code }: KnownError): FailureClass {
  if (status === undefined) return classifyCode(code);
  if (status === 401 || status === 403) return "refused";
  if (status === 405) return "no-method";
  if (status === 503 && (body as { code?: unknown } | null)?.code === "draining") return "draining";
  if (status === 500) return "server-error";
  if (passingStatuses.has(status)) return "passing";
  const isServerStatus = status >= 500 && status <= 599;
  return isServerStatus && !finalServerStatuses.has(status) ? "passing-for-get" : "final";
}

function classifyCode(code: string | undefined): FailureClass {
  if (code === "connection") return "unanswered";
  return code === "truncated" || code === "idle" ? "interrupted" : "final";
}

/** Decides what follows each failure of one stream. */
export class ReconnectPolicy {
  readonly #isGet: boolean;
  readonly #mayRepeat: boolean;
  readonly #canRefreshHeaders: boolean;
  readonly #giveUpAfterMs: number;
  readonly #random: () => number;

  /** Chunks have been delivered, and cannot be taken back. */
  #hasChunks = false;
  #lastEventId = "";
  /** Why the stream stopped; failures of later attempts would only hide it. */
  #outage: unknown;
  #wasAnswered = false;
  /** Requests without a response while there was a network. */
  #unanswered = 0;
  #serverErrors = 0;
  /** A request other than the first one has been made. */
  #hasRepeated = false;

  // Reset when new data arrives:
  #attempts = 0;
  #hasRefreshedHeaders = false;

  /** Consecutive attempts made at the server's time, within `gapMs` of the last request. */
  #pacedAttempts = 0;

  /**
   * @param random - Returns numbers in [0, 1).
   * @throws RangeError if `giveUpAfterMs` is not a number of milliseconds.
   */
  constructor(
    options: Pick<StreamFromRouteOptions, "method" | "runs" | "giveUpAfterMs" | "headers">,
    random: () => number,
  ) {
    const { method = "POST", runs = false, headers } = options;
    this.#isGet = method === "GET";
    this.#mayRepeat = this.#isGet || runs;
    this.#canRefreshHeaders = typeof headers === "function";
    this.#giveUpAfterMs = parseDelayMs("giveUpAfterMs", options.giveUpAfterMs ?? 15 * 60_000);
    this.#random = random;
  }

  /**
   * @returns the next request.
   * @throws The stream's error, if no request follows.
   */
  next(failure: ReconnectFailure): ReconnectStep {
    const { error, lastEventId } = failure;
    const known: KnownError = error instanceof StreamError ? error : {};
    const failureClass = classify(known);
    this.#note(failureClass, failure, known.status);
    const isResume = parseEventId(lastEventId) !== undefined;
    // Repeating the first request would repeat the chunks.
    if (this.#hasChunks && !isResume) throw error;
    if (failureClass === "refused" && this.#canRefreshHeaders && !this.#hasRefreshedHeaders) {
      this.#hasRefreshedHeaders = true;
      this.#hasRepeated = true;
      return { isResume, attempt: 0, minMs: 0, delayMs: 0 };
    }
    // A route without GET cannot resume: report the error that made a resume necessary.
    if (failureClass === "no-method" && isResume) throw this.#outage ?? error;
    if (!this.#mayRequest(failureClass, isResume ? "resume" : "first")) throw error;
    return { isResume, ...this.#schedule(failure, known.retryAfterMs ?? failure.retryMs) };
  }

  #note(failureClass: FailureClass, failure: ReconnectFailure, status: number | undefined): void {
    const { error, lastEventId, newChunks, isOffline } = failure;
    // Chunks of unknown types are not counted, but the next resume begins after them.
    const hasProgressed = newChunks > 0 || lastEventId !== this.#lastEventId;
    this.#lastEventId = lastEventId;
    if (newChunks > 0) this.#hasChunks = true;
    if (hasProgressed) {
      this.#attempts = 0;
      this.#hasRefreshedHeaders = false;
    }
    if (status === undefined && (hasProgressed || this.#outage === undefined)) this.#outage = error;
    if (failureClass !== "unanswered") this.#wasAnswered = true;
    else if (!isOffline) this.#unanswered++;
    if (failureClass === "server-error") this.#serverErrors++;
  }

  /**
   * Whether the next request may succeed and is safe.
   *
   * @param request - `first` makes the first request again.
   */
  #mayRequest(failureClass: FailureClass, request: "first" | "resume"): boolean {
    const isGet = request === "resume" || this.#isGet;
    const mayRepeat = request === "resume" || this.#mayRepeat;
    switch (failureClass) {
      case "draining":
        return true;
      case "interrupted":
      case "passing":
        return mayRepeat;
      case "unanswered":
        return mayRepeat && (this.#wasAnswered || this.#unanswered < maxUnanswered);
      case "server-error":
        return mayRepeat && (isGet || this.#serverErrors < maxServerErrors);
      case "passing-for-get":
        return mayRepeat && isGet;
      default:
        return false;
    }
  }

  /**
   * @param wantedMs - How long the server asked to wait; undefined if it did not say.
   * @throws The failure's error if the next request would be too late.
   */
  #schedule(failure: ReconnectFailure, wantedMs: number | undefined): Omit<ReconnectStep, "isResume"> {
    const { error, silentMs, sinceRequestMs } = failure;
    const { minMs, spreadMs } = this.#chooseWait(wantedMs, Math.max(0, gapMs - sinceRequestMs));
    const delayMs = minMs + this.#random() * spreadMs;
    const remainingMs = this.#giveUpAfterMs - silentMs;
    if (minMs >= remainingMs) throw error;
    this.#hasRepeated = true;
    return { attempt: ++this.#attempts, minMs, delayMs: Math.min(delayMs, remainingMs) };
  }

  /** @param gapRestMs - The rest of `gapMs` since the last request. */
  #chooseWait(wantedMs: number | undefined, gapRestMs: number): { minMs: number; spreadMs: number } {
    if (gapRestMs === 0) this.#pacedAttempts = 0;
    if (wantedMs !== undefined && this.#pacedAttempts < maxPacedAttempts) {
      this.#pacedAttempts++;
      const spreadMs = Math.max(wantedMs, pacedSpreadMs * 2 ** this.#attempts);
      return { minMs: wantedMs, spreadMs: Math.min(firstSpreadMs, spreadMs) };
    }
    const minMs = wantedMs ?? 0;
    const isFirst = this.#attempts === 0 && !(this.#hasRepeated && gapRestMs > 0);
    return isFirst
      ? { minMs, spreadMs: firstSpreadMs }
      : { minMs: Math.max(minMs, gapRestMs), spreadMs: gapSpreadMs };
  }
}
