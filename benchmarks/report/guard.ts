/** The guard: whether the hot path is about twice as slow as it must be. Only what no noise of a busy machine explains. */
import type { Results } from "../harness/run-rounds.ts";
import { assess, targets } from "./targets.ts";

/** A fraction of the limit may be half of what it must be, a ratio of CPU time twice as much. */
const margin = 2;
const guarded = ["sync-limit", "burst-limit", "read-limit", "read-frame", "http-send"];

/** @returns whether all is well; says so. */
export function judge(results: Results, rounds: number): boolean {
  let isWell = true;
  for (const target of targets.filter(({ id }) => guarded.includes(id))) {
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
