import { replaceGlobals, setSimulator } from "./simulated-globals.ts";

replaceGlobals();
const { hookPackages, loadPackages } = await import("./load-packages.ts");
const { Simulator } = await import("./simulator.ts");
const { simulateWorld } = await import("./world.ts");
const { createSeededRandom } = await import("../seeded-random.ts");

hookPackages([]);
const packages = await loadPackages(3);
const [from, count, trace] = process.argv.slice(2).map(Number);
const start = process.hrtime.bigint();
let steps = 0;
console.error = () => {};
for (let seed = from!; seed < from! + count!; seed++) {
  const simulator = new Simulator(createSeededRandom(seed));
  setSimulator(simulator);
  if (trace)
    simulator.onStep = (event) => console.log(simulator.now.toFixed(1), event.process?.name, event.label);
  const { problem, faults } = await simulateWorld(simulator, packages);
  setSimulator(undefined);
  steps += simulator.steps;
  if (problem !== undefined) console.log(seed, simulator.hash >>> 0, problem, JSON.stringify(faults));
}
const ms = Number(process.hrtime.bigint() - start) / 1e6;
console.log(`${count} seeds, ${steps} steps, ${(ms / count!).toFixed(2)} ms per seed`);
process.exit();
