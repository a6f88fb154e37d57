/** A thread that simulates worlds, with the packages loaded once for all of them. Its parent chooses the seeds. */
import { parentPort, workerData } from "node:worker_threads";
import { hookPackages, loadPackages } from "./load-packages.ts";
import type { Mutation } from "./mutations.ts";
import { planWorld, type WorldPlan } from "./plan-world.ts";
import { shrinkPlan } from "./shrink-plan.ts";
import { replaceGlobals } from "./simulated-globals.ts";
import { simulateWorld } from "./world.ts";

/** What the parent asks for. */
export type Task =
  | { kind: "seeds"; from: number; count: number; stopAtFirst: boolean }
  | { kind: "trace"; plan: WorldPlan }
  | { kind: "shrink"; plan: WorldPlan };

export interface Finding {
  seed: number;
  problem: string;
  hash: string;
}

export type Reply =
  | {
      kind: "seeds";
      seeds: number;
      steps: number;
      faults: number;
      hash: string;
      cpuMs: number;
      findings: Finding[];
    }
  | { kind: "trace"; problem: string | undefined; hash: string; steps: string[] }
  | { kind: "shrink"; problem: string | undefined; hash: string; plan: WorldPlan; tries: number };

const { mutation } = workerData as { mutation: Mutation | undefined };

replaceGlobals();
hookPackages(mutation?.edits ?? []);
// Faults are logged, thousands of times.
console.error = () => {};
const packages = await loadPackages(3);

async function simulateSeeds({ from, count, stopAtFirst }: Extract<Task, { kind: "seeds" }>): Promise<Reply> {
  const findings: Finding[] = [];
  const cpu = process.threadCpuUsage();
  let [seeds, steps, faults, hashes] = [0, 0, 0, ""];
  for (let seed = from; seed < from + count && !(stopAtFirst && findings.length > 0); seed++) {
    const plan = planWorld(seed);
    const { problem, hash, steps: taken } = await simulateWorld(plan, packages);
    seeds++;
    steps += taken;
    faults += plan.faults.length + plan.clients.filter(({ offline }) => offline !== undefined).length;
    hashes += hash;
    if (problem !== undefined) findings.push({ seed, problem, hash });
  }
  const { user, system } = process.threadCpuUsage(cpu);
  return { kind: "seeds", seeds, steps, faults, hash: hashes, cpuMs: (user + system) / 1000, findings };
}

async function perform(task: Task): Promise<Reply> {
  if (task.kind === "seeds") return simulateSeeds(task);
  if (task.kind === "shrink") {
    const { plan, tries } = await shrinkPlan(task.plan, (smaller) => simulateWorld(smaller, packages));
    return { kind: "shrink", ...(await simulateWorld(plan, packages)), plan, tries };
  }
  const lines: string[] = [];
  const { problem, hash } = await simulateWorld(task.plan, packages, ({ context, label }, { elapsed }) => {
    lines.push(`${elapsed.toFixed(1).padStart(9)}  ${(context?.name ?? "").padEnd(9)} ${label}`);
  });
  return { kind: "trace", problem, hash, steps: lines };
}

parentPort!.on("message", (task: Task) => {
  void perform(task).then((reply) => parentPort!.postMessage(reply));
});
