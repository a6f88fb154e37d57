/**
 * A whole chat route without a framework: handlers by method, wrapped in authorization, error handling and CORS. Holds
 * no state between requests. POST is in `chat-post.ts`, GET and DELETE are in `runs/run-endpoints.ts`.
 */
import type { ChatTypes } from "@kortyx/protocol";
import { RunStoreError, storeUnavailable } from "../runs/guard-run-store.ts";
import { RunEndpoints } from "../runs/run-endpoints.ts";
import { refuseWhileDraining } from "../shutdown/stream-registry.ts";
import { errorResponse, failureResponse } from "../stream/error-response.ts";
import { type FailureOptions, maskError } from "../stream/mask-error.ts";
import { readStreamTimes } from "../stream/stream-options.ts";
import { isForFramework, toThrownResponse } from "../stream/thrown-response.ts";
import type { StreamResponseOptions } from "../stream/to-sse.ts";
import { findWireOfRequest } from "../wires/find-wire.ts";
import type { RouteWire } from "../wires/route-wire.ts";
import { translateResponse } from "../wires/translate-response.ts";
import { ChatPost } from "./chat-post.ts";
import { ChatRequestError } from "./chat-request-error.ts";
import type { ChatRoute, ChatRouteOptions, RouteHandler } from "./chat-route.ts";
import { checkRouteOptions } from "./check-route-options.ts";
import { loadContinued } from "./continuation.ts";
import { type Cors, createCors } from "./cors.ts";
import { identifyOwner } from "./identify-owner.ts";
import { retainRequest } from "./retain-request.ts";

/**
 * Creates a chat route.
 *
 * POST returns a stream, or one JSON value if the body has `stream: false`. If the agent fails within the first 25 ms,
 * the response is a 500; later, or with runs, its failure is an `error` chunk. Failures are JSON `{ error, code,
 * issues?, retryable?, correlationId? }`; a buffered answer that ends with an `error` chunk is returned
 * whole, with status 500.
 *
 * A `Response` that is thrown before the stream has begun, by `authorize`, the agent or `onStart` of a run, is the
 * response, and so is that of an error with `getResponse()`, such as Hono's `HTTPException`. What Next.js, SvelteKit
 * and React Router throw internally, such as a redirect, is rethrown.
 *
 * @throws TypeError for an option of the wrong type or an unknown name, for `runs` without `authorize` or with an
 * `onFinish` beside them, and for `cors` that allows every origin together with credentials, which browsers refuse.
 * @throws RangeError for a limit or a time that is not a number, or is negative.
 *
 * @example
 * ```ts
 * const route = createChatRoute({ agent });
 * export const { POST, GET, DELETE, OPTIONS } = route; // Next.js
 * export default { fetch: route.fetch }; // Bun, Deno, Workers
 * ```
 */
export function createChatRoute<Types extends ChatTypes = ChatTypes>(
  options: ChatRouteOptions<Types>,
): ChatRoute;
export function createChatRoute(options: ChatRouteOptions): ChatRoute {
  checkRouteOptions(options);
  const streamOptions = toStreamOptions(options);
  readStreamTimes(streamOptions);
  const { authorize, runs, wires = [], loadMessage } = options;
  const endpoints = runs && new RunEndpoints({ runs, hasOwners: authorize !== "anonymous", streamOptions });
  const post = new ChatPost(options, streamOptions, endpoints);
  const guard: Guard = { cors: createCors(options.cors), authorize, streamOptions };
  const methods = runs ? methodsWithRuns : methodsWithoutRuns;

  const refuseMethod = guarded(guard, async () => methodNotAllowed(methods));
  const POST = authorized(guard, (request, owner) => post.respond(request, owner));
  const GET = endpoints
    ? authorized(guard, (request, owner = "") => resumeRun(request, { owner, endpoints, wires, loadMessage }))
    : refuseMethod;
  const DELETE = endpoints
    ? authorized(guard, (request, owner = "") => endpoints.stop(request, owner))
    : refuseMethod;
  const HEAD: RouteHandler = async (request) => {
    const { status, headers } = await refuseMethod(request);
    return new Response(null, { status, headers });
  };
  const OPTIONS: RouteHandler = async (request) => guard.cors.preflight(request, methods.allow);
  const handlers: Record<string, RouteHandler> = { POST, GET, DELETE, HEAD, OPTIONS };
  const fetch: RouteHandler = (request) => (handlers[request.method] ?? refuseMethod)(request);
  return { POST, GET, DELETE, HEAD, OPTIONS, fetch };
}

