// Made by ../freeze.mjs, from the sources as they were then. Never changed by hand.

// packages/protocol/src/chunk-checker.ts
var question = "multiple:boolean id? schemaId? schemaVersion? meta?:{}";
var choice = `${question} question options:option[]`;
var shapes = {
  option: "id label description?",
  usage: "inputTokens?:number outputTokens?:number totalTokens?:number",
  input: { text: `${question} question?`, choice, "multi-choice": choice, "*": "kind" }
};
var origin = "node? id? opId?";
var segment = `segmentId? ${origin}`;
var call = `tool toolCallId ${origin}`;
var structured = "streamId dataType schemaId? schemaVersion? id? node?";
var chunkTable = {
  session: "sessionId",
  "run-start": "runId sessionId?",
  checkpoint: "id sessionId turnIndex:integer>=0 label?",
  trace: "traceId spanId runId rootSpanName",
  status: "message node?",
  message: "content node?",
  "text-start": segment,
  "text-delta": `delta ${segment}`,
  "text-end": segment,
  "reasoning-start": segment,
  "reasoning-delta": `delta ${segment}`,
  "reasoning-end": segment,
  "tool-call-start": call,
  "tool-call-delta": `toolCallId delta tool? ${origin}`,
  "tool-call-ready": `${call} input:JSON`,
  "tool-call-result": `${call} content:JSON isError?:boolean`,
  "tool-call-error": `${call} message`,
  "tool-result": "content:JSON tool? node?",
  "structured-data": {
    set: `${structured} path value:JSON`,
    append: `${structured} path items:JSON[]`,
    "text-delta": `${structured} path delta`,
    final: `${structured} data:JSON`
  },
  "structured-data-invalidated": "streamId checkpointId",
  interrupt: `requestId resumeToken input:input workflow? schemaId? schemaVersion? meta?:{} ${origin}`,
  source: "id url? title? node?",
  file: "mediaType url name? node?",
  transition: "transitionTo",
  error: "message code? retryable?:boolean correlationId?",
  abort: "reason",
  done: "finishReason? usage?:usage"
};
var parseFields = (fields) => fields.split(" ").map((field) => {
  const [, name = "", optional, type = "string"] = /(\w*)(\?)?:?(.+)?/.exec(field);
  return { name, optional: optional !== void 0, type };
});
var describe = (value) => value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
var isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
var isAbsent = (value) => value === null || typeof value === "number" && !Number.isFinite(value);
var mismatch = (value, path, expected) => `${path.slice(1)} must be ${expected}, got ${describe(value)}`;
var parsedTypes = {
  // JSON may hold a number that is too large for one.
  number: Number.isFinite,
  "integer>=0": (value) => Number.isSafeInteger(value) && value >= 0,
  JSON: (value) => value !== void 0,
  "{}": isRecord
};
function createChunkChecker(types = parsedTypes, table = chunkTable, mends = false) {
  function checkOf(type) {
    const row = shapes[type];
    if (row) return checkRow(row);
    const accepts = types[type];
    if (!type.endsWith("[]")) {
      return (value, path) => accepts?.(value) ? void 0 : mismatch(value, path, type);
    }
    const check2 = checkOf(type.slice(0, -2));
    return (value, path) => {
      if (!Array.isArray(value)) return mismatch(value, path, type);
      let problem;
      for (let index = 0; !problem && index < value.length; index++) {
        problem = check2(value[index], `${path}.${index}`);
      }
      return problem;
    };
  }
  const canMend = (value) => mends && !("toJSON" in value);
  function checkFields(fields) {
    const rules = /* @__PURE__ */ new Map();
    const required = [];
    for (const { name, optional, type } of parseFields(fields)) {
      rules.set(name, [types[type] ? "" : type, checkOf(type), optional, type]);
      if (!optional) required.push(name);
    }
    return (value, path) => {
      if (!isRecord(value)) return mismatch(value, path, "{}");
      let found = 0;
      for (const name in value) {
        if (name === "type") continue;
        const rule = rules.get(name);
        const inner = value[name];
        if (!rule || inner === void 0) continue;
        const problem = typeof inner === rule[0] ? void 0 : rule[1](inner, `${path}.${name}`);
        if (!problem) {
          if (!rule[2]) found++;
        } else if (rule[2] && canMend(value) && isAbsent(inner)) {
          delete value[name];
        } else {
          return problem;
        }
      }
      if (found === required.length) return void 0;
      for (const name of required) {
        if (Object.hasOwn(value, name) && value[name] !== void 0) continue;
        const [, check2, , type] = rules.get(name);
        if (type !== "JSON" || !canMend(value)) return check2(void 0, `${path}.${name}`);
        value[name] = null;
      }
      return void 0;
    };
  }
  const checkRows = (rows2) => new Map(Object.entries(rows2).map(([name, row]) => [name, checkRow(row)]));
  function checkRow(row) {
    if (typeof row === "string") return checkFields(row);
    const checks2 = checkRows(row);
    return (value, path) => {
      const check2 = checks2.get(value?.kind) ?? checks2.get("*");
      return check2 ? check2(value, path) : mismatch(value?.kind, `${path}.kind`, Object.keys(row).join("|"));
    };
  }
  const checks = checkRows(table);
  let lastType;
  let check;
  return (value, position) => {
    const type = value?.type;
    if (type !== lastType) {
      check = checks.get(type);
      lastType = type;
    }
    if (check) {
      const problem = check(value, "");
      if (problem === void 0) return void 0;
      return `Chunk ${position === void 0 ? `"${type}"` : `${position} ("${type}")`}: ${problem}.`;
    }
    return typeof type === "string" ? null : describeNoChunk(value, position);
  };
}
function describeNoChunk(value, position) {
  const subject = position === void 0 ? "Not a chunk" : `Chunk ${position} is not a chunk`;
  return `${subject}: no string "type" in ${describe(value)}.`;
}

