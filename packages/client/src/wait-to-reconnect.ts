/**
 * Waits before a reconnect, shorter when the connection may be back. Owns its timers and listeners.
 */

/**
 * @param floorMs - Waited for whatever happens.
 * @param jitterMs - Waited for behind it, until the browser says that it is online again or the page is looked at.
 * @returns a promise that resolves then, or as soon as the signal is aborted.
 */
export async function waitToReconnect(floorMs: number, jitterMs: number, signal: AbortSignal): Promise<void> {
  await wait(floorMs, signal, false);
  await wait(jitterMs, signal, true);
}

function wait(delayMs: number, signal: AbortSignal, isCutShort: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || delayMs <= 0) return resolve();
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener("abort", end, over);
    if (!isCutShort) return;
    // Neither exists outside of a page.
    const { window, document } = globalThis;
    window?.addEventListener?.("online", end, over);
    const onVisibility = () => {
      if (document.visibilityState === "visible") end();
    };
    document?.addEventListener("visibilitychange", onVisibility, over);
  });
}
