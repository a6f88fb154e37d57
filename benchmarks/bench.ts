/** `pnpm bench`: installs the peers' dependencies, builds our packages, runs the plan, and writes the report. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { profile } from "./harness/profile.ts";
import { type Contest, runRounds } from "./harness/run-rounds.ts";
import { type Plan, plans } from "./plan.ts";
import { renderChart } from "./report/chart.ts";
import { guard } from "./report/guard.ts";
import { renderReport, renderSection } from "./report/markdown.ts";
import { fillReadme } from "./report/readme-table.ts";
import {
  describeImplementations,
  describeMachine,
  type RunRecord,
  readRun,
  writeRun,
} from "./report/run-record.ts";
import { sections } from "./report/sections.ts";
import { hasRedis } from "./workloads/redis-server.ts";

const usage = `pnpm bench [--quick | --full | --guard] [--only <part of a workload's name>] [--rounds <number>]
pnpm bench --profile "<workload>" <implementation>
pnpm bench --report`;

const { values: options, positionals } = parseArgs({
  // pnpm passes a literal -- on to the script.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  allowPositionals: true,
  options: {
    full: { type: "boolean" },
    quick: { type: "boolean" },
    guard: { type: "boolean" },
    only: { type: "string" },
    rounds: { type: "string" },
    profile: { type: "string" },
    report: { type: "boolean" },
    help: { type: "boolean" },
  },
});

const here = (path: string): URL => new URL(path, import.meta.url);

function run(command: string, folder: string): void {
  const { status } = spawnSync(command, { cwd: fileURLToPath(here(folder)), shell: true, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} failed.`);
}

/** Writes all results of a run. A quick run does not replace the last full one. */
function writeReport(record: RunRecord): void {
  const folder = record.mode === "quick" ? "./.tmp/" : "./";
  mkdirSync(here(folder), { recursive: true });
  writeRun(record, here(`${folder}results.ndjson`));
  writeFileSync(here(`${folder}report.md`), renderReport(record));
  writeFileSync(here(`${folder}chart.svg`), renderChart(record));
  if (record.mode !== "quick") {
    writeFileSync(here("../README.md"), fillReadme(readFileSync(here("../README.md"), "utf8"), record));
  }
  console.log(`Wrote ${fileURLToPath(here(`${folder}report.md`))}`);
}

async function main(): Promise<void> {
  if (options.help) return console.log(usage);
  if (options.report) {
    const last = readRun(here("./results.ndjson"));
    if (last === undefined)
      throw new Error("benchmarks/results.ndjson does not exist. Run pnpm bench to create it.");
    return writeReport(last);
  }
  const mode = options.guard ? "guard" : options.full ? "full" : options.quick ? "quick" : "default";
  if (mode !== "guard") run("pnpm install --frozen-lockfile --prefer-offline --silent", ".");
  run('pnpm exec turbo run build --filter="./packages/*" --output-logs=errors-only', "..");
  if (options.profile !== undefined) {
    return console.log(await profile(options.profile, positionals[0] ?? "kortyx", 2000));
  }

  const plan: Plan = plans[mode];
  const rounds = Number(options.rounds ?? plan.rounds);
  const contests = plan.contests
    .filter(({ workload }) => workload.includes(options.only ?? ""))
    .filter(({ workload }) => workload !== "runs redis" || hasRedis());
  const measure = (some: Contest[], factor = 1) =>
    runRounds(some, rounds, plan.budgetMs * factor, console.log);
  if (mode === "guard") {
    process.exitCode = (await guard(contests, rounds, measure)) ? 0 : 1;
    return;
  }
  const startedAt = performance.now();
  const results = await measure(contests);

  const names = contests.flatMap(({ implementations }) => implementations.map((name) => name.split("/")[0]!));
  const record: RunRecord = {
    mode,
    date: new Date().toISOString().slice(0, 10),
    rounds,
    minutes: Math.round((performance.now() - startedAt) / 6000) / 10,
    machine: `${describeMachine()}${hasRedis() ? "" : "; without redis-server, so the rows of Redis are missing"}`,
    implementations: await describeImplementations(names),
    results,
  };
  if (options.only === undefined) return writeReport(record);
  const measured = sections.filter(({ workload }) => results[workload] !== undefined);
  console.log(measured.map((section) => renderSection(section, record)).join("\n\n"));
}

await main();
