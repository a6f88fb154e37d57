/**
 * The servers of the table that are runtimes of their own: Bun, Deno and workerd. Each is a process that serves the
 * bundle of one file of `routes` and prints the reports of the route's agent.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { RunningTarget, Target } from "./framework-targets.ts";

export const bin = (name: string) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url));
const folder = fileURLToPath(new URL("../.tmp/servers/", import.meta.url));

const routeFile = (name: string) => fileURLToPath(new URL(`../routes/${name}.ts`, import.meta.url));

/**
 * Bundles a program, so that its process does not depend on the layout of this repository.
 *
 * @param entry - Its entry file. @defaultValue the file of that name in `routes`
 * @returns the path of the bundle.
 */
export async function bundle(name: string, entry = routeFile(name)): Promise<string> {
  const { build } = await import("esbuild");
  const outfile = `${folder}${name}.mjs`;
  await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    target: "es2022",
    external: ["node:*", "cloudflare:*"],
    outfile,
    logLevel: "error",
  });
  return outfile;
}

/** Starts a server that first prints its port, as a number or as an event of workerd. */
async function run(command: string, args: string[], report: (event: string) => void): Promise<RunningTarget> {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(command, args, {
    stdio: ["ignore", "pipe", "ignore"],
    // A separate process group, because npm's `deno` is a program that starts Deno and waits for it.
    detached: true,
  });
  const exited = once(child, "exit");
  const port = await new Promise<string>((resolve, reject) => {
    exited.then(() => reject(new Error(`${command} exited before it listened.`)), reject);
    createInterface(child.stdout).on("line", (line) => {
      const listening = /^(\d+)$|"event":"listen".*"port":(\d+)/.exec(line);
      if (listening) resolve((listening[1] ?? listening[2])!);
      else report(line);
    });
  });
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      process.kill(-child.pid!, "SIGKILL");
      await exited;
    },
  };
}

const workerdConfig = (name: string, flags: string[]) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker", esModule = embed "${name}.mjs")],
    compatibilityDate = "2026-11-01",
    compatibilityFlags = ${JSON.stringify(flags)},
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);`;

/** Serves a program on workerd: see {@link bundle}. @param report - Receives each line that it logs. */
export async function startWorkerd(
  name: string,
  flags: string[],
  report: (event: string) => void,
  entry?: string,
): Promise<RunningTarget> {
  mkdirSync(folder, { recursive: true });
  await bundle(name, entry);
  writeFileSync(`${folder}${name}.capnp`, workerdConfig(name, flags));
  const workerd = createRequire(import.meta.url).resolve("workerd");
  const { default: binary } = await import(workerd);
  return run(binary, ["serve", "--control-fd=1", `${folder}${name}.capnp`], report);
}

const inOwnProcess = (name: string, setsCookie: boolean, start: Target["start"]): Target => ({
  name,
  protocol: "http1",
  setsCookie,
  redirectStatus: undefined,
  start(report) {
    mkdirSync(folder, { recursive: true });
    return start(report);
  },
});

export const processTargets: Target[] = [
  inOwnProcess("Bun", true, async (report) => run(bin("bun"), ["run", await bundle("serve-on-bun")], report)),
  inOwnProcess("Deno", false, async (report) =>
    run(bin("deno"), ["run", "--allow-net", await bundle("serve-on-deno")], report),
  ),
  inOwnProcess("Cloudflare Workers", false, (report) =>
    startWorkerd("serve-on-workerd", ["enable_request_signal"], report),
  ),
];
