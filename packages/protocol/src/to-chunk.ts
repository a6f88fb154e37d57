/**
 * Makes a chunk of what a source yields, or of what a peer has sent, or refuses it. What is a chunk is decided by
 * `check-chunk.ts`.
 */
import { describeMismatch, findMismatch, type Mismatch } from "./check-chunk.ts";
import { chunkTypeOf, type FieldType, fieldsOf, isRecord, type ObjectType, rulesOf } from "./chunk-shape.ts";
import type { StreamChunk, UnknownChunk } from "./chunks.ts";
import { StreamProtocolError } from "./errors.ts";

/**
 * Makes a chunk of a value, which is never changed itself.
 *
 * Leaves out `null`, undefined and numbers that are not finite in the optional fields that the contract names, at every
 * depth, and writes `null` where a field that takes any JSON value is undefined, such as the `content` of a tool's result.
 * Everything else stays as it is: unknown fields, and what is inside `input`, `content`, `data`, `value`, `items`, `meta`
 * and `payload`. A chunk of a type that this version does not know passes.
 *
 * @param position - The chunk's number in its stream, for the message of the error.
 * @returns The value itself where it is a chunk, else a mended copy.
 * @throws StreamProtocolError `invalid-chunk` when it is not a chunk even so. The message names the type, the field, what was
 * expected and what kind of value came, but never a value.
 */
export function toChunk(value: unknown, position?: number): StreamChunk | UnknownChunk {
  return toKnownChunk(value, position) ?? (value as UnknownChunk);
}

/**
 * The same as {@link toChunk}, for readers that treat unknown chunks in another way.
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

/** @returns a copy, where there may be something to mend. */
function mend(value: unknown, type: FieldType | undefined): unknown {
  if (type === "JSON") return value === undefined ? null : value;
  if (typeof type !== "object") return value;
  if (!("listOf" in type)) return isRecord(value) ? mendObject(value, type) : value;
  // `Array.from` visits the holes of a list, too.
  return Array.isArray(value) ? Array.from(value, (item) => mend(item, type.listOf)) : value;
}

function mendObject(value: Record<string, unknown>, type: ObjectType): Record<string, unknown> {
  const fields = fieldsOf(type, value);
  // What an object prints by its own `toJSON` is not known.
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

/** How other languages, and token counts that are not known, spell a field that is absent. */
const standsForAbsent = (value: unknown): boolean =>
  value === null || (typeof value === "number" && !Number.isFinite(value));
