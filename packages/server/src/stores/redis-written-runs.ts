/** The runs that this process writes: which of their names in Redis have to be kept, and which end with them. */
import type { OwnerKeys } from "./redis-keys.ts";
import type { OpenRun } from "./run-store.ts";

interface WrittenRun {
  /** The names that expire unless their expiry is extended. */
  names: string[];
  /** The keys that change with its end, as `end` expects them. */
  endKeys: string[];
  /** When the names were last extended, as `performance.now()`. */
  extendedAt: number;
}

export class WrittenRuns {
  readonly #leaseMs: number;
  /** In the order in which their leases expire. */
  readonly #runs = new Map<string, WrittenRun>();

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  add({ runId, owner, sessionId, key }: OpenRun, { open, ...keys }: OwnerKeys): void {
    const endKeys = [open, ...(key === undefined ? [] : [keys.key])];
    const names = [...(owner === "" ? [] : [open]), ...endKeys.slice(1)];
    if (sessionId !== undefined) names.push(keys.session);
    this.#keep(runId, { names, endKeys, extendedAt: performance.now() });
  }

  delete(runId: string): void {
    this.#runs.delete(runId);
  }

  /** Undefined for a run of another process. */
  endKeysOf(runId: string): string[] | undefined {
    return this.#runs.get(runId)?.endKeys;
  }

  /** @returns the names, perhaps none, whose expiry is to be extended at `now`; undefined if it is not time yet. */
  dueNames(runId: string, now: number): string[] | undefined {
    const run = this.#runs.get(runId);
    // With each renewal of a silent run, which comes after a third of a lease, so that both last equally long.
    const isDue = run !== undefined && now - run.extendedAt > this.#leaseMs / 4;
    return isDue ? run.names : undefined;
  }

  /** The due names were extended. */
  noteExtended(runId: string, now: number): void {
    const run = this.#runs.get(runId);
    if (run !== undefined) this.#keep(runId, { ...run, extendedAt: now });
  }

  /** Forgets runs whose writer gave up while Redis was away. */
  #keep(runId: string, written: WrittenRun): void {
    this.#runs.delete(runId);
    this.#runs.set(runId, written);
    for (const [oldest, { extendedAt }] of this.#runs) {
      if (written.extendedAt - extendedAt < 2 * this.#leaseMs) break;
      this.#runs.delete(oldest);
    }
  }
}
