import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { createSkippedReporter } from "./.ci/report-skipped.ts";

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/**
 * When a test counts as hanging. No test judges by this how fast something is, and a machine with much else to do may
 * take its time; a test that needs more sets it, with the reason.
 */
const patience = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 30_000, interval: 10 } },
  setupFiles: path(".ci/vitest-setup.ts"),
};

/** Unit tests read the sources of sibling packages, so that they need no build. */
const fromSources = (name: string, options = {}) => ({
  ssr: { resolve: { conditions: ["@kortyx/source"] } },
  test: { name, root: `packages/${name}`, include: ["test/**/*.test.ts"], ...patience, ...options },
});

/** Apps run on `dist`: only there shows what the build did. */
const fromDist = (name: string, options = {}) => ({
  test: { name, root: `apps/${name}`, include: ["test/**/*.test.ts"], ...patience, ...options },
});

/** A suite of `apps/e2e` that takes a whole processor, and runs when all others, or those of a lower order, have ended. */
const heavy = (name: string, folder = `test-${name}`, groupOrder = 1) => ({
  test: {
    name,
    root: "apps/e2e",
    include: [`${folder}/*.test.ts`],
    sequence: { groupOrder },
    ...patience,
  },
});

export default defineConfig({
  test: {
    projects: [
      fromSources("protocol"),
      fromSources("server"),
      fromSources("client"),
      fromSources("kortyx"),
      fromSources("conformance"),
      // Once more as in Node 22, where AsyncLocalStorage rests on another mechanism.
      fromSources("server", {
        name: "server-async-hooks",
        include: ["test/**/async-context*.test.ts"],
        execArgv: ["--no-async-context-frame"],
      }),
      fromDist("demo"),
      fromDist("e2e", { globalSetup: path("apps/e2e/test/require-programs.ts") }),
      // The adapters with the SDKs that they adapt, which only these tests install.
      {
        ssr: { resolve: { conditions: ["@kortyx/source"] } },
        ...fromDist("interop", { globalSetup: path("apps/interop/install.ts") }),
      },
      // What takes real leases: processes that die, stores that fail, networks that are away.
      fromDist("e2e", {
        name: "long",
        include: ["test-long/*.test.ts"],
        globalSetup: path("apps/e2e/test/require-programs.ts"),
      }),
      // Frameworks and runtimes that only these tests install.
      fromDist("runtimes", { globalSetup: path("apps/runtimes/install.ts") }),
      // The site of the docs, whose generators only these tests install.
      fromDist("docs", { globalSetup: path("apps/docs/install.ts") }),
      heavy("command"),
      heavy("load"),
      heavy("examples", "test-long/examples", 2),
    ],
    // Two at least: most tests of sockets and browsers wait more than they work.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: ["default", ...(process.env.CI === "true" ? ["json"] : []), createSkippedReporter()],
    outputFile: { json: ".tmp/test-results.json" },
  },
});
