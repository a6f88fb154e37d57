/**
 * The checker that runs on every chunk at an edge: on the server for what a source yields, in the reader for what the
 * wire brings. Driven by a table, O(1) in the number of chunk types, no `eval`, no allocation for a valid chunk.
 *
 * It says the same as the zod schemas in `schemas.ts` (property tests hold the two together) at a fraction of their
 * size and time, so that readers need no zod.
 */
import type { StreamChunk, StreamChunkType } from "./stream-chunk.ts";

/** Why a value is not a chunk that this version knows. */
export interface ChunkProblem {
  /** `unknown-type`: an object with a string `type` that this version does not know, to be handed on as it is. */
  code: "unknown-type" | "invalid-chunk";
  /** Names the type, the field, what was expected and what came. Never quotes a value. */
  message: string;
}

/** Where a value departs from its table. `path` is empty for the value itself. */
interface Mismatch {
  path: string;
  expected: string;
  received: unknown;
}

type Check = (value: unknown) => Mismatch | undefined;

/** One rule of the table. A value whose `typeof` equals `type` passes at once; any other is for `check`. */
interface Field {
  type: "string" | "boolean" | "";
  optional: boolean;
  check: Check;
}

/** Field rules by name: the rows of the table. */
type Fields = Record<string, Field>;

const reject =
  (expected: string): Check =>
  (received) => ({ path: "", expected, received });

const accept =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  (received) =>
    accepts(received) ? undefined : { path: "", expected, received };

const field = (check: Check, type: Field["type"] = ""): Field => ({ type, optional: false, check });
const optional = (rule: Field): Field => ({ ...rule, optional: true });

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An object as JSON makes them, and not a Date, a Map or an instance of a class. */
function isPlainRecord(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Only an Object.prototype, of whatever realm, has this method itself.
  return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
}

/**
 * An object with the given fields; others are left alone. Walks the keys that are there and not those that could be,
 * because a chunk seldom has half of its optional fields.
 */
function object(fields: Fields): Check {
  // Without a prototype: a key such as "toString" has no rule.
  const rules: Record<string, Field | undefined> = Object.assign(Object.create(null), fields);
  const required = Object.keys(fields).filter((name) => !fields[name]!.optional);
  return (value) => {
    if (!isRecord(value)) return { path: "", expected: "an object", received: value };
    let found = 0;
    for (const name in value) {
      const rule = rules[name];
      if (rule === undefined) continue;
      const fieldValue = value[name];
      if (fieldValue === undefined) continue;
      if (typeof fieldValue !== rule.type) {
        const mismatch = rule.check(fieldValue);
        if (mismatch !== undefined) return within(name, mismatch);
      }
      if (!rule.optional) found++;
    }
    return found === required.length ? undefined : missing(value);
  };

  function missing(value: Record<string, unknown>): Mismatch | undefined {
    for (const name of required) {
      // What a prototype has is not there for JSON.
      const mismatch =
        Object.hasOwn(value, name) && value[name] !== undefined ? undefined : fields[name]!.check(undefined);
      if (mismatch !== undefined) return within(name, mismatch);
    }
    return undefined;
  }
}

/** An object whose `kind` chooses its fields. */
function byKind(kinds: Record<string, Fields>): Check {
  const checks = new Map(Object.entries(kinds).map(([kind, fields]) => [kind, object(fields)]));
  const expected = `one of ${[...checks.keys()].join(", ")}`;
  return (value) => {
    if (!isRecord(value)) return { path: "", expected: "an object", received: value };
    const check = checks.get(value.kind as string);
    return check === undefined ? { path: "kind", expected, received: value.kind } : check(value);
  };
}

function arrayOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return { path: "", expected: "an array", received: value };
    for (let index = 0; index < value.length; index++) {
      const mismatch = check(value[index]);
      if (mismatch !== undefined) return within(String(index), mismatch);
    }
    return undefined;
  };
}

const within = (name: string, mismatch: Mismatch): Mismatch => ({
  ...mismatch,
  path: mismatch.path === "" ? name : `${name}.${mismatch.path}`,
});

const string = field(reject("a string"), "string");
const boolean = field(reject("a boolean"), "boolean");
const number = field(accept("a finite number", Number.isFinite));
const count = field(
  accept("an integer >= 0", (value) => Number.isSafeInteger(value) && (value as number) >= 0),
);
/** Any JSON value, but there: JSON leaves the others out. */
const anything = field(
  accept(
    "a JSON value",
    (value) => value !== undefined && typeof value !== "function" && typeof value !== "symbol",
  ),
);
const record = field(accept("a plain object", isPlainRecord));
const text = optional(string);

