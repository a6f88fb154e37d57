/** Simulates many seeds in threads, and sums them up. Prints nothing. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Mutation } from "./mutations.ts";
import type { Finding, Reply, Task } from "./seed-worker.ts";

/** The seeds that a thread simulates before it reports. */
const batchSize = 50;

export interface SeedsOptions {
  from: number;
  count: number;
  mutation?: Mutation | undefined;
  /** Ends with the first seed that has a problem. */
  stopAtFirst?: boolean | undefined;
  threads?: number | undefined;
}

export interface SeedsResult {
  seeds: number;
  steps: number;
  faults: number;
  /** Of the processor, in all threads. */
  cpuMs: number;
  /** By seed. */
  findings: Finding[];
  /** Of every step of all seeds. */
  hash: string;
}

/** A thread, and what it is asked. */
export class SeedThread {
  readonly #worker: Worker;

  constructor(mutation: Mutation | undefined) {
    this.#worker = new Worker(new URL("./seed-worker.ts", import.meta.url), { workerData: { mutation } });
  }

  ask<Kind extends Task["kind"]>(
    task: Extract<Task, { kind: Kind }>,
  ): Promise<Extract<Reply, { kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const worker = this.#worker;
      const onMessage = (reply: Extract<Reply, { kind: Kind }>) => {
        worker.off("error", reject);
        resolve(reply);
      };
      worker.once("message", onMessage);
      worker.once("error", reject);
      worker.postMessage(task);
    });
  }

  end(): Promise<unknown> {
    return this.#worker.terminate();
  }
}

/** The batches are simulated in any order, and reported in theirs: the result depends on nothing but the seeds. */
export async function simulateSeeds(options: SeedsOptions): Promise<SeedsResult> {
  const { from, count, mutation, stopAtFirst = false } = options;
  const { threads = Math.min(availableParallelism(), Math.ceil(count / batchSize)) } = options;
  const replies: Extract<Reply, { kind: "seeds" }>[] = [];
  let batches = 0;
  let isFound = false;
  const work = async () => {
    const thread = new SeedThread(mutation);
    try {
      while (!isFound && batches * batchSize < count) {
        const batch = batches++;
        const first = from + batch * batchSize;
        const size = Math.min(batchSize, from + count - first);
        const reply = await thread.ask({ kind: "seeds", from: first, count: size, stopAtFirst });
        replies[batch] = reply;
        isFound ||= stopAtFirst && reply.findings.length > 0;
      }
    } finally {
      await thread.end();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  const sum = (value: (reply: Extract<Reply, { kind: "seeds" }>) => number) =>
    replies.reduce((total, reply) => total + value(reply), 0);
  return {
    seeds: sum(({ seeds }) => seeds),
    steps: sum(({ steps }) => steps),
    faults: sum(({ faults }) => faults),
    cpuMs: sum(({ cpuMs }) => cpuMs),
    findings: replies.flatMap(({ findings }) => findings),
    hash: combine(replies.map(({ hash }) => hash).join("")),
  };
}

/** FNV-1a. */
function combine(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
