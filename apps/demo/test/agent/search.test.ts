import { expect, test } from "vitest";
import { createSearch, listWords, parseQuestion, readPages } from "../../src/agent/search.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const zoo = `# Zoo

All animals.

## Wombats

A wombat digs in the garden.

\`\`\`sh
# not a heading
\`\`\`

## Parrots

A parrot eats what the wombat leaves. It is green, and reconnecting.
`;

const searchIn = (pages: Record<string, string>) => createSearch(new Map(Object.entries(pages)));
const search = searchIn({ "zoo.md": zoo });
const headings = (query: string) => search({ query }).hits.map(({ section }) => section.heading);

test("a page is cut at its headings", () => {
  expect(search({ query: "wombats" }).hits[0]?.section).toEqual({
    page: "zoo.md",
    title: "Zoo",
    heading: "Wombats",
    text: "A wombat digs in the garden.\n\n```sh\n# not a heading\n```",
  });
  expect(search({ query: "animals" }).hits[0]?.section).toMatchObject({
    heading: "Zoo",
    text: "All animals.",
  });
});

test("a section is ranked by its heading first", () => {
  expect(headings("What is a wombat?")).toEqual(["Wombats", "Parrots"]);
});

test("a mistyped word, the beginning of a word and a plural find it", () => {
  for (const query of ["reconecting", "reconn", "parrots"]) expect(headings(query)[0]).toBe("Parrots");
});

test("a section must contain half of the words", () => {
  expect(headings("green flumoxitron")).toEqual(["Parrots"]);
  expect(headings("green flumoxitron engine")).toEqual([]);
});

test("a word that occurs nowhere is reported", () => {
  expect(search({ query: "green flumoxitron" }).hasUnknownWords).toBe(true);
  expect(search({ query: "Which parrot is green?" }).hasUnknownWords).toBe(false);
});

test("a hit is named if its heading contains every word of the question", () => {
  const named = (query: string) => search({ query }).hits.map(({ isNamed }) => isNamed);
  expect(named("What is a wombat?")).toEqual([true, false]);
  expect(named("wombat garden")[0]).toBe(false);
});

test("a search in one page finds nothing of another, and a page that does not exist is an error", () => {
  const both = searchIn({ "a.md": "# A\n\nwombat", "b.md": "# B\n\nwombat" });
  expect(both({ query: "wombat", page: "b.md" }).hits.map(({ section }) => section.page)).toEqual(["b.md"]);
  expect(() => both({ query: "wombat", page: "c.md" })).toThrow('There is no page called "c.md".');
});

test.each([
  ["What is a chunk?", ["chunk"]],
  ["what is it?", []],
  ["Hello!", []],
  ["??", []],
  ["", []],
])("the words of %j that are worth a search are %j", (text, words) => {
  expect(listWords(text)).toEqual(words);
});

test.each([
  ["How does it end?", { query: "How does it end?" }],
  ["heartbeat in:wire ", { query: "heartbeat", page: "wire.md" }],
  ["in:wire.md what ends it", { query: "what ends it", page: "wire.md" }],
  ["What is in: it?", { query: "What is in: it?" }],
  ["built-in:things", { query: "built-in:things" }],
])("%j is read as %j", (text, expected) => {
  expect(parseQuestion(text)).toEqual(expected);
});

test("the pages of a folder are its Markdown files, by name", async () => {
  const folder = await createTemporaryFolder({ "b.md": "# B", "a.md": "# A", "c.txt": "C" });
  expect([...readPages(folder)]).toEqual([
    ["a.md", "# A"],
    ["b.md", "# B"],
  ]);
});
