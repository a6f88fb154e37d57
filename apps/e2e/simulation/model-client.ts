/** A client: it asks questions, follows their answers in one tab or two, reloads, stops, and is offline for a while. */
import type { Checks } from "./checks.ts";
import type { Packages } from "./load-packages.ts";
import type { Link, Network } from "./network.ts";
import type { ClientPlan, QuestionPlan } from "./plan-world.ts";
import { currentProcess, type Process, type Simulator } from "./simulator.ts";

interface ClientWorld {
  simulator: Simulator;
  packages: Packages["client"];
  network: Network;
  checks: Checks;
}

export class ModelClient {
  readonly #world: ClientWorld;
  readonly #plan: ClientPlan;
  readonly #process: Process;
  readonly #link: Link = { state: "up" };
  /** The run of each question, as soon as the client knows it. */
  readonly #runIds = new Map<string, string>();

  constructor(world: ClientWorld, plan: ClientPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#process = { name: plan.name, incarnation: 0 };
  }

  /** Schedules all that the client does. */
  begin(): void {
    const { simulator, network } = this.#world;
    const { questions, offline } = this.#plan;
    currentProcess.run(this.#process, () => {
      for (const question of questions) this.#beginQuestion(question);
      if (offline === undefined) return;
      simulator.schedule("offline", offline.at, () => {
        this.#link.state = offline.as;
        if (offline.as === "refused") network.cut(({ link }) => link === this.#link);
        simulator.schedule("online", offline.forMs, () => {
          this.#link.state = "up";
        });
      });
    });
  }

  #beginQuestion({ key, askAt, tabAt, leaveAt, reloadAt, stopAt, stopBy }: QuestionPlan): void {
    const { simulator } = this.#world;
    const page = new AbortController();
    const at = (label: string, ms: number | undefined, run: () => unknown) => {
      if (ms !== undefined) simulator.schedule(label, ms, () => void run());
    };
    at("ask", askAt, () => this.#read(`ask ${key}`, this.#ask(key), { page: page.signal, key }));
    at("tab", tabAt, () => this.#read(`tab ${key}`, this.#follow()));
    at("leave", leaveAt, () => page.abort());
    at("reload", reloadAt, () => this.#read(`reload ${key}`, this.#follow()));
    at("stop", stopAt, () => this.#stop(key, stopBy!));
  }

  get #route() {
    return {
      endpoint: "http://server.example/api/chat",
      headers: { "x-user": this.#plan.name },
      fetch: this.#world.network.fetchOver(this.#link),
    };
  }

  #ask(key: string): AsyncIterable<{ type: string }> {
    return this.#world.packages.streamChatFromRoute({
      ...this.#route,
      messages: [{ role: "user", content: key }],
      sessionId: this.#plan.name,
      idempotencyKey: key,
      runs: true,
    });
  }

  #follow(): AsyncIterable<{ type: string }> {
    const query = { session: this.#plan.name };
    return this.#world.packages.streamFromRoute({ ...this.#route, method: "GET", query });
  }

  /** @param asked - Whose page it is, if it is the one that asked. */
  async #read(
    name: string,
    stream: AsyncIterable<{ type: string; runId?: string }>,
    asked?: { page: AbortSignal; key: string },
  ): Promise<void> {
    const iterator = stream[Symbol.asyncIterator]();
    const reader = this.#world.checks.beginReader(name, this.#plan.name);
    const leave = () => {
      reader.leave();
      void iterator.return?.();
    };
    if (asked?.page.aborted) return leave();
    asked?.page.addEventListener("abort", leave);
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) break;
        if (asked !== undefined && value.runId !== undefined) this.#runIds.set(asked.key, value.runId);
        reader.take(value);
      }
      reader.end(undefined);
    } catch (error) {
      reader.end(error);
    }
  }

  async #stop(key: string, by: "key" | "run"): Promise<void> {
    const { packages, checks } = this.#world;
    const runId = by === "run" ? this.#runIds.get(key) : undefined;
    const transport = packages.createRouteTransport(this.#route);
    const stop = checks.beginStop(key, this.#plan.name);
    try {
      await transport.stop(runId === undefined ? { idempotencyKey: key } : { runId });
      stop(undefined);
    } catch (error) {
      stop(error);
    }
  }
}
