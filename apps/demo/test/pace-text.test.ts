import { afterEach, expect, test, vi } from "vitest";
import { paceText, splitText } from "../src/pace-text.ts";

afterEach(() => {
  vi.useRealTimers();
});

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

test("a rate beyond the resolution of timers is kept", async () => {
  vi.useFakeTimers();
  const pieces: string[] = [];
  const reading = (async () => {
    for await (const piece of paceText("a ".repeat(2000), { tokensPerSecond: 10_000 })) pieces.push(piece);
  })();
  await vi.advanceTimersByTimeAsync(100);
  expect(pieces.length).toBeGreaterThan(950);
  expect(pieces.length).toBeLessThan(1050);
  await vi.runAllTimersAsync();
  await reading;
});
