/**
 * Clients of `ioredis` and its forks, single or of a cluster. Such a client cannot withdraw a command: it queues those
 * that are given to it while offline, and repeats those that were unanswered when its connection closed. So the store
 * opens a connection of its own for its commands, too, which does neither.
 */
import type { OwnLink, RedisLink } from "./redis-client.ts";

/** The part of a client of `ioredis` that the store uses. The caller closes it. */
export interface IoRedisClient {
  readonly status: string;
  eval(script: string, numberOfKeys: number, ...keysAndValues: string[]): Promise<unknown>;
  evalsha(sha1: string, numberOfKeys: number, ...keysAndValues: string[]): Promise<unknown>;
  /** For the store's own connections. */
  duplicate(): IoRedisClient;
}

/** What both kinds of clients have. */
interface IoRedis extends IoRedisClient {
  readonly isCluster: boolean;
  readonly options: { keyPrefix?: string; shardedSubscribers?: boolean };
  /** With options that differ; those of a cluster follow a list of nodes. */
  duplicate(...overrides: object[]): IoRedis;
  connect(): Promise<unknown>;
  disconnect(): void;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ssubscribe(channel: string): Promise<unknown>;
  sunsubscribe(channel: string): Promise<unknown>;
  on(event: "ready" | "error", listener: () => void): unknown;
  on(event: "message" | "smessage", listener: (channel: string, message: string) => void): unknown;
}

/** A silent node of a cluster is given up after this many milliseconds, if commands may not take longer. */
const minConnectTimeoutMs = 1_000;

/** With a random part, so that many processes do not reconnect together. */
const retryDelayMs = (attempt: number): number => Math.min(attempt * 50, 1_000) * (1 + Math.random());

/** Options that the store needs, whatever the client of the application has. */
const ownOptions = {
  lazyConnect: true,
  // Everything that is unanswered when a connection closes fails, and is not repeated on the next one.
  maxRetriesPerRequest: 0,
  autoResubscribe: true,
  // Unlike the client of the application, they never give up.
  retryStrategy: retryDelayMs,
  enableAutoPipelining: false,
  // The store has its own.
  commandTimeout: undefined,
  // Otherwise a silent connection would keep a process alive.
  disconnectTimeout: 0,
  // The store prepends it, because it applies to keys, but not to all channels.
  keyPrefix: "",
  monitor: false,
  stringNumbers: false,
};

export function isIoRedis(client: unknown): client is IoRedisClient {
  const found = client as Record<string, unknown> | null | undefined;
  const hasMethods = ["eval", "evalsha", "duplicate", "disconnect"].every(
    (name) => typeof found?.[name] === "function",
  );
  return hasMethods && typeof found?.status === "string";
}

/** @throws TypeError for a client that was closed. */
export function fromIoRedis(given: IoRedisClient, commandTimeoutMs: number): RedisLink {
  if (given.status === "end") {
    throw new TypeError(
      "client must not be closed: create a client for createRedisRunStore() that you have not disconnected.",
    );
  }
  const client = given as IoRedis;
  const duplicate = () => toOwnLink(duplicateOf(client, commandTimeoutMs));
  let own: OwnLink | undefined;
  let isDestroyed = false;
  const open = () => {
    if (isDestroyed) throw closed();
    if (own === undefined) {
      own = duplicate();
      // While it fails, calls wait for it.
      own.connect().catch(() => {});
    }
    return own;
  };
  return {
    isCluster: client.isCluster,
    isSharded: isSharded(client),
    keyPrefix: client.options.keyPrefix ?? "",
    eval: async (...call) => open().eval(...call),
    evalSha: async (...call) => open().evalSha(...call),
    duplicate,
    destroy() {
      isDestroyed = true;
      own?.destroy();
    },
  };
}

/** Versions that cannot subscribe to the channels of a cluster's nodes lack the option. */
const isSharded = ({ isCluster, options }: IoRedis): boolean => isCluster && "shardedSubscribers" in options;

function duplicateOf(client: IoRedis, commandTimeoutMs: number): IoRedis {
  if (!client.isCluster) return client.duplicate(ownOptions);
  const redisOptions = {
    ...ownOptions,
    // A node queues commands while it connects. These two make it fail them before, or soon after, their callers give up.
    enableReadyCheck: false,
    ...(commandTimeoutMs > 0 && { connectTimeout: Math.max(commandTimeoutMs, minConnectTimeoutMs) }),
  };
  return client.duplicate([], {
    ...ownOptions,
    redisOptions,
    clusterRetryStrategy: retryDelayMs,
    ...(isSharded(client) && { shardedSubscribers: true }),
    // Callers try again themselves, and know when to stop.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    // Otherwise it would ask the nodes 16 times, without a pause, where a script's keys are.
    maxRedirections: 4,
  });
}

function toOwnLink(connection: IoRedis): OwnLink {
  const gate = new ReadyGate(connection);
  const onMessage = new Map<string, (message: string) => void>();
  const sharded = isSharded(connection);
  connection.on("error", () => {});
  connection.on(sharded ? "smessage" : "message", (channel, message) => onMessage.get(channel)?.(message));
  return {
    async eval(script, { keys, values }, signal) {
      await gate.pass(signal);
      return connection.eval(script, keys.length, ...keys, ...values);
    },
    async evalSha(sha1, { keys, values }, signal) {
      await gate.pass(signal);
      return connection.evalsha(sha1, keys.length, ...keys, ...values);
    },
    connect: () => connection.connect(),
    async subscribe(channel, listener) {
      onMessage.set(channel, listener);
      await gate.pass();
      return sharded ? connection.ssubscribe(channel) : connection.subscribe(channel);
    },
    async unsubscribe(channel) {
      onMessage.delete(channel);
      return sharded ? connection.sunsubscribe(channel) : connection.unsubscribe(channel);
    },
    destroy() {
      gate.close();
      connection.disconnect();
    },
  };
}

/** Holds calls until a connection is ready, so that none is in a queue that the store cannot reach. */
class ReadyGate {
  readonly #connection: IoRedis;
  readonly #waiting = new Set<(error?: Error) => void>();
  #isClosed = false;

  constructor(connection: IoRedis) {
    this.#connection = connection;
    connection.on("ready", () => this.#settle());
  }

  /** Rejects when the signal is aborted, even if the connection is ready, and when the connection is destroyed. */
  async pass(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#connection.status === "ready") return;
    if (this.#isClosed) throw closed();
    let settle: (error?: Error) => void = () => {};
    const withdraw = () => settle(signal?.reason);
    signal?.addEventListener("abort", withdraw);
    try {
      await new Promise<void>((resolve, reject) => {
        settle = (error) => (error === undefined ? resolve() : reject(error));
        this.#waiting.add(settle);
      });
    } finally {
      signal?.removeEventListener("abort", withdraw);
      this.#waiting.delete(settle);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#settle(closed());
  }

  #settle(error?: Error): void {
    for (const settle of this.#waiting) settle(error);
  }
}

const closed = () => new Error("The connection to Redis is closed.");
