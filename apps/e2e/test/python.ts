/** Runs the Python reader and writer of docs/protocol.md. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const pythonFolder: string = fileURLToPath(new URL("../python/", import.meta.url));

export const hasPython = (): boolean => spawnSync("python3", ["--version"]).status === 0;

/** Runs a job of `python/run.py`. */
export async function runPython<Result>(job: string, ...values: unknown[]): Promise<Result> {
  const child = spawn("python3", ["-B", "run.py"], { cwd: pythonFolder, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(JSON.stringify([job, ...values]));
  const [output, log] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (child.exitCode !== 0) throw new Error(`The Python job ${job} failed:\n${log}`);
  return JSON.parse(output);
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
