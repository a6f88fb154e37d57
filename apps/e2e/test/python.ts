/** Runs the Python reader and writer of docs/protocol.md. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const pythonFolder: string = fileURLToPath(new URL("../python/", import.meta.url));

export const hasPython = (): boolean => spawnSync("python3", ["--version"]).status === 0;

/** Runs a job of `python/run.py`. */
export async function runPython<Result>(job: string, ...values: unknown[]): Promise<Result> {
  return JSON.parse(await run(job, ["run.py"], JSON.stringify([job, ...values])));
}

/** Runs a program. @returns what it prints. */
export const runProgram = (...command: [file: string, ...values: string[]]): Promise<string> =>
  run(command[0], command);

async function run(name: string, command: string[], input = ""): Promise<string> {
  const child = spawn("python3", ["-B", ...command], { cwd: pythonFolder, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  const [output, log] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (child.exitCode !== 0) throw new Error(`The Python job ${name} failed:\n${log}`);
  return output;
}

/** Starts a server of this folder, which prints its URL. */
export async function startPython(program: string): Promise<{ url: string; close(): Promise<void> }> {
  const child = spawn("python3", ["-B", program], { cwd: pythonFolder, stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  return {
    url: String(line).trim(),
    async close() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}
