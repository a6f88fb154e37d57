/**
 * Runs in Redis: they survive every process but Redis itself, and all machines see them. Scripts, commands and the
 * listening connection have files of their own.
 */
import { checkObjectOption, checkOption, parseTimeoutMs, stringifyChunk } from "@kortyx/protocol/internal";
import { createRedisCommands, type RedisClient, type RedisConnection } from "./stores/redis-commands.ts";
import { createRedisListener } from "./stores/redis-listener.ts";
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
} from "./stores/run-store.ts";
import { createRunWaiters } from "./stores/run-waiters.ts";
import { startInterval, type Timer, unref } from "./stream/start-timer.ts";

export type { RedisClient, RedisConnection };

export interface RedisRunStoreOptions extends RunStoreOptions {
  /**
   * A connected client of the `redis` package, version 5 or later, made by `createClient` or `createCluster`. The store
   * opens one more connection like it, to listen; and another one in place of a connection that does not answer.
   */
  client: RedisClient;
  /**
   * Begins every key and channel. With a client of a cluster it needs a hash tag, as in `"{kortyx}:"`, which keeps all
   * runs on one node.
   *
   * @defaultValue `"kortyx:"`
   */
  prefix?: string | undefined;
  /**
   * How long a command may take, in milliseconds, where a client that is offline would wait; 0 is forever.
   *
   * @defaultValue 2000
   */
  commandTimeoutMs?: number | undefined;
}

/** A wake-up that is lost costs this much. */
const tickMs = 1_000;
/** Owners and sessions of at most this many runs are kept, so that they do not travel with every read. */
const maxNames = 1_000;

/** Owner and session. */
type Names = [string, string];

/** Owner, session, position and terminal, as the scripts give them. */
type Fields = [string, string, string, string | null];

/**
 * Creates a store. Guarantees hold for what Redis keeps: with `appendfsync everysec`, a crash of Redis may lose the last
 * second; with eviction of keys that have an expiry, runs may vanish, which their followers are told.
 *
 * @throws RangeError for a time that is not a number of milliseconds, TypeError for anything but a connected client.
 */
