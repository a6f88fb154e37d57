/** Streams of chunks as web-standard responses: all that a backend needs, the contract included. */

// The contract
export type {
  BufferedStreamResult,
  ChatMessage,
  ChatRequestBody,
  ChatResume,
  ErrorChunk,
  StreamChunk,
  StreamChunkOf,
  StreamChunkType,
  StructuredDataChunk,
  TokenUsage,
  UnknownChunk,
} from "@kortyx/protocol";
export {
  isStreamChunk,
  isStreamError,
  isTerminalChunk,
  StreamError,
  StreamProtocolError,
} from "@kortyx/protocol";
export { chatMessageSchema, chatRequestBodySchema, streamChunkSchema } from "@kortyx/protocol/schemas";

// Answer with one buffered result
export { type CollectLimits, collectBufferedStream, collectStream } from "./collect-stream.ts";
// Answer a request with a stream
export { createStreamResponse, type StreamResponseOptions, toSSE } from "./create-stream-response.ts";
// Read the request
export { ChatRequestError, type ChatRequestIssue, parseChatRequestBody } from "./parse-chat-request-body.ts";
export type { ErrorDescription, OnStreamError } from "./stream-failure.ts";
export type { ChunkIterable, StreamSource, StreamSourceContext } from "./stream-source.ts";
