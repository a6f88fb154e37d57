import fc from "fast-check";
import { expect, test } from "vitest";
import { maxTimerMs, parseDelayMs, parseTimeoutMs } from "../src/delay.ts";

const forever = Number.POSITIVE_INFINITY;

test("the longest delay of a timer is the largest signed 32-bit integer", () => {
  expect(maxTimerMs).toBe(2_147_483_647);
});

test("a number of milliseconds is rounded up to a whole one", () => {
  expect([0, 1, 0.2, 1000 / 3, 2_147_483_647].map((ms) => parseDelayMs("xMs", ms))).toEqual([
    0, 1, 1, 334, 2_147_483_647,
  ]);
});

test("a delay that is too long for a timer becomes Infinity", () => {
  for (const ms of [2 ** 31, 2 ** 32, 30 * 86_400_000, 1e300, forever]) {
    expect(parseDelayMs("xMs", ms)).toBe(forever);
    expect(parseTimeoutMs("xMs", ms)).toBe(forever);
  }
});

test("0 means at once for a delay and never for a time-out", () => {
  expect([parseDelayMs("xMs", 0), parseDelayMs("xMs", -0)]).toEqual([0, -0]);
  expect([parseTimeoutMs("xMs", 0), parseTimeoutMs("xMs", -0), parseTimeoutMs("xMs", 1)]).toEqual([
    forever,
    forever,
    1,
  ]);
});

test("anything but a number of milliseconds is refused, naming the option", () => {
  for (const [ms, described] of [
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
        new RangeError(`heartbeatMs must be a number of milliseconds, 0 or more; got ${described}.`),
      );
    }
  }
});

test("every number is refused, becomes Infinity, or becomes a delay that a timer accepts", () => {
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
