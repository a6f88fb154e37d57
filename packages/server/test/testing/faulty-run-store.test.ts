import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { callsOf, logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { createFaultyRunStores, type Faults } from "../../src/testing/faulty-run-store.ts";

let inner: RunStore;
let store: RunStore;
let other: RunStore;
let faults: Faults;
let runId: string;
beforeEach(async () => {
  inner = createMemoryRunStore();
  ({
    faults,
    stores: [store, other],
  } = createFaultyRunStores(inner, inner));
  runId = await openRun(store, { sessionId: "s", key: "k" });
});
afterEach(async () => {
  vi.useRealTimers();
  await inner.close();
});

const outcomesOf = async (calls: Promise<unknown>[]) =>
  (await Promise.allSettled(calls)).map(({ status }) => status);

test("without a fault, nothing fails", async () => {
  expect(await outcomesOf(callsOf(store, runId).map((call) => call()))).toEqual(Array(8).fill("fulfilled"));
});

test("a store that is away rejects every call and does nothing, in both processes", async () => {
  faults.isAway = true;
  const calls = [store, other].flatMap((away) => callsOf(away, runId));
  expect(await outcomesOf(calls.map((call) => call()))).toEqual(Array(16).fill("rejected"));
  expect(await logOf(inner, runId)).toEqual([]);
});

test("a store that is read-only rejects what writes", async () => {
  faults.isReadOnly = true;
  expect(await outcomesOf(callsOf(store, runId).map((call) => call()))).toEqual([
    ...Array(5).fill("rejected"),
    "fulfilled",
    "fulfilled",
    "rejected",
  ]);
  expect(await logOf(inner, runId)).toEqual([]);
});

test("faults affect only the given methods", async () => {
  faults.isAway = true;
  faults.methods = ["renew"];
  expect(await store.append(runId, 0, ["0"])).toBe("ok");
  await expect(store.renew(runId)).rejects.toThrow("The store is away.");
});

test("a late store does nothing before its delay", async () => {
  faults.lateMs = 50;
  const appended = store.append(runId, 0, ["0"]);
  expect(await logOf(inner, runId)).toEqual([]);
  expect(await appended).toBe("ok");
  expect(await logOf(inner, runId)).toEqual(["0"]);
});

test("a command whose reply is lost has been executed", async () => {
  faults.losesReplies = "rejects";
  await expect(store.append(runId, 0, ["0"])).rejects.toThrow("The reply of append is lost.");
  faults.losesReplies = "never";
  const replied = vi.fn();
  void store.append(runId, 1, ["1"]).then(replied, replied);
  await expect.poll(() => logOf(inner, runId)).toEqual(["0", "1"]);
  await new Promise(setImmediate);
  expect(replied).not.toHaveBeenCalled();
});

test("a command that is executed twice has the second reply", async () => {
  faults.executesTwice = true;
  const { status } = await store.open(opening({ key: "k2" }));
  expect(status).toBe("created");
  expect(await store.stopKey("ann", "k3")).toBe(undefined);
  let calls = 0;
  const counting: RunStore = { ...inner, renew: async () => (++calls === 2 ? "ended" : "ok") };
  const twice = createFaultyRunStores(counting);
  twice.faults.executesTwice = true;
  expect(await twice.stores[0].renew(runId)).toBe("ended");
});

test("a wait ends at the latest after its maximum, and with its signal; it leaves no timer and no listener", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const abort = new AbortController();
  const added = vi.spyOn(abort.signal, "addEventListener");
  const removed = vi.spyOn(abort.signal, "removeEventListener");
  faults.maxWaitMs = 20;
  const waiting = store.wait(runId, -1, abort.signal);
  await vi.advanceTimersByTimeAsync(20);
  await waiting;
  expect(added).toHaveBeenCalled();
  expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
  const left = store.wait(runId, -1, abort.signal);
  abort.abort();
  await left;
  expect(vi.getTimerCount()).toBe(0);
});

test("a run that loses writes continues from there under its own id, in both processes", async () => {
  await store.append(runId, 0, ["0", "1", "2"]);
  await faults.loseWrites(runId, 1);
  expect(await logOf(other, runId)).toEqual(["0"]);
  expect(await store.append(runId, 3, ["3"])).toBe("lost");
  expect(await other.append(runId, 1, ["another"])).toBe("ok");
  expect(await logOf(store, runId)).toEqual(["0", "another"]);
  expect(await other.latest("ann", "s")).toMatchObject({ runId, lastSeq: 1, terminal: undefined });
  expect(await store.open(opening({ sessionId: "s" }))).toMatchObject({
    status: "run-active",
    run: { runId },
  });
  expect(await store.end(runId, { type: "done" })).toEqual({ type: "done" });
});

test("a run that loses all its writes does not exist any more", async () => {
  await store.append(runId, 0, ["0"]);
  await faults.loseWrites(runId, 0);
  expect(await store.read(runId, -1, 10)).toBe(undefined);
  expect(await store.append(runId, 1, ["1"])).toBe("lost");
  expect(await store.latest("ann", "s")).toBe(undefined);
  const next = await store.open(opening({ sessionId: "s", key: "k" }));
  expect(next).toMatchObject({ status: "created", run: { lastSeq: -1, terminal: undefined } });
});
