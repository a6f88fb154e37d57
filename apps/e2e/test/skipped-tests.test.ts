/** The last lines of a test run, as its user sees them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const vitest = join(repository, "node_modules/vitest/vitest.mjs");

/** The last lines of a run of some test files, without colours and outside CI. */
async function lastLinesOf(files: string[], environment: Record<string, string>, count: number) {
  const variables = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$|CI$)/.test(name));
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, "run", ...files], {
    cwd: repository,
    env: { ...Object.fromEntries(variables), NO_COLOR: "1", ...environment },
  });
  return stdout.trimEnd().split("\n").slice(-count);
}

test("report that nothing was skipped", async () => {
  expect(await lastLinesOf(["--project", "protocol", "event-id.test.ts"], {}, 1)).toEqual([
    "Skipped: nothing.",
  ]);
});

test.each(["", "true"])("report the skipped tests and how to run them, with CI=%s", async (CI) => {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-skipped-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const run = ["--project", "server", "first-durable", `--outputFile.json=${join(folder, "results.json")}`];
  const lines = await lastLinesOf(run, { REDIS_SERVER_PATH: "/nonexistent", CI }, 5);
  expect(lines.filter((line) => !line.startsWith("JSON report")).slice(-4)).toEqual([
    "Skipped: 1 test.",
    "  packages/server/test/runs/first-durable-token.test.ts (1)",
    "`pnpm setup:system` installs the programs that tests need: Chromium, nginx, Redis and Python.",
    "Then run the command again.",
  ]);
});

test("do not report tests that a filter excluded", async () => {
  const [, last] = await lastLinesOf(["--project", "protocol", "event-id.test.ts", "-t", "printed"], {}, 2);
  expect(last).toMatch(/Duration/);
});
