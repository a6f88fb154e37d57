import { mkdtempSync, rmSync } from "node:fs";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createSqliteRunStore, type SqliteRunStoreOptions } from "../../src/sqlite.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { type ChildStore, startChildStore } from "./run-store-child.ts";

const never = new AbortController().signal;

let folder: string;
let path: string;
let stores: RunStore[];
let children: ChildStore[];
function create(options: Partial<SqliteRunStoreOptions> = {}): RunStore {
  const store = createSqliteRunStore({ path, ...options });
  stores.push(store);
  return store;
}
async function startChildOf(options: object = {}): Promise<ChildStore> {
  const child = await startChildStore({ path, ...options });
  children.push(child);
  return child;
}
/** Reads the file directly, without a store. */
function inspect<Value>(look: (database: DatabaseSync) => Value): Value {
  const database = new DatabaseSync(path);
  try {
    return look(database);
  } finally {
    database.close();
  }
}

/** Advances the machine's clock, which then stands still. The date advances with it, or by `dateMs`. */
function passTime(ms: number, dateMs = ms): void {
  const [uptime, elapsed] = [os.uptime(), performance.now()];
  vi.spyOn(os, "uptime").mockReturnValue(uptime + ms / 1_000);
  vi.spyOn(performance, "now").mockReturnValue(elapsed + ms);
  vi.setSystemTime(Date.now() + dateMs);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-sqlite-"));
  path = join(folder, "runs.db");
  stores = [];
  children = [];
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await Promise.all([...stores.map((store) => store.close()), ...children.map((child) => child.kill())]);
  rmSync(folder, { recursive: true });
});

describe("a file", () => {
  test("keeps runs, keys, sessions and stops across a restart", async () => {
    const before = create();
    const open = await openRun(before, { key: "open", sessionId: "s" });
    await before.append(open, 0, ["0", "1"]);
    const ended = await openRun(before, { key: "ended" });
    await before.end(ended, { type: "done" });
    await before.stopKey("ann", "stopped");
    await before.close();

    const after = create();
    expect(await logOf(after, open)).toEqual(["0", "1"]);
    expect(await after.append(open, 2, ["2"])).toBe("ok");
    expect((await after.latest("ann", "s"))?.runId).toBe(open);
    expect((await after.open(opening({ sessionId: "s" }))).status).toBe("run-active");
    expect(await after.open(opening({ key: "ended" }))).toEqual({
      status: "attached",
      run: { runId: ended, owner: "ann", sessionId: undefined, lastSeq: 0, terminal: { type: "done" } },
    });
    expect(await after.open(opening({ key: "stopped" }))).toMatchObject({
      run: { terminal: { type: "abort", reason: "stopped" } },
    });
  });

  test("is not needed with :memory:", async () => {
    const store = create({ path: ":memory:" });
    const runId = await openRun(store);
    await store.append(runId, 0, ["0"]);
    expect(await logOf(store, runId)).toEqual(["0"]);
  });

  test("remembers a stop that comes before its run for 60 s", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const store = create();
    await store.stopKey("ann", "early");
    vi.advanceTimersByTime(1);
    await store.stopKey("ann", "late");
    vi.advanceTimersByTime(59_999);
    expect(await store.open(opening({ key: "early" }))).toMatchObject({ run: { terminal: undefined } });
    expect(await store.open(opening({ key: "late" }))).toMatchObject({
      run: { terminal: { type: "abort" } },
    });
  });

  test("is polled every 50 ms, and only while a call waits", async () => {
    vi.useFakeTimers();
    const store = create();
    const runId = await openRun(store);
    expect(vi.getTimerCount()).toBe(0);
    const abort = new AbortController();
    const waits = Array.from({ length: 10 }, () => store.wait(runId, -1, abort.signal));
    expect(vi.getTimerCount()).toBe(1);
    let isWoken = false;
    const first = store.wait(runId, -1, never).then(() => {
      isWoken = true;
    });
    await vi.advanceTimersByTimeAsync(1000);
    await create().append(runId, 0, ["0"]);
    await vi.advanceTimersByTimeAsync(49);
    expect(isWoken).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isWoken).toBe(true);
    await first;
    await Promise.all(waits);
    expect(vi.getTimerCount()).toBe(0);
    const waiting = store.wait(runId, 0, never);
    expect(vi.getTimerCount()).toBe(1);
    await store.close();
    await waiting;
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that fails during a wait makes the next call fail, not the process", async () => {
    const store = create();
    const runId = await openRun(store);
    const waiting = store.wait(runId, -1, never);
    inspect((database) => database.exec("DROP TABLE runs"));
    await waiting;
    await expect(store.read(runId, -1, 1)).rejects.toThrow("no such table");
    await store.wait(runId, -1, never);
    await store.close();
    await store.wait(runId, -1, never);
    await expect(store.read(runId, -1, 1)).rejects.toThrow("database is not open");
  });
});

