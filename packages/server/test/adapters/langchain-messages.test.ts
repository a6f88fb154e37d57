import type { ChatMessage, ChatMessagePart } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { toLangChainMessages, toLangChainResults } from "../../src/langgraph.ts";

const user = (parts: ChatMessagePart[]): ChatMessage => ({ role: "user", content: "", parts, id: "u1" });
const assistant = (parts: ChatMessagePart[]): ChatMessage => ({ role: "assistant", content: "", parts });

test("texts keep their role, and users' messages their id", () => {
  const messages: ChatMessage[] = [
    { role: "system", content: "Be brief.", id: "s1" },
    { role: "user", content: "Hello", id: "u1" },
    { role: "assistant", content: "Hi.", id: "a1" },
    { role: "assistant", content: "" },
  ];
  expect(toLangChainMessages(messages)).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hello", id: "u1" },
    { role: "assistant", content: "Hi." },
  ]);
});

test("every call of an answer has its result, and the model's next turn follows", () => {
  const messages = [
    assistant([
      { type: "text", text: "Let me look." },
      {
        type: "tool-call",
        toolCallId: "c1",
        tool: "search",
        state: "done",
        input: { q: 1 },
        content: ["a"],
        structuredContent: { n: 1 },
      },
      { type: "tool-call", toolCallId: "c2", tool: "note", state: "denied", input: "text" },
      { type: "tool-call", toolCallId: "c3", tool: "web", state: "done", executor: "provider" },
      { type: "text", text: "Found." },
    ]),
  ];
  expect(toLangChainMessages(messages)).toEqual([
    {
      role: "assistant",
      content: "Let me look.",
      tool_calls: [
        { type: "tool_call", id: "c1", name: "search", args: { q: 1 } },
        { type: "tool_call", id: "c2", name: "note", args: { input: "text" } },
      ],
    },
    {
      role: "tool",
      content: '["a"]',
      tool_call_id: "c1",
      name: "search",
      status: "success",
      artifact: { n: 1 },
    },
    { role: "tool", content: "The call was denied.", tool_call_id: "c2", name: "note", status: "error" },
    { role: "assistant", content: "Found." },
  ]);
});

test("reasoning of LangChain's goes back in its own block, any other is left out", () => {
  const thinking = (langchain: object): ChatMessagePart => ({
    type: "reasoning",
    text: "Hm",
    providerMetadata: { langchain },
  });
  const messages = [
    assistant([
      thinking({ type: "thinking", signature: "sig" }),
      thinking({ type: "redacted_thinking", data: "x" }),
      thinking({ type: "reasoning" }),
      thinking({ type: "reasoning_content" }),
      { type: "reasoning", text: "other", providerMetadata: { openai: {} } },
      { type: "text", text: "So." },
    ]),
  ];
  expect(toLangChainMessages(messages)).toEqual([
    {
      role: "assistant",
      content: [
        { type: "thinking", signature: "sig", thinking: "Hm" },
        { type: "redacted_thinking", data: "x" },
        { type: "reasoning", reasoning: "Hm" },
        { type: "text", text: "So." },
      ],
    },
  ]);
});

test("pictures are image_url, other files are blocks of LangChain, data is left out", () => {
  const messages = [
    user([
      { type: "text", text: "Look:" },
      { type: "file", mediaType: "image/png", url: "data:image/png;base64,AA" },
      { type: "file", mediaType: "application/pdf", url: "data:application/pdf;base64,BB", name: "a.pdf" },
      { type: "file", mediaType: "audio/wav", url: "https://a.example/1.wav" },
      { type: "file", mediaType: "text/plain", url: "", providerReference: { openai: "file-1" } },
      { type: "data", name: "place", data: 1 },
    ]),
  ];
  expect(toLangChainMessages(messages)[0]!.content).toEqual([
    { type: "text", text: "Look:" },
    { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
    {
      type: "file",
      mime_type: "application/pdf",
      metadata: { filename: "a.pdf", name: "a.pdf" },
      source_type: "base64",
      data: "BB",
    },
    { type: "audio", mime_type: "audio/wav", source_type: "url", url: "https://a.example/1.wav" },
    { type: "file", mime_type: "text/plain", source_type: "id", id: "file-1" },
  ]);
});

test("an answer without anything that a model reads is left out", () => {
  expect(toLangChainMessages([assistant([{ type: "data", name: "place", data: 1 }])])).toEqual([]);
});

test("what the page's tools returned is the result of their calls", () => {
  expect(
    toLangChainResults([
      { toolCallId: "c1", tool: "print", content: { pages: 2 } },
      { toolCallId: "c2", tool: "print", errorMessage: "No paper." },
    ]),
  ).toEqual([
    { role: "tool", content: '{"pages":2}', tool_call_id: "c1", name: "print", status: "success" },
    { role: "tool", content: "No paper.", tool_call_id: "c2", name: "print", status: "error" },
  ]);
});

test("a file that no library can load, and the handle of another provider in an answer, are named", () => {
  const file = { type: "file", mediaType: "image/png", name: "a.png" } as const;
  const named = "[File: a.png, image/png]";
  const contentOf = (message: ChatMessage) => toLangChainMessages([message]).map(({ content }) => content);
  expect(contentOf(user([{ ...file, url: "blob:https://a.example/1" }]))).toEqual([named]);
  expect(contentOf(user([{ ...file, url: "/uploads/1" }]))).toEqual([named]);
  const uploaded = { ...file, url: "", providerReference: { anthropic: "file_1" } };
  expect(contentOf(assistant([uploaded]))).toEqual([named]);
  const own = { ...uploaded, providerReference: { langchain: "file_1" } };
  expect(contentOf(assistant([own]))).toMatchObject([[{ source_type: "id", id: "file_1" }]]);
});

test("a user's message without anything that a model reads is left out", () => {
  expect(toLangChainMessages([user([{ type: "data", name: "place", data: 1 }])])).toEqual([]);
});
