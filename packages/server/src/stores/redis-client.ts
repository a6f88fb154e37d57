/**
 * The client of the application, whichever library it is of, as the store uses it. Knows nothing about scripts and runs.
 */
import { checkOption } from "@kortyx/protocol/internal";
import { startTimer, unref } from "../stream/start-timer.ts";

/** The part of a client of the `redis` package that the store uses. The caller closes it. */
interface NodeRedisClient {
  withCommandOptions(options: { abortSignal: AbortSignal }): NodeRedisCalls;
  /** For the store's own connections. */
  duplicate(): NodeRedisConnection;
}

interface NodeRedisCalls {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** A connection of the store's own. A cluster has the channels of its nodes, a single server its own. */
interface NodeRedisConnection extends NodeRedisClient {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  sUnsubscribe(channel: string): Promise<unknown>;
  on(event: "error" | "ready", listener: (error?: unknown) => void): unknown;
  destroy(): unknown;
}

/** A connected client that the store can use. */
export type RedisClient = NodeRedisClient;

/** A script with its keys, which select the node of a cluster, and its arguments. */
export interface ScriptCall {
  keys: string[];
  values: string[];
}

/** A client of any library, single or of a cluster. */
export interface RedisLink {
  /** Messages on a channel reach only the node of a cluster that has the key with its name. */
  readonly isSharded: boolean;
  /** Aborting the signal withdraws the call until the client has sent it. */
  eval(script: string, call: ScriptCall, signal: AbortSignal): Promise<unknown>;
  evalSha(sha1: string, call: ScriptCall, signal: AbortSignal): Promise<unknown>;
  /** A new connection of the same kind, not connected yet. */
  duplicate(): OwnLink;
}

/** A connection of the store's own, which it opens and closes. */
export interface OwnLink extends RedisLink {
  connect(): Promise<unknown>;
  subscribe(channel: string, onMessage: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Also one that is still connecting. */
  destroy(): void;
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

const nodeRedisMethods = ["eval", "evalSha", "withCommandOptions", "duplicate"] as const;

/** @throws TypeError for anything but a connected client of a known library. */
export function toRedisLink(client: RedisClient): RedisLink {
  checkOption(
    "client",
    nodeRedisMethods.every(
      (name) => typeof (client as unknown as Record<string, unknown>)?.[name] === "function",
    ),
    "a client of the redis package, version 5 or later, as `await createClient({ url }).connect()` returns it " +
      "(neither a pool nor a client of ioredis)",
    client,
  );
  if ((client as { isOpen?: boolean }).isOpen === false) {
    throw new TypeError(
      "client must be connected: call `await client.connect()` before createRedisRunStore().",
    );
  }
  return fromNodeRedis(client);
}

function fromNodeRedis(client: NodeRedisClient): RedisLink {
  const withSignal = (abortSignal: AbortSignal) => client.withCommandOptions({ abortSignal });
  return {
    isSharded: isNodeRedisCluster(client),
    eval: (script, { keys, values }, signal) => withSignal(signal).eval(script, { keys, arguments: values }),
    evalSha: (sha1, { keys, values }, signal) =>
      withSignal(signal).evalSha(sha1, { keys, arguments: values }),
    duplicate: () => ownNodeRedis(client.duplicate()),
  };
}

/** Only a cluster has slots. */
const isNodeRedisCluster = (client: object): boolean => "slots" in client;

function ownNodeRedis(connection: NodeRedisConnection): OwnLink {
  connection.on("error", () => {});
  const link = fromNodeRedis(connection);
  const destroy = () => {
    try {
      connection.destroy();
    } catch {
      // It gave up on its own.
    }
  };
  return {
    ...link,
    connect: () => connection.connect(),
    subscribe: (channel, onMessage) =>
      link.isSharded ? connection.sSubscribe(channel, onMessage) : connection.subscribe(channel, onMessage),
    unsubscribe: (channel) =>
      link.isSharded ? connection.sUnsubscribe(channel) : connection.unsubscribe(channel),
    destroy() {
      // A connection whose socket is still opening would stay open.
      connection.on("ready", destroy);
      destroy();
    },
  };
}
