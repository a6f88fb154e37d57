/**
 * Asks a route for a stream: one request, made at the first `next()`. Does not repeat it.
 */
import type { ChatMessage, ChatRequestBody, StreamChunk } from "@kortyx/protocol";
import { createChunkStream, type ReadStreamOptions } from "./read-stream.ts";
import { StreamConnectionError } from "./stream-errors.ts";

/** A value, or a function that gives it, called for every request. */
export type Resolvable<Value> = Value | (() => Value | Promise<Value>);

/** How a route is reached. */
export interface RouteOptions extends ReadStreamOptions {
  /** Where the route is; relative to the page in a browser. */
  endpoint: Resolvable<string | URL>;
  /** Added to `content-type: application/json` and `accept: text/event-stream`, or replacing them. */
  headers?: Resolvable<HeadersInit> | undefined;
  /** As in `fetch`; `"include"` sends cookies to another origin. */
  credentials?: RequestCredentials | undefined;
  /** Makes the request. @defaultValue the global `fetch` */
  fetch?: ((url: string | URL, init: RequestInit) => Promise<Response>) | undefined;
}

export interface StreamFromRouteOptions extends RouteOptions {
  /** Sent as JSON. Nothing is sent when it is undefined. */
  body?: Resolvable<unknown> | undefined;
  /** @defaultValue `"POST"` */
  method?: string | undefined;
}

/**
 * Asks a route for a stream and reads it. Options that are functions are evaluated when the request is made.
 *
 * @throws From the iteration: StreamConnectionError when no response came, StreamHttpError for a status other than
 * 2xx, and what {@link readStream} throws.
 */
export function streamFromRoute(options: StreamFromRouteOptions): AsyncIterable<StreamChunk> {
  const {
    endpoint,
    body,
    method = "POST",
    headers,
    fetch = globalThis.fetch,
    credentials,
    ...readOptions
  } = options;
  return createChunkStream(async (signal) => {
    const url = await resolve(endpoint);
    const content = await resolve(body);
    const requestHeaders = new Headers({ accept: "text/event-stream" });
    if (content !== undefined) requestHeaders.set("content-type", "application/json");
    for (const [name, value] of new Headers(await resolve(headers))) requestHeaders.set(name, value);
    const init: RequestInit = { method, headers: requestHeaders, signal, cache: "no-store" };
    if (content !== undefined) init.body = JSON.stringify(content);
    if (credentials !== undefined) init.credentials = credentials;
    // The consumer may have left while the options were evaluated.
    signal.throwIfAborted();
    try {
      return await fetch(url, init);
    } catch (cause) {
      throw new StreamConnectionError(String(url), cause);
    }
  }, readOptions);
}

export interface StreamChatFromRouteOptions
  extends RouteOptions,
    Omit<ChatRequestBody, "messages" | "stream"> {
  /** The conversation so far, the newest message last. */
  messages: ChatMessage[];
}

/**
 * Asks a chat route for the answer to a conversation and reads it.
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
  const { messages, sessionId, workflowId, context, idempotencyKey, resume, ...routeOptions } = options;
  const body: ChatRequestBody = { messages, sessionId, workflowId, context, idempotencyKey, resume };
  return streamFromRoute({ ...routeOptions, body });
}

async function resolve<Value>(value: Resolvable<Value>): Promise<Value> {
  return typeof value === "function" ? (value as () => Value | Promise<Value>)() : value;
}
