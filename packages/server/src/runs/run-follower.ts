/**
 * One connection that follows a run: from a cursor to the end of the log, at the client's pace. The run is independent
 * of the connection.
 */
import { DONE_FRAME, encodeChunk, encodeRetry } from "@kortyx/protocol";
import { encodeChunkJson } from "@kortyx/protocol/internal";
import { registerFollower } from "../shutdown/stream-registry.ts";
import {
  encodeHeartbeat,
  readStreamTimes,
  type StreamOptions,
  stayComment,
} from "../stream/stream-options.ts";
import type { StreamPump, StreamSink } from "../stream/stream-pump.ts";
import { type StreamDeadline, StreamTimers, type TimedStream } from "../stream/stream-timers.ts";
import { type LeftFollower, printFrame, type RunFeed } from "./run-feed.ts";

/** A piece ends at this many characters. */
const maxPieceLength = 64 * 1024;
/** When many connections are given up together, their clients' reconnects are spread over this many milliseconds. */
const retrySpreadMs = 3000;

export interface FollowedRun {
  runId: string;
  /** The client has everything up to this position. */
  after: number;
  feed: RunFeed;
  /** Its events have `id:` lines. A reader without them cannot resume. */
  hasIds: boolean;
  /** Another process can continue it when this one shuts down. */
  canHandOff: boolean;
  /** The run is stopped when its last follower leaves. */
  endsWithFollowers: boolean;
}

/**
 * Starts following; the first piece is written at the first `pull()`. The connection ends with `[DONE]` when the log
 * does. When it is only given up (`maxDurationMs`, a shutdown, a store that does not answer), it ends with `retry:` and
 * without `[DONE]`, so that the client resumes; a reader without ids, which cannot, receives an `error` and `[DONE]`.
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
  /** Ends the loop's wait. */
  #wake: () => void = () => {};

  constructor(followed: FollowedRun, options: StreamOptions, sink: StreamSink) {
    const times = readStreamTimes(options);
    this.#followed = followed;
    this.#sink = sink;
    this.#signal = options.signal;
    this.#heartbeatMs = times.heartbeatMs;
    this.#timers = new StreamTimers(this, times);
    this.#after = followed.after;
    this.#leaveFeed = followed.feed.join(() => this.#wakeIfReady());
    // If only this process can serve the run, the connection stays for the terminal that the writer appends at
    // shutdown.
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
   * Follows in its own loop, instead of being called by the feed: on Workers, work on another request's stack ends with
   * that request.
   */
  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      if (!this.#isReady()) await this.#woken();
      else if (this.#after < this.#followed.feed.from) await this.#catchUp();
      else this.#advance();
    }
  }

  /** The client accepts a piece, and one is available. */
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

  /** Writes the entries of the feed, or how it ended. */
  #advance(): void {
    const { feed, hasIds } = this.#followed;
    const { text, count } = feed.page(this.#after, maxPieceLength, hasIds ? "with-ids" : "without-ids");
    this.#after += count;
    const isAtEnd = this.#after >= feed.lastSeq;
    if (isAtEnd && feed.state !== "open") this.#closeAfter(text);
    else if (count > 0) this.#writeEntries(text);
  }

  /** The feed has ended, and `text` is the last of it. */
  #closeAfter(text: string): void {
    const { state, lastSeq } = this.#followed.feed;
    // The client has more than the log holds.
    const isCut = this.#after > lastSeq;
    if (state === "failed") this.#detach();
    else if (state === "lost" || isCut) this.#close(text + lostAnswer, "detached");
    else this.#close(text + DONE_FRAME, "detached");
  }

  /** Reads entries that the feed lacks. */
  async #catchUp(): Promise<void> {
    let entries: readonly string[];
    try {
      entries = await this.#followed.feed.readEarlier(this.#after, () => !this.#isClosed);
    } catch {
      return this.#detach();
    }
    if (this.#isClosed) return;
    if (entries.length === 0) return this.#close(lostAnswer, "detached");
    this.#writeEntries(entries.map((json) => this.#print(++this.#after, json)).join(""));
  }

  #print(seq: number, json: string): string {
    return this.#followed.hasIds ? printFrame(this.#followed.runId, seq, json) : encodeChunkJson(json);
  }

  /** The first piece announces the heartbeat, so that the client also notices a connection that dies mid-answer. */
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

  /** Gives up the connection; the run continues. */
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

  /** A sink may pull while it takes a piece: by then, this state is already set. */
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
  message: "The connection closed before the answer was complete. Please try again.",
  code: "connection-ended",
  retryable: true,
} as const;

/** Sent to a client whose run is gone, or has lost entries that the client has. */
export const runLost = {
  type: "error",
  message: "This answer is no longer available. Please ask again.",
  code: "run-lost",
  retryable: true,
} as const;

/** The complete response for {@link runLost}. */
export const lostAnswer: string = encodeChunk(runLost) + DONE_FRAME;
