/**
 * The stream of a model of OpenAI's Responses API as chunks. Texts and reasoning are in `openai-responses-texts.ts`, calls in
 * `openai-responses-calls.ts`, and the way back in `openai-responses-input.ts`.
 */
import type { ChatTypes, FinishReason, StreamChunk, TokenUsage } from "@kortyx/protocol";
import {
  type AdapterOptions,
  countTokens,
  type ModelStream,
  type ModelTurn,
  readTurn,
  type TurnReader,
} from "./model-stream.ts";
import { ResponseCalls } from "./openai-responses-calls.ts";
import {
  type KnownOpenAIResponsesEvent,
  type OpenAIContentPartEvent,
  type OpenAIItemEvent,
  type OpenAIResponse,
  type OpenAIResponsesEvent,
  type OpenAIResponseUsage,
  passedOver,
} from "./openai-responses-events.ts";
import { type Item, isKnownItem } from "./openai-responses-items.ts";
import { ResponseTexts, type TextPlace } from "./openai-responses-texts.ts";
import { ProviderError } from "./provider-error.ts";

/**
 * Translates a stream of `client.responses.create({ stream: true })` into chunks.
 *
 * What OpenAI wants back in a later request is in the `providerMetadata` of the parts, from which
 * {@link toOpenAIResponsesInput} rebuilds its items. The `metadata` of the message has the facts about the response:
 * `openai.id` is the `previous_response_id` of the next request.
 *
 * @param stream - What the SDK returns, or the promise of it.
 * @returns the chunks; the generator's return value is the turn, with the calls that the application has to run.
 * @throws what the SDK throws; an error with the `code` of OpenAI's when the response fails; the reason of an aborted
 * signal; StreamTruncatedError if the stream ends before the response does.
 *
 * @example
 * ```ts
 * const events = (async function* () {
 *   const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
 *   yield { type: "response.output_text.delta", ...place, delta: "Hello" };
 *   yield { type: "response.completed", response: { id: "resp_1", model: "gpt-5" } };
 * })();
 * for await (const chunk of fromOpenAIResponses(events)) render(chunk);
 * ```
 */
export function fromOpenAIResponses<Types extends ChatTypes = ChatTypes>(
  stream: AsyncIterable<OpenAIResponsesEvent> | PromiseLike<AsyncIterable<OpenAIResponsesEvent>>,
  options?: AdapterOptions,
): ModelStream<Types>;
export function fromOpenAIResponses(
  stream: AsyncIterable<OpenAIResponsesEvent> | PromiseLike<AsyncIterable<OpenAIResponsesEvent>>,
  options: AdapterOptions = {},
): ModelStream {
  return readTurn<KnownOpenAIResponsesEvent>(
    "OpenAI",
    "fromOpenAIResponses takes the stream of a response, whose request has `stream: true`",
    stream as AsyncIterable<KnownOpenAIResponsesEvent>,
    options,
    new ResponseReader(options.onUnknown),
  );
}

/** Follows one response. */
class ResponseReader implements TurnReader<KnownOpenAIResponsesEvent> {
  readonly #onUnknown: ((event: unknown) => void) | undefined;
  readonly #calls = new ResponseCalls();
  readonly #texts = new ResponseTexts(() => this.#id);
  #response: OpenAIResponse = {};
  /** The facts that were last sent, as JSON. */
  #facts = "{}";
  /** A key of its own until the response has named itself, which the API does first. */
  #id: string = crypto.randomUUID();
  /** Undefined until the response has ended. */
  #finishReason: FinishReason | undefined;

  constructor(onUnknown: ((event: unknown) => void) | undefined) {
    this.#onUnknown = onUnknown;
  }

  get hasEnded(): boolean {
    return this.#finishReason !== undefined;
  }

  read(event: KnownOpenAIResponsesEvent): StreamChunk[] {
    switch (event.type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        return this.#describe(event.response);
      case "response.completed":
      case "response.incomplete":
        return this.#end(event.type, event.response);
      case "response.failed":
        throw new ProviderError("OpenAI", event.response.error);
      case "error":
        throw new ProviderError("OpenAI", event.error ?? event);
      case "response.output_item.added":
        return this.#addItem(event.output_index, event.item as Item);
      case "response.output_item.done":
        return this.#endItem(event);
      case "response.content_part.added":
        return this.#isText(event) ? this.#texts.start(event, event.part.type) : [];
      case "response.content_part.done":
        return this.#isText(event) ? this.#texts.end(event, event.part.type, { ...event.part }) : [];
      case "response.output_text.annotation.added":
        return this.#texts.annotate(event, event.annotation);
      case "response.reasoning_text.done":
        return this.#texts.end(event, "reasoning_text");
      case "response.reasoning_summary_part.added":
        return this.#texts.start(event, "summary_text");
      case "response.reasoning_summary_part.done":
        return this.#texts.end(event, "summary_text");
      default:
        return this.#readPiece(event);
    }
  }

