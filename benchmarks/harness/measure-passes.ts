/**
 * Repeats the same work and returns the cost of one unit. The cost is CPU time of the main thread, which excludes other
 * processes on this machine and V8's own threads.
 */

/**
 * In nanoseconds. Node 22 knows only the time of the whole process. Linux may update it only every 4 milliseconds, so
 * only differences of a hundred milliseconds or more are meaningful.
 */
export function cpuNanoseconds(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) * 1000;
}

/**
 * @param pass - Does the work once. @returns the number of units done.
 * @param budgetMs - The duration of the measurement, after a warm-up of half of it; at least three passes.
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
