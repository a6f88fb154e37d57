import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StreamChunk, StreamChunkType } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { reduceStreamError } from "../src/stream-outcome.ts";
import { anyChunk, chunkOf, variants } from "./chunk-arbitraries.ts";

const error = { type: "error", message: "Quota exceeded." } as const;
const done: StreamChunk = { type: "done" };
const outcomeOf = (...chunks: unknown[]) => (chunks as StreamChunk[]).reduce(reduceStreamError, undefined);

/** Types, known and unknown, that do not count between an error and a done. */
const neutralTypes = [
  "text-end",
  "reasoning-end",
  "step-end",
  "interrupt-resolved",
  "status",
  "trace",
  "checkpoint",
  "metadata",
  "part-metadata",
  "x-cost",
];

test("an error at the end of a stream is its outcome, and so is one before a done without a reason", () => {
  expect(outcomeOf(error)).toBe(error);
  expect(outcomeOf({ type: "text-delta", delta: "Half" }, error, done)).toBe(error);
  expect(outcomeOf(error, { type: "done", usage: { outputTokens: 3 }, data: {} })).toBe(error);
  expect(outcomeOf(error, { type: "done", finishReason: null })).toBe(error);
  expect(outcomeOf({ type: "error", message: "first" }, error, done)).toBe(error);
});

test("a done with a reason, or an abort, turns an earlier error into a warning", () => {
  expect(outcomeOf(error, { type: "done", finishReason: "stop" })).toBeUndefined();
  expect(outcomeOf(error, { type: "done", finishReason: "" })).toBeUndefined();
  expect(outcomeOf(error, { type: "abort", reason: "stopped" })).toBeUndefined();
});

test("a stream without an error has no error outcome", () => {
  expect(outcomeOf(done)).toBeUndefined();
  expect(outcomeOf({ type: "status", message: "m" }, { type: "text-end" })).toBeUndefined();
});

describe("between the error and the done", () => {
  for (const type of neutralTypes) {
    test(`${type} does not count`, () => {
      expect(outcomeOf(error, { type }, { type }, done)).toBe(error);
      expect(outcomeOf(error, { type })).toBe(error);
    });
  }

  const types = [...new Set(variants.map(({ literals }) => literals.type as StreamChunkType))];
  for (const type of types.filter((known) => !["error", "done", ...neutralTypes].includes(known))) {
    test(`${type} turns the error into a warning`, () => {
      const [variant] = variants.filter(({ literals }) => literals.type === type);
      for (const chunk of fc.sample(chunkOf(variant!), { numRuns: 3, seed: 1 })) {
        expect(outcomeOf(error, chunk, done)).toBeUndefined();
        expect(outcomeOf(error, { type: "text-end" }, chunk, { type: "status" }, done)).toBeUndefined();
      }
    });
  }
});

describe("a message", () => {
  test("that ends with an error and a done has failed, and keeps the error and the usage", () => {
    const usage = { outputTokens: 3 };
    const status: StreamChunk = { type: "status", message: "Giving up" };
    const chunks: StreamChunk[] = [
      { type: "text-delta", delta: "Half" },
      error,
      { type: "text-end" },
      status,
    ];
    expect(reduceMessage([...chunks, { type: "done", usage }])).toEqual({
      parts: [{ type: "text", key: "", text: "Half", state: "done" }],
      status: "error",
      error,
      usage,
    });
  });

  test("stays the same object while the chunks after the error do not count", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(error);
    const { message } = accumulator;
    accumulator.apply({ type: "status", message: "m" });
    expect(accumulator.message).toBe(message);
  });

  test("that survived an error has no error", () => {
    const survived = reduceMessage([error, { type: "text-delta", delta: "a" }, done]);
    expect(survived).toMatchObject({ status: "done", error: undefined });
    expect(reduceMessage([error, { type: "done", finishReason: "stop" }])).toMatchObject({
      status: "done",
      error: undefined,
    });
    expect(reduceMessage([error, { type: "abort", reason: "stopped" }])).toMatchObject({
      status: "aborted",
      error: undefined,
    });
  });

  test("has failed exactly when its stream has, for any stream", () => {
    const anyError = fc.constant<StreamChunk>(error);
    const between = fc.constantFrom<StreamChunk>(
      done,
      { type: "text-end" },
      { type: "status", message: "m" },
    );
    const chunks = fc.array(fc.oneof(anyError, between, anyChunk), { maxLength: 8 });
    fc.assert(
      fc.property(chunks, (given) => {
        const end = given.findIndex(({ type }) => type === "done" || type === "abort");
        const read = end === -1 ? given : given.slice(0, end + 1);
        const accumulator = createMessageAccumulator();
        for (const chunk of given) {
          try {
            accumulator.apply(chunk);
          } catch {
            // An object cannot be built: a real stream would continue, but this case is skipped.
            return;
          }
        }
        accumulator.finish();
        const expected = outcomeOf(...read);
        expect(accumulator.message.error).toBe(expected);
        expect(accumulator.message.status === "error").toBe(expected !== undefined);
      }),
      { numRuns: 500 },
    );
  });
});
