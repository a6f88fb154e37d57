/**
 * Keeps runs in Redis: they survive every process but Redis itself, and all machines share them. Scripts, commands and
 * the listening connection are in separate files.
 */
import { stringifyChunk } from "@kortyx/protocol";
import { checkObjectOption, parseTimeoutMs } from "@kortyx/protocol/internal";
import { type RedisClient, toRedisLink } from "./stores/redis-client.ts";
import { RedisCommands, type ScriptValue } from "./stores/redis-commands.ts";
import { formatNumber, type OwnerKeys, RedisKeys, toPrefix } from "./stores/redis-keys.ts";
import { type Announced, RedisListener } from "./stores/redis-listener.ts";
import type { RedisScriptName } from "./stores/redis-scripts.ts";
import { WrittenRuns } from "./stores/redis-written-runs.ts";
import { placeInId, placeOf } from "./stores/run-id.ts";
import {
  type AppendResult,
  maxStoppedKeys,
  type OpenedRun,
  type OpenRun,
  orWhen,
  producerLostTerminal,
  type RunPage,
  type RunRecord,
  type RunStore,
  type RunStoreOptions,
  type RunTerminal,
  readRunStoreTimes,
  stoppedKeyMs,
  stoppedTerminal,
  toSpreadableStore,
} from "./stores/run-store.ts";
import { createRunWaiters } from "./stores/run-waiters.ts";
import { checkNames } from "./stream/check-names.ts";
import { startInterval, type Timer, unref } from "./stream/start-timer.ts";

export type { RedisClient };

/** Options of {@link createRedisRunStore}. */
export interface RedisRunStoreOptions extends RunStoreOptions {
  /**
   * A connected client of the `redis` package, made by `createClient` or `createCluster`, or a client of `ioredis`, a
   * `Redis` or a `Cluster`; version 5 or later of either. The store opens one more connection like it to listen, and
   * another one to replace a connection that does not reply. With `ioredis`, it also opens one for its commands, and
   * the client need not be connected.
   */
  client: RedisClient;
  /**
   * The prefix of every key and channel, different for each application. A cluster spreads runs over its nodes by owner;
   * a prefix with a hash tag, as in `"{kortyx}:"`, keeps all of them on one node.
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

/** Every option; one that is missing here is a type error. */
const optionNames: Record<keyof RedisRunStoreOptions, true> = {
  client: true,
  prefix: true,
  commandTimeoutMs: true,
  retentionMs: true,
  leaseMs: true,
};

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
 * @throws RangeError for a time that is not a number of milliseconds, TypeError for anything but a client that it can use,
 * for a prefix with `"{}"` in it, and for an option of an unknown name.
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
  // With the `keyPrefix` of ioredis for `prefix`, two applications would share their keys.
  checkNames("createRedisRunStore", options, optionNames);
  return toSpreadableStore(new RedisRunStore(options));
}

