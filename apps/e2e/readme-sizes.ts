/**
 * Fills the tables of sizes in the READMEs of the client and the server with the sizes of the built packages; with
 * `--check` it only checks that the tables are up to date. Sizes are rounded up to half a kB, so that small changes do not
 * affect them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { clientImports, measureSize } from "./test/client-sizes.ts";
import { measureAddedSize, serverImports } from "./test/server-sizes.ts";

const marked = /(<!-- sizes -->\n)[\s\S]*?(\n<!-- \/sizes -->)/;

async function fillTable<Imports extends { names: string }>(
  path: string,
  list: Imports[],
  measure: (imports: Imports) => Promise<number>,
): Promise<void> {
  const file = new URL(`../../${path}`, import.meta.url);
  const before = readFileSync(file, "utf8");
  if (!marked.test(before)) throw new Error(`${path} has no <!-- sizes --> and <!-- /sizes -->.`);
  const rows: string[] = [];
  for (const imports of list) {
    const halfKilobytes = Math.ceil((await measure(imports)) / 500);
    rows.push(`| ${imports.names} | ${halfKilobytes / 2} kB |`);
  }
  const sizes = ["| import | at most |", "| --- | --- |", ...rows].join("\n");
  const after = before.replace(marked, (_, start: string, end: string) => start + sizes + end);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, after);
  } else if (after !== before) {
    console.error(
      `${path} states other sizes than the build has:\n${sizes}\nRun: node apps/e2e/readme-sizes.ts`,
    );
    process.exitCode = 1;
  }
}

await fillTable("packages/client/README.md", clientImports, measureSize);
await fillTable("packages/server/README.md", serverImports, measureAddedSize);
