/** The README's demo command, typed by a stranger: in a fresh copy of the repository, without anything built. */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readAddress } from "../test/demo-process.ts";
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

/** The environment of a stranger's shell: nothing that the package manager or the test runner of this run has added. */
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

/** The processes of a group that are still alive, zombies left out. */
function processesOf(group: number): string[] {
  const table = execFileSync("ps", ["-eo", "pgid=,stat=,args="]).toString().trim().split("\n");
  return table.map((row) => row.trim()).filter((row) => new RegExp(`^${group}\\s+[^Z]`).test(row));
}

test("is up in under a minute, serves the page, and leaves no process and no port two seconds after Ctrl-C", async () => {
  const start = performance.now();
  // Not an ephemeral port: that PORT is honoured is part of what is shown.
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const child = spawn("sh", ["-c", command], {
    cwd: copy,
    detached: true,
    env: { ...strangersEnvironment(), PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (data) => {
    errors += data;
  });
  try {
    const url = await readAddress(child).catch((error) => {
      throw new Error(`${error.message}\n${errors}`);
    });
    const seconds = (performance.now() - start) / 1000;
    console.info(`The demo was up after ${seconds.toFixed(1)} s, in a fresh copy.`);
    expect(seconds).toBeLessThan(60);
    expect(url).toBe(`http://localhost:${port}`);
    const page = await fetch(url);
    expect(await page.text()).toContain("<title>");
    const cookie = page.headers.get("set-cookie")!.split(";")[0]!;
    // Ctrl-C while an answer is being written.
    const body = JSON.stringify({ messages: [{ role: "user", content: "What is a chunk?" }] });
    const headers = { "content-type": "application/json", cookie };
    const answer = await fetch(`${url}/api/chat`, { method: "POST", headers, body });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    await answer.body!.getReader().read();
    expect(processesOf(child.pid!).length).toBeGreaterThan(1);
    process.kill(-child.pid!, "SIGINT");
    await until(() => processesOf(child.pid!).length === 0, "every process of the group ended", 2000);
    expect(await isListening(port)).toBe(false);
  } finally {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  }
}, 180_000);
