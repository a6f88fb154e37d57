/**
 * The chunks of a run, from the beginning of its log to its end, for a buffered answer. Such an answer cannot be
 * resumed, so it is given up only if the store stays unreachable. Prints nothing for the wire; `run-follower.ts` does.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { registerFollower } from "../shutdown/stream-registry.ts";
import { startTimer } from "../stream/start-timer.ts";
import { RunStoreError } from "./guard-run-store.ts";
import type { RunFeeds } from "./run-feed.ts";
import { runLost } from "./run-follower.ts";

/**
 * Yields each chunk as soon as it is in the log. Ends with the run, with an `error` `run-lost` if the log has lost
 * entries, or at once when `signal` is aborted.
 *
 * @throws RunStoreError if the store does not return the log within the length of a lease.
 */
export async function* readRun(
  runId: string,
  { feeds, signal }: { feeds: RunFeeds; signal: AbortSignal },
): AsyncGenerator<StreamChunk, void> {
  const feed = feeds.get(runId, -1);
  let wake = () => {};
  const leaveFeed = feed.join(() => wake());
  const unregister = registerFollower({ handOff: undefined });
  const leave = () => {
    signal.removeEventListener("abort", leave);
    unregister();
    leaveFeed("gone");
    wake();
  };
  signal.addEventListener("abort", leave);
  try {
    for (let after = -1; !signal.aborted; ) {
      const entries =
        after < feed.from ? await feed.readEarlier(after, () => !signal.aborted) : feed.entries(after);
      for (const json of entries) yield JSON.parse(json);
      after += entries.length;
      if (entries.length > 0) continue;
      if (feed.state === "lost" || after < feed.from) return yield runLost;
      if (feed.state === "ended") return;
      if (feed.state === "failed")
        throw new RunStoreError(new Error(`The run store stopped replying while run ${runId} was read.`));
      const timer = startTimer(() => wake(), feed.overdueAt - performance.now());
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      clearTimeout(timer);
      if (!signal.aborted && performance.now() >= feed.overdueAt) feed.takeOver();
    }
  } finally {
    leave();
  }
}
