/**
 * Starts a timer whose delay may be longer than a timer can wait.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";

/** Like `setTimeout`, but `Infinity`, and any other delay too long for a timer, never fires. */
export const startTimer = (
  callback: () => void,
  delayMs: number,
): ReturnType<typeof setTimeout> | undefined =>
  delayMs > maxTimerMs ? undefined : setTimeout(callback, delayMs);
