/**
 * How a chat reaches its agent: over a route, or over whatever an application puts in its place. Holds no state.
 */
import type { ChatRequestBody, StreamChunk } from "@kortyx/protocol";
import { checkResponse } from "../route/check-response.ts";
import { fetchRoute } from "../route/fetch-route.ts";
import {
  type ConnectionState,
  type RouteStreamOptions,
  streamFromRoute,
} from "../route/stream-from-route.ts";
import { discard } from "../stream/byte-stream.ts";
import type { StreamHttpError } from "../stream/errors.ts";

export interface ChatTransportOptions {
  /** Aborted when nobody wants the stream any more. */
  signal: AbortSignal;
  /** To be called when the connection is lost but not given up, and when it is back. */
  onConnectionChange: (connection: ConnectionState) => void;
}

/** Carries a chat. What a method throws, or its stream, becomes the chat's `error`. */
export interface ChatTransport {
  /**
   * Requests an answer. A stream of `streamFromRoute` is best returned as it is: a `stop` that waits for one of the
   * browser's connections can then have that of the stream.
   */
  start(body: ChatRequestBody, options: ChatTransportOptions): AsyncIterable<StreamChunk>;
  /**
   * Follows the newest run of a session from its beginning, whether it is over or not. A stream says that there is none
   * when it throws, before its first chunk, an error whose `status` is 404 or 405, as `StreamHttpError` has it; or a
   * `StreamTruncatedError` before `open` was told.
   */
  resume?(target: { sessionId: string }, options: ChatTransportOptions): AsyncIterable<StreamChunk>;
  /**
   * Stops a run for everybody who follows it; its stream then ends on an `abort` chunk. An error whose `status` is 404
   * or 405 says that there is no such run.
   */
  stop?(target: { runId: string } | { idempotencyKey: string }): Promise<void>;
}

/** A stop that has not succeeded in this time has failed. */
const stopTimeoutMs = 10_000;
/** A stop is not repeated sooner, whatever the server says. */
const minStopRetryMs = 1_000;

/** Carries a chat over a route: POST starts, GET resumes, DELETE stops. */
export function createRouteTransport(readOptions: () => RouteStreamOptions): ChatTransport {
  return {
    start: (body, options) => streamFromRoute({ ...readOptions(), ...options, body }),
    resume: ({ sessionId }, options) =>
      streamFromRoute({ ...readOptions(), ...options, method: "GET", query: { session: sessionId } }),
    async stop(target) {
      const startedAt = performance.now();
      for (;;) {
        const remainingMs = startedAt + stopTimeoutMs - performance.now();
        try {
          return await requestStop(readOptions(), target, remainingMs);
        } catch (error) {
          // A store, or a process, that is away for a moment says when to ask again; a run may be stopped twice.
          const { status, retryAfterMs } = error as Partial<StreamHttpError>;
          const waitMs = Math.max(minStopRetryMs, retryAfterMs ?? Number.POSITIVE_INFINITY);
          if (status !== 503 || startedAt + stopTimeoutMs - performance.now() <= waitMs) throw error;
          await new Promise((resolve) => setTimeout(resolve, waitMs));
        }
      }
    },
  };
}

async function requestStop(
  options: RouteStreamOptions,
  target: Parameters<NonNullable<ChatTransport["stop"]>>[0],
  timeoutMs: number,
): Promise<void> {
  const { signal } = new AbortController();
  const response = await fetchRoute(options, {
    method: "DELETE",
    accept: "application/json",
    // SvelteKit takes a DELETE without a content type for a forged form, and Fastify refuses JSON that is empty.
    body: {},
    query: "runId" in target ? { run: target.runId } : { key: target.idempotencyKey },
    signal,
    timeoutMs,
  });
  discard(await checkResponse(response, undefined, signal));
}
