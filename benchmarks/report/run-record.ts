/** The record of a run, kept in a file from which the report, the chart and the README's table are made. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { Results } from "../harness/run-rounds.ts";
import { median } from "../harness/statistics.ts";
import type { Implementation } from "../implementations/implementation.ts";
import { isPeer } from "../plan.ts";

export interface RunRecord {
  mode: string;
  date: string;
  rounds: number;
  minutes: number;
  machine: string;
  implementations: Record<
    string,
    Pick<Implementation, "title" | "form" | "isUnvalidated"> & { versions: string }
  >;
  results: Results;
}

/** One line for the run and one for each workload, so that diffs are readable. */
export function writeRun({ results, ...run }: RunRecord, file: URL): void {
  const lines = [run, ...Object.entries(results)].map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(file, lines.join(""));
}

/** @returns undefined if the file does not exist. */
export function readRun(file: URL): RunRecord | undefined {
  if (!existsSync(file)) return undefined;
  const [run, ...results] = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { ...run, results: Object.fromEntries(results) };
}

/** The hardware only, without a host name. */
export const describeMachine = (): string =>
  `${cpus().length} cores, ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
  `${process.platform}, Node ${process.version}`;

export async function describeImplementations(names: string[]): Promise<RunRecord["implementations"]> {
  const described: RunRecord["implementations"] = {};
  for (const name of new Set(names)) {
    const { packages, title, form, isUnvalidated } = (await import(`../implementations/${name}.ts`))
      .implementation as Implementation;
    const versions = packages.map((one) => `${one} ${versionOf(one)}`).join(", ");
    described[name] = { title, form, versions, ...(isUnvalidated && { isUnvalidated }) };
  }
  return described;
}

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : "?";
}

/** The measured values, one per round. */
export const valuesOf = (results: Results, workload: string, name: string, measure: string): number[] =>
  (results[workload]?.[name] ?? []).map((round) => round?.[measure] ?? Number.NaN).filter(Number.isFinite);

/** @returns the peer with the smallest median among those whose name ends with `way`. */
export function fastestPeer(
  results: Results,
  workload: string,
  measure: string,
  way = "",
): string | undefined {
  const middleOf = (name: string): number => median(valuesOf(results, workload, name, measure));
  return Object.keys(results[workload] ?? {})
    .filter((name) => isPeer(name) && name.endsWith(way) && Number.isFinite(middleOf(name)))
    .toSorted((a, b) => middleOf(a) - middleOf(b))[0];
}

/** The median of the ratios within the rounds. */
export function ratioTo(
  results: Results,
  workload: string,
  name: string,
  base: string,
  measure: string,
): number {
  const { [name]: own = [], [base]: others = [] } = results[workload] ?? {};
  const ratios = own.map(
    (round, index) => (round?.[measure] ?? Number.NaN) / (others[index]?.[measure] ?? Number.NaN),
  );
  return median(ratios.filter(Number.isFinite));
}
