/**
 * The part of the root README that the last full run fills. Prints it, or, given a file, puts it between the file's
 * markers `<!-- benchmarks -->` and `<!-- /benchmarks -->`; with `--check` it only checks that it is up to date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fillReadme, renderReadmeTable } from "./report/readme-table.ts";
import { readRun } from "./report/run-record.ts";

const run = readRun(new URL("results.ndjson", import.meta.url));
const [file] = process.argv.slice(2).filter((argument) => argument !== "--check");
if (file === undefined) {
  console.log(renderReadmeTable(run));
} else {
  const before = readFileSync(file, "utf8");
  const after = fillReadme(before, run);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, after);
  } else if (after !== before) {
    console.error(`${file} does not match benchmarks/results.ndjson. Run pnpm bench --report to update it.`);
    process.exitCode = 1;
  }
}
