/**
 * Wakes this process's waiters for a run. Knows nothing about logs.
 */

export interface RunWaiters {
  /** Resolves when `wake` reports a position after `after`, or when the signal is aborted. */
  wait(runId: string, after: number, signal: AbortSignal): Promise<void>;
  /** The log has reached position `lastSeq`; Infinity if it has ended. */
  wake(runId: string, lastSeq: number): void;
  /** Wakes every waiter, to check its run again. */
  wakeAll(): void;
  /** The runs that have waiters. */
  runIds(): string[];
}

interface Waiter {
  after: number;
  resume: () => void;
}

/** How a store starts and stops observing runs for waiters. */
interface WaiterHandlers {
  /** Called when the first waiter begins to wait. */
  onFirst?: () => void;
  /** Called when the last waiter has stopped. */
  onLast?: () => void;
}

export function createRunWaiters({ onFirst, onLast }: WaiterHandlers = {}): RunWaiters {
  const waiters = new Map<string, Set<Waiter>>();

  function wake(runId: string, lastSeq: number): void {
    for (const { after, resume } of waiters.get(runId) ?? []) {
      if (lastSeq > after) resume();
    }
  }

  return {
    wait(runId, after, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const ofRun = waiters.get(runId) ?? new Set();
        const resume = () => {
          signal.removeEventListener("abort", resume);
          ofRun.delete(waiter);
          if (ofRun.size === 0) waiters.delete(runId);
          if (waiters.size === 0) onLast?.();
          resolve();
        };
        const waiter = { after, resume };
        signal.addEventListener("abort", resume);
        ofRun.add(waiter);
        waiters.set(runId, ofRun);
        if (waiters.size === 1 && ofRun.size === 1) onFirst?.();
      });
    },
    wake,
    wakeAll() {
      for (const runId of waiters.keys()) wake(runId, Number.POSITIVE_INFINITY);
    },
    runIds: () => [...waiters.keys()],
  };
}
