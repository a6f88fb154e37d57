/**
 * Runs jobs in rounds: every job of a workload in a fresh process, the order rotated from round to round, so that
 * changes of the machine's load affect all of them alike.
 */
import { fork } from "node:child_process";
import type { Implementation } from "../implementations/implementation.ts";

/** The measurements of one process; the workload defines the names. */
export type Measures = Record<string, number>;

/** The argument of a workload's `measure`. */
export interface Job {
  /** The part after the workload's file name. */
  variant: string[];
  /** The implementation's name, with the part after its file name. */
  name: string;
  budgetMs: number;
  load(): Promise<Implementation>;
}

/** One workload and its implementations. */
export interface Contest {
  workload: string;
  implementations: string[];
  /** For workloads that take long and vary little. @defaultValue the number of rounds */
  maxRounds?: number | undefined;
}

/** By workload, implementation and round; a hole is a failure or a skipped round. */
export type Results = Record<string, Record<string, (Measures | null)[]>>;

const timeLimitMs = 180_000;

export async function runRounds(
  contests: Contest[],
  rounds: number,
  budgetMs: number,
  onProgress: (line: string) => void,
  nodeOptions: string[] = [],
): Promise<Results> {
  const results: Results = {};
  for (let round = 0; round < rounds; round++) {
    for (const { workload, implementations, maxRounds = rounds } of contests) {
      if (round >= maxRounds) continue;
      const first = round % implementations.length;
      const order = [...implementations.slice(first), ...implementations.slice(0, first)];
      for (const name of order) {
        const startedAt = performance.now();
        const measures = await runChild(workload, name, budgetMs, nodeOptions);
        results[workload] ??= {};
        results[workload][name] ??= [];
        results[workload][name][round] = typeof measures === "string" ? null : measures;
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
        onProgress(`${round + 1}/${rounds} ${workload} · ${name} (${seconds} s): ${print(measures)}`);
      }
    }
  }
  return results;
}

const print = (measures: Measures | string): string =>
  typeof measures === "string"
    ? `FAILED: ${measures}`
    : Object.entries(measures)
        .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
        .join(", ");

/** @returns the measurements of the process, or the reason why it has none. */
function runChild(
  workload: string,
  name: string,
  budgetMs: number,
  nodeOptions: string[],
): Promise<Measures | string> {
  return new Promise((resolve) => {
    const child = fork(new URL("child.ts", import.meta.url), [workload, name, String(budgetMs)], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning", ...nodeOptions],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let log = "";
    let measures: Measures | undefined;
    child.stderr!.on("data", (data) => {
      log = (log + data).slice(-2000);
    });
    child.on("message", (message) => {
      measures = message as Measures;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeLimitMs);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve(
        measures ?? `${signal === "SIGKILL" ? `more than ${timeLimitMs / 1000} s` : `exit ${code}`} ${log}`,
      );
    });
  });
}
