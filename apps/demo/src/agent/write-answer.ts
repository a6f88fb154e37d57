/** How an answer without a model is written: its text at the pace of one, and a list to read that grows beside it. */
import { setTimeout as sleep } from "node:timers/promises";
import { createStructuredStreamWriter, type StructuredDataChunk } from "@kortyx/server";
import { pageUrl, type SearchHit } from "./search.ts";

export interface PaceTextOptions {
  /** `0` hands out everything at once. */
  tokensPerSecond: number;
  signal?: AbortSignal | undefined;
}

/**
 * Yields the pieces of a text, the first one at once. Keeps to the rate, however late single timers are.
 *
 * @throws AbortError when the signal is aborted while it waits.
 */
export async function* paceText(text: string, options: PaceTextOptions): AsyncGenerator<string> {
  const { tokensPerSecond, signal } = options;
  const intervalMs = tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0;
  const startedAt = Date.now();
  for (const [index, piece] of splitText(text).entries()) {
    const delayMs = startedAt + index * intervalMs - Date.now();
    if (delayMs >= 1) await sleep(delayMs, undefined, { signal });
    yield piece;
  }
}

/** Whitespace and up to eight characters of the word after it: about what a model calls a token. */
const piecePattern = /\s*\S{1,8}|\s+/gu;

/** Splits a text into pieces of about a word; joined, they are the text. */
export const splitText = (text: string): string[] => text.match(piecePattern) ?? [];

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
