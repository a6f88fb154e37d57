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
import { StreamTimers } from "../stream/stream-timers.ts";
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
  const { runId, feed, store, hasIds, canHandOff, endsWithFollowers } = followed;
  const { signal } = options;
  const times = readStreamTimes(options);
  const { heartbeatMs } = times;
  let { after } = followed;
  let isClosed = false;
  let isOpened = false;
  /** Ends the wait of the loop. */
  let wake: () => void = () => {};
  /** Since when the store has failed to return what the feed does not have. */
  let failingSince: number | undefined;

  const leaveFeed = feed.join(wakeIfReady);
  // Where nobody else can go on with it, it carries the terminal that its producer writes when this process shuts down.
  const unregister = registerFollower({ handOff: canHandOff ? detach : undefined });
  const timers = new StreamTimers(
    {
      sourceIdleAt: () => feed.overdueAt,
      onDeadline(deadline) {
        if (deadline === "maxDuration") detach();
        else if (deadline === "sourceIdle") feed.takeOver();
        else if (deadline === "stall") leave();
        else write(encodeHeartbeat(heartbeatMs));
      },
    },
    times,
  );
  timers.start();
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();

  function release(as: LeftFollower): void {
    isClosed = true;
    timers.stop();
    unregister();
    signal?.removeEventListener("abort", leave);
    leaveFeed(as);
  }

  function leave(): void {
    if (isClosed) return;
    release("gone");
    sink.close("cut");
  }

  function write(text: string): void {
    timers.written(performance.now());
    const opening = endsWithFollowers && !isOpened ? stayComment : "";
    if (!isOpened) sink.onOpen?.(undefined);
    isOpened = true;
    sink.write(opening + text);
  }

  /** Gives the connection up; the run goes on. */
  function detach(): void {
    if (isClosed) return;
    if (hasIds) close(encodeRetry(Math.round(Math.random() * retrySpreadMs)), "detached");
    else close(encodeChunk(connectionEnded) + DONE_FRAME, "gone");
  }

  /** A sink may ask for more while it takes a piece: by then this is over. */
  function close(lastWords: string, as: LeftFollower): void {
    release(as);
    write(lastWords);
    sink.close("complete");
  }

  /**
   * Follows in a loop of its own, instead of being called by the feed: on Workers, what runs on the stack of another
   * request ends with that request.
   */
  async function follow(): Promise<void> {
    while (!isClosed) {
      if (!isReady()) await woken();
      else if (after < feed.from) await catchUp();
      else advance();
    }
  }

  /** The client takes a piece, and there is one. */
  const isReady = () => timers.isWanted && (feed.lastSeq > after || feed.state !== "open");

  function wakeIfReady(): void {
    if (isReady()) wake();
  }

  const woken = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });

  function advance(): void {
    const { text, count } = feed.page(after, maxPieceLength, hasIds ? "with-ids" : "without-ids");
    after += count;
    const isAtEnd = after >= feed.lastSeq;
    if (isAtEnd && feed.state !== "open") {
      // The client has more than the log holds.
      const isCut = after > feed.lastSeq;
      if (feed.state === "failed") detach();
      else if (feed.state === "lost" || isCut) close(text + lostAnswer, "detached");
      else close(text + DONE_FRAME, "detached");
    } else if (count > 0) writeEntries(text);
  }

  /** The first piece announces the heartbeat, so that the client also notices a connection that dies in mid-answer. */
  function writeEntries(text: string): void {
    write(isOpened || !hasIds ? text : encodeHeartbeat(heartbeatMs) + text);
  }

  /** Reads what the feed does not have. */
  async function catchUp(): Promise<void> {
    try {
      const page = await store.read(runId, after, Math.min(pageEntries, feed.from - after));
      if (isClosed) return;
      failingSince = undefined;
      if (page === undefined || page.entries.length === 0) return close(lostAnswer, "detached");
      const print = (json: string, index: number) =>
        hasIds ? printFrame(runId, after + 1 + index, json) : encodeChunkJson(json);
      const text = page.entries.map(print).join("");
      after += page.entries.length;
      writeEntries(text);
    } catch {
      const now = performance.now();
      failingSince ??= now;
      if (now - failingSince >= store.leaseMs) detach();
      else await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
    }
  }

  void follow();
  return {
    pull() {
      timers.wanted();
      wakeIfReady();
    },
    cancel() {
      if (!isClosed) release("gone");
    },
  };
}

const connectionEnded = {
  type: "error",
  message: "The connection ended before the answer did.",
  code: "connection-ended",
  retryable: true,
} as const;

const runLost = {
  type: "error",
  message: "The answer is not kept any more.",
  code: "run-lost",
  retryable: true,
} as const;

/** What a client gets whose run is gone, or has lost entries that the client has. */
export const lostAnswer: string = encodeChunk(runLost) + DONE_FRAME;
