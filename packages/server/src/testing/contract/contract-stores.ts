/** The stores of one contract test, and helpers that its suites share. */
import { mock } from "node:test";
import type { OpenedRun, RunStore, RunStoreOptions, RunTerminal } from "../../stores/run-store.ts";
import type { RunStoreFixture, RunStoreKind } from "./describe-run-store.ts";

export const done: RunTerminal = { type: "done" };
export const stopped: RunTerminal = { type: "abort", reason: "stopped" };
export const producerLost: RunTerminal = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true,
};

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const never: AbortSignal = new AbortController().signal;

/** Resolves to whether `waiting` is over after a few turns of the event loop and a round trip. */
export async function isOver(waiting: Promise<unknown>): Promise<boolean> {
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  await pause(20);
  return over;
}

/** As long as a busy machine may need for anything. */
const patienceMs = 30_000;

/** Waits until the condition, which `what` describes, holds. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > patienceMs) throw new Error(`This did not happen in 30 s: ${what}.`);
    await pause(5);
  }
}

/** Waits until the store does not know the run any more. */
export const untilGone = (store: RunStore, runId: string): Promise<void> =>
  until("read() returns undefined", async () => (await store.read(runId, -1, 1)) === undefined);

export const runOf = (opened: OpenedRun) => (opened as Extract<OpenedRun, { status: "created" }>).run;

/** The id of the known run to which `open` has attached; its status, if it has not. */
export const attachedTo = (opened: OpenedRun): string =>
  opened.status === "attached" ? opened.run.runId : opened.status;

export class ContractStores {
  /** Stores with the same storage see each other's runs. */
  readonly isShared: boolean;
  /** The store under test. */
  first!: RunStore;
  /** Another store of the same runs, or the first one itself if runs are not shared. */
  second!: RunStore;
  readonly #setUp: RunStoreKind["setUp"];
  #fixture!: RunStoreFixture;
  #created: RunStore[] = [];
  /** Of the calls that are pending. */
  readonly #deadlines = new Set<ReturnType<typeof setTimeout>>();

  constructor({ isShared, setUp }: RunStoreKind) {
    this.isShared = isShared;
    this.#setUp = setUp;
  }

  async begin(): Promise<void> {
    this.#created = [];
    this.#fixture = await this.#setUp();
    this.use();
  }

  async end(): Promise<void> {
    mock.timers.reset();
    await Promise.all(this.#created.map((created) => created.close()));
    for (const deadline of this.#deadlines) clearTimeout(deadline);
    this.#deadlines.clear();
    await this.#fixture.dispose();
  }

  create(options?: RunStoreOptions): RunStore {
    const created = this.#nameHangingCalls(this.#fixture.create(options));
    this.#created.push(created);
    return created;
  }

  /** The same store, a call of which fails with its name where it would hang. */
  #nameHangingCalls(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (_, name: keyof RunStore) => {
        const value: unknown = store[name];
        if (typeof value !== "function") return value;
        return (...given: unknown[]) => this.#inTime(name, value.apply(store, given));
      },
    });
  }

  #inTime(name: string, call: Promise<unknown>): Promise<unknown> {
    // Here, the stack shows the line of the test.
    const error = new Error(`${name}() has not ended in 30 s.`);
    const inTime = new Promise((resolve, reject) => {
      const deadline = setTimeout(reject, patienceMs, error);
      this.#deadlines.add(deadline);
      const settle = () => {
        clearTimeout(deadline);
        this.#deadlines.delete(deadline);
      };
      Promise.resolve(call).finally(settle).then(resolve, reject);
    });
    // Of several calls that hang, a test reports the first.
    inTime.catch(() => {});
    return inTime;
  }

  /** Uses new stores for the rest of the test. */
  use(options?: RunStoreOptions): void {
    this.first = this.create(options);
    this.second = this.isShared ? this.create(options) : this.first;
  }

  /** From now on, only announcements wake waiting calls, in stores that have them. */
  stopTicks(): void {
    if (this.#fixture.isAnnounced) mock.timers.enable({ apis: ["setInterval"] });
  }
}
