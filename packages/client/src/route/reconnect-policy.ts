/**
 * Decides what follows a failed request or an interrupted body: another request, and when, or the end. Pure: it is given
 * the randomness and the time that has passed, and neither waits nor requests anything.
 */
import { parseEventId, StreamError } from "@kortyx/protocol";
import { parseDelayMs } from "@kortyx/protocol/internal";
import type { StreamHttpError } from "../stream/errors.ts";
import type { StreamFromRouteOptions } from "./stream-from-route.ts";

/**
 * A server that goes away loses all of its clients at once. The first attempts after connections that have lasted are
 * spread over `firstSpreadMs`. Every other request follows the last one after `gapMs`, and at most `gapSpreadMs` later,
 * whether that one failed or brought something. So about 29 % of the clients make a request in any second, none makes
 * two within 3.5 s, and each is back within 5 s of the network.
 */
const firstSpreadMs = 3_500;
export const gapMs = 3_500;
const gapSpreadMs = 1_250;

/**
 * When the server says how long to wait, the next request is made then, even if that is sooner than `gapMs`. The spread is
 * as long as that wait, but at least `pacedSpreadMs`, doubled for each attempt that brought nothing. After
 * `maxPacedAttempts` in a row, each within `gapMs` of the last request, a wait shorter than `gapMs` no longer counts.
 */
const pacedSpreadMs = 250;
const maxPacedAttempts = 4;

/** A request without a response is made twice at most: a wrong or blocked address is not worth more patience. */
const maxUnanswered = 2;
/** A POST that fails with 500 is made twice at most: its handler is broken, rather than its server away. */
const maxServerErrors = 2;

/** Times are in milliseconds. */
export interface ReconnectFailure {
  error: unknown;
  /** The event id to resume after; `""` when there is none. */
  lastEventId: string;
  /** The server's `retry:`. */
  retryMs?: number | undefined;
  /** How many chunks the connection that failed has given. */
  newChunks: number;
  /** How long no byte has come, as far as the program ran and was online. */
  silentMs: number;
  /** How long ago the last request was made. */
  sinceRequestMs: number;
  /** The browser says that there is no network. */
  isOffline: boolean;
}

/** The next request. Times are in milliseconds from now. */
export interface ReconnectStep {
  /** It requests what comes after `lastEventId`, instead of making the first request again. */
  isResume: boolean;
  /** 1 for the first since something new came; 0 for one that only has other headers. */
  attempt: number;
  /** The earliest time, whatever happens meanwhile. */
  minMs: number;
  /** When it is made, unless there is reason to think that the connection is back. */
  delayMs: number;
}

/** What a failure says about the next request. */
type FailureClass =
  /** The body broke off or fell silent. */
  | "interrupted"
  /** The request got no response. */
  | "unanswered"
  /** The server is shutting down and has rejected the request before it did anything. */
  | "draining"
  /** 500: the handler failed. */
  | "server-error"
  /** Any other status that may pass, for a GET and for a POST. */
  | "passing"
  /** A status that may pass, but does not show that a POST, which may cost money, had no effect. */
  | "passing-for-get"
  /** 401 and 403: the headers were rejected, and nothing was done. */
  | "refused"
  /** 405: the route has no such method. */
  | "no-method"
  /** The same request would fail again. */
  | "final";

/** What a StreamError may say of itself. */
type KnownError = Partial<Pick<StreamHttpError, "status" | "body" | "retryAfterMs">> & { code?: string };

/** Request timeout, too early, too many requests (RFC 9110, section 15; RFC 8470; RFC 6585), and gateways. */
const passingStatuses = new Set([408, 425, 429, 502, 503, 504]);
/** Not implemented, and HTTP version not supported. CDNs have 5xx statuses of their own, from 520 on, which may pass. */
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

/** What follows each failure of one stream. */
export class ReconnectPolicy {
  readonly #isGet: boolean;
  readonly #mayRepeat: boolean;
  readonly #canRefreshHeaders: boolean;
  readonly #giveUpAfterMs: number;
  readonly #random: () => number;

  /** The chunks of the stream so far cannot be taken back. */
  #hasChunks = false;
  #lastEventId = "";
  /** Why the stream stopped: the failures of later attempts would only hide it. */
  #outage: unknown;
  #wasAnswered = false;
  /** Requests without a response while there was a network. */
  #unanswered = 0;
  #serverErrors = 0;
  /** A request other than the first one has been made. */
  #hasRepeated = false;

  // Since something new came:
  #attempts = 0;
  #hasRefreshedHeaders = false;

  /** Attempts in a row that were made when the server wanted them, while the last request was younger than `gapMs`. */
  #pacedAttempts = 0;

  /**
   * @param random - Returns numbers from 0 to below 1.
   * @throws RangeError for a `giveUpAfterMs` that is not a number of milliseconds.
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
   * @throws What the stream fails with, when no request follows.
   */
  next(failure: ReconnectFailure): ReconnectStep {
    const { error, lastEventId } = failure;
    const known: KnownError = error instanceof StreamError ? error : {};
    const failureClass = classify(known);
    this.#note(failureClass, failure, known.status);
    const isResume = parseEventId(lastEventId) !== undefined;
    // The first request again would give the chunks again.
    if (this.#hasChunks && !isResume) throw error;
    if (failureClass === "refused" && this.#canRefreshHeaders && !this.#hasRefreshedHeaders) {
      this.#hasRefreshedHeaders = true;
      this.#hasRepeated = true;
      return { isResume, attempt: 0, minMs: 0, delayMs: 0 };
    }
    // A route without GET cannot resume: the error worth reporting is why it had to.
    if (failureClass === "no-method" && isResume) throw this.#outage ?? error;
    if (!this.#mayRequest(failureClass, isResume)) throw error;
    return this.#schedule(failure, known.retryAfterMs ?? failure.retryMs, isResume);
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

  /** Whether the next request may succeed, and can do no harm. */
  #mayRequest(failureClass: FailureClass, isResume: boolean): boolean {
    const isGet = isResume || this.#isGet;
    const mayRepeat = isResume || this.#mayRepeat;
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
   * @param wantedMs - How long the server wants to be left alone; undefined where it does not say.
   * @throws The failure's error when the next request would be too late.
   */
  #schedule(failure: ReconnectFailure, wantedMs: number | undefined, isResume: boolean): ReconnectStep {
    const { error, silentMs, sinceRequestMs } = failure;
    const { minMs, spreadMs } = this.#chooseWait(wantedMs, Math.max(0, gapMs - sinceRequestMs));
    const delayMs = minMs + this.#random() * spreadMs;
    const remainingMs = this.#giveUpAfterMs - silentMs;
    if (minMs >= remainingMs) throw error;
    this.#hasRepeated = true;
    return { isResume, attempt: ++this.#attempts, minMs, delayMs: Math.min(delayMs, remainingMs) };
  }

  /** @param gapRestMs - What is left of `gapMs` since the last request. */
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
