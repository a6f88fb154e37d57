/**
 * Adapts the streams of the AI SDK: its parts become chunks. Runs no tools and asks no model; imports nothing of the SDK.
 * `ai-sdk-calls.ts` has what belongs to tool calls, `ai-sdk-messages.ts` the way back.
 */
import type { ChatTypes, FinishReason, ModelUsage, StreamChunk, TokenUsage } from "@kortyx/protocol";
import { type AISDKCallOptions, AISDKCalls, answeredBefore, pickDefined } from "./ai-sdk-calls.ts";
import type { AISDKSource, AISDKStreamPart, AISDKUsage, PartOf } from "./ai-sdk-parts.ts";
import {
  type AdapterOptions,
  addUsage,
  checkEnd,
  countTokens,
  type ModelStream,
  type ModelTurn,
  readEvents,
  toDone,
} from "./model-stream.ts";

/** What has a stream of the AI SDK: the result of `streamText`, or of `stream` of an agent. */
export interface AISDKResult {
  /** The parts, in order. Read once. */
  readonly stream: AsyncIterable<AISDKStreamPart>;
}

/** A stream of the AI SDK, or the result that has it. */
export type AISDKStream = AsyncIterable<AISDKStreamPart> | AISDKResult;

/** Options of {@link fromAISDK}. The options that a route gives its agent can be passed as they are. */
export interface FromAISDKOptions extends AdapterOptions, AISDKCallOptions {}

/**
 * The chunks of a stream of the AI SDK 7: of `streamText`, or of an agent. Its steps, tool calls, approvals, sources, files
 * and reasoning become those of the contract, and calls that no tool of the server has answered wait for the client.
 *
 * Pass the signal to the SDK, too: it stops a model only by its `abortSignal`. `resumes` and `toolResults` are those of the
 * request; the chunks begin with what has become of them.
 *
 * @param stream - Or the result that has it, or a promise of either.
 * @returns the turn, as the return value of the generator: the `usage` of all steps, and the `toolCalls` that wait for the client.
 * @throws what the provider or the SDK reports as an error, after the text that came before; the reason of an aborted
 * signal; StreamTruncatedError if the stream ends without its end.
 *
 * @example
 * ```ts
 * const parts = (async function* () {
 *   yield { type: "text-delta" as const, id: "0", text: "Hello" };
 *   yield { type: "finish" as const, finishReason: "stop" };
 * })();
 * const response = toSSE(fromAISDK(parts));
 * ```
 */
export function fromAISDK<Types extends ChatTypes = ChatTypes>(
  stream: AISDKStream | PromiseLike<AISDKStream>,
  options?: FromAISDKOptions,
): ModelStream<Types>;
export function fromAISDK(
  stream: AISDKStream | PromiseLike<AISDKStream>,
  options: FromAISDKOptions = {},
): ModelStream {
  const parts = Promise.resolve(stream).then((given) => (isResult(given) ? given.stream : given));
  return toChunks(readEvents(parts, options.signal, takes), options);
}

const takes = "fromAISDK takes the result of streamText or of an agent's stream(), or its `stream`";

const isResult = (given: AISDKStream): given is AISDKResult =>
  typeof given === "object" && given !== null && "stream" in given;

async function* toChunks(parts: AsyncIterable<AISDKStreamPart>, options: FromAISDKOptions): ModelStream {
  const { signal, terminal = true } = options;
  yield* answeredBefore(options);
  const answer = new AISDKAnswer(options);
  for await (const part of parts) {
    if (part.type === "abort") {
      yield { type: "abort", reason: part.reason ?? "aborted" };
      return answer.turn;
    }
    yield* answer.translate(part);
  }
  answer.check(signal);
  if (terminal) yield answer.done();
  return answer.turn;
}

class AISDKAnswer {
  readonly #options: FromAISDKOptions;
  readonly #calls: AISDKCalls;
  /** The sources that have been sent: a citation names one. */
  readonly #sources = new Set<string>();
  #stepId = "";
  #error: { cause: unknown } | undefined;
  #end: PartOf<"finish"> | undefined;
  #model: string | undefined;
  readonly #usageByModel = new Map<string | undefined, TokenUsage | undefined>();

  constructor(options: FromAISDKOptions) {
    this.#options = options;
    this.#calls = new AISDKCalls(options);
  }

