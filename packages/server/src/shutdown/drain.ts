/**
 * Ends a process without cutting off answers: for the SIGTERM handler. Does not close servers or exit; the program
 * does.
 */
import { parseDelayMs } from "@kortyx/protocol/internal";
import { startTimer } from "../stream/start-timer.ts";
import { abortStreams, streamRegistry } from "./stream-registry.ts";

/** Options of {@link drain}. */
export interface DrainOptions {
  /**
   * How long streams may continue, in milliseconds; those still open then end with `abort` `shutdown`. 0 ends all of
   * them at once; `Infinity`, or more than 2,147,483,647 (25 days), waits for all.
   */
  deadlineMs: number;
}

/** After the deadline, clients may take this long to read the last bytes. */
const lastBytesMs = 1000;

/**
 * Counts of the answers that ended while the process drained: streams, and runs that it wrote. Overlapping calls count
 * the same answers.
 */
export interface DrainCounts {
  /** Ended before the deadline: complete, failed, or left by their clients. */
  finished: number;
  /** Ended with `abort` `shutdown` at the deadline. */
  aborted: number;
}

/**
 * Lets open streams finish and refuses new ones with status 503, `code` `draining` and `retry-after`. Clients that
 * follow a run that another process can also serve (`canHandOff` of its store) are sent there at once. A run that is
 * being opened may still begin until the deadline. Draining cannot be undone: the process is about to end.
 *
 * Call it first, then close the server: with a third-party adapter, the last bytes of a stream may not have been sent
 * yet when this resolves.
 *
 * @returns A promise that resolves when no stream is open, every call of `onFinish` has returned and, with our own Node
 * adapter, the last bytes are written: a second after the deadline at the latest. Until then it keeps the process
 * alive, unless `deadlineMs` is infinite.
 * @throws RangeError if `deadlineMs` is not a number of milliseconds; the process then does not drain.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * const server = createServer(toNodeHandler(route.fetch));
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
