/** The simulation with 20,000 seeds, and with faults in the source that it must find. */
import { expect, test } from "vitest";
import { playSimulation } from "../simulation/play-simulation.ts";

/** Several times as long as on a machine with nothing else to do. */
const timeout = 1_200_000;

test(
  "20,000 simulated worlds lose, repeat and change nothing, and hang nowhere",
  async () => {
    const { code, text } = await playSimulation(["--seeds", "20000"]);
    console.log(text.trim());
    expect(text).toContain("20000 seeds, ");
    expect(code).toBe(0);
  },
  timeout,
);

test(
  "each of 15 faults in the source is found within 20,000 worlds",
  async () => {
    const { code, text } = await playSimulation(["--mutations", "--seeds", "20000"]);
    console.log(text.trim());
    expect(text).toContain("15 of 15 mutations found");
    expect(code).toBe(0);
  },
  timeout,
);
