/** The contract of Kortyx streams, without zod: the schemas are in `@kortyx/protocol/schemas`. */

// Fold chunks into what a UI shows
export { joinTextParts } from "./answer-text.ts";
export type {
  AssistantMessage,
  MessagePart,
  StructuredDataPart,
  TextPart,
  ToolCallPart,
} from "./assistant-message.ts";
export type {
  BufferedStreamResult,
  ChatAgentFields,
  ChatMessage,
  ChatRequestBody,
  ChatResume,
} from "./chat-request.ts";
// Is it a chunk?
export { type ChunkProblem, checkChunk, isStreamChunk } from "./check-chunk.ts";
// Read the wire
export { type ChunkDecoder, type ChunkDecoderOptions, createChunkDecoder } from "./chunk-decoder.ts";
// What travels: chunks, and the request that asks for them
export type {
  AbortChunk,
  CheckpointChunk,
  ChunkOrigin,
  DoneChunk,
  ErrorChunk,
  FileChunk,
  InterruptChoiceInput,
  InterruptChunk,
  InterruptOption,
  InterruptTextInput,
  MessageChunk,
  ReasoningDeltaChunk,
  ReasoningEndChunk,
  ReasoningStartChunk,
  RunStartChunk,
  SessionChunk,
  SourceChunk,
  StatusChunk,
  StreamChunk,
  StreamChunkOf,
  StreamChunkType,
  StructuredDataAppendChunk,
  StructuredDataChunk,
  StructuredDataFinalChunk,
  StructuredDataInvalidatedChunk,
  StructuredDataSetChunk,
  StructuredDataTextDeltaChunk,
  TerminalChunk,
  TextDeltaChunk,
  TextEndChunk,
  TextStartChunk,
  TokenUsage,
  ToolCallDeltaChunk,
  ToolCallErrorChunk,
  ToolCallReadyChunk,
  ToolCallResultChunk,
  ToolCallStartChunk,
  ToolResultChunk,
  TraceChunk,
  TransitionChunk,
  UnknownChunk,
} from "./chunks.ts";
export { isTerminalChunk } from "./chunks.ts";
// Write the wire
export {
  DONE_FRAME,
  type EncodeChunkOptions,
  encodeChunk,
  encodeComment,
  encodeRetry,
} from "./encode-chunk.ts";
// Errors
export {
  isStreamError,
  StreamError,
  StreamProtocolError,
  type StreamProtocolErrorCode,
  StreamTruncatedError,
} from "./errors.ts";
// Name a place in a run
export { type EventId, formatEventId, parseEventId } from "./event-id.ts";
export { createMessageAccumulator, type MessageAccumulator, reduceMessage } from "./fold-message.ts";
export {
  applyStructuredChunk,
  createStructuredStreamAccumulator,
  reduceStructuredChunks,
  type StructuredStreamAccumulator,
  type StructuredStreamChunk,
  type StructuredStreamState,
} from "./fold-structured-data.ts";
// Answer a question
export { type MessageResume, parseMessageResume, toMessageResume } from "./message-resume.ts";
export {
  createSSEDecoder,
  type SSEDecoder,
  type SSEDecoderOptions,
  type SSEEvent,
} from "./sse-decoder.ts";
// How a stream ended
export { reduceStreamError } from "./stream-outcome.ts";
export { toChunk } from "./to-chunk.ts";
export type { AssistantUIMessage, UIMessage, UserUIMessage } from "./ui-message.ts";
