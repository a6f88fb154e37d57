/**
 * What every store of runs does, whatever it is made of. The tests see a store through its interface only, and two
 * stores of the same fixture where runs are shared.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type {
  OpenedRun,
  OpenRun,
  RunStore,
  RunStoreOptions,
  RunTerminal,
} from "../../src/stores/run-store.ts";
import type { RunStoreFixture } from "./run-stores.ts";

const done: RunTerminal = { type: "done" };
const stopped: RunTerminal = { type: "abort", reason: "stopped" };
const producerLost: RunTerminal = {
  type: "error",
  message: "The answer was interrupted on the server.",
  code: "producer-lost",
  retryable: true,
};

/** What opens a run of its own, unless told otherwise. */
export const opening = (given: Partial<OpenRun> = {}): OpenRun => ({
  runId: crypto.randomUUID(),
  owner: "ann",
  sessionId: undefined,
  key: undefined,
  bodyHash: "hash",
  maxOpenRuns: 1000,
  allowActiveRun: false,
  ...given,
});

/** Opens a run. @returns its id. */
export async function openRun(store: RunStore, given: Partial<OpenRun> = {}): Promise<string> {
  const opened = await store.open(opening(given));
  if (opened.status !== "created") throw new Error(`expected a new run, got ${opened.status}`);
  return opened.run.runId;
}

/** The whole log of a run. */
/** A call of each method that may fail. */
export const callsOf = (store: RunStore, runId: string): (() => Promise<unknown>)[] => [
  () => store.open(opening()),
  () => store.append(runId, 0, ["0"]),
  () => store.renew(runId),
  () => store.end(runId, { type: "done" }),
  () => store.endIfLeaseExpired(runId),
  () => store.read(runId, -1, 1),
  () => store.latest("ann", "s"),
  () => store.stopKey("ann", "k"),
];

export const logOf = async (store: RunStore, runId: string): Promise<readonly string[]> =>
  (await store.read(runId, -1, 1_000_000))?.entries ?? [];

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const never = new AbortController().signal;

/** Resolves to whether `waiting` is over, as far as a few turns of the event loop and a round trip show. */
async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  await pause(20);
  return over;
}

