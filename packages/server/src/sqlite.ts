/**
 * Keeps runs in a SQLite file: they survive the process, and all processes of one machine share them. Needs
 * `node:sqlite` (Node, Bun, Deno). Decides when a transaction runs and which readers it wakes; its statements are
 * in `sqlite-runs.ts`.
 */
import type { DatabaseSync } from "node:sqlite";
import { checkBooleanOption, checkObjectOption } from "@kortyx/protocol/internal";
import {
  type AppendResult,
  type OpenRun,
  orWhen,
  producerLostTerminal,
  type RunPage,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  toSpreadableStore,
} from "./stores/run-store.ts";
import { createRunWaiters } from "./stores/run-waiters.ts";
import { openSqliteFile } from "./stores/sqlite-file.ts";
import { createSqliteLock, isDiskFull, type SqliteLock } from "./stores/sqlite-lock.ts";
import { createDiskReserve, type DiskReserve } from "./stores/sqlite-reserve.ts";
import { type DiskRoom, type SqliteOpening, SqliteRuns } from "./stores/sqlite-runs.ts";
import { prepareSqliteStatements, type RunRow, type SqliteStatements } from "./stores/sqlite-statements.ts";
import { SqliteUpkeep } from "./stores/sqlite-upkeep.ts";
import { checkNames } from "./stream/check-names.ts";
import { startInterval, type Timer, unref } from "./stream/start-timer.ts";

/** Options of {@link createSqliteRunStore}. */
export interface SqliteRunStoreOptions extends RunStoreOptions {
  /**
   * Path of the file, which is created if missing, in an existing folder on a local disk; `":memory:"` for no file.
   * Files with the same name plus `-wal`, `-shm` and `-reserve` (8 MiB kept for a full disk) are created next to it.
   */
  path: string;
  /**
   * Set it if several processes serve this file at the same time: when one of them drains, its followers move to
   * another at once. Otherwise they stay until the deadline.
   *
   * @defaultValue false
   */
  canHandOff?: boolean | undefined;
}

/** Every option; one that is missing here is a type error. */
const optionNames: Record<keyof SqliteRunStoreOptions, true> = {
  path: true,
  canHandOff: true,
  retentionMs: true,
  leaseMs: true,
};

/** How often the file is checked for writes by other processes while a reader waits. */
const pollMs = 50;

/**
 * Creates a store that keeps runs in a file. Acknowledged writes are in the file; a power failure may undo the last
 * ones, but leaves the log consistent. While another process holds the file's lock, methods that write wait for 2 s and
 * then reject; those that read do not wait.
 *
 * @throws Error for an unusable file, TypeError for a wrong or unknown option, RangeError for a time that is not a number of
 * milliseconds.
 *
 * @example
 * ```ts
 * const store = createSqliteRunStore({ path: process.env.RUNS_FILE ?? "runs.db" });
 * const route = createChatRoute({ agent, authorize: verifySession, runs: { store } });
 * ```
 */
export function createSqliteRunStore(options: SqliteRunStoreOptions): RunStore {
  checkObjectOption("The options of createSqliteRunStore", options, "an object with a path");
  checkNames("createSqliteRunStore", options, optionNames);
  return toSpreadableStore(new SqliteRunStore(options));
}

