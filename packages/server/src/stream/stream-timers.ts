/**
 * All deadlines of one stream on one timer, which is set again only when it fires: what happens in between costs
 * nothing. Knows nothing of streams.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";
import { ref, type Timer, unref } from "./start-timer.ts";

/** Something with deadlines. Times are in milliseconds of `performance.now()`, which never jumps. */
export interface Watched {
  /**
   * When each of its deadlines is due, as things stand `now`; infinity for never. Asked only when the timer fires. None
   * may be before the last answer.
   */
  dueTimes(now: number): number[];
  /** The deadline at `index` is due. May stop the watch. */
  onDue(index: number, now: number): void;
}

export class DeadlineWatch {
  readonly #watched: Watched;
  #timer: Timer | undefined;
  #isStopped = false;
  /** The process stays alive for the next deadline. */
  #isHeld = true;

  /** Starts watching, and holds the process. */
  constructor(watched: Watched) {
    this.#watched = watched;
    this.#arm(performance.now());
  }

  /** Keeps the process alive for the next deadline: a reader waits for what happens then. */
  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    ref(this.#timer);
  }

  /** Lets the process end before the next deadline. */
  letGo(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    unref(this.#timer);
  }

  /** Stops for good. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(now: number): void {
    const next = Math.min(...this.#watched.dueTimes(now));
    if (next === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, Math.min(Math.ceil(next - now), maxTimerMs));
    this.#timer = setTimeout(DeadlineWatch.#fire, delayMs, this);
    if (!this.#isHeld) unref(this.#timer);
  }

  static #fire(this: void, watch: DeadlineWatch): void {
    const now = performance.now();
    for (const [index, dueAt] of watch.#watched.dueTimes(now).entries()) {
      if (dueAt <= now && !watch.#isStopped) watch.#watched.onDue(index, now);
    }
    if (!watch.#isStopped) watch.#arm(performance.now());
  }
}
