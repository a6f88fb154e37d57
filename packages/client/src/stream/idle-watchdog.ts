/**
 * Decides when a silent connection is given up. Is told the time, and says how long to wait; starts no timer.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";

/** So much later than asked for may a timer fire on a busy machine; beyond it, the program was suspended. */
const lateMs = 2_000;

/** What nobody waits for. */
export const never = Number.POSITIVE_INFINITY;

/** Times are in milliseconds, and `Infinity` is {@link never}. */
export interface IdleWatchdog {
  /**
   * A read begins at `now`: silence counts from here.
   *
   * @returns in how long to {@link look}, in place of any earlier look; `Infinity` when the look that was asked for is
   * early enough, or none is needed.
   */
  start(now: number): number;
  /** The read has ended: while nobody reads, silence means nothing. */
  end(): void;
  /** What the server has told of how often it sends something: every `heartbeatMs`, or nothing on purpose (0). */
  expect(heartbeatMs: number | undefined): void;
  /** @returns in how long to look again, or 0: the connection is dead. */
  look(now: number): number;
  /** The silence that is borne now. */
  readonly limitMs: number;
}

/** More than a timer can wait, about 25 days, is forever, and so is 0. */
const limitOf = (ms: number): number => (ms > 0 && ms <= maxTimerMs ? ms : never);

/**
 * @param idleTimeoutMs - The silence that is borne until the server announces its heartbeats; from then on it is three
 * of their intervals and 2 seconds. 0 is forever, whatever the server announces.
 */
export function createIdleWatchdog(idleTimeoutMs: number): IdleWatchdog {
  let limitMs = limitOf(idleTimeoutMs);
  /** When the pending read began; never, while there is none. */
  let since = never;
  /** When the next look was asked for. */
  let due = never;
  /** The silence of the pending read was already excused once. */
  let isExcused = false;

  return {
    start(now) {
      since = now;
      isExcused = false;
      if (due <= now + limitMs) return never;
      due = now + limitMs;
      return limitMs;
    },
    end() {
      since = never;
    },
    expect(heartbeatMs) {
      if (heartbeatMs === undefined || idleTimeoutMs === 0) return;
      limitMs = limitOf(heartbeatMs && 3 * heartbeatMs + 2_000);
    },
    look(now) {
      // Whoever was asleep did not listen: what came meanwhile has yet to be read.
      if (now > due + lateMs && !isExcused) {
        isExcused = true;
        since = Math.max(since, now);
      }
      due = since + limitMs;
      return Math.max(0, due - now);
    },
    get limitMs() {
      return limitMs;
    },
  };
}
