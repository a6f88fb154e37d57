/**
 * Keeps runs in Redis: they survive every process but Redis itself, and all machines share them. Scripts, commands and
 * the listening connection are in separate files.
 */
import { checkObjectOption, checkOption, parseTimeoutMs, stringifyChunk } from "@kortyx/protocol/internal";
import {
  type RedisClient,
  RedisCommands,
  type RedisConnection,
  type ScriptValue,
} from "./stores/redis-commands.ts";
import { createRedisListener, type RedisListener } from "./stores/redis-listener.ts";
import {
  type AppendResult,
  maxStoppedKeys,
  type OpenedRun,
  type OpenRun,
  orWhen,
  producerLost,
  type RunPage,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  stopped,
  stoppedKeyMs,
  toSpreadableStore,
} from "./stores/run-store.ts";
import { createRunWaiters } from "./stores/run-waiters.ts";
import { startInterval, type Timer, unref } from "./stream/start-timer.ts";

export type { RedisClient, RedisConnection };

/** Options of {@link createRedisRunStore}. */
export interface RedisRunStoreOptions extends RunStoreOptions {
  /**
   * A connected client of the `redis` package, version 5 or later, made by `createClient` or `createCluster`. The store
   * opens one more connection like it to listen, and another one to replace a connection that does not reply.
   */
  client: RedisClient;
  /**
   * The prefix of every key and channel. With a cluster client it needs a hash tag, as in `"{kortyx}:"`, which keeps
   * all runs on one node.
   *
   * @defaultValue `"kortyx:"`
   */
  prefix?: string | undefined;
  /**
   * How long a command may take, in milliseconds, even while the client is offline; 0 waits forever.
   *
   * @defaultValue 2000
   */
  commandTimeoutMs?: number | undefined;
}

/** The delay caused by a lost wake-up. */
const tickMs = 1_000;
/** Owners and sessions of at most this many runs are cached, so that they need not be sent with every read. */
const maxNames = 1_000;

/** Owner and session. */
type Names = [string, string];

/** Owner, session, position and terminal, as the scripts return them. */
type Fields = [string, string, string, string | null];

/**
 * Creates a store that keeps runs in Redis. Guarantees hold for what Redis keeps: with `appendfsync everysec`, a crash
 * of Redis may lose the last second; with eviction of keys that have an expiry, runs may vanish, which is reported to
 * their followers.
 *
 * @throws RangeError for a time that is not a number of milliseconds, TypeError for anything but a connected client.
 *
 * @example
 * ```ts
 * import { createClient } from "redis";
 * const client = createClient({ url: process.env.REDIS_URL ?? "redis://localhost:6379" });
 * await client.on("error", console.error).connect();
 * const store = createRedisRunStore({ client });
 * // When the process ends:
 * await store.close();
 * client.destroy();
 * ```
 */
export function createRedisRunStore(options: RedisRunStoreOptions): RunStore {
  checkObjectOption("The options of createRedisRunStore", options, "an object with a client");
  return toSpreadableStore(new RedisRunStore(options));
}

