/**
 * A list of what to read on a question, built step by step in `structured-data` chunks while the answer is written.
 */
import type { StructuredDataChunk } from "@kortyx/server";
import { fromMarkdown } from "mdast-util-from-markdown";
import { toString as toText } from "mdast-util-to-string";
import { documentUrl, type MarkdownBlock } from "./markdown-sections.ts";
import { splitText } from "./pace-text.ts";
import type { DocumentationHit } from "./section-search.ts";

/** What the chunks with `dataType: "reading-list"` build. */
interface ReadingList {
  title: string;
  items: ReadingListItem[];
}

interface ReadingListItem {
  heading: string;
  document: string;
  url: string;
  /** How long the section is. */
  words: number;
  /** What the section says about the question, in plain text. */
  summary: string;
}

const maxSummaryLength = 160;

/** Fills the list with the sections, best first, and closes it. Without sections there is no list. */
export function* fillReadingList(hits: readonly DocumentationHit[]): Generator<StructuredDataChunk> {
  if (hits.length === 0) return;
  const head = {
    type: "structured-data",
    streamId: crypto.randomUUID(),
    dataType: "reading-list",
  } as const;
  const list: ReadingList = { title: "Where to read on", items: hits.map(toItem) };

  yield { ...head, kind: "set", path: "title", value: list.title };
  for (const [position, item] of list.items.entries()) {
    yield { ...head, kind: "append", path: "items", items: [{ ...item, summary: "" }] };
    for (const delta of splitText(item.summary)) {
      yield { ...head, kind: "text-delta", path: `items.${position}.summary`, delta };
    }
  }
  yield { ...head, kind: "final", data: list };
}

function toItem({ section, passage }: DocumentationHit): ReadingListItem {
  // Code says little in one line of plain text.
  const { blocks } = section;
  const prose = passage.kind === "code" ? blocks.find(({ kind }) => kind === "text") : passage;
  return {
    heading: section.heading,
    document: section.document,
    url: documentUrl(section.path),
    words: section.text.split(/\s+/).filter((word) => word !== "").length,
    summary: prose === undefined ? "" : summarize(prose),
  };
}

function summarize({ kind, markdown }: MarkdownBlock): string {
  const text = toText(fromMarkdown(markdown)).replace(/\s+/g, " ").trim();
  const plain = kind === "table" ? text.replace(/^\| *| *\|$/g, "").replace(/ *\| */g, " · ") : text;
  if (plain.length <= maxSummaryLength) return plain;
  return `${plain.slice(0, plain.lastIndexOf(" ", maxSummaryLength - 1))}…`;
}
