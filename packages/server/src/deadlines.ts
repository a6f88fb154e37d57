/**
 * All deadlines of one stream on one timer, which is set again only when it fires: what happens in between costs
 * nothing. Knows nothing of streams.
 */

/** Something that is due at some time. Times are in milliseconds of `performance.now()`, which never jumps. */
export interface Deadline {
  /** When it is due, as things stand `now`; asked only when the timer fires. Must not be before the last answer. */
  dueAt(now: number): number;
  /** Called when it is due. May stop the timer. */
  run(now: number): void;
}

/** The longest delay that timers take; a longer one would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

/** Starts watching. @returns a function that stops it for good. */
export function watchDeadlines(deadlines: Deadline[]): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  function arm(now: number): void {
    const next = Math.min(...deadlines.map((deadline) => deadline.dueAt(now)));
    if (next === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(fire, Math.max(0, Math.min(Math.ceil(next - now), maxDelayMs)));
  }

  function fire(): void {
    const now = performance.now();
    for (const deadline of deadlines) {
      if (deadline.dueAt(now) <= now) deadline.run(now);
      if (isStopped) return;
    }
    arm(performance.now());
  }

  arm(performance.now());
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
