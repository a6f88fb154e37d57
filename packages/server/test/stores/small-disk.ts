/**
 * Runs a script on its own disk: a small file system in memory, in its own namespace, so that nothing remains when the
 * script has ended. Linux only.
 */
import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const namespace = ["--user", "--map-root-user", "--mount"];

/** Whether this machine allows such a mount. */
export function hasMounts(): boolean {
  try {
    execFileSync("unshare", [...namespace, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * @param folder - The mount point of the disk.
 * @param script - A script in this folder. It gets the mount point as its argument and sends its results as messages.
 * @returns the messages.
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
