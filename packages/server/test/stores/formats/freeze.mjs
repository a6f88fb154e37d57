/**
 * Keeps a copy of the current run stores: run `node packages/server/test/stores/formats/freeze.mjs <number>` after the
 * format of one has changed, with the next number. `formats.test.ts` runs each kept version alongside the current one.
 */
import { fileURLToPath } from "node:url";
import { build } from "tsup";

const number = process.argv[2];
if (!/^\d+$/.test(number)) throw new Error("Expected the number of the folder to make.");

await build({
  config: false,
  entry: ["redis", "sqlite"].map((name) =>
    fileURLToPath(new URL(`../../../src/${name}.ts`, import.meta.url)),
  ),
  outDir: fileURLToPath(new URL(number, import.meta.url)),
  outExtension: () => ({ js: ".mjs" }),
  format: "esm",
  target: "node22",
  splitting: false,
  noExternal: [/./],
  removeNodeProtocol: false,
  esbuildOptions(options) {
    options.conditions = ["@kortyx/source"];
  },
  banner: { js: "// Made by ../freeze.mjs, from the sources as they were then. Never changed by hand." },
});
