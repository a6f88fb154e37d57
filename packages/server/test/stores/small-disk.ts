/**
 * Runs a script on a disk of its own: a small file system in memory, in a namespace of its own, so that nothing of it is
 * left when the script has ended. Linux only.
 */
import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const namespace = ["--user", "--map-root-user", "--mount"];

/** Whether this machine lets us mount one. */
export function hasMounts(): boolean {
  try {
    execFileSync("unshare", [...namespace, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * @param folder - Where the disk is mounted.
 * @param script - Beside this file; gets the folder as its argument and sends what it has seen.
 * @returns what it sent.
 */
export async function runOnSmallDisk(folder: string, script: string, megabytes = 32): Promise<unknown[]> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const flags = ["--conditions=@kortyx/source", "--disable-warning=ExperimentalWarning"];
  const mounted = `mount -t tmpfs -o size=${megabytes}m tmpfs "$1" && shift && exec "$@"`;
  const command = ["sh", "-c", mounted, "sh", folder, process.execPath, ...flags, path, folder];
  const child = spawn("unshare", [...namespace, ...command], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const sent: unknown[] = [];
  child.on("message", (message) => sent.push(message));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${script} has ended with ${code}.`);
  return sent;
}
