/**
 * The file of a SQLite store: opens it, checks that it is one of ours, and creates its tables. An unusable file is
 * refused when the store is created, with the reason. Knows nothing about runs.
 */
import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkOption } from "@kortyx/protocol/internal";

/** Stored in the file as `user_version`. A table change that older versions cannot use takes the next number. */
const format = 1;
/** While a store is created, and nothing is served yet, SQLite itself waits this long for other processes. */
const creationTimeoutMs = 5_000;
/** A write-ahead log that has grown larger, because of a long-running reader, is truncated to this size. */
const maxIdleLogBytes = 64 * 1024 * 1024;

/**
 * `ended_at` is 0 while a run is being deleted. `renewed_at` is in milliseconds since the machine was booted, all others
 * are dates.
 */
const schema = `
  CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    session_id TEXT,
    key TEXT,
    body_hash TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT -1,
    terminal TEXT,
    renewed_at REAL NOT NULL,
    lease_ms REAL NOT NULL,
    ended_at REAL
  ) STRICT;
  CREATE UNIQUE INDEX runs_by_key ON runs (owner, key) WHERE key IS NOT NULL;
  CREATE INDEX runs_by_session ON runs (owner, session_id, number) WHERE session_id IS NOT NULL;
  CREATE INDEX open_runs ON runs (owner, session_id) WHERE ended_at IS NULL;
  CREATE INDEX ended_runs ON runs (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE entries (
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (number, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE stopped_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX stopped_keys_by_age ON stopped_keys (until);
  PRAGMA user_version = ${format};
`;

/** @throws TypeError for anything but a path, Error for an unusable file. */
export function openSqliteFile(path: string): DatabaseSync {
  const isPath = typeof path === "string" && path !== "" && !path.startsWith("file:");
  checkOption("path", isPath, 'the path of a file, or ":memory:"', path);
  if (path !== ":memory:") checkAccess(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    prepareFile(database, path);
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof UnusableFile) throw refuse(path, cause.message);
    throw refuse(path, describe(String((cause as Error).message)), cause);
  }
}

class UnusableFile extends Error {}

const refuse = (path: string, reason: string, cause?: unknown): Error =>
  new Error(`path: runs cannot be kept in ${JSON.stringify(path)}: ${reason}`, { cause });

function describe(message: string): string {
  if (message.includes("not a database")) return "it is not a SQLite database. Name another file.";
  if (message.includes("locked")) return `another process has locked it for ${creationTimeoutMs / 1_000} s.`;
  if (message.includes("disk is full")) return "the disk is full.";
  return `${message}.`;
}

/** SQLite only reports "unable to open", and opens an unwritable file for reading. */
function checkAccess(path: string): void {
  const folder = dirname(resolve(path));
  if (statSync(folder, { throwIfNoEntry: false }) === undefined)
    throw refuse(path, `the folder ${JSON.stringify(folder)} does not exist. Create it first.`);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file?.isDirectory()) throw refuse(path, "it is a folder. Name a file in it.");
  try {
    accessSync(folder, constants.W_OK);
    if (file !== undefined) accessSync(path, constants.W_OK);
  } catch (cause) {
    throw refuse(path, "this process needs write access to the file and its folder.", cause);
  }
}

function prepareFile(database: DatabaseSync, path: string): void {
  database.exec(`PRAGMA busy_timeout = ${creationTimeoutMs}`);
  // Before anything is changed, because the file may belong to another program. A file that already has its tables is
  // not locked.
  const isEmpty = checkFormat(database) === 0;
  if (isEmpty) database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (path !== ":memory:" && mode !== "wal")
    throw new UnusableFile("its file system cannot share memory between processes. Use a local disk.");
  database.exec(`PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${maxIdleLogBytes}`);
  if (isEmpty) makeTables(database);
  database.exec("PRAGMA busy_timeout = 0");
}

/** @returns 0 for an empty file. */
function checkFormat(database: DatabaseSync): number {
  // Both in one transaction, because another process may be creating its tables.
  database.exec("SAVEPOINT looking");
  const { user_version: found } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  const names = database.prepare("SELECT name FROM sqlite_schema").all();
  database.exec("RELEASE looking");
  if (found === 0 && names.length === 0) return 0;
  if (found === 0 || !names.some(({ name }) => name === "stopped_keys"))
    throw new UnusableFile("it holds the tables of another program. Name a file that is used only for runs.");
  if (found > format)
    throw new UnusableFile(
      `a newer version of @kortyx/server has written it (format ${found}; this version knows ${format}). ` +
        "Update the package, or name another file.",
    );
  return found;
}

function makeTables(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  // Another process may have been faster.
  if (checkFormat(database) === 0) database.exec(schema);
  database.exec("COMMIT");
}
