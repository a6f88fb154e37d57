/** Makes the plan of a world that has a problem smaller, as long as it keeps the problem. Simulates nothing itself. */
import type { ClientPlan, QuestionPlan, WorldPlan } from "./plan-world.ts";

/** More attempts than these gain little. */
const maxTries = 400;
/** What is left out changes the order of everything after it. In one of these orders the problem may show again. */
const ordersToTry = 4;

interface Outcome {
  problem: string | undefined;
}

/**
 * @param simulate - Simulates a plan.
 * @returns the smallest plan found, and how many were tried; the given one if it has no problem.
 */
export async function shrinkPlan(
  plan: WorldPlan,
  simulate: (plan: WorldPlan) => Promise<Outcome>,
): Promise<{ plan: WorldPlan; tries: number }> {
  const wanted = kindOf((await simulate(plan)).problem);
  let smallest = plan;
  let tries = 1;
  if (wanted === undefined) return { plan, tries };
  for (let hasShrunk = true; hasShrunk; ) {
    hasShrunk = false;
    for (const candidate of inSeveralOrders(smallerPlans(smallest))) {
      if (++tries > maxTries) return { plan: smallest, tries };
      if (kindOf((await simulate(candidate)).problem) !== wanted) continue;
      smallest = candidate;
      hasShrunk = true;
      break;
    }
  }
  return { plan: smallest, tries };
}

/** A problem without its time, names, ids and numbers. */
function kindOf(problem: string | undefined): string | undefined {
  return problem
    ?.replace(/^at \d+ ms: /, "")
    .replace(/[\da-f]{8}-[\da-f-]{27}|c\d+q\d+(?:\/\d+)*|\d+|\{.*?\}/g, "…");
}

function* inSeveralOrders(plans: Iterable<WorldPlan>): Generator<WorldPlan> {
  for (const plan of plans) {
    for (let order = 0; order < ordersToTry; order++) yield { ...plan, seed: plan.seed + order };
  }
}

/** Plans with one thing less, the largest steps first. */
function* smallerPlans(plan: WorldPlan): Generator<WorldPlan> {
  const { clients, faults, servers } = plan;
  for (const index of clients.keys()) {
    if (clients.length > 1) yield { ...plan, clients: without(clients, index) };
  }
  for (const index of faults.keys()) yield { ...plan, faults: without(faults, index) };
  for (const [index, client] of clients.entries()) {
    for (const smaller of smallerClients(client)) yield { ...plan, clients: clients.with(index, smaller) };
  }
  if (!plan.hasTimeout) yield { ...plan, hasTimeout: true };
  if (plan.proxyRepeats) yield { ...plan, proxyRepeats: false };
  if (plan.onActiveRun !== "reject") yield { ...plan, onActiveRun: "reject" };
  if (servers > 1) {
    yield {
      ...plan,
      servers: servers - 1,
      faults: faults.map((fault) =>
        "server" in fault ? { ...fault, server: fault.server % (servers - 1) } : fault,
      ),
    };
  }
}

function* smallerClients(client: ClientPlan): Generator<ClientPlan> {
  const { questions, offline } = client;
  if (offline !== undefined) yield { ...client, offline: undefined };
  for (const [index, question] of questions.entries()) {
    if (questions.length > 1) yield { ...client, questions: without(questions, index) };
    for (const smaller of smallerQuestions(question)) {
      yield { ...client, questions: questions.with(index, smaller) };
    }
  }
}

function* smallerQuestions(question: QuestionPlan): Generator<QuestionPlan> {
  const { agent, tabAt, leaveAt, stopAt } = question;
  if (tabAt !== undefined) yield { ...question, tabAt: undefined };
  if (leaveAt !== undefined) yield { ...question, leaveAt: undefined, reloadAt: undefined };
  if (stopAt !== undefined) yield { ...question, stopAt: undefined, stopBy: undefined };
  if (agent.slowAt >= 0) yield { ...question, agent: { ...agent, slowAt: -1, slowMs: 0 } };
  if (agent.end !== "done") yield { ...question, agent: { ...agent, end: "done" } };
  if (agent.chunks > 1) yield { ...question, agent: { ...agent, chunks: Math.floor(agent.chunks / 2) } };
}

const without = <Item>(items: readonly Item[], index: number): Item[] =>
  items.filter((_, at) => at !== index);
