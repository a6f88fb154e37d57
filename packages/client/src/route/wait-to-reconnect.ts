/**
 * Waits before a reconnect: shorter when the connection may be back, longer where there is no network. Owns its timer and
 * its listeners. Does not decide how long to wait.
 */
import { startTimer } from "../stream/start-timer.ts";
import { isOffline } from "./network-status.ts";
import type { ReconnectStep } from "./reconnect-policy.ts";

/**
 * Waits until the next request is due.
 *
 * - `delayMs` is how long that is, if nothing happens.
 * - A page that comes online again, or becomes visible, waits no longer than `minMs`.
 * - While the browser is offline, nothing is due.
 *
 * @returns resolves then, or as soon as the signal is aborted, with the milliseconds of `delayMs` that have passed while
 * the program ran and was online.
 */
export function waitToReconnect(
  { minMs, delayMs }: Pick<ReconnectStep, "minMs" | "delayMs">,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve) => {
    const start = performance.now();
    const elapsedMs = () => performance.now() - start;
    // A page, a worker, or neither, as Node and React Native.
    const { window = globalThis, document } = globalThis;
    const over = new AbortController();
    const untilOver = { signal: over.signal };
    let timer: ReturnType<typeof startTimer>;
    let dueMs = delayMs;
    let offlineMs = 0;
    let offlineSince: number | undefined;

    function end(): void {
      clearTimeout(timer);
      over.abort();
      noteNetwork();
      resolve(Math.min(elapsedMs() - offlineMs, delayMs));
    }

    function noteNetwork(): void {
      if (offlineSince !== undefined) offlineMs += elapsedMs() - offlineSince;
      offlineSince = isOffline() ? elapsedMs() : undefined;
    }

    /** The time has come, and offline nothing can be done about it. */
    function onDue(): void {
      dueMs = 0;
      if (!isOffline()) end();
    }

    /** It is enough to have waited for `ms`. */
    function shorten(ms: number): void {
      noteNetwork();
      clearTimeout(timer);
      dueMs = Math.min(dueMs, ms);
      const restMs = dueMs - elapsedMs();
      if (restMs > 0) timer = startTimer(onDue, restMs);
      else onDue();
    }

    if (signal.aborted) return end();
    signal.addEventListener("abort", end, untilOver);
    window.addEventListener?.("online", () => shorten(minMs), untilOver);
    window.addEventListener?.("offline", noteNetwork, untilOver);
    document?.addEventListener?.("visibilitychange", () => document.hidden || shorten(minMs), untilOver);
    shorten(delayMs);
  });
}
