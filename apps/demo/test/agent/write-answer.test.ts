import { createStructuredStreamAccumulator } from "@kortyx/client";
import { expect, test } from "vitest";
import { fillReadingList, paceText, splitText } from "../../src/agent/write-answer.ts";

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

const fill = (...texts: string[]) => [
  ...fillReadingList(
    texts.map((text, index) => ({
      section: { page: "a b.md", title: "Zoo", heading: `Section ${index}`, text },
      score: 1,
      isNamed: false,
    })),
  ),
];

const item = (index: number) => ({ heading: `Section ${index}`, page: "Zoo", url: "/docs/a%20b.md" });

test("the list is begun, gets its items one by one and their texts in pieces, and is closed", () => {
  const chunks = fill("A `wombat`\nsleeps.\n\nMore.", "A parrot.");
  const head = { type: "structured-data", streamId: "reading-list", dataType: "reading-list" };
  expect(chunks.slice(0, 4)).toEqual([
    { ...head, kind: "set", path: "title", value: "Read more" },
    { ...head, kind: "append", path: "items", items: [{ ...item(0), summary: "" }] },
    { ...head, kind: "text-delta", path: "items.0.summary", delta: "A" },
    { ...head, kind: "text-delta", path: "items.0.summary", delta: " wombat" },
  ]);
  expect(chunks.at(-1)).toEqual({
    ...head,
    kind: "final",
    data: {
      title: "Read more",
      items: [
        { ...item(0), summary: "A wombat sleeps." },
        { ...item(1), summary: "A parrot." },
      ],
    },
  });
});

test("the steps build the list that the last one contains", () => {
  const chunks = fill("A wombat.", "A parrot.");
  const accumulator = createStructuredStreamAccumulator();
  for (const chunk of chunks.slice(0, -1)) accumulator.apply(chunk);
  const { data, status } = accumulator.get("reading-list")!;
  expect(status).toBe("streaming");
  expect(chunks.at(-1)).toMatchObject({ kind: "final", data });
});

test("a long text is cut between two words, at 160 characters", () => {
  const last = fill(`Wombat ${"word ".repeat(60)}`).at(-1);
  expect(last).toMatchObject({ data: { items: [{ summary: `Wombat${" word".repeat(30)}…` }] } });
});

test("without sections there is no list", () => {
  expect(fill()).toEqual([]);
});
