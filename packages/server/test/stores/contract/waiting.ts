/** A call that waits for a run ends when there is something to read, and at the latest with the store. */
import { describe, expect, test } from "vitest";
import { callsOf, openRun } from "../run-store-calls.ts";
import { type ContractStores, done, isOver, never, stopped } from "./contract-stores.ts";

export function describeWaiting(stores: ContractStores): void {
  describe("wait", () => {
    test("is over at once when there is something behind the cursor, and when the run has ended", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      await stores.first.wait(runId, -1, never);
      await stores.second.wait(runId, 0, never);
      await stores.first.end(runId, done);
      await stores.first.wait(runId, 2, never);
      await stores.second.wait(runId, Number.MAX_SAFE_INTEGER, never);
    });

    test("is over when an entry is appended, from here and from elsewhere", async () => {
      const runId = await openRun(stores.first);
      for (const [seq, asked] of [stores.first, stores.second, stores.first].entries()) {
        const waiting = [stores.first.wait(runId, seq - 1, never), stores.second.wait(runId, seq - 1, never)];
        expect(await isOver(Promise.race(waiting))).toBe(false);
        await asked.append(runId, seq, [`${seq}`]);
        await Promise.all(waiting);
      }
    });

    test("is over when the run ends, however far behind the end the cursor is", async () => {
      const runId = await openRun(stores.first);
      const waiting = [
        stores.first.wait(runId, -1, never),
        stores.second.wait(runId, -1, never),
        stores.first.wait(runId, Number.MAX_SAFE_INTEGER, never),
        stores.second.wait(runId, Number.MAX_SAFE_INTEGER, never),
      ];
      expect(await isOver(Promise.race(waiting))).toBe(false);
      await stores.second.end(runId, stopped);
      await Promise.all(waiting);
    });

    test("is over when the signal is aborted, before and while it waits, and leaves no listener", async () => {
      const runId = await openRun(stores.first);
      await stores.first.wait(runId, -1, AbortSignal.abort());
      const abort = new AbortController();
      const listeners = countListeners(abort.signal);
      const waiting = Promise.all(
        Array.from({ length: 50 }, () => stores.first.wait(runId, -1, abort.signal)),
      );
      expect(await isOver(waiting as unknown as Promise<void>)).toBe(false);
      abort.abort();
      await waiting;
      expect(listeners()).toBe(0);
      const unused = new AbortController();
      const left = countListeners(unused.signal);
      const over = stores.first.wait(runId, -1, unused.signal);
      await isOver(over);
      await stores.first.append(runId, 0, ["0"]);
      await over;
      expect(left()).toBe(0);
    });

    test("misses nothing that is appended while it begins", async () => {
      stores.stopTicks();
      const runId = await openRun(stores.first);
      for (let seq = 0; seq < 20; seq++) {
        const waiting = stores.second.wait(runId, seq - 1, never);
        await stores.first.append(runId, seq, ["x"]);
        await waiting;
      }
    });

    test("misses nothing that is appended while the store begins to listen", async () => {
      stores.stopTicks();
      for (let count = 0; count < 5; count++) {
        const runId = await openRun(stores.first);
        const fresh = stores.isShared ? stores.create() : stores.first;
        const waiting = fresh.wait(runId, -1, never);
        await stores.first.append(runId, 0, ["0"]);
        await waiting;
      }
    });

    test("is over when the store is closed, and after that", async () => {
      const runId = await openRun(stores.first);
      const waiting = stores.first.wait(runId, -1, never);
      expect(await isOver(waiting)).toBe(false);
      await stores.first.close();
      await waiting;
      await stores.first.close();
    });
  });

  test("leaves no call pending that is made after it was closed", async () => {
    const runId = await openRun(stores.first);
    await stores.first.close();
    await Promise.allSettled(callsOf(stores.first, runId).map((call) => call()));
  });
}

/** @returns how many listeners the signal has. */
function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...parameters: Parameters<typeof addEventListener>) => {
    count++;
    addEventListener.apply(signal, parameters);
  };
  signal.removeEventListener = (...parameters: Parameters<typeof removeEventListener>) => {
    count--;
    removeEventListener.apply(signal, parameters);
  };
  return () => count;
}
