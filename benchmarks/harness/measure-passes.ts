/**
 * Runs the same work again and again, and says what one unit of it costs. Time is the CPU time of the main thread: what
 * other processes do to this machine does not count, nor what V8 does on its own threads.
 */

/**
 * In nanoseconds. Node 22 knows only the time of the whole process. Linux may bring it up to date no oftener than every 4
 * milliseconds: only what takes a hundred or more is worth a difference.
 */
export function cpuNanoseconds(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) * 1000;
}

/**
 * @param pass - Does the work once. @returns how many units it did.
 * @param budgetMs - How long to measure, behind a warm-up of half of it; at least three passes.
 * @returns nanoseconds per unit
 */
export async function measurePasses(pass: () => Promise<number>, budgetMs: number): Promise<number> {
  for (const until = performance.now() + budgetMs / 2; performance.now() < until; ) await pass();
  let units = 0;
  let passes = 0;
  const startedAt = performance.now();
  const before = cpuNanoseconds();
  while (passes < 3 || performance.now() - startedAt < budgetMs) {
    units += await pass();
    passes++;
  }
  return (cpuNanoseconds() - before) / units;
}
