/** The AI SDK's `useChat` on a route of ours: its transport, and the mapping that it uses. */
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
export {
  type AISDKReconnectOptions,
  type AISDKSendOptions,
  type AISDKTransport,
  type AISDKTransportOptions,
  createChatTransport,
} from "./chat/ai-sdk-transport.ts";
