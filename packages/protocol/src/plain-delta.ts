/**
 * A short cut past JSON for the chunk that streams are made of: a text or reasoning delta, alone or with its segment,
 * in characters that JSON does not escape. Prints what JSON would print of a valid one, or nothing.
 */

/**
 * Characters that the encoder does not escape: no quote, backslash or control character; no surrogate, which JSON
 * escapes when it is unpaired; and none of the line breaks U+0085, U+2028 and U+2029.
 *
 * Source: ECMA-262, QuoteJSONString.
 */
const isUnescaped = /^[ !#-[\]-\u0084\u0086-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;

/** The properties of a chunk that is printed here, in the order in which JSON would print them. */
const names = ["type", "delta", "segmentId"];

/** @returns what `JSON.stringify` makes of a valid delta, or undefined: ask the checker and JSON. */
export function printDelta(value: unknown): string | undefined {
  // Prototypes and toJSON() are JSON's business.
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return undefined;
  }
  const { type, delta, segmentId, toJSON } = value as Record<string, unknown>;
  if ((type !== "text-delta" && type !== "reasoning-delta") || toJSON !== undefined) return undefined;
  if (typeof delta !== "string" || !isUnescaped.test(delta)) return undefined;
  let count = 0;
  for (const name in value) if (name !== names[count++]) return undefined;
  // Behind its own properties a polluted prototype would show its.
  if (count < 2 || !Object.hasOwn(value, names[count - 1]!)) return undefined;
  if (count === 2) return `{"type":"${type}","delta":"${delta}"}`;
  if (typeof segmentId !== "string" || !isUnescaped.test(segmentId)) return undefined;
  return `{"type":"${type}","delta":"${delta}","segmentId":"${segmentId}"}`;
}
