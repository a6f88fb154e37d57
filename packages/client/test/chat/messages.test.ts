import { describe, expect, test } from "vitest";
import {
  type AssistantUIMessage,
  toChatMessages,
  toMessageText,
  trimHistory,
  type UIMessage,
} from "../../src/chat/messages.ts";

const text = (content: string) => ({ type: "text", text: content, state: "done", key: content }) as const;
const answerOf = (parts: unknown[], more: object = {}): AssistantUIMessage =>
  ({ id: "run", role: "assistant", status: "done", parts, ...more }) as AssistantUIMessage;

const tool = { type: "tool-call", toolCallId: "c", tool: "search", state: "done", content: "found" };
const reasoning = { type: "reasoning", text: "Let me think.", state: "done" };

describe("toMessageText", () => {
  test("returns the content of a user message", () => {
    expect(toMessageText({ id: "u", role: "user", content: "Hello\nyou" })).toBe("Hello\nyou");
    expect(toMessageText({ id: "u", role: "user", content: "" })).toBe("");
  });

  test("returns the texts of an answer, joined by blank lines, and none of its other parts", () => {
    expect(toMessageText(answerOf([reasoning, text("One."), tool, text("Two."), text("Three.")]))).toBe(
      "One.\n\nTwo.\n\nThree.",
    );
    expect(toMessageText(answerOf([reasoning, tool]))).toBe("");
    expect(toMessageText({ parts: [text("Partial")], status: "streaming" } as never)).toBe("Partial");
  });
});

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

describe("trimHistory", () => {
  const said = (content: string) => ({ role: "user", content }) as const;
  const replied = (content: string) => ({ role: "assistant", content }) as const;
  const conversation = [said("1"), replied("one"), replied("more"), said("2"), replied("two"), said("3")];
  const sizeOf = (messages: unknown[]) => new TextEncoder().encode(JSON.stringify(messages)).length;

  test("leaves out whole exchanges, the oldest first, until the rest fits exactly", () => {
    for (const [kept, limit] of [
      [conversation, Number.POSITIVE_INFINITY],
      [conversation, sizeOf(conversation)],
      [conversation.slice(3), sizeOf(conversation) - 1],
      [conversation.slice(3), sizeOf(conversation.slice(3))],
      [conversation.slice(5), sizeOf(conversation.slice(3)) - 1],
      [conversation.slice(5), sizeOf(conversation.slice(5))],
    ] as const) {
      expect(trimHistory(conversation, limit)).toEqual(kept);
    }
  });

  test("counts bytes, not characters", () => {
    const messages = [said("ä"), said("ä")];
    expect(trimHistory(messages, sizeOf(messages))).toEqual(messages);
    expect(trimHistory(messages, sizeOf(messages) - 1)).toEqual([said("ä")]);
  });

  test("never leaves out the last user message, nor the answer after it that continues", () => {
    for (const [last, limit] of [
      [[said("3")], sizeOf([said("3")]) - 1],
      [[said("3"), replied("three")], sizeOf([said("3"), replied("three")]) - 1],
      [[replied("Welcome")], 5],
    ] as const) {
      expect(() => trimHistory([...last], limit)).toThrow(
        expect.objectContaining({
          name: "ChatStateError",
          code: "too-large",
          message: `Cannot send the last message: with what follows it, it takes more than ${limit} bytes of JSON. Shorten it, upload its files (\`uploadFile\`), or raise \`maxHistoryBytes\` here and \`maxBodyBytes\` of the route.`,
        }),
      );
    }
  });

  test("keeps a greeting before the first question if all fits, and an empty selection", () => {
    const greeted = [replied("Welcome"), said("1")];
    expect(trimHistory(greeted, sizeOf(greeted))).toEqual(greeted);
    expect(trimHistory(greeted, sizeOf(greeted) - 1)).toEqual([said("1")]);
    expect(trimHistory([], 5)).toEqual([]);
  });
});
