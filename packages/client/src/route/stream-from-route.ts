/**
 * Asks a route for a stream, and asks again where that cannot harm. What to ask next is the reconnect policy's choice.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { checkFunctionOption, parseTimeoutMs } from "@kortyx/protocol/internal";
import { ChunkStream, type ChunkStreamOptions, type OpenBody } from "../stream/chunk-stream.ts";
import { type ChatBodyOptions, toChatBody } from "./chat-body.ts";
import { checkResponse, maxErrorBodyMs } from "./check-response.ts";
import { createId } from "./create-id.ts";
import {
  checkOptionsOf,
  checkRouteOptions,
  fetchRoute,
  type Resolvable,
  type RouteOptions,
  type RouteRequest,
} from "./fetch-route.ts";
import { isOffline, noteResponse } from "./network-status.ts";
import { gapMs, type ReconnectFailure, ReconnectPolicy } from "./reconnect-policy.ts";
import { createResumeRequests } from "./resume-requests.ts";
import { watchPage } from "./shared-connections.ts";
import { waitToReconnect } from "./wait-to-reconnect.ts";

/** What a stream's connection does. */
export type ConnectionState =
  /** The route has answered with a stream; again after a hidden page has let the connection go, which is no loss. */
  | { state: "open" }
  | {
      /**
       * The connection was lost; the next request follows in `delayMs` milliseconds, earlier when the page comes online
       * or becomes visible, and not before there is a network.
       */
      state: "reconnecting";
      /** 1 for the first attempt since something new came. */
      attempt: number;
      delayMs: number;
      /** Why it was lost, or why the last attempt failed. */
      error: unknown;
    };

/** How a stream is asked for, and asked for again. */
export interface RouteStreamOptions extends RouteOptions, ChunkStreamOptions {
  /**
   * The route has runs. A chat's request then gets an idempotency key, and a POST that has given nothing may be made
   * again; a `body` of your own must hold a key that stays the same. Without runs a POST is made again only when the
   * server has refused it: because it is about to end (503 `draining`), or with 401 or 403 where `headers` is a function.
   * A GET may always be made again.
   *
   * @defaultValue `false`
   */
  runs?: boolean | undefined;
  /**
   * For how long a lost connection is restored, in milliseconds since the last byte; 0 never reconnects, `Infinity` has no
   * end. Only time counts in which the program runs and the browser is online. Keep it near the time for which the server
   * keeps its runs.
   *
   * @defaultValue 900,000 (15 minutes)
   */
  giveUpAfterMs?: number | undefined;
  /**
   * How long to wait for the headers of an answer, in milliseconds; 0 and `Infinity` are forever. Unless it is forever, a
   * resume that hangs for 3.5 s is followed by another one, and stays open beside it.
   *
   * @defaultValue 30,000; 0 where `fetch` is a polyfill over XMLHttpRequest, which resolves when the answer has ended
   */
  connectTimeoutMs?: number | undefined;
  /** Called when the connection is open, and when it is lost but not given up. Must not throw. */
  onConnectionChange?: ((connection: ConnectionState) => void) | undefined;
}

export interface StreamFromRouteOptions extends RouteStreamOptions {
  /** Sent as JSON. Nothing is sent when it is undefined. */
  body?: Resolvable<unknown> | undefined;
  /** @defaultValue `"POST"` */
  method?: string | undefined;
  /** Added to the endpoint's query. */
  query?: Record<string, string> | undefined;
}

/**
 * Asks a route for a stream and reads it. Options that are functions are evaluated for every request.
 *
 * A stream whose events have ids (`<runId>.<seq>`) survives its connection: what follows the last event is requested
 * with GET and `Last-Event-ID`, first within 3.5 s and then 3.5 to 4.75 s after the last request, at random, or when
 * the server wants it (`retry`, `retry-after`). No chunk is given twice, and none is left out. A page that came over
 * HTTP/1.1 lets the connection of such a stream go after 2 s in the background; it continues when the page becomes
 * visible, and every 30 s.
 *
 * @throws TypeError for an option of the wrong type, RangeError for a number that is NaN or negative.
 * @throws From the iteration: StreamConnectionError when no response came, StreamHttpError for a status other than
 * 2xx, and what {@link readStream} throws.
 */
