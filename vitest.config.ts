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

/** A suite of `apps/e2e` that runs when all with a lower order have ended. */
const alone = (name: string, groupOrder: number) => ({
  test: { name, root: "apps/e2e", include: [`test-${name}/*.test.ts`], sequence: { groupOrder } },
});

const requirePrograms = new URL("apps/e2e/test/require-programs.ts", import.meta.url).pathname;

export default defineConfig({
  test: {
    projects: [
      fromSources("protocol"),
      fromSources("server"),
      fromSources("client"),
      fromDist("demo"),
      // Browsers, proxies and processes: after the tests that count milliseconds.
      fromDist("e2e", {
        globalSetup: requirePrograms,
        testTimeout: 30_000,
        hookTimeout: 60_000,
        sequence: { groupOrder: 1 },
      }),
      // Frameworks and runtimes that only these tests install.
      fromDist("runtimes", {
        globalSetup: new URL("apps/runtimes/install.ts", import.meta.url).pathname,
        testTimeout: 30_000,
        hookTimeout: 60_000,
        sequence: { groupOrder: 1 },
      }),
      // Each by itself, after all others: they take the whole machine.
      alone("command", 2),
      alone("load", 3),
    ],
    reporters: process.env.CI === "true" ? ["default", "json"] : ["default"],
    outputFile: { json: ".tmp/test-results.json" },
  },
});
