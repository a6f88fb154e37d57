/**
 * The examples in a workspace of their own: copied to a folder outside the repository, and installed with one lockfile
 * and the packed packages. So the packages of frameworks are not part of every install, and an example imports only what
 * it depends on.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packPackages, pnpmCommand } from "../test/packed-packages.ts";

const sources = fileURLToPath(new URL("../../../examples/", import.meta.url));
const workspace = fileURLToPath(new URL(".", import.meta.url));

/** The examples that are projects of their own. `agent` is a member of this repository's workspace. */
export const exampleNames: string[] = readdirSync(sources, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "agent")
  .map(({ name }) => name);

export interface InstalledExamples {
  /** @returns the folder of an example. */
  folderOf(name: string): string;
  remove(): void;
}

/** Copies the examples next to the packed packages, which must be built. @returns the folder of the workspace. */
export function copyExamples(names: string[]): string {
  const root = mkdtempSync(join(tmpdir(), "kortyx-examples-"));
  mkdirSync(join(root, "packages"));
  packPackages(join(root, "packages"));
  for (const file of ["pnpm-workspace.yaml", "pnpm-lock.yaml"]) {
    if (existsSync(join(workspace, file))) cpSync(join(workspace, file), join(root, file));
  }
  const isSource = (path: string) => !/[/\\](?:node_modules|dist|build|\.next|\.svelte-kit)$/.test(path);
  for (const name of names) {
    cpSync(join(sources, name), join(root, name), { recursive: true, filter: isSource });
  }
  return root;
}

/** Throws what the package manager has printed if they cannot be installed, for example without a registry. */
export function installExamples(names: string[] = exampleNames): InstalledExamples {
  const root = copyExamples(names);
  const remove = () => rmSync(root, { recursive: true, force: true });
  console.info("Installing the packages of the examples: up to a minute the first time.");
  const [pnpm, ...first] = pnpmCommand();
  const install = [...first, "install", "--frozen-lockfile", "--prefer-offline"];
  const { status, stdout, stderr, error } = spawnSync(pnpm, install, { cwd: root, encoding: "utf8" });
  if (status === 0) return { folderOf: (name) => join(root, name), remove };
  remove();
  throw new Error(`The examples could not be installed:\n${error?.message ?? `${stdout}${stderr}`}`);
}
