import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyStructuredChunk,
  createStructuredStreamAccumulator,
  reduceStructuredChunks,
  type StructuredStreamChunk,
  type StructuredStreamState,
} from "../src/fold-structured-data.ts";
import { anyJSON } from "./chunk-arbitraries.ts";
import { cost, costOfWhole, costRatio } from "./cost.ts";

const base = { type: "structured-data", streamId: "s", dataType: "recipe" } as const;
const set = (path: string, value: unknown) => ({ ...base, kind: "set", path, value }) as const;
const append = (path: string, ...items: unknown[]) => ({ ...base, kind: "append", path, items }) as const;
const write = (path: string, delta: string) => ({ ...base, kind: "text-delta", path, delta }) as const;
const final = (data: unknown) => ({ ...base, kind: "final", data }) as const;
const invalidate = { type: "structured-data-invalidated", streamId: "s", checkpointId: "c" } as const;

const dataAfter = (...chunks: StructuredStreamChunk[]): unknown =>
  reduceStructuredChunks(chunks).get("s")?.data;

describe("building an object", () => {
  test("set, append and text-delta put values at dot paths", () => {
    expect(
      dataAfter(
        set("title", "Soup"),
        append("steps", "Peel", "Boil"),
        append("steps", "Serve"),
        write("note", "Ser"),
        write("note", "ve hot"),
        set("steps.1", "Simmer"),
        set("meta.time.minutes", 20),
      ),
    ).toEqual({
      title: "Soup",
      steps: ["Peel", "Simmer", "Serve"],
      note: "Serve hot",
      meta: { time: { minutes: 20 } },
    });
  });

  test("missing containers on a path are created: an array before an index, otherwise an object", () => {
    expect(dataAfter(set("rows.0.cells.0", "a"), set("rows.0.cells.1", "b"), set("rows.1", null))).toEqual({
      rows: [{ cells: ["a", "b"] }, null],
    });
    expect(dataAfter(set("0.name", "first"))).toEqual([{ name: "first" }]);
  });

  test("a numeric segment is a plain key of an existing object", () => {
    expect(dataAfter(set("years", {}), set("years.2024", 1))).toEqual({ years: { 2024: 1 } });
  });

  test("inherited names are plain keys", () => {
    expect(dataAfter(set("toString", 1), append("valueOf", 2), write("hasOwnProperty", "x"))).toEqual({
      toString: 1,
      valueOf: [2],
      hasOwnProperty: "x",
    });
  });

  test("final replaces the object, and the same final again changes nothing", () => {
    const first = applyStructuredChunk(undefined, final({ a: 1 }));
    expect(first).toEqual({ streamId: "s", dataType: "recipe", data: { a: 1 }, status: "done" });
    expect(applyStructuredChunk(first, final({ a: 1 }))).toBe(first);
  });

  test("invalidation drops the stream, which may then start again", () => {
    expect(applyStructuredChunk(undefined, invalidate)).toBeUndefined();
    expect(dataAfter(final({ a: 1 }), invalidate)).toBeUndefined();
    expect(dataAfter(final({ a: 1 }), invalidate, set("b", 2))).toEqual({ b: 2 });
  });

  test("schema, id and node keep their values until a later chunk changes them", () => {
    const named = { ...set("a", 1), schemaId: "recipe", schemaVersion: "1", id: "i", node: "cook" };
    expect(reduceStructuredChunks([named, { ...set("a", 2), schemaVersion: "2" }]).get("s")).toEqual({
      streamId: "s",
      dataType: "recipe",
      schemaId: "recipe",
      schemaVersion: "2",
      id: "i",
      node: "cook",
      data: { a: 2 },
      status: "streaming",
    });
  });
});

