/** The guard: whether the hot path is about twice as slow as it must be. Only what no noise of a busy machine explains. */
import type { Results } from "../harness/run-rounds.ts";
import { assess, targets } from "./targets.ts";

/** By how much each may miss its target. Two processes differ more than two passes that take turns in one. */
const margins: Record<string, number> = {
  "sync-limit": 2,
  "burst-limit": 2,
  "read-limit": 2,
  "read-frame": 2,
  "http-send": 2,
  "send-shape": 1.25,
  "read-shape": 1.25,
};

/** @returns whether all is well; says so. */
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
