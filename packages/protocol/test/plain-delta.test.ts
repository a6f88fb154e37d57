import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStreamChunk } from "../src/check-chunk.ts";
import { parsePlainDelta, printPlainDelta } from "../src/plain-delta.ts";
import { anyEscapedText } from "./chunk-arbitraries.ts";

const anyValue = fc.oneof(
  { weight: 6, arbitrary: anyEscapedText },
  fc.constantFrom("text-delta", "reasoning-delta", undefined, null, 1, true, {}),
);

/** Objects that are plain deltas, or almost. */
const nearlyDelta = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(["type", "delta"], ["type", "delta", "segmentId"]),
      fc.shuffledSubarray(["type", "delta", "segmentId", "node", "语", "toJSON"], { minLength: 1 }),
    ),
    fc.constantFrom("text-delta", "reasoning-delta", "text-end", 1),
    fc.array(anyValue, { minLength: 6, maxLength: 6 }),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<object | null>(Object.prototype) },
      fc.constantFrom(null, Array.prototype, { segmentId: "inherited" }),
    ),
  )
  .map(([names, type, values, prototype]) => {
    const chunk = Object.create(prototype);
    names.forEach((name, index) => {
      chunk[name] = name === "type" ? type : values[index];
    });
    return chunk;
  });

describe("printPlainDelta", () => {
  test("prints a valid chunk as JSON.stringify does, or returns nothing", () => {
    let printed = 0;
    fc.assert(
      fc.property(nearlyDelta, (chunk) => {
        const json = printPlainDelta(chunk);
        if (json === undefined) return;
        printed++;
        expect(json).toBe(JSON.stringify(chunk));
        expect(isStreamChunk(chunk)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(printed).toBeGreaterThan(300);
  });

  test.each([
    [
      "a toJSON() that is not enumerable",
      Object.defineProperty({ type: "text-delta", delta: "a" }, "toJSON", { value: () => 1 }),
    ],
    ["a property after the three", { type: "text-delta", delta: "a", segmentId: "s", node: "n" }],
    ["another order", { delta: "a", type: "text-delta" }],
    [
      "a class",
      new (class {
        type = "text-delta";
        delta = "a";
      })(),
    ],
    ["an array", Object.assign([], { type: "text-delta", delta: "a" })],
    ["a boxed number", Object.assign(new Number(5), { type: "text-delta", delta: "a" })],
    ["a segment that is undefined", { type: "text-delta", delta: "a", segmentId: undefined }],
    ["a Unicode line break", { type: "text-delta", delta: "a\u2028" }],
    ["a segment with a Unicode line break", { type: "text-delta", delta: "a", segmentId: "\u0085" }],
    ["null", null],
    ["a string", "text-delta"],
  ])("leaves %s to JSON", (_, chunk) => {
    expect(printPlainDelta(chunk)).toBeUndefined();
  });

  test("leaves inherited properties and those that are not enumerable to JSON", () => {
    const hidden = { enumerable: false, value: "x" };
    expect(
      printPlainDelta(Object.defineProperties({ type: "text-delta" }, { delta: hidden, segmentId: hidden })),
    ).toBeUndefined();
    Object.defineProperty(Object.prototype, "segmentId", {
      value: "x",
      writable: true,
      enumerable: true,
      configurable: true,
    });
    try {
      expect(printPlainDelta({ type: "text-delta", delta: "a" })).toBeUndefined();
    } finally {
      delete (Object.prototype as { segmentId?: string }).segmentId;
    }
  });

  test.each([
    [{ type: "text-delta", delta: "語 é /\u007f\u0084\u0086\u2027\u202a" }],
    [{ type: "reasoning-delta", delta: "" }],
    [{ type: "text-delta", delta: "a", segmentId: "s" }],
  ])("prints %j itself", (chunk) => {
    expect(printPlainDelta(chunk)).toBe(JSON.stringify(chunk));
  });
});

/** The JSON of a delta, or almost: texts may be raw instead of escaped, and characters removed or inserted. */
const nearlyJson = fc
  .tuple(
    fc.constantFrom("text", "reasoning", "text-delta", "x"),
    fc.tuple(anyEscapedText, fc.boolean()),
    fc.option(fc.tuple(anyEscapedText, fc.boolean())),
    fc.option(
      fc.tuple(fc.nat(60), fc.nat(2), fc.constantFrom("", " ", '"', "\\", "}", ",", "\u0001", "\u2028")),
    ),
  )
  .map(([type, text, segment, change]) => {
    const quote = ([content, isRaw]: [string, boolean]) => (isRaw ? `"${content}"` : JSON.stringify(content));
    const json = `{"type":"${type}-delta","delta":${quote(text)}${segment ? `,"segmentId":${quote(segment)}` : ""}}`;
    if (change === null) return json;
    const [place, without, put] = change;
    return json.slice(0, place) + put + json.slice(place + without);
  });

describe("parsePlainDelta", () => {
  test("returns a valid chunk, with the same fields in the same order as from JSON.parse, or nothing", () => {
    let parsed = 0;
    fc.assert(
      fc.property(nearlyJson, (json) => {
        const chunk = parsePlainDelta(json);
        if (chunk === undefined) return;
        parsed++;
        expect(JSON.stringify(chunk)).toBe(JSON.stringify(JSON.parse(json)));
        expect(isStreamChunk(chunk)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(parsed).toBeGreaterThan(300);
  });

  test.each([
    '{"type":"text-delta","delta":""}',
    '{"type":"reasoning-delta","delta":"語 é"}',
    '{"type":"text-delta","delta":"a","segmentId":"s"}',
  ])("reads %s itself", (json) => {
    expect(printPlainDelta(parsePlainDelta(json))).toBe(json);
  });

  test.each([
    '{"type":"text-delta","delta":"}',
    '{"type":"text-delta","delta":"a","segmentId":"}',
    '{"type":"text-delta","delta":"a","segmentId":"s","segmentId":"t"}',
    '{"type":"text-delta","delta":"a","node":"n"}',
    '{"type":"text-delta","delta":"\\n"}',
    '{"type":"text-delta","delta":"a"} ',
    '{"type":"text-delta","delta":"a\u2028"}',
  ])("leaves %s to JSON", (json) => {
    expect(parsePlainDelta(json)).toBeUndefined();
  });
});
