/**
 * What a chat route does with a POST: reads the body, calls the agent, and responds with a stream, with one JSON value,
 * or with a run. Authorization and error handling are in `create-chat-route.ts`.
 */
import type { ChatMessage, ChatRequestBody } from "@kortyx/protocol";
import type { RunEndpoints } from "../runs/run-endpoints.ts";
import { readsEventIds } from "../runs/run-target.ts";
import { refuseWhileDraining, registerOpening } from "../shutdown/stream-registry.ts";
import { collectBufferedStream } from "../stream/collect-stream.ts";
import { errorResponse, failureResponse } from "../stream/error-response.ts";
import type { StreamSource } from "../stream/source.ts";
import { openStreamResponse, type StreamResponseOptions } from "../stream/to-sse.ts";
import { toAgentOptions } from "./chat-agent.ts";
import type { ChatRouteOptions } from "./chat-route.ts";
import { checkRoles, readChatRequest } from "./read-chat-request.ts";
import { readContext } from "./read-context.ts";

/** A parsed request, and the agent call that it requests. */
interface ReadRequest {
  request: Request;
  /** As the client sent it: a schema's output may differ each time, and cannot identify a request. */
  body: ChatRequestBody;
  owner: string | undefined;
  /** The user's latest message. */
  input: ChatMessage | undefined;
  /** A copy of the conversation; the agent may change the one in the body. */
  messages: ChatMessage[];
  /** Calls the agent. */
  source: StreamSource;
}

export class ChatPost {
  readonly #options: ChatRouteOptions;
  readonly #streamOptions: StreamResponseOptions;
  readonly #runs: RunEndpoints | undefined;

  constructor(
    options: ChatRouteOptions,
    streamOptions: StreamResponseOptions,
    runs: RunEndpoints | undefined,
  ) {
    this.#options = options;
    this.#streamOptions = streamOptions;
    this.#runs = runs;
  }

  async respond(request: Request, owner: string | undefined): Promise<Response> {
    const read = await this.#read(request, owner);
    // Draining may have begun while the request was being read.
    const refusal = refuseWhileDraining();
    if (refusal !== undefined) return errorResponse(refusal);
    const { shutdown, unregister } = registerOpening();
    try {
      if (this.#runs !== undefined) return await this.#respondWithRun(this.#runs, read, shutdown);
      if (read.body.stream === false) return await this.#respondWithJSON(read.source, request.signal);
      return await this.#respondWithStream(read);
    } finally {
      unregister();
    }
  }

  async #read(request: Request, owner: string | undefined): Promise<ReadRequest> {
    const { agent, schemas, allowedRoles = ["user", "assistant"] } = this.#options;
    const body = await readChatRequest(request, this.#options);
    checkRoles(body.messages, allowedRoles);
    const { context = undefined } = schemas ?? {};
    const agentBody = context ? { ...body, context: await readContext(context, body.context) } : body;
    return {
      request,
      body,
      owner,
      input: body.messages.findLast(({ role }) => role === "user"),
      messages: [...body.messages],
      source: ({ signal }) => agent.streamChat(body.messages, toAgentOptions(agentBody, { owner, signal })),
    };
  }

  async #respondWithStream({
    request,
    body,
    owner,
    input,
    messages,
    source,
  }: ReadRequest): Promise<Response> {
    const { onFinish, collectMessage = onFinish !== undefined } = this.#options;
    const { sessionId } = body;
    const { response, failure } = await openStreamResponse(source, {
      ...this.#streamOptions,
      signal: request.signal,
      collectMessage,
      onFinish: onFinish && ((finish) => onFinish({ ...finish, owner, sessionId, input, messages })),
    });
    return failure === undefined ? response : failureResponse(failure);
  }

  async #respondWithRun(runs: RunEndpoints, read: ReadRequest, shutdown: AbortSignal): Promise<Response> {
    const { request, input, messages, source, owner = "" } = read;
    const { idempotencyKey: key, ...body } = read.body;
    const lastEventId = request.headers.get("last-event-id");
    const { sessionId } = body;
    const target = await runs.start({
      owner,
      sessionId,
      key,
      body,
      input,
      messages,
      source,
      lastEventId,
      shutdown,
    });
    if (target instanceof Response) return target;
    if (body.stream === false) {
      return this.#respondWithJSON(() => runs.chunksOf(target, request.signal), request.signal);
    }
    const hasIds = key !== undefined || readsEventIds(request);
    return runs.respond(target, { signal: request.signal, hasIds });
  }

  async #respondWithJSON(source: StreamSource, signal: AbortSignal): Promise<Response> {
    const { maxBufferedBytes: maxBytes } = this.#options;
    const result = await collectBufferedStream(source, { maxBytes, signal });
    return Response.json(result, {
      status: result.error === undefined ? 200 : 500,
      headers: { "cache-control": "no-store" },
    });
  }
}
