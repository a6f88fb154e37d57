/**
 * What the followers of one run in this process share: one reader of the store, and the frames that it has read. Does
 * not write to anybody.
 */
import { encodeChunkJson, formatEventId } from "@kortyx/protocol";
import { outsideRequests } from "./async-context.ts";
import type { RunStore } from "./run-store.ts";
import { startTimer, unref } from "./start-timer.ts";

/** Entries of one read of the store. */
const pageEntries = 512;
/** A store that fails is asked again after so long, for as long as a lease. */
const storeRetryMs = 250;

/** What a follower gets next. */
export interface FeedPage {
  /** Frames, ready for the wire. */
  text: string;
  /** How many. */
  count: number;
}

export interface RunFeed {
  /** The position behind which this feed has frames; a follower that is further back reads on its own. */
  readonly from: number;
  /** Frames behind `after`, with their `id:` lines or without, as many as fit one piece. */
  page(after: number, maxLength: number, hasIds?: boolean): FeedPage;
  /**
   * `open`: more may come. `ended`: the frames that are there are all. `lost`: the run is gone. `failed`: the store has
   * not answered for a lease.
   */
  readonly state: "open" | "ended" | "lost" | "failed";
  /** The position of the last frame. */
  readonly lastSeq: number;
  /**
   * When the reader of the store should have been heard of, in milliseconds of `performance.now()`; Infinity when it has
   * nothing more to do. A Worker's reader dies with the request that began it, in the middle of a wait and silently.
   */
  readonly overdueAt: number;
  /** Begins the reading anew, in the request of the caller; called when it is overdue. */
  takeOver(): void;
  /** Calls back whenever there is more, or the state has changed. @returns a function that leaves the feed. */
  join(listener: () => void): (as: LeftFollower) => void;
}

/** `gone`: the client has left. `detached`: it was told to come back. */
export type LeftFollower = "gone" | "detached";

export interface RunFeeds {
  /** The feed of a run, which begins behind `after` unless it is there already. */
  get(runId: string, after: number): RunFeed;
}

/** @param onLastLeft - Called when the last follower of a run that goes on has left, and was not told to come back. */
export function createRunFeeds(store: RunStore, onLastLeft?: (runId: string) => void): RunFeeds {
  const feeds = new Map<string, RunFeed>();
  return {
    get(runId, after) {
      let feed = feeds.get(runId);
      if (feed === undefined) {
        feed = createRunFeed(store, runId, after, (isAbandoned) => {
          feeds.delete(runId);
          if (isAbandoned) onLastLeft?.(runId);
        });
        feeds.set(runId, feed);
      }
      return feed;
    },
  };
}

function createRunFeed(
  store: RunStore,
  runId: string,
  from: number,
  onEmpty: (isAbandoned: boolean) => void,
): RunFeed {
  const frames: string[] = [];
  const listeners = new Set<() => void>();
  let state: RunFeed["state"] = "open";
  /** Longer than a reader waits, so that one that is alive is heard of in time. */
  const overdueMs = (store.leaseMs * 2) / 3;
  /** How many readers have begun. Only the newest one reads on. */
  let readers = 0;
  /** When it was last heard of. */
  let heardAt = 0;
  /** Since when the store has failed, whichever reader has met it. */
  let failingSince: number | undefined;
  let isLeft = false;
  /** Ends the wait of the reader. One for each wait: a signal that is made of several leaks in Node 22. */
  let waiting = new AbortController();

  function tell(): void {
    for (const listener of [...listeners]) listener();
  }

  function change(next: RunFeed["state"]): void {
    state = next;
    tell();
  }

  /** Begins a reader, in place of an earlier one. It serves all followers, so it runs in no request's context. */
  function beginReading(): void {
    heardAt = performance.now();
    outsideRequests(() => {
      waiting.abort();
      void readOn(++readers);
    });
  }

  async function readOn(reader: number): Promise<void> {
    const isReplaced = () => reader !== readers || isLeft;
    while (!isReplaced()) {
      try {
        const lastSeq = from + frames.length;
        const page = await store.read(runId, lastSeq, pageEntries);
        if (isReplaced()) return;
        heardAt = performance.now();
        if (page === undefined) return change("lost");
        failingSince = undefined;
        for (const json of page.entries) frames.push(printFrame(runId, from + frames.length + 1, json));
        if (page.run.terminal !== undefined && from + frames.length >= page.run.lastSeq)
          return change("ended");
        if (page.entries.length > 0) tell();
        else if (await isSilent(lastSeq)) {
          // A run whose producer is dead has nobody else who could end it.
          if (!isReplaced()) await store.endIfLeaseExpired(runId);
        }
      } catch (error) {
        if (isReplaced()) return;
        const now = performance.now();
        heardAt = now;
        failingSince ??= now;
        if (now - failingSince > store.leaseMs) {
          console.error(`The store of run ${runId} does not answer:`, error);
          return change("failed");
        }
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
      }
    }
  }

  /** Waits for an entry behind `lastSeq`. @returns whether none has come for a third of a lease. */
  async function isSilent(lastSeq: number): Promise<boolean> {
    const wait = new AbortController();
    waiting = wait;
    let isLate = false;
    // Not what keeps a process alive: a follower that is read does.
    const timer = unref(
      startTimer(() => {
        isLate = true;
        wait.abort();
      }, store.leaseMs / 3),
    );
    await store.wait(runId, lastSeq, wait.signal);
    clearTimeout(timer);
    return isLate;
  }

  return {
    from,
    page(after, maxLength, hasIds = true) {
      let text = "";
      let count = 0;
      for (let index = after - from; index < frames.length && text.length < maxLength; index++) {
        text += hasIds ? frames[index] : withoutId(frames[index]!);
        count++;
      }
      return { text, count };
    },
    get state() {
      return state;
    },
    get lastSeq() {
      return from + frames.length;
    },
    get overdueAt() {
      return state === "open" ? heardAt + overdueMs : Number.POSITIVE_INFINITY;
    },
    takeOver: beginReading,
    join(listener) {
      listeners.add(listener);
      if (readers === 0) beginReading();
      return (as) => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        isLeft = true;
        outsideRequests(() => waiting.abort());
        onEmpty(state === "open" && as === "gone");
      };
    },
  };
}

/** The `id:` line is the first of its frame. */
const withoutId = (frame: string): string => frame.slice(frame.indexOf("\n") + 1);

/** An entry of a log as it travels. */
export const printFrame = (runId: string, seq: number, json: string): string =>
  encodeChunkJson(json, { id: formatEventId(runId, seq) });
