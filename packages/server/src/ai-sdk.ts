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
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
export { aiSDKWire } from "./wires/ai-sdk-wire.ts";