class SqliteRunStore implements RunStore {
  readonly canHandOff: boolean;
  readonly leaseMs: number;
  readonly #database: DatabaseSync;
  readonly #statements: SqliteStatements;
  readonly #reserve: DiskReserve | undefined;
  readonly #lock: SqliteLock;
  readonly #runs: SqliteRuns;
  readonly #upkeep: SqliteUpkeep;
  /** Our own writes wake waiters at once; other processes' writes change the version of the file. */
  readonly #waiters = createRunWaiters({
    onFirst: () => this.#watchFile(),
    onLast: () => clearInterval(this.#pollTimer),
  });
  #pollTimer: Timer | undefined;
  /** The version of the file when it was last polled. */
  #version: unknown;
  #isClosed = false;

  constructor(options: SqliteRunStoreOptions) {
    const { path, canHandOff = false } = options;
    checkBooleanOption("canHandOff", canHandOff);
    if (canHandOff && path === ":memory:")
      throw new TypeError('canHandOff: no other process has the runs of ":memory:"; name a file.');
    const times = readRunStoreTimes(options);
    this.canHandOff = canHandOff;
    this.leaseMs = times.leaseMs;
    this.#database = openSqliteFile(path);
    this.#reserve = path === ":memory:" ? undefined : createDiskReserve(`${path}-reserve`);
    this.#hasRoom();
    this.#statements = prepareSqliteStatements(this.#database);
    this.#runs = new SqliteRuns(this.#statements, times);
    this.#lock = createSqliteLock(this.#database, (error) => this.#releaseReserve(error));
    this.#upkeep = new SqliteUpkeep({
      database: this.#database,
      statements: this.#statements,
      lock: this.#lock,
      retentionMs: times.retentionMs,
      hasRoom: () => this.#hasRoom(),
      endAbandoned: () => this.#endAbandoned(),
    });
  }

  async open(request: OpenRun) {
    const room = this.#room();
    const { opened, ended } = await this.#write(() => this.#runs.open(request, room)).catch(
      orWhen<SqliteOpening>(isDiskFull, { opened: { status: "store-full" }, ended: [] }),
    );
    this.#wakeEnded(ended);
    return opened;
  }

  async append(runId: string, firstSeq: number, entries: readonly string[]): Promise<AppendResult> {
    const room = this.#room();
    const result = await this.#write(() => this.#runs.append(runId, firstSeq, entries, room)).catch(
      orWhen<AppendResult>(isDiskFull, "full"),
    );
    if (result === "ok") this.#waiters.wake(runId, firstSeq + entries.length - 1);
    return result;
  }

  async renew(runId: string): Promise<AppendResult> {
    return this.#write(() => this.#runs.renew(runId));
  }

  async end(runId: string, terminal: RunTerminal, lastSeq = -1): Promise<RunTerminal | undefined> {
    return this.#endWith(runId, ({ seq }) => (seq >= lastSeq ? terminal : producerLostTerminal));
  }

  async endIfLeaseExpired(runId: string): Promise<RunTerminal | undefined> {
    return this.#endWith(runId, (row) =>
      this.#runs.leaseLeftMs(row) > 0 ? undefined : producerLostTerminal,
    );
  }

  async read(runId: string, after: number, limit: number): Promise<RunPage | undefined> {
    return this.#lock.read(() => this.#runs.read(runId, after, limit));
  }

  async wait(runId: string, after: number, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiters.wait(runId, after, signal);
    try {
      this.#waiters.wake(runId, this.#runs.reachOf(runId));
    } catch {
      // The reader then reads again and gets the failure itself.
      this.#waiters.wake(runId, Number.POSITIVE_INFINITY);
    }
    await waiting;
  }

  async latest(owner: string, sessionId: string): Promise<RunRecord | undefined> {
    return this.#lock.read(() => this.#runs.latest(owner, sessionId));
  }

  async stopKey(owner: string, key: string): Promise<string | undefined> {
    const runId = await this.#lock.read(() => this.#runs.findRunId(owner, key));
    return runId ?? this.#write(() => this.#runs.stopKey(owner, key));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#pollTimer);
    this.#upkeep.close();
    this.#lock.close();
    this.#waiters.wakeAll();
    this.#database.close();
  }

  /** Writes, and afterwards cleans up if due. */
  async #write<Value>(change: () => Value): Promise<Value> {
    try {
      return await this.#lock.write(change);
    } finally {
      this.#upkeep.start();
    }
  }

  /** @param choose - Returns the terminal; undefined leaves the run open. */
  async #endWith(runId: string, choose: (row: RunRow) => RunTerminal | undefined) {
    const terminalOf = (row: RunRow) =>
      row.terminal === null ? choose(row) : (JSON.parse(row.terminal) as RunTerminal);
    // Without a write if none is needed, which works even while writes fail.
    const found = await this.#lock.read(() => this.#runs.find(runId));
    if (found === undefined || found.terminal !== null) return found && terminalOf(found);
    if (terminalOf(found) === undefined) return undefined;
    const result = await this.#write(() => {
      const row = this.#runs.find(runId);
      const terminal = row && terminalOf(row);
      return terminal && this.#runs.end(row!, terminal);
    });
    if (result !== undefined) this.#waiters.wake(runId, Number.POSITIVE_INFINITY);
    return result;
  }

  async #endAbandoned(): Promise<void> {
    if (!this.#runs.hasAbandoned()) return;
    this.#wakeEnded(await this.#lock.write(() => this.#runs.endAbandoned()));
  }

  #wakeEnded(rows: RunRow[]): void {
    for (const { run_id } of rows) this.#waiters.wake(run_id, Number.POSITIVE_INFINITY);
  }

  #watchFile(): void {
    if (!this.#isClosed) this.#pollTimer = unref(startInterval(() => this.#poll(), pollMs));
  }

  #poll(): void {
    try {
      const version = this.#statements.readVersion.get()?.data_version;
      if (version === this.#version) return;
      this.#version = version;
      for (const runId of this.#waiters.runIds()) this.#waiters.wake(runId, this.#runs.reachOf(runId));
    } catch {
      // Each waiting reader then reads again and gets the failure itself.
      this.#waiters.wakeAll();
    }
  }

  /** Creates the reserve again if there is space for it. */
  #hasRoom(): boolean {
    return this.#reserve?.exists() ?? true;
  }

  #room(): DiskRoom {
    return this.#hasRoom() ? "free" : "none";
  }

  /** @returns whether there is space now, so that the transaction can be repeated. */
  #releaseReserve(error: unknown): boolean {
    if (!this.#reserve?.release(error)) return false;
    this.#upkeep.reuseLog();
    return true;
  }
}
