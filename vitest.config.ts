import { defineConfig } from "vitest/config";

/** Unit tests read the sources of sibling packages, so that they need no build. */
const fromSources = (name: string) => ({
  ssr: { resolve: { conditions: ["@kortyx/source"] } },
  test: { name, root: `packages/${name}`, include: ["test/**/*.test.ts"] },
});

/** Apps run on `dist`: only there shows what the build did. */
const fromDist = (name: string, options = {}) => ({
  test: { name, root: `apps/${name}`, include: ["test/**/*.test.ts"], ...options },
});

export default defineConfig({
  test: {
    projects: [
      fromSources("protocol"),
      fromSources("server"),
      fromSources("client"),
      fromDist("demo"),
      fromDist("e2e", { globalSetup: "test/require-programs.ts", testTimeout: 30_000, hookTimeout: 60_000 }),
    ],
    reporters: process.env.CI === "true" ? ["default", "json"] : ["default"],
    outputFile: { json: ".tmp/test-results.json" },
  },
});