  translate(part: AISDKStreamPart): StreamChunk[] {
    switch (part.type) {
      case "text-start":
      case "reasoning-start":
      case "reasoning-end":
        return [{ type: part.type, segmentId: part.id, ...metadataOf(part) }];
      case "text-delta":
      case "reasoning-delta":
        return [{ type: part.type, segmentId: part.id, delta: part.text, ...metadataOf(part) }];
      case "text-end":
        return this.#endText(part);
      case "source":
        return [this.#show(part)];
      case "file":
      case "reasoning-file":
        return [toFile(part)];
      case "custom":
        return [{ type: "data", name: part.kind, data: null, ...metadataOf(part) }];
      case "start-step":
        this.#stepId = crypto.randomUUID();
        return [{ type: "step-start", stepId: this.#stepId }];
      case "finish-step":
        return this.#endStep(part);
      case "error":
        // More may follow: what came is passed on, and the error is thrown at the end.
        this.#error ??= { cause: part.error };
        return [];
      case "finish":
        this.#end = part;
        return [];
      case "abort":
      case "start":
      case "tool-input-end":
      case "steering-message":
      case "ping":
      case "raw":
        return [];
      default:
        return this.#calls.translate(part) ?? this.#passOver(part);
    }
  }

  #passOver(part: unknown): [] {
    this.#options.onUnknown?.(part);
    return [];
  }

  #endText({ id, citations, ...part }: PartOf<"text-end">): StreamChunk[] {
    const cited = (citations ?? []).map(({ source, startIndex, endIndex, citedText }) => ({
      ...pickDefined({ sourceId: source.id, start: startIndex, end: endIndex, quote: citedText }),
      ...metadataOf(source),
    }));
    // A provider may leave out the sources that it cites from the list of its sources.
    const unknown = (citations ?? [])
      .filter(({ source }) => !this.#sources.has(source.id))
      .map(({ source }) => this.#show(source));
    return [
      ...new Map(unknown.map((source) => [source.id, source])).values(),
      {
        type: "text-end",
        segmentId: id,
        ...(cited.length > 0 && { citations: cited }),
        ...metadataOf(part),
      },
    ];
  }

  #show(source: AISDKSource) {
    this.#sources.add(source.id);
    const { id, url, title, mediaType, filename: name } = source;
    return {
      type: "source" as const,
      id,
      ...pickDefined({ url, title, mediaType, name }),
      ...metadataOf(source),
    };
  }

  #endStep({ finishReason, rawFinishReason, response, ...part }: PartOf<"finish-step">): StreamChunk[] {
    const model = response?.modelId;
    const usage = toUsage(part.usage);
    this.#model = model ?? this.#model;
    if (usage) this.#usageByModel.set(model, addUsage(this.#usageByModel.get(model), usage));
    const facts = pickDefined({
      id: response?.id,
      model,
      rawFinishReason,
      providerMetadata: part.providerMetadata ?? undefined,
    });
    const stepId = this.#stepId;
    return [
      { type: "step-end", stepId, finishReason, ...pickDefined({ usage, model }) },
      ...(Object.keys(facts).length > 0
        ? [{ type: "metadata" as const, metadata: { "ai-sdk": facts } }]
        : []),
    ];
  }

  /** To be called when the stream has ended. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#error) throw toError(this.#error.cause);
    if (this.#end?.finishReason === "error") throw toError(undefined);
    checkEnd("the AI SDK", this.#end !== undefined && this.#end.finishReason !== "interrupted", signal);
  }

  done(): StreamChunk {
    const pendingToolCallIds = this.turn.toolCalls.map(({ toolCallId }) => toolCallId);
    return {
      ...toDone(this.turn),
      ...(pendingToolCallIds.length > 0 && { pendingToolCallIds }),
    } as StreamChunk;
  }

  get turn(): ModelTurn {
    const reason = this.#end?.finishReason ?? "other";
    // Of an answer that was cut off, the SDK runs no tools: nothing waits.
    const toolCalls = reason === "stop" || reason === "tool-calls" ? this.#calls.waiting : [];
    const usageByModel = Array.from(
      this.#usageByModel,
      ([model, usage]): ModelUsage => ({ ...pickDefined({ model }), ...usage }),
    );
    return {
      finishReason: this.#calls.isAsking ? "interrupt" : toFinishReason(reason, toolCalls.length > 0),
      usage: toUsage(this.#end?.totalUsage),
      usageByModel: usageByModel.length > 0 ? usageByModel : undefined,
      model: this.#model,
      toolCalls,
    };
  }
}

function toFinishReason(reason: string, isWaiting: boolean): FinishReason {
  if (isWaiting) return "tool-calls";
  // All calls have their results, but a stop condition has ended the loop.
  return reason === "tool-calls" ? "max-turns" : reason;
}

const toUsage = (usage: AISDKUsage | undefined): TokenUsage | undefined =>
  countTokens({
    inputTokens: usage?.inputTokens,
    outputTokens: usage?.outputTokens,
    totalTokens: usage?.totalTokens,
    reasoningTokens: usage?.outputTokenDetails?.reasoningTokens,
    cachedInputTokens: usage?.inputTokenDetails?.cacheReadTokens,
    cacheWriteInputTokens: usage?.inputTokenDetails?.cacheWriteTokens,
  });

const toFile = ({ type, file, ...part }: PartOf<"file">): StreamChunk => ({
  type: "file",
  mediaType: file.mediaType,
  url: `data:${file.mediaType};base64,${file.base64}`,
  ...(type === "reasoning-file" && { isReasoning: true }),
  ...metadataOf(part),
});

function metadataOf({ providerMetadata }: { providerMetadata?: Record<string, unknown> | null | undefined }) {
  return providerMetadata ? { providerMetadata } : {};
}

const toError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error("The AI SDK has reported an error.", { cause });
