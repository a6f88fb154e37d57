/** The built demo as a separate process, on an ephemeral port. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../node_modules/@kortyx/demo/src/server/main.ts", import.meta.url));

export interface DemoProcess {
  url: string;
  process: ChildProcess;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** @param stderr - `pipe` for a test that provokes an error and reads the log. */
export async function startDemo(
  environment: Record<string, string> = {},
  stderr: "inherit" | "pipe" = "inherit",
): Promise<DemoProcess> {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, PORT: "0", DEMO_RUNS_FILE: ":memory:", ...environment },
    stdio: ["ignore", "pipe", stderr],
  });
  return {
    url: await readAddress(child),
    process: child,
    kill: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      }),
  };
}

/** Waits for the line with the address. */
function readAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (data) => {
      output += data;
      const address = /Demo: (http:\/\/\S+)/.exec(output)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once("exit", (code) =>
      reject(new Error(`The demo ended (${code}) before it gave its address:\n${output}`)),
    );
  });
}
