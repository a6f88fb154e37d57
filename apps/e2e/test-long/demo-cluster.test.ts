/**
 * `pnpm demo:cluster` as a visitor sees it, in Chromium: processes are killed halfway through an answer. About 35 s, of
 * which 15 are a lease.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { hasRedis } from "@kortyx/test-redis";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "../test/chromium.ts";
import { type DemoPage, openDemoPage } from "../test/demo-page.ts";
import { until } from "../test/live-server.ts";
import { hasNginx } from "../test/nginx.ts";

const program = fileURLToPath(new URL("../node_modules/@kortyx/demo/cluster.ts", import.meta.url));
/**
 * A lease, the 2 s after it in which a page learns of the end, and the 5 s in which it is back, plus a margin for a
 * busy machine.
 */
const maxLostMs = 15_000 + 2_000 + 5_000 + 20_000;

/** The time that a person takes to read the page and type the command; the answer must take longer. */
const humanMs = 8_000;

function startCluster(environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const cluster = {
    output: "",
    exited: once(child, "close"),
    /** Presses Ctrl+C. @returns the exit code and signal. */
    interrupt() {
      child.kill("SIGINT");
      return cluster.exited;
    },
    childPids: () =>
      execFileSync("ps", ["--ppid", `${child.pid}`, "-o", "pid="])
        .toString()
        .trim()
        .split(/\s+/),
  };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      cluster.output += text;
    });
  return cluster;
}

test("the cluster names the installation command when a required program is missing", async () => {
  const cluster = startCluster({ PATH: "/nowhere" });
  expect(await cluster.exited).toEqual([1, null]);
  expect(cluster.output).toMatch(
    /^The cluster needs [\w-]+, which is missing\. `pnpm setup:system` installs it\.\n$/,
  );
});

describe.skipIf(!hasChromium() || !hasNginx() || !hasRedis())("the cluster in Chromium", () => {
  let browser: Browser;
  let cluster: ReturnType<typeof startCluster>;
  let demo: DemoPage;
  beforeAll(async () => {
    browser = await launchChromium();
    cluster = startCluster();
    await until(() => /^Process 3: .*\n/m.test(cluster.output), "the cluster is ready", 60_000);
    const [, url] = /^Demo: (\S+)$/m.exec(cluster.output)!;
    demo = await openDemoPage(browser, url!);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.interrupt();
  });

  /** The processes that the page shows. */
  async function readPids() {
    const line = demo.page.getByText(/^Written by process/);
    const text = await line.textContent();
    const [writer, reader] = [...text!.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
    return { writer: writer!, reader: reader! };
  }
  const answerText = async () => (await demo.answer().textContent()) ?? "";

  test("an answer continues when the process that serves it dies, and ends within 17 s when its writer dies", async () => {
    const { page } = demo;
    await demo.ask("How does a stream end?");
    const askedAt = performance.now();
    await expect.poll(answerText).toMatch(/documentation says/);

    // If the page reads from the writer's process, it reloads until another process serves it.
    await expect
      .poll(async () => {
        const { writer, reader } = await readPids();
        if (reader === writer) await page.reload();
        return reader !== writer;
      })
      .toBe(true);
    const before = await readPids();
    await demo.picture("cluster-reading");
    process.kill(before.reader, "SIGKILL");
    const lengthThen = (await answerText()).length;
    await expect.poll(async () => (await readPids()).reader).not.toBe(before.reader);
    await expect.poll(async () => (await answerText()).length).toBeGreaterThan(lengthThen);
    expect((await readPids()).writer).toBe(before.writer);

    await delay(humanMs - (performance.now() - askedAt));
    const killedAt = performance.now();
    const kept = await answerText();
    process.kill(before.writer, "SIGKILL");
    await page.getByRole("alert").waitFor({ timeout: maxLostMs });
    const lostMs = performance.now() - killedAt;
    console.log(`The page showed that the writer was lost ${(lostMs / 1000).toFixed(1)} s after it died.`);
    await demo.picture("cluster-lost");
    expect(await demo.violations()).toEqual([]);
    expect(await page.getByRole("alert").textContent()).toContain(
      "The answer was interrupted on the server.",
    );
    expect(await answerText()).toContain(kept.slice(0, 100));

    await page.getByRole("button", { name: "Retry" }).click();
    await expect.poll(answerText).toMatch(/documentation says/);
    await page.getByRole("button", { name: "Stop" }).click();
    await demo.answerWith("aborted");
  });

  test("every killed process is restarted, and Ctrl+C leaves no process and prints nothing", async () => {
    await until(() => cluster.output.match(/^Process /gm)!.length >= 5, "both are started again", 60_000);
    const pids = cluster.childPids().map(Number);
    expect(pids).toHaveLength(5);
    const output = cluster.output;
    expect(await cluster.interrupt()).toEqual([130, null]);
    expect(cluster.output).toBe(output);
    const isAlive = (pid: number) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await until(() => !pids.some(isAlive), "all processes have ended");
  });
});
