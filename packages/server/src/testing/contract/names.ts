/** Owners, sessions and keys name runs, and are never confused. */

import { deepEqual, equal } from "node:assert/strict";
import { createRunId } from "../../stores/run-id.ts";
import {
  attachedTo,
  type ContractStores,
  done,
  pause,
  runOf,
  stopped,
  untilGone,
} from "./contract-stores.ts";
import type { TestRunner } from "./describe-run-store.ts";
import { logOf, opening, openRun } from "./run-store-calls.ts";

export function describeNames(stores: ContractStores, { describe, test }: TestRunner): void {
  describe("latest", () => {
    test("returns the latest run of the session, open or ended", async () => {
      equal(await stores.first.latest("ann", "s"), undefined);
      const first = await openRun(stores.first, { sessionId: "s" });
      await stores.first.append(first, 0, ["0"]);
      const run = { runId: first, owner: "ann", sessionId: "s", lastSeq: 0, terminal: undefined };
      deepEqual(await stores.second.latest("ann", "s"), run);
      await stores.first.end(first, done);
      deepEqual(await stores.second.latest("ann", "s"), {
        ...run,
        lastSeq: 1,
        terminal: { type: "done" },
      });
      const second = await openRun(stores.first, { sessionId: "s" });
      await openRun(stores.first, { sessionId: "another" });
      await openRun(stores.first);
      equal((await stores.second.latest("ann", "s"))?.runId, second);
      const third = await openRun(stores.second, { sessionId: "s", allowActiveRun: true });
      await stores.second.end(third, done);
      equal((await stores.first.latest("ann", "s"))?.runId, third);
    });

    test("never returns another owner's run", async () => {
      await openRun(stores.first, { sessionId: "s" });
      equal(await stores.first.latest("bob", "s"), undefined);
      equal(await stores.first.latest("ann", "S"), undefined);
    });
  });

  describe("stopKey", () => {
    test("finds this owner's run with the key, open or ended", async () => {
      const runId = await openRun(stores.first, { key: "k" });
      equal(await stores.second.stopKey("ann", "k"), runId);
      equal((await stores.first.read(runId, -1, 1))?.run.terminal, undefined);
      await stores.first.end(runId, done);
      equal(await stores.second.stopKey("ann", "k"), runId);
      equal(await stores.first.stopKey("bob", "k"), undefined);
    });

    test("makes a later run of this owner open as stopped, once", async () => {
      equal(await stores.first.stopKey("ann", "k"), undefined);
      equal(await stores.first.stopKey("ann", "k"), undefined);
      const ofBob = opening({ owner: "bob", key: "k" });
      equal((await stores.second.open(ofBob)).status, "created");
      equal((await stores.second.open(opening({ key: "K" }))).status, "created");
      const request = opening({ key: "k", sessionId: "s" });
      const run = { runId: request.runId, owner: "ann", sessionId: "s", lastSeq: 0, terminal: stopped };
      deepEqual(await stores.second.open(request), { status: "created", run });
      deepEqual(await logOf(stores.first, request.runId), ['{"type":"abort","reason":"stopped"}']);
      equal(await stores.first.append(request.runId, 0, ["0"]), "ended");
      deepEqual(await stores.second.open(opening({ key: "k" })), { status: "attached", run });
      // The run counts as ended.
      equal((await stores.first.open(opening({ sessionId: "s" }))).status, "created");
      equal(await stores.first.stopKey("bob", "k"), ofBob.runId);
    });

    test("is remembered for the newest 1,000 keys of each owner", async () => {
      // Stores may order stops of the same millisecond in any way.
      await stores.first.stopKey("bob", "first");
      for (const key of ["first", "second"]) {
        await stores.first.stopKey("ann", key);
        await pause(5);
      }
      for (let count = 0; count < 998; count++) await stores.first.stopKey("ann", `${count}`);
      await pause(5);
      await stores.first.stopKey("ann", "first");
      await stores.first.stopKey("ann", "last");
      const terminalOf = async (key: string, owner = "ann") =>
        runOf(await stores.second.open(opening({ key, owner }))).terminal?.type;
      const kept = await Promise.all(["first", "second", "0", "997", "last"].map((key) => terminalOf(key)));
      deepEqual(kept, ["abort", undefined, "abort", "abort", "abort"]);
      equal(await terminalOf("first", "bob"), "abort");
    });

    test("is dropped with the run that it stopped", async () => {
      stores.use({ retentionMs: 40 });
      await stores.first.stopKey("ann", "k");
      const first = await stores.first.open(opening({ key: "k" }));
      deepEqual(runOf(first).terminal, stopped);
      await untilGone(stores.second, runOf(first).runId);
      equal(runOf(await stores.first.open(opening({ key: "k" }))).terminal, undefined);
    });
  });

  test("never confuses owners, keys, sessions or runs, whatever their text", async () => {
    const names = [
      "a",
      "a:b",
      "b",
      ":",
      "1:a",
      "'",
      '"',
      "a\0b",
      "a\0c",
      "a ",
      " a",
      "語",
      "__proto__",
      "%",
      "*",
    ];
    const opened: { owner: string; name: string; runId: string }[] = [];
    for (const owner of names) {
      for (const name of names) {
        const runId = createRunId(owner, name);
        const answer = await stores.first.open(opening({ runId, owner, sessionId: name, key: name }));
        deepEqual(answer, {
          status: "created",
          run: { runId, owner, sessionId: name, lastSeq: -1, terminal: undefined },
        });
        opened.push({ owner, name, runId });
      }
    }
    for (const { owner, name, runId } of opened) {
      equal((await stores.second.latest(owner, name))?.runId, runId);
      equal(await stores.second.stopKey(owner, name), runId);
      const { run } = (await stores.second.read(runId, -1, 1))!;
      deepEqual([run.runId, run.owner, run.sessionId], [runId, owner, name]);
    }
  });

  test("never confuses a stopped key with another owner's, with another key or with an open run's", async () => {
    const names = ["x", "x:stopped", "stop:x", "1:x", "a:b", "a", "b", ":", "a\0b", "語", "__proto__", "*"];
    for (const owner of names) {
      for (const key of names) {
        const isStopped = (owner.length + key.length) % 2 === 0;
        if (isStopped) equal(await stores.first.stopKey(owner, key), undefined);
      }
    }
    for (const owner of names) {
      for (const key of names) {
        const isStopped = (owner.length + key.length) % 2 === 0;
        const first = opening({ owner, key });
        deepEqual(runOf(await stores.second.open(first)).terminal, isStopped ? stopped : undefined);
        equal(attachedTo(await stores.first.open(opening({ owner, key }))), first.runId);
      }
    }
  });
}
