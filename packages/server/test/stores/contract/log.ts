/** A log has one writer, one order and one terminal, and is read from any cursor. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunStore, RunTerminal } from "../../../src/stores/run-store.ts";
import { logOf, openRun } from "../run-store-calls.ts";
import { type ContractStores, done, pause, producerLost, stopped } from "./contract-stores.ts";

export function describeLog(stores: ContractStores): void {
  describe("append", () => {
    test("adds entries in order, and advances the position of the last one", async () => {
      const runId = await openRun(stores.first);
      expect(await stores.first.append(runId, 0, ["0"])).toBe("ok");
      expect(await stores.first.append(runId, 1, ["1", "2"])).toBe("ok");
      expect(await stores.first.append(runId, 3, [])).toBe("ok");
      const page = await stores.second.read(runId, -1, 10);
      expect([page?.entries, page?.run.lastSeq]).toEqual([["0", "1", "2"], 2]);
    });

    test("changes nothing if repeated, and adds only new entries if it overlaps", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      expect(await stores.first.append(runId, 0, ["0", "1"])).toBe("ok");
      expect(await stores.first.append(runId, 1, ["1"])).toBe("ok");
      expect(await stores.second.append(runId, 1, ["1", "2", "3"])).toBe("ok");
      expect(await logOf(stores.first, runId)).toEqual(["0", "1", "2", "3"]);
      expect((await stores.first.read(runId, -1, 10))?.run.lastSeq).toBe(3);
    });

    test("reports the run as lost and adds nothing if it would leave a gap", async () => {
      const runId = await openRun(stores.first);
      expect(await stores.first.append(runId, 1, ["1"])).toBe("lost");
      await stores.first.append(runId, 0, ["0"]);
      expect(await stores.second.append(runId, 2, ["2"])).toBe("lost");
      expect(await logOf(stores.first, runId)).toEqual(["0"]);
      expect(await stores.first.append(runId, 1, ["1"])).toBe("ok");
    });

    test("reports the run as lost and adds nothing if it differs from the log", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1", "2"]);
      expect(await stores.second.append(runId, 0, ["another"])).toBe("lost");
      expect(await stores.second.append(runId, 1, ["1", "another", "3"])).toBe("lost");
      expect(await stores.second.append(runId, 2, ["another", "3"])).toBe("lost");
      expect(await logOf(stores.first, runId)).toEqual(["0", "1", "2"]);
      expect(await stores.first.append(runId, 2, ["2", "3"])).toBe("ok");
      expect(await logOf(stores.first, runId)).toEqual(["0", "1", "2", "3"]);
    });

    test("reports the run as ended after the terminal, even if it repeats existing entries", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0"]);
      await stores.second.end(runId, done);
      expect(await stores.first.append(runId, 1, ["1"])).toBe("ended");
      expect(await stores.first.append(runId, 0, ["0"])).toBe("ended");
      expect(await stores.first.append(runId, 7, ["7"])).toBe("ended");
      expect(await stores.first.renew(runId)).toBe("ended");
      expect(await logOf(stores.second, runId)).toEqual(["0", '{"type":"done"}']);
    });

    test("accepts any text as an entry", async () => {
      const entries = [
        JSON.stringify("\0 \u2028 \uD800 語 🙂 ' \" \\ \r\n"),
        '"語🙂é\u2029"',
        "'; DROP TABLE runs; --",
        "",
        JSON.stringify("x".repeat(1024 * 1024)),
        JSON.stringify("語".repeat(300_000)),
      ];
      const runId = await openRun(stores.first);
      expect(await stores.first.append(runId, 0, entries)).toBe("ok");
      expect(await logOf(stores.second, runId)).toEqual(entries);
    });

    test("accepts a thousand entries at once", async () => {
      const runId = await openRun(stores.first);
      const entries = Array.from({ length: 1000 }, (_, index) => `${index}`);
      await stores.first.append(runId, 0, entries);
      expect(await logOf(stores.second, runId)).toEqual(entries);
    });
  });

  describe("end", () => {
    test("writes the terminal like every chunk, with Unicode line breaks escaped", async () => {
      const runId = await openRun(stores.first);
      const failure: RunTerminal = { type: "error", message: "a\u2028b\u2029c\u0085d" };
      expect(await stores.first.end(runId, failure)).toEqual(failure);
      expect(await logOf(stores.second, runId)).toEqual([
        '{"type":"error","message":"a\\u2028b\\u2029c\\u0085d"}',
      ]);
      expect((await stores.second.read(runId, -1, 1))?.run.terminal).toEqual(failure);
    });

    test("adds the terminal as the last entry, and the first terminal wins for every caller", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0"]);
      const first: RunTerminal = { type: "done", finishReason: "stop", data: { 語: '"\0' } };
      expect(await stores.first.end(runId, first)).toEqual(first);
      expect(await stores.second.end(runId, stopped)).toEqual(first);
      expect(await stores.first.endIfLeaseExpired(runId)).toEqual(first);
      expect(await stores.second.read(runId, -1, 10)).toEqual({
        run: { runId, owner: "ann", sessionId: undefined, lastSeq: 1, terminal: first },
        entries: ["0", JSON.stringify(first)],
        leaseLeftMs: expect.any(Number),
      });
    });

    test("ends a log that has lost entries with producer-lost, whatever terminal the producer sends", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      expect(await stores.second.end(runId, done, 2)).toEqual(producerLost);
      expect(await logOf(stores.first, runId)).toEqual(["0", "1", JSON.stringify(producerLost)]);
      expect(await stores.first.end(runId, done, 1)).toEqual(producerLost);
      const whole = await openRun(stores.first);
      await stores.first.append(whole, 0, ["0", "1"]);
      expect(await stores.second.end(whole, done, 1)).toEqual(done);
    });

    test("ends a run whose log is empty", async () => {
      const runId = await openRun(stores.first);
      expect(await stores.second.end(runId, stopped)).toEqual({ type: "abort", reason: "stopped" });
      expect(await logOf(stores.first, runId)).toEqual(['{"type":"abort","reason":"stopped"}']);
    });

    test("lets one terminal win as the last entry in 300 or more races of a producer, two stops and the lease", async () => {
      stores.use({ leaseMs: 15 });
      const outcomes = new Set<string>();
      // Continues until each of the four has won at least once, so that they really race.
      for (let round = 0; round < 10 || outcomes.size < 4; round++) {
        const races = Array.from({ length: 30 }, (_, index) => race(stores.first, stores.second, index % 4));
        for (const terminal of await Promise.all(races)) outcomes.add(JSON.stringify(terminal));
      }
    });
  });

  describe("read", () => {
    test("returns exactly the entries after any cursor, in pages of any size", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.string(), { maxLength: 20 }), fc.boolean(), async (texts, isEnded) => {
          const runId = await openRun(stores.first);
          await stores.first.append(runId, 0, texts);
          if (isEnded) await stores.first.end(runId, done);
          const all = isEnded ? [...texts, '{"type":"done"}'] : texts;
          for (let after = -1; after <= all.length; after++) {
            expect((await stores.second.read(runId, after, 1000))?.entries).toEqual(all.slice(after + 1));
          }
          for (const limit of [1, 3, 7]) {
            const read: string[] = [];
            for (let pages = 0; pages <= all.length; pages++) {
              const page = await stores.second.read(runId, read.length - 1, limit);
              expect(page?.run.lastSeq).toBe(all.length - 1);
              expect(page?.entries.length).toBe(Math.min(limit, all.length - read.length));
              read.push(...page!.entries);
            }
            expect(read).toEqual(all);
          }
          await stores.first.end(runId, done);
        }),
        { numRuns: 30 },
      );
    });

    test("returns the run without entries for a limit of 0 or a cursor at or beyond the end", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      for (const [after, limit] of [
        [-1, 0],
        [Number.MAX_SAFE_INTEGER, 0],
        [Number.MAX_SAFE_INTEGER, 10],
        [1, 10],
      ] as const) {
        const page = await stores.second.read(runId, after, limit);
        expect([page?.entries, page?.run.lastSeq]).toEqual([[], 1]);
      }
    });
  });

  test("any sequence of appends, repeats, ends and reads behaves like a list", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("append" as const), back: fc.nat(3), count: fc.nat(4) }),
      fc.record({ kind: fc.constant("gap" as const) }),
      fc.record({ kind: fc.constant("renew" as const) }),
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("end" as const),
          terminal: fc.constantFrom(done, stopped),
        }),
      },
      fc.record({
        kind: fc.constant("read" as const),
        after: fc.integer({ min: -1, max: 12 }),
        limit: fc.nat(5),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 25 }), async (steps) => {
        const list: string[] = [];
        let terminal: RunTerminal | undefined;
        const runId = await openRun(stores.first);
        for (const [current, isOther] of steps) {
          const store = isOther ? stores.second : stores.first;
          if (current.kind === "append") {
            const first = Math.max(0, list.length - current.back);
            const entries = Array.from({ length: current.count }, (_, index) => `"${first + index}"`);
            expect(await store.append(runId, first, entries)).toBe(terminal ? "ended" : "ok");
            if (!terminal) list.push(...entries.slice(list.length - first));
          } else if (current.kind === "gap") {
            const appended = await store.append(runId, list.length + 1, ['"gap"']);
            expect(appended).toBe(terminal ? "ended" : "lost");
          } else if (current.kind === "renew") {
            expect(await store.renew(runId)).toBe(terminal ? "ended" : "ok");
          } else if (current.kind === "end") {
            if (!terminal) list.push(JSON.stringify(current.terminal));
            terminal ??= current.terminal;
            expect(await store.end(runId, current.terminal)).toEqual(terminal);
          } else {
            expect(await store.read(runId, current.after, current.limit)).toEqual({
              run: { runId, owner: "ann", sessionId: undefined, lastSeq: list.length - 1, terminal },
              entries: list.slice(current.after + 1, current.after + 1 + current.limit),
              leaseLeftMs: expect.any(Number),
            });
          }
        }
        await stores.first.end(runId, done);
      }),
      { numRuns: 60 },
    );
  });
}

const random = (below: number) => Math.floor(Math.random() * below);

/** Waits a little: a few promises, a few turns of the event loop, or a few milliseconds. */
async function idle(): Promise<void> {
  const kind = random(3);
  if (kind === 0) for (let turns = random(5); turns > 0; turns--) await null;
  else if (kind === 1) for (let turns = random(5); turns > 0; turns--) await new Promise(setImmediate);
  else await pause(random(8));
}

