/**
 * Reads what the user typed as something to search for.
 */
import type { SearchInput } from "./search-tool.ts";

/** As long as the box to type into lets a question be. What is behind it is not searched for. */
const maxQuestionLength = 4000;

/** Reads `how does it end in:docs` as a search for the words before `in:`, below the path behind it. */
export function parseQuestion(text: string): SearchInput {
  let path: string | undefined;
  const words = text.slice(0, maxQuestionLength).replace(/(?<!\S)in:(\S+)/g, (_, place: string) => {
    path = place;
    return "";
  });
  const query = words.replace(/\s+/g, " ").trim();
  return path === undefined ? { query } : { query, path };
}
