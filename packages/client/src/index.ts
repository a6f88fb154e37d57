/** Reads streams of chunks in a user interface: all that a frontend needs, the contract's types included. */

// The contract
export type {
  AssistantMessage,
  BufferedStreamResult,
  ChatMessage,
  ChatRequestBody,
  ChatResume,
  ErrorChunk,
  InterruptChunk,
  MessageAccumulator,
  MessagePart,
  StreamChunk,
  StreamChunkOf,
  StreamChunkType,
  StructuredDataChunk,
  StructuredDataPart,
  StructuredStreamAccumulator,
  StructuredStreamChunk,
  StructuredStreamState,
  TextPart,
  TokenUsage,
  ToolCallPart,
  UnknownChunk,
} from "@kortyx/protocol";
// Turn chunks into what the user sees
export {
  applyStructuredChunk,
  createMessageAccumulator,
  createStructuredStreamAccumulator,
  isStreamError,
  reduceMessage,
  reduceStructuredChunks,
  StreamError,
  StreamProtocolError,
  StreamTruncatedError,
} from "@kortyx/protocol";
// Read a stream that is there
export type { StreamBody } from "./byte-stream.ts";
// Keep a conversation
export type {
  Chat,
  ChatAnswer,
  ChatInput,
  ChatOptions,
  ChatSnapshot,
  ChatStatus,
  ChatTiming,
} from "./chat.ts";
export type { ChatTransport, ChatTransportOptions } from "./chat-transport.ts";
export { type ConsumeStreamHandlers, consumeStream, type StreamOutcome } from "./consume-stream.ts";
export { createChat } from "./create-chat.ts";
export { type ReadStreamOptions, readStream } from "./read-stream.ts";
// Ask a route for one whole answer
export { type RequestChatOptions, requestChat } from "./request-chat.ts";
export type { Resolvable, RouteOptions } from "./request-route.ts";
export type { StoredMessage } from "./stored-message.ts";
// Errors
export {
  ChatStateError,
  type ChatStateErrorCode,
  StreamBodyError,
  StreamConnectionError,
  StreamContentTypeError,
  StreamHttpError,
  StreamIdleError,
  StreamRemoteError,
  StreamRequestError,
} from "./stream-errors.ts";
// Ask a route for a stream
export {
  type ConnectionState,
  type RouteStreamOptions,
  type StreamChatFromRouteOptions,
  type StreamFromRouteOptions,
  streamChatFromRoute,
  streamFromRoute,
} from "./stream-from-route.ts";
export {
  type AssistantUIMessage,
  toMessageText,
  type UIMessage,
  type UserUIMessage,
} from "./ui-message.ts";
