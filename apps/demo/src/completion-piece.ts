/**
 * Reads one event of a model's answer: the API's `chat.completion.chunk`, of which everything may be missing or something
 * else, because it comes from elsewhere. What is behind this file is checked.
 */
import type { TokenUsage } from "@kortyx/server";
import { ModelError } from "./model-error.ts";

/** The next piece of an answer. */
export interface CompletionPiece {
  text: string;
  reasoning: string;
  toolCalls: ToolCallPiece[];
  /** Why the model has stopped: with this, the answer is whole. */
  finishReason?: string | undefined;
  /** Of the answer up to here. */
  usage?: Required<TokenUsage> | undefined;
}

export interface ToolCallPiece {
  index?: number | undefined;
  id?: string | undefined;
  tool?: string | undefined;
  /** The next piece of the JSON text of the input. */
  inputText: string;
}

/** In the words of our stream; a reason that is not here is told as it came. */
const finishReasons: Record<string, string> = { content_filter: "content-filter", tool_calls: "tool-calls" };

/** How much of a bad event is logged, in characters. */
const maxLoggedLength = 500;

/** @throws ModelError when the event is not JSON, or an error of the endpoint's. */
export function parseCompletionPiece(data: string): CompletionPiece {
  let chunk: Fields;
  try {
    chunk = toFields(JSON.parse(data));
  } catch {
    throw new ModelError("model-bad-answer", `Not JSON: ${data.slice(0, maxLoggedLength)}`);
  }
  if (chunk.error) throw new ModelError("model-failed", data.slice(0, maxLoggedLength));

  // The event with the usage has no choices; we never ask for more than one.
  const choice = toFields(toList(chunk.choices)[0]);
  const delta = toFields(choice.delta);
  const finishReason = toText(choice.finish_reason);
  return {
    text: toText(delta.content),
    // Ollama and OpenRouter say `reasoning`, vLLM and DeepSeek `reasoning_content`.
    reasoning: toText(delta.reasoning) || toText(delta.reasoning_content),
    toolCalls: toList(delta.tool_calls).map(toToolCallPiece),
    finishReason:
      (Object.hasOwn(finishReasons, finishReason) ? finishReasons[finishReason] : finishReason) || undefined,
    usage: chunk.usage ? toUsage(toFields(chunk.usage)) : undefined,
  };
}

function toToolCallPiece(value: unknown): ToolCallPiece {
  const { index, id, function: called } = toFields(value);
  const { name, arguments: inputText } = toFields(called);
  return {
    index: typeof index === "number" ? index : undefined,
    id: toText(id) || undefined,
    tool: toText(name) || undefined,
    inputText: toText(inputText),
  };
}

function toUsage(usage: Fields): Required<TokenUsage> {
  const inputTokens = toCount(usage.prompt_tokens);
  const outputTokens = toCount(usage.completion_tokens);
  return {
    inputTokens,
    outputTokens,
    totalTokens: toCount(usage.total_tokens) || inputTokens + outputTokens,
  };
}

type Fields = Record<string, unknown>;

const toFields = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};
const toList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const toText = (value: unknown): string => (typeof value === "string" ? value : "");
const toCount = (value: unknown): number =>
  Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : 0;
