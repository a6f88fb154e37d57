/**
 * The search as a tool that an agent calls: its input, and the chunks that tell how a call ended. Knows no model.
 */
import type { StreamChunk } from "@kortyx/server";
import { type DocumentationIndex, UnknownPathError } from "./documentation-index.ts";
import type { DocumentationSearch } from "./section-search.ts";

export const searchTool = "search_documentation";

export interface SearchInput {
  query: string;
  /** Searches only this file, or the files below this folder. */
  path?: string | undefined;
}

/** One call, whose start has been told. */
export interface SearchCall {
  toolCallId: string;
  input: SearchInput;
}

export type Search = DocumentationIndex["search"];

/** What was found, or why the search failed. */
export type SearchOutcome =
  | { found: DocumentationSearch; failure?: undefined }
  | { found?: undefined; failure: string };

/**
 * Searches, and tells the result or the failure as a chunk: a failed tool is no end of an answer.
 *
 * @throws The signal's reason when it is aborted.
 */
export async function* runSearch(
  search: Search,
  { toolCallId, input }: SearchCall,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamChunk, SearchOutcome> {
  const { query, path } = input;
  const outcome = await search(query, { path, signal }).then(
    (found): SearchOutcome => ({ found }),
    (error): SearchOutcome => {
      signal?.throwIfAborted();
      return { failure: describeFailure(error) };
    },
  );
  const call = { tool: searchTool, toolCallId };
  if (outcome.found === undefined) yield { ...call, type: "tool-call-error", message: outcome.failure };
  else yield { ...call, type: "tool-call-result", content: describeHits(outcome.found) };
  return outcome;
}

/** What the tool returns: a list of places, or a text when there is none. */
function describeHits({ hits }: DocumentationSearch): unknown {
  if (hits.length === 0) return "Nothing found.";
  return hits.map(({ section, score }) => ({
    path: section.path,
    heading: section.heading,
    score: Math.round(score * 100) / 100,
  }));
}

/** The texts of other errors are made for a log: they hold paths of this machine. */
function describeFailure(error: unknown): string {
  if (error instanceof UnknownPathError) return error.message;
  console.error(error);
  return "The search failed.";
}
