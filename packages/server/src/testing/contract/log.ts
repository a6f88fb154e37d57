/** A log has one writer, one order and one terminal, and is read from any cursor. */
import { deepEqual, equal } from "node:assert/strict";
import type { RunStore, RunTerminal } from "../../stores/run-store.ts";
import { type ContractStores, done, pause, producerLost, stopped } from "./contract-stores.ts";
import type { TestRunner } from "./describe-run-store.ts";
import { logOf, opening, openRun, pageOf } from "./run-store-calls.ts";

export function describeLog(stores: ContractStores, { describe, test }: TestRunner): void {
  describe("append", () => {
    test("adds entries in order, and advances the position of the last one", async () => {
      const runId = await openRun(stores.first);
      equal(await stores.first.append(runId, 0, ["0"]), "ok");
      equal(await stores.first.append(runId, 1, ["1", "2"]), "ok");
      equal(await stores.first.append(runId, 3, []), "ok");
      const page = await stores.second.read(runId, -1, 10);
      deepEqual([page?.entries, page?.run.lastSeq], [["0", "1", "2"], 2]);
    });

    test("changes nothing if repeated, and adds only new entries if it overlaps", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      equal(await stores.first.append(runId, 0, ["0", "1"]), "ok");
      equal(await stores.first.append(runId, 1, ["1"]), "ok");
      equal(await stores.second.append(runId, 1, ["1", "2", "3"]), "ok");
      deepEqual(await logOf(stores.first, runId), ["0", "1", "2", "3"]);
      equal((await stores.first.read(runId, -1, 10))?.run.lastSeq, 3);
    });

    test("reports the run as lost and adds nothing if it would leave a gap", async () => {
      const runId = await openRun(stores.first);
      equal(await stores.first.append(runId, 1, ["1"]), "lost");
      await stores.first.append(runId, 0, ["0"]);
      equal(await stores.second.append(runId, 2, ["2"]), "lost");
      deepEqual(await logOf(stores.first, runId), ["0"]);
      equal(await stores.first.append(runId, 1, ["1"]), "ok");
    });

    test("reports the run as lost and adds nothing if it differs from the log", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1", "2"]);
      equal(await stores.second.append(runId, 0, ["another"]), "lost");
      equal(await stores.second.append(runId, 1, ["1", "another", "3"]), "lost");
      equal(await stores.second.append(runId, 2, ["another", "3"]), "lost");
      deepEqual(await logOf(stores.first, runId), ["0", "1", "2"]);
      equal(await stores.first.append(runId, 2, ["2", "3"]), "ok");
      deepEqual(await logOf(stores.first, runId), ["0", "1", "2", "3"]);
    });

    test("reports the run as ended after the terminal, even if it repeats existing entries", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0"]);
      await stores.second.end(runId, done);
      equal(await stores.first.append(runId, 1, ["1"]), "ended");
      equal(await stores.first.append(runId, 0, ["0"]), "ended");
      equal(await stores.first.append(runId, 7, ["7"]), "ended");
      equal(await stores.first.renew(runId), "ended");
      deepEqual(await logOf(stores.second, runId), ["0", '{"type":"done"}']);
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
      equal(await stores.first.append(runId, 0, entries), "ok");
      deepEqual(await logOf(stores.second, runId), entries);
    });

    test("accepts a thousand entries at once", async () => {
      const runId = await openRun(stores.first);
      const entries = Array.from({ length: 1000 }, (_, index) => `${index}`);
      await stores.first.append(runId, 0, entries);
      deepEqual(await logOf(stores.second, runId), entries);
    });
  });

  describe("end", () => {
    test("writes the terminal like every chunk, with Unicode line breaks escaped", async () => {
      const runId = await openRun(stores.first);
      const failure: RunTerminal = { type: "error", message: "a\u2028b\u2029c\u0085d" };
      deepEqual(await stores.first.end(runId, failure), failure);
      deepEqual(await logOf(stores.second, runId), [
        '{"type":"error","message":"a\\u2028b\\u2029c\\u0085d"}',
      ]);
      deepEqual((await stores.second.read(runId, -1, 1))?.run.terminal, failure);
    });

    test("adds the terminal as the last entry, and the first terminal wins for every caller", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0"]);
      const first: RunTerminal = { type: "done", finishReason: "stop", data: { 語: '"\0' } };
      deepEqual(await stores.first.end(runId, first), first);
      deepEqual(await stores.second.end(runId, stopped), first);
      deepEqual(await stores.first.endIfLeaseExpired(runId), first);
      deepEqual(await pageOf(stores.second, runId), {
        run: { runId, owner: "ann", sessionId: undefined, lastSeq: 1, terminal: first },
        entries: ["0", JSON.stringify(first)],
      });
    });

    test("ends a log that has lost entries with producer-lost, whatever terminal the producer sends", async () => {
      const runId = await openRun(stores.first);
      await stores.first.append(runId, 0, ["0", "1"]);
      deepEqual(await stores.second.end(runId, done, 2), producerLost);
      deepEqual(await logOf(stores.first, runId), ["0", "1", JSON.stringify(producerLost)]);
      deepEqual(await stores.first.end(runId, done, 1), producerLost);
      const whole = await openRun(stores.first);
      await stores.first.append(whole, 0, ["0", "1"]);
      deepEqual(await stores.second.end(whole, done, 1), done);
    });

    test("ends a run whose log is empty", async () => {
      const runId = await openRun(stores.first);
      deepEqual(await stores.second.end(runId, stopped), { type: "abort", reason: "stopped" });
      deepEqual(await logOf(stores.first, runId), ['{"type":"abort","reason":"stopped"}']);
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
      for (const length of [0, 1, 2, 3, 7, 8, 20]) {
        for (const isEnded of [false, true]) {
          const texts = Array.from({ length }, (_, index) => ["", '"語"', "{}"][index % 3]! + index);
          const runId = await openRun(stores.first);
          await stores.first.append(runId, 0, texts);
          if (isEnded) await stores.first.end(runId, done);
          await expectPages(stores.second, runId, isEnded ? [...texts, '{"type":"done"}'] : texts);
        }
      }
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
        deepEqual([page?.entries, page?.run.lastSeq], [[], 1]);
      }
    });
  });

  test("what was given or returned is not changed by what follows", async () => {
    const request = opening({ sessionId: "s" });
    const entries = ["0"];
    const opened = await stores.first.open(request);
    await stores.first.append(request.runId, 0, entries);
    entries.push("not appended");
    const pages = [await pageOf(stores.first, request.runId), await pageOf(stores.second, request.runId)];
    const latest = await stores.first.latest("ann", "s");
    const before = structuredClone({ opened, pages, latest });
    await stores.first.append(request.runId, 1, ["1"]);
    await stores.first.end(request.runId, done);
    deepEqual({ opened, pages, latest }, before);
    deepEqual(await logOf(stores.second, request.runId), ["0", "1", JSON.stringify(done)]);
  });

  test("any sequence of appends, repeats, ends and reads behaves like a list", async () => {
    for (let round = 0; round < 60; round++) {
      const steps: string[] = [];
      try {
        await compareWithList(stores, steps);
      } catch (error) {
        throw new Error(`After these steps:\n${steps.join("\n")}`, { cause: error });
      }
    }
  });
}

