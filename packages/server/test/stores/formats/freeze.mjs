/**
 * Keeps a copy of a current run store, `redis` or `sqlite`, after its format has changed, with the number of the new one:
 * `node packages/server/test/stores/formats/freeze.mjs <store> <number>`. `formats.test.ts` runs each kept version
 * alongside the current one.
 */
import { fileURLToPath } from "node:url";
import { build } from "tsup";

const [store, number] = process.argv.slice(2);
if (!/^(redis|sqlite) \d+$/.test(`${store} ${number}`))
  throw new Error("Expected redis or sqlite, and a number.");

await build({
  config: false,
  entry: [fileURLToPath(new URL(`../../../src/${store}.ts`, import.meta.url))],
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
