import { reduceMessage, StreamRemoteError, StreamTruncatedError } from "@kortyx/client";
import { expect, test } from "vitest";
import { type AssistantTurn, describeError, toMessages } from "../src/page/conversation.ts";

const answer = (...deltas: string[]): AssistantTurn => ({
  role: "assistant",
  id: "a",
  status: "done",
  message: reduceMessage([
    { type: "tool-call-start", tool: "t", toolCallId: "1", input: {} },
    ...deltas.map((delta, index) => ({ type: "text-delta" as const, delta, segmentId: String(index) })),
  ]),
});

test("the route gets the texts of the conversation, without answers that have none", () => {
  const turns = [
    { role: "user" as const, id: "1", text: "First" },
    answer("One", "Two"),
    { role: "user" as const, id: "2", text: "Second" },
    answer(),
  ];
  expect(toMessages(turns)).toEqual([
    { role: "user", content: "First" },
    { role: "assistant", content: "One\n\nTwo" },
    { role: "user", content: "Second" },
  ]);
});

test("a cut stream is called what it is", () => {
  expect(describeError(new StreamTruncatedError()).title).toBe("The answer was cut off");
});

test("an error of the server is shown with the id under which the server logged it", () => {
  const chunk = { type: "error" as const, message: "No luck.", correlationId: "c-1" };
  expect(describeError(new StreamRemoteError(chunk))).toEqual({
    title: "The answer failed",
    detail: "No luck. Reference: c-1",
  });
});
