/**
 * Checks whether any JavaScript value is a chunk, such as one that a source yields or `JSON.parse` returns. Changes
 * nothing; `to-chunk.ts` repairs.
 *
 * Walks the value along a table generated from the zod schemas. Lookup cost is the same for every chunk type; uses no
 * `eval`, and allocates nothing for a valid chunk.
 */
import {
  chunkTypeOf,
  type FieldsType,
  type FieldType,
  type FieldTypes,
  fieldsOf,
  isRecord,
  type KindsType,
  type ObjectType,
  rulesOf,
  scalars,
} from "./chunk-shape.ts";
import type { StreamChunk, UnknownChunk } from "./chunks.ts";
import { describeKind } from "./describe-value.ts";

/** Why a value is not a chunk that this version knows. */
export interface ChunkProblem {
  /** `unknown-type`: an object with a string `type` that this version does not know; pass it on unchanged. */
  code: "unknown-type" | "invalid-chunk";
  /** Names the type, the field, what was expected and the kind of value received. Never quotes a value. */
  message: string;
}

/**
 * Returns why a value is not a chunk; `undefined` if it is one.
 *
 * Takes tens of nanoseconds for a chunk of strings, and time linear in the contents of its objects and lists. Ignores
 * fields that the type does not have. An undefined property counts as absent, as in JSON.
 *
 * @param position - The chunk's number in its stream, for the message.
 *
 * @example
 * ```ts
 * checkChunk({ type: "abort", reason: null }, 3)?.message; // 'Chunk 3 ("abort"): reason must be a string; got null.'
 * ```
 */
export function checkChunk(value: unknown, position?: number): ChunkProblem | undefined {
  const found = findMismatch(value);
  if (found === undefined) return undefined;
  if (found === "unknown-type") {
    const name = JSON.stringify((value as UnknownChunk).type.slice(0, 80));
    return { code: "unknown-type", message: `Chunk type ${name} is unknown.` };
  }
  return { code: "invalid-chunk", message: describeMismatch(value, found, position) };
}

/**
 * Whether a value is a chunk of a type that this version knows, with valid fields.
 *
 * @example
 * ```ts
 * isStreamChunk({ type: "text-delta", delta: "Hi" }); // true
 * isStreamChunk({ type: "text-delta", delta: 1 }); // false
 * ```
 */
export function isStreamChunk(value: unknown): value is StreamChunk {
  return findMismatch(value) === undefined;
}

/** Where a value differs from its shape. */
export interface Mismatch {
  /** Dot path from the checked value: `options.1.label`; empty for the value itself. */
  path: string;
  /** Completes the sentence "must be …". */
  expected: string;
  value: unknown;
}

/** Consecutive chunks usually share a type, and comparing is cheaper than hashing a fresh string. */
let lastName: unknown;
let lastType: ObjectType | undefined;

/** Like {@link checkChunk}, without composing a message. */
export function findMismatch(value: unknown): Mismatch | "unknown-type" | undefined {
  if (!isRecord(value)) return mismatch("an object", value);
  const name = value.type;
  if (name !== lastName) {
    lastType = chunkTypeOf(name);
    // What is not the name of a type may be of any size: it is not kept.
    lastName = lastType === undefined ? undefined : name;
  }
  // JSON does not write inherited properties.
  if (!Object.hasOwn(value, "type")) return mismatch("a string", undefined, "type");
  if (lastType !== undefined) return checkObject(value, lastType);
  return typeof name === "string" ? "unknown-type" : mismatch("a string", name, "type");
}

/** @param value - The value that was checked. */
export function describeMismatch(value: unknown, found: Mismatch, position: number | undefined): string {
  const { path, expected } = found;
  const problem = `must be ${expected}; got ${describeKind(found.value)}.`;
  const subject = position === undefined ? "Chunk" : `Chunk ${position}`;
  if (path === "") return `${subject} ${problem}`;
  if (path === "type") return `${subject}: type ${problem}`;
  const { type } = value as StreamChunk;
  return `${subject} ${position === undefined ? `"${type}"` : `("${type}")`}: ${path} ${problem}`;
}

const mismatch = (expected: string, value: unknown, path = ""): Mismatch => ({ path, expected, value });

const inside = (name: string | number, { path, expected, value }: Mismatch): Mismatch =>
  mismatch(expected, value, path === "" ? `${name}` : `${name}.${path}`);

/** @returns where the value of a field differs from its type. */
export function checkField(value: unknown, type: FieldType): Mismatch | undefined {
  if (typeof type === "string") {
    const { accepts, expected } = scalars[type];
    return accepts(value) ? undefined : mismatch(expected, value);
  }
  return "listOf" in type ? checkList(value, type.listOf) : checkObject(value, type);
}

function checkList(value: unknown, type: FieldType): Mismatch | undefined {
  if (!Array.isArray(value)) return mismatch("an array", value);
  for (let index = 0; index < value.length; index++) {
    const found = checkField(value[index], type);
    if (found) return inside(index, found);
  }
  return undefined;
}

function checkObject(value: unknown, type: ObjectType): Mismatch | undefined {
  if (!isRecord(value)) return mismatch("an object", value);
  const fields = fieldsOf(type, value);
  return fields ? checkFields(value, fields) : checkOtherKind(value.kind, type as KindsType);
}

function checkOtherKind(kind: unknown, { kinds, allowsOtherKinds }: KindsType): Mismatch | undefined {
  if (allowsOtherKinds && typeof kind === "string") return undefined;
  const expected = allowsOtherKinds ? "a string" : `one of "${Object.keys(kinds).join('", "')}"`;
  return mismatch(expected, kind, "kind");
}

/** Walks the fields that the value has, not those that it may have: most chunks have few of their optional fields. */
function checkFields(value: Record<string, unknown>, fields: FieldsType): Mismatch | undefined {
  const { byName, requiredCount } = rulesOf(fields);
  let foundCount = 0;
  for (const name in value) {
    const rule = byName.get(name);
    const inner = value[name];
    if (rule === undefined || inner === undefined) continue;
    if (typeof inner !== rule.type) {
      const found = checkField(inner, rule.type);
      if (found) return inside(name, found);
    }
    if (rule.isRequired) foundCount++;
  }
  return foundCount === requiredCount ? undefined : findMissing(value, fields.required!);
}

function findMissing(value: Record<string, unknown>, required: FieldTypes): Mismatch | undefined {
  for (const name in required) {
    // JSON does not write inherited properties.
    if (Object.hasOwn(value, name) && value[name] !== undefined) continue;
    const found = checkField(undefined, required[name]!);
    if (found) return inside(name, found);
  }
  return undefined;
}
