/**
 * Simulates worlds of servers, stores, networks and clients from seeds, and reports those in which something is wrong:
 *
 *     node apps/e2e/simulation/simulate.ts --seeds 2000
 *     node apps/e2e/simulation/simulate.ts --seed 4711 --trace --shrink
 *     node apps/e2e/simulation/simulate.ts --mutations
 */
import { parseArgs } from "node:util";
import { type Mutation, mutations } from "./mutations.ts";
import { planWorld, type WorldPlan } from "./plan-world.ts";
import { type SeedsResult, SeedThread, simulateSeeds } from "./simulate-seeds.ts";

const { values } = parseArgs({
  options: {
    /** How many seeds. */
    seeds: { type: "string", default: "2000" },
    /** The first one. */
    from: { type: "string", default: "0" },
    /** Only this one. */
    seed: { type: "string" },
    /** Print every step of it. */
    trace: { type: "boolean", default: false },
    /** Print a smaller world with the same problem. */
    shrink: { type: "boolean", default: false },
    /** With this fault in the source. */
    mutation: { type: "string" },
    /** Search for each of the faults that must be found. */
    mutations: { type: "boolean", default: false },
    threads: { type: "string" },
  },
});

const threads = values.threads === undefined ? undefined : Number(values.threads);
const from = Number(values.from);
const count = Number(values.seeds);

if (values.mutations) await searchMutations();
else if (values.seed !== undefined) await replay(Number(values.seed), findMutation(values.mutation));
else await simulate(findMutation(values.mutation));

function findMutation(name: string | undefined): Mutation | undefined {
  const mutation = mutations.find((one) => one.name === name);
  if (name === undefined || mutation !== undefined) return mutation;
  throw new Error(`There is no mutation ${name}; there are ${mutations.map((one) => one.name).join(", ")}.`);
}

async function simulate(mutation: Mutation | undefined): Promise<void> {
  const startedAt = performance.now();
  const result = await simulateSeeds({ from, count, mutation, threads });
  const { findings } = result;
  for (const { seed, problem, hash } of findings.slice(0, 20))
    console.log(`seed ${seed} (${hash}) ${problem}`);
  console.log(summarize(result, (performance.now() - startedAt) / 1000));
  if (findings.length === 0) return;
  console.log(
    `Replay one: node apps/e2e/simulation/simulate.ts --seed ${findings[0]!.seed} --trace --shrink`,
  );
  process.exitCode = 1;
}

function summarize({ seeds, steps, faults, cpuMs, findings, hash }: SeedsResult, seconds: number): string {
  const each = (cpuMs / seeds).toFixed(1);
  return (
    `${seeds} seeds, ${steps} steps, ${faults} faults, ${findings.length} problems in ${seconds.toFixed(1)} s, ` +
    `${each} ms of CPU per seed, trace ${hash}`
  );
}

async function replay(seed: number, mutation: Mutation | undefined): Promise<void> {
  const thread = new SeedThread(mutation);
  const plan = planWorld(seed);
  const { problem, hash, steps } = await thread.ask<"trace">({ kind: "trace", plan });
  if (values.trace) console.log(steps.join("\n"));
  console.log(`seed ${seed}, ${steps.length} steps, trace ${hash}: ${problem ?? "no problem"}`);
  if (problem !== undefined) process.exitCode = 1;
  if (values.shrink && problem !== undefined) await shrink(thread, plan);
  await thread.end();
}

async function shrink(thread: SeedThread, plan: WorldPlan): Promise<void> {
  const smaller = await thread.ask<"shrink">({ kind: "shrink", plan });
  console.log(JSON.stringify(smaller.plan, null, 2));
  console.log(`The smallest of ${smaller.tries} worlds has trace ${smaller.hash}: ${smaller.problem}`);
}

/** Each must be found: a simulation that finds nothing may be blind. */
async function searchMutations(): Promise<void> {
  let missed = 0;
  for (const mutation of mutations) {
    const { findings, seeds } = await simulateSeeds({ from, count, mutation, threads, stopAtFirst: true });
    const [first] = findings;
    if (first === undefined) missed++;
    const outcome = first === undefined ? "NOT FOUND" : `found by seed ${first.seed}: ${first.problem}`;
    console.log(`${mutation.name}: ${seeds} seeds, ${outcome}`);
  }
  console.log(`${mutations.length - missed} of ${mutations.length} mutations found`);
  if (missed > 0) process.exitCode = 1;
}
