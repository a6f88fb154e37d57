/**
 * Fills the table of sizes in the client's README with the sizes of the built packages; with `--check` it only checks
 * that the table is up to date. Sizes are rounded up to half a kB, so that small changes do not affect it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { clientImports, measureSize } from "./test/client-sizes.ts";

const file = new URL("../../packages/client/README.md", import.meta.url);
const table = /(<!-- sizes -->\n)[\s\S]*?(\n<!-- \/sizes -->)/;

const before = readFileSync(file, "utf8");
if (!table.test(before))
  throw new Error("packages/client/README.md has no <!-- sizes --> and <!-- /sizes -->.");

const rows: string[] = [];
for (const imports of clientImports) {
  const halfKilobytes = Math.ceil((await measureSize(imports)) / 500);
  rows.push(`| ${imports.names} | ${halfKilobytes / 2} kB |`);
}
const sizes = ["| import | at most |", "| --- | --- |", ...rows].join("\n");
const after = before.replace(table, (_, start: string, end: string) => start + sizes + end);

if (!process.argv.includes("--check")) {
  writeFileSync(file, after);
} else if (after !== before) {
  console.error(
    `packages/client/README.md states other sizes than the build has:\n${sizes}\nRun: node apps/e2e/readme-sizes.ts`,
  );
  process.exitCode = 1;
}
