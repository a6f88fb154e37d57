/**
 * Starts timers. A delay of the caller's that no timer can take starts none, and a timer that only watches over
 * something does not keep the process alive. What is waited for, and for how long, is the caller's.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";

export type Timer = ReturnType<typeof setTimeout>;

/** As `setTimeout`, but `Infinity`, and whatever else is too long for a timer, is never. */
export const startTimer = (callback: () => void, delayMs: number): Timer | undefined =>
  delayMs > maxTimerMs ? undefined : setTimeout(callback, delayMs);

/** As `setInterval`, with the same exception. */
export const startInterval = (callback: () => void, intervalMs: number): Timer | undefined =>
  intervalMs > maxTimerMs ? undefined : setInterval(callback, intervalMs);

/** What Node, Bun and Deno have in place of a number. */
interface TimerObject {
  ref(): void;
  unref(): void;
}

/** Lets the process end while the timer runs. Where a timer is a number, as in browsers and Workers, it always may. */
export function unref(timer: Timer | undefined): Timer | undefined {
  (timer as Partial<TimerObject> | undefined)?.unref?.();
  return timer;
}

/** Takes back {@link unref}. */
export function ref(timer: Timer | undefined): void {
  (timer as Partial<TimerObject> | undefined)?.ref?.();
}
