/**
 * The fresh process in which one implementation of one workload runs: `child.ts <workload> <implementation>
 * <budgetMs>`.
 */
import type { Job, Measures } from "./run-rounds.ts";

const [workload = "", name = "", budgetMs = "0"] = process.argv.slice(2);
const [kind, ...variant] = workload.split(" ");
const { measure } = (await import(`../workloads/${kind}.ts`)) as {
  measure(job: Job): Promise<Measures>;
};
const load = async () => (await import(`../implementations/${name.split("/")[0]}.ts`)).implementation;
const measures = await measure({ variant, name, budgetMs: Number(budgetMs), load });
process.send!(measures, () => process.exit());
