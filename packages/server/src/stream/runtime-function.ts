/**
 * Functions that not every runtime has. A function that is there may still refuse to be called: Next.js's edge runtime
 * has Node's, and each of them throws.
 */

/**
 * Calls the function once, with a callback that does nothing.
 *
 * @returns `find()`, or undefined when it or the call throws.
 */
export function findUsable<Schedule extends (callback: () => void) => unknown>(
  find: () => Schedule | undefined,
): Schedule | undefined {
  try {
    const schedule = find();
    schedule?.(() => {});
    return schedule;
  } catch {
    return undefined;
  }
}
