/** Streams of chunks as web-standard responses: all that a backend needs, the contract included. */

export type {
  AssistantMessage,
  AssistantUIMessage,
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
// The contract
export {
  isStreamChunk,
  isStreamError,
  isTerminalChunk,
  StreamError,
  StreamProtocolError,
} from "@kortyx/protocol";
export { chatMessageSchema, chatRequestBodySchema, streamChunkSchema } from "@kortyx/protocol/schemas";
// Read the request
export {
  ChatRequestError,
  type ChatRequestErrorCode,
  type ChatRequestIssue,
  type ChatRequestLimits,
  parseChatRequestBody,
  readChatRequest,
} from "./chat-request.ts";
// Answers that outlive their connection
export type { ChatRunOptions, RunFinish, RunStart } from "./chat-runs.ts";
// Answer with one buffered result
export {
  type CollectLimits,
  collectBufferedStream,
  collectStream,
  summarizeStreamChunks,
} from "./collect-stream.ts";
// A whole chat route
export type { CorsOptions } from "./cors.ts";
export {
  type AuthorizeResult,
  type ChatAgent,
  type ChatAgentOptions,
  type ChatFinish,
  type ChatRoute,
  type ChatRouteOptions,
  createChatRoute,
} from "./create-chat-route.ts";
// Answer a request with a stream
export { createStreamResponse, type StreamResponseOptions, toSSE } from "./create-stream-response.ts";

// Shut down without cutting answers
export { type DrainCounts, type DrainOptions, drain } from "./drain.ts";
export { createMemoryRunStore, type MemoryRunStoreOptions } from "./memory-run-store.ts";
export type { RunLimits, RunResult } from "./run-producer.ts";
export type {
  AppendResult,
  OpenedRun,
  OpenRun,
  RunPage,
  RunRecord,
  RunStore,
  RunStoreOptions,
  RunTerminal,
} from "./run-store.ts";
export type { ErrorDescription, OnStreamError } from "./stream-failure.ts";
export type { StreamFinish, StreamFinishReason, StreamOptions } from "./stream-options.ts";
export type { ChunkIterable, StreamSource, StreamSourceContext } from "./stream-source.ts";
