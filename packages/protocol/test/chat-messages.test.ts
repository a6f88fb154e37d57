import { describe, expect, test } from "vitest";
import { toChatMessages, toMessageParts } from "../src/chat-messages.ts";
import { type AssistantUIMessage, createMessageAccumulator, type UIMessage } from "../src/index.ts";

const text = (content: string) => ({ type: "text", text: content, state: "done", key: content }) as const;
const answerOf = (parts: unknown[], more: object = {}): AssistantUIMessage =>
  ({ id: "run", role: "assistant", status: "done", parts, ...more }) as AssistantUIMessage;

const tool = { type: "tool-call", toolCallId: "c", tool: "search", state: "done", content: "found" };
const reasoning = { type: "reasoning", text: "Let me think.", state: "done" };

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

describe("toChatMessages with parts", () => {
  const partsOf = (parts: unknown[]) => toChatMessages([answerOf(parts)], "parts");

  test("sends everything that an agent may need, and nothing that is only for a page", () => {
    const providerMetadata = { example: { id: "p" } };
    const resultProviderMetadata = { example: { id: "r" } };
    const parts = [
      { type: "step", stepId: "s", name: "Plan", state: "done", usage: { inputTokens: 5 }, model: "m" },
      { ...reasoning, key: "", providerMetadata, node: "n" },
      { ...text("One."), citations: [{ sourceId: "a" }], node: "n" },
      {
        ...tool,
        inputText: "{}",
        input: { q: 1 },
        structuredContent: [1],
        title: "Searching",
        resumeToken: "t",
        executor: "client",
        isDynamic: true,
        inputFormat: "json",
        providerMetadata,
        resultProviderMetadata,
      },
      {
        type: "tool-call",
        toolCallId: "d",
        tool: "pay",
        state: "denied",
        inputText: "",
        errorMessage: "No.",
      },
      { type: "source", id: "a", url: "https://a.example" },
      {
        type: "file",
        mediaType: "image/png",
        url: "https://a.example/a.png",
        name: "a.png",
        toolCallId: "c",
      },
      {
        type: "file",
        mediaType: "image/png",
        url: "",
        providerReference: { example: "f" },
        isReasoning: true,
      },
      { type: "data", name: "place", id: "1", data: null, node: "n" },
      { type: "structured-data", streamId: "o", dataType: "card", data: { a: 1 }, status: "done" },
      { type: "interrupt", requestId: "q", resumeToken: "t", input: { kind: "text", multiple: false } },
      text("Two."),
    ];
    expect(partsOf(parts)).toEqual([
      {
        role: "assistant",
        content: "One.\n\nTwo.",
        id: "run",
        parts: [
          { type: "step", stepId: "s", name: "Plan" },
          { type: "reasoning", text: "Let me think.", providerMetadata },
          { type: "text", text: "One." },
          {
            type: "tool-call",
            toolCallId: "c",
            tool: "search",
            state: "done",
            input: { q: 1 },
            content: "found",
            structuredContent: [1],
            executor: "client",
            isDynamic: true,
            inputFormat: "json",
            providerMetadata,
            resultProviderMetadata,
          },
          { type: "tool-call", toolCallId: "d", tool: "pay", state: "denied", errorMessage: "No." },
          { type: "file", mediaType: "image/png", url: "https://a.example/a.png", name: "a.png" },
          { type: "file", mediaType: "image/png", url: "", providerReference: { example: "f" } },
          { type: "data", name: "place", id: "1", data: null },
          { type: "data", name: "card", id: "o", data: { a: 1 } },
          { type: "text", text: "Two." },
        ],
      },
    ]);
  });

  test("sends the metadata of an answer, also of one that is only text", () => {
    const said = answerOf([text("One.")], { metadata: { model: "m" } });
    const sent = { role: "assistant", content: "One.", id: "run" };
    expect(toChatMessages([said], "parts")).toEqual([{ ...sent, metadata: { model: "m" } }]);
    expect(toChatMessages([said], "text")).toEqual([sent]);
  });

  test("keeps an answer that only called a tool", () => {
    expect(partsOf([tool])).toEqual([
      {
        role: "assistant",
        content: "",
        id: "run",
        parts: [{ type: "tool-call", toolCallId: "c", tool: "search", state: "done", content: "found" }],
      },
    ]);
  });

  test("leaves out a call whose input is not whole, and an answer without anything else", () => {
    expect(partsOf([{ ...tool, state: "input-streaming" }])).toEqual([]);
    expect(partsOf([{ type: "source", id: "a" }])).toEqual([]);
  });

  test("leaves out the parts of an answer that is only text, unless a provider wants something back", () => {
    const step = { type: "step", stepId: "s", state: "done" };
    expect(partsOf([step, text("One.")])).toEqual([{ role: "assistant", content: "One.", id: "run" }]);
    const providerMetadata = { example: 1 };
    expect(partsOf([{ ...text("One."), providerMetadata }])).toMatchObject([
      { content: "One.", parts: [{ type: "text", text: "One.", providerMetadata }] },
    ]);
  });

  test("sends what a user has attached, with either history", () => {
    const file = { type: "file", mediaType: "image/png", url: "https://a.example" } as const;
    const said: UIMessage = { id: "u", role: "user", content: "", parts: [file] };
    for (const history of ["text", "parts"] as const) expect(toChatMessages([said], history)).toEqual([said]);
  });

  test("leaves out a file of the user's that has lost its URL, unless its provider has it", () => {
    const file = { type: "file", mediaType: "image/png", url: "" } as const;
    const atProvider = { ...file, providerReference: { openai: "file-1" } };
    const said: UIMessage = { id: "u", role: "user", content: "Look", parts: [file, atProvider] };
    expect(toChatMessages([said], "text")).toEqual([{ ...said, parts: [atProvider] }]);
  });
});

describe("toMessageParts", () => {
  test("makes an answer of a request one that a fold continues, without a loss", () => {
    const message = {
      role: "assistant",
      content: "One.\n\nTwo.",
      id: "run",
      parts: [
        { type: "step", stepId: "s" },
        { type: "reasoning", text: "Hm.", providerMetadata: { example: 1 } },
        { type: "text", text: "One." },
        { type: "tool-call", toolCallId: "c", tool: "search", state: "awaiting-client", input: {} },
        { type: "data", name: "place", data: 1 },
        { type: "text", text: "Two." },
      ],
    } as const;
    const parts = toMessageParts({ ...message, parts: [...message.parts] });
    const accumulator = createMessageAccumulator({ ...answerOf(parts) });
    expect(toChatMessages([accumulator.message], "parts")).toEqual([message]);
    accumulator.apply({ type: "tool-call-result", toolCallId: "c", tool: "search", content: "found" });
    expect(toChatMessages([accumulator.message], "parts")[0]!.parts![3]).toEqual({
      ...message.parts[3],
      state: "done",
      content: "found",
    });
  });

  test("makes a message without parts a text", () => {
    expect(toMessageParts({ role: "assistant", content: "Hi" })).toEqual([
      { type: "text", text: "Hi", key: "", state: "done" },
    ]);
  });
});
