/**
 * Runs in a SQLite file: they survive the process, and all processes of one machine see them. Needs `node:sqlite`
 * (Node, Bun, Deno).
 */
import { checkObjectOption, stringifyChunk } from "@kortyx/protocol/internal";
import { clockToleranceMs, readMachineTime } from "./stores/machine-clock.ts";
import {
  type AppendResult,
  maxStoppedKeys,
  type OpenedRun,
  producerLost,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  stopped,
  stoppedKeyMs,
  wasNeverBegun,
} from "./stores/run-store.ts";
import { createRunWaiters } from "./stores/run-waiters.ts";
import { openSqliteFile } from "./stores/sqlite-file.ts";
import { createSqliteLock, isDiskFull } from "./stores/sqlite-lock.ts";
import { createDiskReserve } from "./stores/sqlite-reserve.ts";
import { createSqliteUpkeep } from "./stores/sqlite-upkeep.ts";
import { startInterval, type Timer, unref } from "./stream/start-timer.ts";

export interface SqliteRunStoreOptions extends RunStoreOptions {
  /**
   * The file, which is created when it is missing, in a folder that exists, on a local disk; `":memory:"` for none. Other
   * files beside it begin with its name: `-wal`, `-shm` and `-reserve`, 8 MiB that are set aside for a full disk.
   */
  path: string;
  /**
   * Several processes serve this file at the same time: when one of them drains, its followers move to another at once.
   * Where there is only one process, they stay until the deadline.
   *
   * @defaultValue false
   */
  canHandOff?: boolean | undefined;
}

/** How often the file is checked for writes of other processes, while a reader waits. */
const pollMs = 50;

/** One row of the table of runs. `seq` is the position of the last entry. */
interface Row {
  number: number;
  run_id: string;
  owner: string;
  session_id: string | null;
  body_hash: string;
  seq: number;
  terminal: string | null;
  renewed_at: number;
  lease_ms: number;
  ended_at: number | null;
}

/**
 * Creates a store. A write is in the file when it is acknowledged; a power failure may undo the last ones, but leaves a
 * log that is whole. While another process holds the lock of the file, methods that write wait for 2 s and then reject;
 * those that read do not wait.
 *
 * @throws Error for a file that cannot be used, TypeError for anything but a path, RangeError for a time that is not a
 * number of milliseconds.
 */
