/**
 * The contract of every run store, as tests for any runner. They use a store only through its interface, and two stores
 * of the same runs where runs are shared.
 */
import type { RunStore, RunStoreOptions } from "../../stores/run-store.ts";
import { ContractStores } from "./contract-stores.ts";
import { describeLifetime } from "./lifetime.ts";
import { describeLog } from "./log.ts";
import { describeNames } from "./names.ts";
import { describeOpening } from "./opening.ts";
import { describeWaiting } from "./waiting.ts";

/** The functions of a test runner: those of Vitest, `node:test`, Jest and others. */
export interface TestRunner {
  /** Groups tests. */
  describe(name: string, body: () => void): unknown;
  /** Defines a test, which fails if its body throws. */
  test(name: string, body: () => Promise<void> | void): unknown;
  /** Runs before each test of the group. */
  beforeEach(body: () => Promise<void>): unknown;
  /** Runs after each test of the group, failed ones too. */
  afterEach(body: () => Promise<void>): unknown;
}

/** The storage of one test. */
export interface RunStoreFixture {
  /** Another store of the same runs; of its own runs, if they are not shared. The tests close it. */
  create(options?: RunStoreOptions): RunStore;
  /**
   * An append wakes the calls of `wait` that are pending in any store, without waiting for the next look of a
   * `setInterval`. False for stores that only poll.
   */
  isAnnounced: boolean;
  /** Removes the storage of the closed stores. */
  dispose(): void | Promise<void>;
}

/** A kind of run store. */
export interface RunStoreKind {
  /** For the names of the tests. */
  name: string;
  /** Stores with the same storage see each other's runs, as in several processes. */
  isShared: boolean;
  /** Creates fresh storage, for one test. */
  setUp(): RunStoreFixture | Promise<RunStoreFixture>;
}

/**
 * Defines the tests that every {@link RunStore} passes: how runs are opened, written, read, waited for, found, ended and
 * forgotten, also by many callers at once. They take about 10 s, and need Node.
 *
 * @example
 * ```ts
 * const memory = {
 *   name: "the memory of a process",
 *   isShared: false,
 *   setUp: () => ({ create: createMemoryRunStore, isAnnounced: true, dispose: () => {} }),
 * };
 * // The functions of Vitest, for example: const runner = { describe, test, beforeEach, afterEach };
 * describeRunStore(memory, runner);
 * ```
 */
export function describeRunStore(kind: RunStoreKind, runner: TestRunner): void {
  runner.describe(kind.name, () => {
    const stores = new ContractStores(kind);
    runner.beforeEach(() => stores.begin());
    runner.afterEach(() => stores.end());

    describeOpening(stores, runner);
    describeLog(stores, runner);
    describeLifetime(stores, runner);
    describeWaiting(stores, runner);
    describeNames(stores, runner);
  });
}
