import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createIdleWatchdog } from "../../src/stream/idle-watchdog.ts";

const maxTimerMs = 2_147_483_647;
const never = Number.POSITIVE_INFINITY;

describe("the limit", () => {
  test("is the option until the server announces heartbeats, then three intervals plus 2 s", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.limitMs).toBe(60_000);
    watchdog.expect(8_000);
    expect(watchdog.limitMs).toBe(26_000);
    watchdog.expect(30_000);
    expect(watchdog.limitMs).toBe(92_000);
  });

  for (const [idleTimeoutMs, heartbeatMs, limitMs] of [
    [60_000, 1, 2_003],
    [10, 8_000, 26_000],
    [60_000, 0, never],
    [0, 0, never],
    [0, 8_000, never],
    [Number.POSITIVE_INFINITY, 8_000, never],
    [2 ** 31, 8_000, never],
    [60_000, 700_000_000, 2_100_002_000],
    [60_000, 999_999_999, never],
  ] as const) {
    test(`is ${limitMs} ms with a timeout of ${idleTimeoutMs} ms and heartbeats every ${heartbeatMs} ms`, () => {
      const watchdog = createIdleWatchdog(idleTimeoutMs);
      watchdog.expect(heartbeatMs);
      expect(watchdog.limitMs).toBe(limitMs);
    });
  }

  test("beyond the range of a timer is infinite", () => {
    expect(createIdleWatchdog(maxTimerMs).start(0)).toBe(maxTimerMs);
    for (const idleTimeoutMs of [2 ** 31, 1e15, Number.POSITIVE_INFINITY]) {
      expect(createIdleWatchdog(idleTimeoutMs).start(0)).toBe(never);
    }
  });

  test("of 0 schedules no check, whether set at the start or by an announcement", () => {
    expect(createIdleWatchdog(0).start(0)).toBe(never);
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(0)).toBe(60_000);
    watchdog.end();
    watchdog.expect(0);
    expect(watchdog.start(10)).toBe(never);
    expect(watchdog.look(60_000)).toBe(never);
    expect(watchdog.start(60_001)).toBe(never);
  });

  test("applies again after heartbeats were off", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.expect(0);
    expect(watchdog.start(0)).toBe(never);
    watchdog.end();
    watchdog.expect(1_000);
    expect(watchdog.start(10)).toBe(5_000);
    expect(watchdog.look(5_010)).toBe(0);
  });
});

describe("silence", () => {
  test("is an alarm after the whole limit in one read, but not a millisecond earlier", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(5)).toBe(60_000);
    expect(watchdog.look(60_004)).toBe(1);
    expect(watchdog.look(60_005)).toBe(0);
  });

  test("counts from the last read: a check scheduled by an earlier read schedules the remaining time", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(0)).toBe(60_000);
    watchdog.end();
    expect(watchdog.start(40_000)).toBe(never);
    expect(watchdog.look(60_000)).toBe(40_000);
    expect(watchdog.look(100_000)).toBe(0);
  });

  test("without a pending read has no effect, and no check is scheduled until the next read", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    watchdog.end();
    expect(watchdog.look(60_000)).toBe(never);
    expect(watchdog.start(500_000)).toBe(60_000);
    expect(watchdog.look(560_000)).toBe(0);
  });

  test("a shorter limit schedules an earlier check, and a longer one keeps the check", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    watchdog.end();
    watchdog.expect(8_000);
    expect(watchdog.start(1_000)).toBe(26_000);
    watchdog.end();
    watchdog.expect(30_000);
    expect(watchdog.start(2_000)).toBe(never);
    expect(watchdog.look(27_000)).toBe(67_000);
    expect(watchdog.look(94_000)).toBe(0);
  });

  test("a check that is early enough is kept, even if it is due exactly at the limit", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(0)).toBe(60_000);
    watchdog.end();
    expect(watchdog.start(0)).toBe(never);
  });
});

describe("a program that was suspended", () => {
  test("gets one more full interval before the alarm", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    expect(watchdog.look(3_600_000)).toBe(60_000);
    expect(watchdog.look(3_660_000)).toBe(0);
  });

  test("is excused only once while no data arrives", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    expect(watchdog.look(3_600_000)).toBe(60_000);
    expect(watchdog.look(7_200_000)).toBe(0);
  });

  test("is excused again in the next read", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    expect(watchdog.look(3_600_000)).toBe(60_000);
    watchdog.end();
    expect(watchdog.start(3_600_001)).toBe(never);
    expect(watchdog.look(7_200_000)).toBe(60_000);
    expect(watchdog.look(7_260_000)).toBe(0);
  });

  test("is distinguished from a busy machine by checks that are more than 2 s late", () => {
    for (const [lateMs, nextMs] of [
      [2_000, 0],
      [2_001, 60_000],
    ] as const) {
      const watchdog = createIdleWatchdog(60_000);
      watchdog.start(0);
      expect(watchdog.look(60_000 + lateMs)).toBe(nextMs);
    }
  });

  test("is not assumed when a late check belongs to an earlier read", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    watchdog.end();
    expect(watchdog.look(70_000)).toBe(never);
    expect(watchdog.start(70_000)).toBe(60_000);
    expect(watchdog.look(130_000)).toBe(0);
  });
});

