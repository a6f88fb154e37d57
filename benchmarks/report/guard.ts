/** The guard: fails if the hot path is about twice as slow as its targets, which is more than noise explains. */
import type { Contest, Results } from "../harness/run-rounds.ts";
import { assess, targets } from "./targets.ts";

/** The factor by which each may miss its target: larger for ratios of two processes than of two passes that alternate in one. */
const margins: Record<string, number> = {
  "sync-limit": 2,
  "burst-limit": 2,
  "read-limit": 2,
  "read-frame": 2,
  "http-send": 2,
  "send-shape": 1.25,
  "read-shape": 1.25,
};

/** What the guard measures. */
export const guardedWorkloads: string[] = targets
  .filter(({ id }) => id in margins)
  .map(({ workload }) => workload);

/** @returns the workloads that miss a guarded target. Prints each target of the workloads that were measured. */
function judge(results: Results, rounds: number): Set<string> {
  const slow = new Set<string>();
  for (const target of targets.filter(({ id, workload }) => id in margins && workload in results)) {
    const margin = margins[target.id]!;
    const { median, values } = assess(target, results, rounds);
    const bound = target.isHigherBetter ? target.must / margin : target.must * margin;
    const passes = target.isHigherBetter ? median >= bound : median <= bound;
    if (!passes) slow.add(target.workload);
    const verdict = values.length === 0 ? "NOT MEASURED" : passes ? "ok" : "SLOW";
    const relation = target.isHigherBetter ? "at least" : "at most";
    console.log(`${verdict} ${target.what}: ${median.toFixed(2)}, ${relation} ${bound.toFixed(2)}`);
  }
  return slow;
}

/**
 * @param measure - Measures contests. `factor`: how many times as long as usual.
 * @returns whether all guarded targets hold. What misses one is measured twice more, each time for longer: a busy
 * machine slows one of two sides down now and then, a slower hot path is slower every time.
 */
export async function guard(
  contests: Contest[],
  rounds: number,
  measure: (contests: Contest[], factor: number) => Promise<Results>,
): Promise<boolean> {
  let pending = contests;
  for (const factor of [1, 2, 4]) {
    const slow = judge(await measure(pending, factor), rounds);
    pending = pending.filter(({ workload }) => slow.has(workload));
    if (pending.length === 0) return true;
  }
  return false;
}
