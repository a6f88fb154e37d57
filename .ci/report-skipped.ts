/**
 * The last lines of a test run: the skipped tests and how to run them. A vitest reporter; ignores tests that a filter
 * on the command line excluded.
 */
import { relative } from "node:path";
import type { Reporter, Vitest } from "vitest/node";

export function createSkippedReporter(): Reporter {
  let vitest: Vitest;
  return {
    onInit(initialised) {
      vitest = initialised;
    },
    onTestRunEnd(modules, _errors, reason) {
      if (reason === "interrupted" || vitest.config.testNamePattern !== undefined) return;
      const skipped = modules.flatMap(({ moduleId, children }) => {
        const count = [...children.allTests("skipped")].length;
        return count === 0 ? [] : [{ file: relative(vitest.config.root, moduleId), count }];
      });
      vitest.logger.log(describeSkipped(skipped));
      const names = vitest.projects.map(({ name }) => name);
      if (names.includes("e2e") && !names.includes("runtimes")) vitest.logger.log(otherTests);
    },
  };
}

const otherTests =
  "Not in this run: real failures, load, the site of the docs (150 MB), the examples, and frameworks and other runtimes (Next.js, NestJS, SvelteKit, workerd, Bun, Deno; 750 MB). `pnpm test:long` installs and tests them.";

function describeSkipped(skipped: { file: string; count: number }[]): string {
  if (skipped.length === 0) return "Skipped: nothing.";
  const total = skipped.reduce((sum, { count }) => sum + count, 0);
  /** Folders that are workspaces of their own. */
  const own = ["apps/docs", "apps/interop", "apps/runtimes"].filter((folder) =>
    skipped.some(({ file }) => file.startsWith(`${folder}/`)),
  );
  const isOfOwn = ({ file }: { file: string }) => own.some((folder) => file.startsWith(`${folder}/`));
  const lines = [
    `Skipped: ${total} ${total === 1 ? "test" : "tests"}.`,
    ...skipped.map(({ file, count }) => `  ${file} (${count})`),
  ];
  if (!skipped.every(isOfOwn)) {
    lines.push(
      "`pnpm setup:system` installs the programs that tests need: Chromium, nginx, Redis and Python.",
    );
  }
  for (const folder of own)
    lines.push(`\`pnpm install\` in ${folder} installs the packages that its tests need.`);
  return [...lines, "Then run the command again."].join("\n");
}
