/**
 * Replaces the resume tokens of a stream by signed ones, before a client sees them. Verifies none.
 */
import type {
  AssistantMessage,
  ChatTypes,
  InterruptChunk,
  StreamChunk,
  ToolCallPart,
  ToolCallReadyChunk,
} from "@kortyx/protocol";
import { isSameJSON } from "@kortyx/protocol/internal";
import { type ChunkChange, mapSource } from "../stream/map-source.ts";
import type { StreamSource } from "../stream/source.ts";
import { hashCall, type Secrets, type TokenContent, type TokenScope, TokenSigner } from "./token-signer.ts";

/** How long a token is valid if the agent does not say: 7 days, in milliseconds. */
const defaultValidityMs = 7 * 24 * 60 * 60_000;

/** What {@link signResumeTokens} needs to know of the request that a stream answers. */
export interface SignResumeTokensOptions {
  /**
   * At least 32 characters that only the application's servers know. Of several, the first signs: put a new one in front, and remove the old
   * one when its tokens have expired.
   */
  secret: string | readonly string[];
  /** Whose conversation it is. @defaultValue no owner: any client that has the token may use it */
  owner?: string | undefined;
  /** The `sessionId` of the request; that of a `session` chunk replaces it. */
  sessionId?: string | undefined;
  /** The message that the stream continues, from the application's own storage: its calls may be asked about. */
  message?: AssistantMessage | undefined;
}

/**
 * Signs the resume tokens of a stream, for a server without {@link createChatRoute}, which does the same with its
 * `resumeSecret`. {@link verifyResumeTokens} verifies them.
 *
 * The `resumeToken` of each `interrupt`, and of each `tool-call-ready` with the `executor` `client`, is replaced by a
 * signed one, or by an empty one for an automatic `interrupt`, which takes no answer. The signed one holds the agent's own
 * token, which the client can read but not change, is bound to owner and session, and expires with the question's
 * `expiresAt`, or after 7 days. That of a question about a call is bound to the call's tool and input: a question before its
 * call's input is whole fails the stream. A call that the client runs and that has no `tool-call-ready` gets one at the end.
 *
 * @throws TypeError for a secret that is missing or too short.
 *
 * @example
 * ```ts
 * const secret = "at least 32 characters, kept secret";
 * const signed = signResumeTokens(() => agent.streamChat(messages, {}), { secret, owner: "ann" });
 * const response = toSSE(signed);
 * ```
 */
export function signResumeTokens<Types extends ChatTypes = ChatTypes>(
  source: StreamSource<Types>,
  options: SignResumeTokensOptions,
): StreamSource<Types>;
export function signResumeTokens(source: StreamSource, options: SignResumeTokensOptions): StreamSource {
  const { secret, owner, sessionId, message } = options;
  const signer = new TokenSigner("secret", secret satisfies Secrets);
  return signTokens(source, signer, { owner, sessionId, message });
}

/** What the tokens of a stream are bound to. */
export interface StreamTokenOptions extends TokenScope {
  /** The message that the stream continues. */
  message: AssistantMessage | undefined;
  /** The id of the message that the stream is in, if the client knows it. */
  messageId?: string | undefined;
}

export function signTokens(
  source: StreamSource,
  signer: TokenSigner,
  options: StreamTokenOptions,
): StreamSource {
  return mapSource(source, () => new StreamTokens(signer, options));
}

/** A call whose result has not come. */
interface OpenCall {
  executor: string | undefined;
  /** Absent until its input is whole. */
  ready?: Pick<ToolCallReadyChunk, "tool" | "input"> | undefined;
  /** The client has a token for its result. */
  isSigned?: boolean | undefined;
  /** It began whole, and its `tool-call-ready`, which has room for a token, may still come. */
  isUnready?: boolean | undefined;
}

class StreamTokens implements ChunkChange {
  readonly #signer: TokenSigner;
  readonly #calls = new Map<string, OpenCall>();
  readonly #messageId: string | undefined;
  #scope: TokenScope;

  constructor(signer: TokenSigner, { message, messageId, ...scope }: StreamTokenOptions) {
    this.#signer = signer;
    this.#messageId = messageId;
    this.#scope = scope;
    for (const part of message?.parts ?? []) {
      if (part.type === "tool-call") this.#calls.set(part.toolCallId, toOpenCall(part));
    }
  }

  replace(value: unknown): unknown[] | Promise<unknown[]> | undefined {
    const chunk = value as StreamChunk | null | undefined;
    switch (chunk?.type) {
      case "session":
        // Later requests of the conversation name this one. A request's id is trimmed.
        this.#scope = { ...this.#scope, sessionId: String(chunk.sessionId).trim() || undefined };
        return undefined;
      case "interrupt":
        return this.#signQuestion(chunk);
      case "tool-call-start":
        return this.#onStart(chunk);
      case "tool-call-ready":
        return this.#onReady(chunk);
      case "tool-call-result":
      case "tool-call-error":
      case "tool-call-denied":
        this.#calls.delete(chunk.toolCallId);
        return undefined;
      case "done":
        return this.#onDone(chunk);
      default:
        return undefined;
    }
  }

