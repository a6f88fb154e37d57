/**
 * Runs in the memory of one process: they survive their connections, not the process.
 */
import { checkLimitOption, stringifyChunk } from "@kortyx/protocol/internal";
import type { RunStore } from "./run-store.ts";
import {
  maxStoppedKeys,
  producerLost,
  type RunRecord,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  stopped,
  stoppedKeyMs,
  wasNeverBegun,
} from "./run-store.ts";
import { createRunWaiters } from "./run-waiters.ts";

export interface MemoryRunStoreOptions extends RunStoreOptions {
  /**
   * What all logs together may take of the heap, in bytes. An estimate: 64 for each entry, and 1 for each UTF-16 code unit
   * of its JSON; text beyond Latin-1 takes twice as much. Beyond it the runs that ended first are forgotten, and when none
   * has ended, nothing is accepted.
   *
   * @defaultValue 268,435,456 (256 MiB)
   */
  maxHeapBytes?: number | undefined;
}

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

/** What an entry costs in addition to its text: a string, its place in the log, and some slack. */
const entryOverhead = 64;

const sizeOf = (entry: string): number => entryOverhead + entry.length;

/**
 * The same texts, as slices of one string. A string made of pieces, as most chunks are, would keep the pieces, which take
 * several times the memory. The separator makes a slice of a single text, too.
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

/** Room for the terminal of every run, whatever the limit. */
const runOverhead = 512;

/**
 * Creates a store.
 *
 * @throws RangeError for a size, or a time in milliseconds, that is not a number.
 */
