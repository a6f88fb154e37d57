/**
 * Starts a timer whose delay may be longer than a timer can wait.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";

/** As `setTimeout`, but `Infinity`, and whatever else is too long for a timer, is never. */
export const startTimer = (
  callback: () => void,
  delayMs: number,
): ReturnType<typeof setTimeout> | undefined =>
  delayMs > maxTimerMs ? undefined : setTimeout(callback, delayMs);
