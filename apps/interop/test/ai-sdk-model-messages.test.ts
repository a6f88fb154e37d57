import { type AssistantMessage, createMessageAccumulator } from "@kortyx/client";
import type { ChatMessage, ChatMessagePart, InterruptAnswer, StreamChunk } from "@kortyx/server";
import { type FromAISDKOptions, fromAISDK, toModelMessages } from "@kortyx/server/ai-sdk";
import type { ModelMessage, StreamTextResult, ToolSet, UIMessage } from "ai";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { isInstalled } from "../install.ts";
import { callPart, finishPart, type ScriptedPart, scriptModel, textParts } from "./kit/ai-sdk-model.ts";

const { convertToModelMessages, readUIMessageStream, stepCountIs, streamText, tool } = isInstalled()
  ? await import("ai")
  : ({} as never);

/** What a chat sends of the parts of an answer. */
const sentTypes = ["text", "reasoning", "file", "tool-call", "data", "step"];

/** The chunks of an answer, and its message, which continues an earlier one. */
async function answerOf(chunks: AsyncIterable<StreamChunk>, earlier?: AssistantMessage) {
  const accumulator = createMessageAccumulator(earlier);
  const all: StreamChunk[] = [];
  for await (const chunk of chunks) {
    all.push(chunk);
    accumulator.apply(chunk);
  }
  return { chunks: all, message: accumulator.message };
}

const toSent = ({ parts }: AssistantMessage): ChatMessage => ({
  role: "assistant",
  content: "",
  parts: parts.filter(({ type }) => sentTypes.includes(type)) as ChatMessagePart[],
});

async function uiMessageOf(result: StreamTextResult<ToolSet, never, never>): Promise<UIMessage> {
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream: result.toUIMessageStream() })) last = message;
  return last!;
}

const question: ChatMessage = { role: "user", content: "Hello" };

