import { expect, test } from "vitest";
import { parseQuestion } from "../src/parse-question.ts";

test.each([
  ["How does it end?", { query: "How does it end?" }],
  ["  heartbeat in:docs ", { query: "heartbeat", path: "docs" }],
  ["in:docs/a.md what ends\nit", { query: "what ends it", path: "docs/a.md" }],
  ["in:a in:b end", { query: "end", path: "b" }],
  ["What is in: it?", { query: "What is in: it?" }],
  ["built-in:things", { query: "built-in:things" }],
  ["in:docs", { query: "", path: "docs" }],
  ["", { query: "" }],
])("%j is read as %j", (text, expected) => {
  expect(parseQuestion(text)).toEqual(expected);
});

test("what is behind 4,000 characters is not searched for", () => {
  expect(parseQuestion(`${"a".repeat(4000)}b in:docs`)).toEqual({ query: "a".repeat(4000) });
});
