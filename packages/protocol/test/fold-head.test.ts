import { describe, expect, test } from "vitest";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

const metadata = (fields: Record<string, unknown>): StreamChunk => ({ type: "metadata", metadata: fields });

describe("metadata", () => {
  test("is merged key by key: the last value wins, and null removes a key", () => {
    expect(
      reduceMessage([
        metadata({ model: "m", draft: true, tags: { a: 1 } }),
        metadata({ draft: null, tags: { b: 2 } }),
      ]).metadata,
    ).toEqual({ model: "m", tags: { b: 2 } });
    expect(reduceMessage([metadata({ unknown: null })]).metadata).toEqual({});
    expect(reduceMessage([])).not.toHaveProperty("metadata");
  });

  test("is added to that of an earlier message, which stays the same", () => {
    const earlier = { parts: [], metadata: { model: "m", cost: 1 } };
    const accumulator = createMessageAccumulator(earlier);
    accumulator.apply(metadata({ cost: 2 }));
    expect(accumulator.message.metadata).toEqual({ model: "m", cost: 2 });
    expect(earlier.metadata.cost).toBe(1);
  });

  test("that was read never changes, and neither does a chunk", () => {
    const accumulator = createMessageAccumulator();
    const chunk = metadata({ a: 1 });
    accumulator.apply(chunk);
    const first = accumulator.message.metadata;
    accumulator.apply(metadata({ b: 2 }));
    accumulator.apply(metadata({ a: null }));
    expect(first).toEqual({ a: 1 });
    expect(chunk).toEqual(metadata({ a: 1 }));
    expect(accumulator.message.metadata).toEqual({ b: 2 });
  });

  test("has no key that becomes its prototype", () => {
    const { metadata: merged } = reduceMessage([metadata(JSON.parse('{"__proto__":{"x":1}}'))]);
    expect(merged).toEqual({});
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
  });

  test("of 8,000 chunks costs about as much as that of eight times 1,000", () => {
    const ratio = costOfWhole(8000, (count) =>
      cost(() => {
        const accumulator = createMessageAccumulator();
        for (let index = 0; index < count; index++) accumulator.apply(metadata({ [`k${index}`]: index }));
      }),
    );
    expect(ratio).toBeLessThan(3);
  });
});

test("the latest checkpoint and trace are the message's", () => {
  const checkpoint = (id: string): StreamChunk => ({ type: "checkpoint", id, sessionId: "s", turnIndex: 0 });
  const trace = (spanId: string): StreamChunk => ({
    type: "trace",
    traceId: "t",
    spanId,
    runId: "r",
    rootSpanName: "n",
  });
  const message = reduceMessage([checkpoint("1"), trace("1"), checkpoint("2"), trace("2")]);
  expect(message).toEqual({ parts: [], status: "done", checkpoint: checkpoint("2"), trace: trace("2") });
});

describe("the usage of an answer", () => {
  const done = (fields: object): StreamChunk => ({ type: "done", finishReason: "stop", ...fields });
  const usageByModel = [{ provider: "p", model: "a", inputTokens: 1 }];

  test("is that of its `done`, with the reason", () => {
    const usage = { inputTokens: 3, reasoningTokens: 1 };
    expect(reduceMessage([done({ usage, usageByModel })])).toMatchObject({
      finishReason: "stop",
      usage,
      usageByModel,
    });
  });

  test("that was continued is the sum, key by key, and for each model", () => {
    const earlier = reduceMessage([
      done({
        usage: { inputTokens: 1, outputTokens: 2, reasoningTokens: 3 },
        usageByModel: [
          { provider: "p", model: "a", inputTokens: 1 },
          { provider: "p", model: "b", inputTokens: 2 },
        ],
      }),
    ]);
    const continued = createMessageAccumulator(earlier);
    continued.apply(
      done({
        usage: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 30 },
        usageByModel: [
          { provider: "p", model: "b", inputTokens: 20, outputTokens: 5 },
          { provider: "q", model: "b", inputTokens: 40 },
        ],
      }),
    );
    expect(continued.message).toMatchObject({
      usage: { inputTokens: 11, outputTokens: 22, reasoningTokens: 3, cachedInputTokens: 30 },
      usageByModel: [
        { provider: "p", model: "a", inputTokens: 1 },
        { provider: "p", model: "b", inputTokens: 22, outputTokens: 5 },
        { provider: "q", model: "b", inputTokens: 40 },
      ],
    });
  });

  test("stays that of the earlier message if the rest reports none", () => {
    const earlier = reduceMessage([done({ usage: { inputTokens: 1 }, usageByModel })]);
    const continued = createMessageAccumulator(earlier);
    continued.apply(done({ usage: undefined }));
    expect(continued.message).toMatchObject({ usage: { inputTokens: 1 }, usageByModel });
    const cut = createMessageAccumulator(earlier);
    cut.finish("truncated");
    expect(cut.message).toMatchObject({ usage: { inputTokens: 1 } });
  });
});
