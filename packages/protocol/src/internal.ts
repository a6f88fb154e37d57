/**
 * Exports for the sibling packages only. Not covered by semantic versioning: may change in any release. All packages
 * share one version, so a sibling always gets the exports it was built with.
 */
export { createTextPieces } from "./answer-text.ts";
export { closePart, isFinishedCall } from "./assistant-message.ts";
export { toChatMessage, toChatMessages, toMessageParts } from "./chat-messages.ts";
export { chatRequestFields } from "./chat-request.ts";
export {
  checkBooleanOption,
  checkFunctionOption,
  checkLimitOption,
  checkObjectOption,
  checkOption,
} from "./check-option.ts";
export { maxTimerMs, parseDelayMs, parseTimeoutMs } from "./delay.ts";
export { describeKind, describeValue } from "./describe-value.ts";
export {
  appendToPiece,
  encodeChunkJson,
  endPiece,
  type PrintedChunk,
  printChunk,
} from "./encode-chunk.ts";
export { isVisibleAscii, maxIdLength, visibleAsciiRule } from "./id-rules.ts";
export { parseMediaType } from "./media-type.ts";
export { toMessageChunks } from "./message-chunks.ts";
export { withSafeUrl } from "./safe-url.ts";
export { isSameJSON } from "./same-json.ts";
