import { describe, expect, test } from "vitest";
import type { StreamChunk } from "../src/chunks.ts";
import { contentOf, translate, typesOf } from "./ai-sdk-events.ts";

const said = (delta: string, segmentId?: string) =>
  ({ type: "text-delta", delta, ...(segmentId !== undefined && { segmentId }) }) as StreamChunk;
const end = (segmentId: string, fields = {}) => ({ type: "text-end", segmentId, ...fields }) as StreamChunk;
const eventsOf = (...chunks: StreamChunk[]) => contentOf(translate(chunks));
const file: StreamChunk = { type: "file", mediaType: "image/png", url: "https://a.b/c.png" };

test("texts that run in parallel keep their ids, and one that is used again is another", () => {
  const events = eventsOf(said("a", "1"), said("b", "2"), said("c", "1"), end("1"), said("d", "1"));
  expect(events).toEqual([
    { type: "text-start", id: "1" },
    { type: "text-delta", id: "1", delta: "a" },
    { type: "text-start", id: "2" },
    { type: "text-delta", id: "2", delta: "b" },
    { type: "text-delta", id: "1", delta: "c" },
    { type: "text-end", id: "1" },
    { type: "text-start", id: "1:2" },
    { type: "text-delta", id: "1:2", delta: "d" },
    { type: "text-end", id: "2" },
    { type: "text-end", id: "1:2" },
  ]);
});

test("a text without an id ends where another part begins, and continues after a file", () => {
  const events = eventsOf(said("a"), file, said("b"), { type: "reasoning-delta", delta: "hm" }, said("c"));
  expect(events).toMatchObject([
    { type: "text-start", id: "text-1" },
    { type: "text-delta", delta: "a" },
    { type: "text-end", id: "text-1" },
    { type: "file" },
    { type: "text-start", providerMetadata: { kortyx: { isContinuation: true } } },
    { type: "text-delta", delta: "b" },
    { type: "text-end" },
    { type: "reasoning-start" },
    { type: "reasoning-delta", delta: "hm" },
    { type: "reasoning-end" },
    { type: "text-start" },
    { type: "text-delta", delta: "c" },
    { type: "text-end" },
  ]);
  expect(events.at(-3)).not.toHaveProperty("providerMetadata");
});

test("a text ends once, also if a file that waited for its last stage follows it", () => {
  expect(typesOf(eventsOf(said("a"), { ...file, id: "f" } as StreamChunk))).toEqual([
    "text-start",
    "text-delta",
    "data-file",
    "text-end",
    "file",
  ]);
});

test("a whole message that repeats the streamed text adds nothing", () => {
  expect(typesOf(eventsOf(said("Hello"), { type: "message", content: "Hello" }))).toEqual([
    "text-start",
    "text-delta",
    "text-end",
  ]);
  expect(typesOf(eventsOf({ type: "message", content: "Hello" }))).toEqual([
    "text-start",
    "text-delta",
    "text-end",
  ]);
});

describe("what a provider wants back", () => {
  const metadata = (value: number, segmentId?: string): StreamChunk => ({
    type: "part-metadata",
    ...(segmentId !== undefined && { segmentId }),
    providerMetadata: { openai: { [`key${value}`]: value } },
  });
  const ends = (...chunks: StreamChunk[]) => eventsOf(...chunks).filter(({ type }) => type === "text-end");

  test("is in the start if it comes with it, and merged in the end if more comes", () => {
    const start = {
      type: "text-start",
      segmentId: "1",
      providerMetadata: { openai: { key1: 1 } },
    } as StreamChunk;
    const events = eventsOf(start, said("a", "1"), end("1", { providerMetadata: { openai: { key2: 2 } } }));
    expect(events[0]).toHaveProperty("providerMetadata", { openai: { key1: 1 } });
    expect(events.at(-1)).toHaveProperty("providerMetadata", { openai: { key1: 1, key2: 2 } });
    expect(ends(start, said("a", "1"), end("1"))).toEqual([{ type: "text-end", id: "1" }]);
  });

  test("reaches a text that has ended until the next part begins", () => {
    const described = { type: "text-end", id: "1", providerMetadata: { openai: { key1: 1 } } };
    expect(ends(said("a", "1"), end("1"), metadata(1))).toEqual([described]);
    expect(ends(said("a", "1"), end("1"), metadata(1, "1"), said("b", "2"), metadata(2, "1"))[0]).toEqual(
      described,
    );
    expect(ends(said("a", "1"), end("1"), file, metadata(1))).toEqual([{ type: "text-end", id: "1" }]);
  });
});

test("a citation has its source whole, also one that comes after the text; of an unknown source there is none", () => {
  const citations = [
    { sourceId: "p1", start: 0, end: 1, quote: "a", providerMetadata: { x: { y: 1 } } },
    { sourceId: "p2" },
  ];
  const source: StreamChunk = {
    type: "source",
    id: "p1",
    mediaType: "text/plain",
    title: "A",
    name: "a.txt",
  };
  const events = eventsOf(said("a", "1"), end("1", { citations }), source);
  expect(events.find(({ type }) => type === "text-end")).toEqual({
    type: "text-end",
    id: "1",
    citations: [
      {
        source: {
          type: "source",
          sourceType: "document",
          id: "p1",
          mediaType: "text/plain",
          title: "A",
          filename: "a.txt",
          providerMetadata: { x: { y: 1 } },
        },
        startIndex: 0,
        endIndex: 1,
        citedText: "a",
      },
    ],
  });
});
