import { describe, expect, test } from "vitest";
import { createTextPieces, joinTextParts } from "../src/answer-text.ts";
import type { TextPart } from "../src/assistant-message.ts";
import type { Citation, ProviderMetadata, StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

type TextType = "text" | "reasoning";
const chunk = (type: `${TextType}-${"start" | "delta" | "end"}`, fields: object = {}): StreamChunk =>
  ({ type, ...(type.endsWith("-delta") && { delta: "x" }), ...fields }) as StreamChunk;
const withData = (providerMetadata: ProviderMetadata) => ({ providerMetadata });
const cite = (...ids: string[]): { citations: Citation[] } => ({
  citations: ids.map((sourceId) => ({ sourceId })),
});
const file: StreamChunk = { type: "file", mediaType: "image/png", url: "/a.png" };
const call: StreamChunk = { type: "tool-call-start", tool: "t", toolCallId: "1" };

/** The texts of the message, each with what was added to it. */
const detailsOf = (...chunks: StreamChunk[]) =>
  reduceMessage(chunks)
    .parts.filter((part): part is TextPart => part.type === "text" || part.type === "reasoning")
    .map(({ text, citations, providerMetadata }) => [
      text,
      citations?.map(({ sourceId }) => sourceId) ?? providerMetadata,
    ]);

describe("citations", () => {
  test("of the end of a text are part of it, whole", () => {
    const citation = { sourceId: "s", start: 0, end: 1, quote: "q" };
    expect(reduceMessage([chunk("text-delta"), chunk("text-end", { citations: [citation] })]).parts).toEqual([
      { type: "text", key: "", text: "x", state: "done", citations: [citation] },
    ]);
  });

  test("of several ends are joined, also after the text has ended", () => {
    expect(
      detailsOf(
        chunk("text-delta", { segmentId: "a" }),
        chunk("text-delta", { segmentId: "b" }),
        chunk("text-end", { segmentId: "a", ...cite("1", "2") }),
        chunk("text-end", { segmentId: "b", ...cite("3") }),
        chunk("text-end", { segmentId: "a", ...cite("4") }),
      ),
    ).toEqual([
      ["x", ["1", "2", "4"]],
      ["x", ["3"]],
    ]);
    expect(detailsOf(chunk("text-delta"), call, chunk("text-end", cite("1")))).toEqual([["x", ["1"]]]);
  });

  test("belong to the latest text of their key, and to the last part of a text that was split", () => {
    expect(
      detailsOf(chunk("text-delta"), chunk("text-end"), chunk("text-delta"), chunk("text-end", cite("1"))),
    ).toEqual([
      ["x", undefined],
      ["x", ["1"]],
    ]);
    expect(detailsOf(chunk("text-delta"), file, chunk("text-delta"), chunk("text-end", cite("1")))).toEqual([
      ["x", undefined],
      ["x", ["1"]],
    ]);
    expect(detailsOf(chunk("text-delta"), file, chunk("text-end", cite("1")))).toEqual([["x", ["1"]]]);
  });

  test("of an unknown or an empty text are ignored", () => {
    expect(detailsOf(chunk("text-end", cite("1")))).toEqual([]);
    expect(detailsOf(chunk("text-start"), chunk("text-end", cite("1")))).toEqual([]);
    expect(detailsOf(chunk("reasoning-delta"), chunk("text-end", cite("1")))).toEqual([["x", undefined]]);
  });
});

describe("what a provider wants back", () => {
  test("is merged from the start, the deltas and the end: by provider, and key by key", () => {
    for (const type of ["text", "reasoning"] as const) {
      expect(
        detailsOf(
          chunk(`${type}-start`, withData({ a: { one: 1, two: 2 }, b: "text" })),
          chunk(`${type}-delta`, withData({ a: { two: [2] } })),
          chunk(`${type}-end`, withData({ b: { three: 3 }, c: null })),
        ),
      ).toEqual([["x", { a: { one: 1, two: [2] }, b: { three: 3 }, c: null }]]);
    }
  });

  test("replaces an object of a provider by anything else", () => {
    const first = chunk("text-delta", withData({ a: { one: 1 }, constructor: { x: 1 } }));
    expect(detailsOf(first, chunk("text-end", withData({ a: "text" })))).toEqual([
      ["x", { a: "text", constructor: { x: 1 } }],
    ]);
  });

  test("may come with an empty delta, which then begins a text if none is open", () => {
    const empty = { delta: "", ...withData({ a: 1 }) };
    expect(detailsOf(chunk("text-delta"), chunk("text-delta", empty))).toEqual([["x", { a: 1 }]]);
    expect(detailsOf(chunk("text-delta", empty), chunk("text-delta"))).toEqual([["x", { a: 1 }]]);
    expect(detailsOf(chunk("text-delta"), call, chunk("text-delta", empty))).toEqual([
      ["x", undefined],
      ["", { a: 1 }],
    ]);
    expect(
      detailsOf(chunk("text-delta", empty), chunk("text-delta"), { type: "message", content: "x" }),
    ).toEqual([["x", { a: 1 }]]);
  });

  test("may begin a text that a whole message then repeats", () => {
    const empty = chunk("text-delta", { delta: "", ...withData({ a: 1 }) });
    const whole: StreamChunk = { type: "message", content: "x\n\nx" };
    expect(detailsOf(empty, chunk("text-delta"), call, chunk("text-delta"), whole)).toHaveLength(2);
  });

  test("keeps a text without characters, as that of a redacted thought", () => {
    const added = withData({ a: 1 });
    const hidden = [["", { a: 1 }]];
    for (const type of ["text", "reasoning"] as const) {
      expect(detailsOf(chunk(`${type}-start`, added), chunk(`${type}-end`))).toEqual(hidden);
      expect(detailsOf(chunk(`${type}-start`), chunk(`${type}-end`, added))).toEqual(hidden);
      expect(detailsOf(chunk(`${type}-start`, added))).toEqual(hidden);
      expect(detailsOf(chunk(`${type}-delta`, { delta: "", ...added }), call)).toEqual(hidden);
      expect(detailsOf(chunk(`${type}-delta`, { delta: "", providerMetadata: null }), call)).toEqual([]);
    }
  });

  test("adds nothing to the text of the answer: neither to what is copied nor to its pieces", () => {
    const empty = { delta: "", ...withData({ a: 1 }) };
    for (const between of [chunk("reasoning-delta", empty), chunk("text-start", withData({ a: 1 }))]) {
      const chunks = [chunk("text-delta"), between, { type: "text-end" } as const, chunk("text-delta")];
      expect(detailsOf(...chunks).map(([text]) => text)).toEqual(["x", "", "x"]);
      expect(joinTextParts(reduceMessage(chunks).parts)).toBe("x\n\nx");
      expect(chunks.map(createTextPieces()).join("")).toBe("x\n\nx");
    }
  });

  test("of each stream is its own: a chunk is never changed", () => {
    const first = chunk("text-delta", withData({ a: { one: 1 } }));
    const text = JSON.stringify(first);
    detailsOf(first, chunk("text-delta", withData({ a: { two: 2 } })));
    expect(JSON.stringify(first)).toBe(text);
  });

  test("has no key that becomes a prototype", () => {
    const evil = JSON.parse('{"__proto__":{"x":1},"a":{"__proto__":{"x":1}}}');
    const [part] = reduceMessage([
      chunk("text-delta", withData({ a: {} })),
      chunk("text-delta", withData(evil)),
    ]).parts;
    const { providerMetadata } = part as TextPart;
    expect(providerMetadata).toEqual({ a: {} });
    expect(Object.getPrototypeOf(providerMetadata)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(providerMetadata?.a)).toBe(Object.prototype);
  });
});

describe("part-metadata", () => {
  const later = (fields: object = {}): StreamChunk => ({
    type: "part-metadata",
    providerMetadata: { late: 1 },
    ...fields,
  });

  test("belongs to its segment, open or ended, of text or reasoning", () => {
    expect(
      detailsOf(
        chunk("reasoning-delta", { segmentId: "r" }),
        chunk("reasoning-end", { segmentId: "r" }),
        chunk("text-delta", { segmentId: "t" }),
        later({ segmentId: "r" }),
        later({ segmentId: "t" }),
        later({ segmentId: "unknown" }),
      ),
    ).toEqual([
      ["x", { late: 1 }],
      ["x", { late: 1 }],
    ]);
    const segment = { segmentId: "a" };
    const text = chunk("text-delta", segment);
    const reasoning = chunk("reasoning-delta", segment);
    expect(detailsOf(text, reasoning, later(segment))).toEqual([
      ["x", undefined],
      ["x", { late: 1 }],
    ]);
    expect(detailsOf(reasoning, text, later(segment))).toEqual([
      ["x", undefined],
      ["x", { late: 1 }],
    ]);
  });

  test("belongs to the newest text or reasoning without a segment, whatever other parts came since", () => {
    expect(detailsOf(chunk("text-delta"), chunk("reasoning-delta"), call, file, later())).toEqual([
      ["x", undefined],
      ["x", { late: 1 }],
    ]);
    expect(detailsOf({ type: "message", content: "whole" }, later())).toEqual([["whole", { late: 1 }]]);
    expect(detailsOf(later())).toEqual([]);
  });

  test("brings back a text that ended without characters", () => {
    const segment = { segmentId: "r" };
    const { parts } = reduceMessage([
      chunk("reasoning-start", { ...segment, node: "n" }),
      chunk("reasoning-end", segment),
      call,
      later(segment),
    ]);
    expect(parts[0]).toEqual({
      type: "reasoning",
      key: "r",
      text: "",
      state: "done",
      node: "n",
      providerMetadata: { late: 1 },
    });
  });

  test("belongs to a tool call or to its result, next to what their own chunks have", () => {
    const fields = { tool: "t", toolCallId: "1" };
    const added = (name: string) => withData({ a: { [name]: 1 } });
    const start: StreamChunk = { type: "tool-call-start", ...fields, ...added("start") };
    const ready: StreamChunk = { type: "tool-call-ready", ...fields, input: 1, ...added("ready") };
    for (const end of [
      { type: "tool-call-result", ...fields, content: 1, ...added("end") },
      { type: "tool-call-error", ...fields, message: "m", ...added("end") },
    ] as const) {
      const { parts } = reduceMessage([
        start,
        ready,
        end,
        chunk("text-delta"),
        later({ toolCallId: "1" }),
        later({ toolCallId: "1", isResult: true }),
        later({ toolCallId: "unknown" }),
      ]);
      expect(parts).toMatchObject([
        {
          providerMetadata: { a: { start: 1, ready: 1 }, late: 1 },
          resultProviderMetadata: { a: { end: 1 }, late: 1 },
        },
        { text: "x" },
      ]);
      expect(parts[1]).not.toHaveProperty("providerMetadata");
    }
  });
});

test("what was read never changes, whatever is added later", () => {
  const accumulator = createMessageAccumulator();
  const added = (value: number) => withData({ a: { [`k${value}`]: value } });
  const read: [unknown, string][] = [];
  for (let value = 0; value < 5; value++) {
    for (const one of [chunk("text-delta", added(value)), chunk("text-end", cite(`${value}`))]) {
      accumulator.apply(one);
      read.push([accumulator.message, JSON.stringify(accumulator.message)]);
    }
  }
  for (const [message, text] of read) expect(JSON.stringify(message)).toBe(text);
});

test("citations and metadata take time linear in their number, also in one text", () => {
  const ratio = costOfWhole(8000, (count) =>
    cost(() => {
      const accumulator = createMessageAccumulator();
      accumulator.apply(chunk("text-delta"));
      for (let index = 0; index < count; index++) {
        accumulator.apply(chunk("text-end", cite(`${index}`)));
        accumulator.apply({ type: "part-metadata", providerMetadata: { a: { [`k${index}`]: 1 } } });
      }
    }),
  );
  expect(ratio).toBeLessThan(3);
});
