import fc from "fast-check";
import { expect, test } from "vitest";
import { maxTimerMs, parseDelayMs, parseTimeoutMs } from "../src/delay.ts";

const forever = Number.POSITIVE_INFINITY;

test("the longest delay of a timer is a signed 32 bit integer", () => {
  expect(maxTimerMs).toBe(2_147_483_647);
});

test("a number of milliseconds is taken as it is, in whole ones", () => {
  expect([0, 1, 0.2, 1000 / 3, 2_147_483_647].map((ms) => parseDelayMs("xMs", ms))).toEqual([
    0, 1, 1, 334, 2_147_483_647,
  ]);
});

test("what no timer can wait is forever", () => {
  for (const ms of [2 ** 31, 2 ** 32, 30 * 86_400_000, 1e300, forever]) {
    expect(parseDelayMs("xMs", ms)).toBe(forever);
    expect(parseTimeoutMs("xMs", ms)).toBe(forever);
  }
});

test("0 is at once for a delay, and forever for a time-out", () => {
  expect([parseDelayMs("xMs", 0), parseDelayMs("xMs", -0)]).toEqual([0, -0]);
  expect([parseTimeoutMs("xMs", 0), parseTimeoutMs("xMs", -0), parseTimeoutMs("xMs", 1)]).toEqual([
    forever,
    forever,
    1,
  ]);
});

test("what is not a number of milliseconds is refused, by its option's name", () => {
  for (const [ms, said] of [
    [Number.NaN, "NaN"],
    [-1, "-1"],
    [-forever, "-Infinity"],
    ["1000", '"1000"'],
    [null, "null"],
    [undefined, "undefined"],
    [{}, "an object"],
    [Symbol("s"), "a symbol"],
  ] as const) {
    for (const parse of [parseDelayMs, parseTimeoutMs]) {
      expect(() => parse("heartbeatMs", ms as number)).toThrow(
        new RangeError(`heartbeatMs must be a number of milliseconds, 0 or more; got ${said}.`),
      );
    }
  }
});

test("whatever the number: it is refused, forever, or one that a timer takes", () => {
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.integer(), fc.bigInt().map(Number)), (ms) => {
      let parsed: number;
      try {
        parsed = parseDelayMs("xMs", ms);
      } catch {
        expect(Number.isNaN(ms) || ms < 0).toBe(true);
        return;
      }
      if (parsed === forever) expect(ms).toBeGreaterThan(2_147_483_647);
      else expect(parsed - ms).toBeLessThanOrEqual(1);
      if (parsed !== forever) expect(Number.isInteger(parsed) && parsed <= 2_147_483_647).toBe(true);
    }),
  );
});
