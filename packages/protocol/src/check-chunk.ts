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

/**
 * @param path - Where the value is, from the chunk down, each name with a dot behind it.
 * @returns what is wrong with the value; undefined for nothing.
 */
type Check = (value: unknown, path: string) => string | undefined;

/** The same for what is known to be an object. */
type RecordCheck = (value: Record<string, unknown>, path: string) => string | undefined;

/** One rule of the table. A value whose `typeof` is `type` passes at once; any other is for `check`. */
interface Rule {
  type: string;
  isOptional: boolean;
  check: Check;
}

/** Names a value's type, never the value: it may be a secret, or 8 MiB long. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const accept =
  (expected: string, accepts: (value: unknown) => unknown): Check =>
  (value, path) =>
    accepts(value) ? undefined : `field "${path.slice(0, -1)}" must be ${expected}, got ${describe(value)}`;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const anObject = accept("an object", isRecord);
const anArray = accept("an array", Array.isArray);

/** What a field can be. Objects with fields of their own, and lists, are added below. */
const types: Record<string, Check> = {
  string: accept("a string", () => false),
  boolean: accept("a boolean", () => false),
  finite: accept("a finite number", Number.isFinite),
  count: accept("an integer >= 0", (value) => Number.isSafeInteger(value) && (value as number) >= 0),
  // Any JSON value, but there: JSON leaves the others out.
  json: accept("a JSON value", (value) => !["undefined", "function", "symbol"].includes(typeof value)),
  // An object as JSON makes them, and not a Date, a Map or an instance of a class: only an Object.prototype, of
  // whatever realm, has this method itself.
  record: accept("a plain object", (value) => {
    if (!isRecord(value)) return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
  }),
};

/**
 * An object with the given fields; others are left alone. Walks the keys that are there and not those that could be,
 * because a chunk seldom has half of its optional fields.
 *
 * @param fields - Names, each with `:type` unless it is a string, and `?` when it may be missing.
 */
function fieldsOf(fields: string): RecordCheck {
  const rules = new Map<string, Rule>();
  const required: string[] = [];
  for (const field of fields.split(" ")) {
    const [name = "", type = "string"] = field.replace("?", "").split(":");
    const isOptional = field.endsWith("?");
    rules.set(name, { type, isOptional, check: types[type]! });
    if (!isOptional) required.push(name);
  }
  return (value, path) => {
    let found = 0;
    for (const name in value) {
      if (name === "type") continue;
      const rule = rules.get(name);
      const inner = value[name];
      if (rule === undefined || inner === undefined) continue;
      const problem = typeof inner === rule.type ? undefined : rule.check(inner, `${path}${name}.`);
      if (problem !== undefined) return problem;
      if (!rule.isOptional) found++;
    }
    if (found === required.length) return undefined;
    // What a prototype has is not there for JSON.
    const missing = required.find((name) => !Object.hasOwn(value, name) || value[name] === undefined);
    return missing && rules.get(missing)!.check(undefined, `${path}${missing}.`);
  };
}

/** An object whose `kind` chooses its fields. */
function byKind(kinds: Record<string, string>): RecordCheck {
  const checks = new Map(Object.entries(kinds).map(([kind, fields]) => [kind, fieldsOf(fields)]));
  const aKind = accept(`one of ${[...checks.keys()].join(", ")}`, () => false);
  return (value, path) => {
    const check = checks.get(value.kind as string);
    return check === undefined ? aKind(value.kind, `${path}kind.`) : check(value, path);
  };
}

const object =
  (check: RecordCheck): Check =>
  (value, path) =>
    isRecord(value) ? check(value, path) : anObject(value, path);

function arrayOf(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return anArray(value, path);
    for (let index = 0; index < value.length; index++) {
      const problem = check(value[index], `${path}${index}.`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

const question = "multiple:boolean id? schemaId? schemaVersion? meta:record?";
const choice = `${question} question options:options`;
types.items = arrayOf(types.json!);
types.options = arrayOf(object(fieldsOf("id label description?")));
types.usage = object(fieldsOf("inputTokens:finite? outputTokens:finite? totalTokens:finite?"));
types.input = object(byKind({ text: `${question} question?`, choice, "multi-choice": choice }));

const origin = "node? id? opId?";
const segment = `segmentId? ${origin}`;
const call = `tool toolCallId ${origin}`;
const structured = "streamId dataType schemaId? schemaVersion? id? node?";

/** @internal The table, for the tests that prove it equal to the zod schemas, rule by rule. */
export const chunkTable = {
  session: "sessionId",
  "run-start": "runId sessionId?",
  checkpoint: "id sessionId turnIndex:count label?",
  trace: "traceId spanId runId rootSpanName",
  status: "message node?",
  message: "content node?",
  "text-start": segment,
  "text-delta": `delta ${segment}`,
  "text-end": segment,
  "reasoning-start": segment,
  "reasoning-delta": `delta ${segment}`,
  "reasoning-end": segment,
  "tool-call-start": call,
  "tool-call-delta": `toolCallId delta tool? ${origin}`,
  "tool-call-ready": `${call} input:json`,
  "tool-call-result": `${call} content:json isError:boolean?`,
  "tool-call-error": `${call} message`,
  "tool-result": "content:json tool? node?",
  "structured-data": {
    set: `${structured} path value:json`,
    append: `${structured} path items:items`,
    "text-delta": `${structured} path delta`,
    final: `${structured} data:json`,
  },
  "structured-data-invalidated": "streamId checkpointId",
  interrupt: `requestId resumeToken input:input workflow? schemaId? schemaVersion? meta:record? ${origin}`,
  source: "id url? title? node?",
  file: "mediaType url name? node?",
  transition: "transitionTo",
  error: "message code? retryable:boolean? correlationId?",
  abort: "reason",
  done: "finishReason? usage:usage?",
} as const satisfies Record<StreamChunkType, string | Record<string, string>>;

/** @internal Makes a checker from a table. */
export function createChunkChecker(
  table: Record<string, string | Record<string, string>>,
): (value: unknown) => ChunkProblem | undefined {
  const checks = new Map(
    Object.entries(table).map(([type, row]) => [type, typeof row === "string" ? fieldsOf(row) : byKind(row)]),
  );
  // Chunks come in runs of one type, and to find a text that JSON has just made takes longer than to compare it.
  let lastType: unknown;
  let lastCheck: RecordCheck | undefined;
  return (value) => {
    const type = isRecord(value) && Object.hasOwn(value, "type") ? value.type : undefined;
    const check = type === lastType ? lastCheck : checks.get(type as string);
    lastType = type;
    lastCheck = check;
    const problem = check?.(value as Record<string, unknown>, "");
    if (problem !== undefined) return { code: "invalid-chunk", message: `Chunk "${type}": ${problem}.` };
    if (check !== undefined) return undefined;
    if (typeof type === "string") {
      const name = JSON.stringify(type.length > 80 ? `${type.slice(0, 80)}…` : type);
      return { code: "unknown-type", message: `Chunk type ${name} is not known.` };
    }
    const received = describe(value) + (isRecord(value) ? ` whose "type" is ${describe(type)}` : "");
    return {
      code: "invalid-chunk",
      message: `Not a chunk: expected an object with a string "type", got ${received}.`,
    };
  };
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
