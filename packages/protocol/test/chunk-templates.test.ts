import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createChunkDecoder } from "../src/chunk-decoder.ts";
import { ChunkTemplates } from "../src/chunk-templates.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { toKnownChunk } from "../src/to-chunk.ts";
import { anyJSON, anyText } from "./chunk-arbitraries.ts";
import { bytesOf } from "./pieces.ts";
import { pull } from "./pull.ts";

/** What JSON and the checker make of an event; undefined if they refuse it. */
function reference(json: string): { parsed: Record<string, unknown>; chunk: StreamChunk } | undefined {
  try {
    const parsed = JSON.parse(json);
    const chunk = toKnownChunk(parsed);
    return chunk && { parsed, chunk };
  } catch {
    return undefined;
  }
}

/** A decoder without templates would return this for each event. */
const outlineOf = (value: unknown) =>
  // JSON prints neither infinity nor negative zero.
  JSON.stringify(value, (_, inner) =>
    typeof inner === "number" ? `${Object.is(inner, -0)} ${inner}` : inner,
  );

const quote = (text: string) => JSON.stringify(text);

/** JSON text between the quotes of a string, some of it broken, some of it more than a string. */
const anyContent = fc.oneof(
  { weight: 4, arbitrary: anyText.map((text) => quote(text).slice(1, -1)) },
  fc.constantFrom(
    "a",
    "b",
    "\\u00e9\\/",
    "\\ud83d\\ude00",
    "\\",
    '\\"',
    "\\\\",
    "\\x",
    "\\u12",
    "\n",
    '"',
    'a","delta":"b',
    'a","segmentId":"b',
    'a"},{"b":"',
    "\u2028",
  ),
);

const anyName = fc.constantFrom(
  "delta",
  "message",
  "id",
  "node",
  "__proto__",
  "toString",
  "\\u0064elta",
  "x",
);
const anyOtherValue = fc.oneof(
  anyText.map(quote),
  anyJSON.map((value) => JSON.stringify(value)),
  fc.constantFrom("null", "-0", "1e999", '{"delta":"a"}', '[{"message":"a"}]', '{"__proto__":{"delta":"a"}}'),
);

/** Events that have in common all but one text, which may break any of them. */
const anyFamily = fc
  .tuple(
    fc.constantFrom("text-delta", "reasoning-delta", "tool-call-delta", "status", "error", "x-new"),
    fc.array(fc.tuple(anyName, anyOtherValue), { maxLength: 3 }),
    fc.nat(3),
    fc.constantFrom("delta", "message"),
    fc.constantFrom(":", ": ", " :\t"),
    fc.array(anyContent, { minLength: 2, maxLength: 5 }),
  )
  .map(([type, others, place, name, colon, contents]) => {
    const members = [
      `"type":"${type}"`,
      '"toolCallId":"call"',
      ...others.map(([other, value]) => `"${other}"${colon}${value}`),
    ];
    return contents.map((content) => {
      const all = [...members];
      all.splice(place, 0, `"${name}"${colon}"${content}"`);
      return `{${all.join(",")}}`;
    });
  });

/** Two families, whose events take turns. */
const anyEvents = fc.tuple(anyFamily, anyFamily).map(([some, others]) =>
  some.flatMap((json, index) => {
    const other = others[index];
    return other === undefined ? [json] : [json, other];
  }),
);

