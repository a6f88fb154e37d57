/** The program of `fixtures/stream-program.mjs`, or another one, as a separate process, which its starter ends. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until } from "./live-server.ts";

const fixture = fileURLToPath(new URL("../fixtures/stream-program.mjs", import.meta.url));

export interface StreamProgram {
  url: string;
  /** The lines that it has printed. */
  lines: string[];
  /** Resolves when the process has exited and its output has been read. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  signal(name: NodeJS.Signals): void;
  /** Waits for a line that begins with `start`. @returns the rest of the line. */
  readLine(start: string): Promise<string>;
  /** Ends it at once, like a crash. */
  kill(): Promise<unknown>;
}

export async function startStreamProgram(
  options: {
    main?: string | undefined;
    deadlineMs?: number | undefined;
    /** How long after the deadline clients may take to read the last bytes. */
    lastBytesMs?: number | undefined;
    env?: Record<string, string> | undefined;
  } = {},
): Promise<StreamProgram> {
  const { main = fixture, deadlineMs = 60_000, lastBytesMs = 500, env } = options;
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, DEADLINE_MS: String(deadlineMs), LAST_BYTES_MS: String(lastBytesMs), ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  let isOver = false;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("close", (code, signal) => {
      isOver = true;
      resolve({ code, signal });
    });
  });
  const lines = () => output.split("\n").slice(0, -1);
  const find = (start: string) => lines().find((line) => line.startsWith(start));
  const program: StreamProgram = {
    url: "",
    get lines() {
      return lines();
    },
    exited,
    signal: (name) => void child.kill(name),
    async readLine(start) {
      await until(() => find(start) !== undefined || isOver, `the program prints "${start}"`);
      const line = find(start);
      if (line === undefined) throw new Error(`The program exited without printing "${start}":\n${output}`);
      return line.slice(start.length).trim();
    },
    kill() {
      child.kill("SIGKILL");
      return exited;
    },
  };
  try {
    program.url = await program.readLine("Listening:");
  } catch (error) {
    await program.kill();
    throw error;
  }
  return program;
}
