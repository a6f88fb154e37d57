/**
 * Keeps the public types of each entry as text, in `packages/<name>/api`, so that a change of one is a change of a file
 * that is reviewed. `pnpm api` writes the reports; with `--check` it prints what differs from them, and fails. Reads the
 * built declarations.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import { repository } from "./test/readme-snippets.ts";

const readManifest = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** The declarations of a package's entries, by the name of the report. Those of `internal` follow no version. */
function readEntries(folder: string): Record<string, string> {
  const entries = Object.entries<{ types?: string }>(readManifest(folder).exports).flatMap(
    ([subpath, { types }]) =>
      types === undefined || /^\.\/internal\b/.test(subpath)
        ? []
        : [[subpath.slice(2).replaceAll("/", "-") || "index", types]],
  );
  return Object.fromEntries(entries);
}

const compilerOptions = {
  target: "es2023",
  module: "nodenext",
  lib: ["es2023", "dom", "dom.iterable"],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
};

const silent = { default: { logLevel: ExtractorLogLevel.None } };

function configure(folder: string, output: string, [name, declarations]: [string, string]): ExtractorConfig {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: join(folder, declarations),
      compiler: { overrideTsconfig: { compilerOptions, files: Object.values(readEntries(folder)) } },
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFileName: `${name}.api.md`,
        reportFolder: output,
        reportTempFolder: join(output, "temp"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: "lf",
      messages: { extractorMessageReporting: silent, tsdocMessageReporting: silent },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, "package.json"),
  });
}

/**
 * Writes the report of each entry of a package, and nothing else, to an empty folder.
 *
 * @throws Error if the declarations have errors, are not built, or name types of an internal entry, which has no report.
 */
export function writeReports(folder: string, output: string): void {
  mkdirSync(output, { recursive: true });
  if (Object.keys(readEntries(folder)).length === 0) return;
  const configs = Object.entries(readEntries(folder)).map((entry) => configure(folder, output, entry));
  const compilerState = CompilerState.create(configs[0]!, {
    additionalEntryPoints: configs.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath),
  });
  for (const config of configs) {
    const problems: string[] = [];
    const { succeeded } = Extractor.invoke(config, {
      compilerState,
      localBuild: true,
      messageCallback(message) {
        if (message.logLevel === "error") problems.push(message.text);
        message.handled = true;
      },
    });
    if (!succeeded) throw new Error(`No report on ${config.mainEntryPointFilePath}:\n${problems.join("\n")}`);
    const hidden = /^import .* from '.*\/internal(?:\/.*)?';$/m.exec(
      readFileSync(config.reportFilePath, "utf8"),
    );
    if (hidden) {
      throw new Error(`No report shows the types of "${hidden[0]}". Export them from a public entry there.`);
    }
  }
  rmSync(join(output, "temp"), { recursive: true, force: true });
}

/** @returns the difference between two folders of reports, as git prints it; empty if there is none. */
export function compareReports(accepted: string, current: string): string {
  mkdirSync(accepted, { recursive: true });
  const { status, stdout, stderr } = spawnSync(
    "git",
    ["diff", "--no-index", "--no-prefix", "--no-renames", accepted, current],
    { encoding: "utf8" },
  );
  if (status !== 0 && status !== 1) throw new Error(`git diff failed: ${stderr}`);
  return stdout;
}

if (process.argv[1] === import.meta.filename) {
  const temporary = mkdtempSync(join(tmpdir(), "kortyx-api-"));
  const differences: string[] = [];
  for (const name of readdirSync(join(repository, "packages"))) {
    const folder = join(repository, "packages", name);
    const accepted = join(folder, "api");
    const hasEntries = Object.keys(readEntries(folder)).length > 0;
    if (readManifest(folder).private || !(hasEntries || existsSync(accepted))) continue;
    const current = join(temporary, name);
    writeReports(folder, current);
    if (process.argv.includes("--check")) {
      differences.push(compareReports(accepted, current));
    } else {
      if (existsSync(accepted)) rmSync(accepted, { recursive: true });
      cpSync(current, accepted, { recursive: true });
    }
  }
  rmSync(temporary, { recursive: true });
  if (differences.some((difference) => difference !== "")) {
    console.error(
      `${differences.join("")}\nThe public types differ from the reports in packages/*/api. Run \`pnpm api\` to accept them, and check in docs/versioning.md which version such a change needs.`,
    );
    process.exitCode = 1;
  }
}
