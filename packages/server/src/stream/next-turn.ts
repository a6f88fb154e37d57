/**
 * Waits for the next turn of the event loop. A stream does so periodically, so that a source and a sink that never wait
 * do not starve the process.
 */
import { findUsable } from "./runtime-function.ts";
import { maxTurnMs } from "./stream-options.ts";

type SetImmediate = (callback: () => void) => unknown;

/**
 * Node, Bun and Deno have it; elsewhere it is a timer, which may take milliseconds. Captured at load time, so that a
 * test's fake clock does not hold up streams.
 */
const runtimeSetImmediate = findUsable(() => (globalThis as { setImmediate?: SetImmediate }).setImmediate);

/** Calls `callback` in the next turn. */
export const onNextTurn: SetImmediate = runtimeSetImmediate ?? ((callback) => setTimeout(callback));

/** A stream that continues in the next turn. */
export interface TurnWaiter {
  onTurn(): void;
}

/** When the event loop last had a turn because a stream asked for one. */
let turnedAt = Number.NEGATIVE_INFINITY;
let waiters: TurnWaiter[] = [];

/**
 * Whether the event loop should get a turn before a stream continues. One turn serves all streams of the process, because
 * thousands of them would otherwise ask for one each.
 *
 * @param now - On the clock of `performance.now()`. A clock that went back, as a test's may, makes a turn due.
 */
export const isTurnDue = (now: number): boolean => !(now >= turnedAt && now < turnedAt + maxTurnMs);

/** Calls `waiter.onTurn()` in the next turn. */
export function waitForTurn(waiter: TurnWaiter): void {
  if (waiters.push(waiter) === 1) onNextTurn(beginTurn);
}

function beginTurn(): void {
  turnedAt = performance.now();
  const resumed = waiters;
  waiters = [];
  for (const waiter of resumed) waiter.onTurn();
}
