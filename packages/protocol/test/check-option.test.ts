import { describe, expect, test } from "vitest";
import { checkFunctionOption, checkLimitOption, checkOption } from "../src/check-option.ts";

describe("refuses an invalid option, naming it and describing its value:", () => {
  const values: [value: unknown, described: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    ["text", '"text"'],
    ["x".repeat(1000), `"${"x".repeat(40)}"`],
    [Number.NaN, "NaN"],
    [-1, "-1"],
    [10n, "10"],
    [true, "true"],
    [[1], "an array"],
    [{ password: "hunter2" }, "an object"],
    [Promise.resolve(), "a promise"],
    [() => {}, "a function"],
    [Symbol("s"), "a symbol"],
  ];
  test.each(values)("%s", (value, described) => {
    expect(() => checkOption("agent", false, "an agent", value)).toThrow(
      new TypeError(`agent must be an agent; got ${described}.`),
    );
  });
});

test("accepts a valid option, and an absent one", () => {
  checkOption("a", true, "anything", undefined);
  for (const value of [undefined, () => {}]) checkFunctionOption("a", value);
  for (const value of [undefined, 0, 1.5, Number.POSITIVE_INFINITY]) checkLimitOption("a", value);
});

test("requires a function option to be a function, and a limit to be a number of 0 or more", () => {
  for (const value of [null, "f", {}]) expect(() => checkFunctionOption("a", value)).toThrow(TypeError);
  expect(() => checkFunctionOption("onError", {})).toThrow("onError must be a function; got an object.");
  for (const value of [null, "8000", Number.NaN, -1, {}]) {
    expect(() => checkLimitOption("a", value)).toThrow(RangeError);
  }
  expect(() => checkLimitOption("maxBodyBytes", "1mb")).toThrow(
    'maxBodyBytes must be a number, 0 or more; got "1mb".',
  );
});
