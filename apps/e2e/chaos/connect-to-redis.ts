/** A connected client, set up as in an application. */
import { createClient, createCluster } from "redis";

/** A server on a socket, or nodes of a cluster. */
export type RedisAddress = { socketPath: string } | { rootNodes: { url: string }[] };

export async function connectToRedis(address: RedisAddress) {
  if ("rootNodes" in address) {
    const cluster = createCluster({ rootNodes: address.rootNodes });
    cluster.on("error", (error) => console.error(error));
    return cluster.connect();
  }
  const socket = { path: address.socketPath, tls: false } as const;
  const client = createClient({ socket, disableOfflineQueue: true });
  client.on("error", (error) => console.error(error));
  return client.connect();
}
