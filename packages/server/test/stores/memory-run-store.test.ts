import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTime(ms);

describe("time", () => {
  test("a run is kept for exactly 15 minutes after its end", async () => {
    const store = createMemoryRunStore();
    const runId = await openRun(store);
    pass(3_600_000);
    await store.end(runId, { type: "done" });
    pass(899_999);
    expect(await logOf(store, runId)).toEqual(['{"type":"done"}']);
    pass(1);
    expect(await store.read(runId, -1, 1)).toBe(undefined);
  });

  test("a run is kept no longer than `retentionMs`, even if no timer can be that long", async () => {
    const days = 86_400_000;
    const store = createMemoryRunStore({ retentionMs: 30 * days });
    const runId = await openRun(store);
    await store.end(runId, { type: "done" });
    pass(30 * days - 1);
    expect(await logOf(store, runId)).toEqual(['{"type":"done"}']);
    pass(1);
    expect(await store.read(runId, -1, 1)).toBe(undefined);
  });

  test("a lease lasts 15 s", async () => {
    const store = createMemoryRunStore();
    const runId = await openRun(store);
    pass(14_999);
    expect(await store.endIfLeaseExpired(runId)).toBe(undefined);
    expect(await store.renew(runId)).toBe("ok");
    pass(14_999);
    expect(await store.append(runId, 0, ["0"])).toBe("ok");
    pass(14_999);
    expect(await store.endIfLeaseExpired(runId)).toBe(undefined);
    pass(1);
    expect(await store.endIfLeaseExpired(runId)).toMatchObject({ code: "producer-lost" });
  });

  test("a stop that comes before its run is remembered for 60 s", async () => {
    const store = createMemoryRunStore();
    await store.stopKey("ann", "early");
    pass(30_000);
    await store.stopKey("ann", "late");
    pass(30_000);
    expect(await store.open(opening({ key: "early" }))).toMatchObject({ run: { terminal: undefined } });
    pass(29_999);
    expect(await store.open(opening({ key: "late" }))).toMatchObject({
      run: { terminal: { type: "abort" } },
    });
  });
});

describe("memory", () => {
  const entry = "x".repeat(1000);

  test("is freed at its limit by dropping the runs that ended first, but no open run", async () => {
    const store = createMemoryRunStore({ maxHeapBytes: 6100 });
    const open = await openRun(store);
    await store.append(open, 0, [entry]);
    const ended: string[] = [];
    for (const name of ["first", "second", "third"]) {
      const runId = await openRun(store, { key: name, sessionId: name });
      await store.append(runId, 0, [name]);
      ended.push(runId);
    }
    const [first, second, third] = ended as [string, string, string];
    await store.end(second, { type: "done" });
    await store.end(first, { type: "done" });
    await store.end(third, { type: "done" });
    // Four runs of 512 units and their logs leave room for two more entries, and dropping one run for a third.
    expect(await store.append(open, 1, [entry, entry])).toBe("ok");
    expect(await store.read(second, -1, 1)).not.toBe(undefined);
    expect(await store.append(open, 3, [entry])).toBe("ok");
    expect(await store.read(second, -1, 1)).toBe(undefined);
    expect(await store.latest("ann", "second")).toBe(undefined);
    expect(await store.stopKey("ann", "second")).toBe(undefined);
    expect(await store.read(first, -1, 1)).not.toBe(undefined);
    expect((await logOf(store, open)).length).toBe(4);
  });

  test("full of open runs takes only the terminal of each", async () => {
    const store = createMemoryRunStore({ maxHeapBytes: 3000 });
    const runId = await openRun(store);
    expect(await store.append(runId, 0, [entry, entry])).toBe("ok");
    expect(await store.append(runId, 2, [entry])).toBe("full");
    expect(await store.append(runId, 0, [entry, entry])).toBe("ok");
    expect(await store.open(opening())).toEqual({ status: "store-full" });
    expect((await logOf(store, runId)).length).toBe(2);
    expect(await store.end(runId, { type: "error", message: "Full." })).toEqual({
      type: "error",
      message: "Full.",
    });
    expect((await store.open(opening())).status).toBe("created");
  });

  test("includes terminals of any size, but no dropped run", async () => {
    const store = createMemoryRunStore({ maxHeapBytes: 10_500 });
    for (let count = 0; count < 100; count++) {
      const runId = await openRun(store);
      expect(await store.append(runId, 0, [entry])).toBe("ok");
      await store.end(runId, { type: "done", data: { text: entry } });
    }
    const full = await openRun(store);
    expect(await store.append(full, 0, Array(9).fill(entry))).toBe("ok");
    expect(await store.append(full, 9, [entry])).toBe("full");
    await store.end(full, { type: "done" });
    const large = await openRun(store);
    expect(await store.read(full, -1, 1)).toBe(undefined);
    await store.end(large, { type: "done", data: { text: "x".repeat(20_000) } });
    const next = await openRun(store);
    expect(await store.read(large, -1, 1)).toBe(undefined);
    expect(await store.append(next, 0, Array(9).fill(entry))).toBe("ok");
  });
});
