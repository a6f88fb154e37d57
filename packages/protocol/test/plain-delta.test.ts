import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStreamChunk } from "../src/check-chunk.ts";
import { parsePlainDelta } from "../src/plain-delta.ts";
import { anyEscapedText } from "./chunk-arbitraries.ts";

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
    expect(JSON.stringify(parsePlainDelta(json))).toBe(json);
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
