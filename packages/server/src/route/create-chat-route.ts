/**
 * A whole chat route without a framework: from the request to the response, errors and CORS included. Holds no state
 * between requests.
 */
import type { ChatMessage, ChatRequestBody } from "@kortyx/protocol";
import { checkOption, maxIdLength } from "@kortyx/protocol/internal";
import { RunStoreError, storeUnavailable } from "../runs/guard-run-store.ts";
import {
  type ChatRunOptions,
  type ChatRuns,
  createRunEndpoints,
  readsEventIds,
  type StartRequest,
} from "../runs/run-endpoints.ts";
import { refuseWhileDraining, registerOpening } from "../shutdown/stream-registry.ts";
import { type CollectLimits, collectBufferedStream } from "../stream/collect-stream.ts";
import { errorResponse } from "../stream/error-response.ts";
import { maskError } from "../stream/mask-error.ts";
import type { StreamSource } from "../stream/source.ts";
import { readStreamTimes, type StreamFinish } from "../stream/stream-options.ts";
import { isForFramework, toThrownResponse } from "../stream/thrown-response.ts";
import { openStreamResponse, type StreamResponseOptions } from "../stream/to-sse.ts";
import { type ChatAgent, type RouteAgentOptions, toAgentOptions } from "./chat-agent.ts";
import { checkRouteOptions } from "./check-route-options.ts";
import { type CorsOptions, createCors } from "./cors.ts";
import { ChatRequestError, type ChatRequestLimits, invalid, readChatRequest } from "./read-chat-request.ts";
import { retainRequest } from "./retain-request.ts";

/** How the answer to a request has ended, and what was asked. */
export interface ChatFinish extends StreamFinish {
  /** What `authorize` returned. */
  owner: string | undefined;
  /** Of the request. */
  sessionId: string | undefined;
  /** What the user said: the newest of their messages. */
  input: ChatMessage | undefined;
  /** The conversation that the agent was given. */
  messages: ChatMessage[];
}

export interface ChatRouteOptions
  extends Omit<StreamResponseOptions, "signal" | "status" | "onFinish">,
    ChatRequestLimits {
  /**
   * Called once when a stream has ended, in whatever way: the place to save the answer. What it throws is logged and
   * harms nothing. Not called for an answer in one piece (`stream: false`), nor with `runs`, which have their own.
   */
  onFinish?: ((finish: ChatFinish) => unknown) | undefined;
  /** Folds the chunks that were sent into the `message` of `onFinish`. @defaultValue true where there is an `onFinish` */
  collectMessage?: boolean | undefined;
  agent: {
    streamChat(messages: ChatMessage[], options: RouteAgentOptions): ReturnType<ChatAgent["streamChat"]>;
  };
  /**
   * Says who asks, before the body is read. `null` and `undefined` answer 401; a `Response`, returned or thrown, is the
   * answer; anything else that is not a text of 1 to 256 characters is a masked 500. A route with runs must have it, because
   * a run belongs to its owner. `"anonymous"` admits every visitor, and runs have no owner: the id of a run, or its
   * idempotency key, neither of which can be guessed, is all that is needed to follow and stop it; it has no session, and
   * there may be as many open runs as visitors.
   *
   * @defaultValue everybody may ask
   */
  authorize?: "anonymous" | ((request: Request) => AuthorizeResult | Promise<AuthorizeResult>) | undefined;
  /**
   * The roles that messages from a client may have. A `system` message from a client would instruct the agent in the
   * application's name.
   *
   * @defaultValue `["user", "assistant"]`
   */
  allowedRoles?: ChatMessage["role"][] | undefined;
  /** Lets pages of other origins ask. @defaultValue none may */
  cors?: CorsOptions | undefined;
  /** The largest answer to `stream: false`, in bytes. @defaultValue 8 MiB */
  maxBufferedBytes?: CollectLimits["maxBytes"];
  /**
   * Keeps every answer in a store, so that it outlives its connection: GET resumes it, DELETE stops it, and a repeated
   * POST with the same idempotency key attaches to it. Their `onFinish` takes the place of the route's.
   */
  runs?: ChatRunOptions | undefined;
}

/** The name of whoever asks, `null` for nobody, or the answer itself. */
export type AuthorizeResult = string | Response | null;

type Handler = (request: Request) => Promise<Response>;

