// The address of the repository is written once: `repository.url` in the root package.json. This writes it, as
// `repository`, `homepage` and `bugs`, to the packages that are published; npm accepts a provenance only if it matches.
//
// --check: prints the packages that have another address, and fails.
// --required: refuses a repository without an address, and packages that have another one.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const root = new URL("../", import.meta.url);
const read = (path) => JSON.parse(readFileSync(new URL(path, root), "utf8"));
const isRequired = process.argv.includes("--required");
const url = read("package.json").repository.url;

function fail(sentence) {
  console.error(sentence);
  process.exitCode = 1;
}

/** The fields of a package in a folder, none without an address. */
function fieldsOf(directory) {
  if (url === "") return {};
  const page = url.replace(/^git\+/, "").replace(/\.git$/, "");
  return {
    repository: { type: "git", url, directory },
    homepage: `${page}/tree/HEAD/${directory}#readme`,
    bugs: `${page}/issues`,
  };
}

if (url === "" && isRequired) {
  fail(
    "The repository has no address: set `repository.url` in package.json, as in git+https://github.com/owner/name.git, then run `node .ci/repository.mjs`.",
  );
} else if (url !== "" && !/^git\+https:\/\/github\.com\/[\w.-]+\/[\w.-]+\.git$/.test(url)) {
  fail(`repository.url in package.json must be like git+https://github.com/owner/name.git; it is ${url}.`);
} else {
  for (const name of readdirSync(new URL("packages/", root))) {
    const directory = `packages/${name}`;
    const manifest = read(`${directory}/package.json`);
    if (manifest.private) continue;
    const { repository, homepage, bugs, ...others } = manifest;
    const { name: packageName, version, description, ...rest } = others;
    const next = { name: packageName, version, description, ...fieldsOf(directory), ...rest };
    const text = `${JSON.stringify(next, null, 2)}\n`;
    if (JSON.stringify(manifest) === JSON.stringify(next)) continue;
    if (isRequired || process.argv.includes("--check")) {
      fail(`${directory}/package.json has another address than package.json. Run: node .ci/repository.mjs`);
    } else {
      writeFileSync(new URL(`${directory}/package.json`, root), text);
    }
  }
}
