/** `pnpm bench`: installs what the peers need, builds our packages, runs the plan, and writes the report. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runRounds } from "./harness/run-rounds.ts";
import { type Plan, plans } from "./plan.ts";
import { hasRedis } from "./workloads/redis-server.ts";

const usage = `pnpm bench [--quick | --full | --guard] [--only <part of a workload's name>] [--rounds <number>]
pnpm bench --profile "<workload>" <implementation>`;

const { values: options, positionals } = parseArgs({
  // A literal -- reaches the script.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  allowPositionals: true,
  options: {
    full: { type: "boolean" },
    quick: { type: "boolean" },
    guard: { type: "boolean" },
    only: { type: "string" },
    rounds: { type: "string" },
    profile: { type: "string" },
    help: { type: "boolean" },
  },
});

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function run(command: string, folder: string): void {
  const { status } = spawnSync(command, { cwd: here(folder), shell: true, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} failed.`);
}

async function main(): Promise<void> {
  if (options.help) return console.log(usage);
  const mode = options.guard ? "guard" : options.full ? "full" : options.quick ? "quick" : "default";
  if (mode !== "guard") run("pnpm install --frozen-lockfile --prefer-offline --silent", ".");
  run('pnpm exec turbo run build --filter="./packages/*" --output-logs=errors-only', "..");

  if (options.profile !== undefined) {
    const { profile } = await import("./harness/profile.ts");
    return console.log(await profile(options.profile, positionals[0] ?? "kortyx", 2000));
  }

  const plan: Plan = plans[mode];
  const rounds = Number(options.rounds ?? plan.rounds);
  const contests = plan.contests
    .filter(({ workload }) => workload.includes(options.only ?? ""))
    .filter(({ workload }) => workload !== "runs redis" || hasRedis());
  const startedAt = performance.now();
  const results = await runRounds(contests, rounds, plan.budgetMs, console.log);

  if (mode === "guard") {
    const { judge } = await import("./report/guard.ts");
    process.exitCode = judge(results, rounds) ? 0 : 1;
    return;
  }

  const { describeImplementations, describeMachine, writeRun } = await import("./report/run-record.ts");
  const names = contests.flatMap(({ implementations }) => implementations.map((name) => name.split("/")[0]!));
  const record = {
    mode,
    date: new Date().toISOString().slice(0, 10),
    rounds,
    minutes: Math.round((performance.now() - startedAt) / 6000) / 10,
    machine: `${describeMachine()}${hasRedis() ? "" : "; no redis-server, so that the rows of Redis are not measured"}`,
    implementations: await describeImplementations(names),
    results,
  };
  const { renderReport, renderSection } = await import("./report/markdown.ts");
  const { renderChart } = await import("./report/chart.ts");
  if (options.only !== undefined) {
    const { sections } = await import("./report/sections.ts");
    const measured = sections.filter(({ workload }) => results[workload] !== undefined);
    console.log(measured.map((section) => renderSection(section, record)).join("\n\n"));
    return;
  }
  // A quick look does not take the place of the committed report.
  const folder = mode === "quick" ? ".tmp/" : "";
  mkdirSync(here("./.tmp"), { recursive: true });
  writeFileSync(here(`./${folder}report.md`), renderReport(record));
  writeFileSync(here(`./${folder}chart.svg`), renderChart(record));
  writeRun(record, new URL(`./${folder}results.ndjson`, import.meta.url));
  console.log(`Wrote ${here(`./${folder}report.md`)}`);
}

await main();
