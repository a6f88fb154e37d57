import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createIdleWatchdog } from "../../src/stream/idle-watchdog.ts";

const maxTimerMs = 2_147_483_647;
const never = Number.POSITIVE_INFINITY;

describe("the limit", () => {
  test("is the option until the server announces its heartbeats, then three of them and 2 s", () => {
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
    [Number.POSITIVE_INFINITY, 8_000, 26_000],
    [60_000, 700_000_000, 2_100_002_000],
    [60_000, 999_999_999, never],
  ] as const) {
    test(`is ${limitMs} ms with a timeout of ${idleTimeoutMs} ms and heartbeats every ${heartbeatMs} ms`, () => {
      const watchdog = createIdleWatchdog(idleTimeoutMs);
      watchdog.expect(heartbeatMs);
      expect(watchdog.limitMs).toBe(limitMs);
    });
  }

  test("beyond what a timer can wait is forever", () => {
    expect(createIdleWatchdog(maxTimerMs).start(0)).toBe(maxTimerMs);
    for (const idleTimeoutMs of [2 ** 31, 1e15, Number.POSITIVE_INFINITY]) {
      expect(createIdleWatchdog(idleTimeoutMs).start(0)).toBe(never);
    }
  });

  test("of 0 asks for no look, from the beginning or from an announcement on", () => {
    expect(createIdleWatchdog(0).start(0)).toBe(never);
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(0)).toBe(60_000);
    watchdog.end();
    watchdog.expect(0);
    expect(watchdog.start(10)).toBe(never);
    expect(watchdog.look(60_000)).toBe(never);
    expect(watchdog.start(60_001)).toBe(never);
  });

  test("may come back after heartbeats were off", () => {
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
  test("of the whole limit in one read is an alarm, and of a millisecond less is not", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(5)).toBe(60_000);
    expect(watchdog.look(60_004)).toBe(1);
    expect(watchdog.look(60_005)).toBe(0);
  });

  test("counts from the last read: the look that an earlier one asked for asks for the rest", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(0)).toBe(60_000);
    watchdog.end();
    expect(watchdog.start(40_000)).toBe(never);
    expect(watchdog.look(60_000)).toBe(40_000);
    expect(watchdog.look(100_000)).toBe(0);
  });

  test("while nobody reads means nothing, and nothing is looked at until somebody does", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    watchdog.end();
    expect(watchdog.look(60_000)).toBe(never);
    expect(watchdog.start(500_000)).toBe(60_000);
    expect(watchdog.look(560_000)).toBe(0);
  });

  test("a limit that shrinks asks for an earlier look, one that grows for none", () => {
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

  test("a look that is early enough is kept, also when it is due exactly with the limit", () => {
    const watchdog = createIdleWatchdog(60_000);
    expect(watchdog.start(0)).toBe(60_000);
    watchdog.end();
    expect(watchdog.start(0)).toBe(never);
  });
});

describe("a program that was suspended", () => {
  test("gets one more whole interval, and then the alarm", () => {
    const watchdog = createIdleWatchdog(60_000);
    watchdog.start(0);
    expect(watchdog.look(3_600_000)).toBe(60_000);
    expect(watchdog.look(3_660_000)).toBe(0);
  });

  test("is excused only once while nothing comes", () => {
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

  test("is told from a busy machine by looks that come more than 2 s late", () => {
    for (const [lateMs, nextMs] of [
      [2_000, 0],
      [2_001, 60_000],
    ] as const) {
      const watchdog = createIdleWatchdog(60_000);
      watchdog.start(0);
      expect(watchdog.look(60_000 + lateMs)).toBe(nextMs);
    }
  });

  test("is not taken for one when the look was late, but not asked for by this read", () => {
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

test("on any schedule of reads, bytes, heartbeats and sleeps: an alarm after a silence of the whole limit that was listened to, no later, and at no other time", () => {
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
        /** When the timer was asked to fire, and when this machine comes to it. */
        let timer: { due: number; fires: number } | undefined;
        let readSince: number | undefined;
        /** When the pending read was first found to have slept. */
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
          // A second sleep is not excused; after one, the whole limit was listened for.
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