describe("refusals", () => {
  const refused: Record<string, [chunks: StructuredStreamChunk[], words: string]> = {
    "an empty path": [[set("", 1)], 'path "" is not allowed'],
    "an empty segment": [[set("a..b", 1)], 'path "a..b" is not allowed'],
    "the segment __proto__": [[set("__proto__.polluted", 1)], 'path "__proto__.polluted" is not allowed'],
    "the segment prototype": [[set("a.prototype.b", 1)], 'path "a.prototype.b" is not allowed'],
    "the segment constructor": [[set("a.constructor", 1)], 'path "a.constructor" is not allowed'],
    "an index beyond the array": [
      [append("a", 1, 2), set("a.3", 1)],
      '"3" in path "a.3" does not fit an array of 2',
    ],
    "a huge index where nothing exists": [
      [set("a.4294967294", 1)],
      '"4294967294" in path "a.4294967294" does not fit an array of 0',
    ],
    "a huge index deep in a new path": [
      [set("a.b.c.999999999.d", 1)],
      '"999999999" in path "a.b.c.999999999.d" does not fit an array of 0',
    ],
    "a key of an array": [
      [append("a", 1), set("a.length", 9)],
      '"length" in path "a.length" does not fit an array',
    ],
    "a key of an array at the root": [
      [set("0", 1), set("a", 1)],
      '"a" in path "a" does not fit an array of 1',
    ],
    "an index with a leading zero": [
      [append("a", 1), set("a.00", 9)],
      '"00" in path "a.00" does not fit an array',
    ],
    "a path through a string": [[set("a", "x"), set("a.b", 1)], '"b" in path "a.b" does not fit a string'],
    "a path through null": [[set("a", null), set("a.b", 1)], '"b" in path "a.b" does not fit null'],
    "append on an object": [[set("a", {}), append("a", 1)], 'append in path "a" does not fit an object'],
    "append on null": [[set("a", null), append("a", 1)], 'append in path "a" does not fit null'],
    "text-delta on a number": [
      [set("a", 7), write("a", "x")],
      'text-delta in path "a" does not fit a number',
    ],
    "text-delta on null": [[set("a", null), write("a", "x")], 'text-delta in path "a" does not fit null'],
    "65 segments": [[set(Array(65).fill("a").join("."), 1)], "is not allowed"],
    "a chunk after final": [[final({}), set("a", 1)], '"set" after "final"'],
    "another final": [[final({ a: 1 }), final({ a: 2 })], '"final" after "final"'],
  };
  for (const [name, [chunks, words]] of Object.entries(refused)) {
    test(`${name} is refused with an error that names it, and the state does not change`, () => {
      const accumulator = createStructuredStreamAccumulator();
      const bad = chunks.at(-1)!;
      for (const chunk of chunks.slice(0, -1)) accumulator.apply(chunk);
      const before = structuredClone(accumulator.get("s"));
      const error = expect.objectContaining({
        name: "StreamProtocolError",
        code: "invalid-structured-data",
        message: expect.stringContaining(words),
      });
      expect(() => accumulator.apply(bad)).toThrow(error);
      expect(accumulator.get("s")).toEqual(before);
      expect(() => applyStructuredChunk(accumulator.get("s"), bad)).toThrow(error);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    });
  }

  test("a final object nested deeper than the stack can be repeated, and never overflows the stack", () => {
    const deep = () => JSON.parse("[".repeat(200_000) + "]".repeat(200_000));
    const chunk = final(deep());
    expect(() => dataAfter(chunk, chunk)).not.toThrow();
    // Whether an equal copy is recognized depends on the runtime's JSON.stringify.
    const outcome = (() => {
      try {
        return dataAfter(chunk, final(deep())) !== undefined;
      } catch (error) {
        return (error as { code?: string }).code;
      }
    })();
    expect([true, "invalid-structured-data"]).toContain(outcome);
  });

  test("error messages stay short, however long the path and the id are", () => {
    const long = "x".repeat(1_000_000);
    const name = { streamId: long };
    const first = applyStructuredChunk(undefined, { ...set(long, 7), ...name });
    for (const bad of [
      { ...append(long, 1), ...name },
      { ...write(long, "x"), ...name },
      { ...set(`${long}.a`, 1), ...name },
      set("a", 1),
    ]) {
      expect(() => applyStructuredChunk(first, bad)).toThrow(/^.{1,300}$/);
    }
  });

  test("64 segments are allowed", () => {
    expect(dataAfter(set(Array(64).fill("a").join("."), 1))).toBeDefined();
  });

  test("a path of a million segments is refused before it is split, with a short message", () => {
    const path = "a.".repeat(1_000_000);
    const ratio = costRatio(
      () => cost(() => expect(() => dataAfter(set(path, 1))).toThrow(/^.{1,200}$/)),
      () => cost(() => path.split(".")),
    );
    expect(ratio).toBeLessThan(0.5);
  });

  test("the pure reducer refuses a chunk of another stream", () => {
    const state = applyStructuredChunk(undefined, set("a", 1));
    expect(() => applyStructuredChunk(state, { ...set("a", 1), streamId: "t" })).toThrow(
      'Structured stream "t": the state is of stream "s".',
    );
  });

  test("data with a __proto__ key of its own pollutes nothing", () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}, "list": []}');
    const data = dataAfter(set("a", value), set("a.b", 1), append("a.list", 1)) as { a: object };
    expect(Object.hasOwn(data.a, "__proto__")).toBe(true);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((data.a as Record<string, unknown>).polluted).toBeUndefined();
  });
});

const anyPath = fc
  .array(fc.constantFrom("a", "b", "0", "1", "toString"), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join("."));
const anyStep: fc.Arbitrary<StructuredStreamChunk> = fc.oneof(
  fc.tuple(anyPath, anyJSON).map(([path, value]) => set(path, value)),
  fc.tuple(anyPath, fc.array(anyJSON, { maxLength: 3 })).map(([path, items]) => append(path, ...items)),
  fc.tuple(anyPath, fc.string()).map(([path, delta]) => write(path, delta)),
);

