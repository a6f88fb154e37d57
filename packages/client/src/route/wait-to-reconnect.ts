/**
 * Waits before a reconnect: less when the connection may be back, more while offline. Owns its timer and its listeners.
 * Does not decide how long to wait.
 */
import { startTimer } from "../stream/start-timer.ts";
import { isOffline } from "./network-status.ts";
import type { ReconnectStep } from "./reconnect-policy.ts";

/**
 * Waits until the next request is due.
 *
 * - `delayMs` is the wait if nothing happens.
 * - A page that comes back online, or becomes visible, waits at most `minMs`.
 * - While the browser is offline, no request is due.
 *
 * @returns a promise that resolves then, or as soon as the signal is aborted, with the milliseconds of `delayMs` that
 * passed while the program was running and online.
 */
export function waitToReconnect(
  { minMs, delayMs }: Pick<ReconnectStep, "minMs" | "delayMs">,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve) => {
    const start = performance.now();
    const elapsedMs = () => performance.now() - start;
    // A page, a worker, or neither (Node, React Native).
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
      // By hand, because Node may forget after a garbage collection that a signal removes more than one listener.
      signal.removeEventListener("abort", end);
      noteNetwork();
      resolve(Math.min(elapsedMs() - offlineMs, delayMs));
    }

    function noteNetwork(): void {
      if (offlineSince !== undefined) offlineMs += elapsedMs() - offlineSince;
      offlineSince = isOffline() ? elapsedMs() : undefined;
    }

    /** The delay has passed; while offline, the wait continues. */
    function onDue(): void {
      dueMs = 0;
      if (!isOffline()) end();
    }

    /** Shortens the wait to `ms`. */
    function shorten(ms: number): void {
      noteNetwork();
      clearTimeout(timer);
      dueMs = Math.min(dueMs, ms);
      const restMs = dueMs - elapsedMs();
      if (restMs > 0) timer = startTimer(onDue, restMs);
      else onDue();
    }

    if (signal.aborted) return end();
    signal.addEventListener("abort", end);
    window.addEventListener?.("online", () => shorten(minMs), untilOver);
    window.addEventListener?.("offline", noteNetwork, untilOver);
    document?.addEventListener?.("visibilitychange", () => document.hidden || shorten(minMs), untilOver);
    shorten(delayMs);
  });
}
