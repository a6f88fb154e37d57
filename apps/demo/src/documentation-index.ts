/**
 * Full-text search over a repository's Markdown, as it is on the disk at the moment of the question. Owns the index;
 * does not decide how an answer reads.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import MiniSearch from "minisearch";
import { listMarkdownFiles } from "./list-markdown-files.ts";
import { type MarkdownSection, parseMarkdownSections } from "./markdown-sections.ts";

/** A section that answers a question. */
interface DocumentationHit {
  section: MarkdownSection;
  /** Higher is better; comparable within one search. */
  score: number;
  /** The words of the section that matched, in lower case, and how rare each of them is. */
  rarities: ReadonlyMap<string, number>;
}

export interface DocumentationSearch {
  /** Best first; at most {@link maxHits}. */
  hits: DocumentationHit[];
  /** Whether a word of the question occurs nowhere. */
  hasUnknownWords: boolean;
}

export interface DocumentationIndex {
  /** Searches the files as they are now. Rejects with the signal's reason when aborted. */
  search(query: string, signal?: AbortSignal): Promise<DocumentationSearch>;
  /** The sections of all files, in order: the same array until a file is added, removed or changed. */
  readSections(signal?: AbortSignal): Promise<readonly MarkdownSection[]>;
  /** The source of a file; `undefined` for everything that is not one of the indexed files. */
  readDocument(path: string): Promise<string | undefined>;
}

const maxHits = 5;

/**
 * A section must hold this much of the question, words being weighed by how rare they are. Below it, a question about
 * something unknown would be answered with sections that merely share a common word with it.
 */
const minCoverage = 0.3;

/** A hit that is this much worse than the best one answers another question. */
const minRelativeScore = 0.5;

interface Snapshot {
  /** The paths and versions of the files, to tell whether anything has changed. */
  key: string;
  paths: Set<string>;
  sections: MarkdownSection[];
  miniSearch: MiniSearch;
}

/** Creates an index over the Markdown files below `root`. Nothing is read before the first question. */
export function createDocumentationIndex(root: string): DocumentationIndex {
  /** Of each file that was parsed, so that one changed file does not make all others be read again. */
  let parsed = new Map<string, { version: string; sections: MarkdownSection[] }>();
  let snapshot: Snapshot | undefined;

  async function refresh(signal: AbortSignal | undefined): Promise<Snapshot> {
    const files = await listMarkdownFiles(root, signal);
    signal?.throwIfAborted();
    const key = JSON.stringify([...files]);
    if (snapshot?.key === key) return snapshot;

    const next: typeof parsed = new Map();
    for (const [path, version] of files) {
      const known = parsed.get(path);
      const sections = known?.version === version ? known.sections : await readSectionsOf(path);
      signal?.throwIfAborted();
      if (sections !== undefined) next.set(path, { version, sections });
    }
    parsed = next;
    const sections = [...parsed.values()].flatMap((file) => file.sections);
    snapshot = { key, paths: new Set(parsed.keys()), sections, miniSearch: buildIndex(sections) };
    return snapshot;
  }

  /** A file may have been removed since it was listed: then it has no sections. */
  async function readSectionsOf(path: string): Promise<MarkdownSection[] | undefined> {
    try {
      return parseMarkdownSections(path, await readFile(join(root, path), "utf8"));
    } catch {
      return undefined;
    }
  }

  return {
    async search(query, signal) {
      return searchIn(await refresh(signal), query);
    },
    async readSections(signal) {
      return (await refresh(signal)).sections;
    },
    async readDocument(path) {
      // Only a path that was found on the disk is ever read, so no path from outside reaches the file system.
      const { paths } = await refresh(undefined);
      return paths.has(path) ? readFile(join(root, path), "utf8") : undefined;
    },
  };
}

function buildIndex(sections: MarkdownSection[]): MiniSearch {
  const miniSearch = new MiniSearch({
    fields: ["heading", "document", "text"],
    processTerm: toIndexTerms,
    searchOptions: {
      processTerm: toSearchTerm,
      boost: { heading: 3 },
      prefix: (term) => term.length >= 3,
      // Mistyped words; in short ones, a single letter makes another word.
      fuzzy: (term) => (term.length >= 6 && !/\d/.test(term) ? (term.length >= 10 ? 2 : 1) : false),
      weights: { prefix: 0.5, fuzzy: 0.3 },
      // A heading with nothing below it is hardly ever an answer.
      boostDocument: (id) => (sections[id as number]!.blocks.length === 0 ? 0.3 : 1),
    },
  });
  miniSearch.addAll(sections.map((section, id) => ({ ...section, id })));
  return miniSearch;
}

function searchIn({ miniSearch, sections }: Snapshot, query: string): DocumentationSearch {
  const results = miniSearch.search(query);
  const words = new Set(tokenize(query).flatMap((term) => toSearchTerm(term) ?? []));

  /** In how many sections each word occurs: of the question, and of the sections that it matched. */
  const wordCounts = countEach(results.map((result) => result.queryTerms));
  const termCounts = countEach(results.map((result) => result.terms));
  const rarity = (count = 1) => Math.log(1 + sections.length / count);
  const weigh = (some: Iterable<string>) =>
    [...some].reduce((sum, word) => sum + rarity(wordCounts.get(word)), 0);

  const total = weigh(words);
  const relevant = results.filter((result) => weigh(new Set(result.queryTerms)) >= minCoverage * total);
  const best = relevant[0]?.score ?? 0;
  const hits = relevant
    .filter((result) => result.score >= minRelativeScore * best)
    .slice(0, maxHits)
    .map(({ id, score, terms }) => ({
      section: sections[id as number]!,
      score,
      rarities: new Map(terms.map((term) => [term, rarity(termCounts.get(term))])),
    }));
  return { hits, hasUnknownWords: [...words].some((word) => !wordCounts.has(word)) };
}

/** In how many of the lists each word occurs. */
function countEach(lists: string[][]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of lists.flatMap((list) => [...new Set(list)])) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
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
  if (word === "" || stopWords.has(word)) return undefined;
  return word.length >= 4 ? word.replace(/(?<![isu])s$/, "") : word;
}

/** Words that say how a question is asked, not what it is about. */
const stopWords = new Set(
  `a about after all also am an and any are aren as at be because been before being between both but by can could d
  describe did do docs documentation does doesn doing don done each every explain find for from get gets give got had
  happen happened happening happens has have having he her here him his how i if in into is isn it its just know let like ll look m make makes many may
  me mean means might more most much must my need needs no not of on once one only or other our out over own please
  re repository s said same say says she should show so some such t tell tells than that the their them then there
  these they this those through to too under until up us use used uses using ve very want was way we were what when
  where whether which while who whose why will with won word work works would you your`.split(/\s+/),
);
