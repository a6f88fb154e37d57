/**
 * Refuses words that the project avoids in comments, strings, text of pages and Markdown, and names what to write in
 * their place: `node apps/e2e/word-list.ts [file …]`, by default for every file in git. Code itself is not read.
 * Between `word-list: off` and `word-list: on`, every word is allowed.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import jsTokens from "js-tokens";

/** In an expression, a space stands for any white space, also for a line break within a comment. */
const rules: [avoid: RegExp, write: string][] = [
  // A server is behind a proxy, a model behind an API, and a program leaves files behind.
  [
    /(?<!\b(?:leaves?|leaving|left)\b[^.:;]*)behind(?! (?:an? |the |its |real )*(?:nginx|prox(?:y|ies)|load balancer|CDN|API))/,
    "after",
  ],
  [/tells|told(?! apart)|telling/, "reports, receives, is notified"],
  [/(?<!(?:user|documentation) )says/, "states, reports, names"],
  [/whoever|nobody|everybody|somebody|anybody/, "the caller, a reader, no consumer, every follower"],
  [/(?:that|what|which) (?:is|are|was|were) there/, "existing, available"],
  [/so (?:much|long|many)/, "at most, this long, the number of"],
  [/(?<!there )(?:is|are|was|were) none/, "is not a …"],
  [/(?:go|goes|going|went|gone) on|under way/, "continues, in progress"],
  [/foreign(?! key)/, "user code, third-party agent"],
];

const lineBreakInComment = String.raw`(?:\s|\n\s*(?:\*|//|#|>)[ \t])+`;
const patterns = rules.map(([avoid, write]) => ({
  pattern: new RegExp(`\\b(?:${avoid.source.replaceAll(" ", lineBreakInComment)})\\b`, "gi"),
  write,
}));

/** @returns the text of a program with everything but its prose blanked out. */
function withoutCode(text: string, jsx: boolean): string {
  const isProse = /Comment|StringLiteral|Template|JSXString|JSXText|LineTerminator/;
  return Array.from(jsx ? jsTokens(text, { jsx }) : jsTokens(text), ({ type, value }) =>
    isProse.test(type) ? value : value.replaceAll(/\S/g, "\0"),
  ).join("");
}

function check(file: string): string[] {
  const text = readFileSync(file, "utf8").replaceAll(/word-list: off[\s\S]*?word-list: on/g, (off) =>
    off.replaceAll(/[^\n`"'*/]/g, " "),
  );
  const prose = /\.[mc]?[jt]sx?$/.test(file) ? withoutCode(text, file.endsWith("x")) : text;
  return patterns.flatMap(({ pattern, write }) =>
    Array.from(prose.matchAll(pattern), ({ 0: words, index }) => {
      const line = prose.slice(0, index).split("\n").length;
      return `${file}:${line}: "${words.replaceAll(/[\s*/#>]+/g, " ")}"; write: ${write}`;
    }),
  );
}

/** Files with prose of the project: no generated ones, and none that others have written. */
const filesInGit = () =>
  execFileSync("git", ["ls-files"], { encoding: "utf8" })
    .split("\n")
    .filter((file) => /\.(?:[mc]?[jt]sx?|jsonc?|md|css|html|svelte|ya?ml)$|^\.ci\//.test(file))
    .filter(
      (file) => !/pnpm-lock|^benchmarks\/(?:report\.md|data\/)|\/transcripts\/|\/conformance\//.test(file),
    );

const files = process.argv.length > 2 ? process.argv.slice(2) : filesInGit();
const refused = files.flatMap(check);
if (refused.length > 0) {
  console.error(`${refused.join("\n")}\n${refused.length} words to replace.`);
  process.exitCode = 1;
}
