import { createStructuredStreamAccumulator } from "@kortyx/client";
import { expect, test } from "vitest";
import { parseMarkdownSections } from "../src/markdown-sections.ts";
import { fillReadingList } from "../src/reading-list.ts";
import { createSectionSearch } from "../src/section-search.ts";

const fill = (markdown: string, query: string) => [
  ...fillReadingList(createSectionSearch(parseMarkdownSections("docs/a b.md", markdown))(query).hits),
];

const markdown =
  "# Zoo\n\n## Wombats\n\nA *wombat* [sleeps](b.md) in\nthe `garden`.\n\n## More wombats\n\n- A parrot eats what the wombat leaves.\n";

test("the list is begun, gets its items one by one and their texts in pieces, and is closed", () => {
  const chunks = fill(markdown, "wombat");
  const [{ streamId } = { streamId: "" }] = chunks;
  const head = { type: "structured-data", streamId, dataType: "reading-list" };
  const wombats = { heading: "Wombats", document: "Zoo", url: "/docs/docs/a%20b.md", words: 6 };
  expect(chunks.slice(0, 4)).toEqual([
    { ...head, kind: "set", path: "title", value: "Where to read on" },
    { ...head, kind: "append", path: "items", items: [{ ...wombats, summary: "" }] },
    { ...head, kind: "text-delta", path: "items.0.summary", delta: "A" },
    { ...head, kind: "text-delta", path: "items.0.summary", delta: " wombat" },
  ]);
  expect(chunks.at(-1)).toEqual({
    ...head,
    kind: "final",
    data: {
      title: "Where to read on",
      items: [
        { ...wombats, summary: "A wombat sleeps in the garden." },
        {
          heading: "More wombats",
          document: "Zoo",
          url: "/docs/docs/a%20b.md",
          words: 7,
          summary: "A parrot eats what the wombat leaves.",
        },
      ],
    },
  });
});

test("the steps build what the last one says", () => {
  const chunks = fill(markdown, "wombat");
  const accumulator = createStructuredStreamAccumulator();
  for (const chunk of chunks.slice(0, -1)) accumulator.apply(chunk);
  const { data, status } = accumulator.get(chunks[0]!.streamId)!;
  expect(status).toBe("streaming");
  expect(chunks.at(-1)).toMatchObject({ kind: "final", data });
});

const summaryOf = (text: string, query: string) => {
  const last = fill(`# A\n\n${text}\n`, query).at(-1);
  return last?.kind === "final" && (last.data as { items: { summary: string }[] }).items[0]?.summary;
};

test("a row of a table is summarized by its cells, and code by the text beside it", () => {
  expect(summaryOf("| name | value |\n| --- | --- |\n| `wombat` | brown |", "wombat")).toBe("wombat · brown");
  expect(summaryOf("Call it:\n\n```ts\nwombat();\n```", "wombat")).toBe("Call it:");
  expect(summaryOf("```ts\nwombat();\n```", "wombat")).toBe("");
});

test("a long text is cut between two words, at 160 characters", () => {
  const summary = summaryOf(`Wombat ${"word ".repeat(60)}`, "wombat");
  expect(summary).toBe(`Wombat${" word".repeat(30)}…`);
});

test("two lists are two objects", () => {
  expect(fill(markdown, "wombat")[0]?.streamId).not.toBe(fill(markdown, "wombat")[0]?.streamId);
});

test("without sections there is no list", () => {
  expect(fill(markdown, "flumoxitron")).toEqual([]);
});
