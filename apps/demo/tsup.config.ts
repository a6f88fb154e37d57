import { defineConfig } from "tsup";

export default defineConfig({
  // The program, its cluster, and what the end-to-end tests drive from inside.
  entry: ["src/main.ts", "src/cluster.ts", "src/app.ts", "src/documentation-agent.ts"],
  format: "esm",
  target: "node22",
  // The page is built into the same folder.
  clean: ["dist/*.js"],
  dts: false,
});
