/** What must be true of every world: of its logs, agents, connections and readers, at each step and in the end. */
import { ConnectionChecks } from "./connection-checks.ts";
import { Disturbances } from "./disturbances.ts";
import { ModelAgents } from "./model-agents.ts";
import type { ModelStore } from "./model-store.ts";
import { retentionMs, type WorldPlan } from "./plan-world.ts";
import { RunLogs, type SeenLog } from "./run-logs.ts";
import type { Simulator } from "./simulator.ts";

/** After a run has ended, and nothing is wrong any more, each reader ends within this time: it may first have to notice a
 * dead connection (26 s), or that a request hangs (30 s), and to wait for its next one (5 s). */
const readerMs = 45_000;

interface Reader {
  readonly name: string;
  readonly client: string;
  readonly startedAt: number;
  /** As JSON. */
  readonly chunks: string[];
  runId: string | undefined;
  state: "reading" | "left" | "ended";
}

export class Checks {
  problem: string | undefined;
  readonly disturbances: Disturbances = new Disturbances();
  readonly logs: RunLogs;
  readonly agents: ModelAgents;
  readonly connections: ConnectionChecks;
  readonly #simulator: Simulator;
  readonly #plan: WorldPlan;
  readonly #readers: Reader[] = [];

  constructor(simulator: Simulator, plan: WorldPlan) {
    const fail = (problem: string) => this.fail(problem);
    this.#simulator = simulator;
    this.#plan = plan;
    this.logs = new RunLogs(simulator, { fail, onEnd: (log) => this.#onRunEnd(log) });
    const { leaseMs, canHandOff } = plan;
    const world = { simulator, logs: this.logs, disturbances: this.disturbances, leaseMs, canHandOff, fail };
    const questions = plan.clients.flatMap((client) => client.questions);
    const plans = new Map(questions.map(({ key, agent }) => [key, agent] as const));
    this.agents = new ModelAgents({ ...world, plans });
    this.connections = new ConnectionChecks(world);
  }

  fail(problem: string): void {
    this.problem ??= `at ${Math.round(this.#simulator.elapsed)} ms: ${problem}`;
    this.#simulator.isOver = true;
  }

  /** A run ends as producer-lost only if its producer was lost, or could not reach the store for most of a lease. */
  #onRunEnd({ runId, openedAt, entries, isCut }: SeenLog): void {
    const last = entries.at(-1)!;
    if (!last.includes('"code":"producer-lost"') || isCut) return;
    const { now } = this.#simulator;
    const { leaseMs } = this.#plan;
    // A command that a process sent before it was killed may be executed this much later.
    const time = { from: openedAt - 3_000, to: now };
    const places = ["server", "suspension"] as const;
    if (places.some((place) => this.disturbances.has(place, time))) return;
    // It may have been opened by the last of many attempts.
    const disturbedMs = this.disturbances.storeMs(openedAt - leaseMs, now);
    // One reply that never comes takes a lease.
    if (disturbedMs > (this.#plan.hasTimeout ? leaseMs / 2 - 500 : 0)) return;
    this.fail(`${runId} lost its producer for no reason`);
  }

  beginReader(name: string, client: string) {
    const reader: Reader = {
      name,
      client,
      startedAt: this.#simulator.now,
      chunks: [],
      runId: undefined,
      state: "reading",
    };
    this.#readers.push(reader);
    return {
      take: (chunk: { type: string; runId?: string }) => {
        if (chunk.type === "run-start") reader.runId = chunk.runId;
        reader.chunks.push(JSON.stringify(chunk));
        this.#checkPrefix(reader, reader.chunks.length - 1);
      },
      leave: () => {
        reader.state = "left";
      },
      end: (error: unknown) => {
        if (reader.state !== "reading") return;
        reader.state = "ended";
        this.#onReaderEnd(reader, error);
      },
    };
  }

  /** What a reader gets is in the log at the same place, unless the log is lost. */
  #checkPrefix(reader: Reader, index: number): void {
    const chunk = reader.chunks[index]!;
    if (isRunLost(chunk)) {
      if (!this.#mayBeLost(reader.runId)) this.fail(`${reader.name} got run-lost for a run that is not lost`);
      return;
    }
    // A run that was stopped, or lost its writer, before its first entry.
    reader.runId ??= [...this.logs.all()].find(
      ({ longest, entries }) => longest[0] === chunk || entries[0] === chunk,
    )?.runId;
    const log = this.logs.get(reader.runId ?? "");
    if (log?.longest[index] === chunk || log?.entries[index] === chunk) return;
    // The log that has lost its end has another one by now.
    if (log?.isCut && isTerminal(chunk)) return;
    this.fail(`${reader.name} got ${chunk} at ${index}, where the log has ${log?.entries[index]}`);
  }

  #mayBeLost(runId: string | undefined): boolean {
    const log = this.logs.get(runId ?? "");
    if (log === undefined || log.isCut) return true;
    return log.endedAt !== undefined && this.#simulator.now >= log.endedAt + retentionMs;
  }

  #onReaderEnd(reader: Reader, error: unknown): void {
    const { name, client, startedAt, chunks } = reader;
    const { now } = this.#simulator;
    if (error !== undefined) {
      if (!this.#mayFail(reader, error)) {
        const { code, status, message } = error as { code?: string; status?: number; message: string };
        this.fail(`${name} failed after ${chunks.length} chunks: ${code} ${status ?? ""} ${message}`);
      }
      return;
    }
    const last = chunks.at(-1);
    if (last !== undefined && isRunLost(last)) return;
    const log = this.logs.get(reader.runId ?? "");
    if (log === undefined) {
      this.fail(`${name} ended without a run`);
      return;
    }
    if (log.isCut) {
      if (!isTerminal(last!)) this.fail(`${name} ended on ${last}`);
      return;
    }
    if (log.endedAt === undefined) {
      this.fail(`${name} ended before its run`);
      return;
    }
    if (chunks.length !== log.entries.length) {
      this.fail(`${name} ended with ${chunks.length} of ${log.entries.length} chunks`);
    }
    const since = Math.max(log.endedAt, startedAt, this.disturbances.lastEnd(client));
    if (now - since > readerMs) this.fail(`${name} ended ${Math.round(now - since)} ms after its run`);
  }

  /** The errors that a client may get, each with its reason. */
  #mayFail({ name, client, startedAt, chunks, runId }: Reader, error: unknown): boolean {
    const { code, status } = error as { code?: string; status?: number };
    const { now } = this.#simulator;
    const ofClient = [...this.logs.all()].filter(({ owner }) => owner === client);
    if (chunks.length > 0) {
      return status === 404 && this.#mayBeLost(runId);
    }
    // A first request without any response is repeated once.
    if (code === "connection") {
      const places = ["network", "server", "suspension"] as const;
      return places.some((place) => this.disturbances.has(place, { from: startedAt, to: now, client }));
    }
    if (name.startsWith("ask")) {
      // Another question of the session is being answered.
      return status === 409 && this.#plan.onActiveRun === "reject" && ofClient.length > 0;
    }
    // The session has no run yet.
    return code === "truncated" && !ofClient.some(({ openedAt }) => openedAt < startedAt);
  }