/** Handlers by method, as Next.js wants them, and one for all of them, as Hono, Bun, Deno and Workers do. */
export interface ChatRoute {
  POST: Handler;
  GET: Handler;
  DELETE: Handler;
  HEAD: Handler;
  OPTIONS: Handler;
  fetch: Handler;
}

/**
 * Creates a chat route.
 *
 * POST answers a stream, or one JSON value when the body says `stream: false`. An agent that fails within the first
 * 25 ms is answered with status 500; later, or with runs, its failure is an `error` chunk. Failures are JSON
 * `{ error, code, issues?, correlationId? }`.
 *
 * A `Response` that is thrown before the stream has begun, by `authorize`, the agent or `onStart` of a run, is the
 * answer, and so is that of an error with `getResponse()`, such as Hono's `HTTPException`. What Next.js, SvelteKit and
 * React Router throw to themselves, such as a redirect, is thrown on.
 *
 * @throws TypeError for an option of the wrong type, for `runs` without `authorize`, and for `cors` that allows every
 * origin together with credentials, which browsers refuse.
 * @throws RangeError for a number that is NaN or negative.
 *
 * @example
 * ```ts
 * export const { POST, GET, DELETE, OPTIONS } = createChatRoute({ agent }); // Next.js
 * app.all("/api/chat", (c) => route.fetch(c.req.raw)); // Hono
 * ```
 */
