/**
 * The lease of the one writer of a run: how long it holds, its renewal, and calls of a store that may fail for as long as
 * it holds. What is written under it is the caller's.
 */
import type { AppendResult, RunStore } from "../stores/run-store.ts";
import { outsideRequests } from "../stream/async-context.ts";
import { startInterval, startTimer, type Timer, unref } from "../stream/start-timer.ts";
import { storeRetryMs } from "../stream/stream-options.ts";

/** What a call that renews a lease resolves with; undefined when the store was out of reach until the lease had passed. */
export type LeaseResult = AppendResult | undefined;

export class RunLease {
  readonly #store: RunStore;
  readonly #runId: string;
  readonly #ended = new AbortController();
  readonly #renewTimer: Timer | undefined;
  /** In milliseconds of `performance.now()`. */
  #heldUntil: number;
  /** Calls that renew it, and have not settled. */
  #renewals = 0;

  /** @param onRefused - The store has not renewed the lease: the run is not the caller's to write any more. */
  constructor(store: RunStore, runId: string, onRefused: (result: LeaseResult) => void) {
    this.#store = store;
    this.#runId = runId;
    this.#heldUntil = performance.now() + store.leaseMs;
    const renew = async () => {
      if (this.#renewals > 0 || this.signal.aborted) return;
      const result = await this.renewWith(() => store.renew(runId));
      if (result !== "ok") onRefused(result);
    };
    // A process that has nothing to do but to watch over a run may end.
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

  /** Calls the store until it succeeds, or the lease has passed or ended. @returns undefined then. */
  async withStore<Value>(call: () => Promise<Value>): Promise<Value | undefined> {
    for (;;) {
      try {
        return await this.#withinLease(call());
      } catch (error) {
        if (performance.now() >= this.#heldUntil) {
          console.error(`Run ${this.#runId} has lost its store:`, error);
          return undefined;
        }
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
        if (this.signal.aborted) return undefined;
      }
    }
  }

  /** A call that never settles is a failure, too. */
  async #withinLease<Value>(called: Promise<Value>): Promise<Value> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error("The store has not answered within a lease.");
      timer = unref(startTimer(() => reject(error), this.#store.leaseMs));
    });
    try {
      return await Promise.race([called, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
