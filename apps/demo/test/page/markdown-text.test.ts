import { globSync, readFileSync } from "node:fs";
import { fromMarkdown } from "mdast-util-from-markdown";
import { expect, test } from "vitest";
import { splitMarkdown } from "../../src/page/markdown-text.tsx";

const root = new URL("../../../../", import.meta.url).pathname;

/** The meaning of a text, without the positions of its parts. */
const parse = (markdown: string): unknown[] =>
  JSON.parse(
    JSON.stringify(fromMarkdown(markdown).children, (key, value) => (key === "position" ? undefined : value)),
  );

test("the blocks of every document of this repository mean the same alone as together, whole or half-written", () => {
  const paths = globSync(["*.md", "docs/*.md", "{packages,apps}/*/README.md", "apps/demo/content/*.md"], {
    cwd: root,
  });
  expect(paths.length).toBeGreaterThan(5);
  let longest = 0;
  for (const path of paths) {
    const whole = readFileSync(`${root}${path}`, "utf8");
    for (const share of [1, 0.77, 0.5, 0.31, 0.13]) {
      const text = whole.slice(0, whole.length * share);
      const blocks = splitMarkdown(text);
      longest = Math.max(longest, blocks.length);
      expect(blocks.join("")).toBe(text);
      expect(blocks.flatMap(parse), path).toEqual(parse(text));
    }
  }
  expect(longest).toBeGreaterThan(20);
});

test.each([
  ["code with empty lines", "```\na\n\nb\n```\n\nText\n", 2],
  ["code that is still open", "~~~\na\n\nb\n\n# c\n", 1],
  ["a fence in a longer fence", "````\n```\n\nb\n````\n\nText\n", 2],
  ["a list with space between its items", "- a\n\n- b\n\n  more of b\n\nText\n", 2],
  ["a numbered list", "1. a\n\n2. b\n\n   - c\n\nText\n", 2],
  ["quotes", "> a\n\n> b\n>\n> c\n", 2],
  ["indented code", "Text\n\n    a\n\n    b\n\nText\n", 2],
  ["a comment with empty lines", "Text\n\n<!-- a\n\nb -->\n\nText\n", 1],
  ["a link that is defined elsewhere", "[a][b]\n\nText\n\n[b]: https://example.com\n", 1],
])("%s stays in one block", (_name, text, count) => {
  const blocks = splitMarkdown(text);
  expect(blocks).toHaveLength(count);
  expect(blocks.join("")).toBe(text);
  expect(blocks.flatMap(parse)).toEqual(parse(text));
});

test("a text that grows changes its last block only", () => {
  const text = "One.\n\n- a\n- b\n\n```\ncode\n\nmore\n```\n\n> quote\n\nEnd.";
  let before: string[] = [];
  for (let length = 1; length <= text.length; length++) {
    const blocks = splitMarkdown(text.slice(0, length));
    expect(blocks.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
    before = blocks;
  }
  expect(before).toHaveLength(5);
});
