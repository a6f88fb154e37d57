/** Owners, sessions and keys name runs, and are never confused. */

import { describe, expect, test } from "vitest";
import { createRunId } from "../../../src/stores/run-id.ts";
import { logOf, opening, openRun } from "../run-store-calls.ts";
import { type ContractStores, done, pause, runOf, stopped } from "./contract-stores.ts";

export function describeNames(stores: ContractStores): void {
  describe("latest", () => {
    test("returns the latest run of the session, open or ended", async () => {
      expect(await stores.first.latest("ann", "s")).toBe(undefined);
      const first = await openRun(stores.first, { sessionId: "s" });
      await stores.first.append(first, 0, ["0"]);
      const run = { runId: first, owner: "ann", sessionId: "s", lastSeq: 0, terminal: undefined };
      expect(await stores.second.latest("ann", "s")).toEqual(run);
      await stores.first.end(first, done);
      expect(await stores.second.latest("ann", "s")).toEqual({
        ...run,
        lastSeq: 1,
        terminal: { type: "done" },
      });
      const second = await openRun(stores.first, { sessionId: "s" });
      await openRun(stores.first, { sessionId: "another" });
      await openRun(stores.first);
      expect((await stores.second.latest("ann", "s"))?.runId).toBe(second);
      const third = await openRun(stores.second, { sessionId: "s", allowActiveRun: true });
      await stores.second.end(third, done);
      expect((await stores.first.latest("ann", "s"))?.runId).toBe(third);
    });

    test("never returns another owner's run", async () => {
      await openRun(stores.first, { sessionId: "s" });
      expect(await stores.first.latest("bob", "s")).toBe(undefined);
      expect(await stores.first.latest("ann", "S")).toBe(undefined);
    });
  });

  describe("stopKey", () => {
    test("finds this owner's run with the key, open or ended", async () => {
      const runId = await openRun(stores.first, { key: "k" });
      expect(await stores.second.stopKey("ann", "k")).toBe(runId);
      expect((await stores.first.read(runId, -1, 1))?.run.terminal).toBe(undefined);
      await stores.first.end(runId, done);
      expect(await stores.second.stopKey("ann", "k")).toBe(runId);
      expect(await stores.first.stopKey("bob", "k")).toBe(undefined);
    });

    test("makes a later run of this owner open as stopped, once", async () => {
      expect(await stores.first.stopKey("ann", "k")).toBe(undefined);
      expect(await stores.first.stopKey("ann", "k")).toBe(undefined);
      expect((await stores.second.open(opening({ owner: "bob", key: "k" }))).status).toBe("created");
      expect((await stores.second.open(opening({ key: "K" }))).status).toBe("created");
      const request = opening({ key: "k", sessionId: "s" });
      const run = { runId: request.runId, owner: "ann", sessionId: "s", lastSeq: 0, terminal: stopped };
      expect(await stores.second.open(request)).toEqual({ status: "created", run });
      expect(await logOf(stores.first, request.runId)).toEqual(['{"type":"abort","reason":"stopped"}']);
      expect(await stores.first.append(request.runId, 0, ["0"])).toBe("ended");
      expect(await stores.second.open(opening({ key: "k" }))).toEqual({ status: "attached", run });
      // The run counts as ended.
      expect((await stores.first.open(opening({ sessionId: "s" }))).status).toBe("created");
      expect(await stores.first.stopKey("bob", "k")).toEqual(expect.any(String));
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
      expect(kept).toEqual(["abort", undefined, "abort", "abort", "abort"]);
      expect(await terminalOf("first", "bob")).toBe("abort");
    });

    test("is dropped with the run that it stopped", async () => {
      stores.use({ retentionMs: 40 });
      await stores.first.stopKey("ann", "k");
      const first = await stores.first.open(opening({ key: "k" }));
      expect(runOf(first).terminal).toEqual(stopped);
      await expect.poll(() => stores.second.read(runOf(first).runId, -1, 1)).toBe(undefined);
      expect(runOf(await stores.first.open(opening({ key: "k" }))).terminal).toBe(undefined);
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
        const runId = `${createRunId(owner, name)}|${owner}|${name}`;
        const answer = await stores.first.open(opening({ runId, owner, sessionId: name, key: name }));
        expect(answer).toEqual({
          status: "created",
          run: { runId, owner, sessionId: name, lastSeq: -1, terminal: undefined },
        });
        opened.push({ owner, name, runId });
      }
    }
    for (const { owner, name, runId } of opened) {
      expect((await stores.second.latest(owner, name))?.runId).toBe(runId);
      expect(await stores.second.stopKey(owner, name)).toBe(runId);
      expect((await stores.second.read(runId, -1, 1))?.run).toMatchObject({ runId, owner, sessionId: name });
    }
  });

  test("never confuses a stopped key with another owner's, with another key or with an open run's", async () => {
    const names = ["x", "x:stopped", "stop:x", "1:x", "a:b", "a", "b", ":", "a\0b", "語", "__proto__", "*"];
    for (const owner of names) {
      for (const key of names) {
        const isStopped = (owner.length + key.length) % 2 === 0;
        if (isStopped) expect(await stores.first.stopKey(owner, key)).toBe(undefined);
      }
    }
    for (const owner of names) {
      for (const key of names) {
        const isStopped = (owner.length + key.length) % 2 === 0;
        const first = opening({ owner, key });
        expect(runOf(await stores.second.open(first)).terminal).toEqual(isStopped ? stopped : undefined);
        expect(await stores.first.open(opening({ owner, key }))).toMatchObject({
          status: "attached",
          run: { runId: first.runId },
        });
      }
    }
  });
}
