/** Streams of OpenAI, and of every API that is compatible with it, as chunks; and conversations as its requests. */
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
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
