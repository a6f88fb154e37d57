import fc from "fast-check";
import { expect, test } from "vitest";
import { applyPatch } from "../../src/adapters/ag-ui-patch.ts";

const patched = (document: unknown, ...patch: object[]) => applyPatch(document, patch).document;

// RFC 6902, appendix A, and the rules of each operation.
test.each([
  [{ foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { foo: "bar", baz: "qux" }],
  [{ foo: ["bar", "baz"] }, [{ op: "add", path: "/foo/1", value: "qux" }], { foo: ["bar", "qux", "baz"] }],
  [{ foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc"] }], { foo: ["bar", ["abc"]] }],
  [{ foo: ["bar"] }, [{ op: "add", path: "/foo/1", value: 1 }], { foo: ["bar", 1] }],
  [{ a: 1 }, [{ op: "add", path: "/a", value: 2 }], { a: 2 }],
  [{ baz: 1, foo: 2 }, [{ op: "remove", path: "/baz" }], { foo: 2 }],
  [{ foo: [1, 2, 3] }, [{ op: "remove", path: "/foo/1" }], { foo: [1, 3] }],
  [{ a: 1 }, [{ op: "replace", path: "/a", value: null }], { a: null }],
  [{ a: 1 }, [{ op: "replace", path: "", value: [1] }], [1]],
  [
    { foo: { bar: 1, waldo: 2 }, qux: {} },
    [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
    { foo: { bar: 1 }, qux: { thud: 2 } },
  ],
  [{ foo: [1, 2, 3, 4] }, [{ op: "move", from: "/foo/1", path: "/foo/3" }], { foo: [1, 3, 4, 2] }],
  [{ a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
  [{ a: { x: 1, y: [2] } }, [{ op: "test", path: "/a", value: { y: [2], x: 1 } }], { a: { x: 1, y: [2] } }],
  [{ "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
  [{ "": 1 }, [{ op: "replace", path: "/", value: 2 }], { "": 2 }],
])("%j with %j is %j", (document, patch, expected) => {
  const before = JSON.stringify(document);
  expect(patched(document, ...patch)).toEqual(expected);
  expect(JSON.stringify(document)).toBe(before);
});

test.each([
  [{ op: "add", path: "/a/b", value: 1 }],
  [{ op: "add", path: "/list/3", value: 1 }],
  [{ op: "add", path: "/list/01", value: 1 }],
  [{ op: "add", path: "/list/x", value: 1 }],
  [{ op: "add", path: "/x" }],
  [{ op: "remove", path: "/x" }],
  [{ op: "remove", path: "/list/2" }],
  [{ op: "remove", path: "/list/-" }],
  [{ op: "replace", path: "/toString", value: 1 }],
  [{ op: "move", from: "/x", path: "/y" }],
  [{ op: "move", from: "/o", path: "/o/p" }],
  [{ op: "copy", from: "/x", path: "/y" }],
  [{ op: "test", path: "/n", value: 2 }],
  [{ op: "test", path: "/list", value: [2, 1] }],
  [{ op: "add", path: "x", value: 1 }],
  [{ op: "add", path: "/~2", value: 1 }],
  [{ op: "add", path: "/__proto__/x", value: 1 }],
  [{ op: "other", path: "/n" }],
  [null],
])("%j does not fit", (operation) => {
  const document = { n: 1, list: [1, 2], o: {} };
  expect(() => applyPatch(document, [operation])).toThrow(/^A JSON Patch cannot be applied: /);
  expect({}).not.toHaveProperty("x");
});

test("a patch is applied as a whole, or not at all", () => {
  const document = { a: 1 };
  const patch = [
    { op: "replace", path: "/a", value: 2 },
    { op: "test", path: "/a", value: 3 },
  ];
  expect(() => applyPatch(document, patch)).toThrow();
  expect(document).toEqual({ a: 1 });
  expect(() => applyPatch(document, "x")).toThrow("it is not a list");
});

test("no patch changes a document that was handed out", () => {
  const path = fc.constantFrom("", "/a", "/a/0", "/a/-", "/a/b", "/b", "/b/c");
  const operation = fc.record({
    op: fc.constantFrom("add", "remove", "replace", "move", "copy"),
    path,
    from: path,
    value: fc.constantFrom(1, [1, 2], { b: 1 }),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 8 }), (operations) => {
      let document: unknown = { a: [1], b: { c: 1 } };
      for (const one of operations) {
        const before = JSON.stringify(document);
        const given = document;
        try {
          document = applyPatch(document, [one]).document;
        } catch {
          // It does not fit.
        }
        expect(JSON.stringify(given)).toBe(before);
      }
    }),
  );
});
