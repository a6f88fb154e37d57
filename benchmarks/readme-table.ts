/**
 * The small table of the root README, from the last committed run. Prints it, or, given a file, puts it between the
 * file's markers `<!-- benchmarks -->` and `<!-- /benchmarks -->`; with `--check` it only tells whether it is there.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { formatValue } from "./report/format.ts";
import { renderTable } from "./report/markdown.ts";
import { readRun } from "./report/run-record.ts";
import { assess, targets } from "./report/targets.ts";

const rows = [
  ["Encode a stream (bursts of 16)", "burst-limit", "burst-ai", "burst-peer"],
  ["Read and validate it (16 KiB pieces)", "read-limit", "read-ai", "read-assistant"],
];

const run = readRun(new URL("results.ndjson", import.meta.url));

function measured(id: string): string {
  const target = targets.find((one) => one.id === id)!;
  return formatValue(target, assess(target, run.results, run.rounds).median);
}

const table = renderTable(
  ["", "of what JSON and UTF-8 alone allow", "faster than the AI SDK", "than the next best"],
  rows.map(([what = "", limit = "", ai = "", peer = ""]) => [
    what,
    `${Math.round(100 * Number(measured(limit)))} %`,
    measured(ai),
    measured(peer),
  ]),
);
const sending = `Sending it with \`sendStream\` takes ${measured("http-send")} the CPU of one bare \`res.write\` per frame.`;
const text = `${table}\n\n${sending}`;

const [file] = process.argv.slice(2).filter((argument) => argument !== "--check");
if (file === undefined) {
  console.log(text);
} else {
  const before = readFileSync(file, "utf8");
  const markers = /(<!-- benchmarks -->\n)[\s\S]*?(\n<!-- \/benchmarks -->)/;
  if (!markers.test(before)) throw new Error(`${file} has no <!-- benchmarks --> markers.`);
  const after = before.replace(markers, (_, start: string, end: string) => `${start}\n${text}\n${end}`);
  if (!process.argv.includes("--check")) writeFileSync(file, after);
  else if (after !== before) throw new Error(`The table in ${file} is not that of the last run.`);
}
