/**
 * Defines runs and the contract of their stores. A run is one answer: a log with one writer that ends with exactly one
 * terminal. The stores are in `memory-run-store.ts`, `sqlite.ts` and `redis.ts`; this file holds what they share.
 */
import type { AbortChunk, DoneChunk, ErrorChunk } from "@kortyx/protocol";
import { parseDelayMs } from "@kortyx/protocol/internal";

/** The chunk that ends a run. An `error` ends one when nothing followed it. */
export type RunTerminal = DoneChunk | AbortChunk | ErrorChunk;

/** What a store knows of a run, apart from its log. */
export interface RunRecord {
  /** A UUID. */
  readonly runId: string;
  /** What `authorize` returned; `""` if it is `"anonymous"`. */
  readonly owner: string;
  /** The session that the run belongs to, if any. */
  readonly sessionId: string | undefined;
  /** The position of the last entry; -1 while the log is empty. */
  readonly lastSeq: number;
  /** The last entry, if it ended the run. */
  readonly terminal: RunTerminal | undefined;
}

/** A request to open a run. */
export interface OpenRun {
  /**
   * Minted by the server: a UUID of version 8 (RFC 9562, section 5.8). Its first 16 bits are a hash of the owner, or of
   * the key if there is no owner, so that a store can keep the runs of an owner together; the other 106 are random.
   */
  runId: string;
  /** `""` for runs without an owner: they have no session, and their number has no limit. */
  owner: string;
  /** The session that the run belongs to, if any. */
  sessionId: string | undefined;
  /** The client's idempotency key. */
  key: string | undefined;
  /** Distinguishes requests with the same key. */
  bodyHash: string;
  /** The maximum number of open runs of one owner. */
  maxOpenRuns: number;
  /** Whether the session may have another open run. */
  allowActiveRun: boolean;
}

/** Why a run is open, or why it is not. */
export type OpenedRun =
  | {
      status: "created";
      /** The open run; if its key was stopped earlier, it already has its terminal. */
      run: RunRecord;
    }
  | {
      status: "attached";
      /** The run that already has the key, in any state. */
      run: RunRecord;
    }
  /** The key is known, with another body. */
  | { status: "key-conflict" }
  | {
      status: "run-active";
      /** The open run of the session. */
      run: RunRecord;
    }
  /** The owner already has `maxOpenRuns` open runs. `run-active` comes first. */
  | { status: "too-many-runs" }
  /** The store cannot take more. */
  | { status: "store-full" };

/**
 * `ended`: the run has its terminal. `lost`: there is no such run, or its log is not the one that the caller wrote.
 * `full`: the store cannot take more.
 */
export type AppendResult = "ok" | "ended" | "lost" | "full";

/** A piece of a log, and the run as it is at that moment. */
export interface RunPage {
  /** The run at the moment of reading. */
  readonly run: RunRecord;
  /** The entries after the cursor, in order, as JSON text. */
  readonly entries: readonly string[];
  /** The remaining time of the lease on the store's clock, in milliseconds; 0 or less if it has expired. */
  readonly leaseLeftMs: number;
}

/**
 * Keeps runs. Every method is atomic, even between processes that share the store. An error of a method is a failure of
 * the store, which may be temporary.
 */
export interface RunStore {
  /** Whether another process serves the same runs: when this one drains, its followers move there. */
  readonly canHandOff: boolean;
  /** How long a run stays open without renewal by its writer, in milliseconds. */
  readonly leaseMs: number;
  /**
   * Opens a run. If the id is already known, the result is `created` again: the run is unchanged but for a new lease,
   * so that a request whose reply was lost can be repeated. The key of a run that ended with `producer-lost` before its
   * first entry is free again. An open run whose lease has expired counts as ended, and is ended when this call finds it.
   */
  open(request: OpenRun): Promise<OpenedRun>;
  /**
   * Adds entries, the first of which is at position `firstSeq`, and renews the lease. A repeated append adds only
   * entries that the log does not contain yet. The run is `lost`, and nothing is added, when the log ends before
   * `firstSeq` or holds other entries at these positions: the store has lost writes, or another writer has replaced
   * them.
   */
  append(runId: string, firstSeq: number, entries: readonly string[]): Promise<AppendResult>;
  /** Renews the lease. */
  renew(runId: string): Promise<AppendResult>;
  /**
   * Ends a run: the terminal becomes the last entry, as `stringifyChunk` prints it. A log that does not reach position
   * `lastSeq` has lost entries, and ends with `error` `producer-lost` instead.
   *
   * @returns the terminal that ended it, which may be an earlier one; undefined for an unknown run.
   */
  end(runId: string, terminal: RunTerminal, lastSeq?: number): Promise<RunTerminal | undefined>;
  /**
   * Ends a run whose lease has expired, with `error` `producer-lost`.
   *
   * @returns the terminal of the run, which may be an earlier one; undefined while the lease holds, and for an unknown run.
   */
  endIfLeaseExpired(runId: string): Promise<RunTerminal | undefined>;
  /**
   * Reads at most `limit` entries after position `after` (-1 is before the first one).
   *
   * @returns undefined for a run that is unknown, or whose retention has passed.
   */
  read(runId: string, after: number, limit: number): Promise<RunPage | undefined>;
  /**
   * Resolves when the log may contain an entry after `after`, when the run has ended or is gone, or when the signal is
   * aborted. May resolve early; never rejects.
   */
  wait(runId: string, after: number, signal: AbortSignal): Promise<void>;
  /** The latest run of a session, open or ended. */
  latest(owner: string, sessionId: string): Promise<RunRecord | undefined>;
  /**
   * The id of the run with this key. If there is none, the key is remembered for 60 s, and a run that opens with it is
   * stopped at once. The newest 1,000 keys of each owner are remembered.
   */
  stopKey(owner: string, key: string): Promise<string | undefined>;
  /** Releases the store's resources in this process. */
  close(): Promise<void>;
}

