/** Conversations with parts of every kind, in every state, of every provider. */
import type { ChatMessage, ChatMessagePart, ToolCallMessagePart } from "@kortyx/protocol";
import fc from "fast-check";

/** What each provider wants back, as its adapter writes it: the capitals may reach no other provider. */
const providerMetadata: fc.Arbitrary<Record<string, unknown>> = fc.constantFrom(
  {},
  { anthropic: { signature: "ANTHROPIC" } },
  { anthropic: { type: "redacted_thinking", data: "ANTHROPIC" } },
  { anthropic: { type: "server_tool_use", name: "ANTHROPIC" } },
  { anthropic: { type: "web_search_tool_result", mark: "ANTHROPIC" } },
  { anthropic: { blocks: [{ end: 2, citations: [{ mark: "ANTHROPIC" }] }, { end: 4 }] } },
  { openai: { item_id: "OPENAI_1", encrypted_content: "OPENAI" } },
  { openai: { item_id: "OPENAI_2", type: "reasoning_text" } },
  { openai: { type: "web_search_call", id: "OPENAI_3" } },
  { openai: { type: "function_call", id: "OPENAI_4" } },
  { openai: { field: "reasoning_content" } },
  { openai: { refusal: true } },
  { openai: { extra_content: { google: "OPENAI" } } },
  { langchain: { type: "thinking", signature: "LANGCHAIN" } },
  { langchain: { type: "reasoning", id: "LANGCHAIN" } },
  { "ai-sdk": { toolMetadata: "AISDK" } },
);

const said = fc.constantFrom("", " ", "Hello", "It is warm. ");
const toolCall: fc.Arbitrary<ToolCallMessagePart> = fc.record(
  {
    type: fc.constant("tool-call" as const),
    toolCallId: fc.constantFrom("a", "b", "call:1/x", "x".repeat(80), `${"x".repeat(79)}y`, "é"),
    tool: fc.constantFrom("search", "server.tool", "t".repeat(200), "ask user"),
    state: fc.constantFrom(
      "running",
      "awaiting-approval",
      "awaiting-client",
      "done",
      "error",
      "denied",
      "interrupted",
    ),
    input: fc.constantFrom(undefined, null, {}, { q: 1 }, "text", '{"broken', 7, [1]),
    inputFormat: fc.constantFrom(undefined, "text", "json"),
    executor: fc.constantFrom(undefined, "server", "client", "provider"),
    content: fc.constantFrom(undefined, null, "", "found", { a: 1 }, [{ type: "text", text: "" }]),
    errorMessage: fc.constantFrom(undefined, "", "It failed."),
    providerMetadata,
    resultProviderMetadata: providerMetadata,
  },
  { requiredKeys: ["type", "toolCallId", "tool", "state"] },
) as fc.Arbitrary<ToolCallMessagePart>;

const part: fc.Arbitrary<ChatMessagePart> = fc.oneof(
  fc.record({ type: fc.constant("text" as const), text: said, providerMetadata }),
  fc.record({ type: fc.constant("reasoning" as const), text: said, providerMetadata }),
  fc.record({
    type: fc.constant("file" as const),
    mediaType: fc.constantFrom("image/png", "application/pdf", "text/plain", "video/mp4", "x"),
    url: fc.constantFrom("", "https://a.example/1", "data:image/png;base64,AAAA", "blob:x", "/uploads/1"),
    providerReference: fc.constantFrom(undefined, { anthropic: "file_1" }, { openai: "file-1" }),
  }) as fc.Arbitrary<ChatMessagePart>,
  fc.record({
    type: fc.constant("data" as const),
    name: fc.constantFrom("plan", "anthropic.compaction"),
    data: fc.constantFrom(null, { a: 1 }),
    providerMetadata,
  }) as fc.Arbitrary<ChatMessagePart>,
  fc.record({ type: fc.constant("step" as const), stepId: fc.constant("s") }),
  toolCall,
  toolCall,
);

const message: fc.Arbitrary<ChatMessage> = fc.oneof(
  fc.record({ role: fc.constant("system" as const), content: said }),
  fc.record({ role: fc.constant("user" as const), content: said, parts: fc.array(part, { maxLength: 3 }) }),
  fc.record({
    role: fc.constant("assistant" as const),
    content: fc.constant(""),
    parts: fc.array(part, { maxLength: 6 }),
  }),
);

const anyHistory = fc.array(message, { maxLength: 6 });

/** Checks conversations that any client may send. */
export const forAnyHistory = (
  numRuns: number,
  check: (messages: ChatMessage[]) => void | Promise<void>,
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(anyHistory, async (messages) => {
      await check(messages);
    }),
    { numRuns },
  );
