/**
 * Runs the scripts of the Redis store, on the caller's client or, while that does not reply, on a duplicate of it.
 * Knows nothing about runs.
 */

import { startTimer, type Timer, unref } from "../stream/start-timer.ts";
import {
  type OwnConnection,
  openConnection,
  type RedisCalls,
  type RedisLink,
  type ScriptCall,
} from "./redis-client.ts";
import { type RedisScriptName, redisScript } from "./redis-scripts.ts";

/** An argument of a script; sent as text. */
export type ScriptValue = string | number;

export interface RedisCommandsOptions {
  link: RedisLink;
  /** The first arguments of every script. */
  times: readonly [leaseMs: number, retentionMs: number];
  commandTimeoutMs: number;
}

/**
 * While a slot moves between nodes and its keys are on both, and when the client has left a node, a script is tried again
 * after this many milliseconds. A script that has run already changes nothing the second time.
 */
const movingRetryMs = 25;

export class RedisCommands {
  readonly #options: RedisCommandsOptions;
  readonly #hashes = new Map<RedisScriptName, Promise<string>>();
  /** The client, or its replacement. */
  #current: RedisCalls;
  /** The possible replacement for a connection that does not reply. */
  #candidate: OwnConnection | undefined;
  #isClosed = false;

  constructor(options: RedisCommandsOptions) {
    this.#options = options;
    this.#current = options.link;
  }

  /**
   * @param keys - On one node of a cluster.
   * @throws an error from Redis, when Redis does not reply in time, and after `close`.
   */
  async run(name: RedisScriptName, keys: string[], values: readonly ScriptValue[]): Promise<unknown> {
    if (this.#isClosed) throw new Error("The run store is closed.");
    const { commandTimeoutMs, times } = this.#options;
    const abort = new AbortController();
    const asked = this.#current;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = startTimer(() => {
        reject(new Error(`Redis did not reply within ${commandTimeoutMs} ms (commandTimeoutMs).`));
        // Otherwise the client would send it when Redis is back, although the caller has given up.
        abort.abort();
        if (asked === this.#current) this.#replaceSilentConnection(keys);
      }, commandTimeoutMs);
    });
    const call = { keys, values: [...times, ...values].map(String) };
    try {
      return await Promise.race([this.#evaluate(name, call, abort.signal), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Destroys the connections that it has opened. */
  close(): void {
    this.#isClosed = true;
    this.#current.destroy();
    this.#candidate?.connection.destroy();
  }

  async #evaluate(name: RedisScriptName, call: ScriptCall, signal: AbortSignal): Promise<unknown> {
    const { isSharded, isCluster } = this.#options.link;
    for (;;) {
      const link = this.#current;
      try {
        return await link.evalSha(await this.#hashOf(name), call, signal).catch((error) => {
          // Redis forgets scripts on restart or flush, and each node of a cluster has to load them.
          if (!String(error).includes("NOSCRIPT")) throw error;
          return link.eval(redisScript(name, isSharded), call, signal);
        });
      } catch (error) {
        const isPassing = isMoving(error) || (isCluster && isLeft(error));
        if (signal.aborted || this.#isClosed || !isPassing) throw error;
      }
      await pause(movingRetryMs);
    }
  }

  #hashOf(name: RedisScriptName): Promise<string> {
    const hash = this.#hashes.get(name) ?? sha1(redisScript(name, this.#options.link.isSharded));
    this.#hashes.set(name, hash);
    return hash;
  }

  /**
   * A connection can silently stop carrying packets; the client then waits as long as TCP does, up to hours. A new
   * connection that receives a reply first proves it: a slow Redis would be slow there, too.
   *
   * @param keys - Of a call without a reply: the other nodes of a cluster may be well.
   */
  async #replaceSilentConnection(keys: string[]): Promise<void> {
    if (this.#candidate !== undefined || this.#isClosed) return;
    const { link, commandTimeoutMs } = this.#options;
    const { connection, opened } = openConnection(link);
    this.#candidate = { connection, opened };
    const abort = new AbortController();
    const probe = (asked: RedisCalls) => asked.eval("return 1", { keys, values: [] }, abort.signal);
    let isAlive = false;
    const markAlive = () => {
      isAlive = true;
    };
    probe(this.#current).then(markAlive, () => {});
    try {
      await opened;
      const timer = unref(startTimer(() => connection.destroy(), commandTimeoutMs));
      await probe(connection).finally(() => clearTimeout(timer));
      // If Redis was slow, both connections receive replies at about the same time. In two steps: between two timers,
      // arrived data is read.
      for (let step = 0; step < 2; step++) await pause(commandTimeoutMs / 8);
      if (isAlive || this.#isClosed) throw new Error("It is not needed.");
      this.#current.destroy();
      this.#current = connection;
    } catch {
      connection.destroy();
    } finally {
      abort.abort();
      this.#candidate = undefined;
    }
  }
}

/** The keys of a script are on two nodes. With `ioredis`, the last error may also be that of the node it has tried next. */
const isMoving = (error: unknown): boolean => /TRYAGAIN|Too many Cluster redirections/.test(String(error));

/** node-redis has left the node that had the call: it is a replica now, or in the cluster no more. */
const isLeft = (error: unknown): boolean => String(error).includes("Disconnects client");

const pause = (ms: number): Promise<void> => new Promise((resolve) => void unref(startTimer(resolve, ms)));

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
