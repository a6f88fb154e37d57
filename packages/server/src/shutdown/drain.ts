/**
 * Ends a process without cutting answers: for the handler of SIGTERM. Does not close servers or exit; that is the
 * program's.
 */
import { parseDelayMs } from "@kortyx/protocol/internal";
import { startTimer } from "../stream/start-timer.ts";
import { abortStreams, streamRegistry } from "./stream-registry.ts";

export interface DrainOptions {
  /**
   * How long streams may continue, in milliseconds; those that have not ended by then end with `abort` `shutdown`. 0 ends
   * all of them at once; `Infinity`, or more than 2,147,483,647 (25 days), waits for each.
   */
  deadlineMs: number;
}

/** After the deadline, clients may take this long to read the last bytes. */
const lastBytesMs = 1000;

/**
 * What became of the answers that ended while the process drained: streams, and runs that it wrote. Calls that overlap
 * report the same answer alike.
 */
export interface DrainCounts {
  /** Ended by themselves. */
  finished: number;
  /** Ended with `abort` `shutdown` at the deadline. */
  aborted: number;
}

/**
 * Lets open streams finish and refuses new ones, with status 503, `code` `draining` and `retry-after`. Clients that
 * follow a run which another process can serve, too (`canHandOff` of its store), are sent there at once. A run that is being
 * opened may still begin until the deadline. There is no way back: the process is about to end.
 *
 * Call it first, then close the server: behind an adapter that is not ours, the last bytes of a stream may still be on
 * their way when this resolves.
 *
 * @returns Resolves when no stream is open, every call of `onFinish` has returned, and, behind our own adapter for Node, the
 * last bytes are written: a second after the deadline at the latest. Until then it keeps the process alive, unless `deadlineMs` is forever.
 * @throws RangeError for a `deadlineMs` that is not a number of milliseconds; nothing is refused or ended then.
 *
 * @example
 * ```ts
 * process.once("SIGTERM", async () => {
 *   await drain({ deadlineMs: 20_000 });
 *   server.close(() => process.exit(0));
 *   setTimeout(() => server.closeAllConnections(), 1000); // for clients that do not read
 * });
 * ```
 */
export function drain({ deadlineMs }: DrainOptions): Promise<DrainCounts> {
  const deadline = parseDelayMs("deadlineMs", deadlineMs);
  const registry = streamRegistry();
  registry.isDraining = true;
  for (const follower of [...registry.followers]) follower.handOff?.();
  const finishedBefore = registry.finishedStreams;
  const abortedBefore = registry.abortedStreams.size;
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      registry.listeners.delete(check);
      resolve({
        finished: registry.finishedStreams - finishedBefore,
        aborted: registry.abortedStreams.size - abortedBefore,
      });
    };
    const check = () => {
      const { streams, openings, followers, responses, finishing } = registry;
      const unfinished = [streams, openings, followers, responses, finishing];
      if (unfinished.every(({ size }) => size === 0)) settle();
    };
    let timer = startTimer(() => {
      timer = startTimer(settle, lastBytesMs);
      abortStreams();
    }, deadline);
    registry.listeners.add(check);
    check();
  });
}