describe("immutability", () => {
  test("the accumulator agrees with the pure reducer at every step, and nothing it returned ever changes", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyStep, fc.boolean()), { maxLength: 30 }), (steps) => {
        const accumulator = createStructuredStreamAccumulator();
        let pure: StructuredStreamState | undefined;
        const given: [unknown, string][] = [];
        for (const [chunk, isRead] of steps) {
          let refusal = "";
          try {
            const frozen = JSON.stringify(pure);
            const next = applyStructuredChunk(pure, chunk);
            expect(JSON.stringify(pure)).toBe(frozen);
            pure = next;
          } catch (error) {
            refusal = (error as Error).message;
          }
          const original = JSON.stringify(chunk);
          if (refusal === "") accumulator.apply(chunk);
          else expect(() => accumulator.apply(chunk)).toThrow(refusal);
          expect(JSON.stringify(chunk)).toBe(original);
          if (isRead) {
            const state = accumulator.get("s");
            expect(state).toEqual(pure);
            given.push([state, JSON.stringify(state)]);
          }
        }
        expect(accumulator.get("s")).toEqual(pure);
        for (const [state, text] of given) expect(JSON.stringify(state)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test("values that a chunk does not touch keep their identity", () => {
    const before = applyStructuredChunk(applyStructuredChunk(undefined, set("a.x", 1)), set("b.y", 1))!;
    const after = applyStructuredChunk(before, set("a.x", 2))!;
    const [old, now] = [before.data, after.data] as [Record<string, unknown>, Record<string, unknown>];
    expect(now.a).not.toBe(old.a);
    expect(now.b).toBe(old.b);
  });
});

describe("the accumulator", () => {
  test("keeps streams separate, in the order in which they began", () => {
    const accumulator = createStructuredStreamAccumulator();
    accumulator.apply({ ...set("a", 1), streamId: "one" });
    accumulator.apply({ ...set("a", 2), streamId: "two" });
    const [given] = [...accumulator.entries()];
    accumulator.apply({ ...set("b", 3), streamId: "one" });
    expect(given?.[1].data).toEqual({ a: 1 });
    expect([...accumulator.entries()].map(([id, { data }]) => [id, data])).toEqual([
      ["one", { a: 1, b: 3 }],
      ["two", { a: 2 }],
    ]);
    expect(accumulator.has("one")).toBe(true);
    expect(accumulator.delete("one")).toBe(true);
    expect(accumulator.delete("one")).toBe(false);
    expect(accumulator.has("one")).toBe(false);
    accumulator.clear();
    expect([...accumulator.entries()]).toEqual([]);
  });

  test("returns from apply the state after the chunk, which later chunks do not change", () => {
    const accumulator = createStructuredStreamAccumulator<{ list: number[] }>();
    const states = [1, 2, 3].map((item) => accumulator.apply(append("list", item)));
    expect(states.map(({ data }) => data)).toEqual([{ list: [1] }, { list: [1, 2] }, { list: [1, 2, 3] }]);
    expect(accumulator.get("s")).toBe(states[2]);
    const invalidated = { type: "structured-data-invalidated", streamId: "s", checkpointId: "c" } as const;
    expect([accumulator.apply(invalidated), accumulator.has("s")]).toEqual([undefined, false]);
  });

  test("accepts every chunk of a stream, and ignores those that are not structured data", () => {
    const accumulator = createStructuredStreamAccumulator();
    expect(accumulator.applyStreamChunk({ type: "text-delta", delta: "a" })).toBeUndefined();
    expect(accumulator.applyStreamChunk({ type: "x-new", streamId: "s" })).toBeUndefined();
    expect(accumulator.size()).toBe(0);
    expect(accumulator.applyStreamChunk(set("a", 1))).toMatchObject({ status: "streaming", data: { a: 1 } });
    expect(accumulator.applyStreamChunk(final({ a: 2 }))).toMatchObject({ status: "done", data: { a: 2 } });
    accumulator.applyStreamChunk({ type: "structured-data-invalidated", streamId: "s", checkpointId: "c" });
    expect(accumulator.size()).toBe(0);
  });

  test("can start from chunks, and can be read as entries, values or a record", () => {
    const one = { ...set("a", 1), streamId: "one" };
    const two = { ...set("a", 2), streamId: "__proto__" };
    const accumulator = createStructuredStreamAccumulator([one, two]);
    const [first, second] = [accumulator.get("one"), accumulator.get("__proto__")];
    expect(accumulator.size()).toBe(2);
    expect(accumulator.entries()).toEqual([
      ["one", first],
      ["__proto__", second],
    ]);
    expect(accumulator.values()).toEqual([first, second]);
    expect(Object.entries(accumulator.toRecord())).toEqual(accumulator.entries());
    expect(accumulator.apply({ ...set("b", 3), streamId: "one" }).data).toEqual({ a: 1, b: 3 });
    expect(first?.data).toEqual({ a: 1 });
  });

  test("16,000 initial chunks that append one item each take time linear in their number", () => {
    const ratio = costOfWhole(16_000, (count) => {
      const chunks = Array.from({ length: count }, (_, item) => append("deep.list", item));
      let accumulator = createStructuredStreamAccumulator();
      const took = cost(() => {
        accumulator = createStructuredStreamAccumulator(chunks);
      });
      const { list } = (accumulator.get("s")!.data as { deep: { list: number[] } }).deep;
      accumulator.apply(append("deep.list", "late"));
      accumulator.apply(set("deep.list.0", "changed"));
      expect(list).toHaveLength(count);
      expect(list[0]).toBe(0);
      return took;
    });
    expect(ratio).toBeLessThan(3);
  });
});
