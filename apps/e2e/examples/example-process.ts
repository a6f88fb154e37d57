/** An example as its reader builds and starts it: by its own scripts. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** That of a reader: the variables of a test change what builds and servers do and print. */
const ofReader = Object.entries(process.env).filter(
  ([name]) => !/^(?:VITEST.*|NODE_ENV|TEST|FORCE_COLOR)$/.test(name),
);

const environment = {
  ...Object.fromEntries(ofReader),
  NEXT_TELEMETRY_DISABLED: "1",
  HOST: "localhost",
  PORT: "0",
};

/** Runs a script of an example, if it has it. A failure throws what the script has printed. */
export function runScript(folder: string, script: "build" | "check"): void {
  const { scripts } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (scripts[script] === undefined) return;
  const { status, stdout, stderr, error } = spawnSync(process.execPath, ["--run", script], {
    cwd: folder,
    encoding: "utf8",
    env: environment,
  });
  if (status !== 0) throw new Error(`${script} failed: ${error?.message ?? `${stdout}${stderr}`}`);
}

export interface ExampleProcess {
  url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Starts a built example on a free port. Resolves when it prints its address. */
export async function startExample(
  folder: string,
  variables: Record<string, string> = {},
): Promise<ExampleProcess> {
  // A group of its own, because the server is a child of the shell that runs the script.
  const child = spawn(process.execPath, ["--run", "start"], {
    cwd: folder,
    env: { ...environment, ...variables },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const exited = once(child, "exit");
  const kill = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL");
    await exited;
  };
  return { url: await readAddress(child), kill };
}

function readAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout!.on("data", (data) => {
      output += data;
      const address = /http:\/\/\S+:\d+/.exec(output)?.[0];
      if (address !== undefined) resolve(address);
    });
    child.once("exit", (code) => reject(new Error(`It ended (${code}) before it listened:\n${output}`)));
  });
}