export function createSqliteRunStore(options: SqliteRunStoreOptions): RunStore {
  checkObjectOption("The options of createSqliteRunStore", options, "an object with a path");
  const { path, canHandOff = false } = options;
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  const database = openSqliteFile(path);
  const isFile = path !== ":memory:";
  const reserve = isFile ? createDiskReserve(`${path}-reserve`) : undefined;
  const hasRoom = () => reserve?.exists() ?? true;
  hasRoom();
  const lock = createSqliteLock(database, (error) => {
    if (!reserve?.release(error)) return false;
    upkeep.reuseLog();
    return true;
  });

  const find = (rest: string) =>
    database.prepare(
      `SELECT number, run_id, owner, session_id, body_hash, seq, terminal, renewed_at, lease_ms, ended_at
       FROM runs WHERE ${rest}`,
    );
  const findRow = find("run_id = ?");
  const findByKey = find("owner = ? AND key = ?");
  const findOfSession = find("owner = ? AND session_id = ? ORDER BY number DESC");
  const findOpen = find("owner = ? AND ended_at IS NULL");
  const findAllOpen = find("ended_at IS NULL");
  const insertRun = database.prepare(
    `INSERT INTO runs (run_id, owner, session_id, key, body_hash, renewed_at, lease_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertEntry = database.prepare("INSERT INTO entries (number, seq, json) VALUES (?, ?, ?)");
  const setSeq = database.prepare("UPDATE runs SET seq = ?, renewed_at = ?, lease_ms = ? WHERE number = ?");
  const releaseKey = database.prepare("UPDATE runs SET key = NULL WHERE number = ?");
  const setTerminal = database.prepare(
    "UPDATE runs SET seq = ?, terminal = ?, ended_at = ? WHERE number = ?",
  );
  const forgetRun = database.prepare("UPDATE runs SET key = NULL, ended_at = 0 WHERE number = ?");
  const readEntries = database.prepare(
    "SELECT json FROM entries WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?",
  );
  const takeStoppedKey = database.prepare(
    "DELETE FROM stopped_keys WHERE owner = ? AND key = ? AND until > ?",
  );
  const rememberStoppedKey = database.prepare(
    "INSERT OR REPLACE INTO stopped_keys (owner, key, until) VALUES (?, ?, ?)",
  );
  const capStoppedKeys = database.prepare(
    `DELETE FROM stopped_keys WHERE owner = ?1 AND key IN
     (SELECT key FROM stopped_keys WHERE owner = ?1 ORDER BY until DESC LIMIT -1 OFFSET ${maxStoppedKeys})`,
  );
  const readVersion = database.prepare("PRAGMA data_version");

  let pollTimer: Timer | undefined;
  let version: unknown;
  let isClosed = false;

  // Own writes wake at once; those of other processes change the version of the file.
  const waiters = createRunWaiters((isWaitedFor) => {
    clearInterval(pollTimer);
    if (isWaitedFor && !isClosed) pollTimer = unref(startInterval(poll, pollMs));
  });

  function poll(): void {
    try {
      const current = readVersion.get()?.data_version;
      if (current === version) return;
      version = current;
      for (const runId of waiters.runIds())
        waiters.wake(runId, reachOf(findRow.get(runId) as Row | undefined));
    } catch {
      // Each waiting reader reads again, and meets the failure there.
      waiters.wakeAll();
    }
  }

  /** The position of the last entry; Infinity when none will follow. */
  const reachOf = (row: Pick<Row, "seq" | "terminal"> | undefined): number =>
    row === undefined || row.terminal !== null ? Number.POSITIVE_INFINITY : row.seq;

  /** In milliseconds; 0 or less when the lease has expired. */
  function leaseLeftMs({ renewed_at, lease_ms }: Row): number {
    const { nowMs, resumedAtMs } = readMachineTime();
    // The machine has been booted since.
    if (renewed_at > nowMs + clockToleranceMs) return 0;
    // In a machine that slept, no producer could renew.
    return Math.max(renewed_at + lease_ms, resumedAtMs + leaseMs) - nowMs;
  }

  /** Whether a run was kept long enough, so that callers no longer find it. */
  function isGone(row: Row): boolean {
    if (row.ended_at !== null) return row.ended_at <= Date.now() - retentionMs;
    // Its producer vanished, and no request has ended it since.
    return leaseLeftMs(row) <= -retentionMs;
  }

  const kept = (row: Row | undefined) => (row === undefined || isGone(row) ? undefined : row);
  const load = (runId: string) => kept(findRow.get(runId) as Row | undefined);

  /** Within a transaction. */
  function endRun(row: Row, terminal: RunTerminal): RunTerminal {
    if (row.terminal !== null) return JSON.parse(row.terminal);
    const json = stringifyChunk(terminal);
    row.seq++;
    row.terminal = json;
    insertEntry.run(row.number, row.seq, json);
    setTerminal.run(row.seq, json, Date.now(), row.number);
    return terminal;
  }

  /** Within a transaction. @returns which of these open runs have lost their producer. */
  function endExpired(rows: Row[]): Row[] {
    const expired = rows.filter((row) => leaseLeftMs(row) <= 0);
    for (const row of expired) {
      if (isGone(row)) forgetRun.run(row.number);
      else endRun(row, producerLost);
    }
    return expired;
  }

  /** Within a transaction. */
  const renewLease = ({ seq, number }: Row) => setSeq.run(seq, readMachineTime().nowMs, leaseMs, number);

  const wakeEnded = (rows: Row[]) => {
    for (const { run_id } of rows) waiters.wake(run_id, Number.POSITIVE_INFINITY);
  };

  const upkeep = createSqliteUpkeep({
    database,
    lock,
    retentionMs,
    hasRoom,
    async endAbandoned() {
      const isAbandoned = (row: Row) => leaseLeftMs(row) <= 0;
      if (!(findAllOpen.all() as unknown as Row[]).some(isAbandoned)) return;
      wakeEnded(await lock.write(() => endExpired(findAllOpen.all() as unknown as Row[])));
    },
  });

  /** Writes, and cleans up afterwards when it is time to. */
  async function write<Value>(change: () => Value): Promise<Value> {
    try {
      return await lock.write(change);
    } finally {
      upkeep.start();
    }
  }

  /** @param choose - Gives the terminal; undefined leaves the run open. */
  async function endWith(runId: string, choose: (row: Row) => RunTerminal | undefined) {
    // Without a write where none is needed, which works while nothing can be written.
    const terminalOf = (row: Row) =>
      row.terminal === null ? choose(row) : (JSON.parse(row.terminal) as RunTerminal);
    const found = await lock.read(() => load(runId));
    if (found === undefined || found.terminal !== null) return found && terminalOf(found);
    if (terminalOf(found) === undefined) return undefined;
    const result = await write(() => {
      const row = load(runId);
      const terminal = row && terminalOf(row);
      return terminal && endRun(row!, terminal);
    });
    if (result !== undefined) waiters.wake(runId, Number.POSITIVE_INFINITY);
    return result;
  }

  return {
    canHandOff,
    leaseMs,
    async open({ runId, owner, sessionId, key, bodyHash, maxOpenRuns, allowActiveRun }) {
      const isFull = !hasRoom();
      let lost: Row[] = [];
      const opened = await write((): OpenedRun => {
        const repeated = load(runId);
        if (repeated !== undefined) {
          if (repeated.terminal === null) renewLease(repeated);
          return { status: "created", run: toRecord(repeated) };
        }
        lost = [];
        const known = key === undefined ? undefined : (findByKey.get(owner, key) as Row | undefined);
        if (known !== undefined && isGone(known)) {
          forgetRun.run(known.number);
        } else if (known !== undefined) {
          if (known.terminal === null) lost = endExpired([known]);
          if (!wasNeverBegun(toRecord(known))) {
            if (known.body_hash !== bodyHash) return { status: "key-conflict" };
            return { status: "attached", run: toRecord(known) };
          }
          releaseKey.run(known.number);
        }
        const rows = owner === "" ? [] : (findOpen.all(owner) as unknown as Row[]);
        const expired = endExpired(rows);
        lost = [...lost, ...expired];
        const open = rows.filter((row) => !expired.includes(row));
        const active = open.find((row) => sessionId !== undefined && row.session_id === sessionId);
        if (active !== undefined && !allowActiveRun) return { status: "run-active", run: toRecord(active) };
        if (owner !== "" && open.length >= maxOpenRuns) return { status: "too-many-runs" };
        if (isFull) return { status: "store-full" };
        const { nowMs } = readMachineTime();
        insertRun.run(runId, owner, sessionId ?? null, key ?? null, bodyHash, nowMs, leaseMs);
        const row = findRow.get(runId) as unknown as Row;
        if (key !== undefined && takeStoppedKey.run(owner, key, Date.now()).changes > 0) endRun(row, stopped);
        return { status: "created", run: toRecord(row) };
      }).catch(whenFull<OpenedRun>({ status: "store-full" }));
      wakeEnded(lost);
      return opened;
    },
    async append(runId, firstSeq, entries) {
      const isFull = !hasRoom();
      const result = await write((): AppendResult => {
        const row = load(runId);
        if (row === undefined) return "lost";
        if (row.terminal !== null) return "ended";
        if (firstSeq > row.seq + 1) return "lost";
        const known = firstSeq > row.seq ? [] : readEntries.all(row.number, firstSeq - 1, entries.length);
        if (known.some(({ json }, index) => json !== entries[index])) return "lost";
        const last = firstSeq + entries.length - 1;
        if (isFull && last > row.seq) return "full";
        for (let seq = row.seq + 1; seq <= last; seq++)
          insertEntry.run(row.number, seq, entries[seq - firstSeq]!);
        setSeq.run(Math.max(row.seq, last), readMachineTime().nowMs, leaseMs, row.number);
        return "ok";
      }).catch(whenFull<AppendResult>("full"));
      if (result === "ok") waiters.wake(runId, firstSeq + entries.length - 1);
      return result;
    },
    async renew(runId) {
      return write(() => {
        const row = load(runId);
        if (row === undefined) return "lost";
        if (row.terminal !== null) return "ended";
        renewLease(row);
        return "ok";
      });
    },
    async end(runId, terminal, lastSeq = -1) {
      return endWith(runId, ({ seq }) => (seq >= lastSeq ? terminal : producerLost));
    },
    async endIfLeaseExpired(runId) {
      return endWith(runId, (row) => (leaseLeftMs(row) > 0 ? undefined : producerLost));
    },
    async read(runId, after, limit) {
      return lock.read(() => {
        const row = load(runId);
        if (row === undefined) return undefined;
        const rows = limit === 0 || after >= row.seq ? [] : readEntries.all(row.number, after, limit);
        return {
          run: toRecord(row),
          entries: rows.map(({ json }) => json as string),
          leaseLeftMs: leaseLeftMs(row),
        };
      });
    },
    async wait(runId, after, signal) {
      const waiting = waiters.wait(runId, after, signal);
      try {
        waiters.wake(runId, reachOf(load(runId)));
      } catch {
        waiters.wake(runId, Number.POSITIVE_INFINITY);
      }
      await waiting;
    },
    async latest(owner, sessionId) {
      const row = await lock.read(() => {
        for (const found of findOfSession.iterate(owner, sessionId)) {
          const row = kept(found as unknown as Row);
          if (row !== undefined) return row;
        }
        return undefined;
      });
      return row && toRecord(row);
    },
    async stopKey(owner, key) {
      const findRunId = () => kept(findByKey.get(owner, key) as Row | undefined)?.run_id;
      return (
        (await lock.read(findRunId)) ??
        write(() => {
          const runId = findRunId();
          if (runId !== undefined) return runId;
          rememberStoppedKey.run(owner, key, Date.now() + stoppedKeyMs);
          capStoppedKeys.run(owner);
          return undefined;
        })
      );
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(pollTimer);
      upkeep.close();
      lock.close();
      waiters.wakeAll();
      database.close();
    },
  };
}

/** What a method returns when the disk was full. */
const whenFull =
  <Value>(value: Value) =>
  (error: unknown): Value => {
    if (isDiskFull(error)) return value;
    throw error;
  };

const toRecord = ({ run_id, owner, session_id, seq, terminal }: Row): RunRecord => ({
  runId: run_id,
  owner,
  sessionId: session_id ?? undefined,
  lastSeq: seq,
  terminal: terminal === null ? undefined : JSON.parse(terminal),
});
