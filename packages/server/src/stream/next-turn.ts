/**
 * Waits for the next turn of the event loop. A stream does so periodically, so that a source and a sink that never wait
 * do not starve the process.
 */
import { findUsable } from "./runtime-function.ts";

type SetImmediate = (callback: () => void) => unknown;

/**
 * Node, Bun and Deno have it; elsewhere it is a timer, which may take milliseconds. Captured at load time, so that a
 * test's fake clock does not hold up streams.
 */
const runtimeSetImmediate = findUsable(() => (globalThis as { setImmediate?: SetImmediate }).setImmediate);

/** Calls `callback` in the next turn. */
export const onNextTurn: SetImmediate = runtimeSetImmediate ?? ((callback) => setTimeout(callback));
