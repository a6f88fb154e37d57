/** The simulation of servers, stores, networks and clients: 2,000 seeds, and whether it can be trusted. */
import { expect, test } from "vitest";
import { playSimulation } from "../simulation/play-simulation.ts";

/** Several times as long as on a machine with nothing else to do. */
const timeout = 400_000;

const traceOf = (text: string): string | undefined => /trace ([\da-f]{8})/.exec(text)?.[1];

test(
  "2,000 simulated worlds lose, repeat and change nothing, and hang nowhere",
  async () => {
    const { code, text } = await playSimulation(["--seeds", "2000"]);
    console.log(text.trim());
    expect(text).toMatch(/^2000 seeds, \d{6,} steps, \d{4,} faults, 0 problems in [\d.]+ s, /m);
    expect(code).toBe(0);
  },
  timeout,
);

test(
  "the same seeds take the same steps in every process, with one thread or two",
  async () => {
    const options = ["--seeds", "120", "--from", "300"];
    const [one, two] = await Promise.all([
      playSimulation([...options, "--threads", "1"]),
      playSimulation([...options, "--threads", "2"]),
    ]);
    expect(traceOf(one.text)).toBe(traceOf(two.text));
    expect(traceOf(one.text)).toBeDefined();
  },
  timeout,
);

test(
  "a problem is reported with its seed, and one command repeats and shrinks its world",
  async () => {
    const mutation = ["--mutation", "terminal-before-last-batch"];
    const found = await playSimulation(["--seeds", "10", ...mutation]);
    const [, seed, trace] = /^seed (\d+) \(([\da-f]{8})\) at \d+ ms: /m.exec(found.text)!;
    expect(found.code).toBe(1);

    const { code, text } = await playSimulation(["--seed", seed!, "--trace", "--shrink", ...mutation]);
    expect(code).toBe(1);
    expect(traceOf(text)).toBe(trace);
    expect(text).toMatch(/^ +\d+\.\d {2}server 0 {2,}command append$/m);
    const world = JSON.parse(/^\{$.*^\}$/ms.exec(text)![0]);
    expect(world.faults).toEqual([]);
    expect(world.clients).toHaveLength(1);
    expect(world.clients[0].questions).toHaveLength(1);
    expect(text).toMatch(
      /^The smallest of \d+ worlds has trace [\da-f]{8}: at \d+ ms: \S+ has \d+ of \d+ texts/m,
    );
  },
  timeout,
);

test("an unknown mutation is an error that names the known ones", async () => {
  const { code, text } = await playSimulation(["--mutation", "none"]);
  expect(code).toBe(1);
  expect(text).toContain("There is no mutation none; there are silence-in-one-wait, ");
});