describe("a chunk from a template", () => {
  test("is what JSON and the checker return, to the order of its fields and the sign of a zero", () => {
    let read = 0;
    fc.assert(
      fc.property(anyEvents, (events) => {
        const templates = new ChunkTemplates();
        for (const json of events) {
          const expected = reference(json);
          const chunk = templates.read(json);
          if (chunk !== undefined) {
            read++;
            expect(outlineOf(chunk)).toBe(outlineOf(expected?.chunk));
          } else if (expected !== undefined) {
            templates.add(json, expected.parsed, expected.chunk);
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(800);
  });

  test("shares no object with another chunk, nor with its template", () => {
    const json = (delta: string) =>
      `{"type":"text-delta","delta":"${delta}","x":{"list":[{"level":1}]},"__proto__":{"level":1}}`;
    const templates = new ChunkTemplates();
    const { parsed, chunk } = reference(json("a"))!;
    templates.add(json("a"), parsed, chunk);
    const change = (value: unknown) => {
      const { x } = value as { x: { list: { level: number }[] } };
      x.list[0]!.level = 2;
      x.list.push({ level: 3 });
      const own = Object.getOwnPropertyDescriptor(value, "__proto__")!.value as { level: number };
      own.level = 2;
    };
    change(chunk);
    for (const delta of ["b", "c"]) {
      const read = templates.read(json(delta));
      expect(outlineOf(read)).toBe(outlineOf(JSON.parse(json(delta))));
      change(read);
    }
  });

  test.each([
    ["another field follows", '{"type":"text-delta","delta":"a","node":"n"}'],
    ["the text is cut short", '{"type":"text-delta","delta":"}'],
    ["the text holds an escape that JSON does not have", '{"type":"text-delta","delta":"\\x"}'],
    ["the text holds a raw line break", '{"type":"text-delta","delta":"\n"}'],
    ["a space follows", '{"type":"text-delta","delta":"a"} '],
  ])("is not made when %s", (_, json) => {
    const templates = new ChunkTemplates();
    const first = '{"type":"text-delta","delta":"first"}';
    templates.add(first, JSON.parse(first), JSON.parse(first));
    expect(templates.read('{"type":"text-delta","delta":"second"}')).toEqual({
      type: "text-delta",
      delta: "second",
    });
    expect(templates.read(json)).toBeUndefined();
  });
});

/** Reads events, and counts the calls of `JSON.parse` for whole events, tried changes of a template included. */
function countParses(events: string[]): number {
  const decoder = createChunkDecoder();
  const bytes = bytesOf(events.map((json) => `data: ${json}\n\n`).join(""));
  const parse = vi.spyOn(JSON, "parse");
  try {
    expect([...pull(decoder, [bytes])]).toHaveLength(events.length);
    return parse.mock.calls.filter(([json]) => json.startsWith("{")).length;
  } finally {
    parse.mockRestore();
  }
}

const repeat = (count: number, json: (index: number) => string) =>
  Array.from({ length: count }, (_, at) => json(at));

describe("JSON is parsed twice for a kind of chunk, and not for those that differ in their text alone", () => {
  test.each([
    ["a plain delta", (text: string) => `{"type":"text-delta","delta":"${text}"}`],
    ["one with its origin", (text: string) => `{"type":"text-delta","delta":"${text}","id":"i","node":"n"}`],
    ["one whose text comes first", (text: string) => `{"delta":"${text}","type":"reasoning-delta"}`],
    ["one with spaces", (text: string) => `{ "type": "text-delta", "delta": "${text}" }`],
    [
      "one with null for an absent field",
      (text: string) => `{"type":"text-delta","delta":"${text}","id":null}`,
    ],
    [
      "one with a field of another version",
      (text: string) => `{"type":"text-delta","delta":"${text}","x":{"y":[1]}}`,
    ],
    [
      "the input of a tool",
      (text: string) => `{"type":"tool-call-delta","toolCallId":"c","delta":"${text}"}`,
    ],
    ["a status", (text: string) => `{"type":"status","message":"${text}","node":"n"}`],
  ])("%s", (_, json) => {
    const texts = ["a", "", '{\\"city\\":\\"Paris\\"', "C:\\\\\\n\\t", "語 é", "😀", "{}[],", "\\u00e9"];
    expect(countParses(repeat(100, (at) => json(texts[at % texts.length]!)))).toBe(2);
  });

  test("four kinds that take turns", () => {
    const json = (at: number) => `{"type":"tool-call-delta","toolCallId":"call-${at % 4}","delta":"${at}"}`;
    expect(countParses(repeat(100, json))).toBe(8);
  });

  test("a new kind after many others", () => {
    const json = (at: number) =>
      `{"type":"text-delta","delta":"${at}","segmentId":"segment-${Math.floor(at / 10)}"}`;
    expect(countParses(repeat(500, json))).toBe(100);
  });
});

describe("chunks that never repeat cost little more than their own parsing", () => {
  test("when another field counts them", () => {
    const json = (at: number) => `{"type":"text-delta","delta":"a","x":${at}}`;
    expect(countParses(repeat(1000, json))).toBeLessThan(1050);
  });

  test("when an inner object has a text before them", () => {
    const json = (at: number) => `{"type":"text-delta","x":{"delta":"a"},"delta":"${at}"}`;
    expect(countParses(repeat(1000, json))).toBeLessThan(1020);
  });

  test("when they are long", () => {
    const json = (at: number) => `{"type":"text-delta","delta":"${"x".repeat(4096)}${at}"}`;
    expect(countParses(repeat(10, json))).toBe(10);
  });
});
