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

export interface RedisCommands {
  /** Rejects with an error of Redis, when Redis does not answer in time, and after `close`. */
  run(script: RedisScriptName, values: readonly (string | number)[]): Promise<unknown>;
  /** Destroys a connection of its own. */
  close(): void;
}

export function createRedisCommands(options: RedisCommandsOptions): RedisCommands {
  const { client, prefix, times, commandTimeoutMs } = options;
  const hashes = new Map<RedisScriptName, Promise<string>>();
  /** The client, or a duplicate in its place. */
  let current: RedisClient | RedisConnection = client;
  /** What may take the place of a connection that does not answer. */
  let candidate: OwnConnection | undefined;
  let answers = 0;
  let isClosed = false;
  let formatChecked: Promise<void> | undefined;

  function hashOf(name: RedisScriptName): Promise<string> {
    const hash = hashes.get(name) ?? sha1(redisScript(name));
    hashes.set(name, hash);
    return hash;
  }

  async function evaluate(
    name: RedisScriptName,
    values: readonly (string | number)[],
    signal: AbortSignal,
  ): Promise<unknown> {
    // The one key routes the script in a cluster; the signal takes it back while the client has not sent it.
    const calls = current.withCommandOptions({ abortSignal: signal });
    const parameters = { keys: [prefix], arguments: [...times, ...values].map(String) };
    try {
      return await calls.evalSha(await hashOf(name), parameters);
    } catch (error) {
      // Redis forgets scripts when it is restarted or flushed, and each node of a cluster learns them for itself.
      if (!String(error).includes("NOSCRIPT")) throw error;
      return calls.eval(redisScript(name), parameters);
    }
  }

  async function ask(name: RedisScriptName, values: readonly (string | number)[]): Promise<unknown> {
    if (isClosed) throw new Error("The store of runs is closed.");
    const abort = new AbortController();
    const asked = current;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = startTimer(() => {
        reject(new Error(`Redis has not answered within ${commandTimeoutMs} ms.`));
        // The client would otherwise send it when Redis is back, although the caller has given it up.
        abort.abort();
        if (asked === current) replaceSilentConnection();
      }, commandTimeoutMs);
    });
    const countAnswer = () => {
      answers++;
    };
    const answer = evaluate(name, values, abort.signal);
    answer.then(countAnswer, () => !abort.signal.aborted && countAnswer());
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * A connection can stop carrying packets without being closed; then the client waits for as long as TCP does, up to
   * hours. A new connection that is answered first shows it: a slow Redis would be slow there, too.
   */
  function replaceSilentConnection(): void {
    if (candidate !== undefined || isClosed) return;
    const answersBefore = answers;
    const opening = openConnection(client);
    candidate = opening;
    // When Redis was slow, the answers to both connections come at about the same time. In two steps: between two timers,
    // what has arrived is read.
    const pause = () => new Promise<void>((resolve) => unref(startTimer(resolve, commandTimeoutMs / 8)));
    opening.opened
      .then(pause)
      .then(pause)
      .then(() => {
        if (answers !== answersBefore) return destroyConnection(opening.connection);
        destroyOwn();
        current = opening.connection;
      })
      .catch(() => destroyConnection(opening.connection))
      .finally(() => {
        candidate = undefined;
      });
  }

  function destroyOwn(): void {
    if (current !== client) destroyConnection(current as RedisConnection);
  }

  /** Once in the life of the store; again after a failure. */
  function checkFormat(): Promise<void> {
    formatChecked ??= ask("format", [formatNumber])
      .then((found) => {
        if (Number(found) <= formatNumber) return;
        throw new Error(
          `The runs in Redis under ${JSON.stringify(prefix)} have format ${found}, of a newer version of ` +
            `@kortyx/server; this version knows format ${formatNumber}. Update this process, or give its store ` +
            "another prefix.",
        );
      })
      .catch((error) => {
        formatChecked = undefined;
        throw error;
      });
    return formatChecked;
  }

  return {
    async run(script, values) {
      await checkFormat();
      return ask(script, values);
    },
    close() {
      isClosed = true;
      destroyOwn();
      if (candidate !== undefined) destroyConnection(candidate.connection);
    },
  };
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