// packages/protocol/src/check-chunk.ts
var strictTypes = {
  ...parsedTypes,
  JSON: (value) => !["undefined", "function", "symbol"].includes(typeof value),
  // An object as JSON makes them, and not a Date, a Map or an instance of a class: only an Object.prototype, of
  // whatever realm, has this method itself.
  "{}": (value) => {
    if (!isRecord(value)) return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === null || Object.hasOwn(prototype, "isPrototypeOf");
  }
};
var problemOf = createChunkChecker(strictTypes);
function checkChunk(value, position) {
  if (!isRecord(value) || !Object.hasOwn(value, "type")) {
    return { code: "invalid-chunk", message: describeNoChunk(value, position) };
  }
  const problem = problemOf(value, position);
  if (problem === void 0) return void 0;
  if (problem !== null) return { code: "invalid-chunk", message: problem };
  const name = JSON.stringify(value.type.slice(0, 80));
  return { code: "unknown-type", message: `Chunk type ${name} is not known.` };
}

// packages/protocol/src/check-option.ts
function checkOption(name, isValid, expected, value) {
  if (!isValid) throw new TypeError(`${name} must be ${expected}; got ${describeValue(value)}.`);
}
function describeValue(value) {
  if (value === void 0 || value === null) return `${value}`;
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "object") return describeObject(value);
  return typeof value === "function" || typeof value === "symbol" ? `a ${typeof value}` : `${value}`;
}
function describeObject(value) {
  if (Array.isArray(value)) return "an array";
  return typeof value.then === "function" ? "a promise" : "an object";
}

// packages/protocol/src/stream-error.ts
var brand = /* @__PURE__ */ Symbol.for("@kortyx/error");
var StreamError = class extends Error {
  /** @internal On the prototype, so that it is not printed. */
  get [brand]() {
    return true;
  }
};
var StreamProtocolError = class extends StreamError {
  name = "StreamProtocolError";
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
};

// packages/protocol/src/delay.ts
var maxTimerMs = 2 ** 31 - 1;
function parseDelayMs(name, ms) {
  if (typeof ms !== "number" || !(ms >= 0)) {
    throw new RangeError(`${name} must be a number of milliseconds, 0 or more; got ${String(ms)}.`);
  }
  return ms > maxTimerMs ? Number.POSITIVE_INFINITY : Math.ceil(ms);
}

// packages/protocol/src/delta-json.ts
var isUnescaped = /^[ !#-[\]-\u0084\u0086-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;
var names = ["type", "delta", "segmentId"];
function printDelta(value) {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return void 0;
  }
  const { type, delta, segmentId, toJSON } = value;
  if (type !== "text-delta" && type !== "reasoning-delta" || toJSON !== void 0) return void 0;
  if (typeof delta !== "string" || !isUnescaped.test(delta)) return void 0;
  let count = 0;
  for (const name in value) if (name !== names[count++]) return void 0;
  if (count < 2 || !Object.hasOwn(value, names[count - 1])) return void 0;
  if (count === 2) return `{"type":"${type}","delta":"${delta}"}`;
  if (typeof segmentId !== "string" || !isUnescaped.test(segmentId)) return void 0;
  return `{"type":"${type}","delta":"${delta}","segmentId":"${segmentId}"}`;
}

