import { expect, test } from "vitest";
import { parseMarkdownSections } from "../src/markdown-sections.ts";
import { quoteSection } from "../src/quote-section.ts";

const quote = (markdown: string, ...words: string[]) =>
  quoteSection(parseMarkdownSections("a.md", markdown)[0]!, new Map(words.map((word) => [word, 1])));

const filler = (count: number) =>
  Array.from({ length: count }, (_, index) => `Sentence number ${index} is here.`).join(" ");

test("a short section is quoted whole, with its heading", () => {
  expect(quote("# A *b*\n\nOne.\n\n- two\n- three\n", "three")).toBe(
    "> **A b**\n>\n> One.\n>\n> - two\n> - three",
  );
});

test("a heading without a text is quoted alone", () => {
  expect(quote("# A")).toBe("> **A**");
});

test("a long paragraph is cut between sentences, and begins with the one that was asked for", () => {
  const text = quote(`# A\n\n${filler(20)} The wombat sleeps. ${filler(40)}`, "wombat");
  expect(text).toMatch(/^> \*\*A\*\*\n>\n> The wombat sleeps\. Sentence number 0 is here\./);
  expect(text).toMatch(/is here\.$/);
  expect(text.length).toBeLessThan(700);
});

test("a sentence does not end inside code", () => {
  const text = quote(`# A\n\n${filler(30)} Run \`sleep. Then wombat\` now. ${filler(1)}`, "wombat");
  expect(text).toContain("> Run `sleep. Then wombat` now.");
});

test("a long section begins at the block that was asked for", () => {
  expect(quote(`# A\n\n${filler(20)}\n\n${filler(10)}\n\nThe wombat.\n`, "wombat")).toBe(
    "> **A**\n>\n> The wombat.",
  );
});

test("code stays whole, with the line that introduces it", () => {
  const code = Array.from({ length: 60 }, (_, index) => `const wombat${index} = ${index};`).join("\n");
  const text = quote(`# A\n\n${filler(20)}\n\nLike this:\n\n\`\`\`ts\n${code}\n\`\`\`\n\nEnd.\n`, "const");
  expect(text).toBe(`> **A**\n>\n> Like this:\n>\n> \`\`\`ts\n> ${code.replaceAll("\n", "\n> ")}\n> \`\`\``);
});

test("a long table keeps its header and the rows that were asked for", () => {
  const rows = Array.from({ length: 40 }, (_, index) => `| row ${index} | ${"x".repeat(20)} |`);
  rows[30] = "| wombat | y |";
  const lines = quote(`# A\n\n| name | value |\n| --- | --- |\n${rows.join("\n")}\n`, "wombat").split("\n");
  expect(lines.slice(2, 5)).toEqual(["> | name | value |", "> | --- | --- |", "> | wombat | y |"]);
  expect(lines.at(-1)).toBe("> | row 39 | xxxxxxxxxxxxxxxxxxxx |");
});

test("the words of the heading do not decide which part is quoted", () => {
  const text = quote(`# Wombat\n\nFirst.\n\n${filler(40)}\n\nA wombat again.\n`, "wombat");
  expect(text).toContain("> First.");
});

test("a long section begins at the passage that was found, wherever its words stand first", () => {
  const [section] = parseMarkdownSections(
    "a.md",
    `# A\n\nA wombat.\n\n${filler(40)}\n\n- One wombat.\n- Two wombats.\n`,
  );
  const passage = { kind: "item", markdown: "- Two wombats." } as const;
  expect(quoteSection(section!, new Map([["wombat", 1]]), passage)).toBe("> **A**\n>\n> - Two wombats.");
});
