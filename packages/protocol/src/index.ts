/** The contract of Kortyx streams, without zod: the schemas are in `@kortyx/protocol/schemas`. */

// What travels: chunks, and the request for them

export type {
  BufferedStreamResult,
  ChatAgentFields,
  ChatMessage,
  ChatMessagePart,
  ChatRequestBody,
  ChatResume,
  ClientTool,
  ClientToolResult,
  DataMessagePart,
  FileMessagePart,
  InterruptAnswer,
  ReasoningMessagePart,
  SettledToolCallState,
  StepMessagePart,
  TextMessagePart,
  ToolCallMessagePart,
} from "./chat-request.ts";
export type {
  ChatTypes,
  CustomChunk,
  DataName,
  DataOf,
  DataTypeName,
  DataValue,
  MetadataPatch,
  PartialData,
  ToolInput,
  ToolName,
  ToolOutput,
  ToolTypes,
  UndeclaredName,
} from "./chat-types.ts";
export { type ChunkProblem, checkChunk, isStreamChunk } from "./check-chunk.ts";
export type * from "./chunks.ts";
export { isTerminalChunk } from "./chunks.ts";
export { toChunk } from "./to-chunk.ts";

// Write the wire

export {
  DONE_FRAME,
  type EncodeChunkOptions,
  encodeChunk,
  encodeComment,
  encodeRetry,
  stringifyChunk,
} from "./encode-chunk.ts";
export { type EventId, formatEventId, parseEventId } from "./event-id.ts";

// Read the wire

export { type ChunkDecoder, type ChunkDecoderOptions, createChunkDecoder } from "./chunk-decoder.ts";
export {
  createSSEDecoder,
  type SSEDecoder,
  type SSEDecoderOptions,
  type SSEEvent,
} from "./sse-decoder.ts";
export { reduceStreamError } from "./stream-outcome.ts";

// Fold chunks into what a user interface shows

export { joinTextParts } from "./answer-text.ts";
export type {
  AssistantMessage,
  InterruptPart,
  MessagePart,
  StepPart,
  StructuredDataPart,
  TextPart,
  ToolCallPart,
  ToolCallState,
} from "./assistant-message.ts";
export { createMessageAccumulator, type MessageAccumulator, reduceMessage } from "./fold-message.ts";
export {
  applyStructuredChunk,
  createStructuredStreamAccumulator,
  reduceStructuredChunks,
  type StructuredStreamAccumulator,
  type StructuredStreamChunk,
  type StructuredStreamState,
} from "./fold-structured-data.ts";
export type { AssistantUIMessage, UIMessage, UserUIMessage } from "./ui-message.ts";
export {
  createStructuredStreamWriter,
  type StructuredStreamWriter,
  type StructuredStreamWriterOptions,
} from "./write-structured-data.ts";

// Answer an agent's question

export { type MessageResume, parseMessageResume, toMessageResume } from "./message-resume.ts";

// Errors

export {
  isStreamError,
  StreamError,
  type StreamErrorCode,
  StreamProtocolError,
  type StreamProtocolErrorCode,
  StreamTruncatedError,
} from "./errors.ts";
