/**
 * Full-text search over sections: finds the passages that hold the words of a question, and ranks their sections. Knows
 * nothing of files.
 */
import MiniSearch, { type SearchResult } from "minisearch";
import type { MarkdownBlock, MarkdownSection } from "./markdown-sections.ts";

/** A section that answers a question. */
export interface DocumentationHit {
  section: MarkdownSection;
  /** The part of the section that answers best: a block, or one row of a table. */
  passage: MarkdownBlock;
  /** Higher is better; comparable within one search. */
  score: number;
  /** Whether every word of the question stands in the section's heading. */
  isNamed: boolean;
  /** The words of the section that matched, in lower case, and how rare each of them is. */
  rarities: ReadonlyMap<string, number>;
}

export interface DocumentationSearch {
  /** Best first; at most {@link maxHits}. */
  hits: DocumentationHit[];
  /** Whether a word of the question occurs nowhere. */
  hasUnknownWords: boolean;
}

const maxHits = 5;

/**
 * A section must hold this much of the question, words being weighed by how rare they are. Below it, a question about
 * something unknown would be answered with sections that merely share a common word with it.
 */
const minCoverage = 0.3;

/** A hit that is this much worse than the best one answers another question. */
const minRelativeScore = 0.5;

/** What a passage counts by its kind: code and table rows hold many words for their length, and explain little. */
const kindWeights = { text: 1, item: 1, table: 0.8, code: 0.5 };

/** What a heading counts with nothing below it, which is hardly ever an answer. */
const emptyWeight = 0.3;

/** Searches the sections; with `path`, only the file or the folder of that path. */
export type SectionSearch = (query: string, path?: string) => DocumentationSearch;

/** Creates a search over the sections. All work that does not depend on the question is done here. */
export function createSectionSearch(sections: readonly MarkdownSection[]): SectionSearch {
  // Passages are ranked, not sections: the one paragraph that answers would drown in a section that says much more.
  const passages = sections.flatMap((section) =>
    toPassages(section).map((passage) => ({ section, passage })),
  );
  const miniSearch = new MiniSearch({
    fields: ["heading", "document", "text"],
    processTerm: toIndexTerms,
    searchOptions: {
      processTerm: toSearchTerm,
      boost: { heading: 4, document: 0.5 },
      prefix: (term) => term.length >= 3,
      // Mistyped words; in short ones, a single letter makes another word.
      fuzzy: (term) => (term.length >= 6 && !/\d/.test(term) ? (term.length >= 10 ? 2 : 1) : false),
      weights: { prefix: 0.5, fuzzy: 0.3 },
      boostDocument(id) {
        const { kind, markdown } = passages[id as number]!.passage;
        return markdown === "" ? emptyWeight : kindWeights[kind];
      },
    },
  });
  miniSearch.addAll(
    passages.map(({ section, passage }, id) => ({
      id,
      heading: section.heading,
      document: section.document,
      // Where a link leads is not what the text is about.
      text: passage.markdown.replace(/\]\([^)]*\)/g, "]"),
    })),
  );

  return (query, path) => {
    const words = listSearchWords(query);
    const matches = new Map<MarkdownSection, SearchResult[]>();
    for (const result of miniSearch.search(query)) {
      const { section } = passages[result.id as number]!;
      const known = matches.get(section);
      if (known === undefined) matches.set(section, [result]);
      else known.push(result);
    }
    /** In how many sections each word occurs: of the question, and of the sections that it matched. */
    const wordCounts = countEach(matches, (result) => result.queryTerms);
    const termCounts = countEach(matches, (result) => result.terms);
    const rarity = (count = 1) => Math.log(1 + sections.length / count);
    const weigh = (some: Iterable<string>) =>
      [...new Set(some)].reduce((sum, word) => sum + rarity(wordCounts.get(word)), 0);
    const total = weigh(words);

    const hits = [...matches]
      .filter(([section]) => path === undefined || isInside(section.path, path))
      .filter(([, results]) => weigh(results.flatMap((result) => result.queryTerms)) >= minCoverage * total)
      .map(([section, results]): DocumentationHit => {
        // Two words of the question in one paragraph say more than the same two far apart.
        const scores = results.map((result) => (result.score * weigh(result.queryTerms)) / total);
        const score = Math.max(...scores);
        const terms = results.flatMap((result) => result.terms);
        return {
          section,
          passage: passages[results[scores.indexOf(score)]!.id as number]!.passage,
          score,
          isNamed: isNamedBy(section.heading, words),
          rarities: new Map(terms.map((term) => [term, rarity(termCounts.get(term))])),
        };
      })
      .sort((a, b) => b.score - a.score);
    return {
      hits: hits.filter(({ score }) => score >= minRelativeScore * hits[0]!.score).slice(0, maxHits),
      hasUnknownWords: words.some((word) => !wordCounts.has(word)),
    };
  };
}

