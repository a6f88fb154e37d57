/**
 * What Anthropic's texts quote, and what its searches have found, as sources and citations. Knows neither blocks nor their
 * order.
 */
import type { Citation, StreamChunk } from "@kortyx/protocol";
import { recordOf } from "./loose-values.ts";

type Fields = Record<string, unknown>;

/** A block of a text that is whole: where it ends in its segment, and what it quotes, in the words of the API. */
export interface QuotedBlock {
  end: number;
  citations?: unknown[];
}

/** The sources of one answer. */
export class AnthropicCitations {
  readonly #known = new Set<string>();

  /** @returns the source of a citation, if it has not been sent; undefined for a citation of an unknown type. */
  cite(citation: unknown): StreamChunk[] | undefined {
    const source = toSource(citation);
    return source && this.#once(source);
  }

  /** @returns the sources in the result of a tool: the pages that a search has found, or the one that was fetched. */
  sourcesOf(content: unknown): StreamChunk[] {
    return [content].flat().flatMap((item) => {
      const source = toPage(item);
      return source ? this.#once(source) : [];
    });
  }

  #once(source: Source): StreamChunk[] {
    if (this.#known.has(source.id)) return [];
    this.#known.add(source.id);
    return [{ type: "source", ...source }];
  }
}

/** @returns what a segment quotes. Only one of several blocks needs a range. */
export function toCitations(blocks: readonly QuotedBlock[]): Citation[] {
  return blocks.flatMap(({ end, citations = [] }, index) => {
    const start = blocks[index - 1]?.end ?? 0;
    return citations.flatMap((citation): Citation[] => {
      const source = toSource(citation);
      if (!source) return [];
      const { cited_text: quote, encrypted_index: _, ...location } = citation as Fields;
      return [
        {
          sourceId: source.id,
          ...(blocks.length > 1 && { start, end }),
          ...(typeof quote === "string" && { quote }),
          providerMetadata: { anthropic: location },
        },
      ];
    });
  });
}

interface Source {
  /** The same in every answer of a conversation. */
  id: string;
  url?: string;
  title?: string;
  mediaType?: string;
}

function toSource(citation: unknown): Source | undefined {
  const { type, url, title, source, document_index, document_title, file_id } = recordOf(citation);
  switch (type) {
    case "web_search_result_location":
      return describe(url, { url, title });
    case "search_result_location":
      return describe(source, { url: isWebPage(source) ? source : undefined, title });
    case "char_location":
    case "page_location":
    case "content_block_location":
      return describe(file_id ?? `document:${document_index}`, {
        title: document_title,
        mediaType: documentTypes[type],
      });
    default:
      return undefined;
  }
}

/** The kind of document decides how its places are named. One of blocks has no media type. */
const documentTypes: Record<string, string> = {
  char_location: "text/plain",
  page_location: "application/pdf",
};

function toPage(item: unknown): Source | undefined {
  const { type, url, title, content } = recordOf(item);
  if (type === "web_search_result") return describe(url, { url, title });
  return type === "web_fetch_result" ? describe(url, { url, title: recordOf(content).title }) : undefined;
}

const describe = (id: unknown, fields: Fields): Source => ({
  id: String(id),
  ...Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === "string")),
});

const isWebPage = (text: unknown): boolean => typeof text === "string" && /^https?:/i.test(text);
