/**
 * Starts timers. A delay too long for a timer starts none, and a timer that only watches something does not keep the
 * process alive. The caller decides what to wait for, and how long.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";

export type Timer = ReturnType<typeof setTimeout>;

/** Like `setTimeout`, but `Infinity`, and any other delay too long for a timer, never fires. */
export const startTimer = (callback: () => void, delayMs: number): Timer | undefined =>
  delayMs > maxTimerMs ? undefined : setTimeout(callback, delayMs);

/** Like `setInterval`, with the same exception. */
export const startInterval = (callback: () => void, intervalMs: number): Timer | undefined =>
  intervalMs > maxTimerMs ? undefined : setInterval(callback, intervalMs);

/** `setTimeout` as it was at load time, so that a test's fake clock does not hold up the pieces of a stream. */
export const setRealTimeout = setTimeout;

/** The timer objects of Node, Bun and Deno; elsewhere a timer is a number. */
interface TimerObject {
  ref(): void;
  unref(): void;
}

/** Lets the process end while the timer runs. Where a timer is a number, as in browsers and Workers, it always may. */
export function unref(timer: Timer | undefined): Timer | undefined {
  (timer as Partial<TimerObject> | undefined)?.unref?.();
  return timer;
}

/** Undoes {@link unref}. */
export function ref(timer: Timer | undefined): void {
  (timer as Partial<TimerObject> | undefined)?.ref?.();
}
