import { expect, test } from "vitest";
import { encodeInterruptId } from "../src/ag-ui-interrupts.ts";
import { fromAGUIRequest, isAGUIRequest } from "../src/ag-ui-request.ts";
import { anyJSON } from "./chunk-arbitraries.ts";
import { cost, costOfWhole } from "./cost.ts";
import { fc } from "./related-chunks.ts";

const request = {
  threadId: "t",
  runId: "r",
  state: {},
  messages: [],
  tools: [],
  context: [],
  forwardedProps: {},
};
const said = (messages: unknown[], more: object = {}) =>
  fromAGUIRequest({ ...request, messages, ...more }) as { messages: unknown[]; [field: string]: unknown };

test("a request of AG-UI is recognised by its ids, its messages and its context", () => {
  expect(isAGUIRequest(request)).toBe(true);
  expect(isAGUIRequest({ threadId: "t", runId: "r", messages: [] })).toBe(true);
  expect(isAGUIRequest({ ...request, data: {} })).toBe(true);
  // Ours, with fields of the application's own.
  expect(isAGUIRequest({ ...request, context: { user: "ann" } })).toBe(false);
  expect(isAGUIRequest({ sessionId: "t", messages: [] })).toBe(false);
  // The AI SDK's.
  expect(isAGUIRequest({ id: "t", messages: [], trigger: "submit-message" })).toBe(false);
  expect(isAGUIRequest(null)).toBe(false);
});

test("an empty request names the session and the run, and nothing else", () => {
  expect(fromAGUIRequest(request)).toEqual({ messages: [], sessionId: "t", idempotencyKey: "r" });
});

test("a run whose id is no idempotency key has none", () => {
  expect(said([], { runId: "é" })).not.toHaveProperty("idempotencyKey");
});

test("state, context and forwarded props are the agent's context", () => {
  const context = [{ description: "a", value: "b" }];
  expect(said([], { state: { a: 1 }, context, forwardedProps: { c: 2 } }).context).toEqual({
    state: { a: 1 },
    context,
    forwardedProps: { c: 2 },
  });
});

test("tools keep their schema", () => {
  const tools = [{ name: "a", description: "b", parameters: { type: "object" } }, { name: "c" }];
  expect(said([], { tools }).tools).toEqual([
    { name: "a", description: "b", inputSchema: { type: "object" } },
    { name: "c", description: "" },
  ]);
});

test("a user's message keeps its texts, files and id", () => {
  const content = [
    { type: "text", text: "Look:" },
    {
      type: "image",
      source: { type: "data", value: "AAAA", mimeType: "image/png" },
      metadata: { filename: "a.png" },
    },
    { type: "document", source: { type: "url", value: "https://example.com/a" } },
    { type: "audio", source: { type: "file", value: "f1", provider: "openai" } },
    { type: "binary", mimeType: "image/gif", url: "https://example.com/b" },
    { type: "later", x: 1 },
  ];
  expect(said([{ id: "m", role: "user", content }]).messages).toEqual([
    {
      role: "user",
      id: "m",
      content: "Look:",
      parts: [
        { type: "text", text: "Look:" },
        { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA", name: "a.png" },
        { type: "file", mediaType: "application/octet-stream", url: "https://example.com/a" },
        { type: "file", mediaType: "audio/*", url: "", providerReference: { openai: "f1" } },
        { type: "file", mediaType: "image/gif", url: "https://example.com/b" },
        { type: "later", x: 1 },
      ],
    },
  ]);
});

test("system and developer are the system, and activities are left out", () => {
  const messages = [
    { id: "1", role: "system", content: "a" },
    { id: "2", role: "developer", content: "b" },
    { id: "3", role: "activity", activityType: "card", content: {} },
  ];
  expect(said(messages).messages).toEqual([
    { role: "system", id: "1", content: "a" },
    { role: "system", id: "2", content: "b" },
  ]);
});

const toolCalls = [
  { id: "c", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } },
];
const part = { type: "tool-call", toolCallId: "c", tool: "weather", input: { city: "Rome" } };

