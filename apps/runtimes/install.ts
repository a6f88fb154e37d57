/**
 * Runs before the tests of this folder and installs their packages, which nothing else in the repository needs. Without
 * a registry the tests are skipped with a notice; in CI that fails the run.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Whether the tests of this folder can run. */
export const isInstalled = (): boolean => existsSync(new URL("node_modules/.modules.yaml", import.meta.url));

export function setup(): void {
  if (!isInstalled()) {
    console.info("Installing frameworks and runtimes for apps/runtimes, once: 700 MB, up to a minute.");
  }
  const { status, stdout, stderr, error } = spawnSync(
    "pnpm",
    ["install", "--frozen-lockfile", "--prefer-offline"],
    { cwd: folder, encoding: "utf8" },
  );
  if (status === 0) return;
  const reason = error?.message ?? `${stdout}${stderr}`;
  if (process.env.CI === "true") throw new Error(`apps/runtimes could not be installed:\n${reason}`);
  const what = isInstalled()
    ? "apps/runtimes may be out of date"
    : "SKIPPED: the tests in frameworks and on other runtimes";
  console.warn(`\n${what}, because \`pnpm install\` failed in apps/runtimes:\n${reason}\n`);
}
