/** The guard of the hot path, `pnpm bench --guard`: when it fails. The measurements are made up. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
// @boundaries-ignore The benchmarks have their own lockfile, and no tests.
import { plans } from "../../../benchmarks/plan.ts";
// @boundaries-ignore The same.
import { guard, guardedWorkloads } from "../../../benchmarks/report/guard.ts";

const sync = { workload: "encode text sync", implementations: ["limit", "kortyx"] };
const burst = { workload: "encode text burst16", implementations: ["limit", "kortyx"] };

let lines: string[];
beforeEach(() => {
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line) => lines.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/**
 * @param fractions - The fractions of the limit that `toSSE` reaches, by workload: one for each time it is measured.
 * `null`: the process ended without a result.
 */
async function runGuard(fractions: Record<string, (number | null)[]>) {
  const measured: [workloads: string[], factor: number][] = [];
  const passes = await guard([sync, burst], 1, async (contests, factor) => {
    measured.push([contests.map(({ workload }) => workload), factor]);
    return Object.fromEntries(
      contests.map(({ workload }) => {
        const fraction = fractions[workload]![measured.length - 1]!;
        return [
          workload,
          { limit: [{ ns: 100 }], kortyx: [fraction === null ? null : { ns: 100 / fraction }] },
        ];
      }),
    );
  });
  return { passes, measured };
}

test("a hot path that is fast enough is measured once", async () => {
  const { passes, measured } = await runGuard({ [sync.workload]: [0.9], [burst.workload]: [0.7] });
  expect(passes).toBe(true);
  expect(measured).toEqual([[[sync.workload, burst.workload], 1]]);
  expect(lines).toEqual([
    "ok `toSSE`, synchronous source: fraction of the limit: 0.90, at least 0.42",
    "ok `toSSE`, bursts of 16: fraction of the limit: 0.70, at least 0.30",
  ]);
});

test("what seems slow is measured again, alone and for longer", async () => {
  const { passes, measured } = await runGuard({ [sync.workload]: [0.4, 0.8], [burst.workload]: [0.7] });
  expect(passes).toBe(true);
  expect(measured.slice(1)).toEqual([[[sync.workload], 2]]);
  expect(lines[0]).toBe("SLOW `toSSE`, synchronous source: fraction of the limit: 0.40, at least 0.42");
});

test("what is slow three times fails", async () => {
  const { passes, measured } = await runGuard({ [sync.workload]: [0.4, 0.3, 0.4], [burst.workload]: [0.7] });
  expect(passes).toBe(false);
  expect(measured.map(([, factor]) => factor)).toEqual([1, 2, 4]);
});

test("what could not be measured fails", async () => {
  const { passes } = await runGuard({ [sync.workload]: [null, null, null], [burst.workload]: [0.7] });
  expect(passes).toBe(false);
  expect(lines.at(-1)).toContain("NOT MEASURED");
});

test("everything with a bound is measured", () => {
  expect(plans.guard.contests.map(({ workload }) => workload).sort()).toEqual([...guardedWorkloads].sort());
});
