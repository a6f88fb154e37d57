import { defineConfig } from "tsup";

// One output file per source file, so that an importer pays only for the entries it imports.
export default defineConfig({
  entry: ["src/*.ts"],
  format: "esm",
  target: "es2022",
  splitting: true,
  clean: true,
  dts: false,
});
