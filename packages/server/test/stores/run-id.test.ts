import { describe, expect, test } from "vitest";
import { createRunId, placeInId, placeOf } from "../../src/stores/run-id.ts";

const numbers = Array.from({ length: 100_000 }, (_, number) => number);

describe("the id of a run", () => {
  test("is a UUID of version 8, and a new one each time", () => {
    const ids = numbers.slice(0, 1000).map(() => createRunId("ann"));
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    expect(new Set(ids).size).toBe(1000);
  });

  test("names the place of its owner, whatever the key", () => {
    for (const owner of ["ann", "語", "a:b", "x".repeat(256)]) {
      expect(placeInId(createRunId(owner, "k"))).toBe(placeOf(owner, "another"));
      expect(placeInId(createRunId(owner))).toBe(placeOf(owner));
    }
    // Fixed for good: other versions look there, too.
    expect(placeOf("ann")).toBe("d931");
  });

  test("without an owner names the place of its key, and without a key a random one", () => {
    expect(placeInId(createRunId("", "k"))).toBe(placeOf("", "k"));
    const places = new Set(numbers.slice(0, 1000).map(() => placeInId(createRunId(""))));
    expect(places.size).toBeGreaterThan(950);
  });

  test("of an earlier version has no place", () => {
    for (const id of [crypto.randomUUID(), "r", "", "d931"]) expect(placeInId(id)).toBeUndefined();
  });
});

test.each([
  ["numbered", (number: number) => `user-${number}`],
  ["numeric", (number: number) => `${number}`],
  ["mail", (number: number) => `u${number}@example.com`],
  ["random", () => crypto.randomUUID()],
])("%s owners are spread over all places evenly", (_, ownerOf) => {
  const counts = new Map<string, number>();
  for (const number of numbers) {
    // Per 256 places.
    const place = placeOf(ownerOf(number)).slice(0, 2);
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  expect(counts.size).toBe(256);
  // 391 on average; a random spread stays within six standard deviations.
  for (const count of counts.values()) expect(Math.abs(count - 390.6)).toBeLessThan(6 * Math.sqrt(390.6));
});
