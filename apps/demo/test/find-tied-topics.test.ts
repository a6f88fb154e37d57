import { expect, test } from "vitest";
import { findTiedTopics } from "../src/find-tied-topics.ts";
import type { DocumentationHit } from "../src/section-search.ts";

const hit = (path: string, score: number, isNamed = true): DocumentationHit => ({
  section: { path, document: path, heading: "Errors", blocks: [], text: "" },
  passage: { kind: "text", markdown: "" },
  score,
  isNamed,
  rarities: new Map(),
});

const topicsOf = (...hits: DocumentationHit[]) => findTiedTopics(hits).map(({ section }) => section.path);

test("documents whose headings name the question and whose scores are within a fifth are tied", () => {
  expect(topicsOf(hit("a.md", 10), hit("b.md", 8), hit("c.md", 7.9))).toEqual(["a.md", "b.md"]);
});

test("a document is one topic, however many of its sections are tied", () => {
  expect(topicsOf(hit("a.md", 10), hit("a.md", 9))).toEqual([]);
  expect(topicsOf(hit("a.md", 10), hit("b.md", 9.5), hit("a.md", 9))).toEqual(["a.md", "b.md"]);
});

test("a hit whose heading does not name the question is no topic, and as the best it leaves nothing to choose", () => {
  expect(topicsOf(hit("a.md", 10), hit("b.md", 10, false))).toEqual([]);
  expect(topicsOf(hit("a.md", 10, false), hit("b.md", 10), hit("c.md", 10))).toEqual([]);
  expect(topicsOf(hit("a.md", 10), hit("b.md", 10, false), hit("c.md", 10))).toEqual(["a.md", "c.md"]);
});

test("without a hit there is nothing to choose", () => {
  expect(topicsOf()).toEqual([]);
});
