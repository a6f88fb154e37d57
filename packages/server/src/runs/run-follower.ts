/**
 * One connection that follows a run: from a cursor to the end of the log, at the client's pace. Nothing that happens to
 * the connection happens to the run.
 */
import { DONE_FRAME, encodeChunk, encodeRetry } from "@kortyx/protocol";
import { encodeChunkJson } from "@kortyx/protocol/internal";
import { registerFollower } from "../shutdown/stream-registry.ts";
import type { RunStore } from "../stores/run-store.ts";
import {
  encodeHeartbeat,
  readStreamTimes,
  type StreamOptions,
  stayComment,
  storeRetryMs,
} from "../stream/stream-options.ts";
import type { StreamPump, StreamSink } from "../stream/stream-pump.ts";
import { type StreamDeadline, StreamTimers, type TimedStream } from "../stream/stream-timers.ts";
import { type LeftFollower, pageEntries, printFrame, type RunFeed } from "./run-feed.ts";

/** A piece is closed at this many characters. */
const maxPieceLength = 64 * 1024;
/** When many connections are given up together, their clients come back spread over so many milliseconds. */
const retrySpreadMs = 3000;

export interface FollowedRun {
  runId: string;
  /** The client has everything up to this position. */
  after: number;
  feed: RunFeed;
  store: RunStore;
  /** Its events have `id:` lines. A reader without them cannot come back. */
  hasIds: boolean;
  /** Another process can go on with it when this one shuts down. */
  canHandOff: boolean;
  /** The run is stopped when its last follower leaves. */
  endsWithFollowers: boolean;
}

/**
 * Starts following; the first piece is written at the first `pull()`. The connection ends with `[DONE]` when the log
 * does. When it is only given up (`maxDurationMs`, a shutdown, a store that does not answer), it ends with `retry:` and
 * without `[DONE]`, so that the client resumes; a reader without ids, which cannot, gets an `error` and `[DONE]`.
 */
export function createRunFollower(
  followed: FollowedRun,
  options: StreamOptions,
  sink: StreamSink,
): StreamPump {
  const follower = new RunFollower(followed, options, sink);
  follower.start();
  return follower;
}

class RunFollower implements StreamPump, TimedStream {
  readonly #followed: FollowedRun;
  readonly #sink: StreamSink;
  readonly #signal: AbortSignal | undefined;
  readonly #heartbeatMs: number;
  readonly #timers: StreamTimers;
  readonly #leaveFeed: (as: LeftFollower) => void;
  readonly #unregister: () => void;
  /** The client has everything up to this position. */
  #after: number;
  /** The first piece was written. */
  #isOpened = false;
  #isClosed = false;
  /** Ends the wait of the loop. */
  #wake: () => void = () => {};
  /** Since when the store has failed to return what the feed does not have. */
  #failingSince: number | undefined;

  constructor(followed: FollowedRun, options: StreamOptions, sink: StreamSink) {
    const times = readStreamTimes(options);
    this.#followed = followed;
    this.#sink = sink;
    this.#signal = options.signal;
    this.#heartbeatMs = times.heartbeatMs;
    this.#timers = new StreamTimers(this, times);
    this.#after = followed.after;
    this.#leaveFeed = followed.feed.join(() => this.#wakeIfReady());
    // Where only this process can serve the run, it carries the terminal that the writer appends when that shuts down.
    this.#unregister = registerFollower({ handOff: followed.canHandOff ? () => this.#detach() : undefined });
  }

