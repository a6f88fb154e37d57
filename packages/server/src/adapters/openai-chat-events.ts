/**
 * What `chat.completions.create({ stream: true })` yields, by the fields that are read. Looser than the SDK's types, because
 * servers that are compatible with OpenAI omit fields, send `null`, and add their own. Types only.
 */

/** One event of a streamed chat completion: the SDK's `ChatCompletionChunk`. */
export interface OpenAIChatEvent {
  /** Names the response. */
  id?: string | null | undefined;
  /** The model that answers. */
  model?: string | null | undefined;
  /** Empty in the event with the usage. */
  choices?: readonly OpenAIChatChoice[] | null | undefined;
  /** The tokens so far, or of the whole response. */
  usage?: OpenAIChatUsage | null | undefined;
  /** Of Groq: the usage, in the event that ends the answer. */
  x_groq?: unknown;
  /** How the request was processed. */
  service_tier?: string | null | undefined;
  /** The configuration of the provider's servers. */
  system_fingerprint?: string | null | undefined;
  /** The results of a moderated completion. */
  moderation?: unknown;
  /** A failure in mid-stream, of compatible servers; the SDK throws it. */
  error?: unknown;
}

/** One of the answers that a request has asked for. */
export interface OpenAIChatChoice {
  /** Which answer; only the first one, 0, becomes chunks. */
  index?: number | null | undefined;
  /** What is added. */
  delta?: OpenAIChatDelta | null | undefined;
  /** Why the model stopped. */
  finish_reason?: string | null | undefined;
}

/** What an event adds to an answer. */
export interface OpenAIChatDelta {
  /** Text of the answer; of some compatible servers, a list of parts. */
  content?: string | readonly unknown[] | null | undefined;
  /** Text with which the model refuses to answer. */
  refusal?: string | null | undefined;
  /** Reasoning, of compatible servers such as DeepSeek and vLLM. */
  reasoning_content?: unknown;
  /** Reasoning, of compatible servers such as Ollama, Groq and OpenRouter. */
  reasoning?: unknown;
  /** What OpenRouter wants back of the reasoning. */
  reasoning_details?: unknown;
  /** Pieces of tool calls. */
  tool_calls?: readonly OpenAIChatToolCallDelta[] | null | undefined;
  /** A piece of a call, in the form before `tool_calls`. */
  function_call?: OpenAIChatFunctionDelta | null | undefined;
  /** Spoken answers; only their transcript becomes chunks. */
  audio?: OpenAIChatAudioDelta | null | undefined;
  /** The pages that the answer quotes, of models that search the web. */
  annotations?: unknown;
  /** Pictures of the answer, of OpenRouter. */
  images?: unknown;
}

/** A piece of a tool call. */
export interface OpenAIChatToolCallDelta {
  /** Which call of the answer. */
  index?: number | null | undefined;
  /** In the first piece of a call. */
  id?: string | null | undefined;
  /** `function`, or `custom` for a tool that takes free text. */
  type?: string | null | undefined;
  /** Of a tool that takes JSON. */
  function?: OpenAIChatFunctionDelta | null | undefined;
  /** Of a tool that takes free text. */
  custom?: OpenAIChatCustomDelta | null | undefined;
  /** What Gemini wants back with the call. */
  extra_content?: unknown;
}

/** The name of a function, and a piece of its input. */
export interface OpenAIChatFunctionDelta {
  /** In the first piece of a call. */
  name?: string | null | undefined;
  /** Text to append; of some compatible servers, the input itself. */
  arguments?: unknown;
}

/** The name of a custom tool, and a piece of its input. */
export interface OpenAIChatCustomDelta {
  /** In the first piece of a call. */
  name?: string | null | undefined;
  /** Text to append. */
  input?: string | null | undefined;
}

/** A piece of a spoken answer. */
export interface OpenAIChatAudioDelta {
  /** Names the recording, for later requests. */
  id?: string | null | undefined;
  /** When the provider deletes the recording, in seconds since 1970-01-01 UTC. */
  expires_at?: number | null | undefined;
  /** What is said. */
  transcript?: string | null | undefined;
  /** Base64. */
  data?: string | null | undefined;
}

/** The tokens of a response. */
export interface OpenAIChatUsage {
  /** Tokens of the request. */
  prompt_tokens?: number | null | undefined;
  /** Tokens of the answer, reasoning included. */
  completion_tokens?: number | null | undefined;
  /** All tokens. */
  total_tokens?: number | null | undefined;
  /** What a cache did with the request's tokens. */
  prompt_tokens_details?: OpenAIChatPromptTokens | null | undefined;
  /** What the answer's tokens are. */
  completion_tokens_details?: OpenAIChatCompletionTokens | null | undefined;
  /** The same as `cached_tokens`, of DeepSeek. */
  prompt_cache_hit_tokens?: number | null | undefined;
}

/** What a cache did with the tokens of a request. */
export interface OpenAIChatPromptTokens {
  /** Those that the cache had. */
  cached_tokens?: number | null | undefined;
  /** Those that were written to the cache. */
  cache_write_tokens?: number | null | undefined;
}

/** What the tokens of an answer are. */
export interface OpenAIChatCompletionTokens {
  /** Those of reasoning. */
  reasoning_tokens?: number | null | undefined;
}
