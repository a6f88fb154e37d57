/**
 * Opens a run in a store that may fail: repeats a request with an unknown outcome, and ends a run that may have been
 * opened in vain. Starts no writer.
 */

import { type OpenedRun, type OpenRun, producerLostTerminal, type RunStore } from "../stores/run-store.ts";
import { startTimer, unref } from "../stream/start-timer.ts";
import { storeRetryMs } from "../stream/stream-options.ts";
import { RunStoreError } from "./guard-run-store.ts";

/** A request waits as long as a lease, but no longer than this. */
const maxPatienceMs = 15_000;

/**
 * Opens a run. When the store fails, it may have opened the run, and only its reply is lost; so the request is repeated
 * with the same id for the length of a lease, at most 15 s. This continues after the client has left: its repeated POST
 * finds the run by its key.
 *
 * @param shutdown - Aborted when the process cannot wait any longer.
 * @returns undefined if `shutdown` was aborted first.
 * @throws RunStoreError if the store has not replied in time.
 */
export async function openRun(
  store: RunStore,
  request: OpenRun,
  shutdown: AbortSignal,
): Promise<OpenedRun | undefined> {
  const patienceMs = Math.min(store.leaseMs, maxPatienceMs);
  const giveUpAt = performance.now() + patienceMs;
  // Less if the lease is very short.
  const retryMs = Math.min(storeRetryMs, patienceMs / 10);
  let isGivenUp = false;
  const giveUp = () => {
    isGivenUp = true;
    void endLost(store, request.runId, patienceMs);
  };
  /** An attempt that the store executes late, after all were given up, still opens the run. */
  const attempt = async () => {
    const opened = await store.open(request);
    if (isGivenUp) giveUp();
    return opened;
  };
  for (;;) {
    try {
      const opened = await within(attempt(), patienceMs / 3, shutdown);
      if (!shutdown.aborted) return opened;
      giveUp();
      return undefined;
    } catch (cause) {
      if (shutdown.aborted || performance.now() + retryMs >= giveUpAt) {
        giveUp();
        if (shutdown.aborted) return undefined;
        throw new RunStoreError(cause);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** @throws the error of `asked`, or an error if it has not settled in time or `shutdown` is aborted. */
function within<Value>(asked: Promise<Value>, timeoutMs: number, shutdown: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onShutdown = () => reject(shutdown.reason);
    const onTimeout = () => reject(new Error(`The run store did not reply within ${timeoutMs} ms.`));
    const timer = startTimer(onTimeout, timeoutMs);
    shutdown.addEventListener("abort", onShutdown);
    asked.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      shutdown.removeEventListener("abort", onShutdown);
    });
  });
}

/**
 * Ends a run that may have been opened: nothing will write it. Its lease would also end it, but until then a repeated
 * POST would attach to it and wait in vain.
 */
async function endLost(store: RunStore, runId: string, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  do {
    try {
      await store.end(runId, producerLostTerminal);
      return;
    } catch {
      await new Promise<void>((resolve) => void unref(setTimeout(resolve, storeRetryMs)));
    }
  } while (performance.now() < until);
}
