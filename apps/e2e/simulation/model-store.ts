/**
 * A store of runs on a machine of its own, and the connections of processes to it, which can be slow, fail, lose replies and
 * repeat commands. What it keeps, it keeps as the packages' own store in memory does, on its own clock. It wakes waiters as
 * Redis does, by messages that can be lost and a tick, or as SQLite does, by polls.
 */
import type { OpenRun, RunPage, RunStore } from "../../../packages/server/src/stores/run-store.ts";
import { currentProcess, type Process, type Simulator } from "./simulator.ts";

/** How a waiter learns of new entries. */
export type StoreKind = "memory" | "redis" | "sqlite";

const tickMs = 1000;
const pollMs = 50;

/** What is wrong with the store for a time. */
export interface StoreFaults {
  /** No command reaches it. */
  isAway: boolean;
  /** Commands that write fail. */
  isReadOnly: boolean;
  /** Replies and messages are lost. */
  losesReplies: boolean;
  /** Usual delay of a command or a reply, in milliseconds. */
  delayMs: number;
}

type Command = Exclude<keyof RunStore, "canHandOff" | "leaseMs" | "wait" | "close">;

const writing: ReadonlySet<Command> = new Set<Command>([
  "open",
  "append",
  "renew",
  "end",
  "endIfLeaseExpired",
  "stopKey",
]);

export class ModelStore {
  readonly kind: StoreKind;
  readonly faults: StoreFaults = { isAway: false, isReadOnly: false, losesReplies: false, delayMs: 1 };
  /** The log of each run, as of the latest write. */
  readonly logs = new Map<string, readonly string[]>();
  /** Runs that have their terminal. */
  readonly ended = new Set<string>();
  /** Runs whose last writes were lost. */
  readonly cut = new Set<string>();
  /** Called with each run whose log has changed. */
  onChange: (runId: string, before: readonly string[], after: readonly string[]) => void = () => {};
  readonly #simulator: Simulator;
  readonly #core: RunStore;
  readonly #listeners = new Set<(runId: string) => void>();
  readonly #known = new Set<string>();
  /** The run that stands for one that has lost its last writes. */
  readonly #replacements = new Map<string, string>();

  constructor(simulator: Simulator, kind: StoreKind, core: RunStore) {
    this.#simulator = simulator;
    this.kind = kind;
    this.#core = core;
  }

  /** The store as the current process reaches it. */
  connect(): RunStore {
    const process = currentProcess.getStore()!;
    const { incarnation } = process;
    const call = <Name extends Command>(name: Name) =>
      ((...values: unknown[]) => {
        // What is left of a killed process may still run, but reaches nothing.
        if (process.incarnation !== incarnation) return new Promise(() => {});
        return this.#call(process, name, values);
      }) as RunStore[Name];
    return {
      canHandOff: this.kind !== "memory",
      leaseMs: this.#core.leaseMs,
      open: call("open"),
      append: call("append"),
      renew: call("renew"),
      end: call("end"),
      endIfLeaseExpired: call("endIfLeaseExpired"),
      read: call("read"),
      latest: call("latest"),
      stopKey: call("stopKey"),
      wait: (runId, after, signal) => this.#wait(runId, after, signal),
      close: async () => {},
    };
  }

  /** Takes back the last entries of a run, as a failover does. */
  async loseWrites(runId: string, length: number): Promise<void> {
    const current = this.#innerId(runId);
    const page = await this.#core.read(current, -1, length);
    if (page === undefined || page.entries.length < length) return;
    const replacement = crypto.randomUUID();
    const { owner, sessionId } = page.run;
    const request = { key: undefined, bodyHash: "", maxOpenRuns: 1e6, allowActiveRun: true };
    await this.#core.open({ ...request, runId: replacement, owner, sessionId });
    if (length > 0) await this.#core.append(replacement, 0, page.entries);
    this.#replacements.set(runId, replacement);
    await this.#core.end(current, { type: "done" });
    this.cut.add(runId);
    this.logs.set(runId, page.entries);
    this.#announce(runId);
  }

