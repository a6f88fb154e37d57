/** A copy of the repository, as a clone of it would be, in which a release can be made without any consequence. */
import { type ExecFileOptions, execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { pnpmCommand } from "../test/packed-packages.ts";
import { repository } from "../test/readme-snippets.ts";

export interface RepositoryCopy {
  root: string;
  /** The folders of the packages that are published, by name. */
  packages: Record<string, string>;
  /** @throws if the command fails; the error has its output. */
  pnpm(args: string[], options?: ExecFileOptions): Promise<string>;
  git(args: string[]): Promise<string>;
  /** Commits every change. */
  commit(message: string): Promise<void>;
  /** Copies what was built here. */
  addBuild(): void;
  remove(): void;
}

const run = promisify(execFile);

/** Copies every file that git knows or would add, installs, and commits. */
export async function copyRepository(): Promise<RepositoryCopy> {
  const root = mkdtempSync(join(tmpdir(), "kortyx-release-"));
  const list = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: repository,
    encoding: "utf8",
  });
  for (const file of list.split("\0").filter((name) => name !== "" && existsSync(join(repository, name)))) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    cpSync(join(repository, file), join(root, file));
  }
  const packages: Record<string, string> = Object.fromEntries(
    globSync("packages/*/package.json", { cwd: root })
      .map((file) => ({
        manifest: JSON.parse(readFileSync(join(root, file), "utf8")),
        folder: dirname(file),
      }))
      .filter(({ manifest }) => !manifest.private)
      .map(({ manifest, folder }) => [manifest.name, join(root, folder)]),
  );
  const [command, ...first] = pnpmCommand();
  const pnpm: RepositoryCopy["pnpm"] = async (args, options = {}) => {
    const { stdout, stderr } = await run(command, [...first, ...args], { cwd: root, ...options });
    return `${stdout}${stderr}`;
  };
  const author = ["-c", "user.name=Release", "-c", "user.email=release@localhost"];
  const git = async (args: string[]) => (await run("git", [...author, ...args], { cwd: root })).stdout;
  await pnpm(["install", "--frozen-lockfile", "--prefer-offline", "--ignore-scripts"]);
  await git(["init", "--quiet", "--initial-branch", "main"]);
  const commit = async (message: string) => {
    await git(["add", "--all"]);
    await git(["commit", "--quiet", "--allow-empty", "--message", message]);
  };
  await commit("Before the release");
  return {
    root,
    packages,
    pnpm,
    git,
    commit,
    addBuild() {
      for (const folder of Object.values(packages)) {
        cpSync(join(folder.replace(root, repository), "dist"), join(folder, "dist"), { recursive: true });
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
