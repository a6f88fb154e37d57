/**
 * Runs in a SQLite file: they survive the process, and all processes of one machine see them. Needs `node:sqlite`
 * (Node, Bun, Deno).
 */
import { DatabaseSync } from "node:sqlite";
import { stringifyChunk } from "@kortyx/protocol";
import {
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
} from "./run-store.ts";
import { createRunWaiters } from "./run-waiters.ts";
import { startInterval, type Timer, unref } from "./start-timer.ts";

export interface SqliteRunStoreOptions extends RunStoreOptions {
  /** The file, which is created when it is missing; `":memory:"` for none. */
  path: string;
}

/** How often the file is looked at for what other processes wrote, while somebody waits. */
const pollMs = 50;
/** How long a write waits for another process's. */
const busyTimeoutMs = 5_000;
/** What was kept long enough is deleted at most this often. */
const purgeIntervalMs = 5_000;

/** One row of the table of runs. `seq` is the position of the last entry. */
interface Row {
  run_id: string;
  owner: string;
  session_id: string | null;
  body_hash: string;
  seq: number;
  terminal: string | null;
  lease_until: number;
}

const schema = `
  CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    session_id TEXT,
    key TEXT,
    body_hash TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT -1,
    terminal TEXT,
    lease_until REAL NOT NULL,
    ended_at REAL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS runs_by_key ON runs (owner, key) WHERE key IS NOT NULL;
  CREATE INDEX IF NOT EXISTS runs_by_session ON runs (owner, session_id, number);
  CREATE INDEX IF NOT EXISTS open_runs ON runs (owner) WHERE terminal IS NULL;
  CREATE INDEX IF NOT EXISTS ended_runs ON runs (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS entries (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS stopped_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (owner, key)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Creates a store. A write is in the file when it is acknowledged; a power failure may undo the last ones, but leaves a
 * log that is whole.
 *
 * @throws What `node:sqlite` throws when the file cannot be opened; RangeError for a time that is not a number of
 * milliseconds.
 */
export function createSqliteRunStore(options: SqliteRunStoreOptions): RunStore {
  const { path } = options;
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  const database = new DatabaseSync(path);
  database.exec(
    `PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${schema}`,
  );

  const columns = "run_id, owner, session_id, body_hash, seq, terminal, lease_until";
  const findRow = database.prepare(`SELECT ${columns} FROM runs WHERE run_id = ?`);
  const findByKey = database.prepare(`SELECT ${columns} FROM runs WHERE owner = ? AND key = ?`);
  const findLatest = database.prepare(
    `SELECT ${columns} FROM runs WHERE owner = ? AND session_id = ? ORDER BY number DESC LIMIT 1`,
  );
  const findOpen = database.prepare(`SELECT ${columns} FROM runs WHERE owner = ? AND terminal IS NULL`);
  const insertRun = database.prepare(
    "INSERT INTO runs (run_id, owner, session_id, key, body_hash, lease_until) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const insertEntry = database.prepare("INSERT INTO entries (run_id, seq, json) VALUES (?, ?, ?)");
  const setSeq = database.prepare("UPDATE runs SET seq = ?, lease_until = ? WHERE run_id = ?");
  const setLease = database.prepare("UPDATE runs SET lease_until = ? WHERE run_id = ?");
  const setTerminal = database.prepare(
    "UPDATE runs SET seq = ?, terminal = ?, ended_at = ? WHERE run_id = ?",
  );
  const readEntries = database.prepare(
    "SELECT json FROM entries WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?",
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
  let purgedAt = 0;
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
      for (const runId of waiters.runIds()) waiters.wake(runId, reachOf(load(runId)));
    } catch {
      // Whoever waits asks again, and meets the failure there.
      waiters.wakeAll();
    }
  }

  /** The position of the last entry; Infinity when none will follow. */
  const reachOf = (row: Row | undefined): number =>
    row === undefined || row.terminal !== null ? Number.POSITIVE_INFINITY : row.seq;

  /** The clock of the machine, which all its processes share. */
  const clock = (): number => Date.now();

  function write<Value>(change: () => Value): Value {
    database.exec("BEGIN IMMEDIATE");
    try {
      const value = change();
      database.exec("COMMIT");
      return value;
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }

  function purge(): void {
    const now = clock();
    if (now - purgedAt < Math.min(purgeIntervalMs, retentionMs)) return;
    purgedAt = now;
    write(() => {
      // A run whose producer is gone, and whom nobody has asked for, has ended with its lease.
      for (const old of ["ended_at <= ?", "terminal IS NULL AND lease_until <= ?"]) {
        const runIds = `SELECT run_id FROM runs WHERE ${old}`;
        database.prepare(`DELETE FROM entries WHERE run_id IN (${runIds})`).run(now - retentionMs);
        database.prepare(`DELETE FROM runs WHERE ${old}`).run(now - retentionMs);
      }
      database.prepare("DELETE FROM stopped_keys WHERE until <= ?").run(now);
    });
  }

  const load = (runId: string) => findRow.get(runId) as Row | undefined;

  function find(runId: string): Row | undefined {
    purge();
    return load(runId);
  }

  /** Within a transaction. */
  function endRun(row: Row, terminal: RunTerminal): RunTerminal {
    if (row.terminal !== null) return JSON.parse(row.terminal);
    const json = stringifyChunk(terminal);
    row.seq++;
    row.terminal = json;
    insertEntry.run(row.run_id, row.seq, json);
    setTerminal.run(row.seq, json, clock(), row.run_id);
    return terminal;
  }

  /** @param choose - Gives the terminal; undefined leaves the run open. */
  function endWith(runId: string, choose: (row: Row) => RunTerminal | undefined) {
    purge();
    const result = write(() => {
      const row = load(runId);
      if (row === undefined) return undefined;
      const terminal = row.terminal === null ? choose(row) : (JSON.parse(row.terminal) as RunTerminal);
      return terminal && endRun(row, terminal);
    });
    if (result !== undefined) waiters.wake(runId, Number.POSITIVE_INFINITY);
    return result;
  }

  return {
    isShared: path !== ":memory:",
    leaseMs,
    async open({ runId, owner, sessionId, key, bodyHash, maxOpenRuns, allowActiveRun }) {
      purge();
      const lost: string[] = [];
      const opened = write((): OpenedRun => {
        const known = key === undefined ? undefined : (findByKey.get(owner, key) as Row | undefined);
        if (known !== undefined) {
          if (known.body_hash !== bodyHash) return { status: "key-conflict" };
          return { status: "attached", run: toRecord(known) };
        }
        const now = clock();
        const open = (findOpen.all(owner) as unknown as Row[]).filter((row) => {
          if (row.lease_until > now) return true;
          endRun(row, producerLost);
          lost.push(row.run_id);
          return false;
        });
        const active = open.find((row) => sessionId !== undefined && row.session_id === sessionId);
        if (active !== undefined && !allowActiveRun) return { status: "run-active", run: toRecord(active) };
        if (open.length >= maxOpenRuns) return { status: "too-many-runs" };
        insertRun.run(runId, owner, sessionId ?? null, key ?? null, bodyHash, now + leaseMs);
        const row = findRow.get(runId) as unknown as Row;
        if (key !== undefined && takeStoppedKey.run(owner, key, now).changes > 0) endRun(row, stopped);
        return { status: "created", run: toRecord(row) };
      });
      for (const lostId of lost) waiters.wake(lostId, Number.POSITIVE_INFINITY);
      return opened;
    },
    async append(runId, firstSeq, entries) {
      const result = write(() => {
        const row = load(runId);
        if (row === undefined) return "lost";
        if (row.terminal !== null) return "ended";
        if (firstSeq > row.seq + 1) return "lost";
        const known = firstSeq > row.seq ? [] : readEntries.all(runId, firstSeq - 1, entries.length);
        if (known.some(({ json }, index) => json !== entries[index])) return "lost";
        const last = firstSeq + entries.length - 1;
        for (let seq = row.seq + 1; seq <= last; seq++) insertEntry.run(runId, seq, entries[seq - firstSeq]!);
        setSeq.run(Math.max(row.seq, last), clock() + leaseMs, runId);
        return "ok";
      });
      if (result === "ok") waiters.wake(runId, firstSeq + entries.length - 1);
      return result;
    },
    async renew(runId) {
      return write(() => {
        const row = load(runId);
        if (row === undefined) return "lost";
        if (row.terminal !== null) return "ended";
        setLease.run(clock() + leaseMs, runId);
        return "ok";
      });
    },
    async end(runId, terminal, lastSeq = -1) {
      return endWith(runId, ({ seq }) => (seq >= lastSeq ? terminal : producerLost));
    },
    async endIfLeaseExpired(runId) {
      return endWith(runId, ({ lease_until }) => (lease_until > clock() ? undefined : producerLost));
    },
    async read(runId, after, limit) {
      const row = find(runId);
      if (row === undefined) return undefined;
      const rows = limit === 0 || after >= row.seq ? [] : readEntries.all(runId, after, limit);
      return {
        run: toRecord(row),
        entries: rows.map(({ json }) => json as string),
        leaseLeftMs: row.lease_until - clock(),
      };
    },
    async wait(runId, after, signal) {
      const waiting = waiters.wait(runId, after, signal);
      try {
        waiters.wake(runId, reachOf(find(runId)));
      } catch {
        waiters.wake(runId, Number.POSITIVE_INFINITY);
      }
      await waiting;
    },
    async latest(owner, sessionId) {
      purge();
      const row = findLatest.get(owner, sessionId) as Row | undefined;
      return row && toRecord(row);
    },
    async stopKey(owner, key) {
      purge();
      return write(() => {
        const row = findByKey.get(owner, key) as Row | undefined;
        if (row === undefined) {
          rememberStoppedKey.run(owner, key, clock() + stoppedKeyMs);
          capStoppedKeys.run(owner);
        }
        return row?.run_id;
      });
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(pollTimer);
      waiters.wakeAll();
      database.close();
    },
  };
}

const toRecord = ({ run_id, owner, session_id, seq, terminal }: Row): RunRecord => ({
  runId: run_id,
  owner,
  sessionId: session_id ?? undefined,
  lastSeq: seq,
  terminal: terminal === null ? undefined : JSON.parse(terminal),
});
