/** Runs before the tests of this folder, and installs the SDKs. */
import { installWorkspace, isWorkspaceInstalled } from "../../.ci/install-workspace.ts";

const folder = new URL(".", import.meta.url);

/** Whether the tests of this folder can run. */
export const isInstalled = (): boolean => isWorkspaceInstalled(folder);

export const setup = (): void =>
  installWorkspace(
    folder,
    "apps/interop",
    "Installing the SDKs for apps/interop, once: 200 MB, a few seconds.",
  );
