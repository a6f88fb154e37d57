/** Runs before the tests of this folder, and installs the generators of the site. */
import { installWorkspace, isWorkspaceInstalled } from "../../.ci/install-workspace.ts";

const folder = new URL(".", import.meta.url);

/** Whether the tests of this folder can run. */
export const isInstalled = (): boolean => isWorkspaceInstalled(folder);

export const setup = (): void =>
  installWorkspace(
    folder,
    "apps/docs",
    "Installing the generators of the site for apps/docs, once: 150 MB, a few seconds.",
  );
