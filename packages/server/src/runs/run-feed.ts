/**
 * Shared by the followers of one run in this process: one reader of the store, and the frames that it has read, or
 * that this process has appended. Does not write to connections.
 */
import { formatEventId } from "@kortyx/protocol";
import { encodeChunkJson } from "@kortyx/protocol/internal";
import type { AppendResult, RunPage, RunStore } from "../stores/run-store.ts";
import { outsideRequests } from "../stream/async-context.ts";
import { startTimer, unref } from "../stream/start-timer.ts";
import { never, storeRetryMs } from "../stream/stream-options.ts";
import { RunStoreError } from "./guard-run-store.ts";

/** Entries of one read of the store. */
const pageEntries = 512;
/** How long to wait, after a run's lease has expired, for a store that cannot write its end. */
const unwritableMs = 1000;

/**
 * `open`: more may come. `ended`: all frames have come. `lost`: the run is gone, or its log is not the one that these
 * frames are from. `failed`: the store has not replied for the length of a lease, or cannot end a run whose lease has
 * expired.
 */
type FeedState = "open" | "ended" | "lost" | "failed";

/** `gone`: the client has left. `detached`: the client was sent away to reconnect. */
export type LeftFollower = "gone" | "detached";

/** What a follower receives next. */
interface FeedPage {
  /** Frames, ready for the wire. */
  text: string;
  /** The number of frames. */
  count: number;
}

interface FeedEvents {
  /** The last follower has left. */
  onEmpty(): void;
  /** It left a run that is still open, and was not sent away to reconnect. */
  onAbandoned(): void;
}

export class RunFeed {
  /** The feed has the frames after this position; a follower that needs earlier ones reads the store itself. */
  readonly from: number;
  readonly #store: RunStore;
  readonly #runId: string;
  readonly #events: FeedEvents;
  readonly #frames: string[] = [];
  readonly #listeners = new Set<() => void>();
  #state: FeedState = "open";
  /** The number of readers started so far. Only the latest one continues. */
  #readers = 0;
  /** When the latest reader last received a reply from the store. */
  #heardAt = 0;
  /** When it called the store; undefined if no reply is pending. */
  #calledAt: number | undefined;
  /** Since when the store has been failing, for any reader, and its latest error. */
  #failure: { since: number; error: unknown } | undefined;
  /** The run has been seen open, so its terminal comes after every frame. */
  #wasOpen = false;
  /** The lease has expired, and the store has not confirmed the end of the run. */
  #isExpired = false;
  /** Ends the reader's wait. One for each wait: a signal combined from several leaks in Node 22. */
  #waiting = new AbortController();
  /** An append of this process. Settles when its entries are in the feed, or have been refused. */
  #appended: Promise<unknown> | undefined;