export function describeRunStore(name: string, isShared: boolean, setUp: () => RunStoreFixture): void {
  describe(name, () => {
    let fixture: RunStoreFixture;
    let stores: RunStore[];
    /** The store of a test, and another one of the same runs, which is itself where runs are not shared. */
    let store: RunStore;
    let other: RunStore;

    function create(options?: RunStoreOptions): RunStore {
      const created = fixture.create(options);
      stores.push(created);
      return created;
    }
    function use(options?: RunStoreOptions): void {
      store = create(options);
      other = isShared ? create(options) : store;
    }
    /** Where appends are announced, nothing else wakes those who wait from now on. */
    function stopTicks(): void {
      if (fixture.isAnnounced) vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    }
    beforeEach(() => {
      stores = [];
      fixture = setUp();
      use();
    });
    afterEach(async () => {
      vi.useRealTimers();
      await Promise.all(stores.map((created) => created.close()));
      fixture.dispose();
    });

    test("has the length of a lease", () => {
      expect(store.leaseMs).toBe(15_000);
      expect(create({ leaseMs: 70 }).leaseMs).toBe(70);
    });

    test("keeps runs, and leases, forever when it is told to", async () => {
      for (const forever of [Number.POSITIVE_INFINITY, 2 ** 31, 1e300]) {
        use({ retentionMs: forever, leaseMs: forever });
        expect(store.leaseMs).toBeGreaterThan(2 ** 31);
        const runId = await openRun(store);
        expect(await store.append(runId, 0, ["0"])).toBe("ok");
        expect(await store.renew(runId)).toBe("ok");
        expect(await other.endIfLeaseExpired(runId)).toBe(undefined);
        expect(await store.end(runId, done)).toEqual(done);
        expect(await logOf(other, runId)).toEqual(["0", JSON.stringify(done)]);
      }
    });

    test("takes fractions of milliseconds", async () => {
      use({ retentionMs: 200_000 / 3, leaseMs: 100_000 / 3 });
      const runId = await openRun(store);
      expect(await store.append(runId, 0, ["0"])).toBe("ok");
      expect(await store.end(runId, done)).toEqual(done);
      expect(await logOf(other, runId)).toEqual(["0", JSON.stringify(done)]);
    });

    test("is not created with times that are not numbers of milliseconds, or without a lease", () => {
      for (const options of [
        { retentionMs: Number.NaN },
        { retentionMs: -1 },
        { leaseMs: Number.NaN },
        { leaseMs: -1 },
        { leaseMs: 0 },
      ]) {
        expect(() => create(options)).toThrow(RangeError);
      }
    });

    describe("open", () => {
      test("makes a run with an empty log", async () => {
        const request = opening({ sessionId: "s", key: "k" });
        const run = { runId: request.runId, owner: "ann", sessionId: "s", lastSeq: -1, terminal: undefined };
        expect(await store.open(request)).toEqual({ status: "created", run });
        expect(await other.read(request.runId, -1, 10)).toEqual({
          run,
          entries: [],
          leaseLeftMs: expect.any(Number),
        });
      });

      test("needs neither a session nor a key", async () => {
        const request = opening();
        expect(await store.open(request)).toEqual({
          status: "created",
          run: { runId: request.runId, owner: "ann", sessionId: undefined, lastSeq: -1, terminal: undefined },
        });
        expect((await store.open(opening())).status).toBe("created");
      });

      test("attaches to the run with the same key and body, open or ended", async () => {
        const runId = await openRun(store, { key: "k", sessionId: "s" });
        await store.append(runId, 0, ["0", "1"]);
        const again = opening({ key: "k", sessionId: "s", maxOpenRuns: 0 });
        const run = { runId, owner: "ann", sessionId: "s", lastSeq: 1, terminal: undefined };
        expect(await other.open(again)).toEqual({ status: "attached", run });
        await store.end(runId, done);
        expect(await other.open(again)).toEqual({
          status: "attached",
          run: { ...run, lastSeq: 2, terminal: { type: "done" } },
        });
        expect(await store.read(again.runId, -1, 10)).toBe(undefined);
      });

      test("refuses a key that belongs to another body", async () => {
        const runId = await openRun(store, { key: "k" });
        const conflicting = opening({ key: "k", bodyHash: "another" });
        expect(await other.open(conflicting)).toEqual({ status: "key-conflict" });
        await store.end(runId, done);
        expect(await other.open(conflicting)).toEqual({ status: "key-conflict" });
      });

      test("of a run that is open already creates it once more, so that a request whose reply was lost can be repeated", async () => {
        const named = { key: "k", sessionId: "s", maxOpenRuns: 1 };
        for (const given of [named, { key: "k2" }, { sessionId: "s2" }, {}]) {
          const request = opening({ maxOpenRuns: 4, owner: JSON.stringify(given), ...given });
          const created = await store.open(request);
          expect(created.status).toBe("created");
          expect(await other.open(request)).toEqual(created);
          expect(await store.open(request)).toEqual(created);
          await store.append(request.runId, 0, ["0"]);
          expect(await logOf(other, request.runId)).toEqual(["0"]);
          await store.end(request.runId, done);
          const ended = { ...(created as { run: object }).run, lastSeq: 1, terminal: { type: "done" } };
          expect(await other.open(request)).toEqual({ status: "created", run: ended });
        }
      });

      test("of a run that is open already renews its lease", async () => {
        use({ leaseMs: 150 });
        const request = opening();
        await store.open(request);
        await pause(100);
        const repeatedAt = performance.now();
        await other.open(request);
        while ((await other.endIfLeaseExpired(request.runId)) === undefined) await pause(5);
        // Stores count whole milliseconds.
        expect(performance.now() - repeatedAt).toBeGreaterThan(148);
      });

      test("finds the key of a run free that was lost before its first entry", async () => {
        use({ leaseMs: 30 });
        const lost = opening({ key: "k", sessionId: "s" });
        await store.open(lost);
        const waiting = other.wait(lost.runId, Number.MAX_SAFE_INTEGER, never);
        await pause(60);
        const next = opening({ key: "k", sessionId: "s", maxOpenRuns: 1 });
        expect((await store.open(next)).status).toBe("created");
        await waiting;
        expect((await other.read(lost.runId, -1, 10))?.run.terminal).toEqual(producerLost);
        await store.append(next.runId, 0, ["0"]);
        await store.end(next.runId, producerLost);
        expect(await other.open(opening({ key: "k" }))).toMatchObject({
          status: "attached",
          run: { runId: next.runId, lastSeq: 1 },
        });
        expect((await other.latest("ann", "s"))?.runId).toBe(next.runId);
      });

      test("finds it free, too, when the run was given up at once, but not when it was stopped", async () => {
        const given = await openRun(store, { key: "k" });
        await other.end(given, producerLost);
        const next = await openRun(store, { key: "k" });
        await other.end(next, stopped);
        expect(await store.open(opening({ key: "k" }))).toMatchObject({
          status: "attached",
          run: { runId: next, terminal: stopped },
        });
        expect(await store.stopKey("ann", "k")).toBe(next);
      });

      test("leaves the key with the newer run when the lost one was kept long enough", async () => {
        use({ retentionMs: 100 });
        const lost = await openRun(store, { key: "k" });
        await store.end(lost, producerLost);
        const next = await openRun(other, { key: "k" });
        await vi.waitFor(async () => expect(await store.read(lost, -1, 1)).toBe(undefined), { interval: 5 });
        expect(await store.open(opening({ key: "k" }))).toMatchObject({
          status: "attached",
          run: { runId: next },
        });
      });

      test("keeps owners apart: the same key, session and number of runs is there for each", async () => {
        const same = { key: "k", sessionId: "s", maxOpenRuns: 1 };
        const ofAnn = await openRun(store, { ...same, owner: "ann" });
        const ofBob = await openRun(store, { ...same, owner: "bob", bodyHash: "another" });
        expect((await store.latest("ann", "s"))?.runId).toBe(ofAnn);
        expect((await store.latest("bob", "s"))?.runId).toBe(ofBob);
      });

      test("refuses a second open run in a session, unless it is allowed, and says which one is open", async () => {
        const first = await openRun(store, { sessionId: "s" });
        await store.append(first, 0, ["0"]);
        expect(await other.open(opening({ sessionId: "s" }))).toEqual({
          status: "run-active",
          run: { runId: first, owner: "ann", sessionId: "s", lastSeq: 0, terminal: undefined },
        });
        expect((await other.open(opening({ sessionId: "another" }))).status).toBe("created");
        expect((await other.open(opening())).status).toBe("created");
        const second = opening({ sessionId: "s", allowActiveRun: true });
        expect((await other.open(second)).status).toBe("created");
        await store.end(first, done);
        expect((await store.open(opening({ sessionId: "s" }))).status).toBe("run-active");
        await other.end(second.runId, done);
        expect((await store.open(opening({ sessionId: "s" }))).status).toBe("created");
      });

      test("counts the open runs of an owner, in whatever sessions", async () => {
        const first = await openRun(store, { sessionId: "a", maxOpenRuns: 2 });
        await openRun(other, { maxOpenRuns: 2 });
        const third = opening({ sessionId: "c", maxOpenRuns: 2, key: "k" });
        expect(await store.open(third)).toEqual({ status: "too-many-runs" });
        expect(await store.read(third.runId, -1, 10)).toBe(undefined);
        await store.end(first, done);
        expect((await store.open(third)).status).toBe("created");
        expect(await other.open(opening({ maxOpenRuns: 2 }))).toEqual({ status: "too-many-runs" });
      });

      test("one of many that open the same key at once makes the run, the others attach", async () => {
        const requests = Array.from({ length: 20 }, () => opening({ key: "k", sessionId: "s" }));
        const opened = await Promise.all(
          requests.map((request, index) => (index % 2 === 0 ? store : other).open(request)),
        );
        const statuses = opened.map(({ status }) => status).sort();
        expect(statuses).toEqual([...Array(19).fill("attached"), "created"]);
        const runIds = opened.map((answer) => (answer as { run: { runId: string } }).run.runId);
        expect(new Set(runIds).size).toBe(1);
      });

      test("of many that open in one session at once, one succeeds", async () => {
        const opened = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 === 0 ? store : other).open(opening({ sessionId: "s" })),
          ),
        );
        const statuses = opened.map(({ status }) => status).sort();
        expect(statuses).toEqual(["created", ...Array(19).fill("run-active")]);
      });
    });

    describe("append", () => {
      test("adds entries in order, and tells the position of the last one", async () => {
        const runId = await openRun(store);
        expect(await store.append(runId, 0, ["0"])).toBe("ok");
        expect(await store.append(runId, 1, ["1", "2"])).toBe("ok");
        expect(await store.append(runId, 3, [])).toBe("ok");
        const page = await other.read(runId, -1, 10);
        expect([page?.entries, page?.run.lastSeq]).toEqual([["0", "1", "2"], 2]);
      });

      test("that is repeated changes nothing, and one that overlaps adds what is new", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0", "1"]);
        expect(await store.append(runId, 0, ["0", "1"])).toBe("ok");
        expect(await store.append(runId, 1, ["1"])).toBe("ok");
        expect(await other.append(runId, 1, ["1", "2", "3"])).toBe("ok");
        expect(await logOf(store, runId)).toEqual(["0", "1", "2", "3"]);
        expect((await store.read(runId, -1, 10))?.run.lastSeq).toBe(3);
      });

      test("that would leave a gap finds the run lost, and adds nothing", async () => {
        const runId = await openRun(store);
        expect(await store.append(runId, 1, ["1"])).toBe("lost");
        await store.append(runId, 0, ["0"]);
        expect(await other.append(runId, 2, ["2"])).toBe("lost");
        expect(await logOf(store, runId)).toEqual(["0"]);
        expect(await store.append(runId, 1, ["1"])).toBe("ok");
      });

      test("that differs from the entries of the log finds the run lost, and adds nothing", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0", "1", "2"]);
        expect(await other.append(runId, 0, ["another"])).toBe("lost");
        expect(await other.append(runId, 1, ["1", "another", "3"])).toBe("lost");
        expect(await other.append(runId, 2, ["another", "3"])).toBe("lost");
        expect(await logOf(store, runId)).toEqual(["0", "1", "2"]);
        expect(await store.append(runId, 2, ["2", "3"])).toBe("ok");
        expect(await logOf(store, runId)).toEqual(["0", "1", "2", "3"]);
      });

      test("comes too late behind the terminal, also when it repeats what is there", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0"]);
        await other.end(runId, done);
        expect(await store.append(runId, 1, ["1"])).toBe("ended");
        expect(await store.append(runId, 0, ["0"])).toBe("ended");
        expect(await store.append(runId, 7, ["7"])).toBe("ended");
        expect(await store.renew(runId)).toBe("ended");
        expect(await logOf(other, runId)).toEqual(["0", '{"type":"done"}']);
      });

      test("takes whatever text an entry is", async () => {
        const entries = [
          JSON.stringify("\0 \u2028 \uD800 語 🙂 ' \" \\ \r\n"),
          '"語🙂é\u2029"',
          "'; DROP TABLE runs; --",
          "",
          JSON.stringify("x".repeat(1024 * 1024)),
          JSON.stringify("語".repeat(300_000)),
        ];
        const runId = await openRun(store);
        expect(await store.append(runId, 0, entries)).toBe("ok");
        expect(await logOf(other, runId)).toEqual(entries);
      });

      test("takes a thousand entries at once", async () => {
        const runId = await openRun(store);
        const entries = Array.from({ length: 1000 }, (_, index) => `${index}`);
        await store.append(runId, 0, entries);
        expect(await logOf(other, runId)).toEqual(entries);
      });
    });

    describe("end", () => {
      test("writes the terminal as every chunk is written: without a raw line break of Unicode", async () => {
        const runId = await openRun(store);
        const failure: RunTerminal = { type: "error", message: "a\u2028b\u2029c\u0085d" };
        expect(await store.end(runId, failure)).toEqual(failure);
        expect(await logOf(other, runId)).toEqual(['{"type":"error","message":"a\\u2028b\\u2029c\\u0085d"}']);
        expect((await other.read(runId, -1, 1))?.run.terminal).toEqual(failure);
      });

      test("adds the terminal as the last entry; the first one wins, whoever asks", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0"]);
        const first: RunTerminal = { type: "done", finishReason: "stop", data: { 語: '"\0' } };
        expect(await store.end(runId, first)).toEqual(first);
        expect(await other.end(runId, stopped)).toEqual(first);
        expect(await store.endIfLeaseExpired(runId)).toEqual(first);
        expect(await other.read(runId, -1, 10)).toEqual({
          run: { runId, owner: "ann", sessionId: undefined, lastSeq: 1, terminal: first },
          entries: ["0", JSON.stringify(first)],
          leaseLeftMs: expect.any(Number),
        });
      });

      test("of a log that has lost entries is producer-lost, whatever terminal the producer sends", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0", "1"]);
        expect(await other.end(runId, done, 2)).toEqual(producerLost);
        expect(await logOf(store, runId)).toEqual(["0", "1", JSON.stringify(producerLost)]);
        expect(await store.end(runId, done, 1)).toEqual(producerLost);
        const whole = await openRun(store);
        await store.append(whole, 0, ["0", "1"]);
        expect(await other.end(whole, done, 1)).toEqual(done);
      });

      test("ends a run whose log is empty", async () => {
        const runId = await openRun(store);
        expect(await other.end(runId, stopped)).toEqual({ type: "abort", reason: "stopped" });
        expect(await logOf(store, runId)).toEqual(['{"type":"abort","reason":"stopped"}']);
      });

      test("in 300 races of a producer, two stops and the lease, one terminal wins and is the last entry", async () => {
        use({ leaseMs: 15 });
        const outcomes = new Set<string>();
        for (let round = 0; round < 10; round++) {
          const races = Array.from({ length: 30 }, (_, index) => race(store, other, index % 4));
          for (const terminal of await Promise.all(races)) outcomes.add(JSON.stringify(terminal));
        }
        // Each of the four has won at least once, or the races were none.
        expect(outcomes.size).toBe(4);
      });
    });

    describe("read", () => {
      test("from any cursor gives exactly what follows, in pages of any size", async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(fc.string(), { maxLength: 20 }), fc.boolean(), async (texts, isEnded) => {
            const runId = await openRun(store);
            await store.append(runId, 0, texts);
            if (isEnded) await store.end(runId, done);
            const all = isEnded ? [...texts, '{"type":"done"}'] : texts;
            for (let after = -1; after <= all.length; after++) {
              expect((await other.read(runId, after, 1000))?.entries).toEqual(all.slice(after + 1));
            }
            for (const limit of [1, 3, 7]) {
              const read: string[] = [];
              for (let pages = 0; pages <= all.length; pages++) {
                const page = await other.read(runId, read.length - 1, limit);
                expect(page?.run.lastSeq).toBe(all.length - 1);
                expect(page?.entries.length).toBe(Math.min(limit, all.length - read.length));
                read.push(...page!.entries);
              }
              expect(read).toEqual(all);
            }
            await store.end(runId, done);
          }),
          { numRuns: 30 },
        );
      });

      test("with no limit to speak of, or beyond the end, gives no entries but the run", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0", "1"]);
        for (const [after, limit] of [
          [-1, 0],
          [Number.MAX_SAFE_INTEGER, 0],
          [Number.MAX_SAFE_INTEGER, 10],
          [1, 10],
        ] as const) {
          const page = await other.read(runId, after, limit);
          expect([page?.entries, page?.run.lastSeq]).toEqual([[], 1]);
        }
      });
    });

    test("any sequence of appends, repeats, ends and reads is what a list would make of it", async () => {
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
          const runId = await openRun(store);
          for (const [current, isOther] of steps) {
            const asked = isOther ? other : store;
            if (current.kind === "append") {
              const first = Math.max(0, list.length - current.back);
              const entries = Array.from({ length: current.count }, (_, index) => `"${first + index}"`);
              expect(await asked.append(runId, first, entries)).toBe(terminal ? "ended" : "ok");
              if (!terminal) list.push(...entries.slice(list.length - first));
            } else if (current.kind === "gap") {
              const appended = await asked.append(runId, list.length + 1, ['"gap"']);
              expect(appended).toBe(terminal ? "ended" : "lost");
            } else if (current.kind === "renew") {
              expect(await asked.renew(runId)).toBe(terminal ? "ended" : "ok");
            } else if (current.kind === "end") {
              if (!terminal) list.push(JSON.stringify(current.terminal));
              terminal ??= current.terminal;
              expect(await asked.end(runId, current.terminal)).toEqual(terminal);
            } else {
              expect(await asked.read(runId, current.after, current.limit)).toEqual({
                run: { runId, owner: "ann", sessionId: undefined, lastSeq: list.length - 1, terminal },
                entries: list.slice(current.after + 1, current.after + 1 + current.limit),
                leaseLeftMs: expect.any(Number),
              });
            }
          }
          await store.end(runId, done);
        }),
        { numRuns: 60 },
      );
    });

    describe("the lease", () => {
      test("that has not expired ends nothing", async () => {
        const runId = await openRun(store);
        expect(await other.endIfLeaseExpired(runId)).toBe(undefined);
        expect((await store.read(runId, -1, 1))?.run.terminal).toBe(undefined);
      });

      test("comes with every page: how long it still holds since the last append or renewal", async () => {
        use({ leaseMs: 60 });
        const runId = await openRun(store);
        const leaseLeft = async () => (await other.read(runId, -1, 0))!.leaseLeftMs;
        for (const renew of [() => store.append(runId, 0, ["0"]), () => store.renew(runId)]) {
          await expect.poll(leaseLeft).toBeLessThanOrEqual(0);
          const renewedAt = performance.now();
          expect(await renew()).toBe("ok");
          const leftMs = await leaseLeft();
          expect(leftMs).toBeLessThanOrEqual(60);
          expect(leftMs).toBeGreaterThan(60 - (performance.now() - renewedAt) - 10);
        }
        await expect.poll(leaseLeft).toBeLessThanOrEqual(0);
        expect(await other.endIfLeaseExpired(runId)).toEqual(producerLost);
      });

      test("that has expired lets anybody end the run, and fences its producer", async () => {
        use({ leaseMs: 30 });
        const runId = await openRun(store);
        await store.append(runId, 0, ["0"]);
        await pause(40);
        expect(await other.endIfLeaseExpired(runId)).toEqual(producerLost);
        expect(await other.endIfLeaseExpired(runId)).toEqual(producerLost);
        expect(await store.append(runId, 1, ["1"])).toBe("ended");
        expect(await store.renew(runId)).toBe("ended");
        expect(await store.end(runId, done)).toEqual(producerLost);
        expect(await logOf(store, runId)).toEqual(["0", JSON.stringify(producerLost)]);
      });

      test("is kept up by renew and by append", async () => {
        use({ leaseMs: 1000 });
        const [renewed, appended, left] = [await openRun(store), await openRun(store), await openRun(store)];
        for (let step = 0; step < 5; step++) {
          await pause(250);
          expect([await store.renew(renewed), await store.append(appended, step, ["x"])]).toEqual([
            "ok",
            "ok",
          ]);
        }
        expect(await other.endIfLeaseExpired(renewed)).toBe(undefined);
        expect(await other.endIfLeaseExpired(appended)).toBe(undefined);
        expect(await other.endIfLeaseExpired(left)).toEqual(producerLost);
      });

      test("that has expired blocks neither the session nor the owner, and is told to who waits", async () => {
        use({ leaseMs: 30 });
        const lost = await openRun(store, { sessionId: "s" });
        const waiting = store.wait(lost, -1, never);
        await pause(120);
        const next = opening({ sessionId: "s", maxOpenRuns: 1 });
        expect((await store.open(next)).status).toBe("created");
        await waiting;
        expect(await logOf(other, lost)).toEqual([JSON.stringify(producerLost)]);
        expect((await other.latest("ann", "s"))?.runId).toBe(next.runId);
      });
    });

    describe("a run that was kept long enough", () => {
      test("looks like one that never was, its key and its session too", async () => {
        const kept = await openRun(store);
        await store.end(kept, done);
        expect((await other.read(kept, -1, 10))?.run.terminal).toEqual({ type: "done" });
        use({ retentionMs: 40 });
        const runId = await openRun(store, { key: "k", sessionId: "s" });
        await store.append(runId, 0, ["0"]);
        await store.end(runId, done);
        await expect.poll(() => other.read(runId, -1, 10)).toBe(undefined);
        for (const seen of [runId, "unknown"]) {
          for (const asked of [store, other]) {
            expect(await asked.read(seen, -1, 10)).toBe(undefined);
            expect(await asked.append(seen, 0, ["0"])).toBe("lost");
            expect(await asked.append(seen, 5, ["0"])).toBe("lost");
            expect(await asked.renew(seen)).toBe("lost");
            expect(await asked.end(seen, done)).toBe(undefined);
            expect(await asked.endIfLeaseExpired(seen)).toBe(undefined);
            await asked.wait(seen, -1, never);
          }
        }
        expect(await store.latest("ann", "s")).toBe(undefined);
        const next = opening({ key: "k", sessionId: "s", bodyHash: "another" });
        expect((await other.open(next)).status).toBe("created");
      });

      test("is kept for its own time: a run that ends later is kept longer", async () => {
        use({ retentionMs: 500 });
        const first = await openRun(store);
        const second = await openRun(store);
        await store.end(first, done);
        await pause(600);
        await store.end(second, done);
        await expect.poll(() => store.read(first, -1, 10)).toBe(undefined);
        expect((await other.read(second, -1, 10))?.run.runId).toBe(second);
      });

      // In memory, a run does not outlive its producer.
      if (isShared) {
        test("is forgotten also when nobody has ended it, after its lease", async () => {
          use({ leaseMs: 40, retentionMs: 40 });
          const runId = await openRun(store, { key: "k", sessionId: "s" });
          await store.append(runId, 0, ["0"]);
          await expect.poll(() => other.read(runId, -1, 10)).toBe(undefined);
          expect(await store.append(runId, 1, ["1"])).toBe("lost");
          expect(await other.latest("ann", "s")).toBe(undefined);
          expect((await other.open(opening({ key: "k", bodyHash: "another" }))).status).toBe("created");
        });
      }

      test("takes nothing from the open runs of its owner and session", async () => {
        use({ retentionMs: 40, leaseMs: 10_000 });
        const short = await openRun(store, { sessionId: "s" });
        const long = await openRun(store, { sessionId: "s", allowActiveRun: true });
        await store.end(short, done);
        await expect.poll(() => other.read(short, -1, 10)).toBe(undefined);
        expect((await other.latest("ann", "s"))?.runId).toBe(long);
        expect((await other.open(opening({ sessionId: "s" }))).status).toBe("run-active");
        expect((await other.open(opening({ maxOpenRuns: 1 }))).status).toBe("too-many-runs");
      });

      test("does not count while it is open: a run that goes on for longer is all there", async () => {
        use({ retentionMs: 100 });
        const runId = await openRun(store, { sessionId: "s", key: "k" });
        for (let seq = 0; seq < 15; seq++) {
          expect(await store.append(runId, seq, [`${seq}`])).toBe("ok");
          await pause(20);
        }
        expect(await logOf(other, runId)).toEqual(Array.from({ length: 15 }, (_, seq) => `${seq}`));
        expect((await other.latest("ann", "s"))?.runId).toBe(runId);
        expect((await other.open(opening({ key: "k" }))).status).toBe("attached");
        expect((await other.open(opening({ maxOpenRuns: 1 }))).status).toBe("too-many-runs");
      });
    });

    describe("wait", () => {
      test("is over at once when there is something behind the cursor, and when the run has ended", async () => {
        const runId = await openRun(store);
        await store.append(runId, 0, ["0", "1"]);
        await store.wait(runId, -1, never);
        await other.wait(runId, 0, never);
        await store.end(runId, done);
        await store.wait(runId, 2, never);
        await other.wait(runId, Number.MAX_SAFE_INTEGER, never);
      });

      test("is over when an entry is appended, from here and from elsewhere", async () => {
        const runId = await openRun(store);
        for (const [seq, asked] of [store, other, store].entries()) {
          const waiting = [store.wait(runId, seq - 1, never), other.wait(runId, seq - 1, never)];
          expect(await isOver(Promise.race(waiting))).toBe(false);
          await asked.append(runId, seq, [`${seq}`]);
          await Promise.all(waiting);
        }
      });

      test("is over when the run ends, however far behind the end the cursor is", async () => {
        const runId = await openRun(store);
        const waiting = [
          store.wait(runId, -1, never),
          other.wait(runId, -1, never),
          store.wait(runId, Number.MAX_SAFE_INTEGER, never),
          other.wait(runId, Number.MAX_SAFE_INTEGER, never),
        ];
        expect(await isOver(Promise.race(waiting))).toBe(false);
        await other.end(runId, stopped);
        await Promise.all(waiting);
      });

      test("is over when the signal is aborted, before and while it waits, and leaves no listener", async () => {
        const runId = await openRun(store);
        await store.wait(runId, -1, AbortSignal.abort());
        const abort = new AbortController();
        const listeners = countListeners(abort.signal);
        const waiting = Promise.all(Array.from({ length: 50 }, () => store.wait(runId, -1, abort.signal)));
        expect(await isOver(waiting as unknown as Promise<void>)).toBe(false);
        abort.abort();
        await waiting;
        expect(listeners()).toBe(0);
        const unused = new AbortController();
        const left = countListeners(unused.signal);
        const over = store.wait(runId, -1, unused.signal);
        await isOver(over);
        await store.append(runId, 0, ["0"]);
        await over;
        expect(left()).toBe(0);
      });

      test("misses nothing that is appended while it begins", async () => {
        stopTicks();
        const runId = await openRun(store);
        for (let seq = 0; seq < 20; seq++) {
          const waiting = other.wait(runId, seq - 1, never);
          await store.append(runId, seq, ["x"]);
          await waiting;
        }
      });

      test("misses nothing that is appended while the store begins to listen", async () => {
        stopTicks();
        for (let count = 0; count < 5; count++) {
          const runId = await openRun(store);
          const fresh = isShared ? create() : store;
          const waiting = fresh.wait(runId, -1, never);
          await store.append(runId, 0, ["0"]);
          await waiting;
        }
      });

      test("is over when the store is closed, and after that", async () => {
        const runId = await openRun(store);
        const waiting = store.wait(runId, -1, never);
        expect(await isOver(waiting)).toBe(false);
        await store.close();
        await waiting;
        await store.close();
      });
    });

    test("leaves no call pending that is made after it was closed", async () => {
      const runId = await openRun(store);
      await store.close();
      await Promise.allSettled(callsOf(store, runId).map((call) => call()));
    });

    describe("latest", () => {
      test("is the newest run of the session, open or ended", async () => {
        expect(await store.latest("ann", "s")).toBe(undefined);
        const first = await openRun(store, { sessionId: "s" });
        await store.append(first, 0, ["0"]);
        const run = { runId: first, owner: "ann", sessionId: "s", lastSeq: 0, terminal: undefined };
        expect(await other.latest("ann", "s")).toEqual(run);
        await store.end(first, done);
        expect(await other.latest("ann", "s")).toEqual({ ...run, lastSeq: 1, terminal: { type: "done" } });
        const second = await openRun(store, { sessionId: "s" });
        await openRun(store, { sessionId: "another" });
        await openRun(store);
        expect((await other.latest("ann", "s"))?.runId).toBe(second);
        const third = await openRun(other, { sessionId: "s", allowActiveRun: true });
        await other.end(third, done);
        expect((await store.latest("ann", "s"))?.runId).toBe(third);
      });

      test("shows nobody another owner's run", async () => {
        await openRun(store, { sessionId: "s" });
        expect(await store.latest("bob", "s")).toBe(undefined);
        expect(await store.latest("ann", "S")).toBe(undefined);
      });
    });

    describe("stopKey", () => {
      test("finds the run with the key, open or ended, of this owner", async () => {
        const runId = await openRun(store, { key: "k" });
        expect(await other.stopKey("ann", "k")).toBe(runId);
        expect((await store.read(runId, -1, 1))?.run.terminal).toBe(undefined);
        await store.end(runId, done);
        expect(await other.stopKey("ann", "k")).toBe(runId);
        expect(await store.stopKey("bob", "k")).toBe(undefined);
      });

      test("before the run is opened makes it open as stopped, once, and for this owner", async () => {
        expect(await store.stopKey("ann", "k")).toBe(undefined);
        expect(await store.stopKey("ann", "k")).toBe(undefined);
        expect((await other.open(opening({ owner: "bob", key: "k" }))).status).toBe("created");
        expect((await other.open(opening({ key: "K" }))).status).toBe("created");
        const request = opening({ key: "k", sessionId: "s" });
        const run = { runId: request.runId, owner: "ann", sessionId: "s", lastSeq: 0, terminal: stopped };
        expect(await other.open(request)).toEqual({ status: "created", run });
        expect(await logOf(store, request.runId)).toEqual(['{"type":"abort","reason":"stopped"}']);
        expect(await store.append(request.runId, 0, ["0"])).toBe("ended");
        expect(await other.open(opening({ key: "k" }))).toEqual({ status: "attached", run });
        // It counts as ended.
        expect((await store.open(opening({ sessionId: "s" }))).status).toBe("created");
        expect(await store.stopKey("bob", "k")).toEqual(expect.any(String));
      });

      test("is remembered for the newest 1,000 keys of each owner", async () => {
        // Stores may take what was stopped in one millisecond in any order.
        await store.stopKey("bob", "first");
        for (const key of ["first", "second"]) {
          await store.stopKey("ann", key);
          await pause(5);
        }
        for (let count = 0; count < 998; count++) await store.stopKey("ann", `${count}`);
        await pause(5);
        await store.stopKey("ann", "first");
        await store.stopKey("ann", "last");
        const terminalOf = async (key: string, owner = "ann") =>
          runOf(await other.open(opening({ key, owner }))).terminal?.type;
        const kept = await Promise.all(["first", "second", "0", "997", "last"].map((key) => terminalOf(key)));
        expect(kept).toEqual(["abort", undefined, "abort", "abort", "abort"]);
        expect(await terminalOf("first", "bob")).toBe("abort");
      });

      test("is forgotten with the run that it stopped", async () => {
        use({ retentionMs: 40 });
        await store.stopKey("ann", "k");
        const first = await store.open(opening({ key: "k" }));
        expect(runOf(first).terminal).toEqual(stopped);
        await expect.poll(() => other.read(runOf(first).runId, -1, 1)).toBe(undefined);
        expect(runOf(await store.open(opening({ key: "k" }))).terminal).toBe(undefined);
      });
    });

    test("no text that an owner, a key, a session or a run can be is taken for another", async () => {
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
          const runId = `${owner}|${name}|${crypto.randomUUID()}`;
          const answer = await store.open(opening({ runId, owner, sessionId: name, key: name }));
          expect(answer).toEqual({
            status: "created",
            run: { runId, owner, sessionId: name, lastSeq: -1, terminal: undefined },
          });
          opened.push({ owner, name, runId });
        }
      }
      for (const { owner, name, runId } of opened) {
        expect((await other.latest(owner, name))?.runId).toBe(runId);
        expect(await other.stopKey(owner, name)).toBe(runId);
        expect((await other.read(runId, -1, 1))?.run).toMatchObject({ runId, owner, sessionId: name });
      }
    });

    test("no key that is stopped is taken for another owner's, another key's or an open run's", async () => {
      const names = ["x", "x:stopped", "stop:x", "1:x", "a:b", "a", "b", ":", "a\0b", "語", "__proto__", "*"];
      for (const owner of names) {
        for (const key of names) {
          const isStopped = (owner.length + key.length) % 2 === 0;
          if (isStopped) expect(await store.stopKey(owner, key)).toBe(undefined);
        }
      }
      for (const owner of names) {
        for (const key of names) {
          const isStopped = (owner.length + key.length) % 2 === 0;
          const first = opening({ owner, key });
          expect(runOf(await other.open(first)).terminal).toEqual(isStopped ? stopped : undefined);
          expect(await store.open(opening({ owner, key }))).toMatchObject({
            status: "attached",
            run: { runId: first.runId },
          });
        }
      }
    });
  });
}

const runOf = (opened: OpenedRun) => (opened as Extract<OpenedRun, { status: "created" }>).run;

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

const random = (below: number) => Math.floor(Math.random() * below);

/** Some time: a few promises, a few turns of the event loop, or a few milliseconds. */
async function idle(): Promise<void> {
  const kind = random(3);
  if (kind === 0) for (let turns = random(5); turns > 0; turns--) await null;
  else if (kind === 1) for (let turns = random(5); turns > 0; turns--) await new Promise(setImmediate);
  else await pause(random(8));
}

/** A producer, two who stop, and one who finds the lease expired, on one run. The favourite starts first. */
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
  async function stop(runner: number, asked: RunStore, terminal: RunTerminal): Promise<void> {
    await start(runner);
    if (favourite === 3) await pause(30);
    terminals.push((await asked.end(runId, terminal))!);
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
  for (const told of terminals) expect(told).toEqual(terminal);
  expect(page.entries).toEqual([...acknowledged, JSON.stringify(terminal)]);
  expect(page.run.lastSeq).toBe(acknowledged.length);
  expect(await store.read(runId, -1, 1000)).toEqual({ ...page, leaseLeftMs: expect.any(Number) });
  return terminal;
}
