/** The packages as they would be published: packed, and unpacked into a folder. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

export interface PackedPackages {
  /** The unpacked folder of each package, by name. */
  folders: Record<string, string>;
  remove(): void;
}

/** The pnpm that runs the tests: a program, and its first arguments. */
export function pnpmCommand(): [command: string, ...first: string[]] {
  const pnpm = process.env.npm_execpath?.includes("pnpm") ? process.env.npm_execpath : "pnpm";
  return /\.[cm]?js$/.test(pnpm) ? [process.execPath, pnpm] : [pnpm];
}

/**
 * Packs the contents of `dist`; the packages must be built.
 *
 * @param root - An empty folder, in which package `server` is unpacked as `server/package`.
 */
export function packPackages(root: string = mkdtempSync(join(tmpdir(), "kortyx-packed-"))): PackedPackages {
  const folders: Record<string, string> = {};
  for (const name of ["protocol", "server", "client", "conformance"]) {
    const target = join(root, name);
    mkdirSync(target);
    const [command, ...first] = pnpmCommand();
    execFileSync(command, [...first, "pack", "--pack-destination", target], {
      cwd: join(repository, "packages", name),
      stdio: "pipe",
    });
    const tarball = readdirSync(target).find((file) => file.endsWith(".tgz"))!;
    execFileSync("tar", ["-xzf", join(target, tarball), "-C", target]);
    folders[`@kortyx/${name}`] = join(target, "package");
  }
  return { folders, remove: () => rmSync(root, { recursive: true }) };
}