export function streamFromRoute(options: StreamFromRouteOptions): AsyncIterable<StreamChunk> {
  checkOptionsOf("streamFromRoute", options);
  checkRouteOptions(options);
  const { body, method = "POST", query, onConnectionChange } = options;
  checkFunctionOption("onConnectionChange", onConnectionChange);
  const { fetchImpl, fetch = fetchImpl ?? globalThis.fetch } = options;
  const { connectTimeoutMs = isPolyfill(fetch) ? 0 : 30_000 } = options;
  const timeoutMs = parseTimeoutMs("connectTimeoutMs", connectTimeoutMs);
  /** What a request and the body of its error take at most; one that takes longer was slept through. */
  const maxRequestMs = (timeoutMs === Number.POSITIVE_INFINITY ? 30_000 : timeoutMs) + maxErrorBodyMs;
  /** When the next resume is made beside one that hangs; never, where headers may take forever. */
  const hangMs = timeoutMs === Number.POSITIVE_INFINITY ? timeoutMs : gapMs;
  const policy = new ReconnectPolicy(options, Math.random);

  /** How long no byte has come. */
  let silentMs = 0;
  /** When the last request was made. */
  let askedAt = 0;

  function ask(request: Pick<RouteRequest, "method" | "body" | "query" | "lastEventId" | "signal">) {
    askedAt = performance.now();
    return fetchRoute(options, { accept: "text/event-stream", timeoutMs, ...request });
  }

  const open: OpenBody = async (signal, interruption) => {
    if (interruption?.hasBytes) silentMs = 0;
    silentMs += interruption?.silentMs ?? 0;
    let failure: Omit<ReconnectFailure, "silentMs" | "sinceRequestMs" | "isOffline"> | undefined =
      interruption;
    let isResume = false;
    if (interruption?.pause) {
      await interruption.pause;
      failure = undefined;
      isResume = true;
    }
    const askFirst = () => ask({ method, body, query, signal });
    const resumes = createResumeRequests(
      (signal) => ask({ method: "GET", lastEventId: interruption?.lastEventId, signal }),
      hangMs,
      signal,
    );
    try {
      for (;;) {
        if (failure) {
          const sinceRequestMs = performance.now() - askedAt;
          const step = policy.next({ ...failure, silentMs, sinceRequestMs, isOffline: isOffline() });
          const { attempt, delayMs } = step;
          if (attempt > 0) {
            onConnectionChange?.({ state: "reconnecting", attempt, delayMs, error: failure.error });
          }
          silentMs += await waitToReconnect(step, resumes.untilAnswered());
          isResume = step.isResume;
        }
        // A consumer that has left causes no more requests.
        signal.throwIfAborted();
        const startedAt = performance.now();
        try {
          const response = await (isResume ? resumes.next() : askFirst());
          noteResponse();
          // The server has nothing more: an `error` may be how a run ends.
          if (isResume && response.status === 204 && interruption?.lastType === "error") return "complete";
          const bytes = await checkResponse(response, "text/event-stream", signal);
          if (bytes) onConnectionChange?.({ state: "open" });
          return bytes;
        } catch (error) {
          silentMs += Math.min(performance.now() - startedAt, maxRequestMs);
          if (signal.aborted) throw error;
          failure = { lastEventId: "", ...interruption, error, newChunks: 0 };
        }
      }
    } finally {
      resumes.end();
    }
  };
  // What is never restored is not let go.
  return new ChunkStream(open, options, options.giveUpAfterMs === 0 ? undefined : watchPage);
}

/** whatwg-fetch, which React Native uses too, marks its `fetch`. */
const isPolyfill = (fetch: unknown): boolean =>
  (fetch as { polyfill?: unknown } | undefined)?.polyfill === true;

export interface StreamChatFromRouteOptions extends ChatBodyOptions, RouteStreamOptions {}

/**
 * Asks a chat route for the answer to a conversation and reads it. With `runs: true` the request gets an idempotency key,
 * unless it has one.
 *
 * @throws As {@link streamFromRoute} does.
 *
 * @example
 * ```ts
 * const messages = [{ role: "user" as const, content: "Hello" }];
 * for await (const chunk of streamChatFromRoute({ endpoint: "/api/chat", messages })) {
 *   if (chunk.type === "text-delta") write(chunk.delta);
 * }
 * ```
 */
export function streamChatFromRoute(options: StreamChatFromRouteOptions): AsyncIterable<StreamChunk> {
  checkOptionsOf("streamChatFromRoute", options);
  const { idempotencyKey = options.runs ? createId() : undefined } = options;
  return streamFromRoute({ ...options, body: toChatBody({ ...options, idempotencyKey }) });
}
