import { defineConfig } from "tsup";

// One output file per source file, so that a reader never pays for an entry it does not import.
export default defineConfig({
  entry: ["src/*.ts"],
  format: "esm",
  target: "es2022",
  splitting: true,
  clean: true,
  dts: false,
});
