import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStreamChunk } from "../src/check-chunk.ts";
import { scalars } from "../src/chunk-shape.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { FlatChunks } from "../src/flat-chunks.ts";
import { anyEscapedText, anyText } from "./chunk-arbitraries.ts";

/** Reads a text with the shapes learned from these chunks. */
function readAfter(chunks: object[], json: string): unknown {
  const flat = new FlatChunks([]);
  for (const chunk of chunks) flat.learn(chunk as StreamChunk);
  return flat.read(json);
}

const anyNames = fc.uniqueArray(
  fc.constantFrom("id", "node", "segmentId", "x-語", "a.b", "__proto__", "1", "$&"),
  {
    maxLength: 3,
  },
);

/** A delta, and the JSON of another one with the same names: its texts may be raw, and characters removed or inserted. */
const anyPair = fc
  .tuple(
    anyNames,
    fc.array(fc.tuple(fc.oneof(anyEscapedText, anyText), fc.boolean()), { minLength: 4, maxLength: 4 }),
    fc.option(
      fc.tuple(
        fc.nat(60),
        fc.nat(2),
        fc.constantFrom("", " ", '"', "\\", "}", ",", "\u0001", "\u2028", "\\u00e9"),
      ),
    ),
  )
  .map(([names, texts, change]) => {
    const all = ["delta", ...names];
    const learned = JSON.parse(`{"type":"text-delta",${all.map((name) => `"${name}":"x"`).join(",")}}`);
    const fields = all.map((name, index) => {
      const [text, isRaw] = texts[index]!;
      return `"${name}":${isRaw ? `"${text}"` : JSON.stringify(text)}`;
    });
    const json = `{"type":"text-delta",${fields.join(",")}}`;
    if (change === null) return { learned, json };
    const [place, without, put] = change;
    return { learned, json: json.slice(0, place) + put + json.slice(place + without) };
  });

