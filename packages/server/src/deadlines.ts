/**
 * All deadlines of one stream on one timer, which is set again only when it fires: what happens in between costs
 * nothing. Knows nothing of streams.
 */

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

/** The longest delay that timers take; a longer one would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

export class DeadlineWatch {
  readonly #watched: Watched;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  /** Starts watching. */
  constructor(watched: Watched) {
    this.#watched = watched;
    this.#arm(performance.now());
  }

  /** Stops for good. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(now: number): void {
    const next = Math.min(...this.#watched.dueTimes(now));
    if (next === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, Math.min(Math.ceil(next - now), maxDelayMs));
    this.#timer = setTimeout(DeadlineWatch.#fire, delayMs, this);
  }

  static #fire(this: void, watch: DeadlineWatch): void {
    const now = performance.now();
    for (const [index, dueAt] of watch.#watched.dueTimes(now).entries()) {
      if (dueAt <= now && !watch.#isStopped) watch.#watched.onDue(index, now);
    }
    if (!watch.#isStopped) watch.#arm(performance.now());
  }
}