  #innerId(runId: string): string {
    return this.#replacements.get(runId) ?? runId;
  }

  #call(process: Process, name: Command, values: unknown[]): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const delay = () => this.#simulator.delay(this.faults.delayMs);
    const isLost = () => this.faults.losesReplies && this.#simulator.chance(0.3);
    const reply = (settle: () => void) => {
      if (isLost()) {
        if (this.#simulator.chance(0.5)) return;
        settle = () => reject(new Error("The connection to the store broke."));
      }
      this.#simulator.schedule(`reply ${name}`, delay(), settle, process);
    };
    // A command that was sent is executed, even if its process is killed meanwhile.
    this.#simulator.schedule(
      `command ${name}`,
      delay(),
      () => {
        const { isAway, isReadOnly } = this.faults;
        if (isAway || (isReadOnly && writing.has(name))) {
          reply(() => reject(new Error(isAway ? "The store is away." : "The store is read-only.")));
          return;
        }
        this.#execute(name, values).then(
          (value) => reply(() => resolve(value)),
          (error) => reply(() => reject(error)),
        );
      },
      null,
    );
    return promise;
  }

  async #execute(name: Command, values: unknown[]): Promise<unknown> {
    const [first, ...rest] = values;
    if (name === "open") this.#known.add((first as OpenRun).runId);
    const named = typeof first === "string" && name !== "latest" && name !== "stopKey";
    const result: unknown = await (this.#core[name] as (...given: unknown[]) => Promise<unknown>)(
      named ? this.#innerId(first) : first,
      ...rest,
    );
    if (writing.has(name)) await this.#noteWrites();
    return this.#toOuter(result);
  }

  /** A reader knows the id that the run began with. */
  #toOuter(result: unknown): unknown {
    const page = result as Partial<RunPage> | undefined;
    const run = page?.run;
    if (run === undefined) return result;
    for (const [runId, replacement] of this.#replacements) {
      if (run.runId === replacement) return { ...page, run: { ...run, runId } };
    }
    return result;
  }

  /** Learns of a run when it is opened, and of every entry when it is written. */
  async #noteWrites(): Promise<void> {
    for (const runId of this.#known) {
      const page = await this.#core.read(this.#innerId(runId), -1, Number.MAX_SAFE_INTEGER);
      if (page === undefined) continue;
      if (page.run.terminal !== undefined) this.ended.add(runId);
      const before = this.logs.get(runId) ?? [];
      if (before.length === page.entries.length) continue;
      this.logs.set(runId, page.entries);
      this.onChange(runId, before, page.entries);
      this.#announce(runId);
    }
  }

  /** Redis's messages: each listening process gets it, or not. */
  #announce(runId: string): void {
    for (const listener of this.#listeners) listener(runId);
  }

  #wait(runId: string, after: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const process = currentProcess.getStore() ?? null;
    const simulator = this.#simulator;
    const hasMore = () => {
      const log = this.logs.get(runId);
      if (log === undefined) return true;
      return log.length - 1 > after || this.ended.has(runId);
    };
    if (signal.aborted) return Promise.resolve();
    const over = () => {
      this.#listeners.delete(onMessage);
      signal.removeEventListener("abort", over);
      if (next !== undefined) next.run = undefined;
      resolve();
    };
    const onMessage = (written: string) => {
      if (written !== runId || this.faults.losesReplies || this.faults.isAway) return;
      simulator.schedule("message", simulator.delay(this.faults.delayMs), () => hasMore() && over(), process);
    };
    const everyMs = this.kind === "sqlite" ? pollMs : tickMs;
    let next = simulator.schedule("look", everyMs * simulator.random(), look, process);
    function look(): void {
      // Redis's tick wakes its waiters whether there is anything or not.
      if (everyMs === tickMs || hasMore()) over();
      else next = simulator.schedule("look", everyMs, look, process);
    }
    if (this.kind !== "sqlite") this.#listeners.add(onMessage);
    signal.addEventListener("abort", over);
    if (hasMore()) simulator.schedule("message", simulator.delay(this.faults.delayMs), over, process);
    return promise;
  }
}
