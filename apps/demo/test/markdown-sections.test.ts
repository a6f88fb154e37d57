import { expect, test } from "vitest";
import { documentUrl, parseMarkdownSections } from "../src/markdown-sections.ts";

const blocksOf = (markdown: string, path = "docs/guide/a.md") =>
  parseMarkdownSections(path, markdown).flatMap((section) => section.blocks);

test("a picture by itself is not quoted", () => {
  expect(blocksOf("# A\n\n![A picture](a.png)\n\nText with ![an icon](i.png).")).toEqual([
    { kind: "text", markdown: "Text with an icon." },
  ]);
});

test("a section is a heading and what stands below it", () => {
  const sections = parseMarkdownSections("a.md", "# The `title`\n\nOne.\n\n## Two\n\n## Three\n\nFour.\n");
  expect(sections).toEqual([
    {
      path: "a.md",
      document: "The title",
      heading: "The title",
      blocks: [{ kind: "text", markdown: "One." }],
      text: "One.\n",
    },
    { path: "a.md", document: "The title", heading: "Two", blocks: [], text: "" },
    {
      path: "a.md",
      document: "The title",
      heading: "Three",
      blocks: [{ kind: "text", markdown: "Four." }],
      text: "Four.\n",
    },
  ]);
});

test("text without a heading belongs to the file, or to its first heading", () => {
  expect(parseMarkdownSections("a.md", "Just text.")).toMatchObject([{ document: "a.md", heading: "a.md" }]);
  expect(parseMarkdownSections("a.md", "Above.\n\n# Title\n")).toMatchObject([
    { heading: "Title", text: "Above.\n" },
    { heading: "Title", text: "" },
  ]);
});

test("front matter is not text", () => {
  expect(parseMarkdownSections("a.md", "---\ntitle: A\n---\n# B\n\nC\n")).toMatchObject([{ heading: "B" }]);
});

test("code, list items and tables are told apart", () => {
  const markdown =
    "Soft\nbreak.\n\n- one\n- two\n  lines\n\n```sh\nls\n```\n\n| a | b |\n| --- | --- |\n| c | d |\n";
  expect(blocksOf(markdown)).toEqual([
    { kind: "text", markdown: "Soft break." },
    { kind: "item", markdown: "- one" },
    { kind: "item", markdown: "- two\n  lines" },
    { kind: "code", markdown: "```sh\nls\n```" },
    { kind: "table", markdown: "| a | b |\n| --- | --- |\n| c | d |" },
  ]);
});

test("links lead where the demo serves the file, or are plain text", () => {
  const markdown =
    "[up](../b.md#x) [**same** page](#y) [out](../../../c.md) [code](../x.ts) [web](https://example.com) [ref][r]\n\n[r]: ./d.md\n";
  expect(blocksOf(markdown)).toEqual([
    {
      kind: "text",
      markdown:
        "[up](/docs/docs/b.md) [**same** page](/docs/docs/guide/a.md) out code [web](https://example.com) [ref](/docs/docs/guide/d.md)",
    },
  ]);
});

test("scripts and other schemes are no links", () => {
  expect(blocksOf("[a](javascript:alert(1)) [b](/etc/passwd.md) [c](data:text/html,x)")[0]?.markdown).toBe(
    "a b c",
  );
});

test("raw HTML and images are left out", () => {
  expect(blocksOf("<p align=center>x</p>\n\nA <b>bold</b> ![logo](./logo.png) word.")).toEqual([
    { kind: "text", markdown: "A bold logo word." },
  ]);
});

test("an address holds no character that an address must not", () => {
  expect(documentUrl("docs/a b/ü#1?.md")).toBe("/docs/docs/a%20b/%C3%BC%231%3F.md");
});
