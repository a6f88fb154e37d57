/**
 * Calls back once the microtask queue is empty, without leaving the macrotask: the moment to flush a piece that has
 * been waiting for more chunks.
 */
import { findUsable } from "./runtime-function.ts";

type NextTick = <Value>(callback: (value: Value) => void, value?: Value) => void;

/**
 * Node, Bun and Deno run these callbacks when the microtask queue is empty. Captured at load time, so that a test's
 * fake clock does not hold them up.
 */
const runtimeNextTick = findUsable(
  () => (globalThis as { process?: { nextTick?: NextTick } }).process?.nextTick,
);

/** Elsewhere: after this many microtasks without a new chunk, none is assumed to be ready. */
const maxIdleTurns = 32;
const settled = Promise.resolve();

export interface IdleCall {
  /** A chunk has arrived: calls back once, when no more follow. */
  schedule(): void;
}

/** @param callback - Called with `owner`. */
export const createFlushScheduler = <Owner>(
  owner: Owner,
  callback: (owner: Owner) => void,
  nextTick: NextTick | null = runtimeNextTick ?? null,
): IdleCall => new Idle(owner, callback, nextTick);

class Idle<Owner> implements IdleCall {
  readonly #owner: Owner;
  readonly #callback: (owner: Owner) => void;
  readonly #nextTick: NextTick | null;
  #isScheduled = false;
  #idleTurns = 0;

  constructor(owner: Owner, callback: (owner: Owner) => void, nextTick: NextTick | null) {
    this.#owner = owner;
    this.#callback = callback;
    this.#nextTick = nextTick;
  }

  schedule(): void {
    this.#idleTurns = 0;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const nextTick = this.#nextTick;
    if (nextTick !== null) nextTick(Idle.#run, this);
    else this.#waitForTurn();
  }

  #waitForTurn(): void {
    settled.then(() => {
      if (++this.#idleTurns < maxIdleTurns) this.#waitForTurn();
      else Idle.#run(this);
    });
  }

  static #run<Owner>(this: void, call: Idle<Owner>): void {
    call.#isScheduled = false;
    call.#callback(call.#owner);
  }
}
