/** A child process with a store of the same runs: see `run-store-child.mjs`. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunStore } from "../../src/stores/run-store.ts";

interface ChildAnswer {
  id: number;
  value?: unknown;
  error?: string;
}

type Method = Exclude<keyof RunStore, "canHandOff" | "leaseMs">;

export interface ChildStore {
  /** Calls a method of the child's store; `wait` gets a signal that is never aborted. */
  call<Name extends Method>(
    method: Name,
    ...values: Parameters<RunStore[Name]> extends [...infer Values, AbortSignal]
      ? Values
      : Parameters<RunStore[Name]>
  ): Promise<{ value: Awaited<ReturnType<RunStore[Name]>> }>;
  process: ChildProcess;
  /** Kills the process, as a crash would. */
  kill(): Promise<void>;
  /** Resolves to its exit code. */
  exited: Promise<number | null>;
}

/**
 * @param options - The store's options: a `path`, or the `socketPath` of a Redis, a `prefix` and the `library` of the client. With `hasTicks: false`,
 * only announcements wake readers; `dateOffsetMs` is the error of the child's date.
 */
export async function startChildStore(options: object): Promise<ChildStore> {
  const child = startChild("run-store-child.mjs", [JSON.stringify(options)]);
  const pending = new Map<number, (answer: ChildAnswer) => void>();
  let calls = 0;
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  await new Promise<void>((resolve, reject) => {
    child.once("exit", () => reject(new Error("The child has ended.")));
    child.on("message", (answer: ChildAnswer | "ready") => {
      if (answer === "ready") resolve();
      else pending.get(answer.id)?.(answer);
    });
  });
  return {
    call: (method, ...values) =>
      new Promise((resolve, reject) => {
        const id = ++calls;
        pending.set(id, (answer) => {
          pending.delete(id);
          if (answer.error === undefined) resolve(answer as never);
          else reject(new Error(answer.error));
        });
        child.send({ id, method, values });
      }),
    process: child,
    exited,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Starts a script from this folder, which can import sources as tests do. */
export const startChild = (script: string, values: string[]): ChildProcess =>
  fork(fileURLToPath(new URL(script, import.meta.url)), values, {
    execArgv: ["--conditions=@kortyx/source", "--disable-warning=ExperimentalWarning"],
  });
