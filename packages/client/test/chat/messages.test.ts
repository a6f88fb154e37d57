import { describe, expect, test } from "vitest";
import {
  type AssistantUIMessage,
  toChatMessages,
  toMessageText,
  type UIMessage,
} from "../../src/chat/messages.ts";

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

describe("toChatMessages", () => {
  test("keeps user messages unchanged, and reduces answers to their text and id", () => {
    const user = { id: "u", role: "user", content: "Hi", timestamp: 5, metadata: { a: 1 } } as const;
    const messages: UIMessage[] = [user, answerOf([text("One."), tool, text("Two.")], { usage: {} })];
    expect(toChatMessages(messages, "text")).toEqual([
      user,
      { role: "assistant", content: "One.\n\nTwo.", id: "run" },
    ]);
  });

  test("leaves out answers without text, but keeps user messages without text", () => {
    const user = { id: "u", role: "user", content: "" } as const;
    expect(toChatMessages([user, answerOf([tool]), answerOf([]), answerOf([text("")])], "text")).toEqual([
      user,
    ]);
  });

  test("keeps a partial answer", () => {
    expect(toChatMessages([answerOf([text("Half an")], { status: "truncated" })], "text")).toEqual([
      { role: "assistant", content: "Half an", id: "run" },
    ]);
  });
});
