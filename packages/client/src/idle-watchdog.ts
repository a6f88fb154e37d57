/**
 * Decides when a silent connection is given up. Is told the time, and says how long to wait; starts no timer.
 */

/** The most that a timer can wait (HTML Standard, section 8.6: a signed 32 bit integer). */
const maxTimerMs = 2 ** 31 - 1;

/** So much later than asked for may a timer fire on a busy machine; beyond it, the program was suspended. */
const lateMs = 2_000;

export interface IdleWatchdog {
  /**
   * A read begins at `now`: silence counts from here.
   *
   * @returns in how many milliseconds to {@link look}, in place of any earlier look; `undefined` when the look that was
   * asked for is early enough, or none is needed.
   */
  readStarted(now: number): number | undefined;
  /** The read has ended: while nobody reads, silence means nothing. */
  readEnded(): void;
  /** The server has told how often it sends something: every `heartbeatMs`, or nothing on purpose (0). */
  announced(heartbeatMs: number): void;
  /** @returns in how many milliseconds to look again, `undefined` for not at all, or 0: the connection is dead. */
  look(now: number): number | undefined;
  /** The silence that is borne now, in milliseconds; 0 is forever. */
  readonly limitMs: number;
}

/**
 * @param idleTimeoutMs - The silence that is borne until the server announces its heartbeats; from then on it is three
 * of their intervals and 2 seconds. 0 is forever, whatever the server announces.
 */
export function createIdleWatchdog(idleTimeoutMs: number): IdleWatchdog {
  let limitMs = Math.min(idleTimeoutMs, maxTimerMs);
  /** When the pending read began. */
  let since: number | undefined;
  /** When the next look was asked for. */
  let due: number | undefined;
  /** The silence since the last read was already excused once. */
  let isExcused = false;

  return {
    readStarted(now) {
      since = now;
      isExcused = false;
      if (limitMs === 0 || (due !== undefined && due <= now + limitMs)) return undefined;
      due = now + limitMs;
      return limitMs;
    },
    readEnded() {
      since = undefined;
    },
    announced(heartbeatMs) {
      if (idleTimeoutMs === 0) return;
      limitMs = heartbeatMs === 0 ? 0 : Math.min(3 * heartbeatMs + 2_000, maxTimerMs);
    },
    look(now) {
      const isLate = due !== undefined && now > due + lateMs;
      due = undefined;
      if (since === undefined || limitMs === 0) return undefined;
      // Whoever was asleep did not listen: what came meanwhile has yet to be read.
      if (isLate && !isExcused) {
        isExcused = true;
        since = now;
      }
      const leftMs = since + limitMs - now;
      if (leftMs <= 0) return 0;
      due = now + leftMs;
      return leftMs;
    },
    get limitMs() {
      return limitMs;
    },
  };
}
