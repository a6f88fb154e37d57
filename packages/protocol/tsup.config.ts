import { defineConfig } from "tsup";

// The entries of package.json; what they share is in chunks, so that nobody pays for an entry that is not imported.
export default defineConfig({
  entry: ["src/index.ts", "src/internal.ts", "src/request-schemas.ts", "src/schemas.ts"],
  format: "esm",
  target: "es2022",
  splitting: true,
  clean: true,
  dts: false,
});
