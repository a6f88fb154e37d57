/**
 * How a chat reaches its agent: over a route, or over an application's own transport. Holds no state.
 */
import type { ChatRequestBody, ChatTypes, StreamChunk } from "@kortyx/protocol";
import { checkResponse } from "../route/check-response.ts";
import { fetchRoute } from "../route/fetch-route.ts";
import {
  type ConnectionState,
  type RouteStreamOptions,
  streamFromRoute,
} from "../route/stream-from-route.ts";
import { discard } from "../stream/byte-stream.ts";
import type { StreamHttpError } from "../stream/errors.ts";

/** What a chat passes to its transport with each request. */
export interface ChatTransportOptions {
  /** Aborted when the chat no longer wants the stream. */
  signal: AbortSignal;
  /** To be called when the connection opens, and when it is lost and will be restored. */
  onConnectionChange: (connection: ConnectionState) => void;
}

/** Connects a chat to its agent. An error of a method or of its stream becomes the chat's `error`. */
export interface ChatTransport<Types extends ChatTypes = ChatTypes> {
  /**
   * Requests an answer. Return a stream of `streamFromRoute` unwrapped: a `stop` that waits for one of the browser's
   * connections can then use the stream's.
   */
  start(body: ChatRequestBody<Types>, options: ChatTransportOptions): AsyncIterable<StreamChunk<Types>>;
  /**
   * Follows the latest run of a session from its beginning, whether it has ended or not. If there is none, the stream
   * throws before its first chunk: an error whose `status` is 404 or 405, such as a `StreamHttpError`, or a
   * `StreamTruncatedError` before `onConnectionChange` reported `open`.
   */
  resume?(target: SessionTarget, options: ChatTransportOptions): AsyncIterable<StreamChunk<Types>>;
  /**
   * Stops a run for all of its followers; its stream then ends on an `abort` chunk. An error whose `status` is 404 or
   * 405 means that there is no such run.
   */
  stop?(target: RunTarget): Promise<void>;
}

interface SessionTarget {
  /** The session whose latest run is followed. */
  sessionId: string;
}

type RunTarget =
  | {
      /** The run to stop. */
      runId: string;
    }
  | {
      /** The key of the request that began the run, before the run's id is known. */
      idempotencyKey: string;
    };

/** How a route is reached. The chat sets the rest, such as whether the request may be repeated. */
export type RouteTransportOptions = Omit<RouteStreamOptions, "signal" | "onConnectionChange" | "runs">;

/** How long a stop may take, including its retries. */
const stopTimeoutMs = 10_000;
/** The shortest time between two attempts to stop, even if the server asks for less. */
const minStopRetryMs = 1_000;

/**
 * A transport over a route: POST starts an answer, GET resumes it, DELETE stops it. `createChat({ endpoint })` uses it;
 * create one to change or extend a single method.
 *
 * A start whose body has an idempotency key, which a chat with `runs: true` gives it, is repeated as with
 * {@link RouteStreamOptions.runs}. A stop is repeated while the route responds with 503 and a `retry-after`, for at most
 * 10 s.
 *
 * @param options - The options, or a function that returns them, called for each start, resume and stop. A stream that
 * reconnects keeps its options, and calls those that are functions.
 * @throws TypeError for an option of the wrong type, RangeError for a size or a time that is not a number, or is
 * negative: immediately, or at each start or resume if the options are a function.
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
export function createRouteTransport<Types extends ChatTypes = ChatTypes>(
  options: RouteTransportOptions | (() => RouteTransportOptions),
): Required<ChatTransport<Types>>;
export function createRouteTransport(
  options: RouteTransportOptions | (() => RouteTransportOptions),
): Required<ChatTransport> {
  const readOptions = typeof options === "function" ? options : () => options;
  // Validates the options; requests nothing before it is read.
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
          // A temporarily unavailable store or process names the time to retry; stopping a run twice is safe.
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
  target: RunTarget,
  timeoutMs: number,
): Promise<void> {
  const { signal } = new AbortController();
  const response = await fetchRoute(options, {
    method: "DELETE",
    accept: "application/json",
    // SvelteKit treats a DELETE without a content type as a forged form, and Fastify rejects an empty JSON body.
    body: {},
    query: "runId" in target ? { run: target.runId } : { key: target.idempotencyKey },
    signal,
    timeoutMs,
  });
  discard(await checkResponse(response, undefined, signal));
}
