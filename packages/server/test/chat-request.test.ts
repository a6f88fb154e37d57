import { describe, expect, test } from "vitest";
import { ChatRequestError, parseChatRequestBody } from "../src/chat-request.ts";

const messages = [{ role: "user", content: "Hi" }];

function issuesOf(body: unknown): string[] {
  try {
    parseChatRequestBody(body);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ChatRequestError);
    const { status, code, issues, message } = error as ChatRequestError;
    expect({ status, code }).toEqual({ status: 400, code: "invalid-request" });
    const printed = issues.map(
      ({ path, expected, received }) => `${path || "the body"} must be ${expected}, got ${received}`,
    );
    expect(message).toBe(`Invalid chat request: ${printed.join("; ")}.`);
    return printed;
  }
}

test("a good body is returned with its ids trimmed and its unknown keys kept", () => {
  const body = {
    messages: [{ role: "user", content: "Hi", id: " m ", timestamp: 1, metadata: { a: 1 }, mood: "good" }],
    sessionId: " s ",
    workflowId: "",
    context: { user: 1 },
    stream: false,
    idempotencyKey: "k",
    resume: { requestId: "r", resumeToken: "t", answer: ["a"] },
    theme: "dark",
  };
  expect(parseChatRequestBody(body)).toEqual({
    ...body,
    messages: [{ ...body.messages[0], id: "m" }],
    sessionId: "s",
    workflowId: undefined,
  });
});

describe("a bad body", () => {
  const cases: [unknown, string[]][] = [
    [undefined, ["the body must be an object, got nothing"]],
    [null, ["the body must be an object, got null"]],
    [[], ["the body must be an object, got an array"]],
    ["{}", ["the body must be an object, got a string of 2 characters"]],
    [{}, ["messages must be an array, got nothing"]],
    [{ messages: {} }, ["messages must be an array, got an object"]],
    [{ messages: ["Hi"] }, ["messages.0 must be an object, got a string of 2 characters"]],
    [
      { messages: [...messages, { role: "tool", content: "x" }] },
      ['messages.1.role must be one of "user", "assistant", "system", got a string of 4 characters'],
    ],
    [{ messages: [{ role: "user", content: ["x"] }] }, ["messages.0.content must be a string, got an array"]],
    [
      { messages: [{ role: "user", content: "x", timestamp: "now" }] },
      ["messages.0.timestamp must be a number, got a string of 3 characters"],
    ],
    [
      { messages: [{ role: "user", content: "x", metadata: [] }] },
      ["messages.0.metadata must be an object, got an array"],
    ],
    [{ messages, sessionId: 7 }, ["sessionId must be a string, got a number"]],
    [{ messages, workflowId: null }, ["workflowId must be a string, got null"]],
    [{ messages, context: "x" }, ["context must be an object, got a string of 1 characters"]],
    [{ messages, stream: "false" }, ["stream must be a boolean, got a string of 5 characters"]],
    [
      { messages, idempotencyKey: "" },
      ["idempotencyKey must be 1 to 128 visible ASCII characters, got an empty string"],
    ],
    [{ messages, idempotencyKey: 7 }, ["idempotencyKey must be a string, got a number"]],
    [
      { messages, resume: { requestId: "r", answer: 7 } },
      [
        "resume.resumeToken must be a string, got nothing",
        "resume.answer must be a string or an array of strings, got a number",
      ],
    ],
    [
      { messages: [{}], sessionId: {}, stream: 1 },
      [
        'messages.0.role must be one of "user", "assistant", "system", got nothing',
        "messages.0.content must be a string, got nothing",
        "sessionId must be a string, got an object",
        "stream must be a boolean, got a number",
      ],
    ],
  ];
  for (const [body, expected] of cases) {
    test(expected.join("; "), () => expect(issuesOf(body)).toEqual(expected));
  }

  test("no value of the client's is repeated", () => {
    expect(JSON.stringify(issuesOf({ messages: "sk-secret", sessionId: ["sk-secret"] }))).not.toContain(
      "sk-secret",
    );
  });
});
