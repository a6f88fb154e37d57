import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkChunk, isStreamChunk } from "../src/check-chunk.ts";
import { streamChunkSchema } from "../src/schemas.ts";
import { anyChunk, anyJSON, chunkOf, variants } from "./chunk-arbitraries.ts";

const zodAccepts = (value: unknown): boolean => streamChunkSchema.safeParse(value).success;

/** A value of every kind that JSON and JavaScript have, to replace a valid one. */
const replacements: unknown[] = [
  null,
  undefined,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  "",
  "set",
  [],
  [null],
  ["x"],
  [{}],
  {},
  { kind: "text" },
  { kind: "text", multiple: true },
  { kind: "choice", multiple: true, question: "q", options: [{ id: "a" }] },
  { kind: "x" },
  { inputTokens: "1" },
  { inputTokens: 1 },
  { outputTokens: null },
  { totalTokens: [] },
  new Date(0),
  new Map(),
  new (class Instance {})(),
  Object.create(null),
  1n,
  Symbol("s"),
  () => {},
];

/** Every variant of `value` in which one field, at any depth, is deleted or replaced. */
function* mutants(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    const copy = () => (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    const deleted = copy();
    delete deleted[key];
    yield deleted;
    for (const replacement of replacements) yield Object.assign(copy(), { [key]: replacement });
    for (const inner of mutants((value as Record<string, unknown>)[key]))
      yield Object.assign(copy(), { [key]: inner });
  }
}

/** One chunk of each shape with every field present, so that every field is mutated. */
const fullChunks = variants.flatMap((variant) =>
  fc.sample(chunkOf({ ...variant, required: { ...variant.required, ...variant.optional }, optional: {} }), {
    numRuns: variant.literals.type === "interrupt" ? 12 : 2,
    seed: 7,
  }),
);

test("agrees with the zod schemas when any field is deleted, retyped or nulled", () => {
  for (const value of fullChunks.flatMap((chunk) => [chunk, ...mutants(chunk)])) {
    if (isStreamChunk(value) !== zodAccepts(value)) expect.fail(`disagree about ${describeValue(value)}`);
  }
});

const describeValue = (value: unknown): string =>
  JSON.stringify(value, (_, inner) =>
    typeof inner === "bigint" || typeof inner === "symbol" ? String(inner) : inner,
  );

test("agrees with the zod schemas on random input", () => {
  const anyMutant = anyChunk.chain((chunk) => {
    const all = [...mutants(chunk)];
    return fc.nat(all.length - 1).map((index) => all[index]);
  });
  const anyType = fc.record({
    type: fc.constantFrom(...variants.map(({ literals }) => literals.type)),
    kind: anyJSON,
  });
  const input = fc.oneof(
    { weight: 5, arbitrary: anyChunk },
    { weight: 3, arbitrary: anyMutant },
    anyJSON,
    anyType,
  );
  fc.assert(
    fc.property(input, (value) => {
      expect(isStreamChunk(value)).toBe(zodAccepts(value));
    }),
    { numRuns: 3000 },
  );
});

test("refuses a token count that JSON.parse reads as Infinity", () => {
  const parsed = JSON.parse('{"type":"done","usage":{"inputTokens":1e999}}');
  expect(checkChunk(parsed)?.message).toBe(
    'Chunk "done": usage.inputTokens must be a finite number; got Infinity.',
  );
});

test("accepts an interrupt of an unknown kind, whatever the other fields of its question", () => {
  for (const input of [
    { kind: "date" },
    { kind: "*", multiple: "yes", options: 1 },
    { kind: "toString", question: null },
    { kind: "", deep: { kind: 1 } },
  ]) {
    const chunk = { type: "interrupt", requestId: "r", resumeToken: "t", input };
    expect(checkChunk(chunk)).toBeUndefined();
    expect(streamChunkSchema.parse(chunk)).toEqual(chunk);
  }
});

