import { expect, test, vi } from "vitest";
import { isStreamError, StreamError, StreamProtocolError, StreamTruncatedError } from "../src/errors.ts";

test("errors have a class, a name and a code, and keep their cause", () => {
  const cause = new Error("inner");
  const error = new StreamProtocolError("invalid-json", "words", { cause });
  expect(error).toBeInstanceOf(StreamError);
  expect(error).toBeInstanceOf(Error);
  expect({ ...error, name: error.name, message: error.message, cause: error.cause }).toEqual({
    name: "StreamProtocolError",
    code: "invalid-json",
    message: "words",
    cause,
  });
  expect(new StreamTruncatedError()).toMatchObject({
    name: "StreamTruncatedError",
    code: "truncated",
    message: "The stream ended too early: the answer is incomplete.",
  });
  expect(new StreamTruncatedError("Cut", { cause })).toMatchObject({
    message: "Cut: the answer is incomplete.",
    cause,
  });
});

test("isStreamError accepts errors from another copy of the package", async () => {
  vi.resetModules();
  const copy = await import("../src/errors.ts");
  const error = new copy.StreamTruncatedError();
  expect(error).not.toBeInstanceOf(StreamTruncatedError);
  expect(isStreamError(error)).toBe(true);
});

test("isStreamError rejects everything else", () => {
  for (const value of [
    null,
    undefined,
    "x",
    {},
    new Error("x"),
    { name: "StreamTruncatedError", code: "truncated" },
  ]) {
    expect(isStreamError(value)).toBe(false);
  }
});
