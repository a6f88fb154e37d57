/**
 * The agents' tool: a full-text search over the sections of a few Markdown pages, its calls, and the sources of
 * its results. Owns reading, cutting and ranking the pages.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StreamChunk, StreamChunkOf } from "@kortyx/server";
import MiniSearch from "minisearch";

/** A heading of a page and the text below it, up to the next heading. */
export interface Section {
  /** The file's name, such as `runs.md`. */
  page: string;
  /** The first heading of the page. */
  title: string;
  heading: string;
  /** Markdown. */
  text: string;
}

export interface SearchInput {
  query: string;
  /** Searches only this page. */
  page?: string | undefined;
}

export interface SearchHit {
  section: Section;
  /** Higher is better; comparable within one search. */
  score: number;
  /** Whether the heading contains every word of the question. */
  isNamed: boolean;
}

export interface SearchResult {
  /** Best first. */
  hits: SearchHit[];
  /** Whether a word of the question occurs nowhere. */
  hasUnknownWords: boolean;
}

/** @throws UnknownPageError for a page that does not exist. */
export type Search = (input: SearchInput) => SearchResult;

/** The requested page does not exist. The message may be shown to the user. */
class UnknownPageError extends Error {
  override readonly name = "UnknownPageError";
}

const maxHits = 4;
/** A section must contain this share of the question's words. */
const minCoverage = 0.5;
/** A hit this much worse than the best one is about something else. */
const minRelativeScore = 0.12;

/** Reads the Markdown files of a folder. @returns their sources by name. */
export function readPages(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".md"));
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** @param pages - Markdown by name, with one `#` heading each and `##` headings below it. */
export function createSearch(pages: ReadonlyMap<string, string>): Search {
  const sections = [...pages].flatMap(([page, markdown]) => splitPage(page, markdown));
  const index = new MiniSearch({
    fields: ["heading", "title", "text"],
    processTerm: toTerm,
    searchOptions: {
      boost: { heading: 3, title: 0.5 },
      prefix: (term) => term.length >= 4,
      fuzzy: (term) => (term.length >= 6 ? 1 : false),
      weights: { prefix: 0.5, fuzzy: 0.3 },
    },
  });
  index.addAll(sections.map((section, id) => ({ ...section, id })));

  return ({ query, page }) => {
    if (page !== undefined && !pages.has(page)) {
      throw new UnknownPageError(`There is no page called ${JSON.stringify(page)}.`);
    }
    const words = listWords(query);
    const found = index.search(query);
    const hits = found
      .map(({ id, score, queryTerms }): SearchHit & { coverage: number } => {
        const section = sections[id as number]!;
        const coverage = queryTerms.length / words.length;
        const isNamed = words.every((word) => listWords(section.heading).includes(word));
        return { section, score: score * coverage, isNamed, coverage };
      })
      .filter(({ section, coverage }) => coverage >= minCoverage && (page ?? section.page) === section.page)
      .sort((one, other) => other.score - one.score);
    return {
      hits: hits.filter(({ score }) => score >= minRelativeScore * hits[0]!.score).slice(0, maxHits),
      hasUnknownWords: words.some((word) => !found.some(({ queryTerms }) => queryTerms.includes(word))),
    };
  };
}

export const searchTool = "search_documentation";

/** @returns `undefined` when the call failed, which does not end the answer. */
export function* callSearch(
  search: Search,
  tool: string,
  input: SearchInput,
): Generator<StreamChunk, SearchResult | undefined> {
  const toolCallId = crypto.randomUUID();
  yield { type: "tool-call-start", tool, toolCallId, input };
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

/** Reads `how does it end in:wire` as a search for the words before `in:`, in the page after it. */
export function parseQuestion(text: string): SearchInput {
  const [, page] = /(?<!\S)in:(\S+)/.exec(text) ?? [];
  const query = text.replace(/(?<!\S)in:\S+/g, "").trim();
  if (page === undefined) return { query };
  return { query, page: page.endsWith(".md") ? page : `${page}.md` };
}

/** The words of a question that are worth a search. */
export const listWords = (text: string): string[] => [
  ...new Set(tokenize(text).flatMap((term) => toTerm(term) ?? [])),
];

function splitPage(page: string, markdown: string): Section[] {
  const [introduction = "", ...rest] = markdown.split(/^## /m);
  const title = introduction.replace(/^# /, "").split("\n", 1)[0]!;
  return [introduction.replace(/^# /, ""), ...rest].map((part) => {
    const [heading = "", ...lines] = part.split("\n");
    return { page, title, heading, text: lines.join("\n").trim() };
  });
}

const tokenize = MiniSearch.getDefault("tokenize") as (text: string) => string[];

/** @returns the word without the ending of a plural; `null` for one that belongs to the question and not to its subject. */
function toTerm(term: string): string | null {
  const word = term.toLowerCase();
  if (word.length < 2 || stopWords.has(word)) return null;
  return word.length >= 4 ? word.replace(/(?<![isu])s$/, "") : word;
}

const stopWords = new Set(
  `about all am an and any are as at be been but by can could did do does doing explain for from get give had happen
  happens has have hello help her here hi his how if in into is isn it its just know like make me mean me more must my
  need no not of on or our please say should show so some such tell than thank thanks that the their them then there
  these they thing things this those to up us want was way we were what when where which who why will with work works
  would you your`.split(/\s+/),
);
