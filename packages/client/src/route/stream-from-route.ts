/**
 * Requests a stream from a route, and again where that is safe. The reconnect policy decides which request follows a
 * failure; bodies are read elsewhere.
 */
import type { ChatTypes, StreamChunk } from "@kortyx/protocol";
import { checkFunctionOption, parseTimeoutMs } from "@kortyx/protocol/internal";
import { type ByteStream, bodyOf } from "../stream/byte-stream.ts";
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
import { createResumeRequests, type ResumeRequests } from "./resume-requests.ts";
import { watchPage } from "./shared-connections.ts";
import { waitToReconnect } from "./wait-to-reconnect.ts";

/** Why a request follows. */
type Failure = Omit<ReconnectFailure, "silentMs" | "sinceRequestMs" | "isOffline">;

/** The state of a stream's connection. */
export type ConnectionState =
  | {
      /**
       * The route has responded with a stream. Reported again after a hidden page released its connection, which is not
       * reported as lost.
       */
      state: "open";
    }
  | {
      /**
       * The connection was lost, or a request has failed. The next request follows in `delayMs` milliseconds, earlier if
       * the page comes online or becomes visible, but not before there is a network.
       */
      state: "reconnecting";
      /** 1 for the first attempt since new data arrived. */
      attempt: number;
      /** The time until the next request, in milliseconds. */
      delayMs: number;
      /** Why it was lost, or why the last attempt failed. */
      error: unknown;
    };

/** How a stream is requested, and requested again. */
export interface RouteStreamOptions extends RouteOptions, ChunkStreamOptions {
  /**
   * The route has runs. A chat's request then gets an idempotency key, and a POST without data so far may be repeated;
   * your own `body` must contain a key that stays the same. Without runs, a POST is repeated only if the server
   * rejected it: because it is shutting down (503 `draining`), or with 401 or 403 if `headers` is a function. A GET
   * without data so far may always be repeated.
   *
   * @defaultValue `false`
   */
  runs?: boolean | undefined;
  /**
   * How long to try to restore a lost connection, in milliseconds since the last byte; 0 never reconnects, `Infinity`
   * never gives up. Time during which the program is suspended or the browser offline does not count. Keep it close to
   * the server's `retentionMs`.
   *
   * @defaultValue 900,000 (15 minutes)
   */
  giveUpAfterMs?: number | undefined;
  /**
   * How long to wait for the headers of a response, in milliseconds; 0 and `Infinity` wait forever. With a finite
   * value, a resume that hangs for 3.5 s stays open while another one is made.
   *
   * @defaultValue 30,000; 0 where `fetch` is a polyfill over XMLHttpRequest, which resolves when the response has ended
   */
  connectTimeoutMs?: number | undefined;
  /** Called when the connection opens, and before a request that follows a loss or a failure. Must not throw. */
  onConnectionChange?: ((connection: ConnectionState) => void) | undefined;
}

/** Options of {@link streamFromRoute}: the request, and how its connection is restored. */
export interface StreamFromRouteOptions extends RouteStreamOptions {
  /** Sent as JSON; no body is sent if undefined. */
  body?: Resolvable<unknown> | undefined;
  /** The method of the first request, in capitals. Resumes use GET. @defaultValue `"POST"` */
  method?: string | undefined;
  /** Added to the endpoint's query in the first request, but not in resumes. */
  query?: Record<string, string> | undefined;
}

/**
 * Requests a stream from a route and reads it. Options that are functions are called for every request.
 *
 * A stream whose events have ids (`<runId>.<seq>`) survives its connection: the events after the last one are requested
 * with GET and `Last-Event-ID`, first within 3.5 s, then 3.5 to 4.75 s after the last request, at random, or when the
 * server asks for it (`retry`, `retry-after`). No chunk is repeated or lost. A page loaded over HTTP/1.1 releases the
 * connection of such a stream after 2 s in the background; it continues when the page becomes visible, and every 30 s.
 *
 * @throws TypeError for an option of the wrong type, RangeError for a size or a time that is not a number, or is negative.
 * @throws From the iteration: StreamConnectionError when no response came, StreamRequestError when the request cannot be
 * made, StreamHttpError for a status other than 2xx, the error of an option's function, and what {@link readStream} throws.
 *
 * @example
 * ```ts
 * const stream = streamFromRoute({ endpoint: "/api/chat", body: { messages } });
 * await consumeStream(stream, { onText: (text) => render(text) });
 * ```
 */
export function streamFromRoute<Types extends ChatTypes = ChatTypes>(
  options: StreamFromRouteOptions,
): AsyncIterable<StreamChunk<Types>>;
export function streamFromRoute(options: StreamFromRouteOptions): AsyncIterable<StreamChunk> {
  checkOptionsOf("streamFromRoute", options);
  checkRouteOptions(options);
  checkFunctionOption("onConnectionChange", options.onConnectionChange);
  const requests = new RouteRequests(options);
  return new ChunkStream(
    (signal, interruption) => requests.open(signal, interruption),
    options,
    // A stream that never reconnects does not release its connection.
    options.giveUpAfterMs === 0 ? undefined : watchPage,
  );
}

/** Makes the requests of one stream. */
class RouteRequests {
  readonly #options: StreamFromRouteOptions;
  readonly #policy: ReconnectPolicy;
  readonly #timeoutMs: number;
  /** How long no byte has arrived. */
  #silentMs = 0;
  /** When the last request was made. */
  #requestedAt = 0;

  constructor(options: StreamFromRouteOptions) {
    const { fetchImpl, fetch = fetchImpl ?? globalThis.fetch } = options;
    const { connectTimeoutMs = isPolyfill(fetch) ? 0 : 30_000 } = options;
    this.#options = options;
    this.#timeoutMs = parseTimeoutMs("connectTimeoutMs", connectTimeoutMs);
    this.#policy = new ReconnectPolicy(options, Math.random);
  }

