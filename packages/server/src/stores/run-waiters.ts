/**
 * Wakes those in this process who wait for a run. Knows nothing of logs.
 */

export interface RunWaiters {
  /** Resolves when `wake` tells of something behind `after`, or when the signal is aborted. */
  wait(runId: string, after: number, signal: AbortSignal): Promise<void>;
  /** The log has reached position `lastSeq`; Infinity when it has ended. */
  wake(runId: string, lastSeq: number): void;
  /** Wakes everybody, to look for themselves. */
  wakeAll(): void;
  /** The runs that are waited for. */
  runIds(): string[];
}

interface Waiter {
  after: number;
  resume: () => void;
}

/** What a store does so that news of its runs reach those who wait. */
interface WaiterHandlers {
  /** Called when the first one begins to wait. */
  onFirst?: () => void;
  /** Called when the last one has stopped. */
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
