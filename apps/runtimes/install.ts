/** Runs before the tests of this folder, and installs frameworks and runtimes, which nothing else in the repository needs. */
import { installWorkspace, isWorkspaceInstalled } from "../../.ci/install-workspace.ts";

const folder = new URL(".", import.meta.url);

/** Whether the tests of this folder can run. */
export const isInstalled = (): boolean => isWorkspaceInstalled(folder);

export const setup = (): void =>
  installWorkspace(
    folder,
    "apps/runtimes",
    "Installing frameworks and runtimes for apps/runtimes, once: 750 MB, up to a minute.",
  );
