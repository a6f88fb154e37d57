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
  /** Aborted when the chat no longer wants the stream. */
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
   * `StreamTruncatedError` before `onConnectionChange` reported `open`.
   */
  resume?(target: { sessionId: string }, options: ChatTransportOptions): AsyncIterable<StreamChunk>;
  /**
   * Stops a run for all of its followers; its stream then ends on an `abort` chunk. An error whose `status` is 404
   * or 405 says that there is no such run.
   */
  stop?(target: { runId: string } | { idempotencyKey: string }): Promise<void>;
}

/** How a route is reached. The rest, such as whether the request may be repeated, is the chat's. */
export type RouteTransportOptions = Omit<RouteStreamOptions, "signal" | "onConnectionChange" | "runs">;

/** How long a stop may take, its repetitions included. */
const stopTimeoutMs = 10_000;
/** The shortest time between two attempts to stop, whatever the server says. */
const minStopRetryMs = 1_000;

/**
 * Carries a chat over a route: POST starts an answer, GET resumes it, DELETE stops it. It is what `createChat({ endpoint })`
 * uses; create one to change a single method, or to add to it.
 *
 * A start is repeated only if its body has an idempotency key, which a chat with `runs: true` gives it. A stop is
 * repeated while the route responds with 503 and a `retry-after`, for at most 10 s.
 *
 * @param options - Or a function that returns them, which is called for every request.
 * @throws TypeError for an option of the wrong type, RangeError for a number that is NaN or negative: at once, or at the
 * first request where the options are a function.
 *
 * @example
 * ```ts
 * const route = createRouteTransport({ endpoint: "/api/chat" });
 * const chat = createChat({
 *   transport: {
 *     ...route,
 *     async stop(target) {
 *       await route.stop(target);
 *       console.info("stopped", target);
 *     },
 *   },
 * });
 * ```
 */
export function createRouteTransport(
  options: RouteTransportOptions | (() => RouteTransportOptions),
): Required<ChatTransport> {
  const readOptions = typeof options === "function" ? options : () => options;
  // Checks the options; requests nothing before it is read.
  if (typeof options !== "function") streamFromRoute(options);
  return {
    start: (body, chat) =>
      streamFromRoute({ ...readOptions(), ...chat, body, runs: body.idempotencyKey !== undefined }),
    resume: ({ sessionId }, chat) =>
      streamFromRoute({ ...readOptions(), ...chat, method: "GET", query: { session: sessionId } }),
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
  options: RouteTransportOptions,
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
