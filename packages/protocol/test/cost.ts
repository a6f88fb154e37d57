/** Measures how a cost grows, so that a test can tell linear work from quadratic work on a noisy machine. */

/**
 * @param run - Does the work for a size and returns how long it took, in milliseconds.
 * @returns How many times longer `2 * size` takes than `size`: the median of five ratios, each of the best of seven: what
 * the machine and the garbage collector do beside it only ever adds.
 */
export function costOfDoubling(size: number, run: (size: number) => number): number {
  const best = (of: number) => Math.min(...Array.from({ length: 7 }, () => run(of)));
  run(size);
  const ratios = Array.from({ length: 5 }, () => {
    const half = best(size);
    return best(2 * size) / half;
  });
  return ratios.sort((a, b) => a - b)[2]!;
}

/** How long a piece of work takes, in milliseconds. */
export function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
