/** Streams of OpenAI, and of every API that is compatible with it, as chunks; and conversations as its requests. */
export type { HistoryOptions } from "./adapters/model-history.ts";
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
export { fromOpenAIChat } from "./adapters/openai-chat.ts";
export type { OpenAIChatContentPart } from "./adapters/openai-chat-content.ts";
export type {
  OpenAIChatAudioDelta,
  OpenAIChatChoice,
  OpenAIChatCompletionTokens,
  OpenAIChatCustomDelta,
  OpenAIChatDelta,
  OpenAIChatEvent,
  OpenAIChatFunctionDelta,
  OpenAIChatPromptTokens,
  OpenAIChatToolCallDelta,
  OpenAIChatUsage,
} from "./adapters/openai-chat-events.ts";
export {
  type OpenAIChatAssistantMessage,
  type OpenAIChatCustomInput,
  type OpenAIChatFunction,
  type OpenAIChatMessage,
  type OpenAIChatTool,
  type OpenAIChatToolCall,
  toOpenAIChatMessages,
  toOpenAIChatTools,
} from "./adapters/openai-chat-messages.ts";
export { fromOpenAIResponses } from "./adapters/openai-responses.ts";
export type { OpenAIResponsesEvent } from "./adapters/openai-responses-events.ts";
export {
  type OpenAIResponsesInputOptions,
  toOpenAIResponsesInput,
  toOpenAIResponsesTools,
} from "./adapters/openai-responses-input.ts";
export type {
  OpenAIResponsesInputItem,
  OpenAIResponsesTool,
} from "./adapters/openai-responses-input-items.ts";
