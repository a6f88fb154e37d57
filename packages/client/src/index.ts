/** Reads streams of chunks in a user interface: all that a frontend needs, the contract's types included. */

// The contract
export type {
  AssistantMessage,
  BufferedStreamResult,
  ChatMessage,
  ChatRequestBody,
  ChatResume,
  ErrorChunk,
  MessageAccumulator,
  MessagePart,
  StreamChunk,
  StreamChunkOf,
  StreamChunkType,
  StructuredDataChunk,
  StructuredDataPart,
  StructuredStreamState,
  TextPart,
  TokenUsage,
  ToolCallPart,
  UnknownChunk,
} from "@kortyx/protocol";
// Turn chunks into what the user sees
export {
  createMessageAccumulator,
  createStructuredStreamAccumulator,
  isStreamError,
  reduceMessage,
  StreamError,
  StreamProtocolError,
  StreamTruncatedError,
} from "@kortyx/protocol";
export { type ConsumeStreamHandlers, consumeStream, type StreamOutcome } from "./consume-stream.ts";
// Read a stream that is there
export { type ReadStreamOptions, readStream, type StreamBody } from "./read-stream.ts";
// Errors
export {
  StreamConnectionError,
  StreamContentTypeError,
  StreamHttpError,
  StreamRemoteError,
} from "./stream-errors.ts";
// Ask a route for a stream
export {
  type Resolvable,
  type RouteOptions,
  type StreamChatFromRouteOptions,
  type StreamFromRouteOptions,
  streamChatFromRoute,
  streamFromRoute,
} from "./stream-from-route.ts";