  /** The stop of a question's run, by its client. */
  beginStop(key: string, client: string): (error: unknown) => void {
    const startedAt = this.#simulator.now;
    const wasOpen = [...this.logs.all()].filter((log) => log.owner === client && log.key === key);
    return (error) => {
      if (error === undefined) {
        const open = wasOpen.find(({ endedAt, isCut }) => endedAt === undefined && !isCut);
        if (open !== undefined) this.fail(`${open.runId} was stopped, and is open`);
        return;
      }
      const { status, message } = error as { status?: number; message: string };
      const time = { from: startedAt - 1, to: this.#simulator.now, client };
      const isDisturbed = allPlaces.some((place) => this.disturbances.has(place, time));
      if (!isDisturbed && status !== 404) this.fail(`the stop of ${key} failed: ${status} ${message}`);
    };
  }

  /** After all that was wrong is over, and every bound has passed. */
  async expectEnded(store: ModelStore): Promise<void> {
    this.connections.checkAll();
    for (const { name, state, runId, chunks } of this.#readers) {
      const length = this.logs.get(runId ?? "")?.entries.length;
      if (state === "reading") this.fail(`${name} hangs after ${chunks.length} of ${length} chunks`);
    }
    for (const log of this.logs.all()) {
      const { runId, endedAt, entries, isCut } = log;
      const isFollowed = this.#readers.some((one) => one.runId === runId && one.state === "ended");
      if (isFollowed && endedAt === undefined && !isCut) this.fail(`${runId} has no end`);
      this.agents.checkWhole(log);
      const kept = await store.entriesOf(runId);
      if (kept?.join("\n") !== entries.join("\n"))
        this.fail(`the log of ${runId} was ${entries}, and is ${kept}`);
    }
  }
}

const allPlaces = ["store", "server", "suspension", "network"] as const;

const isTerminal = (chunk: string): boolean => /^\{"type":"(?:error|abort|done)"/.test(chunk);
const isRunLost = (chunk: string): boolean => chunk.includes('"code":"run-lost"');
