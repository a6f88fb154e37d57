/** Two ways to do the same work, in turns in one process, so that changes of the machine's load affect both alike. */
import { cpuNanoseconds } from "./measure-passes.ts";
import { median } from "./statistics.ts";

/** Does the work once. @returns the number of units done. */
export type Pass = () => Promise<number>;

export interface Compared {
  /** The median of the ratios of all pairs: the first's time over the second's. */
  ratio: number;
  /** Nanoseconds per unit, medians. */
  first: number;
  second: number;
}

/** Takes three pairs after a warm-up, the order changing from one to the next. @param partMs - CPU time of one side. */
export async function comparePasses(first: Pass, second: Pass, partMs: number): Promise<Compared> {
  for (const pass of [first, second]) await timePasses(pass, partMs);
  const firsts: number[] = [];
  const seconds: number[] = [];
  for (let pair = 0; pair < 3; pair++) {
    const isReversed = pair === 1;
    if (isReversed) seconds.push(await timePasses(second, partMs));
    firsts.push(await timePasses(first, partMs));
    if (!isReversed) seconds.push(await timePasses(second, partMs));
  }
  const ratios = firsts.map((time, pair) => time / seconds[pair]!);
  return { ratio: median(ratios), first: median(firsts), second: median(seconds) };
}

/** @param cpuMs - CPU time, which a busy machine does not shorten. @returns nanoseconds per unit */
async function timePasses(pass: Pass, cpuMs: number): Promise<number> {
  let units = 0;
  const before = cpuNanoseconds();
  let spent = 0;
  while (spent < cpuMs * 1e6) {
    units += await pass();
    spent = cpuNanoseconds() - before;
  }
  return spent / units;
}
