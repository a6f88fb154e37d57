/**
 * Decides what follows a failed request or an interrupted body: another request, and when, or the end. Is given the
 * randomness; waits for nothing and asks nobody.
 */
import { parseEventId, StreamError } from "@kortyx/protocol";
import type { StreamHttpError } from "./stream-errors.ts";
import type { StreamFromRouteOptions } from "./stream-from-route.ts";

/** The back-off before attempt n is a random time below `baseMs * 2 ** (n - 1)`, and never more than `capMs`. */
const baseMs = 500;
const capMs = 20_000;

/** A server that wants to be left alone for longer is not waited for. */
const maxFloorMs = 120_000;

/**
 * What may go better the next time. Of an answer, its status: request timeout, too early, too many requests, and the
 * failures of a server or of what stands before it (RFC 9110, section 15; RFC 8470; RFC 6585). Else the error's code.
 */
const passing = /^(408|425|429|50[0234]|truncated|idle|connection)$/;

export interface ReconnectFailure {
  error: unknown;
  /** The event id to resume behind; `""` when there is none. */
  lastEventId: string;
  /** The server's `retry:`, in milliseconds. */
  retryMs?: number | undefined;
  /** How many chunks the connection that failed has given. */
  newChunks: number;
}

/**
 * The next request.
 *
 * - `isResume`: it asks for what comes behind `lastEventId`, and does not make the first request again.
 * - `attempt`: 1 for the first since something new came; 0 for one that only has other headers.
 * - `floorMs`: nothing may be asked before, in milliseconds from now.
 * - `jitterMs`: to be waited for beyond that, unless there is reason to think that the connection is back.
 */
export type ReconnectStep = [isResume: boolean, attempt: number, floorMs: number, jitterMs: number];

/**
 * @param random - Gives numbers from 0 to below 1.
 * @returns what is to be asked after each failure of one stream.
 * @throws The returned function throws what the stream fails with, when nothing is to be asked any more.
 */
export function createReconnectPolicy(
  options: Pick<StreamFromRouteOptions, "method" | "idempotent" | "maxReconnects" | "headers">,
  random: () => number,
): (failure: ReconnectFailure) => ReconnectStep {
  const { method, idempotent = method === "GET", maxReconnects = 10, headers } = options;
  let attempt = 0;
  let hasRefreshed = false;
  let hasChunks = false;
  let knownEventId = "";
  /** Why the stream is not read any more: what later attempts run into only hides it. */
  let outage: unknown;

  return ({ error, lastEventId, retryMs = 0, newChunks }) => {
    // Chunks of unknown types are none, but the next resume begins behind them.
    const madeProgress = newChunks > 0 || lastEventId !== knownEventId;
    knownEventId = lastEventId;
    hasChunks ||= newChunks > 0;
    if (madeProgress) {
      attempt = 0;
      hasRefreshed = false;
    }
    const {
      status,
      code,
      body,
      retryAfterMs: floorMs = retryMs,
    } = (error instanceof StreamError ? error : {}) as Partial<StreamHttpError>;
    if (status === undefined && (madeProgress || outage === undefined)) outage = error;

    const isResume = parseEventId(lastEventId) !== undefined;
    // Nobody has worked on a request that was refused.
    if (
      /^40[13]$/.test(`${status}`) &&
      typeof headers === "function" &&
      !hasRefreshed &&
      (isResume || !hasChunks)
    ) {
      hasRefreshed = true;
      return [isResume, 0, 0, 0];
    }
    // A route that knows no GET cannot resume: what is left to tell is why it would have had to.
    if (status === 405 && isResume) throw outage ?? error;
    // A server that is about to end has refused the request before it did anything.
    const isDraining = status === 503 && (body as { code?: unknown } | null)?.code === "draining";
    if (
      !(isResume || (!hasChunks && (idempotent || isDraining))) ||
      !passing.test(`${status ?? code}`) ||
      attempt >= maxReconnects ||
      floorMs > maxFloorMs
    ) {
      throw error;
    }
    const jitterMs = random() * Math.min(capMs, baseMs * 2 ** attempt);
    return [isResume, ++attempt, floorMs, jitterMs];
  };
}
