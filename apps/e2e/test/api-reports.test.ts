/** The reports on a small package. `check:static` compares those of the real ones. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compareReports, writeReports } from "../api-reports.ts";

let root: string;
let folder: string;
let accepted: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kortyx-api-"));
  folder = join(root, "package");
  accepted = join(root, "accepted");
  mkdirSync(folder);
  write(files);
  writeReports(folder, accepted);
});
afterEach(() => rmSync(root, { recursive: true }));

const files = {
  "package.json": JSON.stringify({
    name: "small",
    version: "1.0.0",
    type: "module",
    exports: {
      ".": { types: "./index.d.ts" },
      "./node": { types: "./node.d.ts" },
      "./internal": { types: "./internal.d.ts" },
      "./data.json": "./data.json",
    },
  }),
  "index.d.ts": `import type { Limits } from "./limits.d.ts";
/** Reads. */
export declare function read(path: string, limits: Limits): string;
`,
  "limits.d.ts": "export interface Limits {\n  maxBytes: number;\n}\n",
  "node.d.ts": "export declare const port: number;\n",
  "internal.d.ts": "export declare const secret: 1;\n",
};

const write = (changed: Record<string, string>) => {
  for (const [name, text] of Object.entries(changed)) writeFileSync(join(folder, name), text);
};

/** The lines that a change of the package adds to its reports, and removes from them. */
function differencesAfter(changed: Record<string, string>): string[] {
  write({ ...files, ...changed });
  const current = mkdtempSync(join(root, "current-"));
  writeReports(folder, current);
  return compareReports(accepted, current)
    .split("\n")
    .filter((line) => /^[-+](?![-+])/.test(line))
    .map((line) => line.replaceAll(/\s+/g, " "));
}

test("each public entry has a report, without the words of its docstrings", () => {
  expect(readdirSync(accepted).sort()).toEqual(["index.api.md", "node.api.md"]);
  expect(differencesAfter({ "index.d.ts": files["index.d.ts"].replace("Reads.", "Reads a file.") })).toEqual(
    [],
  );
});

test("a changed type differs, also one that only other types name", () => {
  expect(differencesAfter({ "node.d.ts": "export declare const port: string;\n" })).toEqual([
    "-export const port: number;",
    "+export const port: string;",
  ]);
  expect(differencesAfter({ "limits.d.ts": files["limits.d.ts"].replace("number", "bigint") })).toEqual([
    "- maxBytes: number;",
    "+ maxBytes: bigint;",
  ]);
});

test("an entry that is new, and one that is gone, differ", () => {
  const manifest = files["package.json"].replaceAll("./node", "./bun");
  const differences = differencesAfter({ "package.json": manifest, "bun.d.ts": files["node.d.ts"] });
  expect(differences.filter((line) => line.includes("port:"))).toEqual([
    "+export const port: number;",
    "-export const port: number;",
  ]);
});

test("an entry that is not built is an error", () => {
  rmSync(join(folder, "node.d.ts"));
  expect(() => writeReports(folder, join(root, "current"))).toThrow("node.d.ts");
});

test("a type of another package's internal entry, whose changes no report shows, is an error", () => {
  const other = join(folder, "node_modules/other");
  mkdirSync(other, { recursive: true });
  const types = { types: "./index.d.ts" };
  const manifest = { name: "other", version: "1.0.0", exports: { ".": types, "./internal": types } };
  writeFileSync(join(other, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(other, "index.d.ts"), "export declare const secret: number;\n");
  const current = join(root, "current");
  write({ "node.d.ts": 'export { secret } from "other";\n' });
  expect(() => writeReports(folder, current)).not.toThrow();
  write({ "node.d.ts": 'export { secret } from "other/internal";\n' });
  expect(() => writeReports(folder, current)).toThrow("import { secret } from 'other/internal'");
});

test("a package without public entries has no report", () => {
  write({ "package.json": files["package.json"].replace(/"\.":.*"\.\/internal"/, '"./internal"') });
  const current = mkdtempSync(join(root, "current-"));
  writeReports(folder, current);
  expect(compareReports(accepted, current)).toContain("deleted file mode");
});
