import { describe, expect, test } from "vitest";
import { type AssistantUIMessage, toMessageText, trimHistory } from "../../src/chat/messages.ts";

const text = (content: string) => ({ type: "text", text: content, state: "done", key: content }) as const;
const answerOf = (parts: unknown[], more: object = {}): AssistantUIMessage =>
  ({ id: "run", role: "assistant", status: "done", parts, ...more }) as AssistantUIMessage;

const tool = { type: "tool-call", toolCallId: "c", tool: "search", state: "done", content: "found" };
const reasoning = { type: "reasoning", text: "Let me think.", state: "done" };

describe("toMessageText", () => {
  test("returns the content of a user message", () => {
    expect(toMessageText({ id: "u", role: "user", content: "Hello\nyou" })).toBe("Hello\nyou");
    expect(toMessageText({ id: "u", role: "user", content: "" })).toBe("");
  });

  test("returns the texts of an answer, joined by blank lines, and none of its other parts", () => {
    expect(toMessageText(answerOf([reasoning, text("One."), tool, text("Two."), text("Three.")]))).toBe(
      "One.\n\nTwo.\n\nThree.",
    );
    expect(toMessageText(answerOf([reasoning, tool]))).toBe("");
    expect(toMessageText({ parts: [text("Partial")], status: "streaming" } as never)).toBe("Partial");
  });
});

describe("trimHistory", () => {
  const said = (content: string) => ({ role: "user", content }) as const;
  const replied = (content: string) => ({ role: "assistant", content }) as const;
  const conversation = [said("1"), replied("one"), replied("more"), said("2"), replied("two"), said("3")];
  const sizeOf = (messages: unknown[]) => new TextEncoder().encode(JSON.stringify(messages)).length;

  test("leaves out whole exchanges, the oldest first, until the rest fits exactly", () => {
    for (const [kept, limit] of [
      [conversation, Number.POSITIVE_INFINITY],
      [conversation, sizeOf(conversation)],
      [conversation.slice(3), sizeOf(conversation) - 1],
      [conversation.slice(3), sizeOf(conversation.slice(3))],
      [conversation.slice(5), sizeOf(conversation.slice(3)) - 1],
      [conversation.slice(5), sizeOf(conversation.slice(5))],
    ] as const) {
      expect(trimHistory(conversation, limit)).toEqual(kept);
    }
  });

  test("counts bytes, not characters", () => {
    const messages = [said("ä"), said("ä")];
    expect(trimHistory(messages, sizeOf(messages))).toEqual(messages);
    expect(trimHistory(messages, sizeOf(messages) - 1)).toEqual([said("ä")]);
  });

  test("never leaves out the last user message, nor the answer after it that continues", () => {
    for (const [last, limit] of [
      [[said("3")], sizeOf([said("3")]) - 1],
      [[said("3"), replied("three")], sizeOf([said("3"), replied("three")]) - 1],
      [[replied("Welcome")], 5],
    ] as const) {
      expect(() => trimHistory([...last], limit)).toThrow(
        expect.objectContaining({
          name: "ChatStateError",
          code: "too-large",
          message: "The message is too large. Shorten it, or attach smaller files.",
        }),
      );
    }
  });

  test("keeps a greeting before the first question if all fits, and an empty selection", () => {
    const greeted = [replied("Welcome"), said("1")];
    expect(trimHistory(greeted, sizeOf(greeted))).toEqual(greeted);
    expect(trimHistory(greeted, sizeOf(greeted) - 1)).toEqual([said("1")]);
    expect(trimHistory([], 5)).toEqual([]);
  });
});