test("what belongs to one answer is one message, with each call's result", () => {
  const messages = [
    {
      id: "1",
      role: "reasoning",
      content: "Hm",
      encryptedValue: '{"kortyx":{"anthropic":{"signature":"s"}}}',
    },
    { id: "2", role: "assistant", content: "Let me see.", toolCalls },
    {
      id: "3",
      role: "tool",
      toolCallId: "c",
      content: '{"degrees":21}',
      metadata: { kortyx: { isJSON: true } },
    },
    { id: "4", role: "assistant", content: "21 °C.", metadata: { tanstack: { model: "m" } } },
    { id: "5", role: "user", content: "Thanks" },
  ];
  expect(said(messages).messages).toEqual([
    {
      role: "assistant",
      id: "1",
      content: "Let me see.\n\n21 °C.",
      metadata: { tanstack: { model: "m" } },
      parts: [
        { type: "reasoning", text: "Hm", providerMetadata: { anthropic: { signature: "s" } } },
        { type: "text", text: "Let me see." },
        { ...part, state: "done", content: { degrees: 21 } },
        { type: "text", text: "21 °C." },
      ],
    },
    { role: "user", id: "5", content: "Thanks" },
  ]);
});

test("an answer of text alone has no parts", () => {
  expect(said([{ id: "1", role: "assistant", content: "Hi" }]).messages).toEqual([
    { role: "assistant", id: "1", content: "Hi" },
  ]);
});

test("two answers in a row stay two, if the server has named them", () => {
  const of = (messageId: string) => ({ metadata: { kortyx: { messageId } } });
  const messages = [
    { id: "1", role: "assistant", content: "a", ...of("m1") },
    { id: "2", role: "assistant", content: "b", ...of("m1") },
    { id: "3", role: "assistant", content: "c", ...of("m2") },
  ];
  expect(said(messages).messages).toEqual([
    { role: "assistant", id: "m1", content: "a\n\nb" },
    { role: "assistant", id: "m2", content: "c" },
  ]);
});

test("a call without a result is interrupted, and its cut input is left out", () => {
  const cut = [{ id: "c", function: { name: "weather", arguments: '{"ci' } }];
  const { input, ...call } = part;
  expect(said([{ id: "1", role: "assistant", toolCalls: cut }]).messages).toMatchObject([
    { parts: [{ ...call, state: "interrupted" }] },
  ]);
});

test.each([
  [{ error: "Down." }, { state: "error", errorMessage: "Down." }],
  [
    { content: "No.", metadata: { kortyx: { isError: true } } },
    { state: "error", errorMessage: "No." },
  ],
  [
    {
      content: "The call was denied: no",
      metadata: { kortyx: { isError: true, isDenied: true, reason: "no" } },
    },
    { state: "denied", errorMessage: "no" },
  ],
  [{ content: "x", metadata: { kortyx: { isError: true, isInterrupted: true } } }, { state: "interrupted" }],
])("a failed result %j is %j", (result, expected) => {
  const messages = [
    { id: "1", role: "assistant", toolCalls },
    { id: "2", role: "tool", toolCallId: "c", ...result },
    { id: "3", role: "user", content: "x" },
  ];
  expect(said(messages).messages[0]).toMatchObject({ parts: [{ ...part, ...expected }] });
});

const trailing = [
  { id: "1", role: "assistant", toolCalls },
  { id: "2", role: "tool", toolCallId: "c", content: "21" },
];

test("results at the end are the client's, if it offers the tool or the server has said so", () => {
  const result = { toolCallId: "c", tool: "weather", content: "21" };
  expect(said(trailing, { tools: [{ name: "weather", description: "" }] })).toMatchObject({
    toolResults: [result],
    trigger: "continue",
    messageId: "1",
  });
  const metadata = { kortyx: { executor: "client", resumeToken: "token", messageId: "m" } };
  const marked = [{ ...trailing[0], toolCalls: [{ ...toolCalls[0], metadata }] }, trailing[1]];
  expect(said(marked)).toMatchObject({ toolResults: [{ ...result, resumeToken: "token" }], messageId: "m" });
  const ofTanStack = { tanstack: { toolCallMetadata: { c: metadata } } };
  expect(said([{ ...trailing[0], metadata: ofTanStack }, trailing[1]])).toMatchObject({
    toolResults: [{ ...result, resumeToken: "token" }],
  });
});

test("a result that the server has written is not a result of the client", () => {
  expect(said(trailing)).not.toHaveProperty("toolResults");
  expect(said(trailing)).not.toHaveProperty("trigger");
  const own = { ...trailing[1], metadata: { kortyx: { isError: true } } };
  const tools = [{ name: "weather", description: "" }];
  expect(said([trailing[0], own], { tools })).not.toHaveProperty("toolResults");
  expect(said([...trailing, { id: "3", role: "user", content: "x" }], { tools })).not.toHaveProperty(
    "toolResults",
  );
});

