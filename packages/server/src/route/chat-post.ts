/**
 * What a chat route does with a POST: reads the body, calls the agent, and responds with a stream, with one JSON value,
 * or with a run. Authorization and error handling are in `create-chat-route.ts`.
 */
import type { AssistantUIMessage, ChatMessage, ChatRequestBody } from "@kortyx/protocol";
import { signTokens } from "../resume/sign-resume-tokens.ts";
import { TokenSigner } from "../resume/token-signer.ts";
import { verifyTokens } from "../resume/verify-resume-tokens.ts";
import type { RunEndpoints } from "../runs/run-endpoints.ts";
import { readsEventIds } from "../runs/run-target.ts";
import { refuseWhileDraining, registerOpening } from "../shutdown/stream-registry.ts";
import { createRunId } from "../stores/run-id.ts";
import { collectBufferedStream } from "../stream/collect-stream.ts";
import { errorResponse, failureResponse } from "../stream/error-response.ts";
import { messageKeyOf } from "../stream/message-saves.ts";
import type { StreamSource } from "../stream/source.ts";
import { type ContinuedStreamOptions, never } from "../stream/stream-options.ts";
import { openStreamResponse, type StreamResponseOptions } from "../stream/to-sse.ts";
import { findWireOfBody, withWireHint } from "../wires/find-wire.ts";
import type { RouteWire } from "../wires/route-wire.ts";
import { translateResponse } from "../wires/translate-response.ts";
import { bufferedResponse, readIntoResponse } from "./buffered-response.ts";
import { toAgentOptions } from "./chat-agent.ts";
import type { ChatRequestError } from "./chat-request-error.ts";
import type { ChatRouteOptions, RequestPurpose } from "./chat-route.ts";
import { continuedBy, loadContinued, withoutAnswered, withRunStart } from "./continuation.ts";
import { checkRoles, parseChatRequestBody, readRequestJSON } from "./read-chat-request.ts";
import { readContext } from "./read-context.ts";

/** A parsed request, and the agent call that it requests. */
interface ReadRequest extends RequestPurpose {
  request: Request;
  /**
   * As the client sent it: what the agent receives, such as a schema's output, may differ each time, and cannot identify a
   * request.
   */
  body: ChatRequestBody;
  owner: string | undefined;
  /** The user's latest message, unless the request continues an answer. */
  input: ChatMessage | undefined;
  /** A copy of the conversation; the agent may change the one in the body. */
  messages: ChatMessage[];
  /** Calls the agent. */
  source: StreamSource;
  /** The id of the run, and of the message if the answer continues no other. */
  runId: string;
  /** The id of the message that the answer continues. */
  continues: string | undefined;
  /** That message, as the application has stored it. */
  continued: AssistantUIMessage | undefined;
  /** The request comes too late. It may only attach to the run that it began in time. */
  refusal: ChatRequestError | undefined;
  /** The name of the message for requests that wait until it is saved; undefined if none will load it. */
  messageKey: string | undefined;
  /** The other wire that the request is in. */
  wire: RouteWire | undefined;
  /** The request in that wire. */
  json: unknown;
}

export class ChatPost {
  readonly #options: ChatRouteOptions;
  readonly #streamOptions: StreamResponseOptions;
  readonly #runs: RunEndpoints | undefined;
  readonly #signer: TokenSigner | undefined;

  constructor(
    options: ChatRouteOptions,
    streamOptions: StreamResponseOptions,
    runs: RunEndpoints | undefined,
  ) {
    this.#options = options;
    this.#streamOptions = streamOptions;
    this.#runs = runs;
    const { resumeSecret } = options;
    this.#signer = resumeSecret === undefined ? undefined : new TokenSigner("resumeSecret", resumeSecret);
  }

  async respond(request: Request, owner: string | undefined): Promise<Response> {
    const read = await this.#read(request, owner);
    // Draining may have begun while the request was being read.
    const refusal = refuseWhileDraining();
    if (refusal !== undefined) return errorResponse(refusal);
    const { shutdown, unregister } = registerOpening();
    try {
      const response = await this.#respond(read, shutdown);
      return read.wire === undefined ? response : translateResponse(response, read.wire, { body: read.json });
    } finally {
      unregister();
    }
  }

