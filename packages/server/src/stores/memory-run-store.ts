/**
 * Keeps runs in the memory of one process: they survive their connections, but not the process.
 */
import { stringifyChunk } from "@kortyx/protocol";
import { checkLimitOption } from "@kortyx/protocol/internal";
import { checkNames } from "../stream/check-names.ts";
import { nameOf, StoppedKeys } from "./memory-stopped-keys.ts";
import {
  type AppendResult,
  type OpenedRun,
  type OpenRun,
  producerLostTerminal,
  type RunPage,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  stoppedTerminal,
  toSpreadableStore,
  wasNeverBegun,
} from "./run-store.ts";
import { createRunWaiters } from "./run-waiters.ts";

/** Options of {@link createMemoryRunStore}. */
export interface MemoryRunStoreOptions extends RunStoreOptions {
  /**
   * The maximum heap size of all logs together, in bytes. An estimate: 64 for each entry, and 1 for each UTF-16 code
   * unit of its JSON; text beyond Latin-1 takes twice as much. Beyond this size, the runs that ended first are
   * forgotten; if none has ended, new entries and runs are refused.
   *
   * @defaultValue 268,435,456 (256 MiB)
   */
  maxHeapBytes?: number | undefined;
}

/** Every option; one that is missing here is a type error. */
const optionNames: Record<keyof MemoryRunStoreOptions, true> = {
  retentionMs: true,
  leaseMs: true,
  maxHeapBytes: true,
};

interface MemoryRun {
  runId: string;
  owner: string;
  sessionId: string | undefined;
  key: string | undefined;
  bodyHash: string;
  entries: string[];
  size: number;
  terminal: RunTerminal | undefined;
  leaseUntil: number;
  endedAt: number;
}

/** What an entry takes of the heap in addition to its text: a string, its place in the log, and some slack. */
const entryOverheadBytes = 64;

const sizeOf = (entry: string): number => entryOverheadBytes + entry.length;

/**
 * The same texts, as slices of one string. A concatenated string, as most chunks are, would retain its pieces, which
 * take several times the memory. The separator makes a single text a slice, too.
 */
function flatten(entries: readonly string[]): string[] {
  const joined = `${entries.join("")}\n`;
  let end = 0;
  return entries.map((entry) => {
    const start = end;
    end += entry.length;
    return joined.slice(start, end);
  });
}

/** Extra room for every run's terminal, beyond the limit. */
const runOverheadBytes = 512;

/**
 * Creates a store that keeps runs in memory.
 *
 * @throws RangeError for a size or a time that is not a number, or is negative. TypeError for an option of an unknown name.
 *
 * @example
 * ```ts
 * const store = createMemoryRunStore({ retentionMs: 60_000 });
 * const route = createChatRoute({ agent, authorize: verifySession, runs: { store } });
 * ```
 */
export function createMemoryRunStore(options: MemoryRunStoreOptions = {}): RunStore {
  checkNames("createMemoryRunStore", options, optionNames);
  return toSpreadableStore(new MemoryRunStore(options));
}

class MemoryRunStore implements RunStore {
  readonly canHandOff = false;
  readonly leaseMs: number;
  readonly #retentionMs: number;
  readonly #maxHeapBytes: number;
  readonly #runs = new Map<string, MemoryRun>();
  /** In the order in which they ended. */
  readonly #endedRuns = new Set<MemoryRun>();
  /** The open runs of an owner, in the order in which their leases expire. */
  readonly #openRuns = new Map<string, Set<MemoryRun>>();
  /** The id of the run with a key. */
  readonly #keys = new Map<string, string>();
  /** The ids of a session's runs, newest last. */
  readonly #sessions = new Map<string, string[]>();
  readonly #stoppedKeys = new StoppedKeys();
  readonly #waiters = createRunWaiters();
  #size = 0;

  constructor(options: MemoryRunStoreOptions) {
    const { maxHeapBytes = 256 * 1024 * 1024 } = options;
    checkLimitOption("maxHeapBytes", maxHeapBytes);
    const { retentionMs, leaseMs } = readRunStoreTimes(options);
    this.leaseMs = leaseMs;
    this.#retentionMs = retentionMs;
    this.#maxHeapBytes = maxHeapBytes;
  }

