/** The time of one job by function: runs the job under V8's CPU profiler and sums its samples. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runRounds } from "./run-rounds.ts";

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

/** @returns a table of the functions with the most time, excluding their callees. */
export async function profile(workload: string, implementation: string, budgetMs: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-profile-"));
  try {
    const contest = { workload, implementations: [implementation] };
    await runRounds([contest], 1, budgetMs, console.log, ["--cpu-prof", `--cpu-prof-dir=${folder}`]);
    const profiles = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
    // The largest is the measured process; the others are its clients.
    const largest = profiles.toSorted((a, b) => b.length - a.length)[0]!;
    return summarize(JSON.parse(largest) as CpuProfile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function summarize({ nodes, samples, timeDeltas }: CpuProfile): string {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place =
        url === ""
          ? ""
          : ` ${url.replace(/^.*\/(?=(packages|benchmarks|node_modules)\/)/, "")}:${lineNumber + 1}`;
      return [id, `${functionName || "(anonymous)"}${place}`];
    }),
  );
  const own = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const name = names.get(id)!;
    if (name === "(idle)" || name === "(program)") return;
    total += timeDeltas[index]!;
    own.set(name, (own.get(name) ?? 0) + timeDeltas[index]!);
  });
  const rows = [...own].toSorted(([, a], [, b]) => b - a).slice(0, 25);
  return rows.map(([name, us]) => `${((100 * us) / total).toFixed(1).padStart(5)} %  ${name}`).join("\n");
}
