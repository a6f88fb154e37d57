// Fails if a published package has changed since main without a changeset. A branch that makes a release has none left:
// there, versions differ from those of main.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const git = (...args) => execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

/** A clone of a pull request has main only as a branch of its origin. */
function findMain() {
  for (const name of ["main", "origin/main"]) {
    try {
      git("rev-parse", "--verify", `${name}^{commit}`);
      return name;
    } catch {}
  }
  throw new Error("Neither main nor origin/main exists; clone the repository with its history.");
}

const main = findMain();
const manifest = "packages/protocol/package.json";
const versionOf = (text) => JSON.parse(text).version;
const isRelease = versionOf(git("show", `${main}:${manifest}`)) !== versionOf(readFileSync(manifest, "utf8"));
if (!isRelease) {
  // Windows finds `changeset` only with a shell.
  const { status, error } = spawnSync(`changeset status --since ${main}`, { shell: true, stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
