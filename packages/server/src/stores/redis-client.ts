/**
 * The client of the application, whichever library it is of, as the store uses it. Knows nothing about scripts and runs.
 */
import { checkOption } from "@kortyx/protocol/internal";
import { startTimer, unref } from "../stream/start-timer.ts";
import { fromIoRedis, type IoRedisClient, isIoRedis } from "./ioredis-link.ts";
import { fromNodeRedis, isNodeRedis, type NodeRedisClient } from "./node-redis-link.ts";

/** A client that the store can use. */
export type RedisClient = NodeRedisClient | IoRedisClient;

/** A script with its keys, which select the node of a cluster, and its arguments. */
export interface ScriptCall {
  keys: string[];
  values: string[];
}

/** What executes commands. */
export interface RedisCalls {
  /** Aborting the signal withdraws the call until the client has sent it. */
  eval(script: string, call: ScriptCall, signal: AbortSignal): Promise<unknown>;
  evalSha(sha1: string, call: ScriptCall, signal: AbortSignal): Promise<unknown>;
  /** Closes what the store has opened, even if it is still connecting, but not the client of the application. */
  destroy(): void;
}

/** A client of any library, single or of a cluster. */
export interface RedisLink extends RedisCalls {
  /** Keys are on several nodes. */
  readonly isCluster: boolean;
  /** Messages on a channel reach only the node of a cluster that has the key with its name. */
  readonly isSharded: boolean;
  /** What the application's client prepends to keys. The store does that itself, for channels too. */
  readonly keyPrefix: string;
  /** A new connection of the same kind, not connected yet. */
  duplicate(): OwnLink;
}

/** A connection of the store's own, which it opens and closes. */
export interface OwnLink extends RedisCalls {
  connect(): Promise<unknown>;
  subscribe(channel: string, onMessage: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
}

/** A new connection without a reply after this many milliseconds is given up. */
const connectTimeoutMs = 5_000;

export interface OwnConnection {
  connection: OwnLink;
  /** Rejects if there is no connection within 5 s; it is then destroyed. */
  opened: Promise<void>;
}

/** Opens a connection like the client's. */
export function openConnection(link: RedisLink): OwnConnection {
  const connection = link.duplicate();
  // The client's own timeout covers the socket, but not the handshake that follows.
  const opened = new Promise<void>((resolve, reject) => {
    const timer = unref(
      startTimer(() => {
        connection.destroy();
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

/** @throws TypeError for anything but a usable client of a known library. */
export function toRedisLink(client: RedisClient, commandTimeoutMs: number): RedisLink {
  if (isNodeRedis(client)) return fromNodeRedis(client);
  checkOption(
    "client",
    isIoRedis(client),
    "a client of the redis package, version 5 or later, as `await createClient({ url }).connect()` returns it, or one " +
      "of ioredis, as `new Redis(url)` creates it (not a pool)",
    client,
  );
  return fromIoRedis(client, commandTimeoutMs);
}
