/** How long a run stays open without its producer, and how long it is kept after its end. */
import { describe, expect, test } from "vitest";
import { logOf, opening, openRun } from "../run-store-calls.ts";
import { type ContractStores, done, never, pause, producerLost } from "./contract-stores.ts";

export function describeLifetime(stores: ContractStores): void {
  test("exposes the length of its lease", () => {
    expect(stores.first.leaseMs).toBe(15_000);
    expect(stores.create({ leaseMs: 70 }).leaseMs).toBe(70);
  });

  test("keeps runs and leases forever if both times are endless", async () => {
    for (const forever of [Number.POSITIVE_INFINITY, 2 ** 31, 1e300]) {
      stores.use({ retentionMs: forever, leaseMs: forever });
      expect(stores.first.leaseMs).toBeGreaterThan(2 ** 31);
      const runId = await openRun(stores.first);
      expect(await stores.first.append(runId, 0, ["0"])).toBe("ok");
      expect(await stores.first.renew(runId)).toBe("ok");
      expect(await stores.second.endIfLeaseExpired(runId)).toBe(undefined);
      expect(await stores.first.end(runId, done)).toEqual(done);
      expect(await logOf(stores.second, runId)).toEqual(["0", JSON.stringify(done)]);
    }
  });

  test("accepts fractions of milliseconds", async () => {
    stores.use({ retentionMs: 200_000 / 3, leaseMs: 100_000 / 3 });
    const runId = await openRun(stores.first);
    expect(await stores.first.append(runId, 0, ["0"])).toBe("ok");
    expect(await stores.first.end(runId, done)).toEqual(done);
    expect(await logOf(stores.second, runId)).toEqual(["0", JSON.stringify(done)]);
  });

  test("refuses invalid times and a lease of 0 when it is created", () => {
    for (const options of [
      { retentionMs: Number.NaN },
      { retentionMs: -1 },
      { leaseMs: Number.NaN },
      { leaseMs: -1 },
      { leaseMs: 0 },
    ]) {
      expect(() => stores.create(options)).toThrow(RangeError);
    }
  });

  describe("the lease", () => {
    test("does not end a run before it expires", async () => {
      const runId = await openRun(stores.first);
      expect(await stores.second.endIfLeaseExpired(runId)).toBe(undefined);
      expect((await stores.first.read(runId, -1, 1))?.run.terminal).toBe(undefined);
    });

    test("comes with every page, as the time left since the last append or renewal", async () => {
      stores.use({ leaseMs: 60 });
      const runId = await openRun(stores.first);
      const leaseLeft = async () => (await stores.second.read(runId, -1, 0))!.leaseLeftMs;
      for (const renew of [() => stores.first.append(runId, 0, ["0"]), () => stores.first.renew(runId)]) {
        await expect.poll(leaseLeft).toBeLessThanOrEqual(0);
        const renewedAt = performance.now();
        expect(await renew()).toBe("ok");
        const leftMs = await leaseLeft();
        expect(leftMs).toBeLessThanOrEqual(60);
        expect(leftMs).toBeGreaterThan(60 - (performance.now() - renewedAt) - 10);
      }
      await expect.poll(leaseLeft).toBeLessThanOrEqual(0);
      expect(await stores.second.endIfLeaseExpired(runId)).toEqual(producerLost);
    });

    test("lets any store end the run after it expires, and fences the producer", async () => {
      stores.use({ leaseMs: 30 });
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0"]);
      await pause(40);
      expect(await stores.second.endIfLeaseExpired(runId)).toEqual(producerLost);
      expect(await stores.second.endIfLeaseExpired(runId)).toEqual(producerLost);
      expect(await stores.first.append(runId, 1, ["1"])).toBe("ended");
      expect(await stores.first.renew(runId)).toBe("ended");
      expect(await stores.first.end(runId, done)).toEqual(producerLost);
      expect(await logOf(stores.first, runId)).toEqual(["0", JSON.stringify(producerLost)]);
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
        expect([await stores.first.renew(renewed), await stores.first.append(appended, step, ["x"])]).toEqual(
          ["ok", "ok"],
        );
      }
      expect(await stores.second.endIfLeaseExpired(renewed)).toBe(undefined);
      expect(await stores.second.endIfLeaseExpired(appended)).toBe(undefined);
      expect(await stores.second.endIfLeaseExpired(left)).toEqual(producerLost);
    });

    test("blocks neither session nor owner after it expires, and wakes waiting calls", async () => {
      stores.use({ leaseMs: 30 });
      const lost = await openRun(stores.first, { sessionId: "s" });
      const waiting = stores.first.wait(lost, -1, never);
      await pause(120);
      const next = opening({ sessionId: "s", maxOpenRuns: 1 });
      expect((await stores.first.open(next)).status).toBe("created");
      await waiting;
      expect(await logOf(stores.second, lost)).toEqual([JSON.stringify(producerLost)]);
      expect((await stores.second.latest("ann", "s"))?.runId).toBe(next.runId);
    });
  });

  describe("a run after its retention time", () => {
    test("looks as if it never existed, as do its key and its session", async () => {
      const kept = await openRun(stores.first);
      await stores.first.end(kept, done);
      expect((await stores.second.read(kept, -1, 10))?.run.terminal).toEqual({ type: "done" });
      stores.use({ retentionMs: 40 });
      const runId = await openRun(stores.first, { key: "k", sessionId: "s" });
      await stores.first.append(runId, 0, ["0"]);
      await stores.first.end(runId, done);
      await expect.poll(() => stores.second.read(runId, -1, 10)).toBe(undefined);
      for (const seen of [runId, "unknown"]) {
        for (const store of [stores.first, stores.second]) {
          expect(await store.read(seen, -1, 10)).toBe(undefined);
          expect(await store.append(seen, 0, ["0"])).toBe("lost");
          expect(await store.append(seen, 5, ["0"])).toBe("lost");
          expect(await store.renew(seen)).toBe("lost");
          expect(await store.end(seen, done)).toBe(undefined);
          expect(await store.endIfLeaseExpired(seen)).toBe(undefined);
          await store.wait(seen, -1, never);
        }
      }
      expect(await stores.first.latest("ann", "s")).toBe(undefined);
      const next = opening({ key: "k", sessionId: "s", bodyHash: "another" });
      expect((await stores.second.open(next)).status).toBe("created");
    });

    test("does not affect a run that ended later", async () => {
      stores.use({ retentionMs: 500 });
      const first = await openRun(stores.first);
      const second = await openRun(stores.first);
      await stores.first.end(first, done);
      await pause(600);
      await stores.first.end(second, done);
      await expect.poll(() => stores.first.read(first, -1, 10)).toBe(undefined);
      expect((await stores.second.read(second, -1, 10))?.run.runId).toBe(second);
    });

    // In memory, a run does not outlive its producer.
    if (stores.isShared) {
      test("is dropped even if it was never ended, after its lease", async () => {
        stores.use({ leaseMs: 40, retentionMs: 40 });
        const runId = await openRun(stores.first, { key: "k", sessionId: "s" });
        await stores.first.append(runId, 0, ["0"]);
        await expect.poll(() => stores.second.read(runId, -1, 10)).toBe(undefined);
        expect(await stores.first.append(runId, 1, ["1"])).toBe("lost");
        expect(await stores.second.latest("ann", "s")).toBe(undefined);
        expect((await stores.second.open(opening({ key: "k", bodyHash: "another" }))).status).toBe("created");
      });
    }

    test("does not affect the open runs of its owner and session", async () => {
      stores.use({ retentionMs: 40, leaseMs: 10_000 });
      const short = await openRun(stores.first, { sessionId: "s" });
      const long = await openRun(stores.first, { sessionId: "s", allowActiveRun: true });
      await stores.first.end(short, done);
      await expect.poll(() => stores.second.read(short, -1, 10)).toBe(undefined);
      expect((await stores.second.latest("ann", "s"))?.runId).toBe(long);
      expect((await stores.second.open(opening({ sessionId: "s" }))).status).toBe("run-active");
      expect((await stores.second.open(opening({ maxOpenRuns: 1 }))).status).toBe("too-many-runs");
    });

    test("is still complete if it is open, however long it runs", async () => {
      stores.use({ retentionMs: 100 });
      const runId = await openRun(stores.first, { sessionId: "s", key: "k" });
      for (let seq = 0; seq < 15; seq++) {
        expect(await stores.first.append(runId, seq, [`${seq}`])).toBe("ok");
        await pause(20);
      }
      expect(await logOf(stores.second, runId)).toEqual(Array.from({ length: 15 }, (_, seq) => `${seq}`));
      expect((await stores.second.latest("ann", "s"))?.runId).toBe(runId);
      expect((await stores.second.open(opening({ key: "k" }))).status).toBe("attached");
      expect((await stores.second.open(opening({ maxOpenRuns: 1 }))).status).toBe("too-many-runs");
    });
  });
}
