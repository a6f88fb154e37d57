/**
 * The search tool as a model sees it: how it is described, what the model may put in, and what it reads of the result.
 */
import { documentUrl } from "./markdown-sections.ts";
import { quoteSection } from "./quote-section.ts";
import { type SearchInput, type SearchOutcome, searchTool } from "./search-tool.ts";

/** In the form of the API: a function with a JSON schema of its arguments. */
export const modelTool = {
  type: "function",
  function: {
    name: searchTool,
    description:
      "Full-text search over the Markdown files of this repository. Gives the best sections, or says that there are none.",
    parameters: {
      type: "object",
      properties: {
        query: { type: "string", description: "A few words to look for." },
        path: { type: "string", description: "Optional: searches only this file, or below this folder." },
      },
      required: ["query"],
    },
  },
} as const;

/** @returns The input that a model wrote; `undefined` when it is nothing to search with. */
export function parseModelInput(inputText: string): SearchInput | undefined {
  let input: unknown;
  try {
    input = JSON.parse(inputText);
  } catch {
    return undefined;
  }
  const { query, path } = (input ?? {}) as { query?: unknown; path?: unknown };
  if (typeof query !== "string") return undefined;
  // Models like to begin at the root.
  const place = typeof path === "string" ? path.replace(/^[./]+/, "") : "";
  return place === "" ? { query } : { query, path: place };
}

/** The sections that were found, as the model reads them. */
export function describeForModel({ found, failure }: SearchOutcome): string {
  if (found === undefined) return failure;
  if (found.hits.length === 0) return "Nothing found.";
  return JSON.stringify(
    found.hits.map(({ section, rarities, passage }) => ({
      document: section.path,
      url: documentUrl(section.path),
      text: quoteSection(section, rarities, passage),
    })),
  );
}