// packages/protocol/src/to-chunk.ts
var rows = new Map(Object.entries(chunkTable));
var mend = createChunkChecker(strictTypes, chunkTable, true);
function toChunk(value, position) {
  const found = checkChunk(value, position);
  if (found?.code !== "invalid-chunk") return value;
  const row = isRecord(value) ? rows.get(value.type) : void 0;
  if (row === void 0) throw new StreamProtocolError("invalid-chunk", found.message);
  const chunk = copy(value, row);
  const problem = mend(chunk, position);
  if (problem) throw new StreamProtocolError("invalid-chunk", problem);
  return chunk;
}
function copy(value, row) {
  if (!isRecord(value) || "toJSON" in value) return value;
  const copied = { ...value };
  const fields = typeof row === "string" ? row : new Map(Object.entries(row)).get(String(value.kind));
  if (fields === void 0) return copied;
  for (const { name, type } of parseFields(fields)) copied[name] = copyField(copied[name], type);
  return copied;
}
function copyField(value, type) {
  if (type.endsWith("[]") && Array.isArray(value)) {
    return Array.from(value, (item) => item === void 0 ? null : copyField(item, type.slice(0, -2)));
  }
  const row = shapes[type];
  return row === void 0 ? value : copy(value, row);
}

// packages/protocol/src/encoder.ts
var rawLineBreaks = /[\u0085\u2028\u2029]/g;
function printChunk(value, position) {
  const json = printDelta(value);
  if (json !== void 0) return { chunk: value, json };
  const chunk = toChunk(value, position);
  return { chunk, json: stringify(chunk, position) };
}
function stringifyChunk(value) {
  return printChunk(value).json;
}
function stringify(chunk, position) {
  const subject = position === void 0 ? "The chunk" : `Chunk ${position}`;
  let json;
  try {
    json = JSON.stringify(chunk);
  } catch (cause) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      `${subject} cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause }
    );
  }
  if (json === void 0) {
    throw new StreamProtocolError(
      "unserializable-chunk",
      typeof chunk === "object" ? `${subject} cannot be written as JSON: its toJSON() gives nothing.` : `${subject} cannot be written as JSON: expected an object, got ${typeof chunk}.`
    );
  }
  return hasRawLineBreak(json) ? json.replace(rawLineBreaks, escapeCharacter) : json;
}
var hasRawLineBreak = (json) => json.includes("\u2028") || json.includes("\u2029") || json.includes("\x85");
var escapeCharacter = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

// packages/server/src/machine-clock.ts
import os from "node:os";
var clockToleranceMs = 2e3;
var offsetMs = os.uptime() * 1e3 - performance.now();
var resumedAtMs = Number.NEGATIVE_INFINITY;
function readMachineTime() {
  const uptimeMs = os.uptime() * 1e3;
  const elapsedMs = performance.now();
  if (Math.abs(uptimeMs - elapsedMs - offsetMs) > clockToleranceMs) {
    offsetMs = uptimeMs - elapsedMs;
    resumedAtMs = uptimeMs;
  }
  return { nowMs: offsetMs + elapsedMs, resumedAtMs };
}

// packages/server/src/run-store.ts
var producerLost = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true
};
var stopped = { type: "abort", reason: "stopped" };
var stoppedKeyMs = 6e4;
var maxStoppedKeys = 1e3;
var foreverMs = 100 * 365 * 864e5;
function readRunStoreTimes({
  retentionMs = 15 * 6e4,
  leaseMs = 15e3
}) {
  const lease = parseDelayMs("leaseMs", leaseMs);
  if (lease === 0) throw new RangeError("leaseMs must be at least 1; got 0.");
  return {
    retentionMs: Math.min(parseDelayMs("retentionMs", retentionMs), foreverMs),
    leaseMs: Math.min(lease, foreverMs)
  };
}

// packages/server/src/run-waiters.ts
function createRunWaiters(onChange = () => {
}) {
  const waiters = /* @__PURE__ */ new Map();
  function wake(runId, lastSeq) {
    for (const { after, resume } of waiters.get(runId) ?? []) {
      if (lastSeq > after) resume();
    }
  }
  return {
    wait(runId, after, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve2) => {
        const ofRun = waiters.get(runId) ?? /* @__PURE__ */ new Set();
        const resume = () => {
          signal.removeEventListener("abort", resume);
          ofRun.delete(waiter);
          if (ofRun.size === 0) waiters.delete(runId);
          if (waiters.size === 0) onChange(false);
          resolve2();
        };
        const waiter = { after, resume };
        signal.addEventListener("abort", resume);
        ofRun.add(waiter);
        waiters.set(runId, ofRun);
        if (waiters.size === 1 && ofRun.size === 1) onChange(true);
      });
    },
    wake,
    wakeAll() {
      for (const runId of waiters.keys()) wake(runId, Number.POSITIVE_INFINITY);
    },
    runIds: () => [...waiters.keys()]
  };
}

// packages/server/src/sqlite-file.ts
import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
var format = 1;
var creationTimeoutMs = 5e3;
var maxIdleLogBytes = 64 * 1024 * 1024;
var schema = `
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
function openSqliteFile(path) {
  const isPath = typeof path === "string" && path !== "" && !path.startsWith("file:");
  checkOption("path", isPath, 'the path of a file, or ":memory:"', path);
  if (path !== ":memory:") checkAccess(path);
  let database;
  try {
    database = new DatabaseSync(path);
    prepareFile(database, path);
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof UnusableFile) throw refuse(path, cause.message);
    throw refuse(path, describe2(String(cause.message)), cause);
  }
}
var UnusableFile = class extends Error {
};
var refuse = (path, reason, cause) => new Error(`path: runs cannot be kept in ${JSON.stringify(path)}: ${reason}`, { cause });
function describe2(message) {
  if (message.includes("not a database")) return "it is not a SQLite database. Name another file.";
  if (message.includes("locked")) return `another process has locked it for ${creationTimeoutMs / 1e3} s.`;
  if (message.includes("disk is full")) return "the disk is full.";
  return `${message}.`;
}
function checkAccess(path) {
  const folder = dirname(resolve(path));
  if (statSync(folder, { throwIfNoEntry: false }) === void 0)
    throw refuse(path, `the folder ${JSON.stringify(folder)} does not exist. Create it first.`);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file?.isDirectory()) throw refuse(path, "it is a folder. Name a file in it.");
  try {
    accessSync(folder, constants.W_OK);
    if (file !== void 0) accessSync(path, constants.W_OK);
  } catch (cause) {
    throw refuse(path, "this process may not write to the file and to its folder, and needs to.", cause);
  }
}
function prepareFile(database, path) {
  database.exec(`PRAGMA busy_timeout = ${creationTimeoutMs}`);
  const isEmpty = checkFormat(database) === 0;
  if (isEmpty) database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (path !== ":memory:" && mode !== "wal")
    throw new UnusableFile("its file system cannot share memory between processes. Use a local disk.");
  database.exec(`PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${maxIdleLogBytes}`);
  if (isEmpty) makeTables(database);
  database.exec("PRAGMA busy_timeout = 0");
}
function checkFormat(database) {
  database.exec("SAVEPOINT looking");
  const { user_version: found } = database.prepare("PRAGMA user_version").get();
  const names2 = database.prepare("SELECT name FROM sqlite_schema").all();
  database.exec("RELEASE looking");
  if (found === 0 && names2.length === 0) return 0;
  if (found === 0 || !names2.some(({ name }) => name === "stopped_keys"))
    throw new UnusableFile("it holds the tables of another program. Name a file that only runs are kept in.");
  if (found > format)
    throw new UnusableFile(
      `a newer version of @kortyx/server has written it (format ${found}; this version knows ${format}). Update the package, or name another file.`
    );
  return found;
}
function makeTables(database) {
  database.exec("BEGIN IMMEDIATE");
  if (checkFormat(database) === 0) database.exec(schema);
  database.exec("COMMIT");
}

