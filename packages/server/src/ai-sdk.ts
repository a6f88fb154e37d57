/** The AI SDK: its streams as chunks, and its wire, which `useChat` reads, as an option of a route. */

export {
  type AISDKChunk,
  type AISDKTranslatorOptions,
  type ChunkTranslator,
  continuedMessageOf,
  createAISDKTranslator,
  fromAISDKRequest,
  isAISDKRequest,
  toAISDK,
} from "@kortyx/protocol/ai-sdk";
export { type AISDKResult, type AISDKStream, type FromAISDKOptions, fromAISDK } from "./adapters/ai-sdk.ts";
export { type ToModelMessagesOptions, toModelMessages } from "./adapters/ai-sdk-messages.ts";
export type { AISDKModelMessage, AISDKToolOutput } from "./adapters/ai-sdk-model-messages.ts";
export type { AISDKStreamPart } from "./adapters/ai-sdk-parts.ts";
export type { HistoryOptions } from "./adapters/model-history.ts";
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
export { aiSDKWire } from "./wires/ai-sdk-wire.ts";
