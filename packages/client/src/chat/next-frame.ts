/**
 * Waits for the moment at which a change becomes visible. Owns its timer and its frame.
 */

/** A hidden or busy page may not paint for a long time. */
const maxWaitMs = 100;
/** Where nothing is painted. */
const timerMs = 16;

/**
 * Calls back once: before the next paint, after 100 ms at the latest, or after 16 ms outside a page.
 *
 * @returns a function that cancels it.
 */
export function onNextFrame(callback: () => void): () => void {
  const { requestAnimationFrame, cancelAnimationFrame } = globalThis;
  const cancel = () => {
    clearTimeout(timer);
    cancelAnimationFrame?.(frame!);
  };
  const run = () => {
    cancel();
    callback();
  };
  const frame = requestAnimationFrame?.(run);
  const timer = setTimeout(run, frame ? maxWaitMs : timerMs);
  return cancel;
}
