import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import type { RunStore, RunStoreOptions } from "../../src/stores/run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";

const megabyte = 1024 * 1024;

let folder: string;
let path: string;
let store: RunStore;
/** Reads the file directly, without a store. */
let reader: DatabaseSync;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-sqlite-"));
  path = join(folder, "runs.db");
  store = createSqliteRunStore({ path });
  reader = new DatabaseSync(path);
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  reader.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

const count = (table: string) =>
  reader.prepare(`SELECT count(*) AS count FROM ${table}`).get()!.count as number;
const megabytes = (suffix = "") => statSync(`${path}${suffix}`).size / megabyte;
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

/** Each reading of the clock finds it a millisecond later, so that on no machine a transaction deletes very much. */
function slowDown(): void {
  let ms = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => ms++);
}

/** Opens the file as a new process would, which deletes expired runs after its first write. */
async function reopen(options?: RunStoreOptions): Promise<void> {
  await store.close();
  store = createSqliteRunStore({ path, ...options });
}

/** Creates an ended run. @returns its id. */
async function endedRun(entries: number, size = 50, more = {}): Promise<string> {
  const runId = await openRun(store, more);
  const texts = Array.from({ length: entries }, (_, seq) => `${seq}`.padEnd(size));
  await store.append(runId, 0, texts);
  await store.end(runId, { type: "done" });
  return runId;
}

test("expired runs are deleted a few entries at a time, and everything else runs in between", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  for (let runs = 0; runs < 40; runs++) await endedRun(500);
  await store.stopKey("ann", "stopped");
  pass(900_000);
  await reopen();
  slowDown();
  const seen = new Set<number>();
  await openRun(store);
  while (count("entries") > 0) {
    seen.add(count("entries"));
    await new Promise(setImmediate);
  }
  expect(seen.size).toBeGreaterThan(30);
  await expect.poll(() => [count("runs"), count("stopped_keys")]).toEqual([1, 0]);
});

test("a run whose producer vanished is ended without a request, and deleted after its retention time", async () => {
  await reopen({ leaseMs: 40, retentionMs: 40 });
  const runId = await openRun(store);
  await store.append(runId, 0, ["0"]);
  await expect
    .poll(() => store.stopKey("ann", "k").then(() => [count("runs"), count("entries")]))
    .toEqual([0, 0]);

  await reopen({ leaseMs: 40 });
  const kept = await openRun(store);
  await expect
    .poll(async () => {
      await reopen({ leaseMs: 40 });
      await store.stopKey("ann", "k");
      return logOf(store, kept);
    })
    .toEqual([expect.stringContaining("producer-lost")]);
});

test("a half-deleted run looks as if it never existed, even if the date is set back", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const runId = await endedRun(20_000);
  pass(900_000);
  await reopen();
  slowDown();
  await openRun(store);
  while (count("entries") === 20_001) await new Promise(setImmediate);
  await store.close();
  expect(count("entries")).toBeGreaterThan(0);
  pass(-900_000);
  await reopen();
  expect(await store.read(runId, -1, 1)).toBe(undefined);
  await openRun(store);
  await expect.poll(() => [count("runs"), count("entries")]).toEqual([2, 0]);
});

test("an expired run that cannot be deleted yet is still invisible, and reads write nothing", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const runId = await endedRun(2, 50, { sessionId: "s", key: "k" });
  pass(900_000);
  reader.exec("BEGIN IMMEDIATE");
  expect(await store.read(runId, -1, 1)).toBe(undefined);
  expect(await store.latest("ann", "s")).toBe(undefined);
  expect(await store.end(runId, { type: "done" })).toBe(undefined);
  await store.wait(runId, -1, new AbortController().signal);
  reader.exec("ROLLBACK");
  expect(count("entries")).toBe(3);
  expect(await store.append(runId, 0, ["0"])).toBe("lost");
  const next = opening({ sessionId: "s", key: "k", bodyHash: "another" });
  expect((await store.open(next)).status).toBe("created");
  expect((await store.latest("ann", "s"))?.runId).toBe(next.runId);
});

test("the latest run of a session is the newest one that is still kept", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const long = await openRun(store, { sessionId: "s" });
  await endedRun(1, 50, { sessionId: "s", allowActiveRun: true });
  pass(900_000);
  expect((await store.latest("ann", "s"))?.runId).toBe(long);
});

test("the file shrinks after a burst of runs is deleted", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  for (let runs = 0; runs < 20; runs++) await endedRun(100, 10_000);
  await reopen();
  expect(megabytes()).toBeGreaterThan(19);
  pass(900_000);
  await openRun(store);
  await expect.poll(() => megabytes()).toBeLessThan(5);
});

test("the write-ahead log shrinks once the reader that prevented its reuse is gone", async () => {
  reader.exec("BEGIN");
  count("runs");
  for (let runs = 0; runs < 9; runs++) await endedRun(8, megabyte);
  expect(megabytes("-wal")).toBeGreaterThan(70);
  reader.exec("COMMIT");
  const runId = await openRun(store);
  await expect
    .poll(async () => {
      await store.renew(runId);
      return megabytes("-wal");
    })
    .toBeLessThanOrEqual(64);
});
