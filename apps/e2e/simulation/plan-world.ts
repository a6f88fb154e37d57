/** Draws a world from its seed, as plain data, so that it can be printed and made smaller. Simulates nothing. */
import { createSeededRandom } from "../seeded-random.ts";
import type { StoreKind } from "./model-store.ts";

/** What an agent does with one question. All times are in milliseconds. */
export interface AgentPlan {
  chunks: number;
  usualGapMs: number;
  /** Before this chunk it is silent for a while, as in a tool. */
  slowAt: number;
  slowMs: number;
  /** `nothing`: it returns without a terminal. */
  end: "done" | "nothing" | "error" | "abort" | "throw";
}

/** All times are since the beginning of the world. */
export interface QuestionPlan {
  key: string;
  askAt: number;
  agent: AgentPlan;
  /** Another tab opens the session. */
  tabAt?: number | undefined;
  /** The page is closed, … */
  leaveAt?: number | undefined;
  /** … and opened again. */
  reloadAt?: number | undefined;
  stopAt?: number | undefined;
  stopBy?: "key" | "run" | undefined;
}

export interface ClientPlan {
  name: string;
  questions: QuestionPlan[];
  /** While it is offline, connections are refused, or hang. */
  offline?: { at: number; forMs: number; as: "refused" | "hangs" } | undefined;
}

export type FaultPlan =
  | { name: "kill"; at: number; server: number; restartMs: number }
  | { name: "drain"; at: number; server: number; restartMs: number; deadlineMs: number }
  | { name: "suspend"; at: number; forMs: number; server: number }
  | { name: "cut"; at: number; share: number }
  | { name: "lost writes"; at: number; entries: number }
  | { name: StoreFaultName; at: number; forMs: number };

export type StoreFaultName = "away" | "read-only" | "lost replies" | "slow";

export interface WorldPlan {
  seed: number;
  store: StoreKind;
  canHandOff: boolean;
  /** Whether a command of the store fails when its reply is late; otherwise, it may never settle. */
  hasTimeout: boolean;
  leaseMs: number;
  servers: number;
  onActiveRun: "reject" | "stop" | "allow";
  /** A proxy sends the last piece of a connection again when the client resumes. */
  proxyRepeats: boolean;
  clients: ClientPlan[];
  faults: FaultPlan[];
}

/** Nothing is begun later, and nothing is wrong later. */
export const busyMs = 40_000;
/** How long a run is kept. */
export const retentionMs = 15 * 60_000;
/** The longest silence of an agent. */
const maxSilenceMs = 25_000;

export function planWorld(seed: number): WorldPlan {
  const draw = new Draw(seed);
  const store = draw.pick(["memory", "redis", "redis", "redis", "sqlite"] as const);
  const isShared = store !== "memory";
  const servers = isShared ? draw.pick([1, 2, 2, 3]) : 1;
  const isCalm = draw.chance(0.1);
  const clients = Array.from({ length: draw.pick([1, 1, 2, 2, 3]) }, (_, index) =>
    planClient(draw, `c${index}`, isCalm),
  );
  const questions = clients.flatMap((client) => client.questions);
  const faults = Array.from({ length: isCalm ? 0 : 1 + draw.int(4) }, () => {
    // Most of them while an answer is in progress.
    const at = draw.chance(0.3) ? draw.int(busyMs * 0.9) : draw.pick(questions).askAt + draw.delay(3_000);
    return planFault(draw, at, { isShared, servers });
  });
  return {
    seed,
    store,
    canHandOff: store === "redis" || (store === "sqlite" && servers > 1 && draw.chance(0.5)),
    hasTimeout: draw.chance(0.8),
    leaseMs: draw.chance(0.6) ? 15_000 : 2_500,
    servers,
    onActiveRun: draw.pick(["reject", "reject", "stop", "allow"]),
    proxyRepeats: draw.chance(0.1),
    clients,
    faults,
  };
}

function planClient(draw: Draw, name: string, isCalm: boolean): ClientPlan {
  const count = draw.pick([1, 1, 2]);
  const questions = Array.from({ length: count }, (_, index) => {
    const askAt = draw.int((busyMs * 0.6) / count) + (index * busyMs) / count;
    return planQuestion(draw, `${name}q${index}`, askAt);
  });
  if (isCalm || !draw.chance(0.25)) return { name, questions };
  const at = draw.int(busyMs * 0.7);
  const forMs = Math.min(draw.delay(10_000), busyMs * 1.25 - at);
  return { name, questions, offline: { at, forMs, as: draw.pick(["refused", "hangs"]) } };
}

function planQuestion(draw: Draw, key: string, askAt: number): QuestionPlan {
  const chunks = draw.int(draw.pick([4, 15, 40]));
  const isSlow = draw.chance(0.25);
  const agent: AgentPlan = {
    chunks,
    usualGapMs: draw.pick([5, 30, 200]),
    slowAt: isSlow ? draw.int(chunks + 1) : -1,
    slowMs: isSlow ? draw.int(maxSilenceMs) : 0,
    end: draw.pick(["done", "done", "done", "done", "nothing", "nothing", "error", "abort", "throw"]),
  };
  const plan: QuestionPlan = { key, askAt, agent };
  if (draw.chance(0.25)) plan.tabAt = askAt + draw.delay(3_000);
  if (draw.chance(0.25)) {
    plan.leaveAt = askAt + draw.delay(3_000);
    plan.reloadAt = plan.leaveAt + draw.delay(2_000);
  }
  if (draw.chance(0.25)) {
    // A stop may arrive before the question.
    plan.stopAt = draw.chance(0.2) ? Math.max(0, askAt - draw.int(10)) : askAt + draw.delay(3_000);
    plan.stopBy = draw.pick(["key", "key", "run"]);
  }
  return plan;
}

function planFault(
  draw: Draw,
  at: number,
  { isShared, servers }: { isShared: boolean; servers: number },
): FaultPlan {
  // A process with its own store takes the runs with it.
  const kind = draw.int(isShared ? 13 : 4);
  // Most are shorter than a lease, some are longer.
  const forMs = Math.min(draw.chance(0.7) ? draw.int(4_000) : draw.int(25_000), busyMs * 1.25 - at);
  if (kind < 2) return { name: "cut", at, share: draw.pick([0.5, 1]) };
  if (kind < 4) return { name: "suspend", at, forMs, server: draw.int(servers) };
  if (kind < 7) {
    const fault = { at, server: draw.int(servers), restartMs: 200 + draw.delay(2_000) };
    if (kind < 6) return { name: "kill", ...fault };
    return { name: "drain", ...fault, deadlineMs: draw.delay(2_000) };
  }
  if (kind === 7) return { name: "lost writes", at, entries: 1 + draw.int(5) };
  const name = draw.pick(["away", "read-only", "lost replies", "lost replies", "slow"] as const);
  return { name, at, forMs };
}

/** Random values of a plan. */
class Draw {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = createSeededRandom(seed);
  }

  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  pick<const Items extends readonly unknown[]>(items: Items): Items[number] {
    return items[this.int(items.length)];
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** Most are short, some are long: at most four times the usual delay. */
  delay(usualMs: number): number {
    return Math.floor(this.#random() ** 3 * 4 * usualMs);
  }
}
