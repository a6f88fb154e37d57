/** Starts the simulation as a process of its own, as a developer does, for tests. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("simulate.ts", import.meta.url));

export interface SimulationOutput {
  code: number;
  text: string;
}

/** @param options - The options of the command line. */
export function playSimulation(options: readonly string[]): Promise<SimulationOutput> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...options], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, text: stdout + stderr });
    });
  });
}
