/**
 * Runs the scripts of the Redis store, on the client of the caller or, while that does not answer, on a duplicate of it.
 * Knows no run.
 */

import { startTimer, type Timer, unref } from "../stream/start-timer.ts";
import { formatNumber, type RedisScriptName, redisScript } from "./redis-scripts.ts";

interface ScriptCalls {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** What the store uses of a client of the `redis` package. The caller closes it. */
export interface RedisClient extends ScriptCalls {
  withCommandOptions(options: { abortSignal: AbortSignal }): ScriptCalls;
  /** For the connections of the store's own. */
  duplicate(): RedisConnection;
}

export interface RedisConnection extends RedisClient {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  on(event: "error" | "ready", listener: (error?: unknown) => void): unknown;
  destroy(): unknown;
}

/** What a script takes; sent as text. */
export type ScriptValue = string | number;

/** A new connection that has not been answered after this many milliseconds is given up. */
const connectTimeoutMs = 5_000;

export interface OwnConnection {
  connection: RedisConnection;
  /** Rejects when there is no connection within 5 s; it is destroyed then. */
  opened: Promise<void>;
}

/** Opens a connection like that of the client. */
export function openConnection(client: RedisClient): OwnConnection {
  const connection = client.duplicate();
  connection.on("error", () => {});
  // The client's own timeout covers the socket, and not the greeting that follows.
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
      // It has given up by itself.
    }
  };
  // A connection whose socket is just being opened would stay open.
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
  /** The client, or a duplicate in its place. */
  #current: RedisClient | RedisConnection;
  /** What may take the place of a connection that does not answer. */
  #candidate: OwnConnection | undefined;
  /** How many commands were answered, on whatever connection. */
  #answers = 0;
  #formatChecked: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RedisCommandsOptions) {
    this.#options = options;
    this.#current = options.client;
  }

  /** Rejects with an error of Redis, when Redis does not answer in time, and after `close`. */
  async run(script: RedisScriptName, values: readonly ScriptValue[]): Promise<unknown> {
    // Once in the life of the store; again after a failure.
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
    if (this.#isClosed) throw new Error("The store of runs is closed.");
    const { commandTimeoutMs } = this.#options;
    const abort = new AbortController();
    const asked = this.#current;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = startTimer(() => {
        reject(new Error(`Redis has not answered within ${commandTimeoutMs} ms.`));
        // The client would otherwise send it when Redis is back, although the caller has given it up.
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
    // The one key routes the script in a cluster; the signal takes it back while the client has not sent it.
    const calls = this.#current.withCommandOptions({ abortSignal: signal });
    const parameters = { keys: [prefix], arguments: [...times, ...values].map(String) };
    try {
      return await calls.evalSha(await this.#hashOf(name), parameters);
    } catch (error) {
      // Redis forgets scripts when it is restarted or flushed, and each node of a cluster learns them for itself.
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
   * A connection can stop carrying packets without being closed; then the client waits for as long as TCP does, up to
   * hours. A new connection that is answered first shows it: a slow Redis would be slow there, too.
   */
  async #replaceSilentConnection(): Promise<void> {
    if (this.#candidate !== undefined || this.#isClosed) return;
    const answersBefore = this.#answers;
    const { connection, opened } = openConnection(this.#options.client);
    this.#candidate = { connection, opened };
    try {
      await opened;
      // When Redis was slow, the answers to both connections come at about the same time. In two steps: between two
      // timers, what has arrived is read.
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
