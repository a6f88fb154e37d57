/**
 * The events of Anthropic's Messages API, as far as the adapter reads them. Types only, without the SDK: those of every
 * version of it, and of its beta API, are assignable to them.
 */

/** Token counts. Of a `message_delta`, they are the counts so far, not those since the last event. */
export interface AnthropicUsage {
  /** Tokens of the prompt, without those read from or written to the cache. */
  input_tokens?: number | null | undefined;
  /** Tokens of the answer, thinking included. */
  output_tokens?: number | null | undefined;
  /** Tokens of the prompt that were read from the cache. */
  cache_read_input_tokens?: number | null | undefined;
  /** Tokens of the prompt that were written to the cache. */
  cache_creation_input_tokens?: number | null | undefined;
  /** The output tokens by kind. */
  output_tokens_details?: AnthropicOutputTokens | null | undefined;
  /** How often the tools that Anthropic runs were used. */
  server_tool_use?: unknown;
  /** The capacity that served the request. */
  service_tier?: unknown;
  /** The region in which the model ran. */
  inference_geo?: unknown;
  /** Whether the model ran faster than usual. */
  speed?: unknown;
  /** What was written to the cache, by the time that it stays there. */
  cache_creation?: unknown;
}

/** The tokens of an answer by kind. */
export interface AnthropicOutputTokens {
  /** Those of thinking. */
  thinking_tokens?: number | null | undefined;
}

/** One block of an answer, of any type: which of the fields exist depends on it. */
export interface AnthropicContentBlock {
  /** What the block is: `text`, `thinking`, `tool_use`, … */
  type: string;
  /** Of a call: its id. */
  id?: string | undefined;
  /** Of a call: the name of its tool. */
  name?: string | undefined;
  /** Of a call: its input, empty while that is streamed. */
  input?: unknown;
  /** Of a call, or of its result: which block of the answer has made it. */
  caller?: unknown;
  /** Of a call of a toolset: the toolset. */
  toolset_name?: string | null | undefined;
  /** Of a call of an MCP server: the server. */
  server_name?: string | undefined;
  /** Of a result: the call. */
  tool_use_id?: string | undefined;
  /** Of a result: what the tool returned. */
  content?: unknown;
  /** Of a result of an MCP server: whether it is a failure. */
  is_error?: boolean | undefined;
  /** Of a text: its beginning. */
  text?: string | undefined;
  /** Of a text: what it quotes. */
  citations?: unknown;
  /** Of thinking: its beginning. */
  thinking?: string | undefined;
  /** Of thinking: the signature of all of it. */
  signature?: string | null | undefined;
  /** Of redacted thinking: its encrypted form. */
  data?: string | undefined;
  /** Of an uploaded file: its id. */
  file_id?: string | undefined;
}

/** What is added to a block, of any type: which of the fields exist depends on it. */
export interface AnthropicBlockDelta {
  /** What is added: `text_delta`, `input_json_delta`, … */
  type: string;
  /** The next piece of a text. */
  text?: string | undefined;
  /** The next piece of thinking. */
  thinking?: string | undefined;
  /** The signature of the block's thinking. */
  signature?: string | undefined;
  /** The next piece of the JSON of a call's input. */
  partial_json?: string | undefined;
  /** A place that the text quotes. */
  citation?: unknown;
  /** Of a compaction: all of its text. */
  content?: string | null | undefined;
  /** Of a compaction: its encrypted form. */
  encrypted_content?: string | null | undefined;
}

/** The answer begins. */
export interface AnthropicMessageStart {
  type: "message_start";
  /** The answer, still without content. */
  message: {
    /** Names the response. */
    id: string;
    /** The model that answers. */
    model: string;
    /** The tokens of the prompt. */
    usage?: AnthropicUsage | null | undefined;
    /** The container in which code runs. */
    container?: unknown;
  };
}

/** The end is near: why the model stopped, and what the answer cost. */
export interface AnthropicMessageDelta {
  type: "message_delta";
  /** What has become known. */
  delta: {
    /** Why the model stopped. */
    stop_reason?: string | null | undefined;
    /** Which of the request's `stop_sequences` has ended the answer. */
    stop_sequence?: string | null | undefined;
    /** Why the model refused. */
    stop_details?: unknown;
    /** The container in which code has run. */
    container?: unknown;
  };
  /** The tokens so far. */
  usage?: AnthropicUsage | null | undefined;
  /** What the API has removed from the conversation. */
  context_management?: unknown;
}

/** The answer is whole. */
export interface AnthropicMessageStop {
  type: "message_stop";
}

/** A block begins. */
export interface AnthropicContentBlockStart {
  type: "content_block_start";
  /** The position of the block in the answer. */
  index: number;
  /** The block so far. */
  content_block: AnthropicContentBlock;
}

/** A block grows. */
export interface AnthropicContentBlockDelta {
  type: "content_block_delta";
  /** The position of the block in the answer. */
  index: number;
  /** What is added. */
  delta: AnthropicBlockDelta;
}

/** A block is whole. */
export interface AnthropicContentBlockStop {
  type: "content_block_stop";
  /** The position of the block in the answer. */
  index: number;
}

/** Keeps the connection open. The SDK hides it. */
export interface AnthropicPing {
  type: "ping";
}

/** The answer has failed. The SDK throws instead. */
export interface AnthropicErrorEvent {
  type: "error";
  /** The failure. */
  error: {
    /** `overloaded_error`, `api_error`, … */
    type?: string | undefined;
    /** In words for a developer. */
    message?: string | undefined;
  };
}

/** An event of a stream of Anthropic, told apart by `type`. */
export type AnthropicEvent =
  | AnthropicMessageStart
  | AnthropicContentBlockStart
  | AnthropicContentBlockDelta
  | AnthropicContentBlockStop
  | AnthropicMessageDelta
  | AnthropicMessageStop
  | AnthropicPing
  | AnthropicErrorEvent;
