import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { checkChunk } from "../src/check-chunk.ts";
import { printChunk } from "../src/encode-chunk.ts";
import { printPlainChunk } from "../src/print-chunk.ts";
import { toChunk } from "../src/to-chunk.ts";
import { anyChunk, anyEscapedText, anyJSON } from "./chunk-arbitraries.ts";

type Fields = Record<string, unknown>;

/** The definition: the JSON of the repaired chunk, with three line breaks escaped. */
const printByJSON = (value: unknown): string =>
  JSON.stringify(toChunk(value))
    .replaceAll("\u0085", "\\u0085")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");

const isSendable = (value: unknown): boolean => checkChunk(value)?.code !== "invalid-chunk";

/** A chunk of an unknown type. */
const anyUnknownChunk = fc
  .tuple(
    fc.constantFrom("x-new", "", "constructor", "é"),
    fc.dictionary(anyEscapedText, anyJSON, { maxKeys: 3 }),
  )
  .map(([type, fields]) => ({ ...fields, type }));

const cycle: Fields = {};
cycle.cycle = cycle;

/** Values that exist in JavaScript but not in JSON. */
const anyOddValue = fc.constantFrom<unknown>(
  ...[undefined, null, "", "text-delta", true, 0, -0, 1e21, 5e-324, Number.NaN, Number.POSITIVE_INFINITY],
  ...[1n, Symbol("s"), () => 1, cycle, new Date(0), new Date(Number.NaN), new Map(), /x/],
  ...[Object("text"), Object(1), Object(1n), Object.create(null)],
  ...[[undefined, () => 1, Symbol("s"), Number.NaN], new Array(2), { inner: undefined }, { at: "\u2028" }],
  ...[
    { toJSON: (name: string) => `named ${name}` },
    { inner: { toJSON: (name: string) => name } },
    { toJSON: 1 },
  ],
  ...[
    { toJSON() {} },
    new (class Text {
      text = "a";
    })(),
    {
      get text() {
        return "b";
      },
    },
  ],
);

const anyName = fc.constantFrom(
  ...[
    "type",
    "kind",
    "delta",
    "id",
    "node",
    "message",
    "input",
    "x",
    "7",
    "-1",
    "",
    'a"b',
    "语",
    "\u2028",
    "\ud800",
  ],
  ...["__proto__", "constructor", "toString", "toJSON", "a very long name".repeat(5)],
);

const define = (value: object, name: string, descriptor: PropertyDescriptor): void => {
  Object.defineProperty(value, name, { configurable: true, writable: true, ...descriptor });
};

/** One unusual feature of an object. */
const anyChange: fc.Arbitrary<(value: object) => object> = fc.oneof(
  fc.tuple(anyName, anyOddValue).map(([name, odd]) => (value: object) => {
    define(value, name, { value: odd, enumerable: true });
    return value;
  }),
  fc.nat(9).map((index) => (value: object) => {
    delete (value as Fields)[Object.keys(value)[index] ?? ""];
    return value;
  }),
  fc.tuple(fc.nat(9), anyOddValue).map(([index, odd]) => (value: object) => {
    const name = Object.keys(value)[index];
    if (name !== undefined) (value as Fields)[name] = odd;
    return value;
  }),
  fc.nat(9).map((index) => (value: object) => {
    const name = Object.keys(value)[index];
    if (name !== undefined) define(value, name, { enumerable: false });
    return value;
  }),
  fc.tuple(anyName, fc.nat(9)).map(([name, index]) => (value: object) => {
    const text = (value as Fields)[Object.keys(value)[index] ?? ""];
    Object.defineProperty(value, name, { get: () => text, enumerable: true, configurable: true });
    return value;
  }),
  fc.infiniteStream(fc.nat()).map((order) => (value: object) => {
    const entries = Object.entries(value).map((entry) => ({ entry, at: order.next().value as number }));
    return Object.fromEntries(entries.sort((a, b) => a.at - b.at).map(({ entry }) => entry));
  }),
  fc
    .constantFrom<object | null>(
      null,
      Array.prototype,
      Date.prototype,
      { segmentId: "a", delta: "b", kind: "set" },
      {},
    )
    .map((prototype) => (value: object) => Object.setPrototypeOf(value, prototype)),
  fc.constantFrom<(value: object) => object>(
    (value) => Object.freeze({ ...value }),
    (value) => Object.assign([], value),
    (value) => Object.assign(() => {}, value),
    (value) => Object.assign({ [Symbol("s")]: 1 }, value),
    (value) => new Proxy(value, {}),
  ),
);

const anyValue = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: anyChunk }, { weight: 1, arbitrary: anyUnknownChunk }),
    fc.array(anyChange, { maxLength: 3 }),
  )
  .map(([chunk, changes]) => {
    try {
      return changes.reduce<object>((value, change) => change(value), chunk);
    } catch {
      // A change that the object does not allow.
      return chunk;
    }
  });

/** A result, or the error that was thrown instead. */
function outcomeOf<Result>(compute: () => Result): { result: Result } | { thrown: string } {
  try {
    return { result: compute() };
  } catch {
    return { thrown: "an error" };
  }
}

