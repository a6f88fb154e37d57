/** A connected client, set up as in an application. */
import { createClient } from "redis";

export async function connectToRedis(socketPath: string) {
  const client = createClient({ socket: { path: socketPath, tls: false }, disableOfflineQueue: true });
  client.on("error", (error) => console.error(error));
  await client.connect();
  return client;
}
