/** Clients of the `redis` package, single or of a cluster. */
import type { OwnLink, RedisLink } from "./redis-client.ts";

/** The part of a client of the `redis` package that the store uses. The caller closes it. */
export interface NodeRedisClient {
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

const methods = ["eval", "evalSha", "withCommandOptions", "duplicate"] as const;

export function isNodeRedis(client: unknown): client is NodeRedisClient {
  const found = client as Record<string, unknown> | null | undefined;
  return methods.every((name) => typeof found?.[name] === "function");
}

/** @throws TypeError for a client that cannot execute commands, and will not. */
export function fromNodeRedis(client: NodeRedisClient): RedisLink {
  if ((client as { isOpen?: boolean }).isOpen === false) {
    throw new TypeError(
      "client must be connected: call `await client.connect()` before createRedisRunStore().",
    );
  }
  return toLink(client);
}

function toLink(client: NodeRedisClient): RedisLink {
  const calls = (abortSignal: AbortSignal) => client.withCommandOptions({ abortSignal });
  return {
    // Only a cluster has slots.
    isSharded: "slots" in client,
    keyPrefix: "",
    eval: (script, { keys, values }, signal) => calls(signal).eval(script, { keys, arguments: values }),
    evalSha: (sha1, { keys, values }, signal) => calls(signal).evalSha(sha1, { keys, arguments: values }),
    duplicate: () => toOwnLink(client.duplicate()),
    destroy() {},
  };
}

function toOwnLink(connection: NodeRedisConnection): OwnLink {
  connection.on("error", () => {});
  const { isSharded, eval: evaluate, evalSha } = toLink(connection);
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
