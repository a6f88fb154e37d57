/**
 * Makes one request to a route, from options that are values or functions. Does not read or check the response.
 */
import { checkFunctionOption, checkOption, describeValue } from "@kortyx/protocol/internal";
import { bodyOf, discard } from "../stream/byte-stream.ts";
import { StreamConnectionError, StreamIdleError, StreamRequestError } from "../stream/errors.ts";
import { startTimer } from "../stream/start-timer.ts";
import { findMistake } from "./request-mistake.ts";

/** A value, or a function that returns it, called for every request. */
export type Resolvable<Value> = Value | (() => Value | Promise<Value>);

/** How a route is reached. */
export interface RouteOptions {
  /** The route's URL; in a browser, it may be relative to the page. */
  endpoint: Resolvable<string | URL>;
  /** Added to `accept`, and to `content-type: application/json` where there is a body, or replacing them. */
  headers?: Resolvable<RequestInit["headers"]> | undefined;
  /** As in `fetch`; `"include"` sends cookies to another origin. */
  credentials?: "omit" | "same-origin" | "include" | undefined;
  /** Makes the requests. `init.headers` is a plain object with lower-case names. @defaultValue the global `fetch` */
  fetch?: ((url: string | URL, init: RequestInit) => Promise<Response>) | undefined;
  /** Alias of `fetch`, which takes precedence if both are set. */
  fetchImpl?: RouteOptions["fetch"];
}

export interface RouteRequest {
  method: string;
  accept: string;
  /** Sent as JSON; no body is sent if undefined. */
  body?: Resolvable<unknown> | undefined;
  /** Requests the events after this one. */
  lastEventId?: string | undefined;
  /** Added to the endpoint's query. */
  query?: Record<string, string> | undefined;
  /** Aborts the request, and the body of its response. */
  signal: AbortSignal;
  /** How long to wait for the headers of the response, in milliseconds; `Infinity` waits forever. */
  timeoutMs: number;
}

/** @throws TypeError for missing options; it names the function that was called without them. */
export function checkOptionsOf(functionName: string, options: unknown): void {
  const isObject = typeof options === "object" && options !== null;
  checkOption(`The options of ${functionName}`, isObject, "an object with an endpoint", options);
}

/** @throws TypeError for an option of the wrong type. */
export function checkRouteOptions({ endpoint, fetch, fetchImpl }: RouteOptions): void {
  checkOption(
    "endpoint",
    typeof endpoint === "function" || isURL(endpoint),
    "a URL, or a function that returns one",
    endpoint,
  );
  checkFunctionOption("fetch", fetch);
  checkFunctionOption("fetchImpl", fetchImpl);
}

/**
 * @throws StreamConnectionError when there is no response, or none in time; StreamRequestError when `fetch` refuses the
 * request; the signal's reason when it was aborted before the request was made; any error of an option's function.
 */
export async function fetchRoute(route: RouteOptions, request: RouteRequest): Promise<Response> {
  const { method, accept, lastEventId, query, signal, timeoutMs } = request;
  const { credentials, fetchImpl, fetch = fetchImpl ?? globalThis.fetch } = route;
  const endpoint = await resolve(route.endpoint);
  if (!isURL(endpoint)) {
    throw new StreamRequestError(`\`endpoint\` is ${describeValue(endpoint)}; expected a URL.`, undefined);
  }
  const url = addQuery(endpoint, query);
  const body = toJson(await resolve(request.body));
  const headers = toHeaders(await resolve(route.headers));
  const setDefault = (name: string, value: string) => headers.has(name) || headers.set(name, value);
  setDefault("accept", accept);
  if (body) setDefault("content-type", "application/json");
  if (lastEventId) headers.set("last-event-id", lastEventId);
  // The consumer may have left while the options were evaluated.
  signal.throwIfAborted();

  const timeout = new AbortController();
  const init = {
    method,
    // Wrappers around `fetch` spread headers.
    headers: Object.fromEntries(headers),
    body,
    ...(credentials && { credentials }),
    signal: AbortSignal.any([signal, timeout.signal]),
    // A response is never reused for another request.
    cache: "no-store",
  } as RequestInit & { signal: AbortSignal };
  const timer = startTimer(() => timeout.abort(new StreamIdleError(timeoutMs)), timeoutMs);
  try {
    const response = await fetch(url, init);
    // For a `fetch` that ignores its signal: stop waiting for the response.
    if (signal.aborted) discard(bodyOf(response));
    return response;
  } catch (cause) {
    const mistake = init.signal.aborted ? undefined : findMistake(url, init, cause);
    if (mistake !== undefined) throw new StreamRequestError(mistake, cause);
    throw new StreamConnectionError(String(url), cause);
  } finally {
    clearTimeout(timer);
  }
}

const isURL = (value: unknown): boolean => typeof value === "string" || value instanceof URL;

function addQuery(url: string | URL, query?: Record<string, string>): string | URL {
  if (!query) return url;
  // A fragment is never sent.
  const target = String(url).replace(/#.*/, "");
  return `${target}${target.includes("?") ? "&" : "?"}${new URLSearchParams(query)}`;
}

function toJson(body: unknown): string | undefined {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    throw new StreamRequestError(`\`body\` cannot be sent as JSON: ${(cause as Error).message}`, cause);
  }
}

function toHeaders(headers: RequestInit["headers"]): Headers {
  try {
    return new Headers(headers);
  } catch (cause) {
    throw new StreamRequestError(`\`headers\` cannot be sent: ${(cause as Error).message}`, cause);
  }
}

export async function resolve<Value>(value: Resolvable<Value>): Promise<Value> {
  return typeof value === "function" ? (value as () => Value | Promise<Value>)() : value;
}
