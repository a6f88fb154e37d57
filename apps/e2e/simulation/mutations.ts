/** Faults in the source of the packages that the simulation must find: those that were once there, and others like them. */
import type { SourceEdit } from "./load-packages.ts";

export interface Mutation {
  name: string;
  edits: SourceEdit[];
}

const server = (file: string, find: string, replace: string): SourceEdit => ({
  file: `server/src/${file}`,
  find,
  replace,
});

const memoryStore = (find: string, replace: string) => server("stores/memory-run-store.ts", find, replace);

export const mutations: readonly Mutation[] = [
  {
    // The silence of a producer was measured within one wait, which each tick of Redis ends.
    name: "silence-in-one-wait",
    edits: [
      server(
        "runs/run-feed.ts",
        "await this.#store.wait(this.#runId, after, wait.signal);",
        `const since = performance.now();
        await this.#store.wait(this.#runId, after, wait.signal);
        Object.assign(this, { waitedMs: performance.now() - since });`,
      ),
      server(
        "runs/run-feed.ts",
        "this.#isExpired = run.terminal === undefined && leaseLeftMs <= 0;",
        `this.#isExpired = run.terminal === undefined && leaseLeftMs <= 0 &&
          ((this as unknown as { waitedMs?: number }).waitedMs ?? 0) >= this.#store.leaseMs / 3;`,
      ),
    ],
  },
  {
    name: "short-log-is-the-end",
    edits: [
      server(
        "runs/run-feed.ts",
        "return lastSeq < after || (terminal !== undefined && this.#wasOpen);",
        "return false;",
      ),
    ],
  },
  {
    name: "open-is-not-repeated",
    edits: [
      server(
        "runs/open-run.ts",
        `      if (shutdown.aborted || performance.now() + retryMs >= giveUpAt) {
        giveUp();`,
        `      if (shutdown.aborted || performance.now() + retryMs < Number.POSITIVE_INFINITY) {
        isGivenUp = false;`,
      ),
    ],
  },
  {
    name: "client-counts-attempts",
    edits: [
      {
        file: "client/src/route/reconnect-policy.ts",
        find: "if (minMs >= remainingMs) throw error;",
        replace: "if (minMs >= remainingMs || this.#attempts >= 6) throw error;",
      },
    ],
  },
  {
    name: "reading-resets-failures",
    edits: [
      server(
        "runs/run-feed.ts",
        "if (entries.length > 0 || !this.#isExpired) this.#failure = undefined;",
        "this.#failure = undefined;",
      ),
    ],
  },
  {
    name: "no-fence",
    edits: [
      memoryStore(
        `    if (run.terminal !== undefined) return "ended";
    if (firstSeq >`,
        "    if (firstSeq >",
      ),
      // It also protects the log: the terminal is an entry that the late writer does not expect.
      memoryStore(
        'if (known.some((entry, index) => entry !== entries[index])) return "lost";',
        "void known;",
      ),
    ],
  },
  {
    name: "no-renewal",
    edits: [
      server("runs/run-lease.ts", "startInterval(renew, store.leaseMs / 3)", "startInterval(renew, 1e8)"),
    ],
  },
  {
    name: "lease-never-ends",
    edits: [memoryStore("run.leaseUntil <= performance.now()", "run.leaseUntil <= 0")],
  },
  {
    name: "cursor-off-by-one",
    edits: [server("runs/run-target.ts", "after: cursor.seq };", "after: cursor.seq + 1 };")],
  },
  {
    name: "append-applied-twice",
    edits: [memoryStore("entries.slice(run.entries.length - firstSeq)", "entries.slice()")],
  },
  {
    name: "terminal-before-last-batch",
    edits: [
      server(
        "runs/run-writer.ts",
        `    await this.#log.flush();
    if (!this.#hasEnded()) this.#end(`,
        `    await this.#log.whenIdle();
    if (!this.#hasEnded()) this.#end(`,
      ),
    ],
  },
  {
    name: "stop-wakes-no-writer",
    edits: [
      server(
        "runs/run-writer.ts",
        "void this.#log.whenIdle().then(() => outsideRequests(() => this.#watchForEnd()));",
        "",
      ),
    ],
  },
  {
    name: "hand-off-with-done",
    edits: [
      server(
        "runs/run-follower.ts",
        "this.#close(encodeRetry(retryMs)",
        "this.#close(encodeRetry(retryMs) + DONE_FRAME",
      ),
    ],
  },
  {
    name: "client-takes-repeated-events",
    edits: [
      {
        file: "protocol/src/chunk-decoder.ts",
        find: "found.seq <= this.#place.seq) return true;",
        replace: "found.seq <= this.#place.seq) return false;",
      },
    ],
  },
  {
    name: "retention-too-early",
    edits: [memoryStore("run.endedAt + this.#retentionMs > now", "run.endedAt + this.leaseMs > now")],
  },
];
