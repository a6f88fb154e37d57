/**
 * Ends a process without cutting answers: for the handler of SIGTERM. Does not close servers or exit; that is the
 * program's.
 */
import { streamRegistry } from "./stream-registry.ts";

export interface DrainOptions {
  /** How long streams may go on, in milliseconds. Those that have not ended by then end with `abort` `shutdown`. */
  deadlineMs: number;
}

/** What became of the streams that were open. */
export interface DrainCounts {
  /** Ended by themselves. */
  finished: number;
  /** Ended with `abort` `shutdown` at the deadline. */
  aborted: number;
}

/**
 * Lets open streams finish and refuses new ones, with status 503, `code` `draining` and `retry-after`. There is no way
 * back: the process is about to end.
 *
 * Call it first, then close the server: the last bytes of a stream may still be on their way when this resolves.
 *
 * @returns Resolves when no stream is open, at the deadline at the latest.
 *
 * @example
 * ```ts
 * process.once("SIGTERM", async () => {
 *   await drain({ deadlineMs: 20_000 });
 *   server.close(() => process.exit(0));
 * });
 * ```
 */
export function drain({ deadlineMs }: DrainOptions): Promise<DrainCounts> {
  const registry = streamRegistry();
  registry.isDraining = true;
  const open = registry.streams.size;
  return new Promise((resolve) => {
    const settle = (aborted: number) => {
      clearTimeout(timer);
      registry.onEnd = undefined;
      resolve({ finished: open - aborted, aborted });
    };
    const timer = setTimeout(() => {
      const late = [...registry.streams];
      registry.onEnd = undefined;
      for (const stream of late) stream.shutdown();
      settle(late.length);
    }, deadlineMs);
    registry.onEnd = () => {
      if (registry.streams.size === 0) settle(0);
    };
    registry.onEnd();
  });
}
