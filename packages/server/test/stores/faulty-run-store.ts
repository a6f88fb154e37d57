/**
 * A store of runs that fails as real ones do: wraps any store, with faults that a test turns on and off. Several wrapped
 * stores of the same runs share their faults.
 */
import type { RunRecord, RunStore } from "../../src/stores/run-store.ts";

type RunStoreMethod = Exclude<keyof RunStore, "canHandOff" | "leaseMs" | "wait" | "close">;

const writing: RunStoreMethod[] = ["open", "append", "renew", "end", "endIfLeaseExpired", "stopKey"];

export interface Faults {
  /** The methods that the faults below concern; undefined for all of them. */
  methods: RunStoreMethod[] | undefined;
  /** Every method takes this long before it does anything, in milliseconds. */
  lateMs: number;
  /** Nothing is done. */
  isAway: boolean;
  /** Nothing can be written. */
  isReadOnly: boolean;
  /** Every command is executed twice, as after a connection that broke in between. The second answer counts. */
  executesTwice: boolean;
  /** Commands are executed, but their replies are lost: they are an error, or never come. */
  losesAnswers: false | "rejects" | "never";
  /** Every wait is over after this many milliseconds, as in a store that polls. */
  maxWaitMs: number;
  /** Rolls a run back to its first `length` entries, as a crash does; without entries it vanishes. */
  loseWrites(runId: string, length: number): Promise<void>;
}

/** @param stores - Several of the same runs. @returns the same, in this order, with common faults. */
export function createFaultyRunStores<Stores extends [RunStore, ...RunStore[]]>(
  ...stores: Stores
): { faults: Faults; stores: Stores } {
  /** The run that has taken the place of another one, which lost its last entries. */
  const replacements = new Map<string, string>();
  const faults: Faults = {
    methods: undefined,
    lateMs: 0,
    isAway: false,
    isReadOnly: false,
    executesTwice: false,
    losesAnswers: false,
    maxWaitMs: Number.POSITIVE_INFINITY,
    async loseWrites(runId, length) {
      const [store] = stores;
      const current = replacements.get(runId) ?? runId;
      const page = (await store.read(current, -1, length))!;
      const replacement = crypto.randomUUID();
      if (length > 0) {
        const { owner, sessionId } = page.run;
        const request = { key: undefined, bodyHash: "", maxOpenRuns: 1e6, allowActiveRun: true };
        await store.open({ ...request, runId: replacement, owner, sessionId });
        await store.append(replacement, 0, page.entries);
      }
      replacements.set(runId, replacement);
      // Wakes its readers, which then find the other one.
      await store.end(current, { type: "done" });
    },
  };
  const wrapped = stores.map((store) => createFaultyRunStore(store, faults, replacements));
  return { faults, stores: wrapped as Stores };
}

function createFaultyRunStore(
  store: RunStore,
  faults: Faults,
  replacements: ReadonlyMap<string, string>,
): RunStore {
  const innerId = (runId: string) => replacements.get(runId) ?? runId;

  /** The run under the id that its caller knows. */
  async function outer(run: RunRecord): Promise<RunRecord> {
    for (const [runId, replacement] of replacements) {
      if (run.runId === replacement) return { ...run, runId };
      if (run.runId === runId) return { ...(await store.read(replacement, -1, 0))!.run, runId };
    }
    return run;
  }

  async function ask<Value>(method: RunStoreMethod, execute: () => Promise<Value>): Promise<Value> {
    if (faults.methods !== undefined && !faults.methods.includes(method)) return execute();
    if (faults.lateMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.lateMs));
    if (faults.isAway) throw new Error("The store is away.");
    if (faults.isReadOnly && writing.includes(method)) throw new Error("The store cannot be written.");
    const { losesAnswers } = faults;
    let answer = await execute();
    if (faults.executesTwice) answer = await execute();
    if (losesAnswers === "rejects") throw new Error(`The answer of ${method} is lost.`);
    return losesAnswers === "never" ? new Promise<never>(() => {}) : answer;
  }

  return {
    canHandOff: store.canHandOff,
    leaseMs: store.leaseMs,
    open: (request) =>
      ask("open", async () => {
        const opened = await store.open(request);
        return "run" in opened && opened.run ? { ...opened, run: await outer(opened.run) } : opened;
      }),
    append: (runId, firstSeq, entries) =>
      ask("append", () => store.append(innerId(runId), firstSeq, entries)),
    renew: (runId) => ask("renew", () => store.renew(innerId(runId))),
    end: (runId, terminal, lastSeq) => ask("end", () => store.end(innerId(runId), terminal, lastSeq)),
    endIfLeaseExpired: (runId) => ask("endIfLeaseExpired", () => store.endIfLeaseExpired(innerId(runId))),
    read: (runId, after, limit) =>
      ask("read", async () => {
        const page = await store.read(innerId(runId), after, limit);
        return page && { ...page, run: { ...page.run, runId } };
      }),
    async wait(runId, after, signal) {
      if (faults.maxWaitMs === Number.POSITIVE_INFINITY) return store.wait(innerId(runId), after, signal);
      const wait = new AbortController();
      const abort = () => wait.abort();
      signal.addEventListener("abort", abort);
      const timer = setTimeout(abort, faults.maxWaitMs);
      await store.wait(innerId(runId), after, signal.aborted ? signal : wait.signal);
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    },
    latest: (owner, sessionId) =>
      ask("latest", async () => {
        const run = await store.latest(owner, sessionId);
        return run && outer(run);
      }),
    stopKey: (owner, key) => ask("stopKey", () => store.stopKey(owner, key)),
    close: () => store.close(),
  };
}