class RedisRunStore implements RunStore {
  readonly canHandOff = true;
  readonly leaseMs: number;
  readonly #prefix: string;
  readonly #keys: RedisKeys;
  readonly #commands: RedisCommands;
  readonly #listener: RedisListener;
  readonly #waiters = createRunWaiters({
    onFirst: () => {
      if (!this.#isClosed) this.#tickTimer ??= unref(startInterval(() => this.#tick(), tickMs));
    },
  });
  readonly #names = new Map<string, Names>();
  readonly #written: WrittenRuns;
  /** The runs that this process is opening, by the name of their owner's open runs. */
  readonly #opening = new Map<string, Set<string>>();
  /** Whether runs of an earlier version may be left, once that is known. */
  #hasEarlierRuns: Promise<boolean> | undefined;
  #tickTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: RedisRunStoreOptions) {
    const commandTimeoutMs = parseTimeoutMs("commandTimeoutMs", options.commandTimeoutMs ?? 2_000);
    const link = toRedisLink(options.client, commandTimeoutMs);
    const prefix = toPrefix(link.keyPrefix, options.prefix ?? "kortyx:");
    const { retentionMs, leaseMs } = readRunStoreTimes(options);
    this.leaseMs = leaseMs;
    this.#written = new WrittenRuns(leaseMs);
    this.#prefix = prefix;
    const keys = new RedisKeys(prefix, link.isCluster);
    this.#keys = keys;
    this.#commands = new RedisCommands({ link, times: [leaseMs, retentionMs], commandTimeoutMs });
    this.#listener = new RedisListener({
      link,
      channelOf: (runId, announced) => keys.channelOf(runId, announced),
      onPosition: (runId, lastSeq) => this.#announce(runId, lastSeq),
    });
  }

  async open(request: OpenRun): Promise<OpenedRun> {
    const { runId, owner, sessionId = "", key = "", bodyHash, maxOpenRuns, allowActiveRun } = request;
    // A run without either has no names, but a script has no optional keys in the middle.
    const place = owner + key === "" ? placeInId(runId) : placeOf(owner, key);
    const formats = await this.#formatsOf(place);
    const names = formats.map((of) => this.#keys.ofOwner(of, request));
    const opening = this.#opening.get(names[0]!.open) ?? new Set();
    // Calls that began earlier open runs that this one has to declare.
    const others = new Set(opening);
    this.#opening.set(names[0]!.open, opening.add(runId));
    const opened = await this.#runDeclaring(
      "open",
      [
        ...this.#keys.ofRun(runId),
        ...names.flatMap(({ open, key, session, stops }) => [open, key, session, stops]),
      ],
      [
        ...[runId, owner, sessionId, key, bodyHash, maxOpenRuns, allowActiveRun ? 1 : 0],
        ...[producerLostJson, stringifyChunk(stoppedTerminal), formats.length],
      ],
      others,
    )
      .catch(orWhen<unknown>(isMemoryFull, ["store-full"]))
      .finally(() => {
        opening.delete(runId);
        if (opening.size === 0) this.#opening.delete(names[0]!.open);
      });
    const [status, id, ...fields] = opened as [OpenedRun["status"], string, ...Fields];
    const run = id === undefined ? undefined : toRecord(id, fields);
    if (status === "created" && run?.terminal === undefined) this.#written.add(request, names[0]!);
    return { status, run } as OpenedRun;
  }

  async append(runId: string, firstSeq: number, entries: readonly string[]): Promise<AppendResult> {
    const appended = await this.#renew("append", runId, [firstSeq, ...entries]).catch(
      orWhen<AppendResult>(isMemoryFull, "full"),
    );
    if (appended === "ok") this.#announce(runId, firstSeq + entries.length - 1);
    return appended;
  }

  async renew(runId: string): Promise<AppendResult> {
    return this.#renew("renew", runId, []);
  }

  async end(runId: string, terminal: RunTerminal, lastSeq = -1): Promise<RunTerminal | undefined> {
    return this.#end("end", runId, [stringifyChunk(terminal), lastSeq, producerLostJson]);
  }

  async endIfLeaseExpired(runId: string): Promise<RunTerminal | undefined> {
    return this.#end("endIfLeaseExpired", runId, [producerLostJson]);
  }

  async read(runId: string, after: number, limit: number): Promise<RunPage | undefined> {
    const known = this.#names.get(runId);
    const page = await this.#readPage(runId, after, limit, known === undefined ? "names" : "no-names");
    if (page === null) return undefined;
    const [seq, terminal, entries, leaseLeftMs, read] = page;
    const names = known ?? (read as Names);
    if (known === undefined) this.#remember(runId, names);
    // An earlier version announces an end elsewhere.
    if (placeInId(runId) !== undefined) {
      this.#listener.noteRead(runId, terminal === null ? Number(seq) : Number.POSITIVE_INFINITY);
    }
    return { run: toRecord(runId, [...names, seq, terminal]), entries, leaseLeftMs };
  }

  async wait(runId: string, after: number, signal: AbortSignal): Promise<void> {
    const announced = after < Number.MAX_SAFE_INTEGER ? "entries" : "end";
    if (this.#isClosed || signal.aborted || this.#listener.takeHeard(runId, announced, after)) return;
    const waiting = this.#waiters.wait(runId, after, signal);
    // The waiter gets the same failure when the tick wakes it and it reads.
    if (!this.#listener.has(runId, announced)) this.#catchUp(runId, announced).catch(() => {});
    await waiting;
  }

  async latest(owner: string, sessionId: string): Promise<RunRecord | undefined> {
    const keys = await this.#keysOf({ owner, sessionId }, ({ session }) => [session]);
    const runId = (await this.#run("latest", keys, [])) as string | null;
    return runId === null ? undefined : (await this.read(runId, Number.MAX_SAFE_INTEGER, 0))?.run;
  }

  async stopKey(owner: string, key: string): Promise<string | undefined> {
    const keys = await this.#keysOf({ owner, key }, (names) => [names.key, names.stops]);
    const [, runId] = (await this.#runDeclaring("stopKey", keys, [
      ...[key, stoppedKeyMs, maxStoppedKeys],
      keys.length / 2,
    ])) as [status: string, runId?: string];
    return runId;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#tickTimer);
    this.#waiters.wakeAll();
    this.#listener.close();
    this.#commands.close();
  }

  /** Also extends the expiry of the run's names, now and then: this process knows them. */
  async #renew(script: "append" | "renew", runId: string, values: ScriptValue[]): Promise<AppendResult> {
    const now = performance.now();
    const names = this.#written.dueNames(runId, now);
    const keys = [...this.#keys.ofRun(runId), ...(names ?? [])];
    const result = (await this.#run(script, keys, values)) as AppendResult;
    if (result !== "ok") this.#written.delete(runId);
    else if (names !== undefined) this.#written.noteExtended(runId, now);
    return result;
  }

  async #end(script: "end" | "endIfLeaseExpired", runId: string, values: ScriptValue[]) {
    const keys = [...this.#keys.ofRun(runId), ...this.#namesToEnd(runId)];
    const json = (await this.#run(script, keys, [runId, ...values])) as string | null;
    if (json === null) return undefined;
    this.#written.delete(runId);
    this.#announce(runId, Number.POSITIVE_INFINITY);
    return JSON.parse(json) as RunTerminal;
  }

  /** The owner's open runs, and the key, as far as this process knows them. The next run of the owner finds the rest. */
  #namesToEnd(runId: string): string[] {
    const endKeys = this.#written.endKeysOf(runId);
    if (endKeys !== undefined) return endKeys;
    const [owner] = this.#names.get(runId) ?? [];
    return owner ? [this.#keys.ofOwner(placeInId(runId), { owner }).open] : [];
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
  async #catchUp(runId: string, announced: Announced): Promise<void> {
    await this.#listener.listen(runId, announced);
    this.#announce(runId, await this.#lastSeqOf(runId));
  }

  /** The last position; Infinity if the run has ended or is gone. */
  async #lastSeqOf(runId: string): Promise<number> {
    const page = await this.#readPage(runId, -1, 0, "no-names");
    return page === null || page[1] !== null ? Number.POSITIVE_INFINITY : Number(page[0]);
  }

  /** @param wanted - Whether the last element holds owner and session. */
  async #readPage(runId: string, after: number, limit: number, wanted: "names" | "no-names") {
    const values = [after, limit, wanted === "names" ? 1 : 0];
    const page = await this.#run("read", this.#keys.ofRun(runId), values);
    return page as [string, string | null, string[], number, Names | []] | null;
  }

  #remember(runId: string, names: Names): void {
    this.#names.set(runId, names);
    const [oldest] = this.#names.keys();
    if (this.#names.size > maxNames) this.#names.delete(oldest!);
  }

  async #keysOf(
    named: Parameters<RedisKeys["ofOwner"]>[1],
    select: (keys: OwnerKeys) => string[],
  ): Promise<string[]> {
    const formats = await this.#formatsOf(placeOf(named.owner, named.key));
    return formats.flatMap((place) => select(this.#keys.ofOwner(place, named)));
  }

  /** Where names are looked for: at this place, and without one if runs of an earlier version may be left. */
  async #formatsOf(place: string | undefined): Promise<(string | undefined)[]> {
    return (await this.#checkFormat()) ? [place, undefined] : [place];
  }

  async #run(script: RedisScriptName, keys: string[], values: ScriptValue[]): Promise<unknown> {
    await this.#checkFormat();
    return this.#commands.run(script, keys, values);
  }

  /** Calls the script again with the keys of other runs, if it asks for them: the owner may have begun one meanwhile. */
  async #runDeclaring(
    script: "open" | "stopKey",
    keys: string[],
    values: ScriptValue[],
    others = new Set<string>(),
  ): Promise<unknown> {
    for (;;) {
      const ids = [...others];
      const found = await this.#run(
        script,
        [...keys, ...ids.flatMap((id) => this.#keys.ofRun(id))],
        [...values, ...ids],
      );
      const [status, ...undeclared] = found as [string, ...string[]];
      if (status !== "declare") return found;
      for (const id of undeclared) others.add(id);
    }
  }

  /** Once per store; again after a failure. @returns whether runs of an earlier version may be left. */
  #checkFormat(): Promise<boolean> {
    this.#hasEarlierRuns ??= this.#readFormat().catch((error) => {
      this.#hasEarlierRuns = undefined;
      throw error;
    });
    return this.#hasEarlierRuns;
  }

  async #readFormat(): Promise<boolean> {
    const read = await this.#commands.run("format", this.#keys.format, [formatNumber]);
    const [found, hasEarlierRuns] = read as [string, number];
    if (Number(found) <= formatNumber) return hasEarlierRuns === 1;
    throw new Error(
      `The runs in Redis under ${JSON.stringify(this.#prefix)} have format ${found}, of a newer version of ` +
        `@kortyx/server; this version knows format ${formatNumber}. Update this process, or give its store ` +
        "another prefix.",
    );
  }
}

const producerLostJson = stringifyChunk(producerLostTerminal);

/** Whether Redis has no free memory. */
const isMemoryFull = (error: unknown): boolean => /\bOOM command not allowed\b/.test(String(error));

const toRecord = (runId: string, [owner, session, seq, terminal]: Fields): RunRecord => ({
  runId,
  owner,
  sessionId: session === "" ? undefined : session,
  lastSeq: Number(seq),
  terminal: terminal === null || terminal === undefined ? undefined : JSON.parse(terminal),
});
