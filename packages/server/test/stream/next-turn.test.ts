import { expect, test } from "vitest";
import { isTurnDue, waitForTurn } from "../../src/stream/next-turn.ts";

test("one turn serves all streams that wait, is due again 10 ms later, and at once after a clock went back", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    waitForTurn({ onTurn: () => order.push("first") });
    waitForTurn({ onTurn: () => order.push("second") });
    setImmediate(() => {
      order.push("later in that turn");
      resolve();
    });
  });
  expect(order).toEqual(["first", "second", "later in that turn"]);
  const now = performance.now();
  expect(isTurnDue(now - 1_000)).toBe(true);
  expect(isTurnDue(now + 1_000)).toBe(true);
  const hasBeen = Array.from({ length: 10 }, (_, ms) => isTurnDue(now - ms));
  expect(hasBeen).toContain(false);
});
