/**
 * What a model's answer cost and why it ended, in LangChain's spelling. Counts nothing itself.
 */
import type { FinishReason, ModelUsage, TokenUsage } from "@kortyx/protocol";
import { recordOf, textOf } from "./loose-values.ts";
import { addUsage, countTokens } from "./model-stream.ts";

/** @returns undefined if nothing is counted. */
export function readUsage(metadata: unknown): TokenUsage | undefined {
  const { input_tokens, output_tokens, total_tokens, input_token_details, output_token_details } =
    recordOf(metadata);
  const { cache_read, cache_creation } = recordOf(input_token_details);
  const { reasoning } = recordOf(output_token_details);
  return countTokens({
    inputTokens: input_tokens,
    outputTokens: output_tokens,
    totalTokens: total_tokens,
    reasoningTokens: reasoning,
    cachedInputTokens: cache_read,
    cacheWriteInputTokens: cache_creation,
  });
}

/** Providers keep their own words, and some concatenate them while they stream. */
const finishReasons: [RegExp, FinishReason][] = [
  [/^(tool_calls|tool_use|function_call)/i, "tool-calls"],
  [/^(length|max_tokens|max_output_tokens|model_context_window_exceeded)/i, "length"],
  [/^(content_filter|refusal|safety|recitation|prohibited_content|blocklist)/i, "content-filter"],
  [/^(stop|end_turn|stop_sequence|completed)/i, "stop"],
];

/** @returns undefined if the provider gave no reason. */
export function readFinishReason(responseMetadata: unknown): FinishReason | undefined {
  const { finish_reason, stop_reason, finishReason, done_reason } = recordOf(responseMetadata);
  const given = textOf(finish_reason) ?? textOf(stop_reason) ?? textOf(finishReason) ?? textOf(done_reason);
  if (given === undefined) return undefined;
  return finishReasons.find(([pattern]) => pattern.test(given))?.[1] ?? "other";
}

/** Adds up the tokens of each model. */
export function sumByModel(all: readonly ModelUsage[]): ModelUsage[] | undefined {
  const sums = new Map<string, ModelUsage>();
  for (const { provider, model, ...usage } of all) {
    const key = JSON.stringify([provider, model]);
    const { provider: _, model: __, ...sum } = sums.get(key) ?? {};
    sums.set(key, { ...(provider && { provider }), ...(model && { model }), ...addUsage(sum, usage) });
  }
  return sums.size > 0 ? [...sums.values()] : undefined;
}
