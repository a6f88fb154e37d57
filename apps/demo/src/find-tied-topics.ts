/**
 * Tells when a question fits several documents equally well, so that only the user can say which one is meant. Asks
 * nobody.
 */
import type { DocumentationHit } from "./section-search.ts";

/** Sections whose scores differ by less than this share are equally good: longer texts score a little less. */
const maxDifference = 0.2;

/**
 * Finds the topics that a question names equally well: sections of different documents, each with every word of the
 * question in its heading. Where a word is in no heading, it says what the question is about, and the best hit answers.
 *
 * @param hits - Best first.
 * @returns The best section of each document; empty when there is nothing to choose.
 */
export function findTiedTopics(hits: readonly DocumentationHit[]): DocumentationHit[] {
  const [best] = hits;
  if (!best?.isNamed) return [];
  const tied = hits.filter(({ isNamed, score }) => isNamed && score >= (1 - maxDifference) * best.score);
  const paths = tied.map(({ section }) => section.path);
  const topics = tied.filter(({ section }, position) => paths.indexOf(section.path) === position);
  return topics.length > 1 ? topics : [];
}
