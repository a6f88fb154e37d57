/** The contract of Kortyx streams, without zod: the schemas are in `@kortyx/protocol/schemas`. */

// Fold chunks into what a UI shows
export {
  type AssistantMessage,
  closePart,
  joinTextParts,
  type MessagePart,
  type StructuredDataPart,
  type TextPart,
  type ToolCallPart,
} from "./assistant-message.ts";
export type { BufferedStreamResult, ChatMessage, ChatRequestBody, ChatResume } from "./chat-request.ts";
// Is it a chunk?
export { type ChunkProblem, checkChunk, isStreamChunk } from "./check-chunk.ts";
// Is an option what it should be?
export { checkFunctionOption, checkLimitOption, checkOption, describeValue } from "./check-option.ts";
// Read the wire
export { type ChunkDecoder, createChunkDecoder, type DecodedChunk } from "./chunk-decoder.ts";
// Read a number of milliseconds that a caller sets
export { maxTimerMs, parseDelayMs, parseTimeoutMs } from "./delay.ts";
// Write the wire
export {
  DONE_FRAME,
  type EncodeChunkOptions,
  encodeChunk,
  encodeChunkJson,
  encodeComment,
  encodeRetry,
  type PrintedChunk,
  printChunk,
  stringifyChunk,
} from "./encoder.ts";
// Name a place in a run
export { type EventId, formatEventId, parseEventId } from "./event-id.ts";
// Is it a stream?
export { parseMediaType } from "./media-type.ts";
export { createMessageAccumulator, type MessageAccumulator, reduceMessage } from "./message-accumulator.ts";
// Answer a question
export { type MessageResume, parseMessageResume, toMessageResume } from "./message-resume.ts";
// Read the wire, a chunk whenever one is wanted
export {
  type ChunkDecoderOptions,
  createPullDecoder,
  type PullDecoder,
  type StreamPosition,
} from "./pull-decoder.ts";
export {
  createSSEDecoder,
  type SSEDecoder,
  type SSEDecoderOptions,
  type SSEEvent,
} from "./sse-decoder.ts";
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
} from "./stream-chunk.ts";
export { isTerminalChunk } from "./stream-chunk.ts";
// Errors
export {
  isStreamError,
  StreamError,
  StreamProtocolError,
  type StreamProtocolErrorCode,
  StreamTruncatedError,
} from "./stream-error.ts";
// How a stream ended
export { reduceStreamError } from "./stream-outcome.ts";
export {
  applyStructuredChunk,
  createStructuredStreamAccumulator,
  reduceStructuredChunks,
  type StructuredStreamAccumulator,
  type StructuredStreamChunk,
  type StructuredStreamState,
} from "./structured-stream.ts";
export { toChunk } from "./to-chunk.ts";
export type { AssistantUIMessage, UIMessage, UserUIMessage } from "./ui-message.ts";
