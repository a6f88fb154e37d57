/** The system's Redis as a process of the test's own, which keeps what it has saved when it is started again. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";

export interface RedisWithFiles {
  socketPath: string;
  /** Runs a command on a connection of its own. */
  command(...words: string[]): Promise<unknown>;
  /** Ends the process, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again, with what was saved (`SAVE`). */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startRedisWithFiles(): Promise<RedisWithFiles> {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-redis-"));
  const socketPath = join(folder, "redis.sock");
  let kill = async () => {};
  const redis: RedisWithFiles = {
    socketPath,
    async command(...words) {
      const client = await createClient({ socket: { path: socketPath, tls: false } }).connect();
      try {
        return await client.sendCommand(words);
      } finally {
        client.destroy();
      }
    },
    kill: () => kill(),
    async start() {
      const settings = ["--port", "0", "--unixsocket", socketPath, "--dir", folder, "--save", ""];
      const child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "inherit"] });
      const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
      kill = async () => {
        child.kill("SIGKILL");
        await exited;
      };
      let log = "";
      await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", (data) => {
          log += data;
          if (/ready to accept connections/i.test(log)) resolve();
        });
        child.once("error", reject);
        child.once("exit", () => reject(new Error(`redis-server ended before it listened: ${log}`)));
      });
    },
    async close() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await redis.start();
  return redis;
}
