/**
 * Compares what two pieces of work cost, so that a test can tell linear work from quadratic work on any machine. Counts
 * processor time: it does not grow when other programs want the processor too.
 */

/** Ticks of the clock of processor time may be 4 ms apart: this many of them make the error small. */
const enoughMs = 200;

/**
 * @param work - Does the work and returns what it cost: see {@link cost}.
 * @param reference - The same for what it is compared with.
 * @returns How many times as much `work` costs as `reference`. They take turns, so that what slows one down slows the
 * other down too; and it is the least of three measurements, because a garbage collection that falls into one only adds.
 */
export function costRatio(work: () => number, reference: () => number): number {
  // Compiled code is what counts.
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
 * @param run - Does work of a size and returns what it cost: see {@link cost}.
 * @returns How many times as much a piece of work costs as its eight eighths: 1 where work is linear in its size, and 8
 * where it is quadratic.
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