/** The GET of a route with runs, in its own wire or in another one, which has no cursors: it follows an open run whole. */
async function resumeRun(
  request: Request,
  { owner, endpoints, wires, loadMessage }: ResumeOptions,
): Promise<Response> {
  const { wire, sessionId } = findWireOfRequest(request, wires);
  if (wire === undefined) return endpoints.resume(request, owner);
  const open = await endpoints.findOpenRun(sessionId, owner);
  if (open instanceof Response) return open;
  const { position, continues } = open;
  const continued =
    continues === undefined ? undefined : await loadContinued(loadMessage, continues, { owner, sessionId });
  // Last: a follower that no reader reads would stay.
  const response = endpoints.respond(position, { signal: request.signal, hasIds: false });
  return translateResponse(response, wire, { continued });
}

interface ResumeOptions extends Pick<ChatRouteOptions, "loadMessage"> {
  owner: string;
  endpoints: RunEndpoints;
  wires: readonly RouteWire[];
}

/** The options of each stream, without those of the route. */
function toStreamOptions(options: ChatRouteOptions): StreamResponseOptions {
  const { agent, authorize, allowedRoles, schemas, cors, runs, onFinish, collectMessage, ...rest } = options;
  const { maxBodyBytes, maxMessages, maxItems, maxDepth, fileUrlSchemes, ...others } = rest;
  const { maxBufferedBytes, resumeSecret, loadMessage, wires, ...streamOptions } = others;
  return streamOptions;
}

/** The wrapper around the handlers of a route. */
interface Guard {
  cors: Cors;
  authorize: ChatRouteOptions["authorize"];
  streamOptions: StreamResponseOptions;
}

/** Turns every failure into a response, and adds the CORS headers to every response. */
const guarded =
  ({ cors, streamOptions }: Guard, handle: RouteHandler): RouteHandler =>
  async (request) => {
    try {
      return cors.expose(request, await handle(request));
    } catch (error) {
      if (isForFramework(error)) throw error;
      const response = toThrownResponse(error) ?? toFailureResponse(error, request.signal, streamOptions);
      return cors.expose(request, response);
    }
  };

/** Handles a request by an owner, or by any visitor of an anonymous route, unless the process is draining. */
const authorized = (
  guard: Guard,
  handle: (request: Request, owner: string | undefined) => Promise<Response>,
): RouteHandler =>
  guarded(guard, async (request) => {
    const refusal = refuseWhileDraining();
    if (refusal !== undefined) return errorResponse(refusal);
    const owner = await identifyOwner(request, guard.authorize);
    if (typeof owner === "object") return owner;
    retainRequest(request.signal, request);
    return handle(request, owner);
  });

/** The methods that a route supports, as its `allow` header and as a message. */
const methodsWithRuns = {
  allow: "POST, GET, DELETE, OPTIONS",
  error: "This route supports POST, GET and DELETE.",
};
const methodsWithoutRuns = { allow: "POST, OPTIONS", error: "This route supports POST." };

const methodNotAllowed = ({ allow, error }: typeof methodsWithRuns): Response =>
  errorResponse({ status: 405, error, code: "method-not-allowed", headers: { allow } });

function toFailureResponse(error: unknown, signal: AbortSignal, options: FailureOptions): Response {
  if (error instanceof ChatRequestError) {
    const { status, message, code, issues } = error;
    return errorResponse({ status, error: message, code, ...(issues.length > 0 && { issues }) });
  }
  if (error instanceof RunStoreError) return storeUnavailable(error);
  if (meansThatClientLeft(error, signal)) {
    return errorResponse({ status: 499, error: "The client has left.", code: "client-left" });
  }
  return failureResponse(maskError(error, options));
}

/** Nothing has failed, and no client reads the response. */
const meansThatClientLeft = (error: unknown, { aborted, reason }: AbortSignal): boolean =>
  aborted && (error === reason || (error as Error | undefined)?.name === "AbortError");
