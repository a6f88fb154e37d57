import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { createSqliteLock } from "../../src/stores/sqlite-lock.ts";
import { createStreamResponse } from "../../src/stream/to-sse.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";
import { startChild } from "./run-store-child.ts";

const never = new AbortController().signal;

let folder: string;
let path: string;
let store: RunStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-sqlite-"));
  path = join(folder, "runs.db");
  store = createSqliteRunStore({ path });
});
afterEach(async () => {
  vi.useRealTimers();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Another connection that holds the write lock, as another process would. @returns a function that releases it. */
function holdLock(): () => void {
  const database = new DatabaseSync(path);
  database.exec("BEGIN IMMEDIATE");
  return () => database.close();
}

async function* slowChunks(): AsyncGenerator<StreamChunk> {
  for (let count = 0; count < 10; count++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    yield { type: "text-delta", delta: `${count}` };
  }
}

/** Resolves to whether a promise is settled after some turns of the event loop and some attempts to write. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  promise.then(settle, settle);
  for (let count = 0; count < 5; count++) await new Promise((resolve) => setTimeout(resolve, 10));
  return settled;
}

describe("while another process holds the lock of the file", () => {
  test("reads, waits and plain streams continue, and writes follow in order once it is free", async () => {
    const runId = await openRun(store, { sessionId: "s", key: "k" });
    await store.append(runId, 0, ["0"]);
    const child = startChild("lock-holder.mjs", [path]);
    const next = () => new Promise((resolve) => child.once("message", resolve));
    const exited = new Promise((resolve) => child.once("exit", resolve));
    await next();

    const waiting = store.wait(runId, 0, never);
    const writes = [
      store.append(runId, 1, ["1"]),
      store.append(runId, 2, ["2"]),
      store.renew(runId),
      store.open(opening({ sessionId: "other" })),
      store.end(runId, { type: "done" }),
    ];
    expect(await isSettled(Promise.race(writes))).toBe(false);
    expect(await logOf(store, runId)).toEqual(["0"]);
    expect((await store.latest("ann", "s"))?.runId).toBe(runId);
    expect(await store.stopKey("ann", "k")).toBe(runId);
    expect(await store.endIfLeaseExpired(runId)).toBe(undefined);
    expect(await createStreamResponse(slowChunks()).text()).toContain('"delta":"9"');
    expect(await isSettled(Promise.race([...writes, waiting]))).toBe(false);

    child.send("release");
    await exited;
    const results = await Promise.all(writes);
    expect(results.slice(0, 3)).toEqual(["ok", "ok", "ok"]);
    expect(results[3]).toMatchObject({ status: "created" });
    await waiting;
    expect(await logOf(store, runId)).toEqual(["0", "1", "2", '{"type":"done"}']);
  });

  test("an answer continues once it is free, and has lost nothing", async () => {
    let release: (() => void) | undefined;
    const route = createChatRoute({
      agent: {
        async *streamChat() {
          for (let count = 0; count < 20; count++) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            yield { type: "text-delta", delta: `${count} ` };
            if (count === 4) release = holdLock();
          }
          setTimeout(() => release?.(), 50);
        },
      },
      authorize: () => "ann",
      runs: { store },
    });
    const body = JSON.stringify({ messages: [{ role: "user", content: "Hi" }] });
    const headers = { "content-type": "application/json", accept: "text/event-stream" };
    const response = await route.fetch(new Request("http://host/", { method: "POST", body, headers }));
    const text = await response.text();
    const deltas = [...text.matchAll(/"delta":"(\d+) "/g)].map(([, count]) => Number(count));
    expect(deltas).toEqual(Array.from({ length: 20 }, (_, count) => count));
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
  });

  test("a write is given up after 2 s with SQLite's reason, and leaves nothing behind", async () => {
    const runId = await openRun(store);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const release = holdLock();
    const [appended, renewed] = [store.append(runId, 0, ["0"]), store.renew(runId)].map((write) =>
      write.catch((error: Error) => error.message),
    );
    await vi.advanceTimersByTimeAsync(1_900);
    const later = store.renew(runId);
    await vi.advanceTimersByTimeAsync(200);
    expect([await appended, await renewed]).toEqual(["database is locked", "database is locked"]);
    release();
    await vi.advanceTimersByTimeAsync(25);
    expect(await later).toBe("ok");
    expect(await logOf(store, runId)).toEqual([]);
  });

  test("an earlier terminal is returned without a write", async () => {
    const runId = await openRun(store);
    await store.end(runId, { type: "done" });
    const release = holdLock();
    expect(await store.end(runId, { type: "abort", reason: "stopped" })).toEqual({ type: "done" });
    expect(await store.endIfLeaseExpired(runId)).toEqual({ type: "done" });
    release();
  });

  test("closing the store gives up waiting writes", async () => {
    const runId = await openRun(store);
    const release = holdLock();
    const appended = store.append(runId, 0, ["0"]);
    await store.close();
    await expect(appended).rejects.toThrow("The run store is closed.");
    release();
  });

  test("a store can be created in a file that already has its tables", async () => {
    const release = holdLock();
    const other = createSqliteRunStore({ path });
    expect(await other.latest("ann", "s")).toBe(undefined);
    release();
    await other.close();
  });
});

describe("a read", () => {
  /** The error of SQLite while another process repairs the file after a crash. */
  const locked = () => {
    throw new Error("database is locked");
  };

  test("waits up to 2 s without blocking anything else", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const lock = createSqliteLock(new DatabaseSync(":memory:"), () => false);
    let isLocked = true;
    const read = lock.read(() => (isLocked ? locked() : "read"));
    const failed = lock.read(locked).catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(1_900);
    isLocked = false;
    await vi.advanceTimersByTimeAsync(200);
    expect([await read, await failed]).toEqual(["read", "database is locked"]);
  });
});