  start(): void {
    this.#timers.start();
    this.#signal?.addEventListener("abort", this.#leave);
    if (this.#signal?.aborted) this.#leave();
    void this.#follow();
  }

  pull(): void {
    this.#timers.wanted();
    this.#wakeIfReady();
  }

  cancel(): void {
    if (!this.#isClosed) this.#release("gone");
  }

  sourceIdleAt(): number {
    return this.#followed.feed.overdueAt;
  }

  onDeadline(deadline: StreamDeadline): void {
    if (deadline === "maxDuration") this.#detach();
    else if (deadline === "sourceIdle") this.#followed.feed.takeOver();
    else if (deadline === "stall") this.#leave();
    else this.#write(encodeHeartbeat(this.#heartbeatMs));
  }

  /**
   * Follows in a loop of its own, instead of being called by the feed: on Workers, what runs on the stack of another
   * request ends with that request.
   */
  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      if (!this.#isReady()) await this.#woken();
      else if (this.#after < this.#followed.feed.from) await this.#catchUp();
      else this.#advance();
    }
  }

  /** The client takes a piece, and there is one. */
  #isReady(): boolean {
    const { feed } = this.#followed;
    return this.#timers.isWanted && (feed.lastSeq > this.#after || feed.state !== "open");
  }

  #wakeIfReady(): void {
    if (this.#isReady()) this.#wake();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Writes what the feed has, or how it has ended. */
  #advance(): void {
    const { feed, hasIds } = this.#followed;
    const { text, count } = feed.page(this.#after, maxPieceLength, hasIds ? "with-ids" : "without-ids");
    this.#after += count;
    const isAtEnd = this.#after >= feed.lastSeq;
    if (isAtEnd && feed.state !== "open") this.#closeAfter(text);
    else if (count > 0) this.#writeEntries(text);
  }

  /** The feed has ended, and `text` is all that it still had. */
  #closeAfter(text: string): void {
    const { state, lastSeq } = this.#followed.feed;
    // The client has more than the log holds.
    const isCut = this.#after > lastSeq;
    if (state === "failed") this.#detach();
    else if (state === "lost" || isCut) this.#close(text + lostAnswer, "detached");
    else this.#close(text + DONE_FRAME, "detached");
  }

  /** Reads what the feed does not have. */
  async #catchUp(): Promise<void> {
    const { store, runId, feed } = this.#followed;
    const limit = Math.min(pageEntries, feed.from - this.#after);
    let entries: readonly string[] | undefined;
    try {
      entries = (await store.read(runId, this.#after, limit))?.entries;
    } catch {
      return this.#waitForStore();
    }
    if (this.#isClosed) return;
    this.#failingSince = undefined;
    if (entries === undefined || entries.length === 0) return this.#close(lostAnswer, "detached");
    this.#writeEntries(entries.map((json) => this.#print(++this.#after, json)).join(""));
  }

  #print(seq: number, json: string): string {
    return this.#followed.hasIds ? printFrame(this.#followed.runId, seq, json) : encodeChunkJson(json);
  }

  /** The store has failed: the connection is given up when it has for a lease. */
  async #waitForStore(): Promise<void> {
    const now = performance.now();
    this.#failingSince ??= now;
    if (now - this.#failingSince >= this.#followed.store.leaseMs) this.#detach();
    else await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
  }

  /** The first piece announces the heartbeat, so that the client also notices a connection that dies in mid-answer. */
  #writeEntries(text: string): void {
    const isAnnounced = this.#isOpened || !this.#followed.hasIds;
    this.#write(isAnnounced ? text : encodeHeartbeat(this.#heartbeatMs) + text);
  }

  #write(text: string): void {
    this.#timers.written(performance.now());
    const opening = this.#followed.endsWithFollowers && !this.#isOpened ? stayComment : "";
    if (!this.#isOpened) this.#sink.onOpen?.(undefined);
    this.#isOpened = true;
    this.#sink.write(opening + text);
  }

  /** Gives the connection up; the run goes on. */
  #detach(): void {
    if (this.#isClosed) return;
    const retryMs = Math.round(Math.random() * retrySpreadMs);
    if (this.#followed.hasIds) this.#close(encodeRetry(retryMs), "detached");
    else this.#close(encodeChunk(connectionEnded) + DONE_FRAME, "gone");
  }

  /** The client has left, or does not read. */
  readonly #leave = (): void => {
    if (this.#isClosed) return;
    this.#release("gone");
    this.#sink.close("cut");
  };

  /** A sink may ask for more while it takes a piece: by then this is over. */
  #close(lastWords: string, as: LeftFollower): void {
    this.#release(as);
    this.#write(lastWords);
    this.#sink.close("complete");
  }

  #release(as: LeftFollower): void {
    this.#isClosed = true;
    this.#timers.stop();
    this.#unregister();
    this.#signal?.removeEventListener("abort", this.#leave);
    this.#leaveFeed(as);
  }
}

const connectionEnded = {
  type: "error",
  message: "The connection ended before the answer did.",
  code: "connection-ended",
  retryable: true,
} as const;

/** What a client gets whose run is gone, or has lost entries that the client has. */
export const runLost = {
  type: "error",
  message: "The answer is not kept any more.",
  code: "run-lost",
  retryable: true,
} as const;

/** The whole answer of {@link runLost}. */
export const lostAnswer: string = encodeChunk(runLost) + DONE_FRAME;
