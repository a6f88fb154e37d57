// Fails if a published package has changed since main without a changeset, if the text of one would be repeated in the
// changelogs of several packages, and if the first release would be another than 0.1.0. A branch that makes a release has
// no changesets left: there, versions differ from those of main.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";

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
const version = versionOf(readFileSync(manifest, "utf8"));
const isFirst = !existsSync("packages/protocol/CHANGELOG.md");

const problems = [];
if (isFirst && version !== "0.0.0") {
  problems.push(`${manifest}: changesets make the first release, 0.1.0, of version 0.0.0; got ${version}.`);
}
for (const file of globSync(".changeset/*.md")) {
  const [, head = ""] = readFileSync(file, "utf8").split(/^---$/m);
  const bumps = Array.from(head.matchAll(/^["']?(?:@[^:"']+)["']?: *(\w+)/gm), ([, bump]) => bump);
  if (bumps.length > 1) {
    problems.push(
      `${file}: its text becomes a part of ${bumps.length} changelogs. Write a changeset for each package.`,
    );
  }
  if (isFirst && bumps.some((bump) => bump !== "minor")) {
    problems.push(
      `${file}: the first release is 0.1.0, which \`minor\` makes; got \`${bumps.join("`, `")}\`.`,
    );
  }
}
for (const problem of problems) console.error(problem);

if (problems.length > 0) {
  process.exitCode = 1;
} else if (version === versionOf(git("show", `${main}:${manifest}`))) {
  // Windows finds `changeset` only with a shell.
  const { status, error } = spawnSync(`changeset status --since ${main}`, { shell: true, stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
