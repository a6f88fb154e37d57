/**
 * Writes what is generated in the transcripts of a version: recordings of today's routes, the message of each
 * transcript, and the list of hashes. `node apps/e2e/transcripts/freeze.ts 0.1`, until that version is released.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../test/readme-snippets.ts";
import { recordAll } from "./recordings.ts";
import { hashFiles, namesOf, readBytes, readHere, sumsFile, transcriptsFolder } from "./transcript-sets.ts";

const print = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** @throws Error if the version is not of the form `0.1`, or was released. */
export function checkNotReleased(version: string | undefined, current: string): asserts version is string {
  if (version === undefined || !/^\d+\.\d+$/.test(version)) {
    throw new Error(
      "Expected the version to write, without its patch: node apps/e2e/transcripts/freeze.ts 0.2",
    );
  }
  if (`${version}.0`.localeCompare(current, "en", { numeric: true }) <= 0) {
    throw new Error(
      `The transcripts of ${version} never change again: ${current} was released with them. Write those of the next version.`,
    );
  }
}

async function freeze(version: string): Promise<void> {
  const folder = join(transcriptsFolder, version);
  mkdirSync(join(folder, "messages"), { recursive: true });
  for (const [name, { description, body }] of Object.entries(recordAll())) {
    const bytes = await body;
    const { message: _, complete, outcome, entries } = readHere(bytes);
    writeFileSync(join(folder, `${name}.sse`), bytes);
    writeFileSync(
      join(folder, `${name}.json`),
      print({ description, canonical: false, complete, outcome, entries }),
    );
  }
  for (const name of namesOf(version)) {
    writeFileSync(
      join(folder, "messages", `${name}.json`),
      print(readHere(readBytes(version, name)).message),
    );
  }
  writeFileSync(join(folder, sumsFile), hashFiles(version));
}

if (process.argv[1] === import.meta.filename) {
  const manifest = join(repository, "packages/protocol/package.json");
  const [version] = process.argv.slice(2);
  checkNotReleased(version, JSON.parse(readFileSync(manifest, "utf8")).version);
  // The ids of every recording are the same each time, so that a diff shows what has changed.
  let ids = 0;
  crypto.randomUUID = () => `00000000-0000-4000-8000-${String(++ids).padStart(12, "0")}`;
  await freeze(version);
}
