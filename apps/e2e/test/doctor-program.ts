/** The doctor as a user runs it: the published program, as a process. */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const folder = new URL("../node_modules/@kortyx/server/", import.meta.url);
const { bin } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
const [program] = Object.values<string>(bin);
const programPath = fileURLToPath(new URL(program!, folder));

export interface DoctorRun {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface DoctorReport {
  exitCode: number | null;
  verdict: string;
  answers: Record<string, unknown>[];
  findings: {
    id: string;
    severity: string;
    what: string;
    culprit?: string;
    fixes: string[];
    page?: string;
  }[];
}

/** A copy of the program in a package with another manifest. */
export function copyProgram(manifest: object): { path: string; remove(): void } {
  const copy = mkdtempSync(join(tmpdir(), "kortyx-program-"));
  cpSync(new URL("dist", folder), join(copy, "dist"), { recursive: true });
  symlinkSync(fileURLToPath(new URL("node_modules", folder)), join(copy, "node_modules"));
  writeFileSync(join(copy, "package.json"), JSON.stringify(manifest));
  return { path: join(copy, program!), remove: () => rmSync(copy, { recursive: true }) };
}

export function runDoctor(
  args: string[],
  env: Record<string, string> = {},
  path: string = programPath,
  whenSpawned: (stdout: Readable) => void = () => {},
): Promise<DoctorRun> {
  const child = spawn(process.execPath, [path, "doctor", ...args], { env: { ...process.env, ...env } });
  whenSpawned(child.stdout);
  const run: DoctorRun = { exitCode: null, stdout: "", stderr: "" };
  child.stdout.on("data", (piece) => {
    run.stdout += piece;
  });
  child.stderr.on("data", (piece) => {
    run.stderr += piece;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ ...run, exitCode }));
  });
}

/** The report for programs. */
export async function examine(args: string[], env?: Record<string, string>): Promise<DoctorReport> {
  const { exitCode, stdout, stderr } = await runDoctor([...args, "--json"], env);
  if (!stdout.startsWith("{")) throw new Error(`The doctor printed no report: ${stdout}${stderr}`);
  return { exitCode, ...JSON.parse(stdout) };
}

/** The findings that make the verdict. */
export const faultsOf = ({ findings }: DoctorReport): string[] =>
  findings.filter(({ severity }) => severity === "fault").map(({ id }) => id);
