/**
 * Keeps the file of a SQLite store small: ends what was abandoned, deletes what was kept long enough and gives the room
 * back to the disk, in short transactions between which everything else runs. It follows writes, so an idle store costs
 * nothing. Its failures fail no request: it tries again later.
 */
import type { DatabaseSync } from "node:sqlite";
import { startTimer, type Timer, unref } from "../stream/start-timer.ts";
import type { SqliteLock } from "./sqlite-lock.ts";

const intervalMs = 5_000;
/** While the disk is full. */
const intervalWhenFullMs = 500;
/** One transaction takes about this long, … */
const maxSliceMs = 4;
/** … and everything else has the processor for this long before the next one. */
const pauseMs = 10;
/** How many entries, keys or pages are deleted before the clock is read. */
const batch = 100;
/** Free pages that the file keeps for the next runs (4 MiB), or a quarter of the file. */
const keptPages = 1_024;

export interface SqliteUpkeepOptions {
  database: DatabaseSync;
  lock: SqliteLock;
  retentionMs: number;
  /** Whether the disk has room. */
  hasRoom(): boolean;
  /** Ends the open runs whose lease has expired. */
  endAbandoned(): Promise<void>;
}

export interface SqliteUpkeep {
  /** Begins when it is time to. */
  start(): void;
  /** Lets SQLite write its log from the beginning again, for which the file itself needs room. Begins soon. */
  reuseLog(): void;
  close(): void;
}

export function createSqliteUpkeep(options: SqliteUpkeepOptions): SqliteUpkeep {
  const { database, lock, hasRoom, endAbandoned } = options;
  // Shorter where runs are kept for less.
  const minIntervalMs = Math.min(intervalMs, options.retentionMs);
  const findExpired = database.prepare(
    "SELECT number FROM runs WHERE ended_at <= ? ORDER BY ended_at LIMIT 1",
  );
  const deleteEntries = database.prepare(
    `DELETE FROM entries WHERE (number, seq) IN
     (SELECT number, seq FROM entries WHERE number = ? LIMIT ${batch})`,
  );
  const markRun = database.prepare("UPDATE runs SET key = NULL, ended_at = 0 WHERE number = ?");
  const deleteRun = database.prepare("DELETE FROM runs WHERE number = ?");
  const findKey = database.prepare("SELECT 1 FROM stopped_keys WHERE until <= ? LIMIT 1");
  const deleteKeys = database.prepare(
    `DELETE FROM stopped_keys WHERE (owner, key) IN
     (SELECT owner, key FROM stopped_keys WHERE until <= ? LIMIT ${batch})`,
  );
  const countFree = database.prepare("PRAGMA freelist_count");
  const countPages = database.prepare("PRAGMA page_count");

  let isRunning = false;
  let isClosed = false;
  let dueAt = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;

  const expired = () => findExpired.get(Date.now() - options.retentionMs)?.number as number | undefined;
  const hasWork = () => expired() !== undefined || findKey.get(Date.now()) !== undefined;

  /** Within a transaction. */
  function deleteSome(): void {
    const endsAt = performance.now() + maxSliceMs;
    deleteKeys.run(Date.now());
    do {
      const number = expired();
      if (number === undefined) return;
      // Until its last entry is deleted, it looks as if it never was, whatever becomes of the date.
      if (deleteEntries.run(number).changes === batch) markRun.run(number);
      else deleteRun.run(number);
    } while (performance.now() < endsAt);
  }

  function isTooLarge(): boolean {
    const free = countFree.get()!.freelist_count as number;
    const pages = countPages.get()!.page_count as number;
    return free > (hasRoom() ? Math.max(keptPages, pages / 4) : 0);
  }

  /** Within a transaction. */
  function shrink(): void {
    const endsAt = performance.now() + maxSliceMs;
    do database.exec(`PRAGMA incremental_vacuum(${batch})`);
    while (isTooLarge() && performance.now() < endsAt);
  }

  async function repeatWhile(isNeeded: () => boolean, change: () => void): Promise<number> {
    let count = 0;
    for (; !isClosed && isNeeded(); count++) {
      await lock.write(change);
      await new Promise<void>((resolve) => unref(setTimeout(resolve, pauseMs)));
    }
    return count;
  }

  async function run(): Promise<void> {
    clearTimeout(timer);
    isRunning = true;
    if (!hasRoom()) reuseLog();
    try {
      await endAbandoned();
      await repeatWhile(hasWork, deleteSome);
      // A checkpoint is what cuts the file.
      if ((await repeatWhile(isTooLarge, shrink)) > 0) checkpoint();
    } catch {
      // Another process holds the lock, or the disk is full.
    }
    isRunning = false;
    if (isClosed) return;
    const isFull = !hasRoom();
    dueAt = performance.now() + (isFull ? intervalWhenFullMs : minIntervalMs);
    if (isFull) timer = unref(startTimer(run, intervalWhenFullMs));
  }

  const checkpoint = () => database.exec("PRAGMA wal_checkpoint(PASSIVE)");

  function reuseLog(): void {
    dueAt = Number.NEGATIVE_INFINITY;
    try {
      checkpoint();
    } catch {
      // The log may still have room.
    }
  }

  return {
    start() {
      if (isRunning || isClosed || performance.now() < dueAt) return;
      isRunning = true;
      // Not within the call that has written.
      queueMicrotask(run);
    },
    reuseLog,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
