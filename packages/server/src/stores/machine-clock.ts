/**
 * The time since the machine was booted, for leases: all its processes agree on it, and setting the date does not
 * change it.
 */
import os from "node:os";

/**
 * How far the clocks of two processes on one machine may differ: `os.uptime()` counts whole seconds on macOS, in Bun
 * and in Deno.
 */
export const clockToleranceMs = 2_000;

export interface MachineTime {
  /** Milliseconds since the machine was booted. */
  nowMs: number;
  /** When the machine was last found to have slept, on the same clock; -Infinity if never. */
  resumedAtMs: number;
}

/** Between two ticks of `os.uptime()`, uses the process's finer clock, which stops while the machine is suspended. */
let offsetMs = os.uptime() * 1_000 - performance.now();
let resumedAtMs = Number.NEGATIVE_INFINITY;

export function readMachineTime(): MachineTime {
  const uptimeMs = os.uptime() * 1_000;
  const elapsedMs = performance.now();
  if (Math.abs(uptimeMs - elapsedMs - offsetMs) > clockToleranceMs) {
    offsetMs = uptimeMs - elapsedMs;
    resumedAtMs = uptimeMs;
  }
  return { nowMs: offsetMs + elapsedMs, resumedAtMs };
}
