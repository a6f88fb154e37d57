import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canBeJoined, parseTogether } from "../src/parse-together.ts";
import { anyJSON } from "./chunk-arbitraries.ts";

/** Parts of JSON, so that texts often make sense only together with their neighbours. */
const anyParts = fc
  .array(
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      "1",
      "null",
      '"a":',
      "{}",
      " ",
      "\n",
      '"},{"',
      "},",
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(""));

const anyObject = fc.dictionary(fc.string({ maxLength: 3 }), anyJSON, { maxKeys: 3 });

const anyText = fc.oneof(
  { weight: 3, arbitrary: anyObject.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: anyObject.map((value) => JSON.stringify(value, null, 1)) },
  { weight: 2, arbitrary: anyParts },
);

/** What `JSON.parse` returns for each text; `undefined` if one of them is not an object. */
function parseOneByOne(texts: string[]): object[] | undefined {
  try {
    const values = texts.map((text) => JSON.parse(text));
    const areObjects = values.every(
      (value) => value !== null && typeof value === "object" && !Array.isArray(value),
    );
    return areObjects ? values : undefined;
  } catch {
    return undefined;
  }
}

describe("parseTogether", () => {
  test("returns what each text holds, and nothing if one of them is not an object", () => {
    let parsed = 0;
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 5 }), (texts) => {
        fc.pre(texts.every(canBeJoined));
        const values = parseTogether(texts);
        expect(values).toEqual(parseOneByOne(texts));
        if (values !== undefined && texts.length > 1) parsed++;
      }),
      { numRuns: 4000 },
    );
    expect(parsed).toBeGreaterThan(100);
  });

  test.each([
    { name: "a value in two parts", texts: ['{"a":[{}', "{}]}"] },
    { name: "a string in two parts", texts: ['{"a":"', '"}'] },
    { name: "a value in two parts, and one of two values", texts: ['{"a":[{}', '{}]},{"b":1}'] },
    { name: "the same with white space", texts: ['{"a":[{}', '{}]} \n,\t{"b":1}'] },
    { name: "a string in two parts, and one of two values", texts: ['{"a":"},{', '","b":{}},{}'] },
    { name: "an array, and two values in one", texts: ["[", "{}],[{}"] },
    { name: "no value", texts: ["", "{}"] },
    { name: "an array in place of an object", texts: ["[]", "{}"] },
  ])("never reads $name as two objects", ({ texts }) => {
    expect(texts.every(canBeJoined) ? parseTogether(texts) : undefined).toBeUndefined();
  });

  test.each(['{"a":1}', '{"a":{"b":1}}', '{"a":"}"}', '{"a":[{}]}', '{"a":[1,2]}'])("can join %s", (text) => {
    expect(canBeJoined(text)).toBe(true);
  });

  test.each(['{"a":[{},{}]}', '{"a":"},{"}', "{} , {}", "{}\r\n,\t{}"])("cannot join %s", (text) => {
    expect(canBeJoined(text)).toBe(false);
  });
});
