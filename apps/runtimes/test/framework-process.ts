/**
 * The servers of the table that are runtimes of their own: Bun, Deno and workerd. Each is a process that serves the bundle
 * of one file of `routes`, and prints what the route's agent reports.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { RunningTarget, Target } from "./framework-targets.ts";

const bin = (name: string) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url));
const folder = fileURLToPath(new URL("../.tmp/servers/", import.meta.url));

/** Bundles a server, so that the process needs nothing of how this repository is laid out. @returns its file. */
async function bundle(runtime: string): Promise<string> {
  const { build } = await import("esbuild");
  const outfile = `${folder}${runtime}.mjs`;
  await build({
    entryPoints: [fileURLToPath(new URL(`../routes/serve-on-${runtime}.ts`, import.meta.url))],
    bundle: true,
    format: "esm",
    target: "es2022",
    outfile,
    logLevel: "error",
  });
  return outfile;
}

/** Starts a server that prints its port, as a number or as workerd's event, before anything else. */
async function run(command: string, args: string[], report: (event: string) => void): Promise<RunningTarget> {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(command, args, {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const port = await new Promise<string>((resolve, reject) => {
    exited.then(() => reject(new Error(`${command} ended before it listened.`)), reject);
    createInterface(child.stdout).on("line", (line) => {
      const listening = /^(\d+)$|"event":"listen".*"port":(\d+)/.exec(line);
      if (listening) resolve((listening[1] ?? listening[2])!);
      else report(line);
    });
  });
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

const workerdConfig = `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker", esModule = embed "workerd.mjs")],
    compatibilityDate = "2026-11-01",
    compatibilityFlags = ["enable_request_signal"],
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);`;

async function startWorkerd(report: (event: string) => void): Promise<RunningTarget> {
  await bundle("workerd");
  writeFileSync(`${folder}workerd.capnp`, workerdConfig);
  const workerd = createRequire(import.meta.url).resolve("workerd");
  const { default: binary } = await import(workerd);
  return run(binary, ["serve", "--control-fd=1", `${folder}workerd.capnp`], report);
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
  inOwnProcess("Bun", true, async (report) => run(bin("bun"), ["run", await bundle("bun")], report)),
  inOwnProcess("Deno", false, async (report) =>
    run(bin("deno"), ["run", "--allow-net", await bundle("deno")], report),
  ),
  inOwnProcess("Cloudflare Workers", false, startWorkerd),
];