describe("the message of a refusal", () => {
  const cases: [unknown, string, string][] = [
    [undefined, "invalid-chunk", "Chunk must be an object; got undefined."],
    ["text", "invalid-chunk", "Chunk must be an object; got a string."],
    [[], "invalid-chunk", "Chunk must be an object; got an array."],
    [{}, "invalid-chunk", "Chunk: type must be a string; got undefined."],
    [{ type: 7 }, "invalid-chunk", "Chunk: type must be a string; got a number."],
    [
      { type: "interrupt", requestId: "r", resumeToken: "t", input: null },
      "invalid-chunk",
      'Chunk "interrupt": input must be an object; got null.',
    ],
    [
      { type: "interrupt", requestId: "r", resumeToken: "t", input: { kind: 1 } },
      "invalid-chunk",
      'Chunk "interrupt": input.kind must be a string; got a number.',
    ],
    [
      { type: "structured-data", streamId: "s", dataType: "d", kind: "append", path: "p", items: {} },
      "invalid-chunk",
      'Chunk "structured-data": items must be an array; got an object.',
    ],
    [{ type: "done", usage: [] }, "invalid-chunk", 'Chunk "done": usage must be an object; got an array.'],
    [{ type: "x-weather" }, "unknown-type", 'Chunk type "x-weather" is unknown.'],
    [{ type: 'a"\n' }, "unknown-type", 'Chunk type "a\\"\\n" is unknown.'],
    [{ type: "x".repeat(1000) }, "unknown-type", `Chunk type "${"x".repeat(80)}" is unknown.`],
    [{ type: "toString" }, "unknown-type", 'Chunk type "toString" is unknown.'],
    [{ type: "text-delta" }, "invalid-chunk", 'Chunk "text-delta": delta must be a string; got undefined.'],
    [
      { type: "text-delta", delta: "a", node: null },
      "invalid-chunk",
      'Chunk "text-delta": node must be a string; got null.',
    ],
    [
      { type: "checkpoint", id: "a", sessionId: "b", turnIndex: -1 },
      "invalid-chunk",
      'Chunk "checkpoint": turnIndex must be a whole number, 0 or more; got a negative number.',
    ],
    [
      { type: "checkpoint", id: "a", sessionId: "b", turnIndex: 0.5 },
      "invalid-chunk",
      'Chunk "checkpoint": turnIndex must be a whole number, 0 or more; got a fraction.',
    ],
    [
      { type: "tool-call-result", tool: "t", toolCallId: "1", content: "c", isError: Promise.resolve() },
      "invalid-chunk",
      'Chunk "tool-call-result": isError must be a boolean; got a promise.',
    ],
    [
      { type: "interrupt", requestId: "r", resumeToken: "t", input: { kind: "date" }, meta: new Date(0) },
      "invalid-chunk",
      'Chunk "interrupt": meta must be a plain object; got an object.',
    ],
    [
      { type: "structured-data", streamId: "s", dataType: "d", kind: "patch" },
      "invalid-chunk",
      'Chunk "structured-data": kind must be one of "set", "append", "text-delta", "final"; got a string.',
    ],
    [
      {
        type: "interrupt",
        requestId: "r",
        resumeToken: "t",
        input: {
          kind: "choice",
          multiple: false,
          question: "q",
          options: [{ id: "a", label: "A" }, { id: "b" }],
        },
      },
      "invalid-chunk",
      'Chunk "interrupt": input.options.1.label must be a string; got undefined.',
    ],
    [
      { type: "done", usage: { inputTokens: "7" } },
      "invalid-chunk",
      'Chunk "done": usage.inputTokens must be a finite number; got a string.',
    ],
  ];
  for (const [value, code, message] of cases) {
    test(message, () => expect(checkChunk(value)).toEqual({ code, message }));
  }

  test("never quotes a value", () => {
    expect(checkChunk({ type: "error", message: ["sk-secret"] })?.message).not.toContain("sk-secret");
  });
});

test("refuses fields that JSON would not write: inherited ones, functions, symbols and named properties of an array", () => {
  class Delta {
    type = "text-delta";
    get delta() {
      return "x";
    }
  }
  class Done {
    get type() {
      return "done";
    }
  }
  const append = { type: "structured-data", streamId: "s", dataType: "d", kind: "append", path: "p" };
  expect(checkChunk({ ...append, items: [1, undefined] })?.message).toContain("items.1 must be a JSON value");
  expect(checkChunk(Object.assign(() => {}, { type: "done" }))?.code).toBe("invalid-chunk");
  const result = { type: "tool-result", content: () => "x" };
  for (const value of [
    new Delta(),
    new Done(),
    Object.create({ type: "done" }),
    result,
    { ...result, content: Symbol("x") },
    Object.assign([], { type: "done" }),
  ]) {
    expect(checkChunk(value)?.code).toBe("invalid-chunk");
  }
});

test("an undefined property counts as absent, as in JSON", () => {
  expect(isStreamChunk({ type: "text-delta", delta: "a", node: undefined })).toBe(true);
  expect(isStreamChunk({ type: "text-delta", delta: undefined })).toBe(false);
});
