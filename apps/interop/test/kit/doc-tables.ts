/** The tables of the docs, held by tests: every row has a case, and the case yields what the row names. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** One row: its cells, as Markdown. */
export interface TableRow {
  /** What comes in: the name of the row. */
  source: string;
  /** What goes out, with types in backticks. */
  result: string;
  /** What is lost; empty if nothing is. */
  lossy: string;
}

/** @returns the rows of the table below a heading of a page: its first three columns. */
export function readTable(page: string, heading: string): TableRow[] {
  const text = readFileSync(new URL(`../../../../${page}`, import.meta.url), "utf8");
  const lines = text.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (start === -1) throw new Error(`${page} has no heading "${heading}".`);
  const first = lines.findIndex((line, index) => index > start && line.startsWith("|"));
  const end = lines.findIndex((line, index) => index > first && !line.startsWith("|"));
  return lines.slice(first + 2, end).map((line) => {
    const [source = "", result = "", lossy = ""] = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    return { source, result, lossy };
  });
}

/** What one row yields: the `type`s of chunks or events. A row may need several cases. */
export type RowCases = Record<string, () => Promise<string[]> | string[]>;

/**
 * One test for each row. The types that a case yields must be those that the row's second cell names, in any order, each at
 * least once; a row of which the second cell is `–` yields none.
 *
 * @param cases - By the row's first cell.
 * @param types - Every type that the second column may name; other words in backticks are fields or values.
 */
export function testTable(page: string, heading: string, types: readonly string[], cases: RowCases): void {
  const rows = readTable(page, heading);
  test(`${page}, ${heading}: every row has a case, and every case a row`, () => {
    expect(Object.keys(cases).sort()).toEqual(rows.map(({ source }) => source).sort());
  });
  test.each(rows)(`${page}, ${heading}: $source`, async ({ source, result }) => {
    const named = [...result.matchAll(/`([^`]+)`/g)]
      .map(([, word]) => word!)
      .filter((word) => types.includes(word));
    const yielded = await cases[source]!();
    expect([...new Set(yielded)].sort()).toEqual([...new Set(named)].sort());
  });
}
