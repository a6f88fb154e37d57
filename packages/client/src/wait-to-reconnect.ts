/**
 * Waits before a reconnect, shorter when the connection may be back. Owns its timers and listeners.
 */

/**
 * @param floorMs - Waited for whatever happens.
 * @param jitterMs - Waited for behind it, but no longer once a page that is not hidden comes online again, or the page is
 * looked at. What happens before `floorMs` is over does not count.
 * @returns a promise that resolves then, or as soon as the signal is aborted.
 */
export function waitToReconnect(floorMs: number, jitterMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || floorMs + jitterMs <= 0) return resolve();
    const start = performance.now();
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(end, floorMs + jitterMs);
    // Neither exists outside of a page.
    const { window, document } = globalThis;
    const wake = () => {
      if (performance.now() - start >= floorMs && !document?.hidden) end();
    };
    signal.addEventListener("abort", end, over);
    window?.addEventListener?.("online", wake, over);
    document?.addEventListener("visibilitychange", wake, over);
  });
}
