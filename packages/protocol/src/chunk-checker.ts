/**
 * The table of all chunks, and the checker that it drives: O(1) in the number of chunk types, no `eval`, no allocation
 * for a valid chunk whose fields are all texts. By itself it is for what `JSON.parse` gives; what else JavaScript has is `check-chunk.ts`.
 *
 * It says the same as the zod schemas in `schemas.ts` (property tests hold the two together) at a fraction of their
 * size and time, so that readers need no zod.
 */
import type { StreamChunkType } from "./chunks.ts";

/** The fields of an object: names, each with `?` when it may be missing, and `:type` unless it is a string. */
type Fields = string;
/** An object that always has the same fields, or whose `kind` chooses them; `*` is every other kind. */
export type Row = Fields | Record<string, Fields>;

const question = "multiple:boolean id? schemaId? schemaVersion? meta?:{}";
const choice = `${question} question options:option[]`;

/** @internal Types of fields that have fields of their own. */
export const shapes: Record<string, Row> = {
  option: "id label description?",
  usage: "inputTokens?:number outputTokens?:number totalTokens?:number",
  input: { text: `${question} question?`, choice, "multi-choice": choice, "*": "kind" },
};

const origin = "node? id? opId?";
const segment = `segmentId? ${origin}`;
const call = `tool toolCallId ${origin}`;
const structured = "streamId dataType schemaId? schemaVersion? id? node?";

/** @internal Also for the tests that prove it equal to the zod schemas, rule by rule. */
export const chunkTable = {
  session: "sessionId",
  "run-start": "runId sessionId?",
  checkpoint: "id sessionId turnIndex:integer>=0 label?",
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
  "tool-call-ready": `${call} input:JSON`,
  "tool-call-result": `${call} content:JSON isError?:boolean`,
  "tool-call-error": `${call} message`,
  "tool-result": "content:JSON tool? node?",
  "structured-data": {
    set: `${structured} path value:JSON`,
    append: `${structured} path items:JSON[]`,
    "text-delta": `${structured} path delta`,
    final: `${structured} data:JSON`,
  },
  "structured-data-invalidated": "streamId checkpointId",
  interrupt: `requestId resumeToken input:input workflow? schemaId? schemaVersion? meta?:{} ${origin}`,
  source: "id url? title? node?",
  file: "mediaType url name? node?",
  transition: "transitionTo",
  error: "message code? retryable?:boolean correlationId?",
  abort: "reason",
  done: "finishReason? usage?:usage",
} as const satisfies Record<StreamChunkType, Row>;

interface Field {
  name: string;
  optional: boolean;
  type: string;
}

export const parseFields = (fields: Fields): Field[] =>
  fields.split(" ").map((field) => {
    const [, name = "", optional, type = "string"] = /(\w*)(\?)?:?(.+)?/.exec(field)!;
    return { name, optional: optional !== undefined, type };
  });

/**
 * @param path - Where the value is, from the chunk down, each name behind a dot.
 * @returns what is wrong with the value; undefined for nothing.
 */
// biome-ignore lint/suspicious/noExplicitAny: what comes from outside is looked at field by field.
type Check = (value: any, path: string) => string | undefined;

/** Names a value's type, never the value: it may be a secret, or 8 MiB long. */
export const describe = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** How other languages, and token counts that nobody knows, spell a field that is not there. */
const isAbsent = (value: unknown): boolean =>
  value === null || (typeof value === "number" && !Number.isFinite(value));

const mismatch = (value: unknown, path: string, expected: string): string =>
  `${path.slice(1)} must be ${expected}, got ${describe(value)}`;

/** What accepts the values of a type, where it takes more than `typeof`. */
type Accepts = Record<string, ((value: unknown) => unknown) | undefined>;