describe("a lease", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));

  test("lasts 15 s", async () => {
    passTime(0);
    const store = create();
    const runId = await openRun(store);
    passTime(14_999);
    expect(await store.endIfLeaseExpired(runId)).toBe(undefined);
    passTime(1);
    expect(await store.endIfLeaseExpired(runId)).toMatchObject({ code: "producer-lost" });
  });

  test("is not shortened if the date is set forward, nor is its run dropped", async () => {
    passTime(0);
    const store = create();
    const runId = await openRun(store, { sessionId: "s" });
    await store.append(runId, 0, ["0"]);
    passTime(14_000, 17 * 60_000);
    expect(await store.endIfLeaseExpired(runId)).toBe(undefined);
    expect((await store.read(runId, -1, 1))?.leaseLeftMs).toBeCloseTo(1_000);
    // The clean-up follows writes.
    expect(await store.renew(runId)).toBe("ok");
    await new Promise(setImmediate);
    expect((await store.latest("ann", "s"))?.terminal).toBe(undefined);
    expect(await logOf(store, runId)).toEqual(["0"]);
  });

  test("is not prolonged if the date is set back", async () => {
    const store = create();
    const runId = await openRun(store);
    passTime(15_001, -3_600_000);
    expect(await store.endIfLeaseExpired(runId)).toMatchObject({ code: "producer-lost" });
  });

  test("is the same for a process with another date", async () => {
    const store = create({ leaseMs: 1_000 });
    const ahead = await startChildOf({ dateOffsetMs: 17 * 60_000 });
    const late = await startChildOf({ dateOffsetMs: -3_600_000 });
    const kept = await openRun(store);
    const left = await openRun(store);
    for (const child of [ahead, late]) {
      expect((await child.call("endIfLeaseExpired", kept)).value).toBe(undefined);
      expect((await child.call("read", kept, -1, 1)).value?.leaseLeftMs).toBeGreaterThan(-1_000);
    }
    await store.append(kept, 0, ["0"]);
    await expect
      .poll(async () => (await late.call("endIfLeaseExpired", left)).value)
      .toMatchObject({ code: "producer-lost" });
  });

  test("has expired after a restart of the machine, however long its uptime was", async () => {
    const store = create();
    const uptime = vi.spyOn(os, "uptime").mockReturnValue(30 * 86_400);
    const [read, left] = [await openRun(store), await openRun(store)];
    await store.append(left, 0, ["0"]);
    await store.close();

    uptime.mockReturnValue(60);
    vi.resetModules();
    const { createSqliteRunStore: createAfterBoot } = await import("../../src/sqlite.ts");
    const after = createAfterBoot({ path });
    stores.push(after);
    expect((await after.read(read, -1, 1))?.leaseLeftMs).toBeLessThanOrEqual(0);
    expect(await after.endIfLeaseExpired(read)).toMatchObject({ code: "producer-lost" });
    // So has the lease of a run without a reader.
    await expect.poll(async () => (await after.read(left, -1, 1))?.run.terminal).toBeDefined();
  });

  test("starts again after the machine has slept, when no producer could renew it", async () => {
    passTime(0);
    const store = create();
    const runId = await openRun(store);
    const uptime = os.uptime();
    vi.spyOn(os, "uptime").mockReturnValue(uptime + 3_600);
    expect(await store.endIfLeaseExpired(runId)).toBe(undefined);
    expect((await store.read(runId, -1, 1))?.leaseLeftMs).toBeCloseTo(15_000);
    passTime(15_001);
    expect(await store.endIfLeaseExpired(runId)).toMatchObject({ code: "producer-lost" });
  });
});