export function createRedisRunStore(options: RedisRunStoreOptions): RunStore {
  checkObjectOption("The options of createRedisRunStore", options, "an object with a client");
  const { client, prefix = "kortyx:" } = options;
  checkClient(client, prefix);
  const commandTimeoutMs = parseTimeoutMs("commandTimeoutMs", options.commandTimeoutMs ?? 2_000);
  const { retentionMs, leaseMs } = readRunStoreTimes(options);
  const commands = createRedisCommands({
    client,
    prefix,
    times: [leaseMs, retentionMs],
    commandTimeoutMs,
  });
  const { run } = commands;
  const listener = createRedisListener(client, prefix, tell);
  const names = new Map<string, Names>();
  let tickTimer: Timer | undefined;
  let isClosed = false;

  const waiters = createRunWaiters((isWaitedFor) => {
    if (isWaitedFor && !isClosed) tickTimer ??= unref(startInterval(tick, tickMs));
  });

  function tell(runId: string, lastSeq: number): void {
    listener.note(runId, lastSeq);
    waiters.wake(runId, lastSeq);
  }

  function tick(): void {
    const waitedFor = new Set(waiters.runIds());
    if (!listener.tick(waitedFor) && waitedFor.size === 0) {
      clearInterval(tickTimer);
      tickTimer = undefined;
    }
    waiters.wakeAll();
  }

  /** What was written before we listened has not been heard of. */
  async function catchUp(runId: string, after: number): Promise<void> {
    // Otherwise only the end is of interest, which is announced for every run.
    const wantsEntries = after < Number.MAX_SAFE_INTEGER;
    await listener.listen(wantsEntries ? runId : undefined);
    tell(runId, await lastSeqOf(runId));
  }

  async function end(script: "end" | "endIfLeaseExpired", runId: string, values: (string | number)[]) {
    const json = (await run(script, [runId, ...values])) as string | null;
    if (json === null) return undefined;
    tell(runId, Number.POSITIVE_INFINITY);
    return JSON.parse(json) as RunTerminal;
  }

  return {
    canHandOff: true,
    leaseMs,
    async open({ runId, owner, sessionId = "", key = "", bodyHash, maxOpenRuns, allowActiveRun }) {
      const opening = run("open", [
        runId,
        owner,
        sessionId,
        key,
        bodyHash,
        maxOpenRuns,
        allowActiveRun ? 1 : 0,
        stringifyChunk(producerLost),
        stringifyChunk(stopped),
      ]);
      const opened = await opening.catch(whenFull(["store-full"]));
      const [status, id, ...fields] = opened as [OpenedRun["status"], string, ...Fields];
      return { status, run: id === undefined ? undefined : toRecord(id, fields) } as OpenedRun;
    },
    async append(runId, firstSeq, entries) {
      const appending = run("append", [runId, firstSeq, ...entries]);
      const result = (await appending.catch(whenFull("full"))) as AppendResult;
      if (result === "ok") tell(runId, firstSeq + entries.length - 1);
      return result;
    },
    async renew(runId) {
      return (await run("renew", [runId])) as AppendResult;
    },
    end: (runId, terminal, lastSeq = -1) =>
      end("end", runId, [stringifyChunk(terminal), lastSeq, stringifyChunk(producerLost)]),
    endIfLeaseExpired: (runId) => end("endIfLeaseExpired", runId, [stringifyChunk(producerLost)]),
    async read(runId, after, limit) {
      const known = names.get(runId);
      const page = await readPage(runId, after, limit, known === undefined);
      if (page === null) return undefined;
      const [seq, terminal, entries, leaseLeftMs, read] = page;
      if (known === undefined) remember(runId, read as Names);
      const run = toRecord(runId, [...(known ?? (read as Names)), seq, terminal]);
      return { run, entries, leaseLeftMs };
    },
    async wait(runId, after, signal) {
      if (isClosed || signal.aborted || listener.takeHeard(runId, after)) return;
      const waiting = waiters.wait(runId, after, signal);
      // The waiter meets the same failure when the tick wakes it and it reads.
      if (!listener.has(runId)) catchUp(runId, after).catch(() => {});
      await waiting;
    },
    async latest(owner, sessionId) {
      const answer = (await run("latest", [owner, sessionId])) as [string, ...Fields] | null;
      if (answer === null) return undefined;
      const [id, ...fields] = answer;
      return toRecord(id, fields);
    },
    async stopKey(owner, key) {
      return (
        ((await run("stopKey", [owner, key, stoppedKeyMs, maxStoppedKeys])) as string | null) ?? undefined
      );
    },
    async close() {
      isClosed = true;
      clearInterval(tickTimer);
      waiters.wakeAll();
      listener.close();
      commands.close();
    },
  };

  /** @param withNames - Whether the last element holds owner and session. */
  async function readPage(runId: string, after: number, limit: number, withNames: boolean) {
    const page = await run("read", [runId, after, limit, withNames ? 1 : 0]);
    return page as [string, string | null, string[], number, Names | []] | null;
  }

  function remember(runId: string, ofRun: Names): void {
    names.set(runId, ofRun);
    const [oldest] = names.keys();
    if (names.size > maxNames) names.delete(oldest!);
  }

  /** Infinity when the run has ended or is gone. */
  async function lastSeqOf(runId: string): Promise<number> {
    const page = await readPage(runId, -1, 0, false);
    return page === null || page[1] !== null ? Number.POSITIVE_INFINITY : Number(page[0]);
  }
}

/** Makes a result of the failure of a Redis without free memory, and throws all others. */
const whenFull =
  <Result>(result: Result) =>
  (error: unknown): Result => {
    if (/\bOOM command not allowed\b/.test(String(error))) return result;
    throw error;
  };

const clientMethods = ["eval", "evalSha", "withCommandOptions", "duplicate"] as const;

function checkClient(client: RedisClient, prefix: string): void {
  checkOption(
    "client",
    clientMethods.every((name) => typeof client?.[name] === "function"),
    "a client of the redis package, version 5 or later, as `await createClient({ url }).connect()` returns it " +
      "(neither a pool nor a client of ioredis)",
    client,
  );
  const { isOpen, slots } = client as { isOpen?: boolean; slots?: unknown };
  if (isOpen === false) {
    throw new TypeError(
      "client must be connected: call `await client.connect()` before createRedisRunStore().",
    );
  }
  // A cluster finds the node of a script by the part of its key in braces.
  if (slots !== undefined && !/^[^{]*\{[^}]+\}/.test(prefix)) {
    throw new TypeError(
      `prefix must have a hash tag for a cluster, as "{kortyx}:" has; got ${JSON.stringify(prefix)}.`,
    );
  }
}

const toRecord = (runId: string, [owner, session, seq, terminal]: Fields): RunRecord => ({
  runId,
  owner,
  sessionId: session === "" ? undefined : session,
  lastSeq: Number(seq),
  terminal: terminal === null || terminal === undefined ? undefined : JSON.parse(terminal),
});
