/**
 * Fills the sizes in the READMEs of the client, the server and the repository with those of the built packages; with
 * `--check` it only checks that they are up to date. Sizes are rounded up to half a kB, so that small changes do not
 * affect them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { clientImports, measureSize } from "./test/client-sizes.ts";
import { measureAddedSize, serverImports } from "./test/server-sizes.ts";

type Size = [names: string, atMost: string];

async function measureAll<Imports extends { names: string }>(
  list: Imports[],
  measure: (imports: Imports) => Promise<number>,
): Promise<Size[]> {
  const sizes: Size[] = [];
  for (const imports of list) {
    sizes.push([imports.names, `${Math.ceil((await measure(imports)) / 500) / 2} kB`]);
  }
  return sizes;
}

const tableOf = (sizes: Size[]): string =>
  [
    "| import | at most |",
    "| --- | --- |",
    ...sizes.map(([names, atMost]) => `| ${names} | ${atMost} |`),
  ].join("\n");

/** @param marked - What is replaced, between its two groups. */
function fill(path: string, marked: RegExp, sizes: string): void {
  const file = new URL(`../../${path}`, import.meta.url);
  const before = readFileSync(file, "utf8");
  if (!marked.test(before)) throw new Error(`${path} has no place for sizes: ${marked}.`);
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

const table = /(<!-- sizes -->\n)[\s\S]*?(\n<!-- \/sizes -->)/;
const client = await measureAll(clientImports, measureSize);
fill("packages/client/README.md", table, tableOf(client));
fill("packages/server/README.md", table, tableOf(await measureAll(serverImports, measureAddedSize)));
const sentence = client
  .map(([names, atMost]) => `${names}: ${atMost}`)
  .slice(0, 3)
  .join("; ");
fill("README.md", /(<!-- size -->).*(<!-- \/size -->)/, `at most, gzipped: ${sentence}`);
