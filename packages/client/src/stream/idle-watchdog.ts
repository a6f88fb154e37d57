/**
 * Decides when a silent connection is given up. Receives the time and returns how long to wait; starts no timers.
 */
import { maxTimerMs } from "@kortyx/protocol/internal";

/** Tolerated lateness of a timer on a busy machine; beyond it, the program was suspended. */
const lateMs = 2_000;

/** The time of an event that never happens. */
export const never = Number.POSITIVE_INFINITY;

/** Times are in milliseconds, and `Infinity` means {@link never}. */
export interface IdleWatchdog {
  /**
   * A read begins at `now`: silence counts from here.
   *
   * @returns after how long to {@link look}, replacing any earlier request; `Infinity` if the one already requested is
   * early enough, or none is needed.
   */
  start(now: number): number;
  /** The read has ended: without a pending read, silence means nothing. */
  end(): void;
  /** The server announced its heartbeats: every `heartbeatMs`, or none (0). */
  expect(heartbeatMs: number | undefined): void;
  /** @returns after how long to look again; 0 if the connection is dead. */
  look(now: number): number;
  /** The current limit on silence. */
  readonly limitMs: number;
}

/** 0, and more than a timer can wait (about 25 days), mean no limit. */
const limitOf = (ms: number): number => (ms > 0 && ms <= maxTimerMs ? ms : never);

/**
 * @param idleTimeoutMs - The limit on silence until the server announces its heartbeats; from then on it is three of
 * their intervals plus 2 seconds. Without a limit, there is none, whatever the server announces.
 */
export function createIdleWatchdog(idleTimeoutMs: number): IdleWatchdog {
  let limitMs = limitOf(idleTimeoutMs);
  /** When the pending read began; `never` if there is none. */
  let since = never;
  /** When the next look is due. */
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
      if (heartbeatMs === undefined || limitOf(idleTimeoutMs) === never) return;
      limitMs = limitOf(heartbeatMs && 3 * heartbeatMs + 2_000);
    },
    look(now) {
      // After a suspend, bytes may already be buffered: allow one more read before giving up.
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