/** For what `JSON.parse` gives. */
export const parsedTypes: Accepts = {
  // JSON may hold a number that is too large for one.
  number: Number.isFinite,
  "integer>=0": (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  JSON: (value) => value !== undefined,
  "{}": isRecord,
};

/**
 * Makes a checker from a table. It returns `undefined` for a chunk, `null` for an object with a string `type` that this
 * version does not know, and for anything else what is wrong with it: the type, the field, what was expected and what
 * came, but never a value.
 *
 * @param types - What accepts each type of field that is no `typeof`, or less than that.
 * @param mends - Changes a chunk in place where it says something obvious in another spelling: leaves out what stands for
 * absent in an optional field, and puts `null` in a field that takes any JSON value and is missing.
 * @returns the checker; `position` is the chunk's number in its stream, for the message.
 */
export function createChunkChecker(
  types = parsedTypes,
  table: Record<string, Row> = chunkTable,
  mends = false,
): (value: unknown, position?: number) => string | null | undefined {
  function checkOf(type: string): Check {
    const row = shapes[type];
    if (row) return checkRow(row);
    const accepts = types[type];
    if (!type.endsWith("[]")) {
      return (value, path) => (accepts?.(value) ? undefined : mismatch(value, path, type));
    }
    const check = checkOf(type.slice(0, -2));
    return (value, path) => {
      if (!Array.isArray(value)) return mismatch(value, path, type);
      let problem: string | undefined;
      for (let index = 0; !problem && index < value.length; index++) {
        problem = check(value[index], `${path}.${index}`);
      }
      return problem;
    };
  }

  /** What it prints by itself is its own business. */
  const canMend = (value: object): boolean => mends && !("toJSON" in value);

  /** Walks the fields that are there and not those that could be: a chunk seldom has half of its optional ones. */
  function checkFields(fields: Fields): Check {
    const rules = new Map<string, [typeOf: string, check: Check, optional: boolean, type: string]>();
    const required: string[] = [];
    for (const { name, optional, type } of parseFields(fields)) {
      // Whatever has this `typeof` needs no other check.
      rules.set(name, [types[type] ? "" : type, checkOf(type), optional, type]);
      if (!optional) required.push(name);
    }
    return (value, path) => {
      if (!isRecord(value)) return mismatch(value, path, "{}");
      let found = 0;
      for (const name in value) {
        if (name === "type") continue;
        const rule = rules.get(name);
        const inner = value[name];
        if (!rule || inner === undefined) continue;
        const problem = typeof inner === rule[0] ? undefined : rule[1](inner, `${path}.${name}`);
        if (!problem) {
          if (!rule[2]) found++;
        } else if (rule[2] && canMend(value) && isAbsent(inner)) {
          delete value[name];
        } else {
          return problem;
        }
      }
      if (found === required.length) return undefined;
      for (const name of required) {
        // What a prototype has is not there for JSON.
        if (Object.hasOwn(value, name) && value[name] !== undefined) continue;
        const [, check, , type] = rules.get(name)!;
        if (type !== "JSON" || !canMend(value)) return check(undefined, `${path}.${name}`);
        value[name] = null;
      }
      return undefined;
    };
  }

  const checkRows = (rows: Record<string, Row>) =>
    new Map<unknown, Check>(Object.entries(rows).map(([name, row]) => [name, checkRow(row)]));

  function checkRow(row: Row): Check {
    if (typeof row === "string") return checkFields(row);
    const checks = checkRows(row);
    return (value, path) => {
      const check = checks.get(value?.kind) ?? checks.get("*");
      return check ? check(value, path) : mismatch(value?.kind, `${path}.kind`, Object.keys(row).join("|"));
    };
  }

  const checks = checkRows(table);
  // Chunks come in runs of one type, and to find a text that JSON has just made takes longer than to compare it.
  let lastType: unknown;
  let check: Check | undefined;
  return (value, position) => {
    const type = (value as { type?: unknown } | null | undefined)?.type;
    if (type !== lastType) {
      check = checks.get(type);
      lastType = type;
    }
    if (check) {
      const problem = check(value, "");
      if (problem === undefined) return undefined;
      return `Chunk ${position === undefined ? `"${type}"` : `${position} ("${type}")`}: ${problem}.`;
    }
    return typeof type === "string" ? null : describeNoChunk(value, position);
  };
}

/** For what has no `type`. */
export function describeNoChunk(value: unknown, position: number | undefined): string {
  const subject = position === undefined ? "Not a chunk" : `Chunk ${position} is not a chunk`;
  return `${subject}: no string "type" in ${describe(value)}.`;
}
