/** One simulated world, as planned: servers with a store, and clients, while things go wrong. */
import { createSeededRandom } from "../seeded-random.ts";
import { Checks } from "./checks.ts";
import type { Packages } from "./load-packages.ts";
import { ModelClient } from "./model-client.ts";
import { ModelStore } from "./model-store.ts";
import { Network, type Server } from "./network.ts";
import { busyMs, type FaultPlan, retentionMs, type StoreFaultName, type WorldPlan } from "./plan-world.ts";
import { setSimulator } from "./simulated-globals.ts";
import { currentProcess, type SimEvent, Simulator } from "./simulator.ts";

export interface WorldResult {
  /** The first thing that was wrong. */
  problem: string | undefined;
  steps: number;
  /** Of all steps and log entries. */
  hash: string;
}

/** After all that is wrong, answers may take this long: silent agents, leases, and clients' waits. */
const settleMs = 120_000;
/** Longer than any world takes. */
const betweenWorldsMs = 2 ** 24;

let worlds = 0;

export async function simulateWorld(
  plan: WorldPlan,
  packages: Packages,
  onStep?: (event: SimEvent, simulator: Simulator) => void,
): Promise<WorldResult> {
  const simulator = new Simulator(createSeededRandom(plan.seed ^ 0x5eed), ++worlds * betweenWorldsMs);
  setSimulator(simulator);
  if (onStep !== undefined) simulator.onStep = (event) => onStep(event, simulator);
  const world = new World(plan, packages, simulator);
  const { problem } = await world.run();
  setSimulator(undefined);
  return { problem, steps: simulator.steps, hash: (simulator.hash >>> 0).toString(16).padStart(8, "0") };
}

class World {
  readonly #plan: WorldPlan;
  readonly #packages: Packages;
  readonly #simulator: Simulator;
  readonly #checks: Checks;
  readonly #store: ModelStore;
  readonly #servers: Server[];
  readonly #network: Network;