  /** Makes requests until one yields a body or the policy gives up. */
  async open(...[signal, interruption]: Parameters<OpenBody>): ReturnType<OpenBody> {
    if (interruption?.hasBytes) this.#silentMs = 0;
    this.#silentMs += interruption?.silentMs ?? 0;
    const isAfterPause = interruption?.pause !== undefined;
    if (isAfterPause) await interruption.pause;
    let failure: Failure | undefined = isAfterPause ? undefined : interruption;
    let isResume = isAfterPause;
    const resumes = this.#createResumes(signal, interruption?.lastEventId);
    try {
      for (;;) {
        if (failure) isResume = await this.#waitForNext(failure, resumes);
        // No more requests once the consumer has left.
        signal.throwIfAborted();
        const startedAt = performance.now();
        try {
          const response = await (isResume ? resumes.next() : this.#sendFirst(signal));
          noteResponse();
          if (isResume && response.status === 204) return endOf(interruption?.lastType);
          return await this.#accept(response, signal);
        } catch (error) {
          this.#countRequest(performance.now() - startedAt);
          if (signal.aborted) throw error;
          failure = { lastEventId: "", ...interruption, error, newChunks: 0 };
        }
      }
    } finally {
      resumes.end();
    }
  }

  /**
   * @returns when the next request is due, and whether it is a resume.
   * @throws The error with which the stream fails.
   */
  async #waitForNext(failure: Failure, resumes: ResumeRequests): Promise<boolean> {
    const step = this.#policy.next({
      ...failure,
      silentMs: this.#silentMs,
      sinceRequestMs: performance.now() - this.#requestedAt,
      isOffline: isOffline(),
    });
    const { attempt, delayMs, isResume } = step;
    if (attempt > 0) {
      const { error } = failure;
      this.#options.onConnectionChange?.({ state: "reconnecting", attempt, delayMs, error });
    }
    this.#silentMs += await waitToReconnect(step, resumes.untilAnswered());
    return isResume;
  }

  async #accept(response: Response, signal: AbortSignal): Promise<ByteStream | null> {
    const body = await checkResponse(response, "text/event-stream", signal);
    if (body) this.#options.onConnectionChange?.({ state: "open" });
    return body;
  }

  /** If a request took longer than its timeout and that of its error's body, the program was suspended. */
  #countRequest(tookMs: number): void {
    const timeoutMs = this.#timeoutMs === Number.POSITIVE_INFINITY ? 30_000 : this.#timeoutMs;
    this.#silentMs += Math.min(tookMs, timeoutMs + maxErrorBodyMs);
  }

  #createResumes(signal: AbortSignal, lastEventId: string | undefined): ResumeRequests {
    // Another resume is made while one hangs, unless headers may take forever.
    const hangMs = this.#timeoutMs === Number.POSITIVE_INFINITY ? this.#timeoutMs : gapMs;
    return createResumeRequests(
      (signal) => this.#send({ method: "GET", lastEventId, signal }),
      hangMs,
      signal,
    );
  }

  #sendFirst(signal: AbortSignal): Promise<Response> {
    const { method = "POST", body, query } = this.#options;
    return this.#send({ method, body, query, signal });
  }

  #send(request: Omit<RouteRequest, "accept" | "timeoutMs">): Promise<Response> {
    this.#requestedAt = performance.now();
    return fetchRoute(this.#options, {
      accept: "text/event-stream",
      timeoutMs: this.#timeoutMs,
      ...request,
    });
  }
}

/**
 * A run that has nothing more (204) for a client without its end has lost the client's last entries, and has its end in
 * their place. A run may end on an `error`.
 */
const endOf = (lastType: string | undefined): ByteStream | "complete" =>
  lastType === "error" ? "complete" : bodyOf(new Response(lostAnswer))!;

/** What a server sends for a run that has fewer entries than the client. */
const lostAnswer = `data: {"type":"error","message":"This answer is no longer available. Please ask again.","code":"run-lost","retryable":true}

data: [DONE]

`;

/** whatwg-fetch, also used by React Native, marks its `fetch`. */
const isPolyfill = (fetch: unknown): boolean =>
  (fetch as { polyfill?: unknown } | undefined)?.polyfill === true;

/** Options of {@link streamChatFromRoute}: the body of the request, and how its connection is restored. */
export interface StreamChatFromRouteOptions<Types extends ChatTypes = ChatTypes>
  extends ChatBodyOptions<Types>,
    RouteStreamOptions {}

/**
 * Requests the answer to a conversation from a chat route and reads it. With `runs: true`, the request gets an
 * idempotency key unless it has one.
 *
 * @throws As {@link streamFromRoute} does.
 *
 * @example
 * ```ts
 * const messages = [{ role: "user" as const, content: "Hello" }];
 * for await (const chunk of streamChatFromRoute({ endpoint: "/api/chat", messages })) {
 *   if (chunk.type === "text-delta") render(chunk.delta);
 * }
 * ```
 */
export function streamChatFromRoute<Types extends ChatTypes = ChatTypes>(
  options: StreamChatFromRouteOptions<Types>,
): AsyncIterable<StreamChunk<Types>>;
export function streamChatFromRoute(options: StreamChatFromRouteOptions): AsyncIterable<StreamChunk> {
  checkOptionsOf("streamChatFromRoute", options);
  const { idempotencyKey = options.runs ? createId() : undefined } = options;
  return streamFromRoute({ ...options, body: toChatBody({ ...options, idempotencyKey }) });
}
