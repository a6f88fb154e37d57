import {
  applyStructuredChunk,
  type StructuredStreamChunk,
  type StructuredStreamState,
} from "@kortyx/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SharedDocument } from "../../src/adapters/ag-ui-document.ts";

const create = (document: unknown = {}) => new SharedDocument({ streamId: "s", dataType: "state" }, document);
const kinds = (chunks: object[]) =>
  chunks.map((chunk) => {
    const { type, kind, path } = chunk as Record<string, unknown>;
    return [kind ?? type, path].filter(Boolean).join(" ");
  });

const add = (path: string, value: unknown) => ({ op: "add", path, value });

test("a snapshot is one set for each name, and the next one only what differs", () => {
  const state = create();
  expect(kinds(state.replace({ a: 1, b: [1] }))).toEqual(["set a", "set b"]);
  expect(kinds(state.replace({ a: 1, b: [2], c: 3 }))).toEqual(["set b", "set c"]);
  expect(state.replace({ a: 1, b: [2], c: 3 })).toEqual([]);
});

test("a list that is the same again sends nothing", () => {
  const state = create();
  state.replace([1]);
  expect(state.replace([1])).toEqual([]);
});

test("a patch is the smallest chunks that say it", () => {
  const state = create();
  state.replace({ text: "Hel", list: [1], o: { x: { y: 1 } } });
  const chunks = state.patch([
    { op: "replace", path: "/text", value: "Hello" },
    add("/list/-", 2),
    add("/list/0", 0),
    { op: "remove", path: "/o/x/y" },
    { op: "replace", path: "/o", value: 1 },
  ]);
  expect(chunks).toEqual([
    {
      type: "structured-data",
      streamId: "s",
      dataType: "state",
      kind: "text-delta",
      path: "text",
      delta: "lo",
    },
    { type: "structured-data", streamId: "s", dataType: "state", kind: "append", path: "list", items: [2] },
    {
      type: "structured-data",
      streamId: "s",
      dataType: "state",
      kind: "set",
      path: "list",
      value: [0, 1, 2],
    },
    { type: "structured-data", streamId: "s", dataType: "state", kind: "set", path: "o.x", value: {} },
    { type: "structured-data", streamId: "s", dataType: "state", kind: "set", path: "o", value: 1 },
  ]);
});

test("a name that no path can have is set with what holds it", () => {
  const state = create();
  state.replace({ a: {} });
  expect(state.patch([add("/a/b.c", 1)])).toMatchObject([{ kind: "set", path: "a", value: { "b.c": 1 } }]);
});

test("what no chunk can say begins the object anew", () => {
  const state = create();
  state.replace({ a: 1, b: 2 });
  expect(kinds(state.patch([{ op: "remove", path: "/b" }]))).toEqual([
    "structured-data-invalidated",
    "set a",
  ]);
  expect(kinds(state.patch([{ op: "remove", path: "/a" }]))).toEqual([
    "structured-data-invalidated",
    "final",
  ]);
  expect(kinds(state.patch([add("/c", 1)]))).toEqual(["structured-data-invalidated", "set c"]);
});

test("a patch before the first snapshot applies to what the client had, and shows all of it", () => {
  expect(create({ a: 1 }).patch([add("/b", 2)])).toMatchObject([
    { path: "a", value: 1 },
    { path: "b", value: 2 },
  ]);
});

const name = fc.constantFrom("a", "b", "0", "x.y", "", "constructor");
const value = fc.oneof(
  fc.constantFrom(1, null, "t", "text", [], [1, 2], {}, { a: 1 }, { a: { b: [1] } }, { "0": 1 }, "x"),
  fc.jsonValue({ maxDepth: 2 }),
);
const pointer = fc
  .array(fc.oneof(name, fc.constantFrom("-", "1")), { maxLength: 3 })
  .map((names) => names.map((one) => `/${one}`).join(""));
const operation = fc.record({
  op: fc.constantFrom("add", "add", "remove", "replace", "move", "copy"),
  path: pointer,
  from: pointer,
  value,
});
const change = fc.oneof(
  fc.record({ snapshot: value }),
  fc.record({ patch: fc.array(operation, { minLength: 1, maxLength: 3 }) }),
);

test("the chunks of any changes build the document", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const state = create();
      let document: unknown = {};
      let read: StructuredStreamState | undefined;
      for (const one of changes) {
        let chunks: object[] = [];
        try {
          chunks = "snapshot" in one ? state.replace(one.snapshot) : state.patch(one.patch);
        } catch {
          continue;
        }
        if (chunks.length === 0) continue;
        for (const chunk of chunks) read = applyStructuredChunk(read, chunk as StructuredStreamChunk);
        document = state.document;
        expect(read?.data).toEqual(document);
      }
    }),
    { numRuns: 500 },
  );
});