const origin: Fields = { node: text, id: text, opId: text };
const segment: Fields = { segmentId: text, ...origin };
const call: Fields = { tool: string, toolCallId: string, ...origin };
const structured: Fields = {
  streamId: string,
  dataType: string,
  schemaId: text,
  schemaVersion: text,
  id: text,
  node: text,
};
const question: Fields = {
  multiple: boolean,
  id: text,
  schemaId: text,
  schemaVersion: text,
  meta: optional(record),
};
const choice: Fields = {
  ...question,
  question: string,
  options: field(arrayOf(object({ id: string, label: string, description: text }))),
};

/** @internal The table, for the tests that prove it equal to the zod schemas, row by row. */
export const chunkTable = {
  session: { sessionId: string },
  "run-start": { runId: string, sessionId: text },
  checkpoint: { id: string, sessionId: string, turnIndex: count, label: text },
  trace: { traceId: string, spanId: string, runId: string, rootSpanName: string },
  status: { message: string, node: text },
  message: { content: string, node: text },
  "text-start": segment,
  "text-delta": { delta: string, ...segment },
  "text-end": segment,
  "reasoning-start": segment,
  "reasoning-delta": { delta: string, ...segment },
  "reasoning-end": segment,
  "tool-call-start": call,
  "tool-call-delta": { toolCallId: string, delta: string, tool: text, ...origin },
  "tool-call-ready": { ...call, input: anything },
  "tool-call-result": { ...call, content: anything, isError: optional(boolean) },
  "tool-call-error": { ...call, message: string },
  "tool-result": { content: anything, tool: text, node: text },
  "structured-data": {
    set: { ...structured, path: string, value: anything },
    append: { ...structured, path: string, items: field(arrayOf(anything.check)) },
    "text-delta": { ...structured, path: string, delta: string },
    final: { ...structured, data: anything },
  },
  "structured-data-invalidated": { streamId: string, checkpointId: string },
  interrupt: {
    requestId: string,
    resumeToken: string,
    input: field(byKind({ text: { ...question, question: text }, choice: choice, "multi-choice": choice })),
    workflow: text,
    schemaId: text,
    schemaVersion: text,
    meta: optional(record),
    ...origin,
  },
  source: { id: string, url: text, title: text, node: text },
  file: { mediaType: string, url: string, name: text, node: text },
  transition: { transitionTo: string },
  error: { message: string, code: text, retryable: optional(boolean), correlationId: text },
  abort: { reason: string },
  done: {
    finishReason: text,
    usage: optional(
      field(
        object({
          inputTokens: optional(number),
          outputTokens: optional(number),
          totalTokens: optional(number),
        }),
      ),
    ),
  },
} as const satisfies Record<StreamChunkType, Fields | Record<string, Fields>>;

const isFields = (row: Fields | Record<string, Fields>): row is Fields =>
  Object.values(row).every((rule) => typeof rule.check === "function");

/** @internal Makes a checker from a table. */
export function createChunkChecker(
  table: Record<string, Fields | Record<string, Fields>>,
): (value: unknown) => ChunkProblem | undefined {
  const checks = new Map(
    Object.entries(table).map(([type, row]) => [type, isFields(row) ? object(row) : byKind(row)]),
  );
  return (value) => {
    const type = isRecord(value) && Object.hasOwn(value, "type") ? value.type : undefined;
    if (typeof type !== "string") {
      const received = isRecord(value) ? `an object whose "type" is ${describe(type)}` : describe(value);
      return {
        code: "invalid-chunk",
        message: `Not a chunk: expected an object with a string "type", got ${received}.`,
      };
    }
    const check = checks.get(type);
    if (check === undefined) {
      return {
        code: "unknown-type",
        message: `Chunk type ${JSON.stringify(type.length > 80 ? `${type.slice(0, 80)}…` : type)} is not known.`,
      };
    }
    const mismatch = check(value);
    if (mismatch === undefined) return undefined;
    const { path, expected, received } = mismatch;
    return {
      code: "invalid-chunk",
      message: `Chunk "${type}": field "${path}" must be ${expected}, got ${describe(received)}.`,
    };
  };
}

/** Names a value's type, never the value: it may be a secret, or 8 MiB long. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  const type = typeof value;
  return type === "object" ? "an object" : `a ${type}`;
}

/**
 * Says why a value is not a chunk; `undefined` when it is one.
 *
 * Costs 20 to 100 ns for a valid chunk, whatever its type. Fields that the type does not have are left alone.
 * An undefined property counts as absent, as it does in JSON.
 */
export const checkChunk: (value: unknown) => ChunkProblem | undefined = createChunkChecker(chunkTable);

/** Whether a value is a chunk of a type that this version knows, with all its fields right. */
export function isStreamChunk(value: unknown): value is StreamChunk {
  return checkChunk(value) === undefined;
}
