import type { AssistantUIMessage } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { toChatMessages } from "../../src/route/stored-messages.ts";

test("answers become messages with their parts, and the user's stay as they are", () => {
  const question = { role: "user", content: "Hi", id: "u" } as const;
  const answer: AssistantUIMessage = {
    role: "assistant",
    id: "a",
    status: "done",
    metadata: { model: "m" },
    parts: [
      { type: "text", key: "", text: "Hello", state: "done" },
      {
        type: "tool-call",
        toolCallId: "c",
        tool: "search",
        state: "done",
        inputText: "",
        input: {},
        content: 1,
      },
    ],
  };
  expect(toChatMessages([question, answer, { ...answer, parts: [] }])).toEqual([
    question,
    {
      role: "assistant",
      content: "Hello",
      id: "a",
      metadata: { model: "m" },
      parts: [
        { type: "text", text: "Hello" },
        { type: "tool-call", toolCallId: "c", tool: "search", state: "done", input: {}, content: 1 },
      ],
    },
  ]);
});