type Step =
  | { does: "read" }
  | { does: "byte"; heartbeatMs: number | undefined }
  | { does: "pass"; ms: number }
  | { does: "sleep"; ms: number };

const heartbeats = fc.constantFrom(undefined, undefined, 0, 1, 1_000, 8_000, 40_000, 999_999_999);
const times = fc.oneof(fc.nat(130_000), fc.constantFrom(26_000, 59_999, 60_000, 60_001));
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step>({ does: "read" }) },
    { weight: 3, arbitrary: heartbeats.map((heartbeatMs): Step => ({ does: "byte", heartbeatMs })) },
    { weight: 4, arbitrary: times.map((ms): Step => ({ does: "pass", ms })) },
    { weight: 1, arbitrary: fc.nat(10_000_000).map((ms): Step => ({ does: "sleep", ms })) },
  ),
  { maxLength: 60 },
);

test("on any schedule of reads, bytes, heartbeats and sleeps, the alarm occurs after an observed silence of the whole limit, never late and never otherwise", () => {
  let alarms = 0;
  let excuses = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(60_000, 5_000, 0, Number.POSITIVE_INFINITY),
      steps,
      fc.infiniteStream(fc.nat(2_000)),
      (idleTimeoutMs, schedule, latenesses) => {
        const watchdog = createIdleWatchdog(idleTimeoutMs);
        let now = 0;
        /** The time set for the timer, and the time when this machine runs it. */
        let timer: { due: number; fires: number } | undefined;
        let readSince: number | undefined;
        /** The first time at which a suspension was detected during the pending read. */
        let awakeSince: number | undefined;
        let isDead = false;

        const arm = (waitMs: number) => {
          if (waitMs === never) return;
          expect(waitMs).toBeGreaterThan(0);
          expect(waitMs).toBeLessThanOrEqual(maxTimerMs);
          timer = { due: now + waitMs, fires: now + waitMs + latenesses.next().value! };
        };
        const fire = () => {
          const wasLate = now > timer!.due + 2_000;
          timer = undefined;
          if (wasLate && readSince !== undefined && watchdog.limitMs < never && awakeSince === undefined) {
            awakeSince = now;
            excuses++;
          }
          const nextMs = watchdog.look(now);
          if (nextMs !== 0) return arm(nextMs);
          isDead = true;
          alarms++;
          expect(now - readSince!).toBeGreaterThanOrEqual(watchdog.limitMs);
          expect(watchdog.limitMs).toBeLessThan(never);
          // A second suspension is not excused; after the first, the whole limit must have been observed.
          if (awakeSince !== now && !wasLate) {
            expect(now - (awakeSince ?? readSince!)).toBeGreaterThanOrEqual(watchdog.limitMs);
          }
        };

        for (const step of schedule) {
          if (step.does === "read" && readSince === undefined) {
            const needed = timer === undefined || timer.due > now + watchdog.limitMs;
            readSince = now;
            awakeSince = undefined;
            const waitMs = watchdog.start(now);
            // A timer that is early enough is not set again.
            expect(waitMs).toBe(needed ? watchdog.limitMs : never);
            arm(waitMs);
          } else if (step.does === "byte" && readSince !== undefined) {
            readSince = undefined;
            watchdog.end();
            if (step.heartbeatMs !== undefined) watchdog.expect(step.heartbeatMs);
          } else if (step.does === "pass") {
            const end = now + step.ms;
            while (!isDead && timer !== undefined && timer.fires <= end) {
              now = Math.max(now, timer.fires);
              fire();
            }
            if (isDead) return;
            now = end;
            if (readSince !== undefined && watchdog.limitMs < never) {
              expect(timer).toBeDefined();
              expect(now - (awakeSince ?? readSince)).toBeLessThan(watchdog.limitMs + 2_000);
            }
          } else if (step.does === "sleep") {
            now += step.ms;
            if (timer !== undefined && timer.due <= now) fire();
            if (isDead) return;
          }
        }
      },
    ),
    { numRuns: 3_000 },
  );
  expect(alarms).toBeGreaterThan(200);
  expect(excuses).toBeGreaterThan(40);
});