  async open(request: OpenRun): Promise<OpenedRun> {
    this.#purge();
    const repeated = this.#runs.get(request.runId);
    if (repeated !== undefined) {
      this.#renewLease(repeated);
      return { status: "created", run: toRecord(repeated) };
    }
    return this.#attach(request) ?? this.#refuse(request) ?? this.#create(request);
  }

  async append(runId: string, firstSeq: number, entries: readonly string[]): Promise<AppendResult> {
    const run = this.#find(runId);
    if (run === undefined) return "lost";
    if (run.terminal !== undefined) return "ended";
    if (firstSeq > run.entries.length) return "lost";
    const known = run.entries.slice(firstSeq, firstSeq + entries.length);
    if (known.some((entry, index) => entry !== entries[index])) return "lost";
    const fresh = entries.slice(run.entries.length - firstSeq);
    const added = fresh.reduce((sum, entry) => sum + sizeOf(entry), 0);
    if (!this.#makeRoom(added)) return "full";
    this.#renewLease(run);
    if (fresh.length === 0) return "ok";
    for (const entry of flatten(fresh)) run.entries.push(entry);
    this.#grow(run, added);
    this.#waiters.wake(runId, run.entries.length - 1);
    return "ok";
  }

  async renew(runId: string): Promise<AppendResult> {
    const run = this.#find(runId);
    if (run === undefined) return "lost";
    if (run.terminal !== undefined) return "ended";
    this.#renewLease(run);
    return "ok";
  }

  async end(runId: string, terminal: RunTerminal, lastSeq = -1): Promise<RunTerminal | undefined> {
    const run = this.#find(runId);
    return run && this.#end(run, run.entries.length > lastSeq ? terminal : producerLostTerminal);
  }

  async endIfLeaseExpired(runId: string): Promise<RunTerminal | undefined> {
    const run = this.#find(runId);
    if (run !== undefined) this.#endIfExpired(run);
    return run?.terminal;
  }

  async read(runId: string, after: number, limit: number): Promise<RunPage | undefined> {
    const run = this.#find(runId);
    if (run === undefined) return undefined;
    return {
      run: toRecord(run),
      entries: run.entries.slice(after + 1, after + 1 + limit),
      leaseLeftMs: run.leaseUntil - performance.now(),
    };
  }

  async wait(runId: string, after: number, signal: AbortSignal): Promise<void> {
    const run = this.#find(runId);
    if (run === undefined || run.terminal !== undefined || run.entries.length - 1 > after) return;
    await this.#waiters.wait(runId, after, signal);
  }

  async latest(owner: string, sessionId: string): Promise<RunRecord | undefined> {
    this.#purge();
    const newest = this.#sessions.get(nameOf(owner, sessionId))?.at(-1);
    const run = newest === undefined ? undefined : this.#runs.get(newest);
    return run && toRecord(run);
  }

  async stopKey(owner: string, key: string): Promise<string | undefined> {
    this.#purge();
    const runId = this.#keys.get(nameOf(owner, key));
    if (runId === undefined) this.#stoppedKeys.remember(owner, key);
    return runId;
  }

  async close(): Promise<void> {
    this.#waiters.wakeAll();
  }

  /** The run with the request's key, unless it never began. */
  #attach({ owner, key, bodyHash }: OpenRun): OpenedRun | undefined {
    const known = key === undefined ? undefined : this.#runs.get(this.#keys.get(nameOf(owner, key)) ?? "");
    if (known === undefined) return undefined;
    this.#endIfExpired(known);
    const run = toRecord(known);
    if (wasNeverBegun(run)) return undefined;
    return known.bodyHash === bodyHash ? { status: "attached", run } : { status: "key-conflict" };
  }

