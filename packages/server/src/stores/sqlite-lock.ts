/**
 * Transactions on a file that other processes also write. SQLite would block the process while waiting for their lock;
 * here the transaction is retried later, and everything else runs in the meantime.
 */
import type { DatabaseSync } from "node:sqlite";
import { onNextTurn } from "../stream/next-turn.ts";

/** How long a transaction waits for another process. */
const maxWaitMs = 2_000;
/** The first and the longest pause between two attempts. */
const minPauseMs = 1;
const maxPauseMs = 25;
/** Writes that have waited share a turn of the event loop for this long. */
const maxTurnMs = 5;

export interface SqliteLock {
  /** Runs `change` in a transaction, in the order of the calls. Rejects with its error or that of SQLite. */
  write<Value>(change: () => Value): Promise<Value>;
  /** Runs `look`, which only reads. Waits for no write, and sees a consistent snapshot of the file. */
  read<Value>(look: () => Value): Promise<Value>;
  /** Rejects waiting and later writes. */
  close(): void;
}

interface WaitingWrite {
  run(): void;
  reject(error: unknown): void;
  giveUpAt: number;
}

/** By SQLite's message, because Deno has no result codes. */
const isBusy = (error: unknown): boolean => String(error).includes("database is locked");

const closed = () => new Error("The run store is closed.");

/** Whether the file could not grow. */
export const isDiskFull = (error: unknown): boolean => String(error).includes("database or disk is full");

/**
 * @param makeRoom - Called after a transaction was rolled back because the file could not grow; it is repeated if this
 * returns `true`.
 */
export function createSqliteLock(database: DatabaseSync, makeRoom: (error: unknown) => boolean): SqliteLock {
  const waiting: WaitingWrite[] = [];
  let pauseMs = minPauseMs;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;

  function transact<Value>(begin: "BEGIN" | "BEGIN IMMEDIATE", work: () => Value): Value {
    database.exec(begin);
    try {
      const value = work();
      database.exec("COMMIT");
      return value;
    } catch (error) {
      rollBack();
      throw error;
    }
  }

  function writeNow<Value>(change: () => Value): Value {
    try {
      return transact("BEGIN IMMEDIATE", change);
    } catch (error) {
      if (isDiskFull(error) && makeRoom(error)) return writeNow(change);
      throw error;
    }
  }

  function rollBack(): void {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has already rolled back, as when the disk is full.
    }
  }

  function runWaiting(): void {
    const turnEndsAt = performance.now() + maxTurnMs;
    for (let next = waiting[0]; next !== undefined && !isClosed; next = waiting[0]) {
      try {
        next.run();
        pauseMs = minPauseMs;
      } catch (error) {
        if (isBusy(error) && performance.now() < next.giveUpAt) {
          timer = setTimeout(runWaiting, pauseMs);
          pauseMs = Math.min(pauseMs * 2, maxPauseMs);
          return;
        }
        next.reject(error);
      }
      waiting.shift();
      if (waiting.length > 0 && performance.now() > turnEndsAt) {
        onNextTurn(runWaiting);
        return;
      }
    }
  }

  return {
    write(change) {
      if (isClosed) return Promise.reject(closed());
      return new Promise((resolve, reject) => {
        const run = () => resolve(writeNow(change));
        waiting.push({ run, reject, giveUpAt: performance.now() + maxWaitMs });
        if (waiting.length === 1) runWaiting();
      });
    },
    async read(look) {
      // A reader waits only while another process recovers the file after a crash, or is the last to close it.
      const giveUpAt = performance.now() + maxWaitMs;
      for (;;) {
        try {
          return transact("BEGIN", look);
        } catch (error) {
          if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, maxPauseMs));
      }
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const { reject } of waiting.splice(0)) reject(closed());
    },
  };
}
