/** The system's Redis: a process of the test's own, on a socket in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";

export interface RedisProcess {
  socketPath: string;
  /** Runs a command on a connection of its own. */
  command(...words: string[]): Promise<unknown>;
  /** Ends the process, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again, with what a `SAVE` has written; without one it is empty. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export const hasRedis = (): boolean => spawnSync("redis-server", ["--version"]).status === 0;

export async function startRedis(): Promise<RedisProcess> {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-redis-"));
  const socketPath = join(folder, "redis.sock");
  let child = await launch(folder, socketPath);
  const kill = () =>
    new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    });
  return {
    socketPath,
    async command(...words) {
      const client = await createClient({ socket: { path: socketPath, tls: false } }).connect();
      try {
        return await client.sendCommand(words);
      } finally {
        client.destroy();
      }
    },
    kill,
    async start() {
      child = await launch(folder, socketPath);
    },
    async close() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(folder: string, socketPath: string): Promise<ChildProcess> {
  const settings = ["--port", "0", "--unixsocket", socketPath, "--dir", folder, "--save", ""];
  const child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "inherit"] });
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (data) => {
      log += data;
      if (/ready to accept connections/i.test(log)) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`redis-server ended before it listened: ${log}`)));
  });
  return child;
}

/** A connected client, as an application makes it. */
export async function connectToRedis(socketPath: string) {
  const client = createClient({ socket: { path: socketPath, tls: false }, disableOfflineQueue: true });
  client.on("error", (error) => console.error(error));
  await client.connect();
  return client;
}