  constructor(plan: WorldPlan, packages: Packages, simulator: Simulator) {
    this.#plan = plan;
    this.#packages = packages;
    this.#simulator = simulator;
    this.#checks = new Checks(simulator, plan);
    const { store: kind, canHandOff, hasTimeout, leaseMs, servers, proxyRepeats } = plan;
    const core = packages.core.createMemoryRunStore({ leaseMs, retentionMs });
    this.#store = new ModelStore(simulator, { kind, canHandOff, hasTimeout, core, logs: this.#checks.logs });
    this.#servers = packages.slots
      .slice(0, servers)
      .map(({ process }) => ({ process, handle: undefined, drainingSince: undefined }));
    this.#network = new Network(simulator, this.#servers, {
      observer: this.#checks.connections,
      proxyRepeats,
    });
  }

  async run(): Promise<Checks> {
    const { clients, faults } = this.#plan;
    const checks = this.#checks;
    const onRejection = (error: unknown) => checks.fail(`an unhandled rejection: ${String(error)}`);
    process.on("unhandledRejection", onRejection);
    for (const { process } of this.#servers) process.incarnation++;
    for (const index of this.#servers.keys()) this.#start(index);
    for (const fault of faults)
      this.#simulator.schedule(fault.name, fault.at, () => this.#begin(fault), null);
    for (const plan of clients) {
      const { offline, name } = plan;
      if (offline !== undefined) {
        const from = this.#simulator.now + offline.at;
        checks.disturbances.begin("network", from, name)(from + offline.forMs);
      }
      const { client } = this.#packages;
      new ModelClient(
        { simulator: this.#simulator, packages: client, network: this.#network, checks },
        plan,
      ).begin();
    }
    await this.#simulator.run(busyMs + settleMs);
    if (checks.problem === undefined) await checks.expectEnded(this.#store);
    if (checks.problem === undefined) {
      await this.#simulator.run(busyMs + settleMs + retentionMs + 60_000);
      this.#expectNothingLeft();
    }
    await this.#clear();
    process.off("unhandledRejection", onRejection);
    return checks;
  }

  #start(index: number): void {
    const { process, server } = this.#packages.slots[index]!;
    const { agent, onStart, onFinish } = this.#checks.agents;
    currentProcess.run(process, () => {
      const route = server.createChatRoute({
        agent,
        authorize: (request) => request.headers.get("x-user"),
        onError: () => "The agent failed.",
        runs: {
          store: this.#store.connect(),
          maxOpenRuns: 100,
          onActiveRun: this.#plan.onActiveRun,
          onStart: onStart as never,
          onFinish: onFinish as never,
        },
      });
      this.#servers[index]!.handle = (request) => route.fetch(request);
      this.#servers[index]!.drainingSince = undefined;
    });
  }

  #begin(fault: FaultPlan): void {
    const simulator = this.#simulator;
    const { disturbances } = this.#checks;
    if (fault.name === "kill") this.#kill(fault.server, fault.restartMs);
    else if (fault.name === "drain") this.#drain(fault);
    else if (fault.name === "suspend") this.#suspend(fault.server, fault.forMs);
    else if (fault.name === "lost writes") this.#loseWrites(fault.entries);
    else if (fault.name !== "cut") this.#disturbStore(fault.name, fault.forMs);
    else {
      disturbances.begin("network", simulator.now)(simulator.now);
      this.#network.cut(() => simulator.chance(fault.share));
    }
  }

  #kill(index: number, restartMs: number): void {
    const simulator = this.#simulator;
    const server = this.#servers[index]!;
    if (server.handle === undefined) return;
    const end = this.#checks.disturbances.begin("server", simulator.now);
    this.#checks.connections.onKill(server);
    server.handle = undefined;
    server.process.incarnation++;
    server.process.suspendedUntil = undefined;
    this.#network.cut((connection) => connection.server === server);
    const start = () => {
      this.#start(index);
      end(simulator.now);
    };
    simulator.schedule("restart", restartMs, start, null);
  }

  #suspend(index: number, forMs: number): void {
    const { now } = this.#simulator;
    const { process } = this.#servers[index]!;
    process.suspendedUntil = Math.max(process.suspendedUntil ?? 0, now + forMs);
    this.#checks.disturbances.begin("suspension", now)(now + forMs);
  }

  #drain({ server: index, deadlineMs, restartMs }: Extract<FaultPlan, { deadlineMs: number }>): void {
    const simulator = this.#simulator;
    const server = this.#servers[index]!;
    if (server.handle === undefined || server.drainingSince !== undefined) return;
    const { process } = server;
    const { incarnation } = process;
    const end = this.#checks.disturbances.begin("server", simulator.now);
    server.drainingSince = simulator.now;
    currentProcess.run(process, async () => {
      await this.#packages.slots[index]!.server.drain({ deadlineMs });
      if (process.incarnation === incarnation) this.#kill(index, restartMs);
    });
    // At the latest; a process that is killed meanwhile does not finish.
    end(simulator.now + deadlineMs + 1_000 + restartMs);
  }

  #loseWrites(entries: number): void {
    const logs = [...this.#checks.logs.all()].filter(({ isCut }) => !isCut);
    if (this.#plan.store !== "redis" || logs.length === 0) return;
    const { now } = this.#simulator;
    this.#checks.disturbances.begin("store", now)(now);
    void this.#store.loseWrites(this.#simulator.pick(logs).runId, entries);
  }

  #disturbStore(name: StoreFaultName, forMs: number): void {
    const simulator = this.#simulator;
    const end = this.#checks.disturbances.begin("store", simulator.now);
    this.#store.faults[name]++;
    const onEnd = () => {
      this.#store.faults[name]--;
      end(simulator.now);
    };
    simulator.schedule(`end ${name}`, forMs, onEnd, null);
  }

  #expectNothingLeft(): void {
    const checks = this.#checks;
    const connections = this.#network.openConnections;
    if (connections > 0) checks.fail(`${connections} connections are left`);
    const pending = this.#simulator.pending();
    if (pending.length > 0) checks.fail(`${pending.length} events are left, such as ${pending[0]!.label}`);
    const { openCalls } = checks.agents;
    if (openCalls > 0) checks.fail(`${openCalls} agents are left`);
    for (const { process } of this.#servers) {
      const registry = currentProcess.run(
        process,
        () => (globalThis as Record<symbol, unknown>)[registryKey],
      );
      for (const [name, entries] of Object.entries(registry ?? {})) {
        if (name === "abortedStreams" || !(entries instanceof Set) || entries.size === 0) continue;
        checks.fail(`${process.name} has ${entries.size} ${name} left`);
      }
    }
  }

  /** Modules that wait for an immediate get it, so that the next world finds them as this one did. */
  async #clear(): Promise<void> {
    const simulator = this.#simulator;
    for (const { process } of this.#packages.slots) {
      process.incarnation++;
      process.suspendedUntil = undefined;
    }
    simulator.isOver = false;
    simulator.onStep = () => {};
    const { steps, hash } = simulator;
    simulator.keep((event) => event.label === "immediate");
    await simulator.run(Number.POSITIVE_INFINITY);
    Object.assign(simulator, { steps, hash });
  }
}

const registryKey = Symbol.for("@kortyx/server/streams");
