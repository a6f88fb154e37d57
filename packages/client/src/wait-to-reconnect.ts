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
  if (signal.aborted || delayMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    // Neither exists outside of a page.
    const page = isCutShort ? globalThis.document : undefined;
    const browser = isCutShort ? globalThis.window : undefined;
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      browser?.removeEventListener?.("online", end);
      page?.removeEventListener("visibilitychange", onVisibility);
      resolve();
    };
    const onVisibility = () => {
      if (page?.visibilityState === "visible") end();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener("abort", end);
    browser?.addEventListener?.("online", end);
    page?.addEventListener("visibilitychange", onVisibility);
  });
}
