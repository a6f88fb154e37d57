/**
 * Numbers of milliseconds that a caller sets and a timer gets: which are refused, and which are forever. Starts no timer;
 * client and server do, and both read such numbers here.
 */

/** The longest delay that a timer takes, about 25 days: for a longer one it fires at once (HTML Standard, section 8.6). */
export const maxTimerMs = 2 ** 31 - 1;

/**
 * Reads a number of milliseconds.
 *
 * @param name - Of the option, for the error.
 * @returns whole milliseconds; `Infinity`, which is forever, for everything beyond {@link maxTimerMs}.
 * @throws RangeError for NaN, for a negative number, and for what is not a number.
 */
export function parseDelayMs(name: string, ms: number): number {
  if (typeof ms !== "number" || !(ms >= 0)) {
    throw new RangeError(`${name} must be a number of milliseconds, 0 or more; got ${String(ms)}.`);
  }
  return ms > maxTimerMs ? Number.POSITIVE_INFINITY : Math.ceil(ms);
}

/**
 * Reads a number of milliseconds after which something is given up. As {@link parseDelayMs}, and 0 is forever too.
 *
 * @throws RangeError as `parseDelayMs` does.
 */
export const parseTimeoutMs = (name: string, ms: number): number =>
  parseDelayMs(name, ms) || Number.POSITIVE_INFINITY;
