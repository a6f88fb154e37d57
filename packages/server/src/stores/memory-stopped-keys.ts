/**
 * Keys that were stopped before their runs were opened, in the memory of one process: each for 60 s, and only the
 * newest ones per owner. Knows nothing about runs.
 */
import { maxStoppedKeys, stoppedKeyMs } from "./run-store.ts";

interface StoppedKey {
  owner: string;
  until: number;
}

export class StoppedKeys {
  /** By owner and key, in the order in which they expire. */
  readonly #stops = new Map<string, StoppedKey>();
  /** The names of the same keys by owner. */
  readonly #namesOf = new Map<string, Set<string>>();

  remember(owner: string, key: string): void {
    const name = nameOf(owner, key);
    this.#forget(name);
    this.#stops.set(name, { owner, until: performance.now() + stoppedKeyMs });
    const names = this.#namesOf.get(owner) ?? new Set();
    this.#namesOf.set(owner, names.add(name));
    const [oldest] = names;
    if (names.size > maxStoppedKeys) this.#forget(oldest!);
  }

  /** Forgets a key. @returns whether it was stopped. */
  take(owner: string, key: string): boolean {
    return this.#forget(nameOf(owner, key));
  }

  /** Forgets expired keys. */
  purge(): void {
    const now = performance.now();
    for (const [name, { until }] of this.#stops) {
      if (until > now) break;
      this.#forget(name);
    }
  }

  #forget(name: string): boolean {
    const stop = this.#stops.get(name);
    if (stop === undefined) return false;
    const names = this.#namesOf.get(stop.owner);
    names?.delete(name);
    if (names?.size === 0) this.#namesOf.delete(stop.owner);
    return this.#stops.delete(name);
  }
}

/** Names a key, or a session, together with its owner. */
export const nameOf = (owner: string, name: string): string => JSON.stringify([owner, name]);