describe("printPlainChunk", () => {
  test("prints a valid chunk as JSON does, or returns nothing", () => {
    let printed = 0;
    fc.assert(
      fc.property(anyValue, (value) => {
        const json = printPlainChunk(value);
        if (json === undefined) return;
        printed++;
        expect(isSendable(value)).toBe(true);
        expect(json).toBe(printByJSON(value));
      }),
      { numRuns: 5_000 },
    );
    expect(printed).toBeGreaterThan(1_000);
  });

  test("prints every valid chunk that was parsed from JSON, of known and unknown types", () => {
    fc.assert(
      fc.property(fc.oneof(anyChunk, anyUnknownChunk), (chunk) => {
        const value = JSON.parse(JSON.stringify(chunk));
        fc.pre(!("toJSON" in value));
        expect(printPlainChunk(value)).toBe(printByJSON(value));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, unknown]>([
    ["a hidden toJSON()", Object.defineProperty({ type: "done" }, "toJSON", { value: () => 1 })],
    ["a value whose toJSON() is given its name", { type: "done", data: { toJSON: (name: string) => name } }],
    [
      "an instance of a class",
      new (class Done {
        type = "done";
      })(),
    ],
    ["an array", Object.setPrototypeOf(Object.assign([], { type: "done" }), Object.prototype)],
    ["a boxed number", Object.assign(new Number(5), { type: "done" })],
    ["a hidden type", Object.defineProperty({ message: "a" }, "type", { value: "status" })],
    [
      "a hidden kind",
      Object.defineProperty({ type: "structured-data", streamId: "s", dataType: "d", data: 1 }, "kind", {
        value: "final",
      }),
    ],
    ["a hidden field that is required", Object.defineProperty({ type: "status" }, "message", { value: "a" })],
    ["an optional field that is null", { type: "status", message: "a", node: null }],
    ["a missing value that becomes null", { type: "tool-result" }],
    ["a function", { type: "done", data: () => 1 }],
    ["a BigInt", { type: "done", data: 1n }],
    ["null", null],
    ["a string", "done"],
  ])("leaves %s to the checker and JSON", (_, value) => {
    expect(printPlainChunk(value)).toBeUndefined();
  });

  test("prints a repeated text correctly among other texts, and at any position in its object", () => {
    const origins = ["run-1", 'run "2"', "run\u2028", "\ud800", ""];
    for (let index = 0; index < 500; index++) {
      const id = origins[(index >> 1) % origins.length];
      const delta = `word ${index % 40}`;
      for (const chunk of [
        { type: "text-delta", delta, id },
        { id, type: "text-delta", delta },
        { delta: id, type: "text-delta", id: delta },
        { type: "x-new", id, at: index },
      ]) {
        expect(printPlainChunk(chunk)).toBe(printByJSON(chunk));
      }
    }
  });

  test("refuses an empty text in a field of another type", () => {
    for (const usage of ["", {}]) {
      const json = printPlainChunk({ type: "done", usage });
      expect(json).toBe(usage === "" ? undefined : '{"type":"done","usage":{}}');
    }
  });

  test("prints any number of unknown fields", () => {
    for (let index = 0; index < 1_000; index++) {
      const chunk = {
        [`first ${index}`]: "a",
        type: "text-delta",
        delta: "b",
        [`x-${index}`]: index,
        last: "c",
      };
      expect(printPlainChunk(chunk)).toBe(JSON.stringify(chunk));
    }
  });

  test("prints the checked value of a field that changes at each read", () => {
    let reads = 0;
    const chunk = {
      type: "text-delta",
      get delta() {
        return reads++ === 0 ? "first" : 7;
      },
    };
    expect(printPlainChunk(chunk)).toBe('{"type":"text-delta","delta":"first"}');
  });
});

describe("memory after printing", () => {
  const size = 4_000_000;
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");

  /** How much more memory is in use after printing chunks made of parts of a long text. */
  function keptBytes(toChunk: (long: string, index: number) => unknown): number {
    const print = (index: number, length = size) => {
      const long: string = JSON.parse(JSON.stringify(`${index} ${"word ".repeat(length / 5)}`));
      outcomeOf(() => printChunk(toChunk(long, index)));
    };
    print(0, 1000);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let index = 1; index < 8; index++) print(index);
    collectGarbage();
    return process.memoryUsage().heapUsed - before;
  }

  test.each<[string, (long: string, index: number) => unknown]>([
    ["short parts", (long, at) => ({ type: "status", message: "a", [`part${at}`]: long.slice(99, 130) })],
    ["a long text", (long) => ({ type: "status", message: long })],
    ["an unknown type", (long) => ({ type: long.slice(1) })],
    ["a type that is no text", (long) => ({ type: { long: [long] } })],
  ])("does not hold on to %s", (_, toChunk) => {
    expect(keptBytes(toChunk)).toBeLessThan(size / 2);
  });
});

describe("printPlainChunk, when Object.prototype has properties", () => {
  const pollute = (name: string, descriptor: PropertyDescriptor) =>
    Object.defineProperty(Object.prototype, name, { writable: true, configurable: true, ...descriptor });
  afterEach(() => {
    for (const name of ["segmentId", "type", "delta", "toJSON"]) delete (Object.prototype as Fields)[name];
  });

  test.each([
    ["one that the chunk lacks", "segmentId", { value: "x", enumerable: true }],
    ["a toJSON()", "toJSON", { value: () => "x" }],
  ])("leaves chunks to JSON: %s", (_, name, descriptor) => {
    pollute(name, descriptor);
    expect(printPlainChunk({ type: "text-delta", delta: "a" })).toBeUndefined();
  });

  test.each([true, false])(
    "does not take a type or a required field from it (enumerable: %s)",
    (enumerable) => {
      pollute("type", { value: "text-delta", enumerable });
      pollute("delta", { value: "a", enumerable });
      expect(printPlainChunk({ delta: "a" })).toBeUndefined();
      expect(printPlainChunk({ type: "text-delta" })).toBeUndefined();
      expect(printPlainChunk({})).toBeUndefined();
    },
  );
});

test("printChunk prints any value as JSON prints the repaired chunk, or throws where JSON throws", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      expect(outcomeOf(() => printChunk(value).json)).toEqual(outcomeOf(() => printByJSON(value)));
    }),
    { numRuns: 5_000 },
  );
});
