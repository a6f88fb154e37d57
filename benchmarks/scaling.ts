/**
 * What a process and a Redis carry, for docs/scaling.md: `node benchmarks/scaling.ts` measures it in about a quarter of
 * an hour, keeps the values in scaling.json and writes the tables of the page. `--rounds 1` measures less, and
 * `--part redis` or `--part server` keeps the values of the other part; `--report` only writes the tables; `--check` fails
 * if the page differs from the values. Needs a build and redis-server.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeMachine } from "./report/run-record.ts";
import { fillPage, type Measured } from "./scaling/tables.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    part: { type: "string" },
    report: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});
const recordFile = new URL("scaling.json", import.meta.url);
const pageFile = new URL("../docs/scaling.md", import.meta.url);

/** Adds a round to the values of earlier ones. */
function add(values: Measured["values"], part: string, round: Record<string, Record<string, number>>): void {
  for (const [of, costs] of Object.entries(round)) {
    for (const [name, value] of Object.entries(costs)) {
      const path = `${part}.${of}.${name}`;
      values[path] = [...(values[path] ?? []), Number(value.toPrecision(4))];
    }
  }
}

const parts = {
  redis: async () => (await import("./scaling/redis.ts")).measureRedis(),
  server: async () => (await import("./scaling/server.ts")).measureServer(),
};

const readRecord = (): Measured => JSON.parse(readFileSync(recordFile, "utf8"));

async function measure(): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const measured: Measured = { date, machine: describeMachine(), values: {} };
  if (options.part !== undefined) {
    const kept = Object.entries(readRecord().values).filter(([path]) => !path.startsWith(`${options.part}.`));
    measured.values = Object.fromEntries(kept);
  }
  for (let round = 1; round <= Number(options.rounds); round++) {
    console.log(`Round ${round} of ${options.rounds}`);
    for (const [part, measurePart] of Object.entries(parts)) {
      if (part === (options.part ?? part)) add(measured.values, part, await measurePart());
    }
  }
  const lines = Object.entries(measured.values).map(
    ([path, found]) => `    ${JSON.stringify(path)}: ${JSON.stringify(found).replaceAll(",", ", ")}`,
  );
  const head = Object.entries({ date, machine: measured.machine }).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`,
  );
  writeFileSync(recordFile, `{\n${head.join("")}  "values": {\n${lines.join(",\n")}\n  }\n}\n`);
}

if (!options.check && !options.report) await measure();
const before = readFileSync(pageFile, "utf8");
const after = fillPage(before, readRecord());
if (!options.check) {
  writeFileSync(pageFile, after);
} else if (after !== before) {
  console.error(
    "docs/scaling.md does not match benchmarks/scaling.json. Run node benchmarks/scaling.ts --report to update it.",
  );
  process.exitCode = 1;
}
// The clients of the routes keep the process alive.
process.exit();
