/**
 * Keeps the file of a SQLite store small: ends abandoned runs, deletes runs whose retention has passed and returns the
 * space to the disk, in short transactions that let everything else run in between. Triggered by writes, so an idle
 * store costs nothing. A failure fails no request: it tries again later.
 */
import type { DatabaseSync } from "node:sqlite";
import { startTimer, type Timer, unref } from "../stream/start-timer.ts";
import type { SqliteLock } from "./sqlite-lock.ts";
import type { SqliteStatements } from "./sqlite-statements.ts";

const intervalMs = 5_000;
/** The interval while the disk is full. */
const intervalWhenFullMs = 500;
/** One transaction takes about this long … */
const maxSliceMs = 4;
/** … and everything else gets this much time before the next one. */
const pauseMs = 10;
/** The number of entries, keys or pages deleted between two readings of the clock. */
const maxDeleted = 100;
/** Free pages that the file keeps for the next runs (4 MiB), or a quarter of the file. */
const keptPages = 1_024;

export interface SqliteUpkeepOptions {
  database: DatabaseSync;
  statements: SqliteStatements;
  lock: SqliteLock;
  retentionMs: number;
  /** Whether the disk has space. */
  hasRoom(): boolean;
  /** Ends the open runs whose lease has expired. */
  endAbandoned(): Promise<void>;
}

export class SqliteUpkeep {
  readonly #options: SqliteUpkeepOptions;
  #isRunning = false;
  #isClosed = false;
  #dueAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: SqliteUpkeepOptions) {
    this.#options = options;
  }

  /** Begins if the interval has passed. */
  start(): void {
    if (this.#isRunning || this.#isClosed || performance.now() < this.#dueAt) return;
    this.#isRunning = true;
    // Not during the call that wrote.
    queueMicrotask(() => this.#run());
  }

  /** Begins soon, so that SQLite writes its log from the beginning again, for which the file itself needs space. */
  reuseLog(): void {
    this.#dueAt = Number.NEGATIVE_INFINITY;
    try {
      this.#checkpoint();
    } catch {
      // The log may still have space.
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    const { hasRoom, endAbandoned, retentionMs } = this.#options;
    clearTimeout(this.#timer);
    this.#isRunning = true;
    if (!hasRoom()) this.reuseLog();
    try {
      await endAbandoned();
      await this.#repeatWhile(
        () => this.#hasExpired(),
        () => this.#deleteSome(),
      );
      const shrinks = await this.#repeatWhile(
        () => this.#isTooLarge(),
        () => this.#shrink(),
      );
      // Only a checkpoint truncates the file.
      if (shrinks > 0) this.#checkpoint();
    } catch {
      // Another process holds the lock, or the disk is full.
    }
    this.#isRunning = false;
    if (this.#isClosed) return;
    const isFull = !hasRoom();
    // Shorter for a short retention.
    const untilNextMs = isFull ? intervalWhenFullMs : Math.min(intervalMs, retentionMs);
    this.#dueAt = performance.now() + untilNextMs;
    if (isFull) this.#timer = unref(startTimer(() => this.#run(), intervalWhenFullMs));
  }

  /** @returns how often `change` ran. */
  async #repeatWhile(isNeeded: () => boolean, change: () => void): Promise<number> {
    let count = 0;
    for (; !this.#isClosed && isNeeded(); count++) {
      await this.#options.lock.write(change);
      await new Promise<void>((resolve) => unref(setTimeout(resolve, pauseMs)));
    }
    return count;
  }

  #hasExpired(): boolean {
    const { findExpiredKey } = this.#options.statements;
    return this.#findEnded() !== undefined || findExpiredKey.get(Date.now()) !== undefined;
  }

  /** A run whose retention has passed. */
  #findEnded(): number | undefined {
    const { statements, retentionMs } = this.#options;
    return statements.findEnded.get(Date.now() - retentionMs)?.number as number | undefined;
  }

  /** Within a transaction. */
  #deleteSome(): void {
    const { deleteExpiredKeys, deleteEntries, forgetRun, deleteRun } = this.#options.statements;
    const endsAt = performance.now() + maxSliceMs;
    deleteExpiredKeys.run(Date.now(), maxDeleted);
    do {
      const number = this.#findEnded();
      if (number === undefined) return;
      // Until its last entry is deleted, it looks as if it never existed, even if the date changes.
      if (deleteEntries.run(number, maxDeleted).changes === maxDeleted) forgetRun.run(number);
      else deleteRun.run(number);
    } while (performance.now() < endsAt);
  }

  #isTooLarge(): boolean {
    const { statements, hasRoom } = this.#options;
    const free = statements.countFreePages.get()!.freelist_count as number;
    const pages = statements.countPages.get()!.page_count as number;
    return free > (hasRoom() ? Math.max(keptPages, pages / 4) : 0);
  }

  /** Within a transaction. */
  #shrink(): void {
    const endsAt = performance.now() + maxSliceMs;
    do this.#options.database.exec(`PRAGMA incremental_vacuum(${maxDeleted})`);
    while (this.#isTooLarge() && performance.now() < endsAt);
  }

  #checkpoint(): void {
    this.#options.database.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
}
