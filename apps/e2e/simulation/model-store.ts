/**
 * A store of runs on a machine of its own, and the connections of processes to it, which can be slow, fail and lose
 * replies. What it keeps, it keeps as the packages' own store in memory does, on its own clock. It wakes waiters as Redis
 * does, by messages that can be lost and a tick, or as SQLite does, by polls.
 */
import type { OpenedRun, OpenRun, RunPage, RunStore } from "@kortyx/server";
import type { RunLogs } from "./run-logs.ts";
import { currentProcess, type Process, type Simulator } from "./simulator.ts";

/** How a waiter learns of new entries; `memory` is in the process of its only server, and never fails. */
export type StoreKind = "memory" | "redis" | "sqlite";

const tickMs = 1000;
const pollMs = 50;

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
  /** How many faults of each kind there are at this time. */
  readonly faults = { away: 0, "read-only": 0, "lost replies": 0, slow: 0 };
  readonly #simulator: Simulator;
  readonly #kind: StoreKind;
  readonly #canHandOff: boolean;
  readonly #core: RunStore;
  readonly #logs: RunLogs;
  /** How long a command may take; infinity if a lost reply never fails. */
  readonly #timeoutMs: number;
  readonly #listeners = new Set<(runId: string) => void>();
  /** The run that stands for one that has lost its last writes, and the other way round. */
  readonly #replacements = new Map<string, string>();
  readonly #replaced = new Map<string, string>();

  constructor(
    simulator: Simulator,
    options: { kind: StoreKind; canHandOff: boolean; hasTimeout: boolean; core: RunStore; logs: RunLogs },
  ) {
    this.#simulator = simulator;
    this.#kind = options.kind;
    this.#canHandOff = options.canHandOff;
    this.#core = options.core;
    this.#timeoutMs = options.hasTimeout
      ? Math.min(2_000, options.core.leaseMs / 6)
      : Number.POSITIVE_INFINITY;
    this.#logs = options.logs;
  }

  /** The store as the current process reaches it. */
  connect(): RunStore {
    const process = currentProcess.getStore()!;
    const { incarnation } = process;
    const call = <Name extends Command>(name: Name) =>
      ((...values: unknown[]) => {
        // What is left of a killed process may still run, but reaches nothing.
        if (process.incarnation !== incarnation) return new Promise(() => {});
        if (this.#kind === "memory") return this.#execute(name, values);
        return this.#call(process, name, values);
      }) as RunStore[Name];
    return {
      canHandOff: this.#canHandOff,
      leaseMs: this.#core.leaseMs,
      open: call("open"),
      append: call("append"),
      renew: call("renew"),
      end: call("end"),
      endIfLeaseExpired: call("endIfLeaseExpired"),
      read: call("read"),
      latest: call("latest"),
      stopKey: call("stopKey"),
      wait: (runId, after, signal) =>
        this.#kind === "memory" ? this.#core.wait(runId, after, signal) : this.#wait(runId, after, signal),
      close: async () => {},
    };
  }

  /** Takes back the last entries of a run, as a failover does. */
  async loseWrites(runId: string, entries: number): Promise<void> {
    const current = this.#replacements.get(runId) ?? runId;
    const page = await this.#core.read(current, -1, Number.MAX_SAFE_INTEGER);
    if (page === undefined) return;
    const replacement = crypto.randomUUID();
    const { owner, sessionId } = page.run;
    const request = { key: undefined, bodyHash: "", maxOpenRuns: 1e6, allowActiveRun: true };
    await this.#core.open({ ...request, runId: replacement, owner, sessionId });
    const kept = page.entries.slice(0, Math.max(0, page.entries.length - entries));
    if (kept.length > 0) await this.#core.append(replacement, 0, kept);
    await this.#core.end(current, { type: "done" });
    this.#replacements.set(runId, replacement);
    this.#replaced.set(replacement, runId);
    this.#logs.cut(runId, kept);
    this.#announce(runId);
    await this.#noteAll();
  }

  /** What the store keeps of a run in the end. */
  async entriesOf(runId: string): Promise<readonly string[] | undefined> {
    const page = await this.#core.read(this.#replacements.get(runId) ?? runId, -1, Number.MAX_SAFE_INTEGER);
    return page?.entries;
  }

  /** A command that was sent is executed, even if its process is killed or gives it up meanwhile. */
  #call(process: Process, name: Command, values: unknown[]): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { faults } = this;
    const simulator = this.#simulator;
    const incarnation = simulator.incarnationOf(process);
    const [sendMs, replyMs] = [this.#delay(), this.#delay()];
    const isLost = faults["lost replies"] > 0 && simulator.chance(0.3);
    const isBroken = isLost && simulator.chance(0.5);
    const isLate = sendMs + replyMs > this.#timeoutMs || (isLost && !isBroken);
    const hasTimeout = this.#timeoutMs < Number.POSITIVE_INFINITY;
    const reply = (settle: () => void, delayMs = replyMs) =>
      simulator.schedule(`reply ${name}`, delayMs, settle, process, incarnation);
    if (isLate && hasTimeout)
      reply(() => reject(new Error("The store did not reply in time.")), this.#timeoutMs);
    const execute = () => {
      const isAway = faults.away > 0;
      if (isAway || (faults["read-only"] > 0 && writing.has(name))) {
        const error = new Error(isAway ? "The store is away." : "The store is read-only.");
        if (!isLate) reply(() => reject(error));
        return;
      }
      this.#execute(name, values).then(
        (value) => {
          if (isBroken) reply(() => reject(new Error("The connection to the store broke.")));
          else if (!isLate) reply(() => resolve(value));
        },
        (error) => reply(() => reject(error)),
      );
    };
    simulator.schedule(`command ${name}`, sendMs, execute, null);
    return promise;
  }

  #delay(): number {
    return this.#simulator.delay(this.faults.slow > 0 ? 300 : 1);
  }

  async #execute(name: Command, values: unknown[]): Promise<unknown> {
    const [first, ...rest] = values;
    const named = typeof first === "string" && name !== "latest" && name !== "stopKey";
    const inner = named ? (this.#replacements.get(first) ?? first) : first;
    const core = this.#core[name] as (...given: unknown[]) => Promise<unknown>;
    const result = await core(inner, ...rest);
    if (name === "open") await this.#noteOpened(first as OpenRun, result as OpenedRun);
    else if (named && writing.has(name)) await this.#note(first, result === "ok");
    return this.#toOuter(result);
  }

  /** Opening a run may also end others of its owner. */
  async #noteAll(): Promise<void> {
    for (const open of this.#logs.openRuns()) await this.#note(open, false);
  }

  async #noteOpened(request: OpenRun, { status }: OpenedRun): Promise<void> {
    await this.#noteAll();
    if (status !== "created") return;
    this.#logs.begin(request);
    await this.#note(request.runId, true);
  }

  /** Learns of every entry when it is written. */
  async #note(runId: string, isRenewed: boolean): Promise<void> {
    const log = this.#logs.get(runId);
    if (log === undefined) return;
    const known = log.entries.length;
    const inner = this.#replacements.get(runId) ?? runId;
    const page = await this.#core.read(inner, known - 1, Number.MAX_SAFE_INTEGER);
    // Another write may have been noticed meanwhile.
    if (page === undefined || log.entries.length !== known) return;
    const hasEnded = page.run.terminal !== undefined;
    const leaseUntil = isRenewed ? this.#simulator.now + this.#core.leaseMs : undefined;
    if (this.#logs.note(runId, page.entries, { hasEnded, leaseUntil })) this.#announce(runId);
  }

  /** A reader knows the id that the run began with. */
  #toOuter(result: unknown): unknown {
    const page = result as Partial<RunPage & { runId: string }> | undefined;
    const run = page?.run;
    const ofRun = run && this.#replaced.get(run.runId);
    if (ofRun !== undefined) return { ...page, run: { ...run, runId: ofRun } };
    const ofRecord = page?.runId === undefined ? undefined : this.#replaced.get(page.runId);
    return ofRecord === undefined ? result : { ...page, runId: ofRecord };
  }

  /** Redis's messages: each listening process gets it, or not. */
  #announce(runId: string): void {
    for (const listener of [...this.#listeners]) listener(runId);
  }

  #wait(runId: string, after: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const process = currentProcess.getStore() ?? null;
    const simulator = this.#simulator;
    const incarnation = simulator.incarnationOf(process);
    const isPolled = this.#kind === "sqlite";
    const hasMore = () => {
      const log = this.#logs.get(runId);
      return log === undefined || log.entries.length - 1 > after || log.endedAt !== undefined;
    };
    const over = () => {
      this.#listeners.delete(onMessage);
      signal.removeEventListener("abort", over);
      next.run = undefined;
      resolve();
    };
    const onMessage = (written: string) => {
      if (written !== runId || !hasMore()) return;
      if (this.faults["lost replies"] > 0 || this.faults.away > 0 || simulator.chance(0.02)) return;
      simulator.schedule("message", this.#delay(), over, process, incarnation);
    };
    // Redis's tick wakes its waiters whether there is anything or not.
    const look = () => {
      if (!isPolled || hasMore()) over();
      else next = simulator.schedule("poll", pollMs, look, process);
    };
    let next = simulator.schedule(
      isPolled ? "poll" : "tick",
      (isPolled ? pollMs : tickMs) * simulator.random(),
      look,
      process,
    );
    if (!isPolled) {
      this.#listeners.add(onMessage);
      if (hasMore()) simulator.schedule("message", this.#delay(), over, process);
    }
    signal.addEventListener("abort", over);
    return promise;
  }
}
