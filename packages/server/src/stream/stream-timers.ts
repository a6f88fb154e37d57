/**
 * The deadlines of one stream on one timer, which is rearmed only when it fires: events in between cost nothing. Tracks
 * since when the reader and the stream have been silent; the stream decides what a missed deadline means.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";
import { ref, type Timer, unref } from "./start-timer.ts";
import { heartbeatJitter, never, type StreamTimes } from "./stream-options.ts";

/** In the order in which they are checked: if several have passed, the first one that ends the stream wins. */
const deadlines = ["maxDuration", "sourceIdle", "stall", "heartbeat"] as const;

export type StreamDeadline = (typeof deadlines)[number];

/** A stream with deadlines. Times are in milliseconds of `performance.now()`, which never jumps. */
export interface TimedStream {
  /**
   * When its source will have been silent for too long; `Infinity` for never. Called only when the timer fires. Must
   * not be earlier than at the last call.
   */
  sourceIdleAt(now: number): number;
  /** A deadline has passed. May stop the timers. */
  onDeadline(deadline: StreamDeadline, now: number): void;
}

export class StreamTimers {
  readonly startedAt: number = performance.now();
  readonly #stream: TimedStream;
  readonly #times: StreamTimes;
  readonly #heartbeatDelayMs: number;
  /** When the reader last received something. */
  #writtenAt = this.startedAt;
  #isOpened = false;
  #isWanted = false;
  #isStopped = false;
  #timer: Timer | undefined;

  constructor(stream: TimedStream, times: StreamTimes) {
    this.#stream = stream;
    this.#times = times;
    this.#heartbeatDelayMs = times.heartbeatMs * (1 + heartbeatJitter * (2 * Math.random() - 1));
  }

  start(): void {
    this.#arm(this.startedAt);
  }

  /** The reader waits for the next piece. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** The reader waits for the next piece. */
  wanted(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    if (this.#isOpened) ref(this.#timer);
  }

  /** The reader received a piece at `now`. */
  written(now: number): void {
    const wasHeld = this.#isHeld;
    this.#isOpened = true;
    this.#isWanted = false;
    this.#writtenAt = now;
    if (wasHeld) unref(this.#timer);
  }

  /** Stops permanently. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Whether the next deadline keeps the process alive: a stream opens without a reader, and then waits only for its
   * reader.
   */
  get #isHeld(): boolean {
    return this.#isWanted || !this.#isOpened;
  }

  #dueAt(deadline: StreamDeadline, now: number): number {
    const { maxDurationMs, stallTimeoutMs, openingMs } = this.#times;
    switch (deadline) {
      case "maxDuration":
        return this.startedAt + maxDurationMs;
      case "sourceIdle":
        return this.#stream.sourceIdleAt(now);
      case "stall":
        return (this.#isWanted ? now : this.#writtenAt) + stallTimeoutMs;
      case "heartbeat":
        // The first comment opens the stream; the others keep it open. A reader that lags receives none.
        return (
          (this.#isWanted ? this.#writtenAt : now) + (this.#isOpened ? this.#heartbeatDelayMs : openingMs)
        );
    }
  }

  #arm(now: number): void {
    const next = Math.min(...deadlines.map((deadline) => this.#dueAt(deadline, now)));
    if (next === never) return;
    const delayMs = Math.max(0, Math.min(Math.ceil(next - now), maxTimerMs));
    this.#timer = setTimeout(StreamTimers.#fire, delayMs, this);
    if (!this.#isHeld) unref(this.#timer);
  }

  static #fire(this: void, timers: StreamTimers): void {
    const now = performance.now();
    for (const deadline of deadlines) {
      if (!timers.#isStopped && timers.#dueAt(deadline, now) <= now) {
        timers.#stream.onDeadline(deadline, now);
      }
    }
    if (!timers.#isStopped) timers.#arm(performance.now());
  }
}
