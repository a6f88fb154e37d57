/** A program of the game as a process with an IPC channel, whose stderr is collected. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface OwnProcess {
  child: ChildProcess;
  /** Everything that it has written to stderr, including warnings and unhandled errors. */
  readonly errorOutput: string;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts a program of this folder and waits for its first message.
 *
 * @throws if it exits before.
 */
export async function startOwnProcess(file: string, settings: object = {}): Promise<OwnProcess> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let errorOutput = "";
  child.stderr!.setEncoding("utf8").on("data", (text) => {
    errorOutput += text;
  });
  const exited: OwnProcess["exited"] = new Promise((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("error", reject);
    void exited.then(() => reject(new Error(`${file} exited: ${errorOutput}`)));
  });
  return {
    child,
    exited,
    get errorOutput() {
      return errorOutput;
    },
  };
}
