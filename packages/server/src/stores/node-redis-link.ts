/** Clients of the `redis` package, single or of a cluster. */
import type { OwnLink, RedisLink } from "./redis-client.ts";

/** The part of a client of the `redis` package that the store uses. The caller closes it. */
export interface NodeRedisClient {
  withCommandOptions(options: { abortSignal: AbortSignal }): NodeRedisCalls;
  /** For the store's own connections. */
  duplicate(changes?: object): NodeRedisConnection;
}

/** The part of a cluster that the store uses in addition. */
interface NodeRedisCluster extends NodeRedisClient {
  /** The known masters, each with its connection if there is one. */
  masters: { client?: { options: { socket?: object } } | undefined }[];
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

/** What not every kind of client has. */
interface ClientState {
  isOpen?: boolean;
  isPubSubActive?: boolean;
  options?: { RESP?: number };
}

const methods = ["eval", "evalSha", "withCommandOptions", "duplicate"] as const;

export function isNodeRedis(client: unknown): client is NodeRedisClient {
  const found = client as Record<string, unknown> | null | undefined;
  return methods.every((name) => typeof found?.[name] === "function");
}

/** @throws TypeError for a client that cannot execute commands, and will not. */
export function fromNodeRedis(client: NodeRedisClient): RedisLink {
  const { isOpen, isPubSubActive, options } = client as ClientState;
  if (isOpen === false) {
    throw new TypeError(
      "client must be connected: call `await client.connect()` before createRedisRunStore().",
    );
  }
  if (isPubSubActive && options?.RESP === 2) {
    throw new TypeError(
      "client must be able to execute commands, but in RESP 2 it only listens to channels: create another one for " +
        "createRedisRunStore(), as `await client.duplicate().connect()` does.",
    );
  }
  return toLink(client);
}

function toLink(client: NodeRedisClient): RedisLink {
  const calls = (abortSignal: AbortSignal) => client.withCommandOptions({ abortSignal });
  return {
    isCluster: isCluster(client),
    isSharded: isCluster(client),
    keyPrefix: "",
    eval: (script, { keys, values }, signal) => calls(signal).eval(script, { keys, arguments: values }),
    evalSha: (sha1, { keys, values }, signal) => calls(signal).evalSha(sha1, { keys, arguments: values }),
    duplicate: () => toOwnLink(client.duplicate(isCluster(client) ? changesOf(client) : {})),
    destroy() {},
  };
}

/** Only a cluster has slots. */
const isCluster = (client: NodeRedisClient): client is NodeRedisCluster => "slots" in client;

/** A node without a reply for this many milliseconds is not asked for the others. */
const rootTimeoutMs = 1_000;

/**
 * Another connection to a cluster is needed when a node does not reply, and must not wait for that node: neither to learn
 * of the others, which any of them knows, nor for a connection to each.
 */
function changesOf({ masters }: NodeRedisCluster): object {
  const timeouts = { connectTimeout: rootTimeoutMs, socketTimeout: rootTimeoutMs };
  const rootNodes = masters.flatMap(({ client }) => {
    if (client === undefined) return [];
    const socket = { ...client.options.socket, ...timeouts };
    return [{ ...client.options, clientSideCache: undefined, socket }];
  });
  return { minimizeConnections: true, ...(rootNodes.length > 0 && { rootNodes }) };
}

/**
 * A cluster subscribes again on its own when a node is gone, with this method. It does not handle a failure of that, which
 * would end the process; the store's tick finds what is not announced.
 */
function handleFailures(connection: NodeRedisConnection): void {
  const { sSubscribe } = connection;
  connection.sSubscribe = (...call) => {
    const subscribed = sSubscribe.apply(connection, call);
    subscribed.catch(() => {});
    return subscribed;
  };
}

function toOwnLink(connection: NodeRedisConnection): OwnLink {
  connection.on("error", () => {});
  const { isSharded, eval: evaluate, evalSha } = toLink(connection);
  if (isSharded) handleFailures(connection);
  const destroy = () => {
    try {
      connection.destroy();
    } catch {
      // It gave up on its own.
    }
  };
  return {
    eval: evaluate,
    evalSha,
    connect: () => connection.connect(),
    subscribe: (channel, onMessage) =>
      isSharded ? connection.sSubscribe(channel, onMessage) : connection.subscribe(channel, onMessage),
    unsubscribe: (channel) =>
      isSharded ? connection.sUnsubscribe(channel) : connection.unsubscribe(channel),
    destroy() {
      // A connection whose socket is still opening would stay open.
      connection.on("ready", destroy);
      destroy();
    },
  };
}