describe.skipIf(!isInstalled())("messages for the AI SDK", () => {
  test("are those of the SDK's own convertToModelMessages, for equal conversations", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const tools = {
      search: tool({
        inputSchema: z.object({ query: z.string() }),
        execute: async ({ query }) => ({ found: query }),
      }),
      say: tool({
        inputSchema: z.object({ text: z.string() }),
        execute: async ({ text }) => `Said ${text}.`,
      }),
      fail: tool({
        inputSchema: z.object({ text: z.string() }),
        execute: async (): Promise<string> => {
          throw new Error("No.");
        },
      }),
    };
    const signed = { anthropic: { signature: "s" } };
    const { model } = scriptModel(
      [
        { type: "reasoning-start", id: "0" },
        { type: "reasoning-delta", id: "0", delta: "Hm" },
        { type: "reasoning-end", id: "0", providerMetadata: signed },
        ...textParts("One moment."),
        { type: "custom", kind: "openai.compaction", providerMetadata: { openai: { id: "c" } } },
        {
          ...callPart("1", "search", { query: "a" }),
          providerMetadata: { openai: { itemId: "i" } },
        } as ScriptedPart,
        callPart("2", "say", { text: "b" }),
        callPart("3", "fail", { text: "b" }),
        {
          type: "tool-call",
          toolCallId: "4",
          toolName: "web",
          input: "{}",
          providerExecuted: true,
          dynamic: true,
          providerMetadata: signed,
        },
        {
          type: "tool-result",
          toolCallId: "4",
          toolName: "web",
          result: { pages: 1 },
          dynamic: true,
          providerMetadata: { anthropic: { type: "result" } },
        },
        { type: "file", mediaType: "image/png", data: { type: "data", data: "AAAA" } },
        finishPart("tool-calls"),
      ],
      [...textParts("Done."), finishPart("stop")],
    );
    const result = streamText({ model, tools, prompt: "Hello", stopWhen: stepCountIs(5) });
    const options: FromAISDKOptions = { onToolError: (error) => String(error) };
    const [theirs, { message }] = await Promise.all([
      uiMessageOf(result as never),
      answerOf(fromAISDK(result, options)),
    ]);
    const user = { role: "user" as const, parts: [{ type: "text" as const, text: "Hello" }] };
    const expected = await convertToModelMessages([user, theirs]);
    expect(expected).toHaveLength(4);
    const ours: ModelMessage[] = toModelMessages([question, toSent(message)]);
    expect(ours).toEqual(expected);
  });

  const pay = vi.fn(async ({ euros }: { euros: number }) => `${euros} € paid`);
  /** The schema turns texts into numbers: an approved call needs what the model wrote, too. */
  const paying = () => ({
    pay: tool({
      inputSchema: z.object({ euros: z.string().transform(Number) }),
      needsApproval: true,
      execute: pay,
    }),
  });
  const secret = "a secret of at least 32 characters";

  test.each([
    ["approve", "without the SDK's secret", undefined],
    ["deny", "without the SDK's secret", undefined],
    ["approve", "with the SDK's secret", secret],
    ["deny", "with the SDK's secret", secret],
  ])("%s: the SDK continues a call that waited, %s", async (decision, _, experimental_toolApprovalSecret) => {
    pay.mockClear();
    const { model, prompts } = scriptModel(
      [callPart("1", "pay", { euros: "5" }), finishPart("tool-calls")],
      [...textParts("Done."), finishPart("stop")],
    );
    const call = (messages: ChatMessage[], options: { resumes?: InterruptAnswer[] } = {}) =>
      fromAISDK(
        streamText({
          model,
          tools: paying(),
          stopWhen: stepCountIs(5),
          ...(experimental_toolApprovalSecret && { experimental_toolApprovalSecret }),
          messages: toModelMessages(messages, options),
        }),
        options,
      );
    const first = await answerOf(call([question]));
    const interrupt = first.chunks.find((chunk) => chunk.type === "interrupt")!;
    expect(first.message).toMatchObject({ finishReason: "interrupt", interrupts: [{ toolCallId: "1" }] });
    expect(interrupt.resumeToken !== "").toBe(experimental_toolApprovalSecret !== undefined);

    const { requestId, resumeToken, toolCallId } = interrupt;
    const resumes = [{ requestId, resumeToken, toolCallId, answer: decision, reason: "Because." }];
    const { message } = await answerOf(call([question, toSent(first.message)], { resumes }), first.message);
    const expected =
      decision === "approve"
        ? { state: "done", content: "5 € paid" }
        : { state: "denied", errorMessage: "Because." };
    const [, paid, asked, , text] = message.parts;
    expect(paid).toMatchObject({ type: "tool-call", toolCallId: "1", ...expected });
    expect(asked).toMatchObject({ type: "interrupt", resolution: { outcome: "answered", answer: decision } });
    expect(text).toMatchObject({ type: "text", text: "Done." });
    expect(message).toMatchObject({ finishReason: "stop" });
    expect(message.interrupts).toBeUndefined();
    expect(pay).toHaveBeenCalledTimes(decision === "approve" ? 1 : 0);
    expect(prompts[1]!.at(-1)).toMatchObject({
      role: "tool",
      content: [
        {
          toolCallId: "1",
          output:
            decision === "approve"
              ? { type: "text", value: "5 € paid" }
              : { type: "execution-denied", reason: "Because." },
        },
      ],
    });
  });

  test("a client that changes the approved input runs nothing where the SDK signs", async () => {
    pay.mockClear();
    const options = { experimental_toolApprovalSecret: secret, tools: paying() };
    const { model } = scriptModel([callPart("1", "pay", { euros: "5" }), finishPart("tool-calls")]);
    const first = await answerOf(fromAISDK(streamText({ model, prompt: "Pay", ...options })));
    const { requestId, resumeToken } = first.chunks.find((chunk) => chunk.type === "interrupt")!;
    const changed = toSent(first.message);
    changed.parts = changed.parts!.map((part) =>
      part.type === "tool-call" ? { ...part, input: { euros: 500 } } : part,
    );
    const resumes = [{ requestId, resumeToken, toolCallId: "1", answer: "approve" }];
    const messages = toModelMessages([question, changed], { resumes });
    const second = fromAISDK(streamText({ model, messages, ...options, onError: () => {} }), { resumes });
    await expect(answerOf(second)).rejects.toMatchObject({ name: "AI_InvalidToolApprovalSignatureError" });
    expect(pay).not.toHaveBeenCalled();
  });

  test("a result of the page reaches the model, and the call in the message", async () => {
    const tools = { locate: { inputSchema: z.object({ isPrecise: z.boolean() }) } };
    const { model, prompts } = scriptModel(
      [callPart("1", "locate", { isPrecise: true }), finishPart("tool-calls")],
      [...textParts("You are in Bern."), finishPart("stop")],
    );
    const first = await answerOf(fromAISDK(streamText({ model, tools, prompt: "Where am I?" })));
    expect(first.chunks.at(-1)).toMatchObject({ finishReason: "tool-calls", pendingToolCallIds: ["1"] });
    expect(first.message.parts[1]).toMatchObject({ state: "awaiting-client" });

    const options = { toolResults: [{ toolCallId: "1", tool: "locate", content: { city: "Bern" } }] };
    const messages = toModelMessages([question, toSent(first.message)], options);
    const second = await answerOf(fromAISDK(streamText({ model, tools, messages }), options), first.message);
    expect(second.message.parts).toMatchObject([
      { type: "step" },
      { type: "tool-call", state: "done", content: { city: "Bern" } },
      { type: "step" },
      { type: "text", text: "You are in Bern." },
    ]);
    expect(prompts[1]!.at(-1)).toMatchObject({
      role: "tool",
      content: [{ toolCallId: "1", output: { type: "json", value: { city: "Bern" } } }],
    });
  });

  test("the SDK accepts a conversation whose calls were interrupted", async () => {
    const { model, prompts } = scriptModel([...textParts("Hi"), finishPart("stop")]);
    const interrupted: ChatMessagePart = {
      type: "tool-call",
      toolCallId: "1",
      tool: "pay",
      state: "interrupted",
      input: {},
    };
    const messages = toModelMessages([
      { role: "assistant", content: "", parts: [interrupted] },
      { role: "user", content: "Never mind." },
    ]);
    await answerOf(fromAISDK(streamText({ model, messages })));
    expect(prompts[0]).toMatchObject([
      { role: "assistant" },
      { role: "tool", content: [{ output: { type: "error-text" } }] },
      { role: "user" },
    ]);
  });
});
