/** A separate Redis on a free port of this machine, without persistence. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const executable = process.env.REDIS_SERVER_PATH ?? "redis-server";

export const hasRedis = (): boolean => spawnSync(executable, ["--version"]).status === 0;

export async function startRedis(): Promise<{ url: string; stop: () => void }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  const folder = mkdtempSync(join(tmpdir(), "kortyx-redis-"));
  const settings = { port: String(port), bind: "127.0.0.1", dir: folder, save: "", appendonly: "no" };
  const child = spawn(
    executable,
    Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]),
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const stop = () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", stop);
  for await (const line of child.stdout) if (/ready to accept/i.test(String(line))) break;
  child.stdout.resume();
  return { url: `redis://127.0.0.1:${port}`, stop };
}