describe("FlatChunks", () => {
  test("returns a valid chunk with the same fields in the same order as JSON.parse, or nothing", () => {
    let read = 0;
    fc.assert(
      fc.property(anyPair, ({ learned, json }) => {
        const chunk = readAfter([learned], json);
        if (chunk === undefined) return;
        read++;
        expect(JSON.stringify(chunk)).toBe(JSON.stringify(JSON.parse(json)));
        expect(isStreamChunk(chunk)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(read).toBeGreaterThan(1000);
  });

  test.each([
    { learned: { type: "text-delta", delta: "a" }, json: '{"type":"text-delta","delta":""}' },
    {
      learned: { delta: "a", id: "1", type: "text-delta" },
      json: '{"delta":"語 é","id":"2","type":"text-delta"}',
    },
    {
      learned: { type: "status", message: "" },
      json: String.raw`{"type":"status","message":"\"\\\/\b\f\n\r\té"}`,
    },
    {
      learned: {
        type: "structured-data",
        kind: "text-delta",
        streamId: "",
        dataType: "",
        path: "",
        delta: "",
      },
      json: '{"type":"structured-data","kind":"text-delta","streamId":"s","dataType":"d","path":"p","delta":"x"}',
    },
    {
      learned: { type: "text-delta", delta: "", "future.field": "" },
      json: '{"type":"text-delta","delta":"a","future.field":"b"}',
    },
    { learned: { type: "text-delta", delta: "" }, json: '{"type": "text-delta", "delta": " a"}' },
  ])("reads $json itself", ({ learned, json }) => {
    const chunk = readAfter([learned], json);
    expect(chunk).toEqual(JSON.parse(json));
    expect(Object.keys(chunk as object)).toEqual(Object.keys(JSON.parse(json)));
  });

  const delta = { type: "text-delta", delta: "a" };
  test.each([
    { name: "another type", json: '{"type":"reasoning-delta","delta":"a"}' },
    { name: "a field more", json: '{"type":"text-delta","delta":"a","id":"1"}' },
    { name: "a field twice", json: '{"type":"text-delta","delta":"a","delta":"b"}' },
    { name: "another order", json: '{"delta":"a","type":"text-delta"}' },
    { name: "line breaks", json: '{"type":"text-delta",\n"delta":"a"}' },
    { name: "a field that is no text", json: '{"type":"text-delta","delta":null}' },
    { name: "a text without end", json: '{"type":"text-delta","delta":"a}' },
    { name: "a control character", json: '{"type":"text-delta","delta":"\u0001"}' },
    { name: "an unknown escape", json: String.raw`{"type":"text-delta","delta":"\x"}` },
    { name: "half an escape", json: String.raw`{"type":"text-delta","delta":"\u00"}` },
    { name: "long JSON", json: JSON.stringify({ type: "text-delta", delta: "a".repeat(5000) }) },
  ])("leaves $name to JSON", ({ json }) => {
    expect(readAfter([delta], json)).toBeUndefined();
  });

  test.each([
    { name: "fields that are no texts", chunk: { ...delta, seq: 1 } },
    { name: "a name that engines move", chunk: { ...delta, "7": "a" } },
    { name: "a long name", chunk: { ...delta, ["a".repeat(65)]: "a" } },
    { name: "a long kind", chunk: { ...delta, kind: "a".repeat(65) } },
    {
      name: "many fields",
      chunk: { ...delta, ...Object.fromEntries(Array.from({ length: 15 }, (_, at) => [`field${at}`, ""])) },
    },
    { name: "a name with a meaning", chunk: JSON.parse('{"type":"text-delta","delta":"a","__proto__":"b"}') },
  ])("learns nothing from chunks with $name", ({ chunk }) => {
    expect(readAfter([chunk], JSON.stringify(chunk))).toBeUndefined();
  });

  test("returns a new object each time", () => {
    const flat = new FlatChunks([]);
    flat.learn(delta as StreamChunk);
    const [first, second] = [flat.read(JSON.stringify(delta)), flat.read(JSON.stringify(delta))];
    expect(first).toEqual(second);
    expect(first).not.toBe(second);
    expect(first).not.toBe(delta);
  });

  test("keeps eight shapes, so that a peer that invents names slows nothing down", () => {
    const flat = new FlatChunks([]);
    const chunkOf = (index: number) => ({ ...delta, [`field${index}`]: "" }) as unknown as StreamChunk;
    for (let index = 0; index < 20; index++)
      for (let times = 0; times < 2; times++) flat.learn(chunkOf(index));
    const read = Array.from({ length: 20 }, (_, index) => flat.read(JSON.stringify(chunkOf(index))));
    expect(read.filter((chunk) => chunk !== undefined)).toHaveLength(8);
  });

  test("keeps its shapes for the streams after it", () => {
    new FlatChunks().learn({ type: "text-delta", delta: "", "x-shared": "" } as StreamChunk);
    expect(new FlatChunks().read('{"type":"text-delta","delta":"a","x-shared":"b"}')).toBeDefined();
  });

  test("drops the shape that was read longest ago for a new one", () => {
    const shapes: ConstructorParameters<typeof FlatChunks>[0] = [];
    const chunkOf = (index: number) => ({ ...delta, [`field${index}`]: "" }) as unknown as StreamChunk;
    const read = (index: number) => new FlatChunks(shapes).read(JSON.stringify(chunkOf(index)));
    for (let index = 0; index < 8; index++) new FlatChunks(shapes).learn(chunkOf(index));
    expect(read(7)).toBeDefined();
    new FlatChunks(shapes).learn(chunkOf(8));
    expect([read(7), read(8)]).toEqual([chunkOf(7), chunkOf(8)]);
  });

  test("stops learning from a stream whose JSON never fits", () => {
    const flat = new FlatChunks([]);
    for (let times = 0; times < 16; times++) flat.learn(delta as StreamChunk);
    const status = { type: "status", message: "a" };
    flat.learn(status as StreamChunk);
    expect(flat.read(JSON.stringify(delta))).toEqual(delta);
    expect(flat.read(JSON.stringify(status))).toBeUndefined();
  });
});

test("every type of field accepts all strings or none: a field that has held a string may hold any other", () => {
  const acceptsText = Object.entries(scalars).map(([name, { accepts }]) => [name, accepts("")]);
  // A new type that accepts only some strings is not for this list: FlatChunks and print-chunk.ts must check it.
  expect(Object.fromEntries(acceptsText)).toEqual({
    string: true,
    boolean: false,
    finite: false,
    natural: false,
    record: false,
    JSON: true,
  });
  fc.assert(
    fc.property(anyText, (text) => {
      for (const { accepts } of Object.values(scalars)) expect(accepts(text)).toBe(accepts(""));
    }),
  );
});