  #readPiece(event: KnownOpenAIResponsesEvent): StreamChunk[] {
    switch (event.type) {
      case "response.output_text.delta":
        return this.#texts.addDelta(event, "output_text", event.delta);
      case "response.refusal.delta":
        return this.#texts.addDelta(event, "refusal", event.delta);
      case "response.reasoning_text.delta":
        return this.#texts.addDelta(event, "reasoning_text", event.delta);
      case "response.reasoning_summary_text.delta":
        return this.#texts.addDelta(event, "summary_text", event.delta);
      case "response.function_call_arguments.delta":
      case "response.mcp_call_arguments.delta":
      case "response.custom_tool_call_input.delta":
      case "response.code_interpreter_call_code.delta":
        return this.#calls.addInput(event.output_index, event.delta);
      case "response.shell_call_command.added":
      case "response.shell_call_command.delta":
        return this.#calls.addCommand(event);
      case "response.shell_call_output_content.delta":
      case "response.shell_call_output_content.done":
        return this.#calls.addPrinted(event);
      case "response.web_search_call.searching":
      case "response.file_search_call.searching":
      case "response.code_interpreter_call.interpreting":
      case "response.image_generation_call.generating":
        return this.#calls.addState(event.output_index, event.type.slice(event.type.lastIndexOf(".") + 1));
      case "response.image_generation_call.partial_image":
        return this.#calls.addImage(event);
      case "response.audio.transcript.delta":
        return this.#texts.addDelta(transcript, "output_text", event.delta ?? "");
      case "response.audio.transcript.done":
        return this.#texts.end(transcript, "output_text");
      default:
        if (!(passedOver as readonly string[]).includes(event.type)) this.#onUnknown?.(event);
        return [];
    }
  }

  end(): { chunks: StreamChunk[]; turn: ModelTurn } {
    const { model } = this.#response;
    const usage = toUsage(this.#response.usage);
    const usageByModel = usage && [{ provider: "openai", ...(model !== undefined && { model }), ...usage }];
    const { toolCalls } = this.#calls;
    const turn = { finishReason: this.#finishReason!, usage, usageByModel, model, toolCalls };
    return { chunks: [], turn };
  }

  #describe(response: OpenAIResponse): StreamChunk[] {
    this.#response = { ...this.#response, ...response };
    this.#id = this.#response.id ?? this.#id;
    const openai = factsOf(this.#response);
    const facts = JSON.stringify(openai);
    if (facts === this.#facts) return [];
    this.#facts = facts;
    return [{ type: "metadata", metadata: { openai } }];
  }

  #end(type: "response.completed" | "response.incomplete", response: OpenAIResponse): StreamChunk[] {
    const chunks = [...this.#texts.endAll(), ...this.#describe(response)];
    this.#finishReason = type === "response.completed" ? this.#reason() : toReason(response);
    return chunks;
  }

  /** Why a complete response has ended. */
  #reason(): FinishReason {
    if (this.#calls.hasQuestion) return "interrupt";
    return this.#calls.isWaiting ? "tool-calls" : "stop";
  }

  #addItem(index: number, item: Item): StreamChunk[] {
    switch (item.type) {
      case "message":
        this.#texts.addMessage(index, item);
        return [];
      case "compaction":
        return this.#texts.startCompaction(index);
      default:
        return this.#calls.add(index, item);
    }
  }

  #endItem({ output_index: index, item: given }: OpenAIItemEvent): StreamChunk[] {
    const item = given as Item;
    switch (item.type) {
      case "message":
        return this.#texts.endMessage(index, item);
      case "reasoning":
        return this.#texts.endReasoning(index, item);
      case "compaction":
        return this.#texts.endCompaction(index, item);
      default:
        if (!isKnownItem(item)) this.#onUnknown?.(item);
        return this.#calls.end(index, item);
    }
  }

  /** Other kinds of parts are for a newer version. */
  #isText({ part, type }: OpenAIContentPartEvent): boolean {
    const isText = part.type === "output_text" || part.type === "refusal" || part.type === "reasoning_text";
    if (!isText && type === "response.content_part.done") this.#onUnknown?.(part);
    return isText;
  }
}

/** The transcript of a spoken answer is no item of the output. */
const transcript: TextPlace = { output_index: -1, content_index: 0 };

function factsOf(response: OpenAIResponse): Record<string, unknown> {
  const names = [
    "id",
    "model",
    "service_tier",
    "conversation",
    "previous_response_id",
    "incomplete_details",
  ] as const;
  const known = names.filter((name) => response[name] !== undefined && response[name] !== null);
  return Object.fromEntries(known.map((name) => [name, response[name]]));
}

function toReason({ incomplete_details }: OpenAIResponse): FinishReason {
  switch (incomplete_details?.reason) {
    case "max_output_tokens":
      return "length";
    case "content_filter":
      return "content-filter";
    default:
      return "other";
  }
}

function toUsage(given: OpenAIResponseUsage | null | undefined): TokenUsage | undefined {
  if (!given) return undefined;
  return countTokens({
    inputTokens: given.input_tokens,
    outputTokens: given.output_tokens,
    totalTokens: given.total_tokens,
    reasoningTokens: given.output_tokens_details?.reasoning_tokens,
    cachedInputTokens: given.input_tokens_details?.cached_tokens,
    cacheWriteInputTokens: given.input_tokens_details?.cache_write_tokens,
  });
}
