/** What must be true of every world, checked with each write and each chunk that is read, and at the end. */
import type { StreamChunk } from "../../../packages/protocol/src/index.ts";
import type { RouteAgentOptions } from "../../../packages/server/src/index.ts";
import type { ModelStore } from "./model-store.ts";
import type { Network, Server } from "./network.ts";
import { currentProcess, type Simulator } from "./simulator.ts";

interface Reader {
  readonly name: string;
  /** As JSON. */
  readonly chunks: string[];
  runId: string | undefined;
  state: "reading" | "left" | "ended";
}

export class Checks {
  problem: string | undefined;
  readonly #simulator: Simulator;
  readonly #store: ModelStore;
  readonly #retentionMs: number;
  readonly #readers: Reader[] = [];
  readonly #calls = new Map<string, number>();
  readonly #openAgents = new Set<string>();
  /** The longest log that each run has had. */
  readonly #longest = new Map<string, readonly string[]>();
  readonly #endedAt = new Map<string, number>();
  readonly #faults = new Set<string>();

  constructor(
    simulator: Simulator,
    store: ModelStore,
    { retentionMs }: { leaseMs: number; retentionMs: number },
  ) {
    this.#simulator = simulator;
    this.#store = store;
    this.#retentionMs = retentionMs;
    store.onChange = (runId, before, after) => this.#onLog(runId, before, after);
  }

  noteFault(name: string): void {
    this.#faults.add(name);
  }

  fail(problem: string): void {
    this.problem ??= `at ${Math.round(this.#simulator.now)} ms: ${problem}`;
  }

  /** An agent whose chunks name their question, their call and their number. */
  readonly agent = {
    streamChat: (messages: { content: string }[], options: RouteAgentOptions) =>
      this.#answer(messages.at(-1)!.content, options),
  };

  async *#answer(question: string, { signal }: RouteAgentOptions): AsyncGenerator<StreamChunk> {
    const simulator = this.#simulator;
    const call = (this.#calls.get(question) ?? 0) + 1;
    this.#calls.set(question, call);
    if (call > 1) this.fail(`${question} was paid ${call} times`);
    const process = currentProcess.getStore()!;
    const id = `${question}/${call}`;
    const { incarnation } = process;
    this.#openAgents.add(id);
    const length = simulator.int(simulator.pick([4, 30, 120]));
    const slowAt = simulator.chance(0.2) ? simulator.int(length + 1) : -1;
    try {
      for (let number = 0; number < length && !signal.aborted; number++) {
        await pause(number === slowAt ? simulator.delay(6_000) : simulator.delay(30), signal);
        yield { type: "text-delta", delta: `${id}/${number} ` };
      }
      const end = simulator.int(10);
      if (end === 0) throw new Error("The agent failed.");
      if (end === 1) yield { type: "error", message: "No.", code: "no" };
      else if (end === 2) yield { type: "abort", reason: "enough" };
      else if (end > 3) yield { type: "done" };
    } finally {
      if (process.incarnation === incarnation) this.#openAgents.delete(id);
    }
  }

