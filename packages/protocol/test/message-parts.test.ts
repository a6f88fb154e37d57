import { describe, expect, test } from "vitest";
import { createTextPieces, joinTextParts } from "../src/answer-text.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

const said = (delta: string): StreamChunk => ({ type: "text-delta", delta });
const data = (value: unknown, fields: object = {}): StreamChunk => ({
  type: "data",
  name: "weather",
  data: value,
  ...fields,
});
const image = (url: string, id?: string): StreamChunk => ({ type: "file", mediaType: "image/png", url, id });
const step = (stepId: string, name?: string): StreamChunk => ({ type: "step-start", stepId, name });
const partsOf = (...chunks: StreamChunk[]) => reduceMessage(chunks).parts;

describe("data", () => {
  test("becomes a part, which a later chunk with the same name and id replaces in its place", () => {
    const rome = data(21, { id: "rome", node: "n" });
    expect(partsOf(data(1, { id: "rome" }), data(2, { id: "oslo" }), said("x"), rome)).toMatchObject([
      rome,
      data(2, { id: "oslo" }),
      { text: "x" },
    ]);
    expect(partsOf(data(1, { id: "" }), data(2, { id: "" }))).toEqual([data(2, { id: "" })]);
  });

  test("is another part with another name or without an id, whatever characters are in them", () => {
    const pairs = [
      ["a", "b:c"],
      ["a:b", "c"],
      ["1:a", "b"],
      ["a1", ":b"],
      ["x", "yz"],
      ["xy", "z"],
    ];
    expect(partsOf(...pairs.map(([name, id]) => data(1, { name, id })))).toHaveLength(pairs.length);
    expect(partsOf(data(1), data(1), data(1, { id: "1" }))).toHaveLength(3);
  });

  test("that is transient is no part, replaces none and splits no text", () => {
    const toast = data(2, { id: "1", transient: true });
    expect(partsOf(data(1, { id: "1" }), toast)).toEqual([data(1, { id: "1" })]);
    expect(partsOf(said("A"), toast, said("B"))).toMatchObject([{ text: "AB" }]);
  });

  test("splits a text without ending it, but not when it replaces earlier data", () => {
    const chunks = [said("A"), data(1, { id: "1" }), said("B"), data(2, { id: "1" }), said("C"), data(3)];
    const parts = partsOf(...chunks, said("D"));
    expect(parts).toMatchObject([
      { text: "A" },
      { data: 2 },
      { text: "BC", isContinuation: true },
      { data: 3 },
      { text: "D", isContinuation: true },
    ]);
    expect(joinTextParts(parts)).toBe("ABCD");
    expect([...chunks, said("D")].map(createTextPieces()).join("")).toBe("ABCD");
  });
});

test("a file with an id replaces the part of the same id, and one without an id none", () => {
  expect(partsOf(image("/1", "a"), said("x"), image("/2", "a"), image("/3"), image("/4"))).toMatchObject([
    image("/2", "a"),
    { text: "x" },
    image("/3"),
    image("/4"),
  ]);
});

describe("a step", () => {
  test("is a part that runs until its end, which reports how it went", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(step("1", "Plan"));
    expect(accumulator.message.parts).toEqual([
      { type: "step", stepId: "1", name: "Plan", state: "running" },
    ]);
    const end = { stepId: "1", finishReason: "tool-calls", usage: { inputTokens: 1 }, model: "m" };
    accumulator.apply({ type: "step-end", ...end });
    expect(accumulator.message.parts).toEqual([{ type: "step", name: "Plan", state: "done", ...end }]);
  });

  test("is done at the end of the stream, however that ends", () => {
    for (const end of [{ type: "done" }, { type: "abort", reason: "r" }, { type: "error", message: "m" }]) {
      expect(partsOf(step("1"), end as StreamChunk)).toMatchObject([{ state: "done" }]);
    }
  });

  test("ends a text without a key, here and in the pieces of the text; its end does not", () => {
    const end: StreamChunk = { type: "step-end", stepId: "1" };
    const chunks = [said("A"), step("1"), said("B"), end, said("C")];
    expect(partsOf(...chunks)).toMatchObject([{ text: "A" }, { type: "step" }, { text: "BC" }]);
    expect(chunks.map(createTextPieces()).join("")).toBe("A\n\nBC");
  });

  test("is another part with each start, and an end closes the newest that runs", () => {
    const end = (model: string): StreamChunk => ({ type: "step-end", stepId: "1", model });
    expect(partsOf(step("1"), step("1"), end("inner"), end("outer"), end("none"), step("1"))).toMatchObject([
      { model: "outer" },
      { model: "inner" },
      { state: "done" },
    ]);
    expect(partsOf(end("none"), { type: "step-end", stepId: "2" })).toEqual([]);
  });
});

test("replacing 8,000 data, files and steps costs about as much as eight times 1,000", () => {
  const ratio = costOfWhole(8000, (count) => {
    const ids = Array.from({ length: count }, (_, index) => `${index}`);
    const chunks = [1, 2].flatMap((value) =>
      ids.flatMap((id) => [
        data(value, { id }),
        image("/", id),
        step(id),
        { type: "step-end", stepId: id } as const,
      ]),
    );
    return cost(() => reduceMessage(chunks));
  });
  expect(ratio).toBeLessThan(3);
});
