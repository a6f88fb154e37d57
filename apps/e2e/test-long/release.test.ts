/** A release from beginning to end: versions, changelogs, publishing to a registry on loopback, installing, importing. */
import { exec, execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "../release/fake-registry.ts";
import { copyRepository, type RepositoryCopy } from "../release/repository-copy.ts";
import { versions } from "../transcripts/transcript-sets.ts";

// Packages are installed, packed and published: a busy machine takes minutes.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const run = promisify(exec);

/** Without what the npx that may run this test hands on: its name, whose settings to read, and which packages to run. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_config_(userconfig|package|user_agent)$/i.test(name)),
);

let copy: RepositoryCopy;
let registry: FakeRegistry;
beforeAll(async () => {
  registry = await startFakeRegistry();
  copy = await copyRepository();
});
afterAll(async () => {
  copy?.remove();
  await registry?.close();
});

/** The settings of a user who may publish to the registry. */
function loggedIn() {
  const userconfig = join(copy.root, "node_modules/.npmrc");
  const { host } = new URL(registry.url);
  writeFileSync(userconfig, `registry=${registry.url}\n//${host}/:_authToken=token\n`);
  return { ...environment, NPM_CONFIG_USERCONFIG: userconfig, npm_config_registry: registry.url };
}

const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const names = () => Object.keys(copy.packages).sort();
let version: string;

test("a package that is not built is neither packed nor published", async () => {
  for (const [name, folder] of Object.entries(copy.packages)) {
    const first = name === "@kortyx/conformance" ? "cli.js" : "index.d.ts";
    const refusal = `${name} is not built: ./dist/${first} is missing. Run \`pnpm build\` first.`;
    const refused = { stderr: expect.stringContaining(refusal) };
    await expect(copy.pnpm(["pack"], { cwd: folder }), name).rejects.toMatchObject(refused);
    const published = copy.pnpm(["publish", "--no-git-checks"], { cwd: folder, env: loggedIn() });
    await expect(published, name).rejects.toMatchObject(refused);
  }
  expect(registry.published).toEqual([]);
});

test("a package without one of the files that its package.json names is not built", () => {
  for (const [name, folder] of Object.entries(copy.packages)) {
    const named = readFileSync(join(folder, "package.json"), "utf8").matchAll(/"(\.\/dist\/[^"]+)"/g);
    const files = Array.from(named, ([, file]) => file!);
    mkdirSync(join(folder, "dist"));
    for (const file of files) writeFileSync(join(folder, file), "");
    const check = () =>
      spawnSync(process.execPath, [join(copy.root, ".ci/check-built.mjs")], {
        cwd: folder,
        encoding: "utf8",
      });
    expect(check().status, name).toBe(0);
    for (const file of files) {
      rmSync(join(folder, file));
      expect(check().stderr, name).toContain(`${name} is not built: ${file} is missing.`);
      writeFileSync(join(folder, file), "");
    }
    rmSync(join(folder, "dist"), { recursive: true });
  }
});

const checkChangesets = () => copy.pnpm(["exec", "node", ".ci/check-changesets.mjs"]);

test("a package whose source changes without a changeset is refused, also in a clone that has main only as a branch of its origin", async () => {
  await copy.git(["switch", "--quiet", "--create", "change"]);
  appendFileSync(join(copy.packages["@kortyx/server"]!, "api/node.api.md"), "Not published.\n");
  await copy.commit("A change that users cannot notice");
  await checkChangesets();
  appendFileSync(join(copy.packages["@kortyx/server"]!, "src/index.ts"), "// Changed.\n");
  await copy.commit("A change");
  const refused = { stdout: expect.stringContaining("no changesets were found") };
  await expect(checkChangesets()).rejects.toMatchObject(refused);
  await copy.git(["update-ref", "refs/remotes/origin/main", "main"]);
  await copy.git(["branch", "--delete", "--force", "main"]);
  await expect(checkChangesets()).rejects.toMatchObject(refused);
  await copy.git(["switch", "--quiet", "--create", "release", "origin/main"]);
});

const changeset = (...bumps: string[]) => `---\n${bumps.join("\n")}\n---\n\nA change.\n`;

test.each([
  ["0.0.1", "0.0.0", changeset('"@kortyx/server": patch'), "which `minor` makes; got `patch`."],
  ["1.0.0", "0.0.0", changeset('"@kortyx/server": major'), "which `minor` makes; got `major`."],
  ["0.1.1", "0.1.0", changeset('"@kortyx/server": patch'), "of version 0.0.0; got 0.1.0."],
])("a first release as %s is refused", async (_, current, text, problem) => {
  for (const folder of Object.values(copy.packages)) rmSync(join(folder, "CHANGELOG.md"), { force: true });
  const file = join(copy.packages["@kortyx/protocol"]!, "package.json");
  const manifest = readFileSync(file, "utf8").replace(/"version": ".*"/, `"version": "${current}"`);
  writeFileSync(file, manifest);
  writeFileSync(join(copy.root, ".changeset/refused.md"), text);
  await expect(checkChangesets()).rejects.toMatchObject({ stderr: expect.stringContaining(problem) });
});

