import { expect, test } from "vitest";
import { paceText, splitText } from "../../src/agent/pace-text.ts";

test("pieces are words, and long words are cut", () => {
  expect(splitText("A stream of createMessageAccumulator\n\n  end. ")).toEqual([
    "A",
    " stream",
    " of",
    " createMe",
    "ssageAcc",
    "umulator",
    "\n\n  end.",
    " ",
  ]);
});

test("no character is lost or cut in two", () => {
  const text = "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦 \u2028 naïve\t日本語のテキストは長い\r\n```\n    indented\n```";
  expect(splitText(text).join("")).toBe(text);
  expect(splitText(text).filter((piece) => /\p{Surrogate}/u.test(piece))).toEqual([]);
});

test("an empty text has no pieces", () => {
  expect(splitText("")).toEqual([]);
});

test("the first piece comes at once, and the rate is kept, however late single timers are", async () => {
  const startedAt = performance.now();
  let pieces = 0;
  for await (const _ of paceText("a ".repeat(400), { tokensPerSecond: 2000 })) pieces++;
  // The last space is a separate piece.
  expect(pieces).toBe(401);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199);
});
