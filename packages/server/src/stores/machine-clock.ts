/**
 * The time since the machine was booted: all its processes agree on it, and correcting the date does not change it. For
 * leases.
 */
import os from "node:os";

/** How far clocks of one machine may be apart: `os.uptime()` counts whole seconds on macOS, in Bun and in Deno. */
export const clockToleranceMs = 2_000;

export interface MachineTime {
  /** Milliseconds since the machine was booted. */
  nowMs: number;
  /** When the machine was last found to have slept, on the same clock; -Infinity for never. */
  resumedAtMs: number;
}

/** Between two ticks of `os.uptime()`, the finer clock of the process counts, which stands still in a suspended machine. */
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
