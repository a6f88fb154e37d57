/** A release from beginning to end: versions, changelogs, publishing to a registry on loopback, installing, importing. */
import { execFileSync } from "node:child_process";
import { appendFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "../release/fake-registry.ts";
import { copyRepository, type RepositoryCopy } from "../release/repository-copy.ts";
import { versions } from "../transcripts/transcript-sets.ts";

// Packages are installed, packed and published: a busy machine takes minutes.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** Without what the npx that may run this test hands on: whose settings to read, and which packages to run. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_config_(userconfig|package)$/i.test(name)),
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

const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const names = () => Object.keys(copy.packages).sort();
let version: string;

test("a package that is not built is neither packed nor published", async () => {
  for (const [name, folder] of Object.entries(copy.packages)) {
    const first = name === "@kortyx/conformance" ? "cli.js" : "index.d.ts";
    const refusal = `${name} is not built: ./dist/${first} is missing. Run \`pnpm build\` first.`;
    const packed = copy.pnpm(["pack"], { cwd: folder });
    await expect(packed, name).rejects.toMatchObject({ stderr: expect.stringContaining(refusal) });
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

test("the changesets make one version of all packages, and changelogs without the traces of tools", async () => {
  // Right after a release there are no changesets, and its version is rehearsed once more.
  const hasChangesets = globSync(".changeset/*.md", { cwd: copy.root }).length > 0;
  if (hasChangesets) await copy.pnpm(["changeset", "version"]);
  const { fixed } = JSON.parse(readFileSync(join(copy.root, ".changeset/config.json"), "utf8"));
  expect(fixed.map((group: string[]) => group.sort())).toEqual([names()]);
  version = manifestOf(copy.packages["@kortyx/protocol"]!).version;
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
  const userconfig = join(copy.root, ".tmp-npmrc");
  const { host } = new URL(registry.url);
  writeFileSync(userconfig, `registry=${registry.url}\n//${host}/:_authToken=token\n`);
  const npm = { NPM_CONFIG_USERCONFIG: userconfig, npm_config_registry: registry.url };
  await copy.pnpm(["changeset", "publish"], { env: { ...environment, ...npm } });
  rmSync(userconfig);

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
