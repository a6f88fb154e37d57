/**
 * Anthropic's stream of a message as chunks: its facts, its usage and its end. The content is in `anthropic-blocks.ts`.
 */
import type { ChatTypes, FinishReason, StreamChunk, TokenUsage } from "@kortyx/protocol";
import { AnthropicBlocks } from "./anthropic-blocks.ts";
import type {
  AnthropicEvent,
  AnthropicMessageDelta,
  AnthropicMessageStart,
  AnthropicUsage,
} from "./anthropic-events.ts";
import {
  type AdapterOptions,
  type ModelStream,
  type ModelTurn,
  readTurn,
  type TurnReader,
} from "./model-stream.ts";
import { ProviderError } from "./provider-error.ts";

export type * from "./anthropic-events.ts";

/**
 * The chunks of one call of Anthropic's Messages API.
 *
 * Takes what `client.messages.create({ stream: true })` returns, with `await` or without, `client.messages.stream()`, the
 * same of the beta API, or the parsed events of a reader of your own. Pass the agent's `signal` to the SDK, and here.
 *
 * @returns why the model stopped, what it cost, and the calls that wait for a result.
 * @throws what the SDK throws, the failure in an `error` event, the reason of an aborted signal, or StreamTruncatedError
 * if the events end without `message_stop`.
 *
 * @example
 * ```ts
 * const stream = anthropic.messages.create({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 1024,
 *   stream: true,
 *   ...toAnthropicPrompt(messages),
 * });
 * for await (const chunk of fromAnthropic(stream)) render(chunk);
 * ```
 */
export function fromAnthropic<Types extends ChatTypes = ChatTypes>(
  stream: AsyncIterable<AnthropicEvent> | PromiseLike<AsyncIterable<AnthropicEvent>>,
  options?: AdapterOptions,
): ModelStream<Types>;
export function fromAnthropic(
  stream: AsyncIterable<AnthropicEvent> | PromiseLike<AsyncIterable<AnthropicEvent>>,
  options: AdapterOptions = {},
): ModelStream {
  return readTurn(
    "Anthropic",
    "fromAnthropic takes the stream of a message, whose request has `stream: true`",
    stream,
    options,
    new AnthropicMessage(options.onUnknown),
  );
}

const finishReasons: Record<string, FinishReason> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
  refusal: "content-filter",
  pause_turn: "pause",
  compaction: "pause",
};

/** Reasons of which `finishReason` has lost nothing. */
const plainReasons = new Set(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn"]);

/** Token counts of the API; those that it has not reported are absent. */
type Counts = Partial<Record<"input" | "output" | "cacheRead" | "cacheWrite" | "thinking", number>>;

/** One answer, event by event. */
class AnthropicMessage implements TurnReader<AnthropicEvent> {
  readonly #onUnknown: AdapterOptions["onUnknown"];
  readonly #blocks: AnthropicBlocks;
  #model: string | undefined;
  #stopReason: string | undefined;
  /** What was known at the start, in the words of the API. */
  #facts: Record<string, unknown> = {};
  #counts: Counts = {};
  hasEnded = false;

  constructor(onUnknown: AdapterOptions["onUnknown"]) {
    this.#onUnknown = onUnknown;
    this.#blocks = new AnthropicBlocks(onUnknown);
  }

  read(event: AnthropicEvent): StreamChunk[] {
    switch (event.type) {
      case "message_start":
        return this.#start(event);
      case "content_block_start":
        return this.#blocks.start(event);
      case "content_block_delta":
        return this.#blocks.add(event);
      case "content_block_stop":
        return this.#blocks.stop(event);
      case "message_delta":
        return [...this.#blocks.endText(), ...this.#describe(event)];
      case "message_stop":
        this.hasEnded = true;
        return this.#blocks.end();
      case "ping":
        return [];
      case "error":
        throw new ProviderError("Anthropic", event.error);
      default:
        this.#onUnknown?.(event);
        return [];
    }
  }

  end(): { chunks: StreamChunk[]; turn: ModelTurn } {
    const usage = toUsage(this.#counts);
    const model = this.#model;
    const turn = {
      finishReason: finishReasons[this.#stopReason ?? ""] ?? "other",
      usage,
      usageByModel: usage && [{ provider: "anthropic", ...(model !== undefined && { model }), ...usage }],
      model,
      toolCalls: this.#blocks.toolCalls,
    };
    return { chunks: [], turn };
  }

  #start({ message: { id, model, usage, container } }: AnthropicMessageStart): StreamChunk[] {
    this.#blocks.responseId = id;
    this.#model = model;
    this.#count(usage);
    const { service_tier, inference_geo, speed, cache_creation } = usage ?? {};
    this.#facts = pickKnown({
      id,
      model,
      service_tier,
      inference_geo,
      speed,
      // Otherwise its counts are all 0.
      cache_creation: usage?.cache_creation_input_tokens ? cache_creation : undefined,
      container,
    });
    return [{ type: "metadata", metadata: { anthropic: this.#facts } }];
  }

  /** A key of `metadata` is replaced as a whole, so the facts of the start are repeated. */
  #describe({ delta, usage, context_management }: AnthropicMessageDelta): StreamChunk[] {
    this.#count(usage);
    const { stop_reason, stop_sequence, stop_details, container } = delta;
    this.#stopReason = stop_reason ?? this.#stopReason;
    const added = pickKnown({
      stop_reason: plainReasons.has(stop_reason ?? "") ? undefined : stop_reason,
      stop_sequence,
      stop_details,
      container,
      context_management,
      server_tool_use: usage?.server_tool_use,
    });
    if (Object.keys(added).length === 0) return [];
    this.#facts = { ...this.#facts, ...added };
    return [{ type: "metadata", metadata: { anthropic: this.#facts } }];
  }

  /** The counts are totals, and `null` means that a count has not changed. */
  #count(usage: AnthropicUsage | null | undefined): void {
    const given = {
      input: usage?.input_tokens,
      output: usage?.output_tokens,
      cacheRead: usage?.cache_read_input_tokens,
      cacheWrite: usage?.cache_creation_input_tokens,
      thinking: usage?.output_tokens_details?.thinking_tokens,
    };
    this.#counts = { ...this.#counts, ...pickKnown(given) };
  }
}

/** Leaves out what the API reports as `null`. */
const pickKnown = <Value>(fields: Record<string, Value>): Record<string, NonNullable<Value>> =>
  Object.fromEntries(
    Object.entries(fields).filter(
      (entry): entry is [string, NonNullable<Value>] => (entry[1] ?? null) !== null,
    ),
  );

/** Anthropic counts the tokens of its cache apart from those of the prompt. */
function toUsage({ input, output, cacheRead, cacheWrite, thinking }: Counts): TokenUsage | undefined {
  const inputTokens = (input ?? 0) + (cacheRead ?? 0) + (cacheWrite ?? 0);
  if (inputTokens + (output ?? 0) === 0) return undefined;
  return {
    inputTokens,
    ...(output !== undefined && { outputTokens: output }),
    ...(thinking !== undefined && { reasoningTokens: thinking }),
    ...(cacheRead !== undefined && { cachedInputTokens: cacheRead }),
    ...(cacheWrite !== undefined && { cacheWriteInputTokens: cacheWrite }),
  };
}
