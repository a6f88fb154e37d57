import { defineConfig } from "tsup";

export default defineConfig({
  // The program, its cluster, and the application that the end-to-end tests drive from inside.
  entry: { main: "src/server/main.ts", cluster: "cluster.ts", app: "src/server/app.ts" },
  outDir: "dist/server",
  format: "esm",
  target: "node22",
  clean: true,
  dts: false,
});
