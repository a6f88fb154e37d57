/** The list of words that the project avoids, on files with one of them in each line. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const folder = fileURLToPath(new URL("../.tmp/word-list/", import.meta.url));
const script = fileURLToPath(new URL("../word-list.ts", import.meta.url));

beforeAll(() => mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** @returns the exit code, and each refusal as its line and words. */
function check(name: string, text: string) {
  writeFileSync(join(folder, name), text);
  const { status, stderr } = spawnSync(process.execPath, [script, name], { cwd: folder, encoding: "utf8" });
  const refused = [...stderr.matchAll(/^(.*:\d+): "(.*)"; write: ./gm)].map(([, where, words]) => [
    where,
    words,
  ]);
  return { status, refused };
}

// word-list: off
const avoided: [sentence: string, words: string][] = [
  ["The text behind the call.", "behind"],
  ["It tells the reader.", "tells"],
  ["The reader is told.", "told"],
  ["The server says no.", "says"],
  ["Whoever reads it.", "Whoever"],
  ["Nobody waits, and everybody reads.", "Nobody"],
  ["A stream that is there.", "that is there"],
  ["What was there before.", "What was there"],
  ["It waits so long.", "so long"],
  ["A value that is none.", "is none"],
  ["The answer goes on.", "goes on"],
  ["An answer under way.", "under way"],
  ["It calls foreign code.", "foreign"],
];
// word-list: on

test.each(avoided)("%j is refused in Markdown, with its line", (sentence, words) => {
  const { status, refused } = check("page.md", `# Title\n\n${sentence}\n`);
  expect(status).toBe(1);
  expect(refused).toContainEqual(["page.md:3", words]);
});

test("comments, strings, templates and text of pages are read, and code is not", () => {
  // word-list: off
  const text = `/** One line.
 * It tells. */
const nobody = { told: "It says." }; // So long.
const told = \`under way \${nobody.told} goes on\`;
const page = <p title="Nobody">Everybody</p>;
`;
  const words = ["tells", "says", "So long", "under way", "goes on", "Nobody", "Everybody"];
  // word-list: on
  const lines = [2, 3, 3, 4, 4, 5, 5].map((line) => `program.tsx:${line}`);
  const { refused } = check("program.tsx", text);
  expect(refused.sort()).toEqual(lines.map((line, index) => [line, words[index]]).sort());
});

test("words that a line break of a comment parts are found", () => {
  // word-list: off
  const { refused } = check("program.ts", "/**\n * A stream that\n * is there.\n */\n// It goes\n// on.\n");
  expect(refused).toEqual([
    ["program.ts:2", "that is there"],
    ["program.ts:5", "goes on"],
  ]);
  // word-list: on
});

test.each([
  "A server behind nginx, or behind a real proxy.",
  "It leaves no listener behind.",
  "The two are told apart by their ids.",
  "Returns null if there is none.",
  "What the user says, and what the documentation says.",
  "A model behind an API.",
  "A foreign key.",
  "They go once, and so longer waits follow.",
])("%j is allowed", (sentence) => {
  expect(check("page.md", sentence)).toEqual({ status: 0, refused: [] });
});

test("everything between off and on is allowed, and nothing after it", () => {
  // word-list: off
  const [off, on] = ["off", "on"].map((state) => `<!-- word-list: ${state} -->`);
  const { refused } = check("page.md", `${off}\nIt says.\n${on}\nIt\nsays.\n`);
  expect(refused).toEqual([["page.md:5", "says"]]);
  // word-list: on
});