  #onLog(runId: string, before: readonly string[], after: readonly string[]): void {
    if (before.some((entry, index) => entry !== after[index])) this.fail(`the log of ${runId} was changed`);
    if (this.#endedAt.has(runId) && !this.#store.cut.has(runId))
      this.fail(`${runId} was written after its end`);
    if (this.#store.ended.has(runId)) this.#endedAt.set(runId, this.#simulator.now);
    const types = after.map((entry) => (JSON.parse(entry) as { type: string }).type);
    const early = types.slice(0, -1).find((type) => type === "done" || type === "abort");
    if (early !== undefined) this.fail(`${runId} has ${early} before its last entry`);
    const texts = after.flatMap((entry) => /"delta":"(\S+)\/(\d+) "/.exec(entry)?.slice(1, 3) ?? []);
    for (let index = 0; index < texts.length; index += 2) {
      if (texts[index] !== texts[0]) this.fail(`${runId} has two writers`);
      if (Number(texts[index + 1]) !== index / 2) this.fail(`${runId} lacks or repeats a chunk`);
    }
    if (types.includes("run-start") && types[0] !== "run-start")
      this.fail(`${runId} begins with ${types[0]}`);
    if (after.length > (this.#longest.get(runId)?.length ?? 0)) this.#longest.set(runId, after);
  }

  beginReader(name: string) {
    const reader: Reader = { name, chunks: [], runId: undefined, state: "reading" };
    this.#readers.push(reader);
    return {
      take: (chunk: { type: string; runId?: string }) => {
        if (chunk.type === "run-start") reader.runId = chunk.runId;
        reader.chunks.push(JSON.stringify(chunk));
        this.#comparePrefix(reader, reader.chunks.length - 1);
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

  /** What a reader gets is in the log at the same place, unless it is told that the log is gone. */
  #comparePrefix(reader: Reader, index: number): void {
    const chunk = reader.chunks[index]!;
    const { runId } = reader;
    if (isRunLost(chunk)) {
      if (!this.#mayBeLost(runId)) this.fail(`${reader.name} was told that its run is lost, which it is not`);
      return;
    }
    if (isConnectionEnded(chunk)) return;
    if (runId === undefined) {
      // A run that was stopped, or lost its writer, before its first entry.
      const found = [...this.#longest].find(([, log]) => log[0] === chunk);
      if (found === undefined) return this.fail(`${reader.name} began with ${chunk}`);
      reader.runId = found[0];
      return;
    }
    const entry = (this.#longest.get(runId) ?? [])[index];
    const isTerminalOfCut = this.#store.cut.has(runId) && /"type":"(error|abort|done)"/.test(chunk);
    if (
      entry === undefined ? !isTerminalOfCut : JSON.stringify(JSON.parse(entry)) !== chunk && !isTerminalOfCut
    ) {
      this.fail(`${reader.name} got ${chunk} at ${index}, where the log has ${entry}`);
    }
  }

  #mayBeLost(runId: string | undefined): boolean {
    if (runId === undefined || this.#store.cut.has(runId)) return true;
    const endedAt = this.#endedAt.get(runId);
    return endedAt !== undefined && this.#simulator.now >= endedAt + this.#retentionMs;
  }

  #onReaderEnd(reader: Reader, error: unknown): void {
    const { name, runId, chunks } = reader;
    const last = chunks.at(-1);
    if (error === undefined) {
      if (last !== undefined && isRunLost(last)) return;
      if (runId === undefined) return this.fail(`${name} ended without a run`);
      if (this.#store.cut.has(runId)) {
        if (!/^\{"type":"(?:error|abort|done)"/.test(last!)) this.fail(`${name} ended on ${last}`);
        return;
      }
      const log = this.#store.logs.get(runId)!;
      if (!this.#store.ended.has(runId)) this.fail(`${name} ended before its run`);
      else if (chunks.length !== log.length)
        this.fail(`${name} ended with ${chunks.length} of ${log.length} chunks`);
      return;
    }
    const { code, status } = error as { code?: string; status?: number };
    // A second tab or a reload may find no run, or one that has not begun.
    if (chunks.length === 0 && (this.#faults.size > 0 || !name.startsWith("ask"))) return;
    if (runId !== undefined && this.#mayBeLost(runId)) return;
    this.fail(
      `${name} failed after ${chunks.length} chunks: ${code} ${status ?? ""} ${(error as Error).message}`,
    );
  }

  beginStop(key: string): (error: unknown) => void {
    return (error) => {
      const { status } = (error ?? {}) as { status?: number };
      if (error !== undefined && this.#faults.size === 0 && status !== 404) {
        this.fail(`the stop of ${key} failed: ${(error as Error).message}`);
      }
      if (error === undefined) this.#stopped.add(key);
    };
  }

  readonly #stopped = new Set<string>();

  /** After all that was wrong is over, and every bound has passed. */
  expectEnded(): void {
    const reader = this.#readers.find(({ state }) => state === "reading");
    if (reader !== undefined) {
      const log = this.#store.logs.get(reader.runId ?? "");
      this.fail(`${reader.name} hangs after ${reader.chunks.length} of ${log?.length} chunks`);
    }
    for (const runId of this.#store.logs.keys()) {
      const isFollowed = this.#readers.some((one) => one.runId === runId && one.state === "ended");
      if (isFollowed && !this.#store.ended.has(runId)) this.fail(`${runId} has no end`);
    }
  }

  expectNothingLeft(network: Network, servers: readonly Server[]): void {
    if (network.openConnections > 0) this.fail(`${network.openConnections} connections are left`);
    const pending = this.#simulator.pending();
    if (pending.length > 0) this.fail(`${pending.length} events are left, such as ${pending[0]!.label}`);
    for (const { process } of servers) {
      const registry = currentProcess.run(process, () => registryOf(process)) as Record<string, unknown>;
      for (const [name, entries] of Object.entries(registry ?? {})) {
        if (entries instanceof Set && entries.size > 0 && name !== "abortedStreams") {
          this.fail(`${process.name} has ${entries.size} ${name} left`);
        }
      }
    }
  }
}

const registryOf = (_process: unknown): unknown =>
  (globalThis as Record<symbol, unknown>)[Symbol.for("@kortyx/server/streams")];

const isRunLost = (chunk: string): boolean => chunk.includes('"code":"run-lost"');
const isConnectionEnded = (chunk: string): boolean => chunk.includes('"code":"connection-ended"');

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end);
  });
}
