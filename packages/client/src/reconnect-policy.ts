/**
 * Decides what follows a failed request or an interrupted body: another request, and when, or the end. Is given the
 * randomness; waits for nothing and asks nobody.
 */
import { isStreamError, parseEventId } from "@kortyx/protocol";
import { StreamHttpError } from "./stream-errors.ts";

/** The back-off before attempt n is a random time below `baseMs * 2 ** n`, and never more than `capMs`. */
const baseMs = 500;
const capMs = 20_000;

/** A server that wants to be left alone for longer is not waited for. */
const maxFloorMs = 120_000;

/**
 * The route is there, but cannot answer now: request timeout, too early, too many requests, and the failures of a
 * server or of what stands before it (RFC 9110, section 15; RFC 8470; RFC 6585).
 */
const passingStatuses = [408, 425, 429, 500, 502, 503, 504];

export interface ReconnectPolicyOptions {
  /** The first request may be made again without harm. */
  idempotent: boolean;
  /** `headers` may have something else to say the next time. */
  canRefreshHeaders: boolean;
  /** How many attempts in a row may bring nothing new. */
  maxReconnects: number;
  /** From 0 to below 1. */
  random: () => number;
}

export interface ReconnectFailure {
  error: unknown;
  /** The event id to resume behind; `""` when there is none. */
  lastEventId: string;
  /** The server's `retry:`, in milliseconds. */
  retryMs: number | undefined;
  /** The connection that failed brought something new. */
  madeProgress: boolean;
  /** The stream has given chunks. */
  hasChunks: boolean;
}

/** What follows a failure. */
export type ReconnectStep =
  | { action: "fail"; error: unknown }
  | {
      /** `resume` asks for what comes behind `lastEventId`, `repeat` makes the first request again. */
      action: "resume" | "repeat";
      /** 1 for the first attempt since something new came; 0 for one that only has other headers. */
      attempt: number;
      /** Nothing may be asked before. */
      floorMs: number;
      /** To be waited for beyond that, unless there is reason to think that the connection is back. */
      jitterMs: number;
    };

export interface ReconnectPolicy {
  next(failure: ReconnectFailure): ReconnectStep;
}

export function createReconnectPolicy(options: ReconnectPolicyOptions): ReconnectPolicy {
  const { idempotent, canRefreshHeaders, maxReconnects, random } = options;
  let attempt = 0;
  let hasRefreshed = false;
  /** Why the stream is not read any more: what later attempts run into only hides it. */
  let outage: unknown;

  return {
    next({ error, lastEventId, retryMs, madeProgress, hasChunks }) {
      if (madeProgress) {
        attempt = 0;
        hasRefreshed = false;
      }
      const response = error instanceof StreamHttpError ? error : undefined;
      const status = response?.status ?? 0;
      if (response === undefined && (madeProgress || outage === undefined)) outage = error;

      const canResume = parseEventId(lastEventId) !== undefined;
      const action = canResume ? "resume" : "repeat";
      if ((status === 401 || status === 403) && canRefreshHeaders && !hasRefreshed) {
        hasRefreshed = true;
        // Nobody has worked on a request that was refused.
        if (canResume || !hasChunks) return { action, attempt: 0, floorMs: 0, jitterMs: 0 };
      }
      // A route that knows no GET cannot resume: what is left to tell is why it would have had to.
      if (status === 405 && canResume) return { action: "fail", error: outage ?? error };
      const mayRepeat = !hasChunks && (idempotent || isDraining(response));
      const floorMs = response?.retryAfterMs ?? retryMs ?? 0;
      if (
        !(canResume || mayRepeat) ||
        !isPassing(error, status) ||
        attempt >= maxReconnects ||
        floorMs > maxFloorMs
      ) {
        return { action: "fail", error };
      }
      const jitterMs = random() * Math.min(capMs, baseMs * 2 ** attempt);
      attempt++;
      return { action, attempt, floorMs, jitterMs };
    },
  };
}

/** Whether the next attempt may go better. */
function isPassing(error: unknown, status: number): boolean {
  if (status !== 0) return passingStatuses.includes(status);
  return isStreamError(error) && ["truncated", "idle", "connection"].includes(error.code);
}

/** A server that is about to end has refused the request before it did anything. */
const isDraining = (response: StreamHttpError | undefined): boolean =>
  response?.status === 503 && (response.body as { code?: unknown } | null)?.code === "draining";
