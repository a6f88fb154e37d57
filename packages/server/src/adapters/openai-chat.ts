/**
 * Streamed chat completions of OpenAI, and of servers that are compatible with it, as chunks. Knows the API's events;
 * imports no SDK.
 */
import type { ChatTypes, StreamChunk } from "@kortyx/protocol";
import { isRecord, textOf } from "./loose-values.ts";
import {
  type AdapterOptions,
  type ModelStream,
  type ModelTurn,
  readTurn,
  type TurnReader,
} from "./model-stream.ts";
import { OpenAIChatCalls } from "./openai-chat-calls.ts";
import type { OpenAIChatChoice, OpenAIChatEvent } from "./openai-chat-events.ts";
import { OpenAIChatFacts, toFailure, toFinishReason, toUsage } from "./openai-chat-facts.ts";
import { OpenAIChatTexts } from "./openai-chat-texts.ts";
import { ProviderError } from "./provider-error.ts";

/**
 * Turns the stream of `openai.chat.completions.create({ stream: true })` into chunks.
 *
 * @param stream - The SDK's stream, or the promise of it. With `stream_options: { include_usage: true }` in its request,
 * `done` has the tokens. Pass the request the same `signal`.
 * @returns the chunks; its return value, for `yield*` in a loop, has the tool calls that wait for a result.
 * @throws while it is iterated: what the SDK throws, and a failure that the provider reports in the stream. A stream that
 * ends without a `finish_reason` is a StreamTruncatedError.
 *
 * @example
 * ```ts
 * const events = async function* () {
 *   yield { id: "chatcmpl-1", model: "gpt-5", choices: [{ index: 0, delta: { content: "Hello" } }] };
 *   yield { id: "chatcmpl-1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
 * };
 * for await (const chunk of fromOpenAIChat(events())) {
 *   console.info(chunk); // metadata, text-delta, text-end, done
 * }
 * ```
 */
export function fromOpenAIChat<Types extends ChatTypes = ChatTypes>(
  stream: AsyncIterable<OpenAIChatEvent> | PromiseLike<AsyncIterable<OpenAIChatEvent>>,
  options?: AdapterOptions,
): ModelStream<Types>;
export function fromOpenAIChat(
  stream: AsyncIterable<OpenAIChatEvent> | PromiseLike<AsyncIterable<OpenAIChatEvent>>,
  options: AdapterOptions = {},
): ModelStream {
  return readTurn(
    "OpenAI",
    "fromOpenAIChat takes the stream of a chat completion, whose request has `stream: true`",
    stream,
    options,
    new OpenAIChatCompletion(options.onUnknown),
  );
}

/** Of a delta. The role is always the assistant. */
const knownFields: ReadonlySet<string> = new Set([
  "role",
  "content",
  "refusal",
  "reasoning_content",
  "reasoning",
  "reasoning_details",
  "tool_calls",
  "function_call",
  "audio",
  "annotations",
  "images",
] satisfies ("role" | keyof ChoiceDelta)[]);

/** Translates the events of one response, one after the other. */
class OpenAIChatCompletion implements TurnReader<OpenAIChatEvent> {
  readonly #onUnknown: (event: unknown) => void;
  readonly #facts = new OpenAIChatFacts();
  readonly #texts: OpenAIChatTexts;
  readonly #calls: OpenAIChatCalls;
  #id: string | undefined;
  #model: string | undefined;
  #usage: OpenAIChatEvent["usage"];
  #finishReason: string | undefined;

  constructor(onUnknown: (event: unknown) => void = () => {}) {
    this.#onUnknown = onUnknown;
    this.#texts = new OpenAIChatTexts(onUnknown);
    this.#calls = new OpenAIChatCalls(onUnknown);
  }

  /** Whether the model has stopped. The usage may follow, and from some servers also more of the answer. */
  get hasEnded(): boolean {
    return this.#finishReason !== undefined;
  }

  read(event: OpenAIChatEvent): StreamChunk[] {
    if (typeof event !== "object" || event === null) {
      this.#onUnknown(event);
      return [];
    }
    if (event.error != null) throw new ProviderError("OpenAI", event.error);
    this.#id ??= textOf(event.id);
    this.#model ??= textOf(event.model);
    // It counts from the beginning of the response, where more than one event has it.
    const usage = event.usage ?? (isRecord(event.x_groq) ? (event.x_groq.usage as typeof event.usage) : null);
    if (toUsage(usage)) this.#usage = usage;
    const facts = this.#facts.read(event);
    const choices: readonly OpenAIChatChoice[] = Array.isArray(event.choices) ? event.choices : [];
    return [
      ...(facts ? [{ type: "metadata", metadata: { openai: facts } } as const] : []),
      ...choices.flatMap((choice) => this.#readChoice(choice)),
    ];
  }

  #readChoice(choice: OpenAIChatChoice): StreamChunk[] {
    if (!isRecord(choice) || (choice.index ?? 0) !== 0) {
      this.#onUnknown(choice);
      return [];
    }
    const { finish_reason: finishReason, delta, error } = choice;
    if (error != null) throw new ProviderError("OpenAI", error);
    this.#finishReason = textOf(finishReason) ?? this.#finishReason;
    if (!isRecord(delta)) return [];
    for (const [name, value] of Object.entries(delta)) {
      if (!knownFields.has(name) && value != null) this.#onUnknown({ delta: { [name]: value } });
    }
    // Without an id, the keys of this response must still differ from those of the next one.
    this.#id ??= crypto.randomUUID();
    const chunks = this.#texts.read(delta, this.#id);
    const calls = this.#readCalls(delta, this.#id);
    return calls.length > 0 ? [...chunks, ...this.#texts.endReasoning(), ...calls] : chunks;
  }

  #readCalls({ tool_calls: pieces, function_call: legacy }: ChoiceDelta, id: string): StreamChunk[] {
    return [
      ...(Array.isArray(pieces) ? this.#calls.read(pieces, id) : []),
      ...(isRecord(legacy) ? this.#calls.readLegacy(legacy, id) : []),
    ];
  }

  /** @throws ProviderError if the server has broken the answer off. */
  end(): { chunks: StreamChunk[]; turn: ModelTurn } {
    const failure = toFailure(this.#finishReason!);
    if (failure) throw new ProviderError("OpenAI", failure);
    const finishReason = toFinishReason(this.#finishReason!, this.#calls.hasCalls);
    const { chunks, toolCalls } = this.#calls.end(finishReason);
    const model = this.#model;
    const usage = toUsage(this.#usage);
    const usageByModel = usage && [{ provider: "openai", ...(model !== undefined && { model }), ...usage }];
    return {
      chunks: [...this.#texts.end(), ...this.#texts.describeReasoning(), ...chunks],
      turn: { finishReason, usage, usageByModel, model, toolCalls },
    };
  }
}

type ChoiceDelta = NonNullable<OpenAIChatChoice["delta"]>;
