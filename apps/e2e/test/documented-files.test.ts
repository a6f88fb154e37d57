import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
}).split("\n");

/** A page may leave out `packages/` or `apps/`, and folders that its context names. */
const exists = (name: string): boolean => {
  const end = name.replace(/^(\.\.?\/)+/, "");
  return files.some((file) => file === end || file.endsWith(`/${end}`));
};

test.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("every file that %s names is there", (page) => {
  const text = readFileSync(`${root}${page}`, "utf8");
  const named = [...text.matchAll(/`([\w./-]+\.(?:ts|mjs|md|json))`/g)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((name) => !exists(name))).toEqual([]);
});
