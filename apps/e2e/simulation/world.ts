/**
 * One simulated world: servers with a store, and clients that ask, reload, follow and stop, while things go wrong. All of it
 * is drawn from a seed. Returns what was wrong with it.
 */

import { Checks } from "./checks.ts";
import type { Packages } from "./load-packages.ts";
import { type ClientPlan, ModelClient } from "./model-client.ts";
import { ModelStore, type StoreKind } from "./model-store.ts";
import { Network, type Server } from "./network.ts";
import { currentProcess, type Simulator } from "./simulator.ts";

/** How often each kind of fault happened. */
export type FaultCounts = Record<string, number>;

export interface WorldResult {
  /** The first thing that was wrong. */
  problem: string | undefined;
  faults: FaultCounts;
}

/** Nothing is begun later, and everything that is wrong is over. */
const busyMs = 40_000;
/** After that, answers may take this long: agents with slow tools, a lease, and a client's waits. */
const settleMs = 120_000;
const retentionMs = 15 * 60_000;

const kinds: readonly StoreKind[] = ["memory", "redis", "redis", "sqlite"];

export async function simulateWorld(simulator: Simulator, packages: Packages): Promise<WorldResult> {
  const faults: FaultCounts = {};
  const isCalm = simulator.chance(0.1);
  const kind = simulator.pick(kinds);
  const leaseMs = simulator.chance(0.7) ? 15_000 : 2_500;
  const core = packages.core.createMemoryRunStore({ leaseMs, retentionMs });
  const store = new ModelStore(simulator, kind, core);
  const checks = new Checks(simulator, store, { leaseMs, retentionMs });
  const count = kind === "memory" ? 1 : 1 + simulator.int(packages.slots.length);
  const servers = packages.slots
    .slice(0, count)
    .map(({ process }): Server => ({ process, handle: undefined }));
  const network = new Network(simulator, servers);

  const start = (index: number) => {
    const { process, server } = packages.slots[index]!;
    currentProcess.run(process, () => {
      const route = server.createChatRoute({
        agent: checks.agent,
        authorize: (request) => request.headers.get("x-user"),
        onError: () => "The agent failed.",
        runs: { store: store.connect(), maxOpenRuns: 100 },
      });
      servers[index]!.handle = (request) => route.fetch(request);
    });
  };
  for (const index of servers.keys()) start(index);

  const happen = (name: string, run: () => void) => {
    faults[name] = (faults[name] ?? 0) + 1;
    checks.noteFault(name);
    run();
  };
  const stopServer = (index: number) => {
    const { process } = servers[index]!;
    servers[index]!.handle = undefined;
    process.incarnation++;
    network.cut(({ server }) => server.process === process);
    simulator.schedule("restart", 200 + simulator.delay(2_000), () => start(index), null);
  };
  const kill = () => happen("kill", () => stopServer(simulator.int(servers.length)));
  const drain = () =>
    happen("drain", () => {
      const index = simulator.int(servers.length);
      const { process, handle } = servers[index]!;
      const { incarnation } = process;
      if (handle === undefined) return;
      currentProcess.run(process, () => {
        const drained = packages.slots[index]!.server.drain({ deadlineMs: simulator.delay(2_000) });
        drained.then(() => {
          if (process.incarnation === incarnation) stopServer(index);
        });
      });
    });
  const forAWhile = (name: string, usualMs: number, begin: () => void, end: () => void) =>
    happen(name, () => {
      begin();
      simulator.schedule(
        `end ${name}`,
        Math.min(simulator.delay(usualMs), busyMs - simulator.now),
        end,
        null,
      );
    });
  const set = (name: "isAway" | "isReadOnly" | "losesReplies", value: boolean) => () => {
    store.faults[name] = value;
  };
  const loseWrites = () => {
    const open = [...store.logs.keys()].filter((runId) => !store.cut.has(runId));
    if (kind !== "redis" || open.length === 0) return;
    const runId = simulator.pick(open);
    const { length } = store.logs.get(runId)!;
    happen("lost writes", () => void store.loseWrites(runId, Math.max(0, length - 1 - simulator.int(4))));
  };
  const kindsOfFault: (() => void)[] = [
    kill,
    kill,
    drain,
    () => forAWhile("store away", 4_000, set("isAway", true), set("isAway", false)),
    () => forAWhile("store read-only", 4_000, set("isReadOnly", true), set("isReadOnly", false)),
    () => forAWhile("lost replies", 3_000, set("losesReplies", true), set("losesReplies", false)),
    () =>
      forAWhile(
        "slow store",
        2_000,
        () => {
          store.faults.delayMs = 300;
        },
        () => {
          store.faults.delayMs = 1;
        },
      ),
    loseWrites,
    () => happen("cut", () => network.cut(() => simulator.chance(0.5))),
    () => happen("cut", () => network.cut(() => true)),
  ];
  if (!isCalm) {
    for (let left = 1 + simulator.int(5); left > 0; left--) {
      simulator.schedule("fault", simulator.random() * busyMs, simulator.pick(kindsOfFault), null);
    }
  }

  const clients: ModelClient[] = [];
  for (let left = 1 + simulator.int(3); left > 0; left--) {
    const plan: ClientPlan = { isCalm, busyMs, name: `c${left}` };
    const client = new ModelClient(simulator, packages.client, network, checks, plan);
    client.onOffline = () => happen("offline", () => {});
    clients.push(client);
    client.begin();
  }

  await simulator.run(busyMs + settleMs);
  checks.expectEnded();
  if (checks.problem === undefined) {
    await simulator.run(busyMs + settleMs + retentionMs + 60_000);
    checks.expectNothingLeft(network, servers);
  }
  return { problem: checks.problem, faults };
}