describe("two processes", () => {
  test("see each other's appends", async () => {
    const store = create();
    const child = await startChildOf();
    const runId = await openRun(store);
    for (let seq = 0; seq < 16; seq += 2) {
      const here = store.wait(runId, seq - 1, never);
      await child.call("append", runId, seq, [`${seq}`]);
      await here;
      const there = child.call("wait", runId, seq);
      // The child is waiting by the time it replies to the next call.
      await child.call("renew", runId);
      await store.append(runId, seq + 1, [`${seq + 1}`]);
      await there;
    }
    expect((await child.call("read", runId, -1, 100)).value?.entries).toEqual(
      Array.from({ length: 16 }, (_, seq) => `${seq}`),
    );
  });

  test("read a consistent log even if another process ends the run during the read", async () => {
    const store = create();
    const runId = await openRun(store);
    await store.append(runId, 0, ["0"]);
    const { all } = StatementSync.prototype;
    const readEntries = vi.spyOn(StatementSync.prototype, "all").mockImplementationOnce(function (
      this: StatementSync,
      ...values
    ) {
      inspect((database) =>
        database.exec(
          `INSERT INTO entries SELECT number, 1, '{"type":"done"}' FROM runs;
           UPDATE runs SET seq = 1, terminal = '{"type":"done"}'`,
        ),
      );
      return all.apply(this, values);
    });
    const before = await store.read(runId, -1, 10);
    expect(readEntries).toHaveBeenCalledOnce();
    expect(before).toMatchObject({ run: { lastSeq: 0, terminal: undefined }, entries: ["0"] });
    const after = await store.read(runId, -1, 10);
    expect(after).toMatchObject({ run: { lastSeq: 1, terminal: { type: "done" } } });
    expect(after?.entries).toEqual(["0", '{"type":"done"}']);
  });

  test("agree on the terminal of a run that both end at once", async () => {
    const store = create();
    const child = await startChildOf();
    const runIds = await Promise.all(Array.from({ length: 50 }, () => openRun(store)));
    const there = runIds.map((runId) => child.call("end", runId, { type: "abort", reason: "stopped" }));
    const here: Promise<unknown>[] = [];
    for (const runId of runIds) {
      here.push(store.append(runId, 0, ["0"]), store.end(runId, { type: "done" }));
      await new Promise(setImmediate);
    }
    await Promise.all(here);
    for (const [index, runId] of runIds.entries()) {
      const page = await store.read(runId, -1, 10);
      expect((await there[index])?.value).toEqual(page?.run.terminal);
      const terminals = page!.entries.filter((entry) => entry.startsWith("{"));
      expect(terminals).toEqual([JSON.stringify(page?.run.terminal)]);
      expect(page?.entries.at(-1)).toBe(terminals[0]);
    }
  });

  test("create one run if both open the same session and key at once", async () => {
    const store = create();
    const child = await startChildOf();
    for (let round = 0; round < 10; round++) {
      const same = { key: `${round}`, sessionId: `${round}` };
      const [there, here] = await Promise.all([
        child.call("open", opening(same)),
        new Promise(setImmediate).then(() => store.open(opening(same))),
      ]);
      expect([there.value.status, here.status].sort()).toEqual(["attached", "created"]);
    }
  });

  test("may create the same file at once", async () => {
    const started = await Promise.all(Array.from({ length: 4 }, () => startChildOf()));
    const store = create();
    for (const child of started) {
      const { value } = await child.call("open", opening());
      expect(value.status).toBe("created");
    }
    expect(await store.open(opening({ maxOpenRuns: 4 }))).toEqual({ status: "too-many-runs" });
  });

  test("keep the log whole and let the run be ended if one of them crashes during an append", async () => {
    const store = create({ leaseMs: 200 });
    const child = await startChildOf({ leaseMs: 200 });
    const runId = await openRun(store);
    let acknowledged = 0;
    const batchOf = (batch: number) => Array.from({ length: 10 }, (_, index) => `"${batch * 10 + index}"`);
    for (let batch = 0; batch < 200; batch++) {
      void child.call("append", runId, batch * 10, batchOf(batch)).then(() => {
        acknowledged = (batch + 1) * 10;
      });
    }
    await vi.waitFor(() => expect(acknowledged).toBeGreaterThan(0), { interval: 1 });
    await child.kill();
    const log = await logOf(store, runId);
    expect(log.length % 10).toBe(0);
    expect(log.length).toBeGreaterThanOrEqual(acknowledged);
    expect(log).toEqual(Array.from({ length: log.length }, (_, index) => `"${index}"`));
    await expect.poll(() => store.endIfLeaseExpired(runId)).toMatchObject({ code: "producer-lost" });
    expect((await logOf(store, runId)).length).toBe(log.length + 1);
  });

  test("exit on their own after their stores are closed", async () => {
    const child = await startChildOf();
    const runId = await openRun(create());
    const waiting = child.call("wait", runId, -1);
    await child.call("renew", runId);
    await child.call("close");
    await waiting;
    expect(await child.exited).toBe(0);
  });
});
