/**
 * A whole chat route without a framework: from the request to the response, errors and CORS included. Holds no state
 * between requests.
 */
import type { ChatMessage, ChatRequestBody, ChatResume } from "@kortyx/protocol";
import { ChatRequestError, type ChatRequestLimits, invalid, readChatRequest } from "./chat-request.ts";
import { type CollectLimits, collectBufferedStream } from "./collect-stream.ts";
import { type CorsOptions, createCors } from "./cors.ts";
import { openStreamResponse, type StreamResponseOptions } from "./create-stream-response.ts";
import { errorResponse } from "./error-response.ts";
import { keepRequest } from "./keep-request.ts";
import { describeFailure } from "./stream-failure.ts";
import { refuseWhileDraining } from "./stream-registry.ts";
import type { ChunkIterable } from "./stream-source.ts";

/** What an agent gets beside the messages. */
export interface ChatAgentOptions {
  sessionId: string | undefined;
  workflowId: string | undefined;
  context: Record<string, unknown> | undefined;
  /** The answer to an `interrupt`. Its token comes from the client: verify it. */
  resume: ChatResume | undefined;
  /** What `authorize` returned. */
  owner: string | undefined;
  /** Aborted when nobody wants the answer any more. */
  signal: AbortSignal;
}

/** Anything that answers a conversation with chunks. */
export interface ChatAgent {
  streamChat(messages: ChatMessage[], options: ChatAgentOptions): ChunkIterable | PromiseLike<ChunkIterable>;
}

export interface ChatRouteOptions
  extends Omit<StreamResponseOptions, "signal" | "status">,
    ChatRequestLimits {
  agent: ChatAgent;
  /**
   * Says who asks, before the body is read. `null` answers 401; a `Response` is the answer.
   *
   * @defaultValue everybody may ask
   */
  authorize?: ((request: Request) => AuthorizeResult | Promise<AuthorizeResult>) | undefined;
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

const allowedMethods = "POST, OPTIONS";

/**
 * Creates a chat route.
 *
 * POST answers a stream, or one JSON value when the body says `stream: false`. An agent that fails within the first
 * 25 ms is answered with status 500; later, its failure is an `error` chunk. Failures are JSON
 * `{ error, code, issues?, correlationId? }`.
 *
 * @throws TypeError when `cors` allows every origin together with credentials, which browsers refuse.
 *
 * @example
 * ```ts
 * export const { POST, GET, DELETE, OPTIONS } = createChatRoute({ agent }); // Next.js
 * app.all("/api/chat", (c) => route.fetch(c.req.raw)); // Hono
 * ```
 */
export function createChatRoute(options: ChatRouteOptions): ChatRoute {
  const { agent, authorize, allowedRoles = ["user", "assistant"], cors: corsOptions, ...rest } = options;
  const { maxBodyBytes, maxMessages, maxDepth, maxBufferedBytes, ...streamOptions } = rest;
  const { onError } = streamOptions;
  const cors = createCors(corsOptions);

  async function answerPost(request: Request): Promise<Response> {
    const refusal = refuseWhileDraining();
    if (refusal !== undefined) return errorResponse(refusal);
    const owner = await authorize?.(request);
    if (owner === null) return errorResponse({ status: 401, error: "Please sign in.", code: "unauthorized" });
    if (typeof owner === "object") return owner;

    keepRequest(request.signal, request);
    const body = await readChatRequest(request, { maxBodyBytes, maxMessages, maxDepth });
    checkRoles(body.messages);
    const open = ({ signal }: { signal: AbortSignal }) => callAgent(body, owner, signal);
    if (body.stream === false) return answerBuffered(open, request.signal);
    const { response, failure } = await openStreamResponse(open, {
      ...streamOptions,
      signal: request.signal,
    });
    if (failure === undefined) return response;
    const { message, code = "internal", correlationId } = failure;
    return errorResponse({ status: 500, error: message, code, correlationId });
  }

  function callAgent(body: ChatRequestBody, owner: string | undefined, signal: AbortSignal) {
    const { messages, sessionId, workflowId, context, resume } = body;
    return agent.streamChat(messages, { sessionId, workflowId, context, resume, owner, signal });
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

  /** Every failure becomes an answer, and every answer tells other origins what they may see of it. */
  const answering =
    (answer: Handler): Handler =>
    async (request) => {
      let response: Response;
      try {
        response = await answer(request);
      } catch (error) {
        response = answerError(error);
      }
      return cors.expose(request, response);
    };

  function answerError(error: unknown): Response {
    if (error instanceof ChatRequestError) {
      const { status, message, code, issues } = error;
      return errorResponse({ status, error: message, code, ...(issues.length > 0 && { issues }) });
    }
    const { message, code = "internal", correlationId } = describeFailure(error, onError);
    return errorResponse({ status: 500, error: message, code, correlationId });
  }

  const refuseMethod = answering(async () =>
    errorResponse({
      status: 405,
      error: "This route takes POST.",
      code: "method-not-allowed",
      headers: { allow: allowedMethods },
    }),
  );
  const POST = answering(answerPost);
  const HEAD: Handler = async (request) => {
    const { status, headers } = await refuseMethod(request);
    return new Response(null, { status, headers });
  };
  const OPTIONS: Handler = async (request) => cors.preflight(request, allowedMethods);
  const handlers: Record<string, Handler> = { POST, HEAD, OPTIONS };

  return {
    POST,
    GET: refuseMethod,
    DELETE: refuseMethod,
    HEAD,
    OPTIONS,
    fetch: (request) => (handlers[request.method] ?? refuseMethod)(request),
  };
}