  /** Why another run is refused, if it is. Ends the owner's runs that have lost their writer. */
  #refuse({ owner, sessionId, maxOpenRuns, allowActiveRun }: OpenRun): OpenedRun | undefined {
    const now = performance.now();
    for (const run of this.#openRuns.get(owner) ?? []) {
      if (run.leaseUntil > now) break;
      this.#end(run, producerLostTerminal);
    }
    const ofOwner = this.#openRuns.get(owner) ?? new Set();
    if (sessionId !== undefined && !allowActiveRun) {
      const active = [...ofOwner].find((run) => run.sessionId === sessionId);
      if (active !== undefined) return { status: "run-active", run: toRecord(active) };
    }
    if (owner !== "" && ofOwner.size >= maxOpenRuns) return { status: "too-many-runs" };
    return this.#makeRoom(runOverheadBytes) ? undefined : { status: "store-full" };
  }

  #create({ runId, owner, sessionId, key, bodyHash }: OpenRun): OpenedRun {
    const run: MemoryRun = {
      runId,
      owner,
      sessionId,
      key,
      bodyHash,
      entries: [],
      size: 0,
      terminal: undefined,
      leaseUntil: performance.now() + this.leaseMs,
      endedAt: 0,
    };
    this.#runs.set(runId, run);
    this.#grow(run, runOverheadBytes);
    this.#openRuns.set(owner, (this.#openRuns.get(owner) ?? new Set()).add(run));
    if (key !== undefined) this.#keys.set(nameOf(owner, key), runId);
    if (sessionId !== undefined) {
      const session = nameOf(owner, sessionId);
      this.#sessions.set(session, [...(this.#sessions.get(session) ?? []), runId]);
    }
    if (key !== undefined && this.#stoppedKeys.take(owner, key)) this.#end(run, stoppedTerminal);
    return { status: "created", run: toRecord(run) };
  }

  #find(runId: string): MemoryRun | undefined {
    this.#purge();
    return this.#runs.get(runId);
  }

  #end(run: MemoryRun, terminal: RunTerminal): RunTerminal {
    if (run.terminal !== undefined) return run.terminal;
    const json = stringifyChunk(terminal);
    run.terminal = terminal;
    run.entries.push(json);
    this.#grow(run, sizeOf(json));
    run.endedAt = performance.now();
    this.#endedRuns.add(run);
    const ofOwner = this.#openRuns.get(run.owner);
    ofOwner?.delete(run);
    if (ofOwner?.size === 0) this.#openRuns.delete(run.owner);
    this.#waiters.wake(run.runId, Number.POSITIVE_INFINITY);
    return terminal;
  }

  #endIfExpired(run: MemoryRun): void {
    if (run.terminal === undefined && run.leaseUntil <= performance.now())
      this.#end(run, producerLostTerminal);
  }

  #renewLease(run: MemoryRun): void {
    run.leaseUntil = performance.now() + this.leaseMs;
    const ofOwner = this.#openRuns.get(run.owner);
    if (ofOwner?.delete(run)) ofOwner.add(run);
  }

  #grow(run: MemoryRun, added: number): void {
    run.size += added;
    this.#size += added;
  }

  /** @returns whether there is room for that, after forgetting the runs that ended first. */
  #makeRoom(needed: number): boolean {
    for (const run of this.#endedRuns) {
      if (this.#size + needed <= this.#maxHeapBytes) return true;
      this.#forget(run);
    }
    return this.#size + needed <= this.#maxHeapBytes;
  }

  /** Forgets runs whose retention has passed. */
  #purge(): void {
    const now = performance.now();
    for (const run of this.#endedRuns) {
      if (run.endedAt + this.#retentionMs > now) break;
      this.#forget(run);
    }
    this.#stoppedKeys.purge();
  }

  #forget(run: MemoryRun): void {
    this.#runs.delete(run.runId);
    this.#endedRuns.delete(run);
    this.#size -= run.size;
    const keyName = run.key === undefined ? undefined : nameOf(run.owner, run.key);
    // The key may belong to another run by now.
    if (keyName !== undefined && this.#keys.get(keyName) === run.runId) this.#keys.delete(keyName);
    if (run.sessionId === undefined) return;
    const session = nameOf(run.owner, run.sessionId);
    const rest = (this.#sessions.get(session) ?? []).filter((id) => id !== run.runId);
    if (rest.length === 0) this.#sessions.delete(session);
    else this.#sessions.set(session, rest);
  }
}

const toRecord = ({ runId, owner, sessionId, entries, terminal }: MemoryRun): RunRecord => ({
  runId,
  owner,
  sessionId,
  lastSeq: entries.length - 1,
  terminal,
});
