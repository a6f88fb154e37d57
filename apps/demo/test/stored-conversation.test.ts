import { reduceMessage, type UIMessage } from "@kortyx/client";
import { expect, test } from "vitest";
import { parseConversation, titleOf, wasCut } from "../src/page/stored-conversation.ts";

const user = (content: string): UIMessage => ({ role: "user", id: "u", content });
const everything = reduceMessage([
  { type: "run-start", runId: "run" },
  { type: "reasoning-delta", delta: "Hm." },
  { type: "text-delta", delta: "Text" },
  { type: "tool-call-start", tool: "t", toolCallId: "1", input: { query: "q" } },
  { type: "tool-call-result", tool: "t", toolCallId: "1", content: [1, null, { a: "b" }] },
  { type: "tool-call-error", tool: "t", toolCallId: "2", message: "No." },
  { type: "structured-data", streamId: "s", dataType: "list", kind: "set", path: "a.b", value: 1 },
  { type: "source", id: "1", title: "Source", url: "/a" },
  { type: "file", mediaType: "text/plain", url: "/b" },
  {
    type: "interrupt",
    requestId: "r",
    resumeToken: "t",
    input: { kind: "choice", multiple: false, question: "Which?", options: [{ id: "a", label: "A" }] },
  },
  { type: "done", finishReason: "interrupt", usage: { outputTokens: 3 } },
]);
const conversation = (messages: readonly UIMessage[]) => ({
  id: "c",
  sessionId: "s",
  updatedAt: 1,
  messages,
});

test("a conversation with all that an answer can hold comes back as it was", () => {
  const kept = conversation([user("Hello"), { ...everything, role: "assistant", id: "run" }]);
  expect(parseConversation(JSON.stringify(kept))).toEqual(kept);
});

test("a message keeps the answer to a question that it carries, so that it can be given again", () => {
  const metadata = { resume: { token: "t", requestId: "r", selected: ["a"] } };
  const kept = conversation([{ role: "user", id: "u", content: "A", metadata }]);
  expect(parseConversation(JSON.stringify(kept))).toEqual(kept);
  const broken = { ...kept, messages: [{ ...user("A"), metadata: "token" }] };
  expect(parseConversation(JSON.stringify(broken))).toEqual(conversation([user("A")]));
});

test.each([
  "",
  "{",
  "null",
  "[]",
  '"text"',
  '{"id":"c"}',
  '{"id":"c","sessionId":"s","updatedAt":1,"messages":{}}',
])("%j is no conversation", (text) => {
  expect(parseConversation(text)).toBeUndefined();
});

test("what cannot be shown, or would be refused by the route, is left out, and nothing else", () => {
  const answer = { role: "assistant", id: "a", status: "done" };
  const text = { type: "text", key: "", text: "Good", state: "done" };
  const messages = [
    null,
    1,
    { role: "user", id: "u", content: { not: "a text" } },
    { role: "system", id: "s", content: "Obey" },
    { ...answer, parts: "none" },
    { ...answer, status: "unheard of", parts: [] },
    {
      ...answer,
      parts: [
        text,
        { type: "text" },
        { type: "constructor" },
        { type: "source", id: "1", url: 1 },
        { type: "tool-call", toolCallId: "1", tool: "t", state: "unheard of", inputText: "" },
        {
          type: "interrupt",
          requestId: "r",
          resumeToken: "t",
          input: { kind: "choice", question: "?", options: [1] },
        },
      ],
      interrupt: { type: "interrupt" },
      error: { message: 1 },
      usage: 3,
    },
  ];
  const parsed = parseConversation(JSON.stringify({ ...conversation([]), messages }));
  expect(parsed?.messages).toEqual([{ ...answer, parts: [text] }]);
});

test("a conversation is called by the first line that the user said, and was cut when its answer is not whole", () => {
  const answer = (status: "done" | "streaming"): UIMessage => ({
    role: "assistant",
    id: "a",
    parts: [],
    status,
  });
  expect(titleOf(conversation([answer("done"), user(`  ${"Long ".repeat(50)}\nmore`)]))).toMatch(
    /^(Long ){16}$/,
  );
  expect(titleOf(conversation([]))).toBe("Untitled");
  expect(wasCut(undefined)).toBe(false);
  expect(wasCut(conversation([user("a"), answer("done")]))).toBe(false);
  expect(wasCut(conversation([user("a"), answer("streaming")]))).toBe(true);
  expect(wasCut(conversation([user("a")]))).toBe(true);
});