/**
 * The terminal with which a store ends a run whose writer has not renewed the lease, or whose log has lost entries.
 *
 * @example
 * ```ts
 * producerLostTerminal; // { type: "error", message: "The answer was interrupted on the server.", code: "producer-lost", retryable: true }
 * ```
 */
export const producerLostTerminal: ErrorChunk = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true,
};

/** Whether a run was lost before its writer wrote anything: it has no content, and its key is free again. */
export const wasNeverBegun = ({ lastSeq, terminal }: RunRecord): boolean =>
  lastSeq === 0 && terminal?.type === "error" && terminal.code === producerLostTerminal.code;

/**
 * The terminal of a run that a client stops, with which a store ends one that opens with a stopped key.
 *
 * @example
 * ```ts
 * stoppedTerminal; // { type: "abort", reason: "stopped" }
 * ```
 */
export const stoppedTerminal: AbortChunk = { type: "abort", reason: "stopped" };

/** How long a stop is remembered if its run has not been opened yet. */
export const stoppedKeyMs = 60_000;

/** The maximum number of these stops per owner; the newest ones are remembered. */
export const maxStoppedKeys = 1_000;

/** Options of every store. */
export interface RunStoreOptions {
  /**
   * How long a run is kept after its end, in milliseconds; `Infinity` keeps it forever. A client that has not
   * read the end by then receives an `error` `run-lost`: with 0, every client does.
   *
   * @defaultValue 900,000 (15 minutes)
   */
  retentionMs?: number | undefined;
  /**
   * How long a run stays open when its writer does not renew it, in milliseconds, at least 1. With `Infinity`, or more
   * than 2,147,483,647 (25 days), a run whose process has died stays open for good.
   *
   * @defaultValue 15,000
   */
  leaseMs?: number | undefined;
}

/** A hundred years: forever, as a number that every store can add to a date. */
const foreverMs = 100 * 365 * 86_400_000;

/**
 * The times of a store, made finite because Redis has no infinite ones.
 *
 * @throws RangeError for a value that is not a number of milliseconds, and for a lease of 0, which would lose every run
 * at once.
 */
export function readRunStoreTimes({
  retentionMs = 15 * 60_000,
  leaseMs = 15_000,
}: RunStoreOptions): Required<{ [Name in keyof RunStoreOptions]: number }> {
  const lease = parseDelayMs("leaseMs", leaseMs);
  if (lease === 0) throw new RangeError("leaseMs must be at least 1; got 0.");
  parseDelayMs("retentionMs", retentionMs);
  return {
    // No timer waits for it, so it may be longer than a timer can take.
    retentionMs: Math.min(Math.ceil(retentionMs), foreverMs),
    leaseMs: Math.min(lease, foreverMs),
  };
}

/** Turns matching failures into a result and rethrows all others: for `promise.catch`. */
export const orWhen =
  <Result>(isExpected: (error: unknown) => boolean, result: Result) =>
  (error: unknown): Result => {
    if (isExpected(error)) return result;
    throw error;
  };

/** Copies a store to an object with own methods, so that a spread of it can replace some of them. */
export function toSpreadableStore(store: RunStore): RunStore {
  return {
    canHandOff: store.canHandOff,
    leaseMs: store.leaseMs,
    open: (request) => store.open(request),
    append: (runId, firstSeq, entries) => store.append(runId, firstSeq, entries),
    renew: (runId) => store.renew(runId),
    end: (runId, terminal, lastSeq) => store.end(runId, terminal, lastSeq),
    endIfLeaseExpired: (runId) => store.endIfLeaseExpired(runId),
    read: (runId, after, limit) => store.read(runId, after, limit),
    wait: (runId, after, signal) => store.wait(runId, after, signal),
    latest: (owner, sessionId) => store.latest(owner, sessionId),
    stopKey: (owner, key) => store.stopKey(owner, key),
    close: () => store.close(),
  };
}
