/**
 * A run store that fails as real ones do: wraps any store, with faults that a test turns on and off. Wrapped stores of the
 * same runs share their faults.
 */
import type { OpenedRun, OpenRun, RunRecord, RunStore } from "../stores/run-store.ts";

/** A method of a store that may fail. */
export type RunStoreMethod = Exclude<keyof RunStore, "canHandOff" | "leaseMs" | "wait" | "close">;

const writing: RunStoreMethod[] = ["open", "append", "renew", "end", "endIfLeaseExpired", "stopKey"];

/** What fails in the stores of {@link createFaultyRunStores}. A test sets the fields at any time; at first, nothing fails. */
export interface Faults {
  /** The methods that the faults below affect; undefined for all of them. `wait` and `close` do not fail. */
  methods: RunStoreMethod[] | undefined;
  /** The delay of every method before it does anything, in milliseconds. */
  lateMs: number;
  /** Every method throws without doing anything. */
  isAway: boolean;
  /** Methods that write throw. */
  isReadOnly: boolean;
  /** Every command is executed twice, as after a broken connection. The second reply counts. */
  executesTwice: boolean;
  /** Commands are executed, but their replies are lost: they fail, or never come. */
  losesReplies: false | "rejects" | "never";
  /** Every wait ends after this many milliseconds, as in a store that polls. */
  maxWaitMs: number;
  /** Rolls a run back to its first `length` entries, as a crash would; without entries it vanishes. */
  loseWrites(runId: string, length: number): Promise<void>;
}

/**
 * Wraps stores of the same runs, such as those of two processes, so that a test sees what its users see when the store
 * fails.
 *
 * @returns the wrapped stores in the same order, and the faults that they share.
 *
 * @example
 * ```ts
 * const { faults, stores } = createFaultyRunStores(createMemoryRunStore());
 * const route = createChatRoute({ agent, authorize: () => "ann", runs: { store: stores[0] } });
 * faults.isAway = true;
 * ```
 */
export function createFaultyRunStores<Stores extends [RunStore, ...RunStore[]]>(
  ...stores: Stores
): { faults: Faults; stores: Stores } {
  /** The runs that replace runs that lost their last entries. */
  const replacements = new Map<string, string>();
  const faults: Faults = {
    methods: undefined,
    lateMs: 0,
    isAway: false,
    isReadOnly: false,
    executesTwice: false,
    losesReplies: false,
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
      // Wakes its readers, which then find the replacement.
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

  /** The run with the id that the caller knows; undefined if it has vanished. */
  async function outer(run: RunRecord): Promise<RunRecord | undefined> {
    for (const [runId, replacement] of replacements) {
      if (run.runId === replacement) return { ...run, runId };
      if (run.runId !== runId) continue;
      const page = await store.read(replacement, -1, 0);
      return page && { ...page.run, runId };
    }
    return run;
  }

  async function open(request: OpenRun): Promise<OpenedRun> {
    const opened = await store.open(request);
    if (!("run" in opened) || !opened.run) return opened;
    const run = await outer(opened.run);
    if (run !== undefined) return { ...opened, run };
    // The store still has the key of the vanished run.
    return opened.status === "attached" ? store.open({ ...request, key: undefined }) : opened;
  }

  async function perform<Value>(method: RunStoreMethod, execute: () => Promise<Value>): Promise<Value> {
    if (faults.methods !== undefined && !faults.methods.includes(method)) return execute();
    if (faults.lateMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.lateMs));
    if (faults.isAway) throw new Error("The store is away.");
    if (faults.isReadOnly && writing.includes(method)) throw new Error("The store cannot be written.");
    const { losesReplies } = faults;
    let reply = await execute();
    if (faults.executesTwice) reply = await execute();
    if (losesReplies === "rejects") throw new Error(`The reply of ${method} is lost.`);
    return losesReplies === "never" ? new Promise<never>(() => {}) : reply;
  }

  return {
    canHandOff: store.canHandOff,
    leaseMs: store.leaseMs,
    open: (request) => perform("open", () => open(request)),
    append: (runId, firstSeq, entries) =>
      perform("append", () => store.append(innerId(runId), firstSeq, entries)),
    renew: (runId) => perform("renew", () => store.renew(innerId(runId))),
    end: (runId, terminal, lastSeq) => perform("end", () => store.end(innerId(runId), terminal, lastSeq)),
    endIfLeaseExpired: (runId) => perform("endIfLeaseExpired", () => store.endIfLeaseExpired(innerId(runId))),
    read: (runId, after, limit) =>
      perform("read", async () => {
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
      perform("latest", async () => {
        const run = await store.latest(owner, sessionId);
        return run && outer(run);
      }),
    stopKey: (owner, key) => perform("stopKey", () => store.stopKey(owner, key)),
    close: () => store.close(),
  };
}
