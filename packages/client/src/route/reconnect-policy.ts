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
 * A server that says how long to wait is asked then, also when that is sooner than `gapMs`. The spread is as long as that
 * wait, or else begins at this and doubles with each attempt that brings nothing. After `maxPacedAttempts` in a row, each
 * within `gapMs` of the last request, a shorter wait no longer counts.
 */
const pacedSpreadMs = 250;
const maxPacedAttempts = 4;

/** A request that nothing answers is made twice: an address that is wrong, or blocked, is not worth more patience. */
const maxUnanswered = 2;
/** So is a POST that fails with 500: its handler is broken, rather than its server away. */
const maxServerErrors = 2;

/**
 * Statuses that may pass: request timeout, too early, too many requests (RFC 9110, section 15; RFC 8470; RFC 6585), and
 * failures of the server. For a GET, which costs nothing, these are all but "not implemented" and "HTTP version not
 * supported": CDNs have their own, from 520 on. A POST may be paid for.
 */
const passingOfGet = /^(408|425|429|5(?!01|05)\d\d)$/;
const passingOfPost = /^(408|425|429|50[0234])$/;
/** Codes of errors that are not a status. */
const passingCode = /^(truncated|idle|connection)$/;

/** Times are in milliseconds. */
export interface ReconnectFailure {
  error: unknown;
  /** The event id to resume behind; `""` when there is none. */
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
  /** It asks for what comes behind `lastEventId`, and does not make the first request again. */
  isResume: boolean;
  /** 1 for the first since something new came; 0 for one that only has other headers. */
  attempt: number;
  /** The earliest time, whatever happens meanwhile. */
  minMs: number;
  /** When it is made, unless there is reason to think that the connection is back. */
  delayMs: number;
}

/**
 * @param random - Gives numbers from 0 to below 1.
 * @returns what to request after each failure of one stream.
 * @throws RangeError for a `giveUpAfterMs` that is not a number of milliseconds. The returned function throws what the
 * stream fails with, when nothing more is to be requested.
 */
export function createReconnectPolicy(
  options: Pick<StreamFromRouteOptions, "method" | "idempotent" | "giveUpAfterMs" | "headers">,
  random: () => number,
): (failure: ReconnectFailure) => ReconnectStep {
  const { method = "POST", idempotent = method === "GET", headers } = options;
  const giveUpAfterMs = parseDelayMs("giveUpAfterMs", options.giveUpAfterMs ?? 15 * 60_000);
  /** Attempts since something new came. */
  let attempts = 0;
  /** Whether any request but the first has been made. */
  let isRepeated = false;
  /** Attempts in a row that were made when the server wanted them, while the last request was younger than `gapMs`. */
  let paced = 0;
  let hasRefreshed = false;
  let hasChunks = false;
  let knownEventId = "";
  let wasAnswered = false;
  /** Requests that got no answer while there was a network. */
  let unanswered = 0;
  let serverErrors = 0;
  /** Why the stream is not read any more: what later attempts run into only hides it. */
  let outage: unknown;

  /** Whether the same request may fare better the next time. */
  function mayPass(status: number | undefined, code: string | undefined, isGet: boolean): boolean {
    if (status === undefined) {
      return passingCode.test(`${code}`) && (wasAnswered || unanswered < maxUnanswered);
    }
    if (isGet) return passingOfGet.test(`${status}`);
    return passingOfPost.test(`${status}`) && (status !== 500 || serverErrors < maxServerErrors);
  }

  /** @param toldMs - How long the server wants to be left alone; undefined where it does not say. */
  function schedule(
    toldMs: number | undefined,
    sinceRequestMs: number,
  ): Pick<ReconnectStep, "minMs" | "delayMs"> {
    const restMs = Math.max(0, gapMs - sinceRequestMs);
    if (restMs === 0) paced = 0;
    let minMs = toldMs ?? 0;
    let spreadMs = firstSpreadMs;
    if (toldMs !== undefined && paced < maxPacedAttempts) {
      paced++;
      spreadMs = Math.min(firstSpreadMs, Math.max(toldMs, pacedSpreadMs * 2 ** attempts));
    } else if (attempts > 0 || (isRepeated && restMs > 0)) {
      minMs = Math.max(minMs, restMs);
      spreadMs = gapSpreadMs;
    }
    return { minMs, delayMs: minMs + random() * spreadMs };
  }

  return ({ error, lastEventId, retryMs, newChunks, silentMs, sinceRequestMs, isOffline }) => {
    // Chunks of unknown types are none, but the next resume begins behind them.
    const madeProgress = newChunks > 0 || lastEventId !== knownEventId;
    knownEventId = lastEventId;
    hasChunks ||= newChunks > 0;
    if (madeProgress) {
      attempts = 0;
      hasRefreshed = false;
    }
    const known = error instanceof StreamError ? (error as Partial<StreamHttpError>) : {};
    const { status, body, retryAfterMs = retryMs } = known;
    const code: string | undefined = known.code;
    if (status === undefined && (madeProgress || outage === undefined)) outage = error;
    if (code !== "connection") wasAnswered = true;
    else if (!isOffline) unanswered++;
    if (status === 500) serverErrors++;

    const isResume = parseEventId(lastEventId) !== undefined;
    // Nobody has worked on a request that was refused.
    if (
      /^40[13]$/.test(`${status}`) &&
      typeof headers === "function" &&
      !hasRefreshed &&
      (isResume || !hasChunks)
    ) {
      hasRefreshed = true;
      isRepeated = true;
      return { isResume, attempt: 0, minMs: 0, delayMs: 0 };
    }
    // A route that knows no GET cannot resume: what is left to tell is why it would have had to.
    if (status === 405 && isResume) throw outage ?? error;
    // A server that is about to end has refused the request before it did anything.
    const isDraining = status === 503 && (body as { code?: unknown } | null)?.code === "draining";
    const mayAsk = isResume || (!hasChunks && (idempotent || isDraining));
    if (!mayAsk || !mayPass(status, code, isResume || method === "GET")) throw error;

    const { minMs, delayMs } = schedule(retryAfterMs, sinceRequestMs);
    const remainingMs = giveUpAfterMs - silentMs;
    if (minMs >= remainingMs) throw error;
    isRepeated = true;
    return { isResume, attempt: ++attempts, minMs, delayMs: Math.min(delayMs, remainingMs) };
  };
}
