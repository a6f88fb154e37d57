/** When `open` creates a run, attaches to a known one, or is refused. */
import { deepEqual, equal, ok } from "node:assert/strict";
import {
  attachedTo,
  type ContractStores,
  done,
  never,
  pause,
  producerLost,
  runOf,
  stopped,
  untilGone,
} from "./contract-stores.ts";
import type { TestRunner } from "./describe-run-store.ts";
import { logOf, opening, openRun, pageOf } from "./run-store-calls.ts";

export function describeOpening(stores: ContractStores, { describe, test }: TestRunner): void {
  describe("open", () => {
    test("creates a run with an empty log", async () => {
      const request = opening({ sessionId: "s", key: "k" });
      const run = { runId: request.runId, owner: "ann", sessionId: "s", lastSeq: -1, terminal: undefined };
      deepEqual(await stores.first.open(request), { status: "created", run });
      deepEqual(await pageOf(stores.second, request.runId), { run, entries: [] });
    });

    test("needs neither a session nor a key", async () => {
      const request = opening();
      deepEqual(await stores.first.open(request), {
        status: "created",
        run: { runId: request.runId, owner: "ann", sessionId: undefined, lastSeq: -1, terminal: undefined },
      });
      equal((await stores.first.open(opening())).status, "created");
    });

    test("attaches to the run with the same key and body, open or ended", async () => {
      const runId = await openRun(stores.first, { key: "k", sessionId: "s" });
      await stores.first.append(runId, 0, ["0", "1"]);
      const again = opening({ key: "k", sessionId: "s", maxOpenRuns: 0 });
      const run = { runId, owner: "ann", sessionId: "s", lastSeq: 1, terminal: undefined };
      deepEqual(await stores.second.open(again), { status: "attached", run });
      await stores.first.end(runId, done);
      deepEqual(await stores.second.open(again), {
        status: "attached",
        run: { ...run, lastSeq: 2, terminal: { type: "done" } },
      });
      equal(await stores.first.read(again.runId, -1, 10), undefined);
    });

    test("refuses a key that belongs to another body", async () => {
      const runId = await openRun(stores.first, { key: "k" });
      const conflicting = opening({ key: "k", bodyHash: "another" });
      equal((await stores.second.open(conflicting)).status, "key-conflict");
      await stores.first.end(runId, done);
      equal((await stores.second.open(conflicting)).status, "key-conflict");
    });

    test("returns the same run as created if repeated, so that a request can be retried after its reply was lost", async () => {
      const named = { key: "k", sessionId: "s", maxOpenRuns: 1 };
      for (const given of [named, { key: "k2" }, { sessionId: "s2" }, {}]) {
        const request = opening({ maxOpenRuns: 4, owner: JSON.stringify(given), ...given });
        const created = await stores.first.open(request);
        equal(created.status, "created");
        deepEqual(await stores.second.open(request), created);
        deepEqual(await stores.first.open(request), created);
        await stores.first.append(request.runId, 0, ["0"]);
        deepEqual(await logOf(stores.second, request.runId), ["0"]);
        await stores.first.end(request.runId, done);
        const ended = { ...(created as { run: object }).run, lastSeq: 1, terminal: { type: "done" } };
        deepEqual(await stores.second.open(request), { status: "created", run: ended });
      }
    });

    test("renews the lease of an open run if repeated", async () => {
      stores.use({ leaseMs: 150 });
      const request = opening();
      await stores.first.open(request);
      await pause(100);
      const repeatedAt = performance.now();
      await stores.second.open(request);
      while ((await stores.second.endIfLeaseExpired(request.runId)) === undefined) await pause(5);
      // Stores count whole milliseconds.
      ok(performance.now() - repeatedAt > 148, "the lease was not renewed");
    });

    test("can reuse the key of a run that was lost before its first entry", async () => {
      stores.use({ leaseMs: 30 });
      const lost = opening({ key: "k", sessionId: "s" });
      await stores.first.open(lost);
      const waiting = stores.second.wait(lost.runId, Number.MAX_SAFE_INTEGER, never);
      await pause(60);
      const next = opening({ key: "k", sessionId: "s", maxOpenRuns: 1 });
      equal((await stores.first.open(next)).status, "created");
      await waiting;
      deepEqual((await stores.second.read(lost.runId, -1, 10))?.run.terminal, producerLost);
      await stores.first.append(next.runId, 0, ["0"]);
      await stores.first.end(next.runId, producerLost);
      const again = await stores.second.open(opening({ key: "k" }));
      deepEqual([attachedTo(again), runOf(again).lastSeq], [next.runId, 1]);
      equal((await stores.second.latest("ann", "s"))?.runId, next.runId);
    });

    test("can reuse the key of a run that was given up at once, but not of a stopped one", async () => {
      const given = await openRun(stores.first, { key: "k", bodyHash: "another" });
      await stores.second.end(given, producerLost);
      const next = await openRun(stores.first, { key: "k" });
      await stores.second.end(next, stopped);
      const again = await stores.first.open(opening({ key: "k" }));
      deepEqual([attachedTo(again), runOf(again).terminal], [next, stopped]);
      equal(await stores.first.stopKey("ann", "k"), next);
    });

    test("keeps the key with the newer run after the retention time of the lost one", async () => {
      stores.use({ retentionMs: 100 });
      const lost = await openRun(stores.first, { key: "k" });
      await stores.first.end(lost, producerLost);
      const next = await openRun(stores.second, { key: "k" });
      await untilGone(stores.first, lost);
      equal(attachedTo(await stores.first.open(opening({ key: "k" }))), next);
    });

    test("keeps owners separate: each can have the same key, session and number of runs", async () => {
      const same = { key: "k", sessionId: "s", maxOpenRuns: 1 };
      const ofAnn = await openRun(stores.first, { ...same, owner: "ann" });
      const ofBob = await openRun(stores.first, { ...same, owner: "bob", bodyHash: "another" });
      equal((await stores.first.latest("ann", "s"))?.runId, ofAnn);
      equal((await stores.first.latest("bob", "s"))?.runId, ofBob);
    });

    test("refuses a second open run in a session unless allowed, and returns the open one", async () => {
      const first = await openRun(stores.first, { sessionId: "s" });
      await stores.first.append(first, 0, ["0"]);
      deepEqual(await stores.second.open(opening({ sessionId: "s" })), {
        status: "run-active",
        run: { runId: first, owner: "ann", sessionId: "s", lastSeq: 0, terminal: undefined },
      });
      // A client can follow the open run, whatever the limit.
      equal((await stores.second.open(opening({ sessionId: "s", maxOpenRuns: 1 }))).status, "run-active");
      equal((await stores.second.open(opening({ sessionId: "another" }))).status, "created");
      equal((await stores.second.open(opening())).status, "created");
      const second = opening({ sessionId: "s", allowActiveRun: true });
      equal((await stores.second.open(second)).status, "created");
      await stores.first.end(first, done);
      equal((await stores.first.open(opening({ sessionId: "s" }))).status, "run-active");
      await stores.second.end(second.runId, done);
      equal((await stores.first.open(opening({ sessionId: "s" }))).status, "created");
    });

    test("counts the open runs of an owner across sessions", async () => {
      const first = await openRun(stores.first, { sessionId: "a", maxOpenRuns: 2 });
      await openRun(stores.second, { maxOpenRuns: 2 });
      const third = opening({ sessionId: "c", maxOpenRuns: 2, key: "k" });
      equal((await stores.first.open(third)).status, "too-many-runs");
      equal(await stores.first.read(third.runId, -1, 10), undefined);
      await stores.first.end(first, done);
      equal((await stores.first.open(third)).status, "created");
      equal((await stores.second.open(opening({ maxOpenRuns: 2 }))).status, "too-many-runs");
    });

    test("has no limit for runs without an owner", async () => {
      for (const key of ["a", "b", undefined]) {
        const request = opening({ owner: "", key, maxOpenRuns: 1 });
        equal((await stores.first.open(request)).status, "created");
        equal((await stores.second.read(request.runId, -1, 1))?.run.owner, "");
      }
      equal(
        attachedTo(await stores.second.open(opening({ owner: "", key: "a", maxOpenRuns: 1 }))).length,
        36,
      );
    });

    test("creates one run for many concurrent calls with the same key, and attaches the others to it", async () => {
      const requests = Array.from({ length: 20 }, () => opening({ key: "k", sessionId: "s" }));
      const opened = await Promise.all(
        requests.map((request, index) => (index % 2 === 0 ? stores.first : stores.second).open(request)),
      );
      const statuses = opened.map(({ status }) => status).sort();
      deepEqual(statuses, [...Array(19).fill("attached"), "created"]);
      const runIds = opened.map((answer) => (answer as { run: { runId: string } }).run.runId);
      equal(new Set(runIds).size, 1);
    });

    test("lets one of many concurrent calls in one session succeed", async () => {
      const opened = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? stores.first : stores.second).open(opening({ sessionId: "s" })),
        ),
      );
      const statuses = opened.map(({ status }) => status).sort();
      deepEqual(statuses, ["created", ...Array(19).fill("run-active")]);
    });
  });
}