test("a changeset of two packages, whose changelogs would repeat it, is refused", async () => {
  const text = changeset('"@kortyx/server": minor', "'@kortyx/client': minor");
  writeFileSync(join(copy.root, ".changeset/refused.md"), text);
  const refused = { stderr: expect.stringContaining("refused.md: its text becomes a part of 2 changelogs.") };
  await expect(checkChangesets()).rejects.toMatchObject(refused);
  await copy.git(["reset", "--quiet", "--hard"]);
  await copy.git(["clean", "--quiet", "--force", ".changeset"]);
});

test("the changesets make one version of all packages, and changelogs without the traces of tools", async () => {
  // Right after a release there are no changesets, and its version is rehearsed once more.
  const isFirst = !existsSync(join(copy.packages["@kortyx/protocol"]!, "CHANGELOG.md"));
  const hasChangesets = globSync(".changeset/*.md", { cwd: copy.root }).length > 0;
  if (hasChangesets) await copy.pnpm(["changeset", "version"]);
  const { fixed } = JSON.parse(readFileSync(join(copy.root, ".changeset/config.json"), "utf8"));
  expect(fixed.map((group: string[]) => group.sort())).toEqual([names()]);
  version = manifestOf(copy.packages["@kortyx/protocol"]!).version;
  if (isFirst) expect(version).toBe("0.1.0");
  for (const [name, folder] of Object.entries(copy.packages)) {
    expect(manifestOf(folder).version, name).toBe(version);
    const changelog = readFileSync(join(folder, "CHANGELOG.md"), "utf8");
    expect(changelog.startsWith(`# ${name}\n\n## ${version}\n\n`), name).toBe(true);
    expect(changelog).not.toMatch(/^\s*- [\da-f]{7}: |Updated dependencies|[ \t]$/m);
  }
  const changed = (await copy.git(["status", "--porcelain"])).split("\n").map((line) => line.slice(3));
  const allowed = /^$|^\.changeset\/.*\.md$|^packages\/[\w-]+\/(?:package\.json|CHANGELOG\.md)$/;
  expect(changed.filter((file) => !allowed.test(file))).toEqual([]);
  await copy.commit("Version packages");
  await checkChangesets();
});

test("the version has its transcripts, which freeze with it", () => {
  expect(
    versions.at(-1),
    "Run `node apps/e2e/transcripts/freeze.ts` with the version that the changesets make.",
  ).toBe(version.replace(/\.\d+$/, ""));
});

test("the built packages are published to everyone, those that others need first", async () => {
  copy.addBuild();
  const server = { cwd: copy.packages["@kortyx/server"]!, env: loggedIn() };
  await expect(run("npm publish --dry-run", server)).rejects.toMatchObject({
    stderr: expect.stringContaining("@kortyx/server is published with pnpm"),
  });
  await copy.pnpm(["changeset", "publish"], { env: loggedIn() });

  const { published } = registry;
  expect(published.map(({ name }) => name).sort()).toEqual(names());
  expect(published[0]!.name).toBe("@kortyx/protocol");
  for (const { name, access, manifest } of published) {
    expect([access, manifest.version], name).toEqual(["public", version]);
    expect(JSON.stringify(manifest), name).not.toMatch(/workspace:|catalog:/);
    const siblings = Object.entries(manifest.dependencies ?? {}).filter(([dependency]) =>
      names().includes(dependency),
    );
    expect(
      siblings.map(([, range]) => range).filter((range) => range !== version),
      name,
    ).toEqual([]);
  }
  const tags = (await copy.git(["tag"])).trim().split("\n").sort();
  expect(tags).toEqual(names().map((name) => `${name}@${version}`));
});

test("npm installs the published packages in an empty project, which imports every entry and runs every command", () => {
  const project = mkdtempSync(join(tmpdir(), "kortyx-installed-"));
  try {
    const files = registry.published.map(({ name, tarball }) => {
      const file = `./${name.replaceAll(/\W+/g, "-").slice(1)}.tgz`;
      writeFileSync(join(project, file), tarball);
      return file;
    });
    writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
    const shell = process.platform === "win32";
    const options = { cwd: project, env: environment, encoding: "utf8", shell } as const;
    execFileSync(
      "npm",
      ["install", "--prefer-offline", "--no-audit", "--no-fund", ...files, "react"],
      options,
    );
    const entries = registry.published.flatMap(({ name, manifest }) =>
      Object.entries(manifest.exports)
        .filter(([, target]) => typeof target === "object")
        .map(([subpath]) => name + subpath.slice(1)),
    );
    expect(entries.length).toBeGreaterThan(registry.published.length);
    const program = `
      for (const entry of ${JSON.stringify(entries)}) {
        if (Object.keys(await import(entry)).length === 0) throw new Error(entry + " exports nothing");
      }
      console.log(import.meta.resolve("@kortyx/protocol/transcripts/0.1/plain-text.sse"));
    `;
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program], options);
    const transcript = readFileSync(new URL(printed.trim()), "utf8");
    expect(transcript).toMatch(/^data: \{"type":"[\s\S]*data: \[DONE\]\n\n$/);
    const commands = registry.published.flatMap(({ manifest }) => Object.keys(manifest.bin ?? {}));
    expect(commands.sort()).toEqual(["kortyx-conformance", "kortyx-server"]);
    for (const command of commands) {
      const help = execFileSync("npx", ["--no-install", command, "--help"], options);
      expect(help, command).toMatch(/^\S/);
    }
  } finally {
    rmSync(project, { recursive: true });
  }
});