// packages/server/src/runtime-function.ts
function findUsable(find) {
  try {
    const schedule = find();
    schedule?.(() => {
    });
    return schedule;
  } catch {
    return void 0;
  }
}

// packages/server/src/event-loop-turn.ts
var runtimeSetImmediate = findUsable(() => globalThis.setImmediate);
var onNextTurn = runtimeSetImmediate ?? ((callback) => setTimeout(callback));

// packages/server/src/sqlite-lock.ts
var maxWaitMs = 2e3;
var minPauseMs = 1;
var maxPauseMs = 25;
var maxTurnMs = 5;
var isBusy = (error) => String(error).includes("database is locked");
var isDiskFull = (error) => String(error).includes("database or disk is full");
function createSqliteLock(database, makeRoom) {
  const waiting = [];
  let pauseMs2 = minPauseMs;
  let timer;
  let isClosed = false;
  function transact(change) {
    database.exec("BEGIN IMMEDIATE");
    try {
      const value = change();
      database.exec("COMMIT");
      return value;
    } catch (error) {
      rollBack();
      if (isDiskFull(error) && makeRoom()) return transact(change);
      throw error;
    }
  }
  function rollBack() {
    try {
      database.exec("ROLLBACK");
    } catch {
    }
  }
  function runWaiting() {
    const turnEndsAt = performance.now() + maxTurnMs;
    for (let next = waiting[0]; next !== void 0 && !isClosed; next = waiting[0]) {
      try {
        next.run();
        pauseMs2 = minPauseMs;
      } catch (error) {
        if (isBusy(error) && performance.now() < next.giveUpAt) {
          timer = setTimeout(runWaiting, pauseMs2);
          pauseMs2 = Math.min(pauseMs2 * 2, maxPauseMs);
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
      return new Promise((resolve2, reject) => {
        const run = () => resolve2(transact(change));
        waiting.push({ run, reject, giveUpAt: performance.now() + maxWaitMs });
        if (waiting.length === 1) runWaiting();
      });
    },
    async read(look) {
      const giveUpAt = performance.now() + maxWaitMs;
      for (; ; ) {
        try {
          return look();
        } catch (error) {
          if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
        }
        await new Promise((resolve2) => setTimeout(resolve2, maxPauseMs));
      }
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const { reject } of waiting.splice(0)) reject(new Error("The store of runs is closed."));
    }
  };
}

// packages/server/src/sqlite-reserve.ts
import { rmSync, statSync as statSync2, writeFileSync } from "node:fs";
var reserveBytes = 8 * 1024 * 1024;
var retryMs = 250;
function createDiskReserve(path) {
  let triedAt = Number.NEGATIVE_INFINITY;
  const exists = () => statSync2(path, { throwIfNoEntry: false })?.size === reserveBytes;
  function setAside() {
    try {
      writeFileSync(path, noise(reserveBytes));
      return true;
    } catch {
      rmSync(path, { force: true });
      return false;
    }
  }
  return {
    isThere() {
      if (exists()) return true;
      const now = performance.now();
      if (now - triedAt < retryMs) return false;
      triedAt = now;
      return setAside();
    },
    release() {
      if (!exists()) return false;
      triedAt = performance.now();
      rmSync(path, { force: true });
      return true;
    }
  };
}
function noise(size) {
  const bytes = new Uint8Array(size);
  for (let start = 0; start < size; start += 65536)
    crypto.getRandomValues(bytes.subarray(start, start + 65536));
  return bytes;
}

// packages/server/src/start-timer.ts
var startTimer = (callback, delayMs) => delayMs > maxTimerMs ? void 0 : setTimeout(callback, delayMs);
var startInterval = (callback, intervalMs2) => intervalMs2 > maxTimerMs ? void 0 : setInterval(callback, intervalMs2);
function unref(timer) {
  timer?.unref?.();
  return timer;
}

// packages/server/src/sqlite-upkeep.ts
var intervalMs = 5e3;
var intervalWhenFullMs = 500;
var maxSliceMs = 4;
var pauseMs = 10;
var batch = 100;
var keptPages = 1024;
function createSqliteUpkeep(options) {
  const { database, lock, hasRoom, endAbandoned } = options;
  const minIntervalMs = Math.min(intervalMs, options.retentionMs);
  const findExpired = database.prepare(
    "SELECT number FROM runs WHERE ended_at <= ? ORDER BY ended_at LIMIT 1"
  );
  const deleteEntries = database.prepare(
    `DELETE FROM entries WHERE (number, seq) IN
     (SELECT number, seq FROM entries WHERE number = ? LIMIT ${batch})`
  );
  const markRun = database.prepare("UPDATE runs SET key = NULL, ended_at = 0 WHERE number = ?");
  const deleteRun = database.prepare("DELETE FROM runs WHERE number = ?");
  const findKey = database.prepare("SELECT 1 FROM stopped_keys WHERE until <= ? LIMIT 1");
  const deleteKeys = database.prepare(
    `DELETE FROM stopped_keys WHERE (owner, key) IN
     (SELECT owner, key FROM stopped_keys WHERE until <= ? LIMIT ${batch})`
  );
  const countFree = database.prepare("PRAGMA freelist_count");
  const countPages = database.prepare("PRAGMA page_count");
  let isRunning = false;
  let isClosed = false;
  let dueAt = Number.NEGATIVE_INFINITY;
  let timer;
  const expired = () => findExpired.get(Date.now() - options.retentionMs)?.number;
  const hasWork = () => expired() !== void 0 || findKey.get(Date.now()) !== void 0;
  function deleteSome() {
    const endsAt = performance.now() + maxSliceMs;
    deleteKeys.run(Date.now());
    do {
      const number = expired();
      if (number === void 0) return;
      if (deleteEntries.run(number).changes === batch) markRun.run(number);
      else deleteRun.run(number);
    } while (performance.now() < endsAt);
  }
  function isTooLarge() {
    const free = countFree.get().freelist_count;
    const pages = countPages.get().page_count;
    return free > (hasRoom() ? Math.max(keptPages, pages / 4) : 0);
  }
  function shrink() {
    const endsAt = performance.now() + maxSliceMs;
    do
      database.exec(`PRAGMA incremental_vacuum(${batch})`);
    while (isTooLarge() && performance.now() < endsAt);
  }
  async function repeatWhile(isNeeded, change) {
    let count = 0;
    for (; !isClosed && isNeeded(); count++) {
      await lock.write(change);
      await new Promise((resolve2) => unref(setTimeout(resolve2, pauseMs)));
    }
    return count;
  }
  async function run() {
    clearTimeout(timer);
    isRunning = true;
    if (!hasRoom()) reuseLog();
    try {
      await endAbandoned();
      await repeatWhile(hasWork, deleteSome);
      if (await repeatWhile(isTooLarge, shrink) > 0) checkpoint();
    } catch {
    }
    isRunning = false;
    if (isClosed) return;
    const isFull = !hasRoom();
    dueAt = performance.now() + (isFull ? intervalWhenFullMs : minIntervalMs);
    if (isFull) timer = unref(startTimer(run, intervalWhenFullMs));
  }
  const checkpoint = () => database.exec("PRAGMA wal_checkpoint(PASSIVE)");
  function reuseLog() {
    dueAt = Number.NEGATIVE_INFINITY;
    try {
      checkpoint();
    } catch {
    }
  }
  return {
    start() {
      if (isRunning || isClosed || performance.now() < dueAt) return;
      isRunning = true;
      queueMicrotask(run);
    },
    reuseLog,
    close() {
      isClosed = true;
      clearTimeout(timer);
    }
  };
}

// packages/server/src/sqlite.ts
var pollMs = 50;
function createSqliteRunStore(options) {
  const { path } = options;
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  const database = openSqliteFile(path);
  const isFile = path !== ":memory:";
  const reserve = isFile ? createDiskReserve(`${path}-reserve`) : void 0;
  const hasRoom = () => reserve?.isThere() ?? true;
  hasRoom();
  const lock = createSqliteLock(database, () => {
    if (!reserve?.release()) return false;
    upkeep.reuseLog();
    return true;
  });
  const find = (rest) => database.prepare(
    `SELECT number, run_id, owner, session_id, body_hash, seq, terminal, renewed_at, lease_ms, ended_at
       FROM runs WHERE ${rest}`
  );
  const findRow = find("run_id = ?");
  const findByKey = find("owner = ? AND key = ?");
  const findOfSession = find("owner = ? AND session_id = ? ORDER BY number DESC");
  const findOpen = find("owner = ? AND ended_at IS NULL");
  const findAllOpen = find("ended_at IS NULL");
  const insertRun = database.prepare(
    `INSERT INTO runs (run_id, owner, session_id, key, body_hash, renewed_at, lease_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`
  );
  const insertEntry = database.prepare("INSERT INTO entries (number, seq, json) VALUES (?, ?, ?)");
  const setSeq = database.prepare("UPDATE runs SET seq = ?, renewed_at = ?, lease_ms = ? WHERE number = ?");
  const setTerminal = database.prepare(
    "UPDATE runs SET seq = ?, terminal = ?, ended_at = ? WHERE number = ?"
  );
  const forgetRun = database.prepare("UPDATE runs SET key = NULL, ended_at = 0 WHERE number = ?");
  const readEntries = database.prepare(
    "SELECT json FROM entries WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?"
  );
  const takeStoppedKey = database.prepare(
    "DELETE FROM stopped_keys WHERE owner = ? AND key = ? AND until > ?"
  );
  const rememberStoppedKey = database.prepare(
    "INSERT OR REPLACE INTO stopped_keys (owner, key, until) VALUES (?, ?, ?)"
  );
  const capStoppedKeys = database.prepare(
    `DELETE FROM stopped_keys WHERE owner = ?1 AND key IN
     (SELECT key FROM stopped_keys WHERE owner = ?1 ORDER BY until DESC LIMIT -1 OFFSET ${maxStoppedKeys})`
  );
  const readVersion = database.prepare("PRAGMA data_version");
  let pollTimer;
  let version;
  let isClosed = false;
  const waiters = createRunWaiters((isWaitedFor) => {
    clearInterval(pollTimer);
    if (isWaitedFor && !isClosed) pollTimer = unref(startInterval(poll, pollMs));
  });
  function poll() {
    try {
      const current = readVersion.get()?.data_version;
      if (current === version) return;
      version = current;
      for (const runId of waiters.runIds())
        waiters.wake(runId, reachOf(findRow.get(runId)));
    } catch {
      waiters.wakeAll();
    }
  }
  const reachOf = (row) => row === void 0 || row.terminal !== null ? Number.POSITIVE_INFINITY : row.seq;
  function leaseLeftMs({ renewed_at, lease_ms }) {
    const { nowMs, resumedAtMs: resumedAtMs2 } = readMachineTime();
    if (renewed_at > nowMs + clockToleranceMs) return 0;
    return Math.max(renewed_at + lease_ms, resumedAtMs2 + leaseMs) - nowMs;
  }
  function isGone(row) {
    if (row.ended_at !== null) return row.ended_at <= Date.now() - retentionMs;
    return leaseLeftMs(row) <= -retentionMs;
  }
  const kept = (row) => row === void 0 || isGone(row) ? void 0 : row;
  const load = (runId) => kept(findRow.get(runId));
  function endRun(row, terminal) {
    if (row.terminal !== null) return JSON.parse(row.terminal);
    const json = stringifyChunk(terminal);
    row.seq++;
    row.terminal = json;
    insertEntry.run(row.number, row.seq, json);
    setTerminal.run(row.seq, json, Date.now(), row.number);
    return terminal;
  }
  function endExpired(rows2) {
    const expired = rows2.filter((row) => leaseLeftMs(row) <= 0);
    for (const row of expired) {
      if (isGone(row)) forgetRun.run(row.number);
      else endRun(row, producerLost);
    }
    return expired;
  }
  const wakeEnded = (rows2) => {
    for (const { run_id } of rows2) waiters.wake(run_id, Number.POSITIVE_INFINITY);
  };
  const upkeep = createSqliteUpkeep({
    database,
    lock,
    retentionMs,
    hasRoom,
    async endAbandoned() {
      const isAbandoned = (row) => leaseLeftMs(row) <= 0;
      if (!findAllOpen.all().some(isAbandoned)) return;
      wakeEnded(await lock.write(() => endExpired(findAllOpen.all())));
    }
  });
  async function write(change) {
    try {
      return await lock.write(change);
    } finally {
      upkeep.start();
    }
  }
  async function endWith(runId, choose) {
    const terminalOf = (row) => row.terminal === null ? choose(row) : JSON.parse(row.terminal);
    const found = await lock.read(() => load(runId));
    if (found === void 0 || found.terminal !== null) return found && terminalOf(found);
    if (terminalOf(found) === void 0) return void 0;
    const result = await write(() => {
      const row = load(runId);
      const terminal = row && terminalOf(row);
      return terminal && endRun(row, terminal);
    });
    if (result !== void 0) waiters.wake(runId, Number.POSITIVE_INFINITY);
    return result;
  }
  return {
    isShared: isFile,
    leaseMs,
    async open({ runId, owner, sessionId, key, bodyHash, maxOpenRuns, allowActiveRun }) {
      const isFull = !hasRoom();
      let lost = [];
      const opened = await write(() => {
        const known = key === void 0 ? void 0 : findByKey.get(owner, key);
        if (known !== void 0 && !isGone(known)) {
          if (known.body_hash !== bodyHash) return { status: "key-conflict" };
          return { status: "attached", run: toRecord(known) };
        }
        if (known !== void 0) forgetRun.run(known.number);
        const rows2 = findOpen.all(owner);
        lost = endExpired(rows2);
        const open = rows2.filter((row2) => !lost.includes(row2));
        const active = open.find((row2) => sessionId !== void 0 && row2.session_id === sessionId);
        if (active !== void 0 && !allowActiveRun) return { status: "run-active", run: toRecord(active) };
        if (open.length >= maxOpenRuns) return { status: "too-many-runs" };
        if (isFull) return { status: "store-full" };
        const { nowMs } = readMachineTime();
        insertRun.run(runId, owner, sessionId ?? null, key ?? null, bodyHash, nowMs, leaseMs);
        const row = findRow.get(runId);
        if (key !== void 0 && takeStoppedKey.run(owner, key, Date.now()).changes > 0) endRun(row, stopped);
        return { status: "created", run: toRecord(row) };
      }).catch(whenFull({ status: "store-full" }));
      wakeEnded(lost);
      return opened;
    },
    async append(runId, firstSeq, entries) {
      const isFull = !hasRoom();
      const result = await write(() => {
        const row = load(runId);
        if (row === void 0) return "lost";
        if (row.terminal !== null) return "ended";
        if (firstSeq > row.seq + 1) return "lost";
        const known = firstSeq > row.seq ? [] : readEntries.all(row.number, firstSeq - 1, entries.length);
        if (known.some(({ json }, index) => json !== entries[index])) return "lost";
        const last = firstSeq + entries.length - 1;
        if (isFull && last > row.seq) return "full";
        for (let seq = row.seq + 1; seq <= last; seq++)
          insertEntry.run(row.number, seq, entries[seq - firstSeq]);
        setSeq.run(Math.max(row.seq, last), readMachineTime().nowMs, leaseMs, row.number);
        return "ok";
      }).catch(whenFull("full"));
      if (result === "ok") waiters.wake(runId, firstSeq + entries.length - 1);
      return result;
    },
    async renew(runId) {
      return write(() => {
        const row = load(runId);
        if (row === void 0) return "lost";
        if (row.terminal !== null) return "ended";
        setSeq.run(row.seq, readMachineTime().nowMs, leaseMs, row.number);
        return "ok";
      });
    },
    async end(runId, terminal, lastSeq = -1) {
      return endWith(runId, ({ seq }) => seq >= lastSeq ? terminal : producerLost);
    },
    async endIfLeaseExpired(runId) {
      return endWith(runId, (row) => leaseLeftMs(row) > 0 ? void 0 : producerLost);
    },
    async read(runId, after, limit) {
      return lock.read(() => {
        const row = load(runId);
        if (row === void 0) return void 0;
        const rows2 = limit === 0 || after >= row.seq ? [] : readEntries.all(row.number, after, limit);
        return {
          run: toRecord(row),
          entries: rows2.map(({ json }) => json),
          leaseLeftMs: leaseLeftMs(row)
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
          const row2 = kept(found);
          if (row2 !== void 0) return row2;
        }
        return void 0;
      });
      return row && toRecord(row);
    },
    async stopKey(owner, key) {
      const findRunId = () => kept(findByKey.get(owner, key))?.run_id;
      return await lock.read(findRunId) ?? write(() => {
        const runId = findRunId();
        if (runId !== void 0) return runId;
        rememberStoppedKey.run(owner, key, Date.now() + stoppedKeyMs);
        capStoppedKeys.run(owner);
        return void 0;
      });
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(pollTimer);
      upkeep.close();
      lock.close();
      waiters.wakeAll();
      database.close();
    }
  };
}
var whenFull = (value) => (error) => {
  if (isDiskFull(error)) return value;
  throw error;
};
var toRecord = ({ run_id, owner, session_id, seq, terminal }) => ({
  runId: run_id,
  owner,
  sessionId: session_id ?? void 0,
  lastSeq: seq,
  terminal: terminal === null ? void 0 : JSON.parse(terminal)
});
export {
  createSqliteRunStore
};
