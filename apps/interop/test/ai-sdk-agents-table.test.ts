import type { ChatMessagePart, StreamChunk, ToolCallMessagePart } from "@kortyx/server";
import { type AISDKStreamPart, fromAISDK, toModelMessages } from "@kortyx/server/ai-sdk";
import type { ModelMessage, TextStreamPart, ToolSet } from "ai";
import { expect, test, vi } from "vitest";
import { streamOf } from "./kit/ai-sdk-model.ts";
import { testTable } from "./kit/doc-tables.ts";

type Part = TextStreamPart<ToolSet>;

const page = "docs/ai-sdk-agents.md";

const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 } as never;
const finish: Part = { type: "finish", finishReason: "stop", rawFinishReason: "stop", totalUsage: usage };
const call = { type: "tool-call", toolCallId: "1", toolName: "search", input: {} } as const;
const file = { mediaType: "image/png", base64: "AAAA", uint8Array: new Uint8Array(3) };
const page1 = { type: "source", sourceType: "url", id: "s", url: "https://a.example" } as const;

/** The types of the chunks that the parts become, without the `done` of the end. */
async function typesOf(...parts: Part[]): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of fromAISDK(streamOf<Part>([...parts, finish]))) types.push(type);
  return types.slice(0, -1);
}

test("the parts of the SDK are those of the adapter", () => {
  const all = (part: Part): AISDKStreamPart => part;
  // Every type of the adapter is one of the SDK's, and the other way round.
  const types = (type: AISDKStreamPart["type"]): Part["type"] => type;
  expect([all, types]).toHaveLength(2);
});

const chunkTypes: StreamChunk["type"][] = [
  ...([
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
  ] as const),
  ...(["tool-call-start", "tool-call-delta", "tool-call-ready", "tool-call-progress"] as const),
  ...([
    "tool-call-result",
    "tool-call-error",
    "tool-call-denied",
    "interrupt",
    "interrupt-resolved",
  ] as const),
  ...(["source", "file", "data", "metadata", "step-start", "step-end", "error", "abort", "done"] as const),
];

testTable(page, "From the stream to chunks", chunkTypes, {
  "`start`, `ping`, `raw`, `tool-input-end`": () =>
    typesOf(
      { type: "start" },
      { type: "ping" },
      { type: "raw", rawValue: {} },
      { type: "tool-input-end", id: "1" },
    ),
  "`start-step`": () => typesOf({ type: "start-step", request: {} as never, warnings: [] }),
  "`finish-step`": () =>
    typesOf({
      type: "finish-step",
      response: { id: "r", modelId: "m", timestamp: new Date(0) },
      usage,
      performance: {} as never,
      finishReason: "stop",
      rawFinishReason: "stop",
      providerMetadata: undefined,
    }),
  "`text-start`, `text-delta`, `text-end`": () =>
    typesOf(
      { type: "text-start", id: "0" },
      { type: "text-delta", id: "0", text: "Hi" },
      { type: "text-end", id: "0" },
    ),
  "`text-end` that cites a source that has not come": () =>
    typesOf({ type: "text-end", id: "0", citations: [{ source: page1 }] }),
  "`reasoning-start`, `reasoning-delta`, `reasoning-end`": () =>
    typesOf(
      { type: "reasoning-start", id: "0" },
      { type: "reasoning-delta", id: "0", text: "Hm" },
      { type: "reasoning-end", id: "0" },
    ),
  "`source`": () => typesOf(page1),
  "`file`, `reasoning-file`": () => typesOf({ type: "file", file }, { type: "reasoning-file", file }),
  "`custom`": () => typesOf({ type: "custom", kind: "openai.compaction" }),
  "`tool-input-start`, `tool-input-delta`": () =>
    typesOf(
      { type: "tool-input-start", id: "1", toolName: "search" },
      { type: "tool-input-delta", id: "1", delta: "{" },
    ),
  "`tool-call`": () => typesOf(call),
  "`tool-call` that is `invalid`, and its `tool-error`": () =>
    typesOf(
      { ...call, dynamic: true, invalid: true, error: new Error("No.") },
      { ...call, type: "tool-error", dynamic: true, error: "No." },
    ),
  "`tool-result`": () => typesOf({ ...call, type: "tool-result", output: 1 }),
  "`tool-result` that is `preliminary`": () =>
    typesOf({ ...call, type: "tool-result", output: 1, preliminary: true }),
  "`tool-error`": async () => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const types = await typesOf({ ...call, type: "tool-error", error: new Error("secret") });
    expect(log).toHaveBeenCalledOnce();
    return types;
  },
  "`tool-approval-request`": () =>
    typesOf({ type: "tool-approval-request", approvalId: "a", toolCall: call }),
  "`tool-approval-response`": () =>
    typesOf({ type: "tool-approval-response", approvalId: "a", toolCall: call, approved: true }),
  "`tool-output-denied`": () => typesOf({ type: "tool-output-denied", toolCallId: "1", toolName: "search" }),
  "`steering-message`": () =>
    typesOf({
      type: "steering-message",
      id: "1",
      message: { role: "user", content: "Faster" },
      stepNumber: 1,
    }),
  "`error`": async () => {
    const types: string[] = [];
    const error = new Error("Overloaded");
    const chunks = fromAISDK(streamOf<Part>([{ type: "error", error }, finish]));
    const read = async () => {
      for await (const { type } of chunks) types.push(type);
    };
    await expect(read()).rejects.toBe(error);
    return types;
  },
  "`abort`": async () => {
    const types: string[] = [];
    for await (const { type } of fromAISDK(streamOf<Part>([{ type: "abort" }]))) types.push(type);
    return types;
  },
  "`finish`": async () => {
    const types: string[] = [];
    for await (const { type } of fromAISDK(streamOf<Part>([finish]))) types.push(type);
    return types;
  },
});

