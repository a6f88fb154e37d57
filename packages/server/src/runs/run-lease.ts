/**
 * The lease of a run's only writer: its duration, its renewal, and calls of a store that are retried while it holds.
 * The caller decides what is written under it.
 */
import type { AppendResult, RunStore } from "../stores/run-store.ts";
import { outsideRequests } from "../stream/async-context.ts";
import { startInterval, startTimer, type Timer, unref } from "../stream/start-timer.ts";
import { storeRetryMs } from "../stream/stream-options.ts";

/**
 * What a call that renews a lease resolves with; undefined if the store was unreachable until the lease had expired.
 */
export type LeaseResult = AppendResult | undefined;

export class RunLease {
  readonly #store: RunStore;
  readonly #runId: string;
  readonly #ended = new AbortController();
  readonly #renewTimer: Timer | undefined;
  /** When it expires, in milliseconds of `performance.now()`. */
  #heldUntil: number;
  /** Pending calls that renew it. */
  #renewals = 0;

  /** @param onRefused - Called when the store has not renewed the lease: the caller may no longer write the run. */
  constructor(store: RunStore, runId: string, onRefused: (result: LeaseResult) => void) {
    this.#store = store;
    this.#runId = runId;
    this.#heldUntil = performance.now() + store.leaseMs;
    const renew = async () => {
      if (this.#renewals > 0 || this.signal.aborted) return;
      const result = await this.renewWith(() => store.renew(runId));
      if (result !== "ok") onRefused(result);
    };
    // Does not keep a process alive that has nothing else to do.
    this.#renewTimer = outsideRequests(() => unref(startInterval(renew, store.leaseMs / 3)));
  }

  /** Aborted when the lease is given up. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Gives the lease up. */
  end(): void {
    this.#ended.abort();
    clearInterval(this.#renewTimer);
  }

  /** Calls the store, as {@link withStore} does, with a call that renews the lease. */
  async renewWith(call: () => Promise<AppendResult>): Promise<LeaseResult> {
    this.#renewals++;
    let calledAt = 0;
    const result = await this.withStore(() => {
      calledAt = performance.now();
      return call();
    });
    this.#renewals--;
    if (result === "ok") this.#heldUntil = Math.max(this.#heldUntil, calledAt + this.#store.leaseMs);
    return result;
  }

  /** Calls the store until it succeeds, or the lease has expired or ended; @returns undefined in that case. */
  async withStore<Value>(call: () => Promise<Value>): Promise<Value | undefined> {
    for (;;) {
      try {
        return await this.#withinLease(call());
      } catch (error) {
        if (performance.now() >= this.#heldUntil) {
          console.error(
            `Run ${this.#runId} was abandoned, because the run store failed for a whole lease:`,
            error,
          );
          return undefined;
        }
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
        if (this.signal.aborted) return undefined;
      }
    }
  }

  /** A call that never settles also counts as a failure. */
  async #withinLease<Value>(called: Promise<Value>): Promise<Value> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error("The run store did not reply within a lease.");
      timer = unref(startTimer(() => reject(error), this.#store.leaseMs));
    });
    try {
      return await Promise.race([called, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
