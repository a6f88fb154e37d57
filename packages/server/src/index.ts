/** Streams of chunks as web-standard responses: all that a backend needs, the contract included. */

// The contract

export type {
  AssistantMessage,
  AssistantUIMessage,
  BufferedStreamResult,
  ChatMessage,
  ChatMessagePart,
  ChatRequestBody,
  ChatResume,
  ChatTypes,
  ClientTool,
  ClientToolResult,
  DataOf,
  ErrorChunk,
  FileMessagePart,
  InterruptAnswer,
  PartialData,
  StreamChunk,
  StreamChunkOf,
  StreamChunkType,
  StructuredDataChunk,
  StructuredStreamWriter,
  StructuredStreamWriterOptions,
  TokenUsage,
  ToolCallMessagePart,
  ToolInput,
  ToolName,
  ToolOutput,
  ToolTypes,
  UndeclaredName,
  UnknownChunk,
} from "@kortyx/protocol";
export {
  createStructuredStreamWriter,
  isStreamChunk,
  isStreamError,
  isTerminalChunk,
  StreamError,
  type StreamErrorCode,
  StreamProtocolError,
} from "@kortyx/protocol";

// A whole chat route

export type { ChatAgent, ChatAgentOptions, RouteAgentOptions } from "./route/chat-agent.ts";
export type {
  AuthorizeResult,
  ChatFinish,
  ChatRoute,
  ChatRouteOptions,
  LoadedMessage,
  RequestPurpose,
  RouteHandler,
  RouteSchemas,
} from "./route/chat-route.ts";
export type { CorsOptions } from "./route/cors.ts";
export { createChatRoute } from "./route/create-chat-route.ts";
export type {
  SchemaIssue,
  SchemaPathSegment,
  SchemaResult,
  StandardSchema,
} from "./route/standard-schema.ts";
export { toChatMessages } from "./route/stored-messages.ts";

// Speak to clients of other protocols

export type { RouteWire } from "./wires/route-wire.ts";

// Answer with a model and tools

export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
export {
  defineTool,
  type Tool,
  type ToolOptions,
  type ToolRunOptions,
  type Tools,
  type ToolTypesOf,
} from "./tools/define-tool.ts";
export type { OnToolError } from "./tools/run-call.ts";
export { type RunToolsOptions, runTools, type ToolTurn } from "./tools/run-tools.ts";

// Read the request

export {
  ChatRequestError,
  type ChatRequestErrorCode,
  type ChatRequestIssue,
} from "./route/chat-request-error.ts";
export {
  type ChatRequestLimits,
  parseChatRequestBody,
  readChatRequest,
} from "./route/read-chat-request.ts";

// Sign what a client sends back, and verify it

export { type SignResumeTokensOptions, signResumeTokens } from "./resume/sign-resume-tokens.ts";
export { type VerifyResumeTokensOptions, verifyResumeTokens } from "./resume/verify-resume-tokens.ts";

// Respond with a stream

export { describeProviderError } from "./adapters/describe-provider-error.ts";
export type { ErrorDescription, OnStreamError } from "./stream/mask-error.ts";
export type { ChunkIterable, SourceChunk, StreamSource, StreamSourceContext } from "./stream/source.ts";
export type { StreamFinish, StreamFinishReason, StreamOptions } from "./stream/stream-options.ts";
export { createStreamResponse, type StreamResponseOptions, toSSE } from "./stream/to-sse.ts";

// Respond with one buffered result

export {
  type CollectLimits,
  collectBufferedStream,
  collectStream,
  summarizeStreamChunks,
} from "./stream/collect-stream.ts";

// Answers that outlive their connection

export type { ChatRunOptions, RunFinish, RunStart } from "./runs/run-options.ts";
export type { RunLimits, RunResult } from "./runs/run-writer.ts";
export { createMemoryRunStore, type MemoryRunStoreOptions } from "./stores/memory-run-store.ts";

// Write a store of runs

export { stringifyChunk } from "@kortyx/protocol";
export {
  type AppendResult,
  type OpenedRun,
  type OpenRun,
  producerLostTerminal,
  type RunPage,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  stoppedTerminal,
} from "./stores/run-store.ts";

// Shut down without cutting answers

export { type DrainCounts, type DrainOptions, drain } from "./shutdown/drain.ts";
