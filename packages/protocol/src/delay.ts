/**
 * Parses delays in milliseconds from a caller's options: which are rejected, and which mean forever. Starts no timers.
 */
import { describeValue } from "./describe-value.ts";

/** The longest delay that a timer accepts, about 25 days; a longer one fires at once (HTML Standard, section 8.6). */
export const maxTimerMs = 2 ** 31 - 1;

/**
 * Reads a number of milliseconds.
 *
 * @param name - The option's name, for the error message.
 * @returns whole milliseconds; `Infinity` (forever) for anything beyond {@link maxTimerMs}.
 * @throws RangeError for NaN, a negative number, or a value that is not a number.
 */
export function parseDelayMs(name: string, ms: number): number {
  if (typeof ms !== "number" || !(ms >= 0)) {
    throw new RangeError(`${name} must be a number of milliseconds, 0 or more; got ${describeValue(ms)}.`);
  }
  return ms > maxTimerMs ? Number.POSITIVE_INFINITY : Math.ceil(ms);
}

/**
 * Reads a timeout in milliseconds. Like {@link parseDelayMs}, but 0 also means forever.
 *
 * @throws RangeError as `parseDelayMs` does.
 */
export const parseTimeoutMs = (name: string, ms: number): number =>
  parseDelayMs(name, ms) || Number.POSITIVE_INFINITY;
