import { expect, test } from "vitest";
import { parseMarkdownSections } from "../src/markdown-sections.ts";
import { createSectionSearch, isSearchable } from "../src/section-search.ts";

/** @param files - Contents by path. */
const searchIn = (files: Record<string, string>) =>
  createSectionSearch(
    Object.entries(files).flatMap(([path, markdown]) => parseMarkdownSections(path, markdown)),
  );

const headingsOf = (markdown: string, query: string) =>
  searchIn({ "a.md": markdown })(query).hits.map((hit) => hit.section.heading);

test("ranks a section by its heading first", () => {
  const markdown =
    "# A\n\n## Other\n\nHeartbeats, heartbeats, heartbeats.\n\n## Heartbeats\n\nA comment when idle.\n";
  expect(headingsOf(markdown, "What are heartbeats?")[0]).toBe("Heartbeats");
});

const filler = (words: string) => Array.from({ length: 30 }, () => `Something else ${words}.`).join(" ");

test("ranks the paragraph that answers before the introduction of what is asked about", () => {
  const markdown = `# The client\n\nThe client reads. The client is small.\n\n## Streams\n\n${filler("here")}\n\n- ${filler("there")}\n- When the client leaves, everything is closed.\n`;
  const { hits } = searchIn({ "a.md": markdown })("What happens when the client leaves?");
  expect(hits[0]?.section.heading).toBe("Streams");
  expect(hits[0]?.passage).toEqual({
    kind: "item",
    markdown: "- When the client leaves, everything is closed.",
  });
});

test("ranks two words in one paragraph before the same two far apart", () => {
  const markdown = `# A\n\n## Apart\n\nThe wombat eats.\n\nThe garden grows.\n\n## Together\n\n${filler("now")} A wombat in a garden. ${filler("then")}\n`;
  expect(headingsOf(markdown, "wombat garden")[0]).toBe("Together");
});

test("ranks a sentence before a table row and code that hold the same words", () => {
  const markdown =
    "# A\n\n## Code\n\n```ts\nwombat(here);\n```\n\n## Table\n\n| a | b |\n| --- | --- |\n| wombat | here |\n\n## Text\n\nWombat here.\n";
  expect(headingsOf(markdown, "wombat")).toEqual(["Text", "Table"]);
});

test("finds the row of a table that answers", () => {
  const markdown = "# A\n\n| name | value |\n| --- | --- |\n| wombat | brown |\n| parrot | green |\n";
  expect(searchIn({ "a.md": markdown })("parrot").hits[0]?.passage).toEqual({
    kind: "table",
    markdown: "| parrot | green |",
  });
});

test("does not find a text by where its links lead", () => {
  expect(headingsOf("# A\n\nRead [this](wombat.md).\n", "wombat")).toEqual([]);
});

test("forgives a mistyped word, finds the beginning of a word, and the words inside a name", () => {
  const markdown = "# A\n\nUse createMessageAccumulator for reconnecting.\n";
  expect(headingsOf(markdown, "reconecting")).toEqual(["A"]);
  expect(headingsOf(markdown, "reconn")).toEqual(["A"]);
  expect(headingsOf(markdown, "accumulators")).toEqual(["A"]);
  expect(headingsOf(markdown, "CreateMessageAccumulator")).toEqual(["A"]);
});

test("does not answer a question about something unknown with sections that share a common word", () => {
  const markdown = Array.from({ length: 8 }, (_, index) => `# Part ${index}\n\nA stream of things.\n`).join(
    "\n",
  );
  expect(headingsOf(markdown, "How does a flumoxitron stream?")).toEqual([]);
  expect(headingsOf(markdown, "stream")).toHaveLength(5);
});

test("finds nothing for a question without a word to look for", () => {
  expect(headingsOf("# What is this?\n\nWhat it is.\n", "what is this?")).toEqual([]);
  expect(headingsOf("# What is this?\n\nWhat it is.\n", "  ")).toEqual([]);
});

test("takes a word in capitals for a name, however common it is in small letters", () => {
  const markdown = "# A\n\n## Work\n\nWhat is done is done.\n\n## End\n\nA stream ends with `[DONE]`.\n";
  expect(headingsOf(markdown, "What is [DONE]?")).toEqual(["End"]);
});

test("knows whether the heading holds every word of the question", () => {
  const search = searchIn({ "a.md": "# A\n\n## Stream errors\n\nOne.\n\n## Errors\n\nOf a stream.\n" });
  const named = search("Which errors can a stream have?").hits.map((hit) => [
    hit.section.heading,
    hit.isNamed,
  ]);
  expect(Object.fromEntries(named)).toEqual({ "Stream errors": true, Errors: false });
});

test("searches one file or one folder, and knows the words of all others", () => {
  const search = searchIn({
    "docs/a.md": "# A\n\nThe wombat.\n",
    "docs/b.md": "# B\n\nThe wombat.\n",
    "docs-old/c.md": "# C\n\nThe wombat and the parrot.\n",
  });
  const headings = (path?: string) => search("wombat", path).hits.map((hit) => hit.section.heading);
  expect(headings().sort()).toEqual(["A", "B", "C"]);
  expect(headings("docs").sort()).toEqual(["A", "B"]);
  expect(headings("docs/").sort()).toEqual(["A", "B"]);
  expect(headings("docs/b.md")).toEqual(["B"]);
  expect(search("wombat parrot", "docs").hasUnknownWords).toBe(false);
});

test.each([
  ["What is a chunk?", true],
  ["SSE", true],
  ["what is it?", false],
  ["Hello!", false],
  ["??", false],
  ["an id", false],
  ["", false],
])(
  "a question is worth a search when it has a word of three letters to look for: %j, %j",
  (query, expected) => {
    expect(isSearchable(query)).toBe(expected);
  },
);
