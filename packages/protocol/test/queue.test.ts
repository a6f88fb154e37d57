import { expect, test } from "vitest";
import { Queue } from "../src/queue.ts";

test("a queue that is never empty keeps slots only for the waiting items", () => {
  const queue = new Queue<number>();
  for (let item = 0; item < 1_000; item++) queue.add(item);
  const before = process.memoryUsage().heapUsed;
  for (let item = 0; item < 10_000_000; item++) {
    queue.add(item);
    queue.take();
  }
  // Slots for all items would take 80 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40_000_000);
  expect(queue.take()).toBe(9_999_000);
});