  async #respond(read: ReadRequest, shutdown: AbortSignal): Promise<Response> {
    if (this.#runs !== undefined) return this.#respondWithRun(this.#runs, read, shutdown);
    if (read.body.stream !== false) return this.#respondWithStream(read);
    // No comments: the client receives nothing before the answer is complete.
    const response = await this.#respondWithStream(read, { openingMs: never, heartbeatMs: 0 });
    const { signal } = read.request;
    return readIntoResponse(response, { maxBytes: this.#options.maxBufferedBytes, signal });
  }

  async #read(request: Request, owner: string | undefined): Promise<ReadRequest> {
    const { agent, schemas, loadMessage, allowedRoles = ["user", "assistant"], wires } = this.#options;
    const json = await readRequestJSON(request, this.#options);
    const wire = findWireOfBody(json, wires);
    const body = this.#parse(json, wire);
    checkRoles(body.messages, allowedRoles);
    const continues = continuedBy(body);
    const { verified, continued, refusal } = await this.#verify(body, owner, continues);
    const { context = undefined } = schemas ?? {};
    const agentBody = context ? { ...verified, context: await readContext(context, body.context) } : verified;
    const source: StreamSource = ({ signal }) =>
      agent.streamChat(verified.messages, toAgentOptions(agentBody, { owner, continued, signal }));
    const runId = createRunId(owner ?? "", body.idempotencyKey);
    return {
      request,
      body,
      owner,
      trigger: continues === undefined ? (body.trigger ?? "send") : "continue",
      messageId: body.messageId,
      input: continues === undefined ? body.messages.findLast(({ role }) => role === "user") : undefined,
      messages: [...body.messages],
      source: this.#signer
        ? signTokens(source, this.#signer, {
            owner,
            sessionId: body.sessionId,
            message: continued,
            messageId: continues ?? runId,
          })
        : source,
      runId,
      continues,
      continued,
      refusal,
      messageKey: loadMessage && messageKeyOf(owner, continues ?? runId),
      wire,
      json,
    };
  }

  /** A client of another protocol reads streams only. */
  #parse(json: unknown, wire: RouteWire | undefined): ChatRequestBody {
    if (wire === undefined) return withWireHint(json, () => parseChatRequestBody(json, this.#options));
    return { ...parseChatRequestBody(wire.toRequestBody(json), this.#options), stream: undefined };
  }

  /** @throws ChatRequestError for what the server has not signed, and for what comes too late to have begun a run. */
  async #verify(body: ChatRequestBody, owner: string | undefined, continues: string | undefined) {
    const { sessionId, idempotencyKey } = body;
    const { loadMessage } = this.#options;
    // Only the message with the call shows whether it has run. A client must not name another one, or none.
    const message = loadMessage && { id: continues };
    const tokens = this.#signer && (await verifyTokens(body, this.#signer, { owner, continues: message }));
    const continued =
      continues === undefined ? undefined : await loadContinued(loadMessage, continues, { owner, sessionId });
    const verified = tokens?.body ?? body;
    const checked = continued && withoutAnswered(verified, continued);
    const refusal = tokens && (tokens.expired ?? checked?.refusal);
    if (refusal !== undefined && (this.#runs === undefined || idempotencyKey === undefined)) throw refusal;
    return { verified: checked?.body ?? verified, continued, refusal };
  }

  async #respondWithStream(read: ReadRequest, times: ContinuedStreamOptions = {}): Promise<Response> {
    const { request, body, owner, trigger, messageId, input, messages, continued, messageKey } = read;
    const { onFinish, collectMessage = onFinish !== undefined } = this.#options;
    const { sessionId } = body;
    const { response, failure } = await openStreamResponse(this.#withoutRun(read), {
      ...this.#streamOptions,
      ...times,
      signal: request.signal,
      collectMessage,
      continued,
      messageKey,
      onFinish:
        onFinish &&
        ((finish) => onFinish({ ...finish, owner, sessionId, trigger, messageId, input, messages })),
    });
    return failure === undefined ? response : failureResponse(failure);
  }

  /** A stream without a run names its message only where that is needed: to load it when it is continued, or in another wire. */
  #withoutRun({ source, runId, continues, wire, body: { sessionId } }: ReadRequest): StreamSource {
    if (continues === undefined && wire === undefined && this.#options.loadMessage === undefined)
      return source;
    return withRunStart(source, { runId, sessionId, continues, acceptsParts: true });
  }

  async #respondWithRun(runs: RunEndpoints, read: ReadRequest, shutdown: AbortSignal): Promise<Response> {
    const { request, trigger, messageId, input, messages, source, owner = "", runId } = read;
    const { continues, continued, refusal, messageKey, wire } = read;
    const { idempotencyKey: key, ...body } = read.body;
    // Another wire has no cursors: its reader needs the whole answer.
    const lastEventId = wire === undefined ? request.headers.get("last-event-id") : null;
    const { sessionId } = body;
    const target = await runs.start({
      owner,
      sessionId,
      key,
      body,
      trigger,
      messageId,
      input,
      messages,
      source,
      runId,
      continues,
      continued,
      refusal,
      messageKey,
      lastEventId,
      shutdown,
    });
    if (target instanceof Response) return target;
    if (body.stream === false) {
      const { signal } = request;
      const limits = { maxBytes: this.#options.maxBufferedBytes };
      // Without the signal: a run must notice that its reader has left, even if that was before it was opened.
      const result = await collectBufferedStream(runs.chunksOf(target, signal), limits);
      signal.throwIfAborted();
      return bufferedResponse(result);
    }
    const hasIds = wire === undefined && (key !== undefined || readsEventIds(request));
    return runs.respond(target, { signal: request.signal, hasIds });
  }
}