export function createMemoryRunStore(options: MemoryRunStoreOptions = {}): RunStore {
  const { maxHeapBytes = 256 * 1024 * 1024 } = options;
  checkLimitOption("maxHeapBytes", maxHeapBytes);
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  const runs = new Map<string, MemoryRun>();
  /** In the order in which they ended. */
  const endedRuns = new Set<MemoryRun>();
  const keys = new Map<string, string>();
  /** When each key that was stopped before its run was opened is forgotten, the first one first. */
  const stoppedKeys = new Map<string, { owner: string; until: number }>();
  /** The same keys by owner. */
  const stoppedOf = new Map<string, Set<string>>();
  /** The runs of a session, the newest last. */
  const sessions = new Map<string, string[]>();
  /** The open runs of an owner, the one whose lease expires first in front. */
  const openRuns = new Map<string, Set<MemoryRun>>();
  const waiters = createRunWaiters();
  let size = 0;

  const nameOf = (owner: string, name: string) => JSON.stringify([owner, name]);

  const toRecord = ({ runId, owner, sessionId, entries, terminal }: MemoryRun): RunRecord => ({
    runId,
    owner,
    sessionId,
    lastSeq: entries.length - 1,
    terminal,
  });

  function forget(run: MemoryRun): void {
    runs.delete(run.runId);
    endedRuns.delete(run);
    size -= run.size;
    const keyName = run.key === undefined ? undefined : nameOf(run.owner, run.key);
    // The key may be another run's by now.
    if (keyName !== undefined && keys.get(keyName) === run.runId) keys.delete(keyName);
    if (run.sessionId === undefined) return;
    const session = nameOf(run.owner, run.sessionId);
    const rest = (sessions.get(session) ?? []).filter((id) => id !== run.runId);
    if (rest.length === 0) sessions.delete(session);
    else sessions.set(session, rest);
  }

  /** Forgets what was kept long enough. */
  function purge(now: number): void {
    for (const run of endedRuns) {
      if (run.endedAt + retentionMs > now) break;
      forget(run);
    }
    for (const [keyName, { until }] of stoppedKeys) {
      if (until > now) break;
      forgetStop(keyName);
    }
  }

  function rememberStop(owner: string, keyName: string, until: number): void {
    forgetStop(keyName);
    stoppedKeys.set(keyName, { owner, until });
    const ofOwner = stoppedOf.get(owner) ?? new Set();
    stoppedOf.set(owner, ofOwner.add(keyName));
    const [oldest] = ofOwner;
    if (ofOwner.size > maxStoppedKeys) forgetStop(oldest!);
  }

  /** @returns whether the key was stopped. */
  function forgetStop(keyName: string): boolean {
    const stop = stoppedKeys.get(keyName);
    if (stop === undefined) return false;
    const ofOwner = stoppedOf.get(stop.owner);
    ofOwner?.delete(keyName);
    if (ofOwner?.size === 0) stoppedOf.delete(stop.owner);
    return stoppedKeys.delete(keyName);
  }

  /** @returns whether there is room for that, after the runs that ended first were forgotten. */
  function makeRoom(needed: number): boolean {
    for (const run of endedRuns) {
      if (size + needed <= maxHeapBytes) return true;
      forget(run);
    }
    return size + needed <= maxHeapBytes;
  }

  function find(runId: string): MemoryRun | undefined {
    purge(performance.now());
    return runs.get(runId);
  }

  function endRun(run: MemoryRun, terminal: RunTerminal): RunTerminal {
    if (run.terminal !== undefined) return run.terminal;
    const json = stringifyChunk(terminal);
    run.terminal = terminal;
    run.entries.push(json);
    run.size += sizeOf(json);
    size += sizeOf(json);
    run.endedAt = performance.now();
    endedRuns.add(run);
    const ofOwner = openRuns.get(run.owner);
    ofOwner?.delete(run);
    if (ofOwner?.size === 0) openRuns.delete(run.owner);
    waiters.wake(run.runId, Number.POSITIVE_INFINITY);
    return terminal;
  }

  function endIfExpired(run: MemoryRun): void {
    if (run.terminal === undefined && run.leaseUntil <= performance.now()) endRun(run, producerLost);
  }

  function renewLease(run: MemoryRun): void {
    run.leaseUntil = performance.now() + leaseMs;
    const ofOwner = openRuns.get(run.owner);
    if (ofOwner?.delete(run)) ofOwner.add(run);
  }

  return {
    canHandOff: false,
    leaseMs,
    async open({ runId, owner, sessionId, key, bodyHash, maxOpenRuns, allowActiveRun }) {
      const now = performance.now();
      purge(now);
      const repeated = runs.get(runId);
      if (repeated !== undefined) {
        renewLease(repeated);
        return { status: "created", run: toRecord(repeated) };
      }
      const keyName = key === undefined ? undefined : nameOf(owner, key);
      const known = keyName === undefined ? undefined : runs.get(keys.get(keyName) ?? "");
      if (known !== undefined) endIfExpired(known);
      if (known !== undefined && !wasNeverBegun(toRecord(known))) {
        if (known.bodyHash !== bodyHash) return { status: "key-conflict" };
        return { status: "attached", run: toRecord(known) };
      }
      for (const run of openRuns.get(owner) ?? []) {
        if (run.leaseUntil > now) break;
        endRun(run, producerLost);
      }
      const ofOwner = openRuns.get(owner) ?? new Set();
      if (sessionId !== undefined && !allowActiveRun) {
        const active = [...ofOwner].find((run) => run.sessionId === sessionId);
        if (active !== undefined) return { status: "run-active", run: toRecord(active) };
      }
      if (owner !== "" && ofOwner.size >= maxOpenRuns) return { status: "too-many-runs" };
      if (!makeRoom(runOverhead)) return { status: "store-full" };

      const run: MemoryRun = {
        runId,
        owner,
        sessionId,
        key,
        bodyHash,
        entries: [],
        size: runOverhead,
        terminal: undefined,
        leaseUntil: now + leaseMs,
        endedAt: 0,
      };
      runs.set(runId, run);
      size += runOverhead;
      ofOwner.add(run);
      openRuns.set(owner, ofOwner);
      if (keyName !== undefined) keys.set(keyName, runId);
      if (sessionId !== undefined) {
        const session = nameOf(owner, sessionId);
        sessions.set(session, [...(sessions.get(session) ?? []), runId]);
      }
      if (keyName !== undefined && forgetStop(keyName)) endRun(run, stopped);
      return { status: "created", run: toRecord(run) };
    },
    async append(runId, firstSeq, entries) {
      const run = find(runId);
      if (run === undefined) return "lost";
      if (run.terminal !== undefined) return "ended";
      if (firstSeq > run.entries.length) return "lost";
      const known = run.entries.slice(firstSeq, firstSeq + entries.length);
      if (known.some((entry, index) => entry !== entries[index])) return "lost";
      const fresh = entries.slice(run.entries.length - firstSeq);
      const added = fresh.reduce((sum, entry) => sum + sizeOf(entry), 0);
      if (!makeRoom(added)) return "full";
      renewLease(run);
      if (fresh.length === 0) return "ok";
      for (const entry of flatten(fresh)) run.entries.push(entry);
      run.size += added;
      size += added;
      waiters.wake(runId, run.entries.length - 1);
      return "ok";
    },
    async renew(runId) {
      const run = find(runId);
      if (run === undefined) return "lost";
      if (run.terminal !== undefined) return "ended";
      renewLease(run);
      return "ok";
    },
    async end(runId, terminal, lastSeq = -1) {
      const run = find(runId);
      return run && endRun(run, run.entries.length > lastSeq ? terminal : producerLost);
    },
    async endIfLeaseExpired(runId) {
      const run = find(runId);
      if (run !== undefined) endIfExpired(run);
      return run?.terminal;
    },
    async read(runId, after, limit) {
      const run = find(runId);
      return (
        run && {
          run: toRecord(run),
          entries: run.entries.slice(after + 1, after + 1 + limit),
          leaseLeftMs: run.leaseUntil - performance.now(),
        }
      );
    },
    async wait(runId, after, signal) {
      const run = find(runId);
      if (run === undefined || run.terminal !== undefined || run.entries.length - 1 > after) return;
      await waiters.wait(runId, after, signal);
    },
    async latest(owner, sessionId) {
      purge(performance.now());
      const newest = sessions.get(nameOf(owner, sessionId))?.at(-1);
      const run = newest === undefined ? undefined : runs.get(newest);
      return run && toRecord(run);
    },
    async stopKey(owner, key) {
      const now = performance.now();
      purge(now);
      const keyName = nameOf(owner, key);
      const runId = keys.get(keyName);
      if (runId === undefined) rememberStop(owner, keyName, now + stoppedKeyMs);
      return runId;
    },
    async close() {
      waiters.wakeAll();
    },
  };
}
