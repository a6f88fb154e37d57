/**
 * A fast path around JSON, in both directions, for the most common chunk: a text or reasoning delta, alone or with its
 * segment, in characters that JSON does not escape. Prints and parses exactly as JSON and the checker would, or returns
 * `undefined` and leaves the chunk to them.
 *
 * Source: ECMA-262, QuoteJSONString.
 */
import type { ReasoningDeltaChunk, TextDeltaChunk } from "./chunks.ts";

/**
 * Characters that the encoder does not escape: no quote, backslash or control character; no surrogate, which JSON
 * escapes when it is unpaired; and none of the line breaks U+0085, U+2028 and U+2029.
 */
const unescaped = "[ !#-[\\]-\\u0084\\u0086-\\u2027\\u202a-\\ud7ff\\ue000-\\uffff]*";
const isUnescaped = new RegExp(`^${unescaped}$`);

/** The properties of a plain delta, in the order in which JSON would print them. */
const names = ["type", "delta", "segmentId"];

/** @returns what `JSON.stringify` returns for a plain delta; `undefined` for any other value. */
export function printPlainDelta(value: unknown): string | undefined {
  // Objects with a prototype or toJSON() are left to JSON.
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return undefined;
  }
  const { type, delta, segmentId, toJSON } = value as Record<string, unknown>;
  if ((type !== "text-delta" && type !== "reasoning-delta") || toJSON !== undefined) return undefined;
  if (typeof delta !== "string" || !isUnescaped.test(delta)) return undefined;
  let count = 0;
  for (const name in value) if (name !== names[count++]) return undefined;
  // Properties of a polluted prototype come after the object's own.
  if (count < 2 || !Object.hasOwn(value, names[count - 1]!)) return undefined;
  if (count === 2) return `{"type":"${type}","delta":"${delta}"}`;
  if (typeof segmentId !== "string" || !isUnescaped.test(segmentId)) return undefined;
  return `{"type":"${type}","delta":"${delta}","segmentId":"${segmentId}"}`;
}

const plainDelta = new RegExp(
  `^\\{"type":"(text|reasoning)-delta","delta":"(${unescaped})"(?:,"segmentId":"(${unescaped})")?\\}$`,
);

/** @returns the chunk, if `json` is text that {@link printPlainDelta} prints; `undefined` for any other text. */
export function parsePlainDelta(json: string): TextDeltaChunk | ReasoningDeltaChunk | undefined {
  const found = plainDelta.exec(json);
  if (found === null) return undefined;
  const type = found[1] === "text" ? "text-delta" : "reasoning-delta";
  const delta = found[2]!;
  const segmentId = found[3];
  return segmentId === undefined ? { type, delta } : { type, delta, segmentId };
}
