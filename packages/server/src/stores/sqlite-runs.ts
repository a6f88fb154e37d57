/**
 * The runs of a SQLite store, and how each call changes them. Every method is one step within a transaction that the
 * caller begins. Waits for nothing and wakes no readers.
 */
import { stringifyChunk } from "@kortyx/protocol";
import { clockToleranceMs, readMachineTime } from "./machine-clock.ts";
import {
  type AppendResult,
  type OpenedRun,
  type OpenRun,
  producerLostTerminal,
  type RunPage,
  type RunRecord,
  type RunTerminal,
  stoppedKeyMs,
  stoppedTerminal,
  wasNeverBegun,
} from "./run-store.ts";
import type { RunRow, SqliteStatements } from "./sqlite-statements.ts";

/** Whether the disk has space. Without it, runs are ended, but not opened or continued. */
export type DiskRoom = "free" | "none";

export interface SqliteOpening {
  opened: OpenedRun;
  /** Runs whose lease had expired. */
  ended: RunRow[];
}

export class SqliteRuns {
  readonly #statements: SqliteStatements;
  readonly #leaseMs: number;
  readonly #retentionMs: number;

  constructor(statements: SqliteStatements, times: { leaseMs: number; retentionMs: number }) {
    this.#statements = statements;
    this.#leaseMs = times.leaseMs;
    this.#retentionMs = times.retentionMs;
  }

  find(runId: string): RunRow | undefined {
    return this.#kept(this.#statements.findRun.get(runId));
  }

  open(request: OpenRun, room: DiskRoom): SqliteOpening {
    const ended: RunRow[] = [];
    const opened =
      this.#repeat(request.runId) ??
      this.#attach(request, ended) ??
      this.#refuse(request, ended) ??
      (room === "none" ? ({ status: "store-full" } as const) : this.#create(request));
    return { opened, ended };
  }

  append(runId: string, firstSeq: number, entries: readonly string[], room: DiskRoom): AppendResult {
    const row = this.find(runId);
    if (row === undefined) return "lost";
    if (row.terminal !== null) return "ended";
    if (firstSeq > row.seq + 1) return "lost";
    const known = firstSeq > row.seq ? [] : this.#readEntries(row, firstSeq - 1, entries.length);
    if (known.some((json, index) => json !== entries[index])) return "lost";
    const last = firstSeq + entries.length - 1;
    if (room === "none" && last > row.seq) return "full";
    for (let seq = row.seq + 1; seq <= last; seq++) {
      this.#statements.insertEntry.run(row.number, seq, entries[seq - firstSeq]!);
    }
    row.seq = Math.max(row.seq, last);
    this.#renewLease(row);
    return "ok";
  }

  renew(runId: string): AppendResult {
    const row = this.find(runId);
    if (row === undefined) return "lost";
    if (row.terminal !== null) return "ended";
    this.#renewLease(row);
    return "ok";
  }

  /** @returns the terminal of the run, which may be an earlier one. */
  end(row: RunRow, terminal: RunTerminal): RunTerminal {
    if (row.terminal !== null) return JSON.parse(row.terminal);
    const json = stringifyChunk(terminal);
    row.seq++;
    row.terminal = json;
    this.#statements.insertEntry.run(row.number, row.seq, json);
    this.#statements.setTerminal.run(row.seq, json, Date.now(), row.number);
    return terminal;
  }

  read(runId: string, after: number, limit: number): RunPage | undefined {
    const row = this.find(runId);
    if (row === undefined) return undefined;
    return {
      run: toRecord(row),
      entries: limit === 0 || after >= row.seq ? [] : this.#readEntries(row, after, limit),
      leaseLeftMs: this.leaseLeftMs(row),
    };
  }

  latest(owner: string, sessionId: string): RunRecord | undefined {
    for (const found of this.#statements.findOfSession.iterate(owner, sessionId)) {
      const row = this.#kept(found);
      if (row !== undefined) return toRecord(row);
    }
    return undefined;
  }

  findRunId(owner: string, key: string): string | undefined {
    return this.#kept(this.#statements.findByKey.get(owner, key))?.run_id;
  }

  /** @returns the id of the run with this key; if there is none, the key is remembered as stopped. */
  stopKey(owner: string, key: string): string | undefined {
    const runId = this.findRunId(owner, key);
    if (runId !== undefined) return runId;
    this.#statements.rememberStoppedKey.run(owner, key, Date.now() + stoppedKeyMs);
    this.#statements.capStoppedKeys.run(owner);
    return undefined;
  }

  /** The position of the last entry; Infinity if no more follow, or the run is unknown. */
  reachOf(runId: string): number {
    const row = this.find(runId);
    return row === undefined || row.terminal !== null ? Number.POSITIVE_INFINITY : row.seq;
  }

  /** The remaining time of the lease in milliseconds; 0 or less if it has expired. */
  leaseLeftMs({ renewed_at, lease_ms }: RunRow): number {
    const { nowMs, resumedAtMs } = readMachineTime();
    // The machine was booted since.
    if (renewed_at > nowMs + clockToleranceMs) return 0;
    // While the machine slept, no writer could renew.
    return Math.max(renewed_at + lease_ms, resumedAtMs + this.#leaseMs) - nowMs;
  }

  hasAbandoned(): boolean {
    return this.#allOpen().some((row) => this.leaseLeftMs(row) <= 0);
  }

  /** Ends every open run that has lost its writer. @returns those runs. */
  endAbandoned(): RunRow[] {
    return this.#endExpired(this.#allOpen());
  }

  /** A run that is already open under this id. */
  #repeat(runId: string): OpenedRun | undefined {
    const row = this.find(runId);
    if (row === undefined) return undefined;
    if (row.terminal === null) this.#renewLease(row);
    return { status: "created", run: toRecord(row) };
  }

  /** The run with the request's key. Releases a key whose run is gone, or never began. */
  #attach({ owner, key, bodyHash }: OpenRun, ended: RunRow[]): OpenedRun | undefined {
    if (key === undefined) return undefined;
    const known = this.#statements.findByKey.get(owner, key);
    if (known === undefined) return undefined;
    if (this.#isGone(known)) {
      this.#statements.forgetRun.run(known.number);
      return undefined;
    }
    if (known.terminal === null) ended.push(...this.#endExpired([known]));
    const run = toRecord(known);
    if (!wasNeverBegun(run)) {
      return known.body_hash === bodyHash ? { status: "attached", run } : { status: "key-conflict" };
    }
    this.#statements.releaseKey.run(known.number);
    return undefined;
  }

  /** Why the owner's open runs rule out another run, if they do. Ends those that have lost their writer. */
  #refuse(request: OpenRun, ended: RunRow[]): OpenedRun | undefined {
    const { owner, sessionId, maxOpenRuns, allowActiveRun } = request;
    if (owner === "") return undefined;
    const rows = this.#statements.findOpen.all(owner);
    const expired = this.#endExpired(rows);
    ended.push(...expired);
    const open = rows.filter((row) => !expired.includes(row));
    const active = open.find((row) => sessionId !== undefined && row.session_id === sessionId);
    if (active !== undefined && !allowActiveRun) return { status: "run-active", run: toRecord(active) };
    return open.length >= maxOpenRuns ? { status: "too-many-runs" } : undefined;
  }

