import type { InterruptChunk } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { ChatInput } from "../../src/chat/chat.ts";
import { toAnswerMessage, toResume, toUserMessage } from "../../src/chat/chat-input.ts";

describe("a message", () => {
  test("may be a string, or an object whose extra fields are kept", () => {
    expect(toUserMessage("Hello")).toMatchObject({ role: "user", content: "Hello" });
    const said = { id: "u1", content: "Hello", timestamp: 7, metadata: { files: ["a"] }, extra: true };
    expect(toUserMessage(said)).toEqual({ role: "user", ...said });
  });

  test("is refused with `empty-message` when it has no content", () => {
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
          message: "Cannot send an empty message: expected text, files or metadata.",
        }),
      );
    }
  });

  test("is accepted when its text is empty but it has other content", () => {
    const something: object[] = [
      { content: "", metadata: { attachments: ["a.png"] } },
      { content: " ", parts: [{ type: "file" }] },
    ];
    for (const input of something) expect(toUserMessage(input as ChatInput)).toMatchObject(input);
  });

  test("is refused when it has any other type, and the error names the type", () => {
    const others: [unknown, string][] = [
      [new Event("click"), "an object"],
      [{}, "an object"],
      [{ content: 5 }, "an object"],
      [null, "null"],
      [undefined, "undefined"],
      [5, "a number"],
      [["Hello"], "an array"],
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
  const asked = { requestId: "request-1", resumeToken: "token-1" };

  test("may be a text or the ids of options, or an empty list", () => {
    const answers: [string | string[], string][] = [
      ["a", "Apples"],
      [["a", "b"], "Apples, b"],
      [[], ""],
      ["", ""],
    ];
    for (const [answer, content] of answers) {
      const resume = toResume(question, answer);
      expect(resume).toEqual({ ...asked, answer });
      expect(toAnswerMessage(resume, question)).toMatchObject({ role: "user", content });
    }
  });

  test("may cancel the question, with or without a reason", () => {
    const reasons: [string | undefined, object][] = [
      [undefined, {}],
      ["", {}],
      ["No time", { reason: "No time" }],
    ];
    for (const [reason, given] of reasons) {
      const resume = toResume(question, { outcome: "cancelled", reason });
      expect(resume).toEqual({ ...asked, outcome: "cancelled", ...given });
      expect(toAnswerMessage(resume, question).content).toBe(reason ?? "");
    }
  });

  test("is refused when it is anything else", () => {
    for (const [answer, type] of [
      [undefined, "undefined"],
      [null, "null"],
      [new Event("click"), "an object"],
      [5, "a number"],
      [[5], "an array"],
      [["a", null], "an array"],
      [{}, "an object"],
      [{ outcome: "answered" }, "an object"],
      [{ outcome: "cancelled", reason: 5 }, "an object"],
    ] as const) {
      expect(() => toResume(question, answer as never)).toThrow(
        expect.objectContaining({
          code: "invalid-message",
          message: `Cannot respond with ${type}: expected a string, an array with the ids of options, or { outcome: "cancelled" }.`,
        }),
      );
    }
  });
});
