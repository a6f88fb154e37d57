/**
 * Finds functions that not every runtime has. An existing function may still throw when called: Next.js's edge runtime
 * has stubs of Node's functions that all throw.
 */

/**
 * Calls the function once, with a callback that does nothing.
 *
 * @returns `find()`, or undefined if it or the call throws.
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