  append(): unknown[] | Promise<unknown[]> {
    return this.#signPending() ?? [];
  }

  async #signQuestion(chunk: InterruptChunk): Promise<unknown[]> {
    // A policy decides: no answer of the client's may be accepted.
    if (chunk.isAutomatic === true) return [{ ...chunk, resumeToken: "" }];
    const { requestId: id, toolCallId, expiresAt, resumeToken: token } = chunk;
    const call = toolCallId === undefined ? undefined : this.#calls.get(toolCallId)?.ready;
    if (toolCallId !== undefined && call === undefined) throw unknownCall(id, toolCallId);
    const callHash = call && (await hashCall(call.tool, call.input));
    const resumeToken = await this.#sign({ kind: "question", id, toolCallId, callHash, token }, expiresAt);
    return [{ ...chunk, resumeToken }];
  }

  #onStart(chunk: Extract<StreamChunk, { type: "tool-call-start" }>): Promise<unknown[]> | undefined {
    const { toolCallId, tool, input, executor } = chunk;
    const earlier = this.#calls.get(toolCallId);
    const isUnready = earlier?.isUnready === true;
    if (isUnready && (input === undefined || isSameJSON(input, earlier.ready!.input))) return undefined;
    const ready = input === undefined ? undefined : { tool, input };
    this.#calls.set(toolCallId, { executor, ready, isUnready: ready && executor === "client" });
    // Another call with the same id begins.
    return isUnready ? this.#toReady(toolCallId, earlier).then((before) => [before, chunk]) : undefined;
  }

  #onReady(chunk: ToolCallReadyChunk): Promise<unknown[]> | undefined {
    const { toolCallId, tool, input } = chunk;
    const { executor = this.#calls.get(toolCallId)?.executor, resumeToken } = chunk;
    const call: OpenCall = { executor, ready: { tool, input } };
    this.#calls.set(toolCallId, call);
    if (executor !== "client") return undefined;
    return this.#signCall(toolCallId, call, resumeToken).then((token) => [{ ...chunk, resumeToken: token }]);
  }

  #onDone(chunk: Extract<StreamChunk, { type: "done" }>): Promise<unknown[]> | undefined {
    const pending = this.#signPending([chunk.pendingToolCallIds ?? []].flat());
    return pending?.then((ready) => [...ready, chunk]);
  }

  #signPending(toolCallIds: readonly string[] = []): Promise<unknown[]> | undefined {
    const unready = [...this.#calls].flatMap(([toolCallId, { isUnready }]) =>
      isUnready ? [toolCallId] : [],
    );
    const pending = [...new Set([...unready, ...toolCallIds])].flatMap((toolCallId) => {
      const call = this.#calls.get(toolCallId);
      return call?.ready === undefined || call.isSigned ? [] : [this.#toReady(toolCallId, call)];
    });
    return pending.length === 0 ? undefined : Promise.all(pending);
  }

  async #toReady(toolCallId: string, call: OpenCall): Promise<ToolCallReadyChunk> {
    const resumeToken = await this.#signCall(toolCallId, call);
    return { type: "tool-call-ready", toolCallId, ...call.ready!, executor: "client", resumeToken };
  }

  async #signCall(id: string, call: OpenCall, token?: string | undefined): Promise<string> {
    const { tool, input } = call.ready!;
    call.isSigned = true;
    const callHash = await hashCall(tool, input);
    return this.#sign({ kind: "call", id, toolCallId: id, tool, callHash, token });
  }

  #sign(content: Omit<TokenContent, "expiresAt">, expiresAt?: number | undefined): Promise<string> {
    const until = Number.isFinite(expiresAt) ? expiresAt! : Date.now() + defaultValidityMs;
    const messageId = this.#messageId;
    return this.#signer.sign({ ...content, messageId, expiresAt: until }, this.#scope);
  }
}

const unknownCall = (requestId: string, toolCallId: string) =>
  new TypeError(
    `The question ${JSON.stringify(requestId)} is about the call ${JSON.stringify(toolCallId)}, whose input is not known ` +
      "yet: yield its tool-call-ready before the question, also when the call is of an earlier answer, unless " +
      "loadMessage returns that answer.",
  );

const toOpenCall = ({ tool, input, executor, resumeToken }: ToolCallPart): OpenCall => ({
  executor,
  ...(input !== undefined && { ready: { tool, input } }),
  isSigned: resumeToken !== undefined,
});
