/**
 * A real Redis for one test: a process on a socket in a folder of its own, which persists only on `SAVE`. Installs
 * nothing.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";

const executable = process.env.REDIS_SERVER_PATH ?? "redis-server";

/** Whether the tests of Redis can run. `.ci/run` fails if a test was skipped. */
export const hasRedis = (): boolean => spawnSync(executable, ["--version"]).status === 0;

/** A client as in an application, but with a short reconnect delay. */
const createTestClient = (socketPath: string) =>
  createClient({ socket: { path: socketPath, reconnectStrategy: 20 } });

type TestClient = ReturnType<typeof createTestClient>;

export interface RedisServer {
  /** The path of its socket. */
  socketPath: string;
  /** A connected client, which is destroyed with the server. */
  connect(): Promise<TestClient>;
  /** Runs a command on a connection of its own. */
  command(...words: string[]): Promise<unknown>;
  /** Suspends the process: its sockets stay open, but nothing replies. */
  suspend(): void;
  /** Ends the process, like a crash. */
  kill(): Promise<void>;
  /** Starts it again on the same socket: empty, or with the data of the last `SAVE`. */
  restart(): Promise<void>;
  /** Stops it and its clients for good. */
  close(): Promise<void>;
}

/** @param settings - For redis.conf, in addition to those that let it listen and persist nothing. */
export async function startRedis(settings: Record<string, string> = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-redis-"));
  const socketPath = join(folder, "redis.sock");
  const clients: TestClient[] = [];
  let child = await launch(folder, settings);

  const kill = () =>
    new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    });

  return {
    socketPath,
    async connect() {
      const client = createTestClient(socketPath);
      client.on("error", () => {});
      clients.push(client);
      await client.connect();
      return client;
    },
    async command(...words) {
      const client = await createTestClient(socketPath).connect();
      try {
        return await client.sendCommand(words);
      } finally {
        client.destroy();
      }
    },
    suspend: () => void child.kill("SIGSTOP"),
    kill,
    async restart() {
      await kill();
      child = await launch(folder, settings);
    },
    async close() {
      for (const client of clients) client.destroy();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(folder: string, given: Record<string, string>): Promise<ChildProcess> {
  const settings = { port: "0", unixsocket: "redis.sock", dir: folder, save: "", appendonly: "no", ...given };
  const child = spawn(
    executable,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    { cwd: folder, stdio: ["ignore", "pipe", "inherit"] },
  );
  // If the test run is interrupted, the server ends with it.
  const endWithUs = () => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  child.once("exit", () => process.removeListener("exit", endWithUs));
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (data) => {
      log += data;
      if (/ready to accept connections/i.test(log)) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`redis-server exited before it listened: ${log}`)));
  });
  return child;
}
