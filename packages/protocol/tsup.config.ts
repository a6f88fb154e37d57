import { defineConfig } from "tsup";
import { joinSharedChunks } from "./join-shared-chunks.ts";

// The entries of package.json. Their shared code is in chunks, so that an importer pays only for the entries it imports.
export default defineConfig({
  entry: [
    "src/index.ts",
    "src/ai-sdk.ts",
    "src/ag-ui.ts",
    "src/internal.ts",
    "src/request-schemas.ts",
    "src/schemas.ts",
  ],
  format: "esm",
  target: "es2022",
  splitting: true,
  esbuildPlugins: [joinSharedChunks],
  clean: true,
  dts: false,
});
