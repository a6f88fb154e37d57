/**
 * Compares the cost of two pieces of work, so that a test can tell linear from quadratic work on any machine. It counts
 * processor time, which does not grow when other programs use the processor too.
 */

/** The clock of processor time may tick only every 4 ms; over this many milliseconds the error is small. */
const enoughMs = 200;

/**
 * @param work - Does the work and returns its {@link cost}.
 * @param reference - Does the work to compare with and returns its cost.
 * @returns The cost of `work` divided by that of `reference`. They take turns, so that anything that slows one down slows
 * the other down too. The smallest of three measurements counts, because a garbage collection can only add to one.
 */
export function costRatio(work: () => number, reference: () => number): number {
  // Warm up, so that compiled code is measured.
  work();
  reference();
  return Math.min(...[1, 2, 3].map(() => measure(work, reference)));
}

function measure(work: () => number, reference: () => number): number {
  let [worked, referred] = [0, 0];
  do {
    worked += work();
    referred += reference();
  } while (worked + referred < enoughMs);
  return worked / referred;
}

/**
 * @param run - Does work of the given size and returns its {@link cost}.
 * @returns The cost of the whole divided by the cost of its eight eighths: 1 if the work is linear in its size, 8 if it
 * is quadratic.
 */
export function costOfWhole(size: number, run: (size: number) => number): number {
  const runEighths = () => {
    let total = 0;
    for (let part = 0; part < 8; part++) total += run(size / 8);
    return total;
  };
  return costRatio(() => run(size), runEighths);
}

/** The processor time that a piece of work takes in this thread, in milliseconds. */
export function cost(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
