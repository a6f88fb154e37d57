/** How long a run stays open without its producer, and how long it is kept after its end. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import {
  type ContractStores,
  done,
  never,
  pause,
  producerLost,
  until,
  untilGone,
} from "./contract-stores.ts";
import type { TestRunner } from "./describe-run-store.ts";
import { logOf, opening, openRun } from "./run-store-calls.ts";

export function describeLifetime(stores: ContractStores, { describe, test }: TestRunner): void {
  test("exposes the length of its lease", () => {
    equal(stores.first.leaseMs, 15_000);
    equal(stores.create({ leaseMs: 70 }).leaseMs, 70);
  });

  test("knows whether another process serves the same runs, which only stores that share them can", () => {
    const { canHandOff } = stores.first;
    equal(typeof canHandOff, "boolean");
    if (!stores.isShared) equal(canHandOff, false);
  });

  test("keeps runs and leases forever if both times are endless", async () => {
    for (const forever of [Number.POSITIVE_INFINITY, 2 ** 31, 1e300]) {
      stores.use({ retentionMs: forever, leaseMs: forever });
      ok(stores.first.leaseMs >= 2 ** 31, `the lease is ${stores.first.leaseMs} ms`);
      const runId = await openRun(stores.first);
      equal(await stores.first.append(runId, 0, ["0"]), "ok");
      equal(await stores.first.renew(runId), "ok");
      equal(await stores.second.endIfLeaseExpired(runId), undefined);
      deepEqual(await stores.first.end(runId, done), done);
      deepEqual(await logOf(stores.second, runId), ["0", JSON.stringify(done)]);
    }
  });

  test("accepts fractions of milliseconds", async () => {
    stores.use({ retentionMs: 200_000 / 3, leaseMs: 100_000 / 3 });
    const runId = await openRun(stores.first);
    equal(await stores.first.append(runId, 0, ["0"]), "ok");
    deepEqual(await stores.first.end(runId, done), done);
    deepEqual(await logOf(stores.second, runId), ["0", JSON.stringify(done)]);
  });

  test("refuses invalid times and a lease of 0 when it is created", () => {
    for (const options of [
      { retentionMs: Number.NaN },
      { retentionMs: -1 },
      { leaseMs: Number.NaN },
      { leaseMs: -1 },
      { leaseMs: 0 },
    ]) {
      throws(() => stores.create(options), RangeError);
    }
  });

  describe("the lease", () => {
    test("does not end a run before it expires", async () => {
      const runId = await openRun(stores.first);
      equal(await stores.second.endIfLeaseExpired(runId), undefined);
      equal((await stores.first.read(runId, -1, 1))?.run.terminal, undefined);
    });

    test("comes with every page, as the time left since the last append or renewal", async () => {
      stores.use({ leaseMs: 60 });
      const runId = await openRun(stores.first);
      const leaseLeft = async () => (await stores.second.read(runId, -1, 0))!.leaseLeftMs;
      for (const renew of [() => stores.first.append(runId, 0, ["0"]), () => stores.first.renew(runId)]) {
        await until("leaseLeftMs is 0 or less", async () => (await leaseLeft()) <= 0);
        const renewedAt = performance.now();
        equal(await renew(), "ok");
        const leftMs = await leaseLeft();
        const atLeastMs = 60 - (performance.now() - renewedAt) - 10;
        ok(leftMs <= 60 && leftMs > atLeastMs, `${leftMs} ms of 60 are left, not ${atLeastMs}`);
      }
      await until("leaseLeftMs is 0 or less", async () => (await leaseLeft()) <= 0);
      deepEqual(await stores.second.endIfLeaseExpired(runId), producerLost);
    });

    test("lets any store end the run after it expires, and fences the producer", async () => {
      stores.use({ leaseMs: 30 });
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0"]);
      await pause(40);
      deepEqual(await stores.second.endIfLeaseExpired(runId), producerLost);
      deepEqual(await stores.second.endIfLeaseExpired(runId), producerLost);
      equal(await stores.first.append(runId, 1, ["1"]), "ended");
      equal(await stores.first.renew(runId), "ended");
      deepEqual(await stores.first.end(runId, done), producerLost);
      deepEqual(await logOf(stores.first, runId), ["0", JSON.stringify(producerLost)]);
    });

    test("is extended by renew and by append", async () => {
      stores.use({ leaseMs: 1000 });
      const [renewed, appended, left] = [
        await openRun(stores.first),
        await openRun(stores.first),
        await openRun(stores.first),
      ];
      for (let step = 0; step < 5; step++) {
        await pause(250);
        deepEqual(
          [await stores.first.renew(renewed), await stores.first.append(appended, step, ["x"])],
          ["ok", "ok"],
        );
      }
      equal(await stores.second.endIfLeaseExpired(renewed), undefined);
      equal(await stores.second.endIfLeaseExpired(appended), undefined);
      deepEqual(await stores.second.endIfLeaseExpired(left), producerLost);
    });

    test("blocks neither session nor owner after it expires, and wakes waiting calls", async () => {
      stores.use({ leaseMs: 30 });
      const lost = await openRun(stores.first, { sessionId: "s" });
      const waiting = stores.first.wait(lost, -1, never);
      await pause(120);
      const next = opening({ sessionId: "s", maxOpenRuns: 1 });
      equal((await stores.first.open(next)).status, "created");
      await waiting;
      deepEqual(await logOf(stores.second, lost), [JSON.stringify(producerLost)]);
      equal((await stores.second.latest("ann", "s"))?.runId, next.runId);
    });
  });

  describe("a run after its retention time", () => {
    test("looks as if it never existed, as do its key and its session", async () => {
      const kept = await openRun(stores.first);
      await stores.first.end(kept, done);
      deepEqual((await stores.second.read(kept, -1, 10))?.run.terminal, { type: "done" });
      stores.use({ retentionMs: 40 });
      const runId = await openRun(stores.first, { key: "k", sessionId: "s" });
      await stores.first.append(runId, 0, ["0"]);
      await stores.first.end(runId, done);
      await untilGone(stores.second, runId);
      for (const seen of [runId, "unknown"]) {
        for (const store of [stores.first, stores.second]) {
          equal(await store.read(seen, -1, 10), undefined);
          equal(await store.append(seen, 0, ["0"]), "lost");
          equal(await store.append(seen, 5, ["0"]), "lost");
          equal(await store.renew(seen), "lost");
          equal(await store.end(seen, done), undefined);
          equal(await store.endIfLeaseExpired(seen), undefined);
          await store.wait(seen, -1, never);
        }
      }
      equal(await stores.first.latest("ann", "s"), undefined);
      const next = opening({ key: "k", sessionId: "s", bodyHash: "another" });
      equal((await stores.second.open(next)).status, "created");
    });

    test("is dropped even if its end is repeated", async () => {
      stores.use({ retentionMs: 40 });
      const runId = await openRun(stores.first);
      await stores.first.end(runId, done);
      await until("read() returns undefined", async () => {
        await stores.second.end(runId, done);
        return (await stores.second.read(runId, -1, 1)) === undefined;
      });
    });

    test("does not affect a run that ended later", async () => {
      stores.use({ retentionMs: 500 });
      const first = await openRun(stores.first);
      const second = await openRun(stores.first);
      await stores.first.end(first, done);
      await pause(600);
      await stores.first.end(second, done);
      await untilGone(stores.first, first);
      equal((await stores.second.read(second, -1, 10))?.run.runId, second);
    });

    // In memory, a run does not outlive its producer.
    if (stores.isShared) {
      test("is dropped even if it was never ended, after its lease", async () => {
        stores.use({ leaseMs: 40, retentionMs: 40 });
        const runId = await openRun(stores.first, { key: "k", sessionId: "s" });
        await stores.first.append(runId, 0, ["0"]);
        await untilGone(stores.second, runId);
        equal(await stores.first.append(runId, 1, ["1"]), "lost");
        equal(await stores.second.latest("ann", "s"), undefined);
        equal((await stores.second.open(opening({ key: "k", bodyHash: "another" }))).status, "created");
      });
    }

    test("does not affect the open runs of its owner and session", async () => {
      stores.use({ retentionMs: 40, leaseMs: 10_000 });
      const short = await openRun(stores.first, { sessionId: "s" });
      const long = await openRun(stores.first, { sessionId: "s", allowActiveRun: true });
      await stores.first.end(short, done);
      await untilGone(stores.second, short);
      equal((await stores.second.latest("ann", "s"))?.runId, long);
      equal((await stores.second.open(opening({ sessionId: "s" }))).status, "run-active");
      equal((await stores.second.open(opening({ maxOpenRuns: 1 }))).status, "too-many-runs");
    });

    test("is still complete if it is open, however long it runs", async () => {
      stores.use({ retentionMs: 100 });
      const runId = await openRun(stores.first, { sessionId: "s", key: "k" });
      for (let seq = 0; seq < 15; seq++) {
        equal(await stores.first.append(runId, seq, [`${seq}`]), "ok");
        await pause(20);
      }
      deepEqual(
        await logOf(stores.second, runId),
        Array.from({ length: 15 }, (_, seq) => `${seq}`),
      );
      equal((await stores.second.latest("ann", "s"))?.runId, runId);
      equal((await stores.second.open(opening({ key: "k" }))).status, "attached");
      equal((await stores.second.open(opening({ maxOpenRuns: 1 }))).status, "too-many-runs");
    });
  });
}
