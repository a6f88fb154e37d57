/** The system's Redis: a process of the test's own, on a socket in a folder of its own, that keeps nothing. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";

export interface RedisProcess {
  socketPath: string;
  close(): Promise<void>;
}

export const hasRedis = (): boolean => spawnSync("redis-server", ["--version"]).status === 0;

export async function startRedis(): Promise<RedisProcess> {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-redis-"));
  const socketPath = join(folder, "redis.sock");
  const settings = ["--port", "0", "--unixsocket", socketPath, "--dir", folder, "--save", ""];
  const child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (data) => {
      log += data;
      if (/ready to accept connections/i.test(log)) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`redis-server ended before it listened: ${log}`)));
  });
  return {
    socketPath,
    async close() {
      child.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A connected client, as an application makes it. */
export async function connectToRedis(socketPath: string) {
  const client = createClient({ socket: { path: socketPath, tls: false }, disableOfflineQueue: true });
  client.on("error", (error) => console.error(error));
  await client.connect();
  return client;
}
