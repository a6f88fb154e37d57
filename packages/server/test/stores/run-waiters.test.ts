import { expect, test } from "vitest";
import { createRunWaiters } from "../../src/stores/run-waiters.ts";

const never = new AbortController().signal;

/** @returns the names of the waits that are over. */
function watch(waits: Record<string, Promise<void>>): string[] {
  const over: string[] = [];
  for (const [name, waiting] of Object.entries(waits)) void waiting.then(() => over.push(name));
  return over;
}
const settle = () => new Promise(setImmediate);

test("wakes the waits for this run whose entry is now in the log", async () => {
  const waiters = createRunWaiters();
  const over = watch({
    first: waiters.wait("a", -1, never),
    second: waiters.wait("a", 4, never),
    third: waiters.wait("a", 5, never),
    end: waiters.wait("a", Number.MAX_SAFE_INTEGER, never),
    another: waiters.wait("b", -1, never),
  });
  waiters.wake("a", 4);
  await settle();
  expect(over).toEqual(["first"]);
  waiters.wake("a", 5);
  await settle();
  expect(over).toEqual(["first", "second"]);
  waiters.wake("a", Number.POSITIVE_INFINITY);
  await settle();
  expect(over).toEqual(["first", "second", "third", "end"]);
  expect(waiters.runIds()).toEqual(["b"]);
  waiters.wakeAll();
  await settle();
  expect(over).toEqual(["first", "second", "third", "end", "another"]);
  expect(waiters.runIds()).toEqual([]);
});

test("reports the start of the first wait and the end of the last one, and nothing in between", () => {
  const calls: string[] = [];
  const waiters = createRunWaiters({
    onFirst: () => calls.push("first"),
    onLast: () => calls.push("last"),
  });
  const abort = new AbortController();
  void waiters.wait("a", -1, abort.signal);
  void waiters.wait("a", -1, never);
  void waiters.wait("b", -1, never);
  expect(calls).toEqual(["first"]);
  abort.abort();
  waiters.wake("a", 0);
  expect(calls).toEqual(["first"]);
  waiters.wake("b", 0);
  expect(calls).toEqual(["first", "last"]);
  void waiters.wait("a", -1, AbortSignal.abort());
  expect(calls).toEqual(["first", "last"]);
  void waiters.wait("a", 0, never);
  expect(calls).toEqual(["first", "last", "first"]);
});

test("a woken caller may wait again at once", async () => {
  const waiters = createRunWaiters();
  let woken = 0;
  const again = async () => {
    for (; woken < 3; woken++) await waiters.wait("a", woken, never);
  };
  const waiting = again();
  for (let seq = 1; seq <= 3; seq++) {
    waiters.wake("a", seq);
    await settle();
  }
  await waiting;
  expect(woken).toBe(3);
});
