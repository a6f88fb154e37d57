/**
 * Installs a folder that is a workspace of its own, before the tests that need it: its packages are too large for every
 * install. Without a registry these tests are skipped with a notice; in CI that fails the run.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Whether the packages of a workspace are installed. */
export const isWorkspaceInstalled = (folder: URL): boolean =>
  existsSync(new URL("node_modules/.modules.yaml", folder));

/**
 * @param name - The folder in the repository.
 * @param notice - What is being installed, and its cost.
 */
export function installWorkspace(folder: URL, name: string, notice: string): void {
  const wasInstalled = isWorkspaceInstalled(folder);
  if (!wasInstalled) console.info(notice);
  // Windows finds `pnpm` only with a shell.
  const { status, stdout, stderr, error } = spawnSync("pnpm install --frozen-lockfile --prefer-offline", {
    cwd: fileURLToPath(folder),
    shell: true,
    encoding: "utf8",
  });
  if (status === 0) return;
  const reason = error?.message ?? `${stdout}${stderr}`;
  if (process.env.CI === "true") throw new Error(`${name} could not be installed:\n${reason}`);
  const what = wasInstalled ? `${name} may be out of date` : `SKIPPED: the tests of ${name}`;
  console.warn(`\n${what}, because \`pnpm install\` failed there:\n${reason}\n`);
}
