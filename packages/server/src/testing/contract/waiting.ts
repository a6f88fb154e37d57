/** A call that waits for a run ends when there is something to read, or at the latest when the store closes. */
import { equal } from "node:assert/strict";
import { type ContractStores, done, isOver, never, stopped } from "./contract-stores.ts";
import type { TestRunner } from "./describe-run-store.ts";
import { callsOf, openRun } from "./run-store-calls.ts";

export function describeWaiting(stores: ContractStores, { describe, test }: TestRunner): void {
  describe("wait", () => {
    test("ends at once if there is an entry after the cursor, or if the run has ended", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      await stores.first.wait(runId, -1, never);
      await stores.second.wait(runId, 0, never);
      await stores.first.end(runId, done);
      await stores.first.wait(runId, 2, never);
      await stores.second.wait(runId, Number.MAX_SAFE_INTEGER, never);
    });

    test("ends when an entry is appended, here or elsewhere", async () => {
      const runId = await openRun(stores.first);
      for (const [seq, store] of [stores.first, stores.second, stores.first].entries()) {
        const waiting = [stores.first.wait(runId, seq - 1, never), stores.second.wait(runId, seq - 1, never)];
        equal(await isOver(Promise.race(waiting)), false);
        await store.append(runId, seq, [`${seq}`]);
        await Promise.all(waiting);
      }
    });

    test("ends when the run ends, even if the cursor is beyond its end", async () => {
      const runId = await openRun(stores.first);
      const waiting = [
        stores.first.wait(runId, -1, never),
        stores.second.wait(runId, -1, never),
        stores.first.wait(runId, Number.MAX_SAFE_INTEGER, never),
        stores.second.wait(runId, Number.MAX_SAFE_INTEGER, never),
      ];
      equal(await isOver(Promise.race(waiting)), false);
      await stores.second.end(runId, stopped);
      await Promise.all(waiting);
    });

    test("ends when the signal is aborted, before or during the wait, and leaves no listener", async () => {
      const runId = await openRun(stores.first);
      await stores.first.wait(runId, -1, AbortSignal.abort());
      const abort = new AbortController();
      const listeners = countListeners(abort.signal);
      const waiting = Promise.all(
        Array.from({ length: 50 }, () => stores.first.wait(runId, -1, abort.signal)),
      );
      equal(await isOver(waiting as unknown as Promise<void>), false);
      abort.abort();
      await waiting;
      equal(listeners(), 0);
      const unused = new AbortController();
      const left = countListeners(unused.signal);
      const over = stores.first.wait(runId, -1, unused.signal);
      await isOver(over);
      await stores.first.append(runId, 0, ["0"]);
      await over;
      equal(left(), 0);
    });

    test("misses no entry that is appended while it begins", async () => {
      stores.stopTicks();
      const runId = await openRun(stores.first);
      for (let seq = 0; seq < 20; seq++) {
        const waiting = stores.second.wait(runId, seq - 1, never);
        await stores.first.append(runId, seq, ["x"]);
        await waiting;
      }
    });

    test("misses no entry that is appended while the store begins to listen", async () => {
      stores.stopTicks();
      for (let count = 0; count < 5; count++) {
        const runId = await openRun(stores.first);
        const fresh = stores.isShared ? stores.create() : stores.first;
        const waiting = fresh.wait(runId, -1, never);
        await stores.first.append(runId, 0, ["0"]);
        await waiting;
      }
    });

    // In memory, no other store has the run.
    if (stores.isShared) {
      test("continues when another store is closed", async () => {
        const runId = await openRun(stores.first);
        const waiting = stores.second.wait(runId, -1, never);
        await stores.first.close();
        equal(await isOver(waiting), false);
        equal(await stores.second.append(runId, 0, ["0"]), "ok");
        await waiting;
      });
    }

    test("ends when the store is closed, which may be repeated", async () => {
      const runId = await openRun(stores.first);
      const waiting = stores.first.wait(runId, -1, never);
      equal(await isOver(waiting), false);
      await stores.first.close();
      await waiting;
      await stores.first.close();
    });
  });

  test("leaves no call pending after it is closed", async () => {
    const runId = await openRun(stores.first);
    await stores.first.close();
    await Promise.allSettled(callsOf(stores.first, runId).map((call) => call()));
  });
}

/** @returns a function that returns the number of listeners on the signal. */
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
