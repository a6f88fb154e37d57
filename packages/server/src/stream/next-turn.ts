/**
 * Waits for the next turn of the event loop: what a stream does from time to time when neither its source nor whoever
 * takes its pieces ever waits, because nothing else in the process would run any more.
 */
import { findUsable } from "./runtime-function.ts";

type SetImmediate = (callback: () => void) => unknown;

/**
 * Node, Bun and Deno have it; a timer, which may take milliseconds, does elsewhere. Taken at load time, so that a
 * test's fake clock does not hold streams back.
 */
const runtimeSetImmediate = findUsable(() => (globalThis as { setImmediate?: SetImmediate }).setImmediate);

/** Calls `callback` in the next turn. */
export const onNextTurn: SetImmediate = runtimeSetImmediate ?? ((callback) => setTimeout(callback));
