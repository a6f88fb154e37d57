import { defineConfig } from "tsup";

// The entries of package.json. Their shared code is in chunks, so that an importer pays only for the entries it imports.
export default defineConfig({
  entry: ["src/*.ts"],
  format: "esm",
  target: "es2022",
  splitting: true,
  clean: true,
  dts: false,
  // `node:sqlite` does not exist without its prefix.
  removeNodeProtocol: false,
});
