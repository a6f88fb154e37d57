/** A client: it asks questions, follows their answers in one tab or two, reloads, stops, and is offline for a while. */
import type { Checks } from "./checks.ts";
import type { Packages } from "./load-packages.ts";
import type { Link, Network } from "./network.ts";
import { currentProcess, type Process, type Simulator } from "./simulator.ts";

export interface ClientPlan {
  name: string;
  /** Nothing goes wrong. */
  isCalm: boolean;
  /** Everything begins before this time. */
  busyMs: number;
}

type ReadStream = (signal: AbortSignal) => AsyncIterable<{ type: string }>;

export class ModelClient {
  onOffline = () => {};
  readonly #simulator: Simulator;
  readonly #packages: Packages["client"];
  readonly #network: Network;
  readonly #checks: Checks;
  readonly #plan: ClientPlan;
  readonly #process: Process;
  readonly #link: Link = { state: "up" };

  constructor(
    simulator: Simulator,
    packages: Packages["client"],
    network: Network,
    checks: Checks,
    plan: ClientPlan,
  ) {
    this.#simulator = simulator;
    this.#packages = packages;
    this.#network = network;
    this.#checks = checks;
    this.#plan = plan;
    this.#process = { name: plan.name, incarnation: 0 };
  }

  /** Schedules all that the client does. */
  begin(): void {
    const { busyMs, isCalm } = this.#plan;
    const simulator = this.#simulator;
    const at = (label: string, ms: number, run: () => void) =>
      currentProcess.run(this.#process, () => simulator.schedule(label, ms, run));
    const questions = 1 + simulator.int(2);
    for (let number = 0; number < questions; number++) {
      const key = `${this.#plan.name}q${number}`;
      const askAt = (simulator.random() * busyMs * 0.7) / questions + (number * busyMs) / questions;
      const left = new AbortController();
      at("ask", askAt, () => void this.#read(`ask ${key}`, this.#ask(key), left.signal));
      if (simulator.chance(0.3)) {
        at("second tab", askAt + simulator.delay(3_000), () => void this.#read(`tab ${key}`, this.#follow()));
      }
      if (simulator.chance(0.3)) {
        const leaveAt = askAt + simulator.delay(3_000);
        at("leave", leaveAt, () => left.abort());
        at(
          "reload",
          leaveAt + simulator.delay(2_000),
          () => void this.#read(`reload ${key}`, this.#follow()),
        );
      }
      if (simulator.chance(0.25)) {
        at("stop", askAt + simulator.delay(3_000), () => void this.#stop(key));
      }
    }
    if (!isCalm && simulator.chance(0.3)) {
      at("offline", simulator.random() * busyMs * 0.8, () => {
        this.onOffline();
        this.#link.state = simulator.chance(0.5) ? "refused" : "hangs";
        if (this.#link.state === "refused") this.#network.cut(({ link }) => link === this.#link);
        const backMs = Math.min(simulator.delay(8_000), busyMs - simulator.now);
        simulator.schedule("online", backMs, () => {
          this.#link.state = "up";
        });
      });
    }
  }

  get #route() {
    return {
      endpoint: "http://server.example/api/chat",
      headers: { "x-user": this.#plan.name },
      fetch: this.#network.fetchOver(this.#link),
    };
  }

  #ask(key: string): ReadStream {
    return () =>
      this.#packages.streamChatFromRoute({
        ...this.#route,
        messages: [{ role: "user", content: key }],
        sessionId: this.#plan.name,
        idempotencyKey: key,
        runs: true,
      });
  }

  #follow(): ReadStream {
    return () =>
      this.#packages.streamFromRoute({
        ...this.#route,
        method: "GET",
        query: { session: this.#plan.name },
      });
  }

  async #read(name: string, open: ReadStream, left?: AbortSignal): Promise<void> {
    const reader = this.#checks.beginReader(name);
    const iterator = open(new AbortController().signal)[Symbol.asyncIterator]();
    const leave = () => {
      reader.leave();
      void iterator.return?.();
    };
    if (left?.aborted) return leave();
    left?.addEventListener("abort", leave);
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) break;
        reader.take(value);
      }
      reader.end(undefined);
    } catch (error) {
      reader.end(error);
    }
  }

  async #stop(key: string): Promise<void> {
    const transport = this.#packages.createRouteTransport(this.#route);
    const stop = this.#checks.beginStop(key);
    try {
      await transport.stop({ idempotencyKey: key });
      stop(undefined);
    } catch (error) {
      stop(error);
    }
  }
}
