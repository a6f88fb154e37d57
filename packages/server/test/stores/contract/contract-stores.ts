/** The stores of one contract test, and helpers that its suites share. */
import { vi } from "vitest";
import type { OpenedRun, RunStore, RunStoreOptions, RunTerminal } from "../../../src/stores/run-store.ts";
import type { RunStoreFixture, RunStoreKind } from "../run-stores.ts";

export const done: RunTerminal = { type: "done" };
export const stopped: RunTerminal = { type: "abort", reason: "stopped" };
export const producerLost: RunTerminal = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true,
};

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const never = new AbortController().signal;

/** Resolves to whether `waiting` is over after a few turns of the event loop and a round trip. */
export async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  await pause(20);
  return over;
}

export const runOf = (opened: OpenedRun) => (opened as Extract<OpenedRun, { status: "created" }>).run;

export class ContractStores {
  /** Stores with the same storage see each other's runs. */
  readonly isShared: boolean;
  /** The store under test. */
  first!: RunStore;
  /** Another store of the same runs, or the first one itself if runs are not shared. */
  second!: RunStore;
  readonly #setUp: () => RunStoreFixture;
  #fixture!: RunStoreFixture;
  #created: RunStore[] = [];

  constructor({ isShared, setUp }: RunStoreKind) {
    this.isShared = isShared;
    this.#setUp = setUp;
  }

  begin(): void {
    this.#created = [];
    this.#fixture = this.#setUp();
    this.use();
  }

  async end(): Promise<void> {
    await Promise.all(this.#created.map((created) => created.close()));
    this.#fixture.dispose();
  }

  create(options?: RunStoreOptions): RunStore {
    const created = this.#fixture.create(options);
    this.#created.push(created);
    return created;
  }

  /** Uses new stores for the rest of the test. */
  use(options?: RunStoreOptions): void {
    this.first = this.create(options);
    this.second = this.isShared ? this.create(options) : this.first;
  }

  /** From now on, only announcements wake waiting calls, in stores that have them. */
  stopTicks(): void {
    if (this.#fixture.isAnnounced) vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  }
}
