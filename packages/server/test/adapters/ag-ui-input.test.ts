import type { ChatMessage } from "@kortyx/protocol";
import { fromAGUIRequest } from "@kortyx/protocol/ag-ui";
import { expect, test } from "vitest";
import { toRunAgentInput } from "../../src/adapters/ag-ui-input.ts";

const ids = { sessionId: "t", runId: "r" };
const messagesOf = (messages: ChatMessage[], options: object = {}) =>
  toRunAgentInput(messages, { ...ids, ...options }).messages;

test("an empty conversation has every field that an agent may read", () => {
  expect(toRunAgentInput([], ids)).toEqual({
    threadId: "t",
    runId: "r",
    messages: [],
    tools: [],
    context: [],
    state: {},
    forwardedProps: {},
  });
  expect(toRunAgentInput([]).runId).toMatch(/^[\da-f-]{36}$/);
});

const part = { type: "tool-call", toolCallId: "c", tool: "weather", input: { city: "Rome" } } as const;
const answer: ChatMessage = {
  role: "assistant",
  id: "a",
  content: "Let me see.\n\n21 °C.",
  parts: [
    { type: "reasoning", text: "Hm", providerMetadata: { "agui-encrypted": { value: "e" } } },
    { type: "text", text: "Let me see." },
    { ...part, state: "done", content: { degrees: 21 } },
    { type: "text", text: "21 °C." },
  ],
};

test("an answer is one message for each turn of the model, with the results between them", () => {
  expect(messagesOf([answer])).toEqual([
    { id: "a:reasoning", role: "reasoning", content: "Hm", encryptedValue: "e" },
    {
      id: "a",
      role: "assistant",
      content: "Let me see.",
      toolCalls: [{ id: "c", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } }],
    },
    { id: "c:result", role: "tool", toolCallId: "c", content: '{"degrees":21}' },
    { id: "a:2", role: "assistant", content: "21 °C." },
  ]);
});

test("files are parts of content, with data, a URL or a provider's handle", () => {
  const file = { type: "file", name: "a.png" } as const;
  const message: ChatMessage = {
    role: "user",
    id: "m",
    content: "Look:",
    parts: [
      { type: "text", text: "Look:" },
      { ...file, mediaType: "image/png", url: "data:image/png;base64,AAAA" },
      { ...file, mediaType: "application/pdf", url: "https://example.com/a.pdf" },
      { ...file, mediaType: "audio/wav", url: "", providerReference: { openai: "f1" } },
      { type: "data", name: "x", data: 1 },
    ],
  };
  const [said] = messagesOf([message]);
  expect(said?.content).toEqual([
    { type: "text", text: "Look:" },
    {
      type: "image",
      source: { type: "data", value: "AAAA", mimeType: "image/png" },
      metadata: { filename: "a.png" },
    },
    {
      type: "document",
      source: { type: "url", value: "https://example.com/a.pdf", mimeType: "application/pdf" },
      metadata: { filename: "a.png" },
    },
    {
      type: "audio",
      source: { type: "file", value: "f1", provider: "openai", mimeType: "audio/wav" },
      metadata: { filename: "a.png" },
    },
  ]);
  const body = fromAGUIRequest({ threadId: "t", runId: "r", messages: [said] }) as {
    messages: ChatMessage[];
  };
  expect(body.messages[0]?.parts).toEqual(message.parts?.slice(0, 4));
});

test("the client's results are results, and failures are errors", () => {
  const waiting: ChatMessage = { ...answer, parts: [{ ...part, state: "awaiting-client" }] };
  const result = { toolCallId: "c", tool: "weather" };
  expect(messagesOf([waiting], { toolResults: [{ ...result, content: "21" }] }).at(-1)).toEqual({
    id: "c:result",
    role: "tool",
    toolCallId: "c",
    content: "21",
  });
  expect(messagesOf([waiting], { toolResults: [{ ...result, errorMessage: "Down." }] }).at(-1)).toMatchObject(
    {
      content: "Down.",
      error: "Down.",
    },
  );
});

test("a call that is asked about has no result yet", () => {
  const waiting: ChatMessage = { ...answer, parts: [{ ...part, state: "awaiting-approval" }] };
  const resumes = [
    { requestId: "q", resumeToken: "approved:q", toolCallId: "c", answer: "deny", reason: "no" },
  ];
  const input = toRunAgentInput([waiting], { ...ids, resumes });
  expect(input.messages.map(({ role }) => role)).toEqual(["assistant"]);
  expect(input.resume).toEqual([
    { interruptId: "q", status: "resolved", payload: { approved: false, reason: "no" } },
  ]);
});

test("answers are payloads, and tools keep their schema", () => {
  const input = toRunAgentInput([], {
    ...ids,
    resumes: [
      { requestId: "1", resumeToken: "1", answer: { a: 1 } },
      { requestId: "2", resumeToken: "2", outcome: "cancelled" },
      { requestId: "3", resumeToken: "approved:3", toolCallId: "c", answer: "edit", input: { b: 1 } },
      { requestId: "4", resumeToken: "4", toolCallId: "c", answer: "approve" },
    ],
    tools: [{ name: "a", description: "b", inputSchema: { type: "object" } }],
  });
  expect(input.resume).toEqual([
    { interruptId: "1", status: "resolved", payload: { a: 1 } },
    { interruptId: "2", status: "cancelled" },
    { interruptId: "3", status: "resolved", payload: { approved: true, editedArgs: { b: 1 } } },
    // The agent has listed its own answers.
    { interruptId: "4", status: "resolved", payload: "approve" },
  ]);
  expect(input.tools).toEqual([{ name: "a", description: "b", parameters: { type: "object" } }]);
});

test("the client's own state, context and props reach the agent", () => {
  const context = { state: { a: 1 }, context: [{ description: "d", value: "v" }], forwardedProps: { b: 2 } };
  expect(toRunAgentInput([], { ...ids, context })).toMatchObject(context);
  expect(toRunAgentInput([], { ...ids, context, state: { c: 3 } }).state).toEqual({ c: 3 });
});
