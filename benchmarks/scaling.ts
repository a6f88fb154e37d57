/**
 * What a process and a Redis carry, for docs/scaling.md: `node benchmarks/scaling.ts` measures it in about a quarter of
 * an hour, keeps the values in scaling.json and writes the tables of the page. `--rounds 1` measures less; `--report`
 * measures nothing, and only writes the tables; `--check` fails if the page differs from the values. Needs a build and
 * redis-server.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeMachine } from "./report/run-record.ts";
import { fillPage, type Measured } from "./scaling/tables.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
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

async function measure(): Promise<void> {
  const { measureRedis } = await import("./scaling/redis.ts");
  const { measureServer } = await import("./scaling/server.ts");
  const measured: Measured = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    values: {},
  };
  for (let round = 1; round <= Number(options.rounds); round++) {
    console.log(`Round ${round} of ${options.rounds}`);
    add(measured.values, "redis", await measureRedis());
    add(measured.values, "server", await measureServer());
  }
  const lines = Object.entries(measured.values).map(
    ([path, found]) => `    ${JSON.stringify(path)}: ${JSON.stringify(found).replaceAll(",", ", ")}`,
  );
  const { date, machine } = measured;
  const head = Object.entries({ date, machine }).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`,
  );
  writeFileSync(recordFile, `{\n${head.join("")}  "values": {\n${lines.join(",\n")}\n  }\n}\n`);
}

if (!options.check && !options.report) await measure();
const before = readFileSync(pageFile, "utf8");
const after = fillPage(before, JSON.parse(readFileSync(recordFile, "utf8")));
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
