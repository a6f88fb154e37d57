/**
 * What a streamed chat completion reports about itself: its end, its tokens, its names, in the contract's words.
 */
import type { FinishReason, TokenUsage } from "@kortyx/protocol";
import { countTokens } from "./model-stream.ts";
import type { OpenAIChatEvent } from "./openai-chat-events.ts";

const finishReasons: Record<string, FinishReason> = {
  stop: "stop",
  length: "length",
  // Mistral's word for it.
  model_length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
};

/** The words of OpenRouter, Mistral and DeepSeek for an answer that the server could not continue. */
const failureReasons: ReadonlySet<string> = new Set(["error", "insufficient_system_resource"]);

/** @returns the failure that a reason stands for, in the form in which servers report others. */
export const toFailure = (reason: string): object | undefined =>
  failureReasons.has(reason)
    ? { message: `The answer was broken off (${reason}).`, type: "server_error" }
    : undefined;

/** Some compatible servers also end with `stop` after tool calls, and some with `tool_calls` without one. */
export function toFinishReason(reason: string, hasCalls: boolean): FinishReason {
  const known = Object.hasOwn(finishReasons, reason) ? finishReasons[reason]! : "other";
  if (known === "stop" && hasCalls) return "tool-calls";
  return known === "tool-calls" && !hasCalls ? "other" : known;
}

/** @returns undefined where every count is absent or 0, as in the events before the last one of some servers. */
export function toUsage(usage: OpenAIChatEvent["usage"]): TokenUsage | undefined {
  if (typeof usage !== "object" || usage === null) return undefined;
  const { prompt_tokens_details: input, completion_tokens_details: output } = usage;
  return countTokens({
    inputTokens: usage.prompt_tokens,
    outputTokens: usage.completion_tokens,
    totalTokens: usage.total_tokens,
    reasoningTokens: output?.reasoning_tokens,
    cachedInputTokens: input?.cached_tokens ?? usage.prompt_cache_hit_tokens,
    cacheWriteInputTokens: input?.cache_write_tokens,
  });
}

const factNames = ["id", "model", "service_tier", "system_fingerprint", "moderation"] as const;

/** The facts about a response, each as it came first. */
export class OpenAIChatFacts {
  readonly #facts: Record<string, unknown> = {};

  /** @returns all facts if the event adds one. */
  read(event: OpenAIChatEvent): Record<string, unknown> | undefined {
    const added = factNames.filter(
      (name) => this.#facts[name] === undefined && event[name] != null && event[name] !== "",
    );
    for (const name of added) this.#facts[name] = event[name];
    return added.length > 0 ? { ...this.#facts } : undefined;
  }
}
