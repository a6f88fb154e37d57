/** The doctor as a user runs it: the published program, as a process. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../node_modules/@kortyx/server/", import.meta.url);
const { bin } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
const [program] = Object.values<string>(bin);
const path = fileURLToPath(new URL(program!, folder));

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

export function runDoctor(args: string[], env: Record<string, string> = {}): Promise<DoctorRun> {
  const child = spawn(process.execPath, [path, "doctor", ...args], { env: { ...process.env, ...env } });
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