test("an answer repeats the question's id and token, which the interrupt's id holds", () => {
  const resume = [
    { interruptId: '["q","token"]', status: "resolved", payload: { a: 1 } },
    { interruptId: '["q2","token2"]', status: "cancelled" },
    { interruptId: "other", status: "resolved" },
  ];
  expect(said([], { resume }).resumes).toEqual([
    { requestId: "q", resumeToken: "token", answer: { a: 1 } },
    { requestId: "q2", resumeToken: "token2", outcome: "cancelled" },
    { requestId: "other", resumeToken: "other", answer: null },
  ]);
});

test.each([
  ["approve", { answer: "approve" }],
  [true, { answer: "approve" }],
  [false, { answer: "deny" }],
  [{ approved: true }, { answer: "approve" }],
  [
    { approved: false, reason: "no" },
    { answer: "deny", reason: "no" },
  ],
  [
    { approved: true, editedArgs: { a: 1 } },
    { answer: "edit", input: { a: 1 } },
  ],
  // Nothing was decided: the route refuses it.
  [undefined, {}],
])("the payload %j about a call is the answer %j", (payload, answer) => {
  const resume = [{ interruptId: '["q","token","c"]', status: "resolved", payload }];
  const body = said([trailing[0]!], { resume });
  expect(body.resumes).toEqual([{ requestId: "q", resumeToken: "token", toolCallId: "c", ...answer }]);
  expect(body).toMatchObject({
    trigger: "continue",
    messages: [{ parts: [{ state: "awaiting-approval" }] }],
  });
});

test("every question comes back from the id of its interrupt", () => {
  const question = fc.record({ requestId: fc.string(), resumeToken: fc.string() });
  const strange = question.map(({ requestId, resumeToken }) => {
    const id = encodeInterruptId({ requestId, resumeToken });
    return { requestId: id, resumeToken: id };
  });
  fc.assert(
    fc.property(fc.oneof(question, strange), (key) => {
      const resume = [{ interruptId: encodeInterruptId(key), status: "cancelled" }];
      expect(said([], { resume }).resumes).toEqual([{ ...key, outcome: "cancelled" }]);
    }),
  );
});

const names = ["role", "content", "toolCalls", "toolCallId", "metadata", "id", "encryptedValue", "error"];
const anyMessage = fc.oneof(
  anyJSON,
  fc.dictionary(
    fc.constantFrom(...names),
    fc.oneof(anyJSON, fc.constantFrom("user", "assistant", "tool", "reasoning", "c", toolCalls, [null])),
  ),
);

test("no request makes it throw, and none changes a prototype", () => {
  const fields = fc.dictionary(fc.constantFrom(...Object.keys(request), "resume", "__proto__"), anyJSON);
  fc.assert(
    fc.property(fields, fc.array(anyMessage), fc.boolean(), (more, messages, hasMessages) => {
      const body = { ...request, ...more, ...(hasMessages && { messages }) };
      isAGUIRequest(body);
      expect(fromAGUIRequest(body)).toBeInstanceOf(Object);
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
  );
  expect(fromAGUIRequest("x")).toBe("x");
});

test("a value whose text cannot be made fails nothing: the parser reports it", () => {
  const strange = { toString: "none" };
  const source = { type: "data", mimeType: "image/png", value: strange };
  const content = [
    { type: "text", text: strange },
    { type: "image", source },
    { type: "text", text: "Hi" },
  ];
  const { messages } = said([
    { role: "user", content },
    { role: "assistant", content: strange },
  ]);
  expect(messages).toEqual([
    {
      role: "user",
      content: "Hi",
      parts: [
        { type: "text", text: strange },
        { type: "file", mediaType: "image/png", url: strange },
        { type: "text", text: "Hi" },
      ],
    },
    { role: "assistant", content: "", parts: [{ type: "text", text: strange }] },
  ]);
  const url = { ...source, mimeType: strange, value: "AAAA" };
  expect(said([{ role: "user", content: [{ type: "image", source: url }] }]).messages).toMatchObject([
    { parts: [{ mediaType: strange, url: "AAAA" }] },
  ]);
});

test("an answer of many messages takes time linear in their number, before any limit is checked", () => {
  const result = { role: "tool", toolCallId: "c", content: "", metadata: { kortyx: { messageId: "m" } } };
  const ratio = costOfWhole(4_000, (size) => {
    const messages = Array.from({ length: size }, () => ({ ...result }));
    return cost(() => said(messages));
  });
  expect(ratio).toBeLessThan(4);
});
