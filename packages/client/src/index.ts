/** Reads streams of chunks in a user interface: all that a frontend needs, the contract's types included. */

// The contract

export type {
  AssistantMessage,
  BufferedStreamResult,
  ChatMessage,
  ChatRequestBody,
  ChatResume,
  ChatTypes,
  DataOf,
  ErrorChunk,
  FileMessagePart,
  InterruptChunk,
  InterruptPart,
  MessageAccumulator,
  MessagePart,
  PartialData,
  StepPart,
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
  ToolCallState,
  ToolInput,
  ToolName,
  ToolOutput,
  ToolTypes,
  UndeclaredName,
  UnknownChunk,
} from "@kortyx/protocol";

// Keep a conversation

export type {
  Chat,
  ChatAnswer,
  ChatInput,
  ChatOptions,
  ChatSnapshot,
  ChatStatus,
  ChatTiming,
  InterruptResponse,
  UploadedFile,
} from "./chat/chat.ts";
export type { ChatTool, ChatToolOptions, ChatTools } from "./chat/chat-tools.ts";
export { createChat } from "./chat/create-chat.ts";
export {
  type AssistantUIMessage,
  toMessageText,
  type UIMessage,
  type UserUIMessage,
} from "./chat/messages.ts";
export {
  type ChatTransport,
  type ChatTransportOptions,
  createRouteTransport,
  type RouteTransportOptions,
} from "./chat/route-transport.ts";
export type { StoredMessage } from "./chat/stored-message.ts";

// Request a stream, or one whole answer, from a route

export type { Resolvable, RouteOptions } from "./route/fetch-route.ts";
export { type RequestChatOptions, requestChat } from "./route/request-chat.ts";
export {
  type ConnectionState,
  type RouteStreamOptions,
  type StreamChatFromRouteOptions,
  type StreamFromRouteOptions,
  streamChatFromRoute,
  streamFromRoute,
} from "./route/stream-from-route.ts";

// Read an existing body or response

export type { StreamBody } from "./stream/byte-stream.ts";
export { type ReadStreamOptions, readStream } from "./stream/read-stream.ts";

// Turn chunks into what the user sees

export {
  applyStructuredChunk,
  createMessageAccumulator,
  createStructuredStreamAccumulator,
  reduceMessage,
  reduceStructuredChunks,
} from "@kortyx/protocol";
export { type ConsumeStreamHandlers, consumeStream, type StreamOutcome } from "./stream/consume-stream.ts";

// Errors

export {
  isStreamError,
  StreamError,
  type StreamErrorCode,
  StreamProtocolError,
  StreamTruncatedError,
} from "@kortyx/protocol";
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
} from "./stream/errors.ts";
