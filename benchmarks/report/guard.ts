/** The guard: fails if the hot path is about twice as slow as its targets, which is more than noise explains. */
import type { Results } from "../harness/run-rounds.ts";
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

/** @returns whether all guarded targets hold. Prints each. */
export function judge(results: Results, rounds: number): boolean {
  let isWell = true;
  for (const target of targets.filter(({ id }) => id in margins)) {
    const margin = margins[target.id]!;
    const { median, values } = assess(target, results, rounds);
    const bound = target.isHigherBetter ? target.must / margin : target.must * margin;
    const passes = target.isHigherBetter ? median >= bound : median <= bound;
    isWell &&= passes;
    const verdict = values.length === 0 ? "NOT MEASURED" : passes ? "ok" : "SLOW";
    const relation = target.isHigherBetter ? "at least" : "at most";
    console.log(`${verdict} ${target.what}: ${median.toFixed(2)}, ${relation} ${bound.toFixed(2)}`);
  }
  return isWell;
}
