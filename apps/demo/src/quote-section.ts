/**
 * Quotes a section in Markdown, shortened to the part that answers the question. Cuts between blocks, sentences and
 * table rows, never inside them.
 */
import type { MarkdownBlock, MarkdownSection } from "./markdown-sections.ts";

/** What a quote may hold, in characters. Code and single sentences are kept whole even when they are longer. */
const maxQuoteLength = 640;

/** Words to look for, in lower case, and what finding each of them is worth. */
export type TermWeights = ReadonlyMap<string, number>;

/**
 * Quotes the part of a section that is worth most, with the section's heading above it.
 *
 * @param passage - Where that part begins, when it is known: a block of the section, or a row of a table.
 */
export function quoteSection(
  section: MarkdownSection,
  terms: TermWeights,
  passage?: MarkdownBlock | undefined,
): string {
  // What the heading says is true of every part of the section.
  const heading = section.heading.toLowerCase();
  const wanted = new Map([...terms].filter(([term]) => !heading.includes(term)));
  const parts = selectBlocks(section.blocks, wanted, passage);
  let text = `**${section.heading.replace(/[\\*_`[\]<]/g, "\\$&")}**`;
  for (const [index, part] of parts.entries()) {
    const isListContinued = part.kind === "item" && parts[index - 1]?.kind === "item";
    text += `${isListContinued ? "\n" : "\n\n"}${part.markdown}`;
  }
  return text.replace(/^/gm, "> ").replace(/^> $/gm, ">");
}

/** Consecutive blocks that fit into a quote, beginning with the one that answers best. */
function selectBlocks(
  blocks: readonly MarkdownBlock[],
  terms: TermWeights,
  passage: MarkdownBlock | undefined,
): MarkdownBlock[] {
  const scores = blocks.map((block) =>
    passage === undefined
      ? weighTerms(block.markdown, terms)
      : Number(block.markdown.includes(passage.markdown)),
  );
  const isWhole = blocks.reduce((length, block) => length + block.markdown.length, 0) <= maxQuoteLength;
  let first = isWhole ? 0 : Math.max(0, scores.indexOf(Math.max(...scores)));
  // "These are the options:" belongs to what follows it.
  if (first > 0 && blocks[first]!.kind !== "text" && isIntroduction(blocks[first - 1]!)) first--;

  const selected: MarkdownBlock[] = [];
  let room = maxQuoteLength;
  for (const block of blocks.slice(first)) {
    const isFirst = selected.length === 0;
    const isIntroduced = selected.length === 1 && isIntroduction(selected[0]!);
    const markdown = isFirst || isIntroduced ? shorten(block, terms) : block.markdown;
    if (markdown.length > room && !isFirst && !isIntroduced) break;
    selected.push({ kind: block.kind, markdown });
    room -= markdown.length;
  }
  return selected;
}

const isIntroduction = ({ kind, markdown }: MarkdownBlock): boolean =>
  kind === "text" && markdown.endsWith(":") && markdown.length <= maxQuoteLength / 2;

function shorten({ kind, markdown }: MarkdownBlock, terms: TermWeights): string {
  if (markdown.length <= maxQuoteLength || kind === "code") return markdown;
  if (kind === "table") {
    const [names, rule, ...rows] = markdown.split("\n");
    const header = `${names}\n${rule}\n`;
    return header + selectBest(rows, terms, maxQuoteLength - header.length, "\n");
  }
  return selectBest(splitSentences(markdown), terms, maxQuoteLength, "").trim();
}

/** Consecutive pieces that fit, beginning with the one that is worth most; at least that one. */
function selectBest(pieces: string[], terms: TermWeights, maxLength: number, separator: string): string {
  const scores = pieces.map((piece) => weighTerms(piece, terms));
  const first = scores.indexOf(Math.max(...scores));
  let text = pieces[first] ?? "";
  for (const piece of pieces.slice(first + 1)) {
    if (text.length + separator.length + piece.length > maxLength) break;
    text += separator + piece;
  }
  return text;
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

function splitSentences(markdown: string): string[] {
  const sentences: string[] = [];
  let sentence = "";
  for (const { segment } of segmenter.segment(markdown)) {
    sentence += segment;
    // A full stop inside `code` or **strong** text ends no sentence.
    if (isBalanced(sentence)) {
      sentences.push(sentence);
      sentence = "";
    }
  }
  return sentence === "" ? sentences : [...sentences, sentence];
}

const isBalanced = (text: string): boolean =>
  text.split("`").length % 2 === 1 && text.split("**").length % 2 === 1;

function weighTerms(markdown: string, terms: TermWeights): number {
  const text = markdown.toLowerCase();
  let sum = 0;
  for (const [term, weight] of terms) if (text.includes(term)) sum += weight;
  return sum;
}
