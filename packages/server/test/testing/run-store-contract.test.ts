/** The contract of the stores refuses a store that breaks one of its rules, in the test that is named after the rule. */
import { expect, test, vi } from "vitest";
import { describeRunStore, type TestRunner } from "../../src/store-testing.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";

type Hook = () => Promise<void>;

/** The tests that a suite defines, by their names, each with its hooks. */
function collectTests(define: (runner: TestRunner) => void): Map<string, Hook> {
  const tests = new Map<string, Hook>();
  const before: Hook[] = [];
  const after: Hook[] = [];
  define({
    describe: (_, body) => body(),
    beforeEach: (body) => before.push(body),
    afterEach: (body) => after.push(body),
    test: (name, body) =>
      tests.set(name, async () => {
        for (const hook of before) await hook();
        try {
          await body();
        } finally {
          for (const hook of after) await hook();
        }
      }),
  });
  return tests;
}

const testsOf = (breakRule: (store: RunStore) => Partial<RunStore>) =>
  collectTests((runner) =>
    describeRunStore(
      {
        name: "a store in memory",
        isShared: false,
        setUp: () => ({
          create(options) {
            const store = createMemoryRunStore(options);
            return { ...store, ...breakRule(store) };
          },
          isAnnounced: true,
          dispose: () => {},
        }),
      },
      runner,
    ),
  );

const faults: [test: string, breakRule: (store: RunStore) => Partial<RunStore>][] = [
  ["exposes the length of its lease", () => ({ leaseMs: 15_001 })],
  [
    "knows whether another process serves the same runs, which only stores that share them can",
    () => ({ canHandOff: true }),
  ],
  [
    "has no limit for runs without an owner",
    ({ open }) => ({ open: (request) => open({ ...request, owner: request.owner || "one" }) }),
  ],
  [
    "what was given or returned is not changed by what follows",
    ({ append, read: readPage }) => {
      let read = [] as readonly string[];
      return {
        append(runId, firstSeq, entries) {
          (read as string[]).push(...entries);
          return append(runId, firstSeq, entries);
        },
        async read(...given) {
          const page = await readPage(...given);
          read = page?.entries ?? [];
          return page;
        },
      };
    },
  ],
  [
    "can reuse the key of a run that was given up at once, but not of a stopped one",
    ({ open }) => {
      const hashes = new Map<string | undefined, string>();
      return {
        async open(request) {
          const hash = hashes.get(request.key) ?? request.bodyHash;
          hashes.set(request.key, hash);
          return hash === request.bodyHash ? open(request) : { status: "key-conflict" };
        },
      };
    },
  ],
  [
    "attaches to the run with the same key and body, open or ended",
    ({ open }) => ({ open: (request) => open({ ...request, key: undefined }) }),
  ],
  [
    "refuses a key that belongs to another body",
    ({ open }) => ({ open: (request) => open({ ...request, bodyHash: "" }) }),
  ],
  [
    "refuses a second open run in a session unless allowed, and returns the open one",
    ({ open }) => ({ open: (request) => open({ ...request, allowActiveRun: true }) }),
  ],
  [
    "counts the open runs of an owner across sessions",
    ({ open }) => ({ open: (request) => open({ ...request, maxOpenRuns: 1000 }) }),
  ],
  [
    "keeps owners separate: each can have the same key, session and number of runs",
    ({ open }) => ({ open: (request) => open({ ...request, owner: "one" }) }),
  ],
  ["adds entries in order, and advances the position of the last one", () => ({ append: async () => "ok" })],
  [
    "changes nothing if repeated, and adds only new entries if it overlaps",
    ({ append, read }) => ({
      append: async (runId, _, entries) =>
        append(runId, (await read(runId, -1, 0))!.run.lastSeq + 1, entries),
    }),
  ],
  [
    "reports the run as lost and adds nothing if it would leave a gap",
    ({ append, read }) => ({
      append: async (runId, first, entries) =>
        append(runId, Math.min(first, (await read(runId, -1, 0))!.run.lastSeq + 1), entries),
    }),
  ],
  [
    "adds the terminal as the last entry, and the first terminal wins for every caller",
    ({ end }) => ({
      async end(runId, terminal, lastSeq) {
        await end(runId, terminal, lastSeq);
        return terminal;
      },
    }),
  ],
  [
    "ends a log that has lost entries with producer-lost, whatever terminal the producer sends",
    ({ end }) => ({ end: (runId, terminal) => end(runId, terminal) }),
  ],
  [
    "returns exactly the entries after any cursor, in pages of any size",
    ({ read }) => ({ read: (runId, after, limit) => read(runId, after, limit === 7 ? 8 : limit) }),
  ],
  [
    "any sequence of appends, repeats, ends and reads behaves like a list",
    ({ read }) => ({ read: (runId, after, limit) => read(runId, after, limit || 1) }),
  ],
  [
    "comes with every page, as the time left since the last append or renewal",
    ({ read }) => ({
      read: async (...given) => {
        const page = await read(...given);
        return page && { ...page, leaseLeftMs: Math.min(page.leaseLeftMs, 0) };
      },
    }),
  ],
  [
    "lets any store end the run after it expires, and fences the producer",
    () => ({ endIfLeaseExpired: async () => undefined }),
  ],
  ["is extended by renew and by append", () => ({ renew: async () => "ok" })],
  ["ends when an entry is appended, here or elsewhere", () => ({ wait: async () => {} })],
  ["never returns another owner's run", ({ latest }) => ({ latest: (_, session) => latest("ann", session) })],
  [
    "makes a later run of this owner open as stopped, once",
    ({ stopKey }) => ({ stopKey: (owner) => stopKey(owner, "another") }),
  ],
];

test.each(faults)("a store fails that does not do this: %s", async (name, breakRule) => {
  await testsOf(() => ({})).get(name)!();
  await expect(testsOf(breakRule).get(name)!()).rejects.toThrow();
});

test("a call that hangs is named", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const name = "ends at once if there is an entry after the cursor, or if the run has ended";
  const run = testsOf(() => ({ wait: () => new Promise(() => {}) })).get(name)!();
  const failed = expect(run).rejects.toThrow(new Error("wait() has not ended in 30 s."));
  await vi.advanceTimersByTimeAsync(30_000);
  await failed;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