/** Whether a question holds a word that is worth searching for: of one or two letters, it would be found everywhere. */
export const isSearchable = (query: string): boolean =>
  listSearchWords(query).some((word) => word.length >= 3);

/** Whether a path is that of a file, or of a folder around it. */
export const isInside = (file: string, path: string): boolean =>
  file === path || file.startsWith(path.endsWith("/") ? path : `${path}/`);

function listSearchWords(query: string): string[] {
  return [...new Set(tokenize(query).flatMap((term) => toSearchTerm(term) ?? []))];
}

function toPassages({ blocks }: MarkdownSection): MarkdownBlock[] {
  if (blocks.length === 0) return [{ kind: "text", markdown: "" }];
  return blocks.flatMap((block) =>
    // The first two lines are the names of the columns and the rule below them.
    block.kind === "table"
      ? block.markdown
          .split("\n")
          .slice(2)
          .map((markdown) => ({ kind: block.kind, markdown }))
      : block,
  );
}

function isNamedBy(heading: string, words: readonly string[]): boolean {
  const terms = new Set(tokenize(heading).flatMap(toIndexTerms));
  return words.every((word) => terms.has(word));
}

/** In how many sections each word occurs. */
function countEach(
  matches: ReadonlyMap<MarkdownSection, SearchResult[]>,
  listWords: (result: SearchResult) => string[],
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const results of matches.values()) {
    for (const word of new Set(results.flatMap(listWords))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

const tokenize = MiniSearch.getDefault("tokenize") as (text: string) => string[];

/** `createMessageAccumulator` is found as a whole and by its words. */
function toIndexTerms(term: string): string[] {
  const parts = term.match(/[A-Z]?[a-z\d]+|[A-Z]+(?![a-z])|[^A-Za-z\d]+/g) ?? [];
  const words = parts.length > 1 ? [term, ...parts] : [term];
  return words.flatMap((word) => toSearchTerm(word) ?? []);
}

/** @returns The word without the ending of a plural; `undefined` for a word that nobody searches for. */
function toSearchTerm(term: string): string | undefined {
  const word = term.toLowerCase();
  // In capitals it is a name: GET, [DONE].
  const isName = /^[A-Z]{3,}$/.test(term);
  if (word === "" || (stopWords.has(word) && !isName)) return undefined;
  return word.length >= 4 ? word.replace(/(?<![isu])s$/, "") : word;
}

/** Words that say how a question is asked, not what it is about. */
const stopWords = new Set(
  `a about after all also am an and any are aren as at be because been before being between both but by can could d
  describe did do docs documentation does doesn doing don done each every explain find for from get gets give got had
  happen happened happening happens has have having he hello her here hey hi him his how i if in into is isn it its just know let like ll look m make makes many may
  me mean means might more most much must my need needs no not of on once one only or other our out over own please
  re repository s said same say says she should show so some such t tell tells than thank thanks that the their them then there
  these they this those through to too under until up us use used uses using ve very want was way we were what when
  where whether which while who whose why will with won word work works would you your`.split(/\s+/),
);
