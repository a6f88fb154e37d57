import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStreamChunk } from "../src/check-chunk.ts";
import { printDelta } from "../src/plain-delta.ts";
import { anyEscapedText } from "./chunk-arbitraries.ts";

const anyValue = fc.oneof(
  { weight: 6, arbitrary: anyEscapedText },
  fc.constantFrom("text-delta", "reasoning-delta", undefined, null, 1, true, {}),
);

/** Objects that are plain deltas, or nearly. */
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

describe("printDelta", () => {
  test("says what JSON.stringify says of a valid chunk, or nothing", () => {
    let printed = 0;
    fc.assert(
      fc.property(nearlyDelta, (chunk) => {
        const json = printDelta(chunk);
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
      "a toJSON() that cannot be seen",
      Object.defineProperty({ type: "text-delta", delta: "a" }, "toJSON", { value: () => 1 }),
    ],
    ["a property behind the three", { type: "text-delta", delta: "a", segmentId: "s", node: "n" }],
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
    ["a line break of Unicode", { type: "text-delta", delta: "a\u2028" }],
    ["a segment with one", { type: "text-delta", delta: "a", segmentId: "\u0085" }],
    ["null", null],
    ["a text", "text-delta"],
  ])("leaves %s to JSON", (_, chunk) => {
    expect(printDelta(chunk)).toBeUndefined();
  });

  test("properties that cannot be seen, or are another's, are JSON's business", () => {
    const hidden = { enumerable: false, value: "x" };
    expect(
      printDelta(Object.defineProperties({ type: "text-delta" }, { delta: hidden, segmentId: hidden })),
    ).toBeUndefined();
    Object.defineProperty(Object.prototype, "segmentId", {
      value: "x",
      writable: true,
      enumerable: true,
      configurable: true,
    });
    try {
      expect(printDelta({ type: "text-delta", delta: "a" })).toBeUndefined();
    } finally {
      delete (Object.prototype as { segmentId?: string }).segmentId;
    }
  });

  test.each([
    [{ type: "text-delta", delta: "語 é /\u007f\u0084\u0086\u2027\u202a" }],
    [{ type: "reasoning-delta", delta: "" }],
    [{ type: "text-delta", delta: "a", segmentId: "s" }],
  ])("prints %j itself", (chunk) => {
    expect(printDelta(chunk)).toBe(JSON.stringify(chunk));
  });
});
