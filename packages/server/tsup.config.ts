import { defineConfig } from "tsup";
// @boundaries-ignore Only the build needs it.
import { joinSharedChunks } from "../protocol/join-shared-chunks.ts";

// The entries of package.json. Their shared code is in chunks, so that an importer pays only for the entries it imports.
export default defineConfig({
  entry: ["src/*.ts"],
  format: "esm",
  target: "es2022",
  splitting: true,
  esbuildPlugins: [joinSharedChunks],
  clean: true,
  dts: false,
  // `node:sqlite` does not exist without its prefix.
  removeNodeProtocol: false,
});