export function createChatRoute(options: ChatRouteOptions): ChatRoute {
  checkRouteOptions(options);
  const {
    agent,
    authorize,
    allowedRoles = ["user", "assistant"],
    cors: corsOptions,
    runs,
    onFinish,
    collectMessage = onFinish !== undefined,
    ...rest
  } = options;
  const { maxBodyBytes, maxMessages, maxDepth, maxBufferedBytes, ...streamOptions } = rest;
  readStreamTimes(streamOptions);
  const cors = createCors(corsOptions);
  const chatRuns = runs && createRunEndpoints(runs, authorize !== "anonymous", streamOptions);
  const allowedMethods = runs === undefined ? "POST, OPTIONS" : "POST, GET, DELETE, OPTIONS";

  /** @returns who asks, or what to answer instead. */
  async function identify(request: Request): Promise<string | undefined | Response> {
    const refusal = refuseWhileDraining();
    if (refusal !== undefined) return errorResponse(refusal);
    if (authorize === undefined || authorize === "anonymous") return undefined;
    const owner = await authorize(request);
    // A lookup that finds nobody gives undefined where no compiler has looked at it.
    if (owner === null || owner === undefined) {
      return errorResponse({ status: 401, error: "Please sign in.", code: "unauthorized" });
    }
    const isResponse = typeof owner === "object" && typeof owner.status === "number" && "headers" in owner;
    const isOwner = typeof owner === "string" && owner.length > 0 && owner.length <= maxIdLength;
    checkOption(
      "What authorize returns",
      isOwner || isResponse,
      `a text of 1 to ${maxIdLength} characters, a Response or null`,
      owner,
    );
    return owner;
  }

  async function answerPost(request: Request): Promise<Response> {
    const owner = await identify(request);
    if (typeof owner === "object") return owner;

    retainRequest(request.signal, request);
    const body = await readChatRequest(request, { maxBodyBytes, maxMessages, maxDepth });
    checkRoles(body.messages);
    // Draining may have begun while the request was being read.
    const refusal = refuseWhileDraining();
    if (refusal !== undefined) return errorResponse(refusal);
    const { shutdown, unregister } = registerOpening();
    try {
      return await answerBody(request, body, owner, shutdown);
    } finally {
      unregister();
    }
  }

  async function answerBody(
    request: Request,
    body: ChatRequestBody,
    owner: string | undefined,
    shutdown: AbortSignal,
  ): Promise<Response> {
    const { sessionId } = body;
    // The agent may change its own.
    const messages = [...body.messages];
    const input = messages.findLast(({ role }) => role === "user");
    const open = ({ signal }: { signal: AbortSignal }) => callAgent(body, owner, signal);
    if (chatRuns !== undefined)
      return answerRun(chatRuns, request, body, { owner: owner ?? "", input, messages, shutdown }, open);
    if (body.stream === false) return answerBuffered(open, request.signal);
    const { response, failure } = await openStreamResponse(open, {
      ...streamOptions,
      signal: request.signal,
      collectMessage,
      onFinish: onFinish && ((finish) => onFinish({ ...finish, owner, sessionId, input, messages })),
    });
    if (failure === undefined) return response;
    const { message, code = "internal", correlationId } = failure;
    return errorResponse({ status: 500, error: message, code, correlationId });
  }

  async function answerRun(
    { start, respond, chunksOf }: ChatRuns,
    request: Request,
    { idempotencyKey, ...body }: ChatRequestBody,
    asked: Pick<StartRequest, "owner" | "input" | "messages" | "shutdown">,
    source: StreamSource,
  ): Promise<Response> {
    const target = await start({
      ...asked,
      sessionId: body.sessionId,
      key: idempotencyKey,
      body,
      source,
      lastEventId: request.headers.get("last-event-id"),
    });
    if (target instanceof Response) return target;
    const hasIds = idempotencyKey !== undefined || readsEventIds(request);
    if (body.stream !== false) return respond(target, request.signal, hasIds);
    return answerBuffered(() => chunksOf(target, request.signal), request.signal);
  }

  /** GET and DELETE, where there are runs. */
  const answerOwner =
    (answer: (request: Request, owner: string) => Promise<Response>): Handler =>
    async (request) => {
      const owner = await identify(request);
      if (typeof owner === "object") return owner;
      retainRequest(request.signal, request);
      return answer(request, owner ?? "");
    };

  function callAgent(body: ChatRequestBody, owner: string | undefined, signal: AbortSignal) {
    return agent.streamChat(body.messages, toAgentOptions(body, { owner, signal }));
  }

  function checkRoles(messages: ChatMessage[]): void {
    const expected = `one of ${allowedRoles.map((role) => JSON.stringify(role)).join(", ")}`;
    const issues = messages.flatMap(({ role }, index) =>
      allowedRoles.includes(role)
        ? []
        : [{ path: `messages.${index}.role`, expected, received: JSON.stringify(role) }],
    );
    if (issues.length > 0) throw invalid(issues);
  }

  async function answerBuffered(
    open: (context: { signal: AbortSignal }) => ReturnType<ChatAgent["streamChat"]>,
    signal: AbortSignal,
  ): Promise<Response> {
    const result = await collectBufferedStream(open, { maxBytes: maxBufferedBytes, signal });
    return Response.json(result, {
      status: result.error === undefined ? 200 : 500,
      headers: { "cache-control": "no-store" },
    });
  }

  /** Every failure becomes a response, and every response tells pages of other origins what they may read of it. */
  const answering =
    (answer: Handler): Handler =>
    async (request) => {
      try {
        return cors.expose(request, await answer(request));
      } catch (error) {
        if (isForFramework(error)) throw error;
        return cors.expose(request, toThrownResponse(error) ?? answerError(error, request.signal));
      }
    };

  function answerError(error: unknown, signal: AbortSignal): Response {
    if (error instanceof ChatRequestError) {
      const { status, message, code, issues } = error;
      return errorResponse({ status, error: message, code, ...(issues.length > 0 && { issues }) });
    }
    if (error instanceof RunStoreError) return storeUnavailable(error);
    if (isOfLeaving(error, signal)) {
      return errorResponse({ status: 499, error: "The client has left.", code: "client-left" });
    }
    const { message, code = "internal", correlationId } = maskError(error, streamOptions);
    return errorResponse({ status: 500, error: message, code, correlationId });
  }

  const refuseMethod = answering(async () =>
    errorResponse({
      status: 405,
      error: runs === undefined ? "This route takes POST." : "This route takes POST, GET and DELETE.",
      code: "method-not-allowed",
      headers: { allow: allowedMethods },
    }),
  );
  const POST = answering(answerPost);
  const GET = chatRuns ? answering(answerOwner(chatRuns.resume)) : refuseMethod;
  const DELETE = chatRuns ? answering(answerOwner(chatRuns.stop)) : refuseMethod;
  const HEAD: Handler = async (request) => {
    const { status, headers } = await refuseMethod(request);
    return new Response(null, { status, headers });
  };
  const OPTIONS: Handler = async (request) => cors.preflight(request, allowedMethods);
  const handlers: Record<string, Handler> = { POST, GET, DELETE, HEAD, OPTIONS };

  return {
    POST,
    GET,
    DELETE,
    HEAD,
    OPTIONS,
    fetch: (request) => (handlers[request.method] ?? refuseMethod)(request),
  };
}

/** Whether an error only means that the client has left: nothing has failed, and no client reads the answer. */
const isOfLeaving = (error: unknown, { aborted, reason }: AbortSignal): boolean =>
  aborted && (error === reason || (error as Error | undefined)?.name === "AbortError");
