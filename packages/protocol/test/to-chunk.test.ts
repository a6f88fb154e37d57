import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkSchemas, type JSONSchema, membersOf } from "../generate-chunk-table.ts";
import { checkChunk } from "../src/check-chunk.ts";
import { createChunkDecoder } from "../src/chunk-decoder.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { DONE_FRAME, encodeChunkJson, printChunk, stringifyChunk } from "../src/encode-chunk.ts";
import { streamChunkSchema } from "../src/schemas.ts";
import { toChunk } from "../src/to-chunk.ts";
import { anyJSON, chunkOf, variants } from "./chunk-arbitraries.ts";
import { bytesOf } from "./pieces.ts";
import { pull } from "./pull.ts";

const absents = [null, undefined, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const hasConstantsOf = (value: Fields, { properties = {} }: JSONSchema): boolean =>
  Object.entries(properties).every(([name, field]) => {
    const { const: constant, enum: choices = [constant] } = field as JSONSchema;
    return choices[0] === undefined || choices.includes(value[name] as string);
  });

/** Every object within a chunk, with the names of its optional fields that do not accept `null`. */
function* optionalFields(value: unknown, schema: JSONSchema): Generator<[object: Fields, names: string[]]> {
  if (Array.isArray(value) && schema.items) {
    for (const item of value) yield* optionalFields(item, schema.items as JSONSchema);
  }
  if (!isFields(value)) return;
  const shape = membersOf(schema).find((member) => hasConstantsOf(value, member));
  const names = Object.keys(shape?.properties ?? {});
  const required = shape?.required ?? [];
  const takesNull = (name: string) => Object.keys(shape?.properties?.[name] as JSONSchema).length === 0;
  yield [value, names.filter((name) => !required.includes(name) && !takesNull(name))];
  for (const name of names) yield* optionalFields(value[name], shape?.properties?.[name] as JSONSchema);
}

const anyShape: JSONSchema = { oneOf: chunkSchemas() };

/** A chunk of any shape with absent values in some optional fields, and the same chunk without these fields. */
const anySpelled = fc.constantFrom(...variants).chain((variant) =>
  fc.tuple(chunkOf(variant), fc.infiniteStream(fc.nat(10))).map(([original, choices]) => {
    const spelled = structuredClone(original) as unknown as Fields;
    const expected = structuredClone(original) as unknown as Fields;
    const places = [...optionalFields(spelled, anyShape)];
    for (const [index, [object]] of [...optionalFields(expected, anyShape)].entries()) {
      const [spelledObject, fields] = places[index]!;
      for (const name of fields) {
        const choice = choices.next().value;
        if (choice >= absents.length) continue;
        spelledObject[name] = absents[choice];
        delete object[name];
      }
    }
    return { spelled, expected };
  }),
);

test("drops absent values from optional fields, at every depth, for every shape of chunk", () => {
  fc.assert(
    fc.property(anySpelled, ({ spelled, expected }) => {
      const before = structuredClone(spelled);
      const chunk = toChunk(spelled);
      // JSON drops the fields that are undefined, which stay where nothing else was mended.
      expect(JSON.parse(JSON.stringify(chunk))).toEqual(expected);
      expect(checkChunk(chunk)).toBeUndefined();
      expect(streamChunkSchema.safeParse(chunk).success).toBe(true);
      expect(spelled).toEqual(before);
      expect(JSON.parse(stringifyChunk(spelled))).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});

test("the reader treats null as the writer does, whatever encoder printed the chunk", () => {
  fc.assert(
    fc.property(anySpelled, ({ spelled, expected }) => {
      const frame = encodeChunkJson(JSON.stringify(spelled)) + DONE_FRAME;
      expect([...pull(createChunkDecoder(), [bytesOf(frame)])]).toEqual([expected]);
    }),
    { numRuns: 500 },
  );
});

test("returns a valid chunk itself, even one of an unknown type", () => {
  for (const variant of variants) {
    for (const chunk of fc.sample(chunkOf(variant), { numRuns: 3, seed: 2 }))
      expect(toChunk(chunk)).toBe(chunk);
  }
  const unknown = { type: "x-cost", cents: null, share: Number.NaN };
  expect(toChunk(unknown)).toBe(unknown);
});

test("leaves unknown fields and the inside of JSON values unchanged", () => {
  fc.assert(
    fc.property(anyJSON, (value) => {
      const chunk = {
        type: "tool-call-result",
        tool: "t",
        toolCallId: "1",
        content: { value, none: null, not: Number.NaN },
        structuredContent: null,
        "x-own": { value, none: null },
        node: null,
      };
      const { node, ...expected } = chunk;
      expect(toChunk(chunk)).toEqual(expected);
      const interrupt = {
        type: "interrupt",
        requestId: "r",
        resumeToken: "t",
        input: { kind: "text", multiple: false, meta: { value, none: null }, id: null, "x-own": null },
        meta: { none: null },
      };
      const { id, ...input } = interrupt.input;
      expect(toChunk(interrupt)).toEqual({ ...interrupt, input });
    }),
    { numRuns: 100 },
  );
});

describe("a field that accepts any JSON value becomes null if it is undefined or missing", () => {
  const call = { tool: "save", toolCallId: "1" };
  const object = { type: "structured-data", streamId: "s", dataType: "d" };
  const cases: [Fields, Fields][] = [
    [{ type: "tool-call-result", ...call, content: undefined }, { content: null }],
    [{ type: "tool-call-result", ...call }, { content: null }],
    [{ type: "tool-call-ready", ...call, input: undefined }, { input: null }],
    [{ type: "tool-result", content: undefined }, { content: null }],
    [{ ...object, kind: "set", path: "a", value: undefined }, { value: null }],
    [{ ...object, kind: "append", path: "a", items: [1, undefined, null] }, { items: [1, null, null] }],
    [{ ...object, kind: "final", data: undefined }, { data: null }],
  ];
  for (const [value, expected] of cases) {
    test(`${value.type} ${value.kind ?? ""}`, () => {
      const frozen = Object.freeze({ ...value });
      expect(toChunk(frozen)).toEqual({ ...value, ...expected });
      expect(JSON.parse(printChunk(frozen).json)).toEqual({ ...value, ...expected });
    });
  }

  test("unless it is optional", () => {
    const start = { type: "tool-call-start", ...call, input: undefined, node: null };
    expect(printChunk(start).json).toBe('{"type":"tool-call-start","tool":"save","toolCallId":"1"}');
  });
});

describe("an invalid field is refused by name", () => {
  const option = { id: "a", label: "A" };
  const question = { kind: "choice", multiple: false, question: "q", options: [option] };
  const ask = (input: unknown) => ({ type: "interrupt", requestId: "r", resumeToken: "t", input });
  const cases: [unknown, string][] = [
    [
      { type: "text-delta", delta: null, node: null },
      'Chunk 3 ("text-delta"): delta must be a string; got null.',
    ],
    [{ type: "text-delta" }, 'Chunk 3 ("text-delta"): delta must be a string; got undefined.'],
    [{ type: "message", content: null }, 'Chunk 3 ("message"): content must be a string; got null.'],
    [
      { type: "text-delta", delta: "a", node: 7 },
      'Chunk 3 ("text-delta"): node must be a string; got a number.',
    ],
    [
      { type: "done", usage: { inputTokens: "7" } },
      'Chunk 3 ("done"): usage.inputTokens must be a finite number; got a string.',
    ],
    [
      { type: "checkpoint", id: "a", sessionId: "b", turnIndex: Number.NaN },
      'Chunk 3 ("checkpoint"): turnIndex must be a whole number, 0 or more; got NaN.',
    ],
    [
      { type: "tool-call-result", tool: "t", toolCallId: "1", content: () => {} },
      'Chunk 3 ("tool-call-result"): content must be a JSON value; got a function.',
    ],
    [ask(null), 'Chunk 3 ("interrupt"): input must be an object; got null.'],
    [ask({ kind: null }), 'Chunk 3 ("interrupt"): input.kind must be a string; got null.'],
    [
      ask({ ...question, question: null }),
      'Chunk 3 ("interrupt"): input.question must be a string; got null.',
    ],
    [ask({ ...question, options: null }), 'Chunk 3 ("interrupt"): input.options must be an array; got null.'],
    [
      ask({ ...question, options: [option, { ...option, label: null, description: null }] }),
      'Chunk 3 ("interrupt"): input.options.1.label must be a string; got null.',
    ],
    [
      { type: "structured-data", kind: "constructor" },
      'Chunk 3 ("structured-data"): kind must be one of "set", "append", "text-delta", "final"; got a string.',
    ],
    [undefined, "Chunk 3 must be an object; got undefined."],
    [{ delta: "a" }, "Chunk 3: type must be a string; got undefined."],
    [{ type: "done", data: 1n }, "Chunk 3 cannot be written as JSON: Do not know how to serialize a BigInt"],
  ];
  for (const [value, message] of cases) {
    test(message, () => expect(() => printChunk(value, 3)).toThrow(message));
  }

  test("without a chunk number if the position is not known", () => {
    expect(() => toChunk({ type: "text-delta" })).toThrow(
      'Chunk "text-delta": delta must be a string; got undefined.',
    );
    expect(() => stringifyChunk(7)).toThrow("Chunk must be an object; got a number.");
    expect(() => stringifyChunk({ type: "done", data: 1n })).toThrow("The chunk cannot be written as JSON");
  });

  test("without quoting its value", () => {
    expect(() => toChunk({ type: "error", message: ["sk-secret"] }, 3)).not.toThrow(/secret/);
  });
});

test("does not mend a chunk with toJSON(), because its output is not known", () => {
  const own = { type: "done", finishReason: null, toJSON: () => ({ type: "done" }) };
  expect(() => toChunk(own)).toThrow('Chunk "done": finishReason must be a string; got null.');
  class Done {
    type = "done";
    finishReason = null;
    toJSON() {
      return { type: this.type };
    }
  }
  const made = new Done();
  expect(() => toChunk(made)).toThrow('Chunk "done": finishReason must be a string; got null.');
  expect(made).toHaveProperty("finishReason", null);
  const nested = { type: "done", usage: { inputTokens: null }, toJSON: () => ({ type: "done" }) };
  expect(() => toChunk(nested)).toThrow("usage.inputTokens must be a finite number; got null.");
  expect(nested.usage).toEqual({ inputTokens: null });
});

test("mends the chunk around a question of an unknown kind, but not the question itself", () => {
  const input = { kind: "toString", id: null, scale: null };
  const ask = { type: "interrupt", requestId: "r", resumeToken: "t", input, workflow: null };
  const { workflow, ...expected } = ask;
  expect(toChunk(ask)).toEqual(expected);
});

test("printChunk returns the mended chunk along with its JSON", () => {
  const value = { type: "done", finishReason: null } as unknown as StreamChunk;
  expect(printChunk(value)).toEqual({ chunk: { type: "done" }, json: '{"type":"done"}' });
  const delta = { type: "text-delta", delta: "a" };
  expect(printChunk(delta).chunk).toBe(delta);
});
