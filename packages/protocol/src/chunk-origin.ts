/**
 * The fields that several chunks share. Types only.
 */

/** Where a chunk comes from. All three are free-form names chosen by the agent. */
export interface ChunkOrigin {
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
  /** Groups chunks of one logical part when they have no `segmentId` or `opId`. */
  id?: string | undefined;
  /** The operation inside the node that produced the chunk. */
  opId?: string | undefined;
}

/**
 * What a model's provider wants back in a later request, by provider: `{ anthropic: { signature: "…" } }`. A later chunk
 * of the same part adds to it: the last value of a provider's key wins.
 */
export type ProviderMetadata = Record<string, unknown>;

/** On the chunks of texts, reasoning and tool calls. */
export interface ProviderFields {
  /** What the provider wants back in a later request. */
  providerMetadata?: ProviderMetadata | undefined;
}

/**
 * Why a model stopped, normalized over providers. `interrupt`: a question to the user is open. `tool-calls`: calls wait
 * for the client. `pause`: the provider wants the same request again. Other texts are the application's own.
 */
export type FinishReason =
  | "stop"
  | "length"
  | "tool-calls"
  | "content-filter"
  | "interrupt"
  | "pause"
  | "other"
  | (string & {});

/** Token counts, as the model's provider reports them. */
export interface TokenUsage {
  /** Tokens of the prompt, those read from and written to a cache included. */
  inputTokens?: number | undefined;
  /** Tokens of the answer, reasoning included. */
  outputTokens?: number | undefined;
  /** All tokens, as the provider counts them: not always the sum of the other two. */
  totalTokens?: number | undefined;
  /** Of the output tokens, those of reasoning. */
  reasoningTokens?: number | undefined;
  /** Of the input tokens, those read from a cache. */
  cachedInputTokens?: number | undefined;
  /** Of the input tokens, those written to a cache. */
  cacheWriteInputTokens?: number | undefined;
}

/** The tokens of one model. */
export interface ModelUsage extends TokenUsage {
  /** The provider of the model. */
  provider?: string | undefined;
  /** The name of the model. */
  model?: string | undefined;
}
