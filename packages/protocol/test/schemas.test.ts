import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chatMessageSchema, chatRequestBodySchema, streamChunkSchema } from "../src/schemas.ts";
import { chunkOf, variants } from "./chunk-arbitraries.ts";

test("a chunk of any shape keeps its unknown fields", () => {
  for (const variant of variants) {
    for (const sample of fc.sample(chunkOf(variant), { numRuns: 3, seed: 1 })) {
      const fields = Object.entries(sample).filter(([name]) => name !== "__proto__");
      const chunk = { ...Object.fromEntries(fields), extra: { deep: [1] } };
      expect(streamChunkSchema.parse(chunk)).toEqual(chunk);
    }
  }
});

describe("a chat request", () => {
  const messages = [{ role: "user", content: "Hi" }];

  test("needs messages and nothing else", () => {
    expect(chatRequestBodySchema.parse({ messages })).toEqual({ messages });
    expect(chatRequestBodySchema.parse({ messages: [] })).toEqual({ messages: [] });
    expect(chatRequestBodySchema.safeParse({}).success).toBe(false);
  });

  test("keeps unknown keys, of messages too", () => {
    const body = { messages: [{ role: "user", content: "Hi", mood: "good" }], theme: "dark" };
    expect(chatRequestBodySchema.parse(body)).toEqual(body);
  });

  test("has its ids trimmed, and an empty one counts as absent", () => {
    const body = chatRequestBodySchema.parse({ messages, sessionId: " s ", workflowId: "  " });
    expect(body.sessionId).toBe("s");
    expect(body.workflowId).toBeUndefined();
    expect(chatMessageSchema.parse({ role: "user", content: " kept ", id: "\tm\n" })).toEqual({
      role: "user",
      content: " kept ",
      id: "m",
    });
  });

  test("omits optional fields that are null", () => {
    const message = { role: "user", content: "Hi", id: null, timestamp: null, metadata: null };
    const nulls = { sessionId: null, workflowId: null, context: null, stream: null, idempotencyKey: null };
    const parsed = chatRequestBodySchema.parse({ messages: [message], ...nulls, resume: null });
    expect(JSON.parse(JSON.stringify(parsed))).toEqual({ messages });
  });

  test("accepts an idempotency key of 1 to 128 visible ASCII characters", () => {
    const accepts = (idempotencyKey: string) =>
      chatRequestBodySchema.safeParse({ messages, idempotencyKey }).success;
    expect(["k", "~".repeat(128)].map(accepts)).toEqual([true, true]);
    expect(["", " ", "a b", "é", "a\n", "~".repeat(129)].map(accepts)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  test("refuses a field of the wrong type", () => {
    const accepts = (fields: object) => chatRequestBodySchema.safeParse({ messages, ...fields }).success;
    for (const fields of [
      { context: "x" },
      { context: [] },
      { stream: "yes" },
      { resume: { requestId: "r", answer: "a" } },
    ]) {
      expect(accepts(fields), JSON.stringify(fields)).toBe(false);
    }
    const message = (fields: object) =>
      chatMessageSchema.safeParse({ role: "user", content: "x", ...fields }).success;
    expect([message({ role: "system" }), message({ role: "tool" }), message({ timestamp: "now" })]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("keeps the unknown keys of a resume", () => {
    const resume = { requestId: "r", resumeToken: "t", answer: "a", extra: 1 };
    expect(chatRequestBodySchema.parse({ messages: [], resume }).resume).toEqual(resume);
  });

  test("accepts a resume with one answer or several", () => {
    const accepts = (answer: unknown) =>
      chatRequestBodySchema.safeParse({ messages: [], resume: { requestId: "r", resumeToken: "t", answer } })
        .success;
    expect(["yes", ["a", "b"], [], 7, [7], undefined].map(accepts)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test("accepts a resume that cancels its question, with or without a reason", () => {
    const accepts = (fields: object) =>
      chatRequestBodySchema.safeParse({
        messages: [],
        resume: { requestId: "r", resumeToken: "t", ...fields },
      }).success;
    for (const fields of [
      { outcome: "answered", answer: "a" },
      { outcome: "cancelled" },
      { outcome: "cancelled", reason: "No time" },
      { outcome: "cancelled", answer: [] },
      { outcome: "cancelled", answer: null, reason: null },
      { outcome: null, answer: "a" },
    ]) {
      expect(accepts(fields), JSON.stringify(fields)).toBe(true);
    }
    for (const fields of [
      { outcome: "answered" },
      { outcome: "refused", answer: "a" },
      { outcome: null },
      { outcome: "cancelled", answer: 7 },
      { outcome: "cancelled", reason: 7 },
    ]) {
      expect(accepts(fields), JSON.stringify(fields)).toBe(false);
    }
  });
});
