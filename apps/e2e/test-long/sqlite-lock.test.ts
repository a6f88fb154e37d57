/**
 * A process that holds the write lock of a SQLite file for seconds, or is stopped during a write, next to processes
 * that serve runs from it at the default settings. All tests wait in parallel: about 20 s in all.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../test/live-server.ts";
import { type StreamProgram, startStreamProgram } from "../test/stream-program.ts";
import { follow, followSession, startRun, startRunServer } from "./run-server.ts";

/** How long the server is watched without the lock, for comparison. */
const controlMs = 3_000;
/** A pause that a busy machine may add. A server that waited for the lock would pause for as long as it is held. */
const machineMs = 1_000;

const holder = fileURLToPath(new URL("../fixtures/lock-holder.mjs", import.meta.url));

let folder: string;
const programs: StreamProgram[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-lock-"));
});
afterAll(async () => {
  for (const program of programs) await program.kill();
  rmSync(folder, { recursive: true });
});

async function start(program: Promise<StreamProgram>): Promise<StreamProgram> {
  const started = await program;
  programs.push(started);
  return started;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const deltasOf = (text: string) => [...text.matchAll(/"delta":"(\d+) "/g)].map(([, delta]) => Number(delta));

const cases: [string, number, boolean][] = [
  ["holds the lock for 3 s", 3_000, false],
  ["holds the lock for 12 s", 12_000, false],
  ["is stopped for 12 s in the middle of a write", 12_000, true],
];

describe.concurrent.each(cases)("a process that %s", (name, heldMs, isStopped) => {
  test.concurrent("stops no stream and no run of another one", async () => {
    const path = join(folder, `${name}.db`);
    const [server, other] = await Promise.all([
      start(startRunServer({ path })),
      start(startRunServer({ path })),
    ]);
    const words = Math.ceil((controlMs + heldMs) / 50);
    const run = follow(await startRun(server.url, "talks", `talk ${words} 50`));
    const elsewhere = await followSession(other.url, "talks");
    const leave = new AbortController();
    const plain = follow(await fetch(`${server.url}/plain`, { signal: leave.signal }));
    await pause(controlMs);
    const control = deltasOf(plain.text);

    const writer = await start(startStreamProgram({ main: holder, env: { RUNS_FILE: path } }));
    if (isStopped) writer.signal("SIGSTOP");
    const heldAt = performance.now();
    const posts = Array.from({ length: 5 }, async (_, index) => {
      const body = JSON.stringify({ messages: [{ role: "user", content: "talk 3" }], sessionId: `${index}` });
      const headers = { "content-type": "application/json", accept: "text/event-stream" };
      const response = await fetch(server.url, { method: "POST", headers, body });
      return [response.status, response.headers.get("retry-after") ?? (await response.text()).length > 0];
    });
    const before = await followSession(server.url, "talks");
    await pause(heldMs);
    // Known data is readable while nothing can be written.
    expect(deltasOf(before.text).length).toBeGreaterThan(0);
    await writer.kill();
    const heldForMs = performance.now() - heldAt;
    const heldCount = deltasOf(plain.text).length - control.length;
    // The chunk after a pause contains its length.
    const hasOneMore = () => deltasOf(plain.text).length > control.length + heldCount;
    await until(hasOneMore, "the plain stream continues");
    const held = deltasOf(plain.text).slice(control.length);

    for (const [status, rest] of await Promise.all(posts)) {
      expect([
        [200, true],
        [503, "3"],
      ]).toContainEqual([status, rest]);
    }
    const longest = { without: Math.max(...control), with: Math.max(...held) };
    console.log(
      `A process that ${name}: the longest pause of a plain stream was ${longest.without} ms without, ` +
        `${longest.with} ms with the lock, with ${heldCount} chunks in ${(heldForMs / 1000).toFixed(1)} s.`,
    );
    expect(longest.with).toBeLessThan(longest.without + machineMs);
    expect(heldCount / heldForMs).toBeGreaterThan(control.length / controlMs / 3);
    await (await startRun(server.url, "afterwards", "talk 3")).text();
    await Promise.all([run.over, elsewhere.over, before.over]);
    const all = Array.from({ length: words }, (_, index) => index);
    for (const { text } of [run, elsewhere, before]) {
      expect(deltasOf(text)).toEqual(all);
      expect(text).toMatch(/"type":"done"[^\n]*\n\ndata: \[DONE\]\n\n$/);
    }
    leave.abort();
    await plain.over;
  });
});
