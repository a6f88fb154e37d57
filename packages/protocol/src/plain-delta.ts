/**
 * A fast path around `JSON.parse` for the most common chunk: a text or reasoning delta, alone or with its segment, in
 * characters that JSON does not escape. Parses exactly as JSON and the checker would, or returns `undefined` and leaves
 * the text to them.
 *
 * Source: ECMA-262, QuoteJSONString.
 */
import type { ReasoningDeltaChunk, TextDeltaChunk } from "./chunks.ts";

/**
 * Characters that the encoder does not escape: no quote, backslash or control character; no surrogate, which JSON
 * escapes when it is unpaired; and none of the line breaks U+0085, U+2028 and U+2029.
 */
const unescaped = "[ !#-[\\]-\\u0084\\u0086-\\u2027\\u202a-\\ud7ff\\ue000-\\uffff]*";

const plainDelta = new RegExp(
  `^\\{"type":"(text|reasoning)-delta","delta":"(${unescaped})"(?:,"segmentId":"(${unescaped})")?\\}$`,
);

/** @returns the chunk of a plain delta; `undefined` for any other text. */
export function parsePlainDelta(json: string): TextDeltaChunk | ReasoningDeltaChunk | undefined {
  const found = plainDelta.exec(json);
  if (found === null) return undefined;
  const type = found[1] === "text" ? "text-delta" : "reasoning-delta";
  const delta = found[2]!;
  const segmentId = found[3];
  return segmentId === undefined ? { type, delta } : { type, delta, segmentId };
}