/** Races a producer, two stops and the end of an expired lease on one run. The favourite starts first. */
async function race(store: RunStore, other: RunStore, favourite: number): Promise<RunTerminal> {
  const runId = await openRun(store, { owner: crypto.randomUUID() });
  const acknowledged: string[] = [];
  const terminals: RunTerminal[] = [];
  const start = async (runner: number) => {
    await (runner === favourite ? idle() : pause(10 + random(20)));
  };

  async function produce(): Promise<void> {
    for (let seq = 0; seq < 6; ) {
      const entries = Array.from({ length: 1 + random(3) }, (_, index) => `"${seq + index}"`);
      const result = await store.append(runId, seq, entries);
      if (result !== "ok") {
        expect(result).toBe("ended");
        return;
      }
      acknowledged.push(...entries);
      seq += entries.length;
      if (favourite !== 0) await (favourite === 3 ? pause(20) : idle());
    }
    terminals.push((await store.end(runId, done))!);
  }
  async function stop(runner: number, store: RunStore, terminal: RunTerminal): Promise<void> {
    await start(runner);
    if (favourite === 3) await pause(30);
    terminals.push((await store.end(runId, terminal))!);
  }
  async function expire(): Promise<void> {
    await start(3);
    for (;;) {
      await idle();
      const terminal = await other.endIfLeaseExpired(runId);
      if (terminal === undefined) continue;
      terminals.push(terminal);
      return;
    }
  }
  await Promise.all([
    produce(),
    stop(1, other, stopped),
    stop(2, store, { type: "abort", reason: "cancelled" }),
    expire(),
  ]);

  const page = (await other.read(runId, -1, 1000))!;
  const terminal = page.run.terminal!;
  for (const returned of terminals) expect(returned).toEqual(terminal);
  expect(page.entries).toEqual([...acknowledged, JSON.stringify(terminal)]);
  expect(page.run.lastSeq).toBe(acknowledged.length);
  expect(await store.read(runId, -1, 1000)).toEqual({ ...page, leaseLeftMs: expect.any(Number) });
  return terminal;
}
