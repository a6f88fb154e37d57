import { defineConfig } from "tsup";

// The entries of package.json; what they share is in chunks, so that nobody pays for an entry that is not imported.
export default defineConfig({
  entry: ["src/index.ts", "src/kortyx.ts", "src/node.ts", "src/redis.ts", "src/schemas.ts", "src/sqlite.ts"],
  format: "esm",
  target: "es2022",
  splitting: true,
  clean: true,
  dts: false,
  // `node:sqlite` has no other name.
  removeNodeProtocol: false,
});
