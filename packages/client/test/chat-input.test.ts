import type { InterruptChunk } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { ChatInput } from "../src/chat.ts";
import { toAnswerMessage, toUserMessage } from "../src/chat-input.ts";

describe("a message", () => {
  test("is a text, or an object that keeps whatever it holds", () => {
    expect(toUserMessage("Hello")).toMatchObject({ role: "user", content: "Hello" });
    const said = { id: "u1", content: "Hello", timestamp: 7, metadata: { files: ["a"] }, extra: true };
    expect(toUserMessage(said)).toEqual({ role: "user", ...said });
  });

  test("that says nothing is refused with `empty-message`", () => {
    const nothing: unknown[] = [
      "",
      " \n\t\u00a0\u3000",
      { content: "" },
      { content: " ", id: "u1", timestamp: 7, role: "user" },
      { content: "", metadata: undefined },
      { content: "", metadata: null },
      { content: "", metadata: {} },
      { content: "", parts: [] },
    ];
    for (const input of nothing) {
      expect(() => toUserMessage(input as ChatInput)).toThrow(
        expect.objectContaining({
          name: "ChatStateError",
          code: "empty-message",
          message: "Cannot send an empty message: expected text or metadata.",
        }),
      );
    }
  });

  test("without text but with something else is a message", () => {
    const something: object[] = [
      { content: "", metadata: { attachments: ["a.png"] } },
      { content: " ", parts: [{ type: "file" }] },
    ];
    for (const input of something) expect(toUserMessage(input as ChatInput)).toMatchObject(input);
  });

  test("is nothing else: an event, a number or nothing at all is refused by name", () => {
    const others: [unknown, string][] = [
      [new Event("click"), "object"],
      [{}, "object"],
      [{ content: 5 }, "object"],
      [null, "object"],
      [undefined, "undefined"],
      [5, "number"],
      [["Hello"], "object"],
    ];
    for (const [input, type] of others) {
      expect(() => toUserMessage(input as ChatInput)).toThrow(
        expect.objectContaining({
          name: "ChatStateError",
          code: "invalid-message",
          message:
            `Cannot send ${type}: expected a string, or an object whose \`content\` is a string. ` +
            "An event handler passes its event: write onClick={() => send(text)}.",
        }),
      );
    }
  });
});

describe("an answer to a question", () => {
  const question: InterruptChunk = {
    type: "interrupt",
    requestId: "request-1",
    resumeToken: "token-1",
    input: { kind: "choice", multiple: false, question: "?", options: [{ id: "a", label: "Apples" }] },
  };

  test("is a text or the ids of options, none included", () => {
    expect(toAnswerMessage("a", question).content).toBe("Apples");
    expect(toAnswerMessage(["a", "b"], question).content).toBe("Apples, b");
    expect(toAnswerMessage([], question).content).toBe("");
    expect(toAnswerMessage("", question).content).toBe("");
  });

  test("is nothing else", () => {
    for (const [answer, type] of [
      [undefined, "undefined"],
      [null, "object"],
      [new Event("click"), "object"],
      [5, "number"],
    ] as const) {
      expect(() => toAnswerMessage(answer as never, question)).toThrow(
        expect.objectContaining({
          code: "invalid-message",
          message: `Cannot respond with ${type}: expected a string, or an array with the ids of options.`,
        }),
      );
    }
  });
});
