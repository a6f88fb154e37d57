/**
 * Every statement on the tables of a SQLite store, which `sqlite-file.ts` creates. Knows none of the rules for runs,
 * and begins no transactions.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { maxStoppedKeys } from "./run-store.ts";

/** One row of the table of runs. `seq` is the position of the last entry. */
export interface RunRow {
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

export type SqliteStatements = ReturnType<typeof prepareSqliteStatements>;

export function prepareSqliteStatements(database: DatabaseSync) {
  return {
    ...prepareRunStatements(database),
    insertEntry: database.prepare("INSERT INTO entries (number, seq, json) VALUES (?, ?, ?)"),
    readEntries: database.prepare(
      "SELECT json FROM entries WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?",
    ),
    /** Deletes entries of a run, at most as many as the last parameter. */
    deleteEntries: database.prepare(
      `DELETE FROM entries WHERE (number, seq) IN
       (SELECT number, seq FROM entries WHERE number = ? LIMIT ?)`,
    ),
    takeStoppedKey: database.prepare("DELETE FROM stopped_keys WHERE owner = ? AND key = ? AND until > ?"),
    rememberStoppedKey: database.prepare(
      "INSERT OR REPLACE INTO stopped_keys (owner, key, until) VALUES (?, ?, ?)",
    ),
    capStoppedKeys: database.prepare(
      `DELETE FROM stopped_keys WHERE owner = ?1 AND key IN
       (SELECT key FROM stopped_keys WHERE owner = ?1 ORDER BY until DESC LIMIT -1 OFFSET ${maxStoppedKeys})`,
    ),
    findExpiredKey: database.prepare("SELECT 1 FROM stopped_keys WHERE until <= ? LIMIT 1"),
    /** Deletes keys, at most as many as the last parameter. */
    deleteExpiredKeys: database.prepare(
      `DELETE FROM stopped_keys WHERE (owner, key) IN
       (SELECT owner, key FROM stopped_keys WHERE until <= ? LIMIT ?)`,
    ),
    /** Changes with every write of another connection. */
    readVersion: database.prepare("PRAGMA data_version"),
    countPages: database.prepare("PRAGMA page_count"),
    countFreePages: database.prepare("PRAGMA freelist_count"),
  };
}

/** A statement that finds runs. Their names are read as JSON: Node 22 ends a text that it reads at its first U+0000. */
function prepareFind(database: DatabaseSync, rest: string) {
  const statement = database.prepare(
    `SELECT number, json_array(run_id, owner, session_id) AS names, body_hash, seq, terminal, renewed_at, lease_ms, ended_at
     FROM runs WHERE ${rest}`,
  );
  const toRow = ({ names, ...rest }: Record<string, unknown>) => {
    const [run_id, owner, session_id] = JSON.parse(names as string);
    return { ...rest, run_id, owner, session_id } as RunRow;
  };
  return {
    get(...values: SQLInputValue[]): RunRow | undefined {
      const found = statement.get(...values);
      return found && toRow(found);
    },
    all: (...values: SQLInputValue[]): RunRow[] => statement.all(...values).map(toRow),
    *iterate(...values: SQLInputValue[]): Generator<RunRow> {
      for (const found of statement.iterate(...values)) yield toRow(found);
    },
  };
}

function prepareRunStatements(database: DatabaseSync) {
  const find = (rest: string) => prepareFind(database, rest);
  return {
    findRun: find("run_id = ?"),
    findByKey: find("owner = ? AND key = ?"),
    findOfSession: find("owner = ? AND session_id = ? ORDER BY number DESC"),
    findOpen: find("owner = ? AND ended_at IS NULL"),
    findAllOpen: find("ended_at IS NULL"),
    findEnded: database.prepare("SELECT number FROM runs WHERE ended_at <= ? ORDER BY ended_at LIMIT 1"),
    insertRun: database.prepare(
      `INSERT INTO runs (run_id, owner, session_id, key, body_hash, renewed_at, lease_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    setSeq: database.prepare("UPDATE runs SET seq = ?, renewed_at = ?, lease_ms = ? WHERE number = ?"),
    setTerminal: database.prepare("UPDATE runs SET seq = ?, terminal = ?, ended_at = ? WHERE number = ?"),
    releaseKey: database.prepare("UPDATE runs SET key = NULL WHERE number = ?"),
    /** Makes the run look as if it never existed; its rows are deleted later. */
    forgetRun: database.prepare("UPDATE runs SET key = NULL, ended_at = 0 WHERE number = ?"),
    deleteRun: database.prepare("DELETE FROM runs WHERE number = ?"),
  };
}
