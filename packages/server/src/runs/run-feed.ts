/**
 * What the followers of one run in this process share: one reader of the store, and the frames that it has read. Does
 * not write to anybody.
 */
import { formatEventId } from "@kortyx/protocol";
import { encodeChunkJson } from "@kortyx/protocol/internal";
import type { RunPage, RunStore } from "../stores/run-store.ts";
import { outsideRequests } from "../stream/async-context.ts";
import { startTimer, unref } from "../stream/start-timer.ts";
import { never, storeRetryMs } from "../stream/stream-options.ts";

/** Entries of one read of the store. */
export const pageEntries = 512;
/** How long a run whose lease has expired is kept open, when the store cannot write that it has ended. */
const unwritableMs = 1000;

/** What a follower gets next. */
interface FeedPage {
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
   * `open`: more may come. `ended`: all frames have come. `lost`: the run is gone, or its log is not the one
   * that these frames are from. `failed`: the store has not answered for a lease, or cannot end a run whose lease has
   * expired.
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
  /** The feed of a run that its followers share; a new one, which begins after `after`, where it has none or has failed. */
  get(runId: string, after: number): RunFeed;
}

/** @param onLastLeft - Called when the last follower of a run that goes on has left, and was not told to come back. */
export function createRunFeeds(store: RunStore, onLastLeft?: (runId: string) => void): RunFeeds {
  const feeds = new Map<string, RunFeed>();
  return {
    get(runId, after) {
      const known = feeds.get(runId);
      // One that has failed or is lost stays so, for as long as a follower that does not read keeps it.
      if (known?.state === "open" || known?.state === "ended") return known;
      const feed = createRunFeed(store, runId, after, (isAbandoned) => {
        if (feeds.get(runId) === feed) feeds.delete(runId);
        if (isAbandoned) onLastLeft?.(runId);
      });
      feeds.set(runId, feed);
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
  /** Since when the store has failed, whichever reader has met it, and its newest error. */
  let failure: { since: number; error: unknown } | undefined;
  /** When the reader called the store; undefined while it is not waiting for an answer. */
  let askedAt: number | undefined;
  /** The run was seen open, so that its terminal comes after every frame. */
  let wasOpen = false;
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
    const now = performance.now();
    // An answer that never comes is a failure like any other.
    if (askedAt !== undefined) failure ??= { since: askedAt, error: new Error("Its answer is late.") };
    if (failure !== undefined && now - failure.since >= store.leaseMs) {
      giveUp(failure.error);
      return;
    }
    heardAt = now;
    outsideRequests(() => {
      waiting.abort();
      void readOn(++readers);
    });
  }

  async function readOn(reader: number): Promise<void> {
    const isReplaced = () => reader !== readers || isLeft;
    /** The lease has expired, and the store has not confirmed the end of the run. */
    let isExpired = false;
    while (!isReplaced()) {
      try {
        const after = from + frames.length;
        askedAt = performance.now();
        const page = await store.read(runId, after, pageEntries);
        if (isReplaced()) return;
        askedAt = undefined;
        heardAt = performance.now();
        if (page === undefined || isCut(page, after)) return change("lost");
        const { run, entries, leaseLeftMs } = page;
        wasOpen ||= run.terminal === undefined;
        isExpired = run.terminal === undefined && leaseLeftMs <= 0;
        // A store that can be read but not written still fails.
        if (entries.length > 0 || !isExpired) failure = undefined;
        for (const json of entries) frames.push(printFrame(runId, from + frames.length + 1, json));
        const isAtEnd = from + frames.length >= run.lastSeq;
        if (isAtEnd && run.terminal !== undefined) return change("ended");
        if (entries.length > 0) tell();
        if (!isAtEnd || isReplaced()) continue;
        if (!isExpired) await waitForMore(leaseLeftMs);
        else {
          // A run whose producer is dead has nobody else who could end it.
          askedAt = performance.now();
          const terminal = await store.endIfLeaseExpired(runId);
          if (isReplaced()) return;
          askedAt = undefined;
          failure = undefined;
          if (terminal === undefined) await waitForMore(storeRetryMs);
        }
      } catch (error) {
        if (isReplaced()) return;
        heardAt = performance.now();
        failure = { since: failure?.since ?? askedAt ?? heardAt, error };
        askedAt = undefined;
        if (heardAt - failure.since >= (isExpired ? unwritableMs : store.leaseMs)) return giveUp(error);
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
      }
    }
  }

  function giveUp(error: unknown): void {
    console.error(`The store of run ${runId} does not answer:`, error);
    readers++;
    change("failed");
  }

  /** Whether the log has lost entries after position `after`, or before it, or has a terminal in place of one. */
  function isCut({ run: { lastSeq, terminal }, entries }: RunPage, after: number): boolean {
    if (lastSeq > after) return entries.length === 0;
    return lastSeq < after || (terminal !== undefined && wasOpen);
  }

  /** Waits for another entry until the lease ends, or for a third of a lease, so that the reader is not taken for dead. */
  async function waitForMore(leaseLeftMs: number): Promise<void> {
    const wait = new AbortController();
    waiting = wait;
    // Not what keeps a process alive: a follower that is read does.
    const timer = unref(startTimer(() => wait.abort(), Math.min(leaseLeftMs, store.leaseMs / 3)));
    await store.wait(runId, from + frames.length, wait.signal);
    clearTimeout(timer);
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
      if (state !== "open") return never;
      return Math.min(heardAt + overdueMs, (failure?.since ?? heardAt) + store.leaseMs);
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
