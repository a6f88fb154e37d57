/** The libraries whose clients the Redis store accepts, for suites that run with each. */
import { once } from "node:events";
import { Redis } from "ioredis";
import { createClient } from "redis";
import type { RedisClient } from "../../src/redis.ts";

/** A connected client, as an application has it. */
export interface LibraryClient {
  client: RedisClient;
  /** Its own connection is open. */
  isReady(): boolean;
  destroy(): void;
}

type RedisAddress = { path: string } | { port: number } | { url: string };

export interface RedisLibrary {
  name: string;
  /** How many connections the client and the commands of its store have. */
  connections: number;
  /** @param address - Of a server. @param options - Of this library. */
  connect(address: RedisAddress, options?: object): Promise<LibraryClient>;
  /** Settings of the client on which a store must not depend. */
  settings: [name: string, options: object][];
  /** Its options for RESP 2 and RESP 3. */
  protocols: object[];
}

const nodeRedis: RedisLibrary = {
  name: "redis",
  connections: 1,
  settings: [
    ["by default", {}],
    ["without an offline queue", { disableOfflineQueue: true }],
  ],
  protocols: [{ RESP: 2 }, { RESP: 3 }],
  async connect(address, options) {
    const reconnectStrategy = 20;
    const client = createClient(
      "url" in address
        ? { ...address, ...options }
        : { socket: { host: "127.0.0.1", ...address, reconnectStrategy }, ...options },
    );
    client.on("error", () => {});
    await client.connect();
    return { client, isReady: () => client.isReady, destroy: () => client.destroy() };
  },
};

const ioredis: RedisLibrary = {
  name: "ioredis",
  connections: 2,
  settings: [
    ["by default", {}],
    ["without an offline queue", { enableOfflineQueue: false, autoResendUnfulfilledCommands: false }],
    ["that repeats commands forever", { maxRetriesPerRequest: null }],
    ["that gathers commands", { enableAutoPipelining: true, stringNumbers: true }],
    ["that never reconnects", { retryStrategy: null, autoResubscribe: false }],
  ],
  protocols: [{ protocol: 2 }, { protocol: 3 }],
  async connect(address, options) {
    const settings = { retryStrategy: () => 20, ...options };
    const client =
      "url" in address ? new Redis(address.url, settings) : new Redis({ ...address, ...settings });
    client.on("error", () => {});
    await once(client, "ready");
    return { client, isReady: () => client.status === "ready", destroy: () => client.disconnect() };
  },
};

export const redisLibraries = [nodeRedis, ioredis];
