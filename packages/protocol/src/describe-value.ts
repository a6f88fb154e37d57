/** Describes values in messages to developers. Makes no decision about them. */

/**
 * Names the kind of a value. Never quotes it: it may be a secret, or 8 MiB long.
 *
 * @returns about 20 characters at most, such as `an array` or `a negative number`.
 */
export function describeKind(value: unknown): string {
  if (value === undefined || value === null) return `${value}`;
  if (typeof value === "number") return describeNumber(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  return typeof (value as { then?: unknown }).then === "function" ? "a promise" : "an object";
}

function describeNumber(value: number): string {
  if (!Number.isFinite(value)) return `${value}`;
  if (value < 0) return "a negative number";
  return Number.isInteger(value) ? "a number" : "a fraction";
}

/**
 * Quotes a string, a number or a boolean, and names the kind of anything else.
 *
 * @returns about 50 characters at most.
 */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return ["number", "bigint", "boolean"].includes(typeof value) ? `${value}` : describeKind(value);
}
