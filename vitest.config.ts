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

const requirePrograms = new URL("apps/e2e/test/require-programs.ts", import.meta.url).pathname;

export default defineConfig({
  test: {
    projects: [
      fromSources("protocol"),
      fromSources("server"),
      fromSources("client"),
      fromDist("demo"),
      fromDist("e2e", { globalSetup: requirePrograms, testTimeout: 30_000, hookTimeout: 60_000 }),
      // By itself, after all others: it installs and builds a copy of everything.
      {
        test: {
          name: "command",
          root: "apps/e2e",
          include: ["test-command/*.test.ts"],
          sequence: { groupOrder: 1 },
        },
      },
    ],
    reporters: process.env.CI === "true" ? ["default", "json"] : ["default"],
    outputFile: { json: ".tmp/test-results.json" },
  },
});
