/**
 * The search as a tool that an agent calls: the chunks that report how a call ended, and the sources of its results.
 */
import type { StreamChunk, StreamChunkOf } from "@kortyx/server";
import {
  type Search,
  type SearchInput,
  type SearchResult,
  type Section,
  UnknownPageError,
} from "./search.ts";

export const searchTool = "search_documentation";

/**
 * Runs a call whose `tool-call-start` was already sent.
 *
 * @returns `undefined` when it failed, which does not end the answer.
 */
export function* runSearch(
  search: Search,
  { tool, toolCallId, input }: { tool: string; toolCallId: string; input: SearchInput },
): Generator<StreamChunk, SearchResult | undefined> {
  try {
    const result = search(input);
    const found = result.hits.map(({ section: { page, heading }, score }) => ({
      page,
      heading,
      score: Math.round(score * 10) / 10,
    }));
    const content = found.length > 0 ? found : "Nothing found.";
    yield { type: "tool-call-result", tool, toolCallId, content };
    return result;
  } catch (error) {
    // The texts of other errors are for the log: they may contain paths on this machine.
    const isForUser = error instanceof UnknownPageError;
    if (!isForUser) console.error(error);
    const message = isForUser ? error.message : "The search failed.";
    yield { type: "tool-call-error", tool, toolCallId, message };
    return undefined;
  }
}

/** The address under which the demo serves a page. */
export const pageUrl = (page: string): string => `/docs/${encodeURIComponent(page)}`;

export const toSource = ({ page, heading }: Section): StreamChunkOf<"source"> => ({
  type: "source",
  id: `${page}#${heading}`,
  title: `${page} › ${heading}`,
  url: pageUrl(page),
});
