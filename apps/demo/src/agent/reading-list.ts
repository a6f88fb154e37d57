/** A list of sections to read, built step by step in `structured-data` chunks while the answer is written. */
import { createStructuredStreamWriter, type StructuredDataChunk } from "@kortyx/server";
import { splitText } from "./pace-text.ts";
import type { SearchHit } from "./search.ts";
import { pageUrl } from "./search-tool.ts";

/** The data of the structured object `reading-list`. */
export interface ReadingList {
  title: string;
  /** Each with the title of its page, and the beginning of the section as plain text. */
  items: { heading: string; page: string; url: string; summary: string }[];
}

const maxSummaryLength = 160;

const writer = createStructuredStreamWriter<{ structured: { "reading-list": ReadingList } }, "reading-list">({
  dataType: "reading-list",
  streamId: "reading-list",
});

/** Fills the list with the sections, best first, and closes it. Without sections there is no list. */
export function* fillReadingList(hits: readonly SearchHit[]): Generator<StructuredDataChunk> {
  if (hits.length === 0) return;
  const list: ReadingList = { title: "Read more", items: hits.map(toItem) };

  yield writer.set("title", list.title);
  for (const [position, item] of list.items.entries()) {
    yield writer.append("items", { ...item, summary: "" });
    for (const delta of splitText(item.summary)) yield writer.textDelta(`items.${position}.summary`, delta);
  }
  yield writer.final(list);
}

function toItem({ section: { page, title, heading, text } }: SearchHit): ReadingList["items"][number] {
  const [paragraph = ""] = text.split("\n\n", 1);
  const plain = paragraph.replace(/[`*_]/g, "").replace(/\s+/g, " ");
  const summary =
    plain.length <= maxSummaryLength
      ? plain
      : `${plain.slice(0, plain.lastIndexOf(" ", maxSummaryLength - 1))}…`;
  return { heading, page: title, url: pageUrl(page), summary };
}
