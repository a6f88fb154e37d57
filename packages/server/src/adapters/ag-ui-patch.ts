/** JSON Patch (RFC 6902) on values that are never changed in place. Knows no events and no chunks. */
import { StreamProtocolError } from "@kortyx/protocol";
import { isSameJSON } from "@kortyx/protocol/internal";

/** What one operation has done. */
export interface Change {
  /** `set`: there is a value. `insert`: into an array, before others. `remove`: there is none any more. */
  kind: "set" | "insert" | "remove";
  path: string[];
  value?: unknown;
  /** The value before, if there was one. */
  before: unknown;
  /** The document with this change. */
  after: unknown;
}

type Edit = Pick<Change, "kind" | "path" | "value">;

/** A document, and what was done to it. */
export interface Patched {
  document: unknown;
  changes: Change[];
}

/**
 * Applies a patch: all of it, or none.
 *
 * @throws StreamProtocolError `invalid-structured-data` for a patch that does not fit, and for one that tests for another
 * value.
 */
export function applyPatch(document: unknown, patch: unknown): Patched {
  if (!Array.isArray(patch)) refuse("it is not a list");
  const patched: Patched = { document, changes: [] };
  for (const operation of patch) applyOperation(patched, operation ?? {});
  return patched;
}

function applyOperation(patched: Patched, operation: Record<string, unknown>): void {
  const { op, value } = operation;
  const path = parsePointer(operation.path);
  switch (op) {
    case "add":
      add(patched, path, value);
      break;
    case "remove":
      remove(patched, path);
      break;
    case "replace":
      find(patched.document, path);
      change(patched, { kind: "set", path, value });
      break;
    case "copy":
      add(patched, path, find(patched.document, parsePointer(operation.from)));
      break;
    case "move":
      move(patched, parsePointer(operation.from), path);
      break;
    case "test":
      if (!isSame(find(patched.document, path), value)) refuse(`the value at ${show(path)} is another one`);
      break;
    default:
      refuse("an operation has no known name");
  }
}

/** A value cannot move into itself: what would hold it is gone. */
function move(patched: Patched, from: string[], path: string[]): void {
  const value = find(patched.document, from);
  if (isSame(from, path)) return;
  remove(patched, from);
  add(patched, path, value);
}

function add(patched: Patched, path: string[], value: unknown): void {
  if (value === undefined) refuse("an operation has no value");
  const container = path.length === 0 ? undefined : find(patched.document, path.slice(0, -1));
  if (!Array.isArray(container)) {
    change(patched, { kind: "set", path, value });
    return;
  }
  const name = path.at(-1)!;
  const index = name === "-" ? container.length : indexOf(container, name, container.length);
  const place = [...path.slice(0, -1), String(index)];
  change(patched, { kind: index === container.length ? "set" : "insert", path: place, value });
}

function remove(patched: Patched, path: string[]): void {
  find(patched.document, path);
  // There is no document without a value.
  if (path.length === 0) change(patched, { kind: "set", path, value: null });
  else change(patched, { kind: "remove", path });
}

function change(patched: Patched, done: Edit): void {
  if (done.kind !== "remove" && done.value === undefined) refuse("an operation has no value");
  const before = done.kind === "set" ? lookUp(patched.document, done.path) : undefined;
  patched.document = write(patched.document, done, 0);
  patched.changes.push({ ...done, before, after: patched.document });
}

/** Copies the containers on the path. */
function write(container: unknown, done: Edit, depth: number): unknown {
  const { path, kind, value } = done;
  const name = path[depth];
  if (name === undefined) return value;
  const isLast = depth === path.length - 1;
  if (Array.isArray(container)) {
    const copy = container.slice();
    const index = Number(name);
    if (!isLast) copy[index] = write(copy[index], done, depth + 1);
    else if (kind === "set") copy[index] = value;
    else copy.splice(index, kind === "remove" ? 1 : 0, ...(kind === "insert" ? [value] : []));
    return copy;
  }
  if (!isObject(container)) refuse(`${show(path.slice(0, depth))} holds nothing`);
  const copy = { ...container };
  if (isLast && kind === "remove") delete copy[name];
  else copy[name] = isLast ? value : write(copy[name], done, depth + 1);
  return copy;
}

/** @throws if there is no value. */
function find(document: unknown, path: string[]): unknown {
  const value = lookUp(document, path);
  if (value === undefined) refuse(`${show(path)} does not exist`);
  return value;
}

function lookUp(document: unknown, path: string[]): unknown {
  let value = document;
  for (const name of path) {
    if (Array.isArray(value)) value = value[indexOf(value, name, value.length)];
    else if (isObject(value) && Object.hasOwn(value, name)) value = value[name];
    else return undefined;
  }
  return value;
}

function indexOf(list: unknown[], name: string, max: number): number {
  const index = /^(0|[1-9]\d*)$/.test(name) ? Number(name) : Number.NaN;
  if (!(index <= max)) refuse(`"${name.slice(0, 80)}" is no place in a list of ${list.length}`);
  return index;
}

/** Reads a JSON Pointer (RFC 6901). */
function parsePointer(pointer: unknown): string[] {
  if (typeof pointer !== "string" || !/^(\/([^~]|~[01])*)?$/.test(pointer))
    refuse("a path is no JSON Pointer");
  const path = pointer
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  // Assigned, it would become the prototype.
  if (path.includes("__proto__")) refuse("a path has the name __proto__");
  return path;
}

const show = (path: string[]): string => `"/${path.join("/").slice(0, 80)}"`;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As RFC 6902 compares: the order of names does not count. */
const isSame = (one: unknown, other: unknown): boolean => isSameJSON(sorted(one), sorted(other));

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, sorted(inner)] as const);
  return entries.sort(([one], [other]) => (one < other ? -1 : 1));
}

function refuse(reason: string): never {
  throw new StreamProtocolError("invalid-structured-data", `A JSON Patch cannot be applied: ${reason}.`);
}
