/** The README's demo command, typed by a new user: in a fresh copy of the repository, without a build. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { until } from "../test/live-server.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const readme = readFileSync(join(repository, "README.md"), "utf8");
const command = /^npx .* pnpm demo$/m.exec(readme)![0];

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "kortyx-fresh-"));
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: repository,
  });
  for (const file of files.toString().split("\0")) {
    if (file !== "" && existsSync(join(repository, file))) cpSync(join(repository, file), join(copy, file));
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** The environment of a new user's shell, without the additions of this run's package manager and test runner. */
function strangersEnvironment(): NodeJS.ProcessEnv {
  const added =
    /^(npm_(?!config_(registry|cafile|proxy|https_proxy|noproxy|cache)$)|pnpm_|turbo_|vite|node_env$|node_options$|init_cwd$|ci$)/i;
  const environment = Object.entries(process.env).filter(([name]) => !added.test(name));
  const path = process.env.PATH?.split(":").filter((folder) => !/node_modules|_npx/.test(folder));
  return { ...Object.fromEntries(environment), PATH: path?.join(":") };
}

const isListening = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
  });

/** The processes of a group that are still alive, without zombies. */
function processesOf(group: number): string[] {
  const table = execFileSync("ps", ["-eo", "pgid=,stat=,args="]).toString().trim().split("\n");
  return table.map((row) => row.trim()).filter((row) => new RegExp(`^${group}\\s+[^Z]`).test(row));
}

/** The arguments of a command, split and unquoted like in a shell. */
const argumentsOf = (text: string) =>
  execFileSync("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; ${text}`])
    .toString()
    .split("\0")
    .slice(0, -1);

/** Makes the request that `curl` would make with these arguments. */
function curl([option, url, ...rest]: string[]): Promise<Response> {
  const [header, name, data, body] = rest;
  expect([option, header, data, rest.length]).toEqual(["-N", "-H", "-d", 4]);
  const [, key, value] = /^([\w-]+): (.*)$/.exec(name!)!;
  return fetch(url!, { method: "POST", headers: { [key!]: value! }, body: body! });
}

test("prints the page's URL and a curl command that works unchanged, and leaves no process or port after Ctrl-C", async () => {
  // A chosen port, because the test also shows that PORT is respected.
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const child = spawn("sh", ["-c", command], {
    cwd: copy,
    detached: true,
    env: { ...strangersEnvironment(), PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  const ended = once(child, "exit");
  try {
    await vi.waitUntil(() => /^curl .*\n/m.test(output) || child.exitCode !== null, { timeout: 240_000 });
    const lines = output.trimEnd().split("\n");
    expect(lines.at(-2), `${output}${errors}`).toBe(`Demo: http://localhost:${port}`);
    // Installing prints a few words, building prints nothing.
    expect(output + errors).not.toMatch(/running build|tasks:|cache|built in|dist\//i);
    const page = await fetch(`http://localhost:${port}`);
    expect(await page.text()).toContain("<title>");
    const answer = await curl(argumentsOf(lines.at(-1)!));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    // Ctrl-C while the answer is being streamed.
    const { value } = await answer.body!.pipeThrough(new TextDecoderStream()).getReader().read();
    expect(value).toContain('"type":"run-start"');
    expect(processesOf(child.pid!).length).toBeGreaterThan(1);
    process.kill(-child.pid!, "SIGINT");
    await until(() => processesOf(child.pid!).length === 0, "every process of the group ended");
    await ended;
    expect(await isListening(port)).toBe(false);
  } finally {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // It has exited, as expected.
    }
  }
}, 300_000);
