/** The agents of a world, whose texts name their question, their call and their number. Checks what each answer cost. */
import type { RouteAgentOptions, StreamChunk } from "@kortyx/server";
import type { Disturbances } from "./disturbances.ts";
import type { AgentPlan } from "./plan-world.ts";
import { deltaOf, type RunLogs, type SeenLog } from "./run-logs.ts";
import { currentProcess, type Process, type Simulator } from "./simulator.ts";

/** An agent notices within this time that its run was ended elsewhere: a tick of the store, and a few of its replies. */
const noticeMs = 3_000;

interface Call {
  readonly question: string;
  readonly runId: string;
  readonly process: Process;
  readonly incarnation: number;
  yielded: number;
  /** It has ended on its own, after its last chunk. */
  isWhole: boolean;
}

interface FinishedRun {
  runId: string;
  message: { parts: readonly { text?: string }[] };
  terminal: object;
}

interface AgentWorld {
  simulator: Simulator;
  logs: RunLogs;
  disturbances: Disturbances;
  leaseMs: number;
  plans: ReadonlyMap<string, AgentPlan>;
  fail(problem: string): void;
}

export class ModelAgents {
  readonly #world: AgentWorld;
  readonly #calls = new Map<string, Call>();
  readonly #callsOf = new Map<string, Call[]>();
  readonly #open = new Set<Call>();
  readonly #finished = new Set<string>();
  /** The run that the next call for a question writes. */
  readonly #runIds = new Map<string, string>();

  constructor(world: AgentWorld) {
    this.#world = world;
  }

  /** `onStart` of the route: called just before the agent. */
  readonly onStart = ({ runId, messages }: { runId: string; messages: { content: string }[] }): void => {
    this.#runIds.set(messages.at(-1)!.content, runId);
  };

  /** `onFinish` of the route: what an application saves is what readers have seen. */
  readonly onFinish = ({ runId, message, terminal }: FinishedRun): void => {
    const { simulator, logs, disturbances, leaseMs, fail } = this.#world;
    if (this.#finished.has(runId)) fail(`${runId} was finished twice`);
    this.#finished.add(runId);
    const log = logs.get(runId)!;
    const time = { from: simulator.now - 2 * leaseMs, to: simulator.now };
    // A writer that was cut off from the store finishes what it knows.
    if (log.isCut || disturbances.has("store", time) || disturbances.has("suspension", time)) return;
    const last = log.entries.at(-1);
    if (log.endedAt === undefined || JSON.stringify(terminal) !== last) {
      fail(`${runId} was finished with ${JSON.stringify(terminal)}, and its log ends with ${last}`);
    }
    const texts = log.entries.map((entry) => /"delta":"(.*)"/.exec(entry)?.[1] ?? "").join("");
    const saved = message.parts.map(({ text = "" }) => text).join("");
    if (saved !== texts) fail(`${runId} was saved as "${saved}", and its log has "${texts}"`);
  };

  readonly agent = {
    streamChat: (messages: { content: string }[], options: RouteAgentOptions) =>
      this.#answer(messages.at(-1)!.content, options),
  };

  /** How many agents of processes that live have not ended. */
  get openCalls(): number {
    return [...this.#open].filter(({ process, incarnation }) => process.incarnation === incarnation).length;
  }

  async *#answer(question: string, { signal }: RouteAgentOptions): AsyncGenerator<StreamChunk> {
    const { simulator, plans } = this.#world;
    const plan = plans.get(question)!;
    const call = this.#begin(question);
    const name = `${question}/${this.#callsOf.get(question)!.length}`;
    this.#calls.set(name, call);
    try {
      for (let number = 0; number <= plan.chunks; number++) {
        await pause(number === plan.slowAt ? plan.slowMs : simulator.delay(plan.usualGapMs), signal);
        if (signal.aborted) return;
        if (number === plan.chunks) break;
        call.yielded++;
        yield { type: "text-delta", delta: `${name}/${number} ` };
      }
      call.isWhole = true;
      if (plan.end === "throw") throw new Error("The agent failed.");
      if (plan.end === "error") yield { type: "error", message: "No.", code: "no" };
      else if (plan.end === "abort") yield { type: "abort", reason: "enough" };
      else if (plan.end === "done") yield { type: "done" };
    } finally {
      this.#open.delete(call);
      if (call.process.incarnation === call.incarnation) this.#checkOverrun(call);
    }
  }

  #begin(question: string): Call {
    const { simulator, logs, fail } = this.#world;
    const earlier = this.#callsOf.get(question) ?? [];
    for (const { runId } of earlier) {
      // A run that was lost before its first text leaves its key free.
      if ((logs.get(runId)?.longest.length ?? 0) > 2)
        fail(`${question} was paid twice, in ${runId} and again`);
    }
    const process = currentProcess.getStore()!;
    const runId = this.#runIds.get(question)!;
    const log = logs.get(runId);
    if (log !== undefined && log.endedAt === log.openedAt)
      fail(`${question} was paid, and was stopped before`);
    const call: Call = {
      question,
      runId,
      process,
      incarnation: simulator.incarnationOf(process)!,
      yielded: 0,
      isWhole: false,
    };
    this.#callsOf.set(question, [...earlier, call]);
    this.#open.add(call);
    return call;
  }

  #checkOverrun({ question, runId }: Call): void {
    const { simulator, logs, disturbances, leaseMs, fail } = this.#world;
    const endedAt = logs.get(runId)?.endedAt;
    if (endedAt === undefined) return;
    if (disturbances.has("suspension", { from: endedAt, to: simulator.now })) return;
    const disturbedMs = disturbances.storeMs(endedAt - leaseMs, simulator.now);
    const allowedMs = noticeMs + (disturbedMs > 0 ? disturbedMs + leaseMs : 0);
    const lateMs = simulator.now - endedAt;
    if (lateMs > allowedMs)
      fail(`the agent of ${question} continued for ${Math.round(lateMs)} ms after its run`);
  }

  /** An answer that its agent has ended is in the log as a whole. */
  checkWhole({ runId, entries, isCut }: SeenLog): void {
    const text = entries.findLast((entry) => deltaOf(entry) !== undefined);
    const call = text === undefined ? undefined : this.#calls.get(deltaOf(text)!.call);
    if (call === undefined || isCut) return;
    const last = entries.at(-1)!;
    const isOwnEnd = /^\{"type":"done"|"code":"no"|"reason":"enough"|"message":"The agent failed."/.test(
      last,
    );
    if (!isOwnEnd) return;
    const texts = entries.filter((entry) => deltaOf(entry) !== undefined).length;
    if (texts !== call.yielded || !call.isWhole) {
      this.#world.fail(`${runId} has ${texts} of ${call.yielded} texts, and ends with ${last}`);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end);
  });
}