const toolCall: ToolCallMessagePart = {
  type: "tool-call",
  toolCallId: "1",
  tool: "search",
  state: "done",
  input: {},
  content: "Found",
};
const answer = { requestId: "a", resumeToken: "", toolCallId: "1" };

function partTypesOf(parts: ChatMessagePart[], options?: Parameters<typeof toModelMessages>[1]): string[] {
  const messages: ModelMessage[] = toModelMessages([{ role: "assistant", content: "", parts }], options);
  return messages.flatMap(({ content }) =>
    typeof content === "string" ? ["text"] : content.map((part) => part.type),
  );
}

testTable(
  page,
  "From messages to the SDK",
  [
    ...["text", "reasoning", "file", "custom", "tool-call", "tool-result"],
    ...["tool-approval-request", "tool-approval-response"],
  ],
  {
    "text, reasoning": () =>
      partTypesOf([
        { type: "reasoning", text: "Hm" },
        { type: "text", text: "Hi" },
      ]),
    file: () => partTypesOf([{ type: "file", mediaType: "image/png", url: "https://a.example/1.png" }]),
    "data whose name is `<provider>.<kind>`, and whose value is `null`": () =>
      partTypesOf([{ type: "data", name: "openai.compaction", data: null }]),
    "other data": () => partTypesOf([{ type: "data", name: "openai.compaction", data: {} }]),
    "tool call that is done": () => partTypesOf([toolCall]),
    "tool call that has failed, was denied or was interrupted": () =>
      partTypesOf([
        { ...toolCall, state: "error", errorMessage: "No." },
        { ...toolCall, state: "denied" },
        { ...toolCall, state: "interrupted" },
      ]),
    "tool call that is approved": () =>
      partTypesOf([{ ...toolCall, state: "awaiting-approval" }], {
        resumes: [{ ...answer, answer: "approve" }],
      }),
    "tool call that is denied": () =>
      partTypesOf([{ ...toolCall, state: "awaiting-approval" }], {
        resumes: [{ ...answer, answer: "deny" }],
      }),
    "tool call with an entry of `toolResults`": () =>
      partTypesOf([{ ...toolCall, state: "awaiting-client" }], {
        toolResults: [{ toolCallId: "1", tool: "search", content: "Here" }],
      }),
    "tool call of the provider": () => partTypesOf([{ ...toolCall, executor: "provider" }]),
    "tool call of the provider that has no result yet": () =>
      partTypesOf([{ ...toolCall, executor: "provider", state: "interrupted" }]),
  },
);
