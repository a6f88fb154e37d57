/**
 * What only the sibling packages need: does not follow semantic versioning, and may change with every release. All
 * packages share one version, so that a sibling always gets the one it was built with.
 */
export { createTextPieces } from "./answer-text.ts";
export { closePart } from "./assistant-message.ts";
export { chatRequestFields } from "./chat-request.ts";
export {
  checkFunctionOption,
  checkLimitOption,
  checkObjectOption,
  checkOption,
} from "./check-option.ts";
export { maxTimerMs, parseDelayMs, parseTimeoutMs } from "./delay.ts";
export { describeValue } from "./describe-value.ts";
export { encodeChunkJson, type PrintedChunk, printChunk, stringifyChunk } from "./encode-chunk.ts";
export { isVisibleAscii, maxIdLength, visibleAsciiRule } from "./id-rules.ts";
export { parseMediaType } from "./media-type.ts";