class RedisRunStore implements RunStore {
  readonly canHandOff = true;
  readonly leaseMs: number;
  readonly #commands: RedisCommands;
  readonly #listener: RedisListener;
  readonly #waiters = createRunWaiters({
    onFirst: () => {
      if (!this.#isClosed) this.#tickTimer ??= unref(startInterval(() => this.#tick(), tickMs));
    },
  });
  readonly #names = new Map<string, Names>();
  #tickTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: RedisRunStoreOptions) {
    const { client, prefix = "kortyx:" } = options;
    checkClient(client, prefix);
    const commandTimeoutMs = parseTimeoutMs("commandTimeoutMs", options.commandTimeoutMs ?? 2_000);
    const { retentionMs, leaseMs } = readRunStoreTimes(options);
    this.leaseMs = leaseMs;
    this.#commands = new RedisCommands({
      client,
      prefix,
      times: [leaseMs, retentionMs],
      commandTimeoutMs,
    });
    this.#listener = createRedisListener(client, prefix, (runId, lastSeq) => this.#announce(runId, lastSeq));
  }

  async open(request: OpenRun): Promise<OpenedRun> {
    const { runId, owner, sessionId = "", key = "", bodyHash, maxOpenRuns, allowActiveRun } = request;
    const opened = await this.#commands
      .run("open", [
        runId,
        owner,
        sessionId,
        key,
        bodyHash,
        maxOpenRuns,
        allowActiveRun ? 1 : 0,
        producerLostJson,
        stringifyChunk(stopped),
      ])
      .catch(orWhen<unknown>(isMemoryFull, ["store-full"]));
    const [status, id, ...fields] = opened as [OpenedRun["status"], string, ...Fields];
    return { status, run: id === undefined ? undefined : toRecord(id, fields) } as OpenedRun;
  }

  async append(runId: string, firstSeq: number, entries: readonly string[]): Promise<AppendResult> {
    const appended = await this.#commands
      .run("append", [runId, firstSeq, ...entries])
      .catch(orWhen<unknown>(isMemoryFull, "full"));
    if (appended === "ok") this.#announce(runId, firstSeq + entries.length - 1);
    return appended as AppendResult;
  }

  async renew(runId: string): Promise<AppendResult> {
    return (await this.#commands.run("renew", [runId])) as AppendResult;
  }

  async end(runId: string, terminal: RunTerminal, lastSeq = -1): Promise<RunTerminal | undefined> {
    return this.#end("end", [runId, stringifyChunk(terminal), lastSeq, producerLostJson]);
  }

  async endIfLeaseExpired(runId: string): Promise<RunTerminal | undefined> {
    return this.#end("endIfLeaseExpired", [runId, producerLostJson]);
  }

  async read(runId: string, after: number, limit: number): Promise<RunPage | undefined> {
    const known = this.#names.get(runId);
    const page = await this.#readPage(runId, after, limit, known === undefined ? "names" : "no-names");
    if (page === null) return undefined;
    const [seq, terminal, entries, leaseLeftMs, read] = page;
    const names = known ?? (read as Names);
    if (known === undefined) this.#remember(runId, names);
    return { run: toRecord(runId, [...names, seq, terminal]), entries, leaseLeftMs };
  }

  async wait(runId: string, after: number, signal: AbortSignal): Promise<void> {
    if (this.#isClosed || signal.aborted || this.#listener.takeHeard(runId, after)) return;
    const waiting = this.#waiters.wait(runId, after, signal);
    // The waiter gets the same failure when the tick wakes it and it reads.
    if (!this.#listener.has(runId)) this.#catchUp(runId, after).catch(() => {});
    await waiting;
  }

  async latest(owner: string, sessionId: string): Promise<RunRecord | undefined> {
    const found = (await this.#commands.run("latest", [owner, sessionId])) as [string, ...Fields] | null;
    if (found === null) return undefined;
    const [id, ...fields] = found;
    return toRecord(id, fields);
  }

  async stopKey(owner: string, key: string): Promise<string | undefined> {
    const runId = await this.#commands.run("stopKey", [owner, key, stoppedKeyMs, maxStoppedKeys]);
    return (runId as string | null) ?? undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#tickTimer);
    this.#waiters.wakeAll();
    this.#listener.close();
    this.#commands.close();
  }

  async #end(script: "end" | "endIfLeaseExpired", values: [runId: string, ...ScriptValue[]]) {
    const json = (await this.#commands.run(script, values)) as string | null;
    if (json === null) return undefined;
    this.#announce(values[0], Number.POSITIVE_INFINITY);
    return JSON.parse(json) as RunTerminal;
  }

  /** The log has reached this position; Infinity when it has ended. */
  #announce(runId: string, lastSeq: number): void {
    this.#listener.note(runId, lastSeq);
    this.#waiters.wake(runId, lastSeq);
  }

  #tick(): void {
    const waitedFor = new Set(this.#waiters.runIds());
    if (!this.#listener.tick(waitedFor) && waitedFor.size === 0) {
      clearInterval(this.#tickTimer);
      this.#tickTimer = undefined;
    }
    this.#waiters.wakeAll();
  }

  /** Finds entries written before we listened. */
  async #catchUp(runId: string, after: number): Promise<void> {
    // Otherwise only the end matters, which is announced for every run.
    const wantsEntries = after < Number.MAX_SAFE_INTEGER;
    await this.#listener.listen(wantsEntries ? runId : undefined);
    this.#announce(runId, await this.#lastSeqOf(runId));
  }

  /** The last position; Infinity if the run has ended or is gone. */
  async #lastSeqOf(runId: string): Promise<number> {
    const page = await this.#readPage(runId, -1, 0, "no-names");
    return page === null || page[1] !== null ? Number.POSITIVE_INFINITY : Number(page[0]);
  }

  /** @param wanted - Whether the last element holds owner and session. */
  async #readPage(runId: string, after: number, limit: number, wanted: "names" | "no-names") {
    const page = await this.#commands.run("read", [runId, after, limit, wanted === "names" ? 1 : 0]);
    return page as [string, string | null, string[], number, Names | []] | null;
  }

  #remember(runId: string, names: Names): void {
    this.#names.set(runId, names);
    const [oldest] = this.#names.keys();
    if (this.#names.size > maxNames) this.#names.delete(oldest!);
  }
}

const producerLostJson = stringifyChunk(producerLost);

/** Whether Redis has no free memory. */
const isMemoryFull = (error: unknown): boolean => /\bOOM command not allowed\b/.test(String(error));

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
  // A cluster selects the node for a script by the part of its key in braces.
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