  #create({ runId, owner, sessionId, key, bodyHash }: OpenRun): OpenedRun {
    const { insertRun, findRun, takeStoppedKey } = this.#statements;
    const { nowMs } = readMachineTime();
    insertRun.run(runId, owner, sessionId ?? null, key ?? null, bodyHash, nowMs, this.#leaseMs);
    const row = findRun.get(runId)!;
    const isStopped = key !== undefined && takeStoppedKey.run(owner, key, Date.now()).changes > 0;
    if (isStopped) this.end(row, stoppedTerminal);
    return { status: "created", run: toRecord(row) };
  }

  #readEntries(row: RunRow, after: number, limit: number): string[] {
    return this.#statements.readEntries.all(row.number, after, limit).map(({ json }) => json as string);
  }

  #renewLease({ seq, number }: RunRow): void {
    this.#statements.setSeq.run(seq, readMachineTime().nowMs, this.#leaseMs, number);
  }

  #allOpen(): RunRow[] {
    return this.#statements.findAllOpen.all();
  }

  /** @returns which of these open runs have lost their writer. */
  #endExpired(rows: RunRow[]): RunRow[] {
    const expired = rows.filter((row) => this.leaseLeftMs(row) <= 0);
    for (const row of expired) {
      if (this.#isGone(row)) this.#statements.forgetRun.run(row.number);
      else this.end(row, producerLostTerminal);
    }
    return expired;
  }

  #kept(row: RunRow | undefined): RunRow | undefined {
    return row === undefined || this.#isGone(row) ? undefined : row;
  }

  /** Whether a run's retention has passed, so that callers no longer find it. */
  #isGone(row: RunRow): boolean {
    if (row.ended_at !== null) return row.ended_at <= Date.now() - this.#retentionMs;
    // Its writer is gone, and no request has ended it since.
    return this.leaseLeftMs(row) <= -this.#retentionMs;
  }
}

const toRecord = ({ run_id, owner, session_id, seq, terminal }: RunRow): RunRecord => ({
  runId: run_id,
  owner,
  sessionId: session_id ?? undefined,
  lastSeq: seq,
  terminal: terminal === null ? undefined : JSON.parse(terminal),
});
