import { describe, expect, test } from "vitest";
import { chatMessageSchema, chatRequestBodySchema, streamChunkSchema } from "../src/schemas.ts";

test("a chunk keeps the fields that no version knows", () => {
  const chunk = { type: "text-delta", delta: "a", extra: { deep: [1] } };
  expect(streamChunkSchema.parse(chunk)).toEqual(chunk);
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

  test("ids are trimmed, and an empty one counts as absent", () => {
    const body = chatRequestBodySchema.parse({ messages, sessionId: " s ", workflowId: "  " });
    expect(body.sessionId).toBe("s");
    expect(body.workflowId).toBeUndefined();
    expect(chatMessageSchema.parse({ role: "user", content: " kept ", id: "\tm\n" })).toEqual({
      role: "user",
      content: " kept ",
      id: "m",
    });
  });

  test("an idempotency key is 1 to 128 visible ASCII characters", () => {
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

  test("a resume carries one answer or several", () => {
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
});