/** Expects these entries after every cursor, and in pages of several sizes. */
async function expectPages(store: RunStore, runId: string, all: string[]): Promise<void> {
  for (let after = -1; after <= all.length; after++) {
    deepEqual((await store.read(runId, after, 1000))?.entries, all.slice(after + 1));
  }
  for (const limit of [1, 3, 7]) {
    const read: string[] = [];
    for (let pages = 0; pages <= all.length; pages++) {
      const page = await store.read(runId, read.length - 1, limit);
      equal(page?.run.lastSeq, all.length - 1);
      equal(page?.entries.length, Math.min(limit, all.length - read.length));
      read.push(...page!.entries);
    }
    deepEqual(read, all);
  }
}

/** Makes random calls, which it adds to `steps`, and compares their results with those of a list. */
async function compareWithList(stores: ContractStores, steps: string[]): Promise<void> {
  const list: string[] = [];
  let terminal: RunTerminal | undefined;
  const runId = await openRun(stores.first);
  const calls: ((store: RunStore) => Promise<void>)[] = [
    async (store) => {
      const first = Math.max(0, list.length - random(4));
      const entries = Array.from({ length: random(5) }, (_, index) => `"${first + index}"`);
      steps.push(`append(runId, ${first}, [${entries}])`);
      equal(await store.append(runId, first, entries), terminal ? "ended" : "ok");
      if (!terminal) list.push(...entries.slice(list.length - first));
    },
    async (store) => {
      steps.push(`append(runId, ${list.length + 1}, ['"gap"'])`);
      equal(await store.append(runId, list.length + 1, ['"gap"']), terminal ? "ended" : "lost");
    },
    async (store) => {
      steps.push("renew(runId)");
      equal(await store.renew(runId), terminal ? "ended" : "ok");
    },
    async (store) => {
      const given = random(2) === 0 ? done : stopped;
      steps.push(`end(runId, ${JSON.stringify(given)})`);
      if (!terminal) list.push(JSON.stringify(given));
      terminal ??= given;
      deepEqual(await store.end(runId, given), terminal);
    },
    async (store) => {
      const [after, limit] = [random(14) - 1, random(6)];
      steps.push(`read(runId, ${after}, ${limit})`);
      deepEqual(await pageOf(store, runId, after, limit), {
        run: { runId, owner: "ann", sessionId: undefined, lastSeq: list.length - 1, terminal },
        entries: list.slice(after + 1, after + 1 + limit),
      });
    },
  ];
  for (let count = random(26); count > 0; count--) {
    await calls[random(calls.length)]!(random(2) === 0 ? stores.first : stores.second);
  }
  await stores.first.end(runId, done);
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
        equal(result, "ended");
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

  const page = (await pageOf(other, runId))!;
  const terminal = page.run.terminal!;
  for (const returned of terminals) deepEqual(returned, terminal);
  deepEqual(page.entries, [...acknowledged, JSON.stringify(terminal)]);
  equal(page.run.lastSeq, acknowledged.length);
  deepEqual(await pageOf(store, runId), page);
  return terminal;
}
