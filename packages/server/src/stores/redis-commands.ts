/**
 * Runs the scripts of the Redis store, on the caller's client or, while that does not reply, on a duplicate of it.
 * Knows nothing about runs.
 */

import { startTimer, type Timer, unref } from "../stream/start-timer.ts";
import { formatNumber, type RedisScriptName, redisScript } from "./redis-scripts.ts";

interface ScriptCalls {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** The part of a `redis` client that the store uses. The caller closes it. */
export interface RedisClient extends ScriptCalls {
  withCommandOptions(options: { abortSignal: AbortSignal }): ScriptCalls;
  /** For the store's own connections. */
  duplicate(): RedisConnection;
}

/** A connection of the store's own, which it opens and closes. */
export interface RedisConnection extends RedisClient {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  on(event: "error" | "ready", listener: (error?: unknown) => void): unknown;
  destroy(): unknown;
}

/** An argument of a script; sent as text. */
export type ScriptValue = string | number;

/** A new connection without a reply after this many milliseconds is given up. */
const connectTimeoutMs = 5_000;

export interface OwnConnection {
  connection: RedisConnection;
  /** Rejects if there is no connection within 5 s; it is then destroyed. */
  opened: Promise<void>;
}

/** Opens a connection like the client's. */
export function openConnection(client: RedisClient): OwnConnection {
  const connection = client.duplicate();
  connection.on("error", () => {});
  // The client's own timeout covers the socket, but not the handshake that follows.
  const opened = new Promise<void>((resolve, reject) => {
    const timer = unref(
      startTimer(() => {
        destroyConnection(connection);
        reject(new Error(`No connection to Redis within ${connectTimeoutMs} ms.`));
      }, connectTimeoutMs),
    );
    connection
      .connect()
      .then(() => resolve(), reject)
      .finally(() => clearTimeout(timer));
  });
  return { connection, opened };
}

export function destroyConnection(connection: RedisConnection): void {
  const destroy = () => {
    try {
      connection.destroy();
    } catch {
      // It gave up on its own.
    }
  };
  // A connection whose socket is still opening would stay open.
  connection.on("ready", destroy);
  destroy();
}

export interface RedisCommandsOptions {
  client: RedisClient;
  prefix: string;
  /** The first arguments of every script. */
  times: readonly [leaseMs: number, retentionMs: number];
  commandTimeoutMs: number;
}

export class RedisCommands {
  readonly #options: RedisCommandsOptions;
  readonly #hashes = new Map<RedisScriptName, Promise<string>>();
  /** The client, or its replacement. */
  #current: RedisClient | RedisConnection;
  /** The possible replacement for a connection that does not reply. */
  #candidate: OwnConnection | undefined;
  /** The number of commands that received a reply, on any connection. */
  #answers = 0;
  #formatChecked: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RedisCommandsOptions) {
    this.#options = options;
    this.#current = options.client;
  }

  /** Rejects with an error from Redis, when Redis does not reply in time, and after `close`. */
  async run(script: RedisScriptName, values: readonly ScriptValue[]): Promise<unknown> {
    // Once per store; again after a failure.
    this.#formatChecked ??= this.#checkFormat().catch((error) => {
      this.#formatChecked = undefined;
      throw error;
    });
    await this.#formatChecked;
    return this.#request(script, values);
  }

  /** Destroys the connections that it has opened. */
  close(): void {
    this.#isClosed = true;
    this.#destroyOwn();
    if (this.#candidate !== undefined) destroyConnection(this.#candidate.connection);
  }

  async #checkFormat(): Promise<void> {
    const found = await this.#request("format", [formatNumber]);
    if (Number(found) <= formatNumber) return;
    throw new Error(
      `The runs in Redis under ${JSON.stringify(this.#options.prefix)} have format ${found}, of a newer version of ` +
        `@kortyx/server; this version knows format ${formatNumber}. Update this process, or give its store ` +
        "another prefix.",
    );
  }

  async #request(name: RedisScriptName, values: readonly ScriptValue[]): Promise<unknown> {
    if (this.#isClosed) throw new Error("The run store is closed.");
    const { commandTimeoutMs } = this.#options;
    const abort = new AbortController();
    const asked = this.#current;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = startTimer(() => {
        reject(new Error(`Redis did not reply within ${commandTimeoutMs} ms (commandTimeoutMs).`));
        // Otherwise the client would send it when Redis is back, although the caller has given up.
        abort.abort();
        if (asked === this.#current) this.#replaceSilentConnection();
      }, commandTimeoutMs);
    });
    const countAnswer = () => {
      this.#answers++;
    };
    const answer = this.#evaluate(name, values, abort.signal);
    answer.then(countAnswer, () => !abort.signal.aborted && countAnswer());
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #evaluate(
    name: RedisScriptName,
    values: readonly ScriptValue[],
    signal: AbortSignal,
  ): Promise<unknown> {
    const { prefix, times } = this.#options;
    // The single key routes the script in a cluster; the signal withdraws it until the client has sent it.
    const calls = this.#current.withCommandOptions({ abortSignal: signal });
    const parameters = { keys: [prefix], arguments: [...times, ...values].map(String) };
    try {
      return await calls.evalSha(await this.#hashOf(name), parameters);
    } catch (error) {
      // Redis forgets scripts on restart or flush, and each node of a cluster has to load them.
      if (!String(error).includes("NOSCRIPT")) throw error;
      return calls.eval(redisScript(name), parameters);
    }
  }

  #hashOf(name: RedisScriptName): Promise<string> {
    const hash = this.#hashes.get(name) ?? sha1(redisScript(name));
    this.#hashes.set(name, hash);
    return hash;
  }

  /**
   * A connection can silently stop carrying packets; the client then waits as long as TCP does, up to hours. A new
   * connection that receives a reply first proves it: a slow Redis would be slow there, too.
   */
  async #replaceSilentConnection(): Promise<void> {
    if (this.#candidate !== undefined || this.#isClosed) return;
    const answersBefore = this.#answers;
    const { connection, opened } = openConnection(this.#options.client);
    this.#candidate = { connection, opened };
    try {
      await opened;
      // If Redis was slow, both connections receive replies at about the same time. In two steps: between two timers,
      // arrived data is read.
      for (let step = 0; step < 2; step++) await this.#pause();
      if (this.#answers === answersBefore) {
        this.#destroyOwn();
        this.#current = connection;
      } else {
        destroyConnection(connection);
      }
    } catch {
      destroyConnection(connection);
    } finally {
      this.#candidate = undefined;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => unref(startTimer(resolve, this.#options.commandTimeoutMs / 8)));
  }

  #destroyOwn(): void {
    if (this.#current !== this.#options.client) destroyConnection(this.#current as RedisConnection);
  }
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
