/**
 * Turns what a source yields into a chunk, or refuses it.
 */
import { checkChunk, strictTypes } from "./check-chunk.ts";
import { chunkTable, createChunkChecker, isRecord, parseFields, type Row, shapes } from "./chunk-checker.ts";
import type { StreamChunk, UnknownChunk } from "./chunks.ts";
import { StreamProtocolError } from "./errors.ts";

const rows = new Map<unknown, Row>(Object.entries(chunkTable));
const mend = createChunkChecker(strictTypes, chunkTable, true);

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
 * expected and what came, but never a value.
 */
export function toChunk(value: unknown, position?: number): StreamChunk | UnknownChunk {
  const found = checkChunk(value, position);
  if (found?.code !== "invalid-chunk") return value as StreamChunk;
  const row = isRecord(value) ? rows.get(value.type) : undefined;
  if (row === undefined) throw new StreamProtocolError("invalid-chunk", found.message);
  const chunk = copy(value, row);
  const problem = mend(chunk, position);
  if (problem) throw new StreamProtocolError("invalid-chunk", problem);
  return chunk as StreamChunk;
}

/** Copies a chunk, and the objects in it that have fields of the contract's: what may be mended. */
function copy(value: unknown, row: Row): unknown {
  // The copy of what prints itself might print something else.
  if (!isRecord(value) || "toJSON" in value) return value;
  const copied: Record<string, unknown> = { ...value };
  const fields = typeof row === "string" ? row : new Map(Object.entries(row)).get(String(value.kind));
  if (fields === undefined) return copied;
  for (const { name, type } of parseFields(fields)) copied[name] = copyField(copied[name], type);
  return copied;
}

function copyField(value: unknown, type: string): unknown {
  if (type.endsWith("[]") && Array.isArray(value)) {
    // As JSON has it, in lists too.
    return Array.from(value, (item) => (item === undefined ? null : copyField(item, type.slice(0, -2))));
  }
  const row = shapes[type];
  return row === undefined ? value : copy(value, row);
}
