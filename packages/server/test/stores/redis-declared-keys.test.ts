/**
 * While a cluster moves a slot, Redis runs a script on the node that has the keys of its call. So a script must use no
 * others. MONITOR shows what it uses.
 */
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunStore, RunStoreOptions } from "../../src/stores/run-store.ts";
import { pause } from "../../src/testing/contract/contract-stores.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";
import { createStoreOf } from "./store-of-version.ts";

const done = { type: "done" } as const;
const patient = { maxOpenRuns: 100, allowActiveRun: true };

interface ScriptRun {
  /** Redis knows it by its hash from now on. */
  isFirst: boolean;
  keys: string[];
  /** The first argument of each command: a key or a channel. */
  used: string[];
}

function readMonitor(lines: string[]): ScriptRun[] {
  const runs: ScriptRun[] = [];
  for (const line of lines) {
    const [, client, command] = /^\S+ \[\d+ (\S+)\] (.*)$/.exec(line)!;
    const [name, ...values] = Array.from(command!.matchAll(/"((?:[^"\\]|\\.)*)"/g), ([, text]) => text!);
    if (client === "lua") {
      if (values[0] !== undefined) runs.at(-1)!.used.push(values[0]);
    } else if (/^eval(sha)?$/i.test(name!)) {
      const [, count, ...rest] = values;
      runs.push({ isFirst: /^eval$/i.test(name!), keys: rest.slice(0, Number(count)), used: [] });
    }
  }
  return runs;
}

describe.skipIf(!hasRedis())("the scripts of Redis", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());

  test("use only the keys of their call, and channels named after them", async () => {
    const stores: RunStore[] = [];
    async function create(version: string, options?: RunStoreOptions): Promise<RunStore> {
      const address = { socketPath: redis.socketPath, prefix: "kortyx:" };
      const store = await createStoreOf(version, address, options);
      stores.push(store);
      return store;
    }
    // Runs of the format before, which are open when the present version begins.
    const earlier = await create("1", { leaseMs: 60_000 });
    await openRun(earlier, { runId: "earlier", key: "earlier", sessionId: "s", ...patient });
    await openRun(await create("1", { leaseMs: 1 }), { runId: "earlier-lost", key: "lost", ...patient });
    const lines: string[] = [];
    const monitor = await redis.connect();
    await monitor.monitor((line) => lines.push(String(line)));
    const store = await create("present");
    const hasty = await create("present", { leaseMs: 1 });
    for (const key of ["k", "l"]) {
      const runId = await openRun(store, { key, sessionId: "s", ...patient });
      await store.append(runId, 0, ["0"]);
      await store.renew(runId);
      await store.read(runId, -1, 9);
      await openRun(store, { runId, key, sessionId: "s", ...patient });
    }
    await openRun(hasty, { key: "hasty", ...patient });
    await pause(10);
    await openRun(store, { key: "hasty", ...patient });
    await store.end(await openRun(store, { key: "m", ...patient }), done, 5);
    await store.endIfLeaseExpired(await openRun(hasty, patient));
    for (const key of ["k", "earlier", "unknown"]) await store.stopKey("ann", key);
    await openRun(store, { key: "unknown", ...patient });
    await store.latest("ann", "s");
    await openRun(store, { owner: "" });
    await openRun(store, { owner: "", key: "k" });
    await store.end("earlier", done);
    const client = await redis.connect();
    await client.set("last", "1");
    await expect.poll(() => lines.at(-1)).toContain('"last"');

    const runs = readMonitor(lines.slice(0, -1));
    for (const { keys, used } of runs) {
      const allowed = new Set([...keys, ...keys.map((key) => `${key}:end`)]);
      expect(used.filter((name) => !allowed.has(name))).toEqual([]);
    }
    expect(runs.filter(({ isFirst }) => isFirst).length).toBe(9);
    // The keys of other runs are declared, too: those of an owner with two formats are ten.
    expect(Math.max(...runs.map(({ keys }) => keys.length))).toBeGreaterThan(12);
    await Promise.all(stores.map((opened) => opened.close()));
  });
});
