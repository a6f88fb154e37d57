import { expect, test } from "vitest";
import type { AISDKChunk } from "../src/ai-sdk-chunks.ts";
import { type AISDKTranslatorOptions, createAISDKTranslator, toAISDK } from "../src/ai-sdk-translator.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { sampleSequences } from "./chunk-sequences.ts";

/** @returns the events of a whole stream; as after each chunk no other was ready. */
function translate(chunks: StreamChunk[], options?: AISDKTranslatorOptions): AISDKChunk[] {
  const translator = createAISDKTranslator(options);
  const events = chunks.flatMap((chunk) => [...translator.translate(chunk), ...translator.flush()]);
  return [...events, ...translator.end("complete")];
}

const typesOf = (events: AISDKChunk[]) => events.map(({ type }) => type);

test("a text is a message with one step", () => {
  const events = translate([
    { type: "run-start", runId: "r1", sessionId: "s1" },
    { type: "text-delta", delta: "Hello" },
    { type: "text-delta", delta: ", world" },
    { type: "done", finishReason: "stop", usage: { totalTokens: 3 } },
  ]);
  expect(events).toEqual([
    { type: "start", messageId: "r1", messageMetadata: { kortyx: { sessionId: "s1" } } },
    { type: "start-step" },
    { type: "text-start", id: "text-1" },
    { type: "text-delta", id: "text-1", delta: "Hello" },
    { type: "text-delta", id: "text-1", delta: ", world" },
    { type: "text-end", id: "text-1" },
    { type: "finish-step" },
    { type: "finish", finishReason: "stop", messageMetadata: { kortyx: { usage: { totalTokens: 3 } } } },
  ]);
});

test("a stream that fails ends with the events of an error, and then throws", async () => {
  async function* answer() {
    yield { type: "text-delta", delta: "Hel" } as const;
    throw new Error("The model is down.");
  }
  const events: AISDKChunk[] = [];
  const reading = async () => {
    for await (const event of toAISDK(answer())) events.push(event);
  };
  await expect(reading()).rejects.toThrow("The model is down.");
  expect(typesOf(events).slice(-4)).toEqual(["text-end", "finish-step", "message-metadata", "error"]);
  expect(events.at(-1)).toEqual({ type: "error", errorText: "The answer was cut off." });
});

test("any chunks become one message that ends once, with every text opened and closed", () => {
  for (const [index, chunks] of sampleSequences(2, 300).entries()) {
    const translator = createAISDKTranslator();
    const events = chunks.flatMap((chunk) => translator.translate(chunk));
    events.push(...translator.end(index % 2 ? "complete" : "truncated"));
    expect(events[0]?.type).toBe("start");
    const open = new Set<string>();
    for (const event of events) {
      if (event.type === "text-start" || event.type === "reasoning-start") open.add(event.type + event.id);
      if (event.type === "text-delta") expect(open).toContain(`text-start${event.id}`);
      if (event.type === "reasoning-delta") expect(open).toContain(`reasoning-start${event.id}`);
      if (event.type === "text-end") open.delete(`text-start${event.id}`);
      if (event.type === "reasoning-end") open.delete(`reasoning-start${event.id}`);
    }
    expect([...open]).toEqual([]);
    const ends = typesOf(events).filter((type) => /^(finish|abort|error)$/.test(type));
    expect(ends).toEqual([events.at(-1)!.type]);
    expect(translator.translate({ type: "text-delta", delta: "late" })).toEqual([]);
    expect(translator.flush()).toEqual([]);
    expect(translator.end("truncated")).toEqual([]);
  }
});
