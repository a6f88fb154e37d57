/**
 * Turns a value from a source or a peer into a chunk, or rejects it. `check-chunk.ts` decides what a chunk is.
 */
import { describeMismatch, findMismatch, type Mismatch } from "./check-chunk.ts";
import { chunkTypeOf, type FieldType, fieldsOf, isRecord, type ObjectType, rulesOf } from "./chunk-shape.ts";
import type { StreamChunk, UnknownChunk } from "./chunks.ts";
import { StreamProtocolError } from "./errors.ts";

/**
 * Turns a value into a chunk. Never changes the value itself.
 *
 * Leaves out `null`, undefined and numbers that are not finite in the optional fields that the contract names, at every
 * depth, and writes `null` where a field that takes any JSON value is undefined, such as the `content` of a tool's
 * result. Everything else stays as it is: unknown fields, and the contents of `input`, `content`, `data`, `value`,
 * `items`, `meta` and `payload`. A chunk of a type that this version does not know passes.
 *
 * @param position - The chunk's number in its stream, for the message of the error.
 * @returns The value itself if it is a chunk, else a repaired copy.
 * @throws StreamProtocolError `invalid-chunk` when it is still not a chunk. The message names the type, the field, what
 * was expected and the kind of value received, but never the value.
 *
 * @example
 * ```ts
 * toChunk({ type: "text-delta", delta: "Hi", node: null }); // { type: "text-delta", delta: "Hi" }
 * ```
 */
export function toChunk(value: unknown, position?: number): StreamChunk | UnknownChunk {
  return toKnownChunk(value, position) ?? (value as UnknownChunk);
}

/**
 * Like {@link toChunk}, for readers that handle unknown types themselves.
 *
 * @returns undefined for a chunk of a type that this version does not know.
 */
export function toKnownChunk(value: unknown, position?: number): StreamChunk | undefined {
  const mismatch = findMismatch(value);
  if (mismatch === undefined) return value as StreamChunk;
  if (mismatch === "unknown-type") return undefined;
  const type = isRecord(value) ? chunkTypeOf(value.type) : undefined;
  const mended = mend(value, type);
  const left = findMismatch(mended);
  if (left === undefined) return mended as StreamChunk;
  throw new StreamProtocolError("invalid-chunk", describeMismatch(value, left as Mismatch, position));
}

/** @returns a repaired copy if there may be anything to repair. */
function mend(value: unknown, type: FieldType | undefined): unknown {
  if (type === "JSON") return value === undefined ? null : value;
  if (typeof type !== "object") return value;
  if (!("listOf" in type)) return isRecord(value) ? mendObject(value, type) : value;
  // `Array.from` also visits the holes of a sparse array.
  return Array.isArray(value) ? Array.from(value, (item) => mend(item, type.listOf)) : value;
}

function mendObject(value: Record<string, unknown>, type: ObjectType): Record<string, unknown> {
  const fields = fieldsOf(type, value);
  // What an object's own `toJSON` prints is unknown.
  if (fields === undefined || "toJSON" in value) return value;
  const { byName } = rulesOf(fields);
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    const rule = byName.get(name);
    const isOptional = rule?.isRequired === false;
    if (!isOptional || !standsForAbsent(inner)) entries.push([name, mend(inner, rule?.type)]);
  }
  for (const [name, { type }] of byName) {
    if (type === "JSON" && !Object.hasOwn(value, name)) entries.push([name, null]);
  }
  return Object.fromEntries(entries);
}

/** How other languages, and unknown token counts, represent an absent field. */
const standsForAbsent = (value: unknown): boolean =>
  value === null || (typeof value === "number" && !Number.isFinite(value));