  constructor(store: RunStore, runId: string, from: number, events: FeedEvents) {
    this.#store = store;
    this.#runId = runId;
    this.from = from;
    this.#events = events;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** The position of the last frame. */
  get lastSeq(): number {
    return this.from + this.#frames.length;
  }

  /**
   * When the reader of the store should have received a reply, in milliseconds of `performance.now()`; infinity if it
   * has nothing more to do. On Workers, a reader dies silently with the request that started it, even while waiting.
   */
  get overdueAt(): number {
    if (this.#state !== "open") return never;
    const { leaseMs } = this.#store;
    // Longer than a reader waits, so that a live one reports in time.
    const overdueMs = (leaseMs * 2) / 3;
    return Math.min(this.#heardAt + overdueMs, (this.#failure?.since ?? this.#heardAt) + leaseMs);
  }

  /** Frames after position `after`, as many as fit one piece, with their `id:` lines or without. */
  page(after: number, maxLength: number, ids: "with-ids" | "without-ids" = "with-ids"): FeedPage {
    const frames = this.#frames;
    let text = "";
    let count = 0;
    for (let index = after - this.from; index < frames.length && text.length < maxLength; index++) {
      text += ids === "with-ids" ? frames[index] : withoutId(frames[index]!);
      count++;
    }
    return { text, count };
  }

  /** All entries after position `after`, as JSON text. */
  entries(after: number): string[] {
    return this.#frames.slice(after - this.from).map(entryOf);
  }

  /**
   * Reads entries after position `after` that come before the feed, as JSON text: a page at most. Repeats a read that
   * fails while `isWanted()`.
   *
   * @returns none when the log has lost them, or when they are no longer wanted.
   * @throws RunStoreError when the store has failed for a lease.
   */
  async readEarlier(after: number, isWanted: () => boolean): Promise<readonly string[]> {
    const startedAt = performance.now();
    for (;;) {
      try {
        const page = await this.#store.read(this.#runId, after, Math.min(pageEntries, this.from - after));
        return page?.entries ?? [];
      } catch (error) {
        if (performance.now() - startedAt >= this.#store.leaseMs) throw new RunStoreError(error);
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
        if (!isWanted()) return [];
      }
    }
  }

  /**
   * Takes what this process appends as soon as the store has it, so that nothing reads it again. The feed reads for
   * itself what does not follow its last frame.
   */
  takeAppended(
    appending: Promise<AppendResult>,
    firstSeq: number,
    entries: readonly string[],
  ): Promise<AppendResult> {
    const taken = appending.then((result) => {
      this.#appended = undefined;
      if (result !== "ok" || firstSeq !== this.lastSeq + 1) return result;
      this.#wasOpen = true;
      this.#push(entries);
      this.#notify();
      return result;
    });
    this.#appended = taken.catch(() => {});
    return taken;
  }

  /** Calls back whenever there is more, or the state has changed. @returns a function that leaves the feed. */
  join(listener: () => void): (as: LeftFollower) => void {
    this.#listeners.add(listener);
    if (this.#readers === 0) this.takeOver();
    return (as) => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#readers++;
      outsideRequests(() => this.#waiting.abort());
      this.#events.onEmpty();
      if (this.#state === "open" && as === "gone") this.#events.onAbandoned();
    };
  }

  /**
   * Starts a reader, replacing an overdue one. To the runtime it belongs to the caller's request, but it serves all
   * followers, so it runs outside any request's async context.
   */
  takeOver(): void {
    const now = performance.now();
    // A reply that never comes counts as a failure.
    if (this.#calledAt !== undefined) {
      this.#failure ??= { since: this.#calledAt, error: new Error("The run store did not reply in time.") };
    }
    if (this.#failure !== undefined && now - this.#failure.since >= this.#store.leaseMs) {
      this.#giveUp(this.#failure.error);
      return;
    }
    this.#heardAt = now;
    this.#isExpired = false;
    outsideRequests(() => {
      this.#waiting.abort();
      void this.#read(++this.#readers);
    });
  }

  async #read(reader: number): Promise<void> {
    while (this.#isCurrent(reader)) {
      try {
        await this.#readPage(reader);
      } catch (error) {
        if (!this.#isCurrent(reader)) return;
        if (this.#hasFailedForGood(error)) return this.#giveUp(error);
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
      }
    }
  }

  /** The reader was not replaced, has followers, and has more to do. */
  #isCurrent(reader: number): boolean {
    return reader === this.#readers && this.#state === "open";
  }

  /** Reads once, and waits for more if that was all. */
  async #readPage(reader: number): Promise<void> {
    const after = this.lastSeq;
    this.#calledAt = performance.now();
    const page = await this.#store.read(this.#runId, after, pageEntries);
    if (!this.#isCurrent(reader)) return;
    this.#hear();
    // What this process has appended meanwhile is missing in the page.
    if (this.lastSeq > after) return;
    if (page === undefined || this.#isCut(page, after)) return this.#change("lost");
    this.#take(page);
    const isAtEnd = this.lastSeq >= page.run.lastSeq;
    if (isAtEnd && page.run.terminal !== undefined) return this.#change("ended");
    if (page.entries.length > 0) this.#notify();
    if (!isAtEnd || !this.#isCurrent(reader)) return;
    if (this.#isExpired) await this.#endExpired(reader);
    else await this.#waitForMore(page.leaseLeftMs);
  }

  #take({ run, entries, leaseLeftMs }: RunPage): void {
    this.#wasOpen ||= run.terminal === undefined;
    this.#isExpired = run.terminal === undefined && leaseLeftMs <= 0;
    // A store that can be read but not written is still failing.
    if (entries.length > 0 || !this.#isExpired) this.#failure = undefined;
    this.#push(entries);
  }

  #push(entries: readonly string[]): void {
    for (const json of entries) this.#frames.push(printFrame(this.#runId, this.lastSeq + 1, json));
  }

  /** Ends a run whose writer is dead: another process might not. */
  async #endExpired(reader: number): Promise<void> {
    this.#calledAt = performance.now();
    const terminal = await this.#store.endIfLeaseExpired(this.#runId);
    if (!this.#isCurrent(reader)) return;
    this.#hear();
    this.#failure = undefined;
    if (terminal === undefined) await this.#waitForMore(storeRetryMs);
  }

  /**
   * Waits for an entry that this process has not appended itself, until the lease ends, or for a third of a lease, so
   * that the reader is not taken for dead.
   */
  async #waitForMore(leaseLeftMs: number): Promise<void> {
    const wait = new AbortController();
    this.#waiting = wait;
    const over = new Promise((resolve) => wait.signal.addEventListener("abort", resolve));
    // Does not keep the process alive; a follower with a reader does.
    const timer = unref(startTimer(() => wait.abort(), Math.min(leaseLeftMs, this.#store.leaseMs / 3)));
    let after: number;
    do {
      after = this.lastSeq;
      await this.#store.wait(this.#runId, after, wait.signal);
      // A store may announce an entry before it replies to the append.
      if (this.#appended !== undefined) await Promise.race([this.#appended, over]);
    } while (this.lastSeq > after);
    clearTimeout(timer);
  }

  /** The store has replied. */
  #hear(): void {
    this.#calledAt = undefined;
    this.#heardAt = performance.now();
  }

  #hasFailedForGood(error: unknown): boolean {
    const since = this.#failure?.since ?? this.#calledAt;
    this.#hear();
    this.#failure = { since: since ?? this.#heardAt, error };
    return this.#heardAt - this.#failure.since >= (this.#isExpired ? unwritableMs : this.#store.leaseMs);
  }

  /** Whether the log has lost entries, after position `after` or before it, or has a terminal in place of one. */
  #isCut({ run: { lastSeq, terminal }, entries }: RunPage, after: number): boolean {
    if (lastSeq > after) return entries.length === 0;
    return lastSeq < after || (terminal !== undefined && this.#wasOpen);
  }

  #giveUp(error: unknown): void {
    console.error(
      `Run ${this.#runId} cannot be read, because the run store failed for a whole lease:`,
      error,
    );
    this.#change("failed");
  }

  #change(next: FeedState): void {
    this.#state = next;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

export interface RunFeeds {
  /** The feed shared by a run's followers; a new one, which begins after `after`, if there is none or it has failed. */
  get(runId: string, after: number): RunFeed;
  /** Appends to the log of a run in the store, and to its feed if it has one. */
  append: RunStore["append"];
}

/**
 * @param onLastLeft - Called when the last follower of an unfinished run has left, and was not sent away to reconnect.
 */
export function createRunFeeds(store: RunStore, onLastLeft?: (runId: string) => void): RunFeeds {
  const feeds = new Map<string, RunFeed>();
  return {
    get(runId, after) {
      const known = feeds.get(runId);
      // A failed or lost feed is not reused, even while a follower that does not read keeps it.
      if (known?.state === "open" || known?.state === "ended") return known;
      const feed = new RunFeed(store, runId, after, {
        onEmpty() {
          if (feeds.get(runId) === feed) feeds.delete(runId);
        },
        onAbandoned: () => onLastLeft?.(runId),
      });
      feeds.set(runId, feed);
      return feed;
    },
    append(runId, firstSeq, entries) {
      const appending = store.append(runId, firstSeq, entries);
      return feeds.get(runId)?.takeAppended(appending, firstSeq, entries) ?? appending;
    },
  };
}

/** The `id:` line is the first of its frame. */
const withoutId = (frame: string): string => frame.slice(frame.indexOf("\n") + 1);

/** The JSON text of a frame, which is its `data:` line. */
const entryOf = (frame: string): string => withoutId(frame).slice("data: ".length, -"\n\n".length);

/** An entry of a log as it travels. */
export const printFrame = (runId: string, seq: number, json: string): string =>
  encodeChunkJson(json, { id: formatEventId(runId, seq) });
