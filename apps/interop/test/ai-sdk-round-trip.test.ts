import type { ClientToolResult, InterruptAnswer } from "@kortyx/server";
import { continuedMessageOf, type FromAISDKOptions, fromAISDK, toAISDK } from "@kortyx/server/ai-sdk";
import type { StreamTextResult, ToolSet, UIMessage, UIMessageChunk } from "ai";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { isInstalled } from "../install.ts";
import { callPart, finishPart, type ScriptedPart, scriptModel, textParts } from "./kit/ai-sdk-model.ts";

const { convertToModelMessages, dynamicTool, readUIMessageStream, stepCountIs, streamText, tool } =
  isInstalled() ? await import("ai") : ({} as never);

type Result = StreamTextResult<ToolSet, never, never>;

async function messageOf(stream: AsyncIterable<UIMessageChunk>, message?: UIMessage): Promise<UIMessage> {
  const readable = new ReadableStream<UIMessageChunk>({
    async start(controller) {
      for await (const chunk of stream) controller.enqueue(chunk);
      controller.close();
    },
  });
  let last = message;
  const states = readUIMessageStream({
    stream: readable,
    ...(message && { message: structuredClone(message) }),
  });
  for await (const state of states) last = state;
  return last!;
}

/**
 * What we say about a part is under our own names, and there is what the model wrote before a schema changed it: an approved
 * call needs it, and `toModelMessages` finds it there.
 */
const ownNames = ["kortyx", "ai-sdk", "inputSchemaInput"];

function withoutOwn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOwn);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !ownNames.includes(key))
    .map(([key, item]) => [key, withoutOwn(item)] as const)
    .filter(([key, item]) => !(/ProviderMetadata$/i.test(key) && Object.keys(item as object).length === 0));
  return Object.fromEntries(entries);
}

const partsOf = ({ parts }: UIMessage) =>
  withoutOwn(JSON.parse(JSON.stringify(parts))) as Record<string, unknown>[];

interface Continued {
  message: UIMessage;
  resumes?: InterruptAnswer[];
  toolResults?: ClientToolResult[];
}

/** The parts that the SDK's own reader folds of the SDK's own stream, and of the one that went through chunks. */
async function bothOf(result: unknown, { message, ...answers }: Partial<Continued> = {}) {
  const options: FromAISDKOptions = { onToolError: (error) => String(error), ...answers };
  const theirs = (result as Result).toUIMessageStream({
    sendSources: true,
    ...(message && { originalMessages: [message] }),
  });
  const continuedMessage = message && continuedMessageOf({ messages: [message], trigger: "submit-message" });
  const ours = toAISDK(fromAISDK(result as Result, options), { continuedMessage });
  const [expected, actual] = await Promise.all([
    messageOf(theirs, message),
    messageOf(ours as AsyncIterable<UIMessageChunk>, message),
  ]);
  return { expected: partsOf(expected), actual: partsOf(actual), message: expected };
}

const page = { type: "source" as const, sourceType: "url" as const, id: "s1", url: "https://a.example" };
const signed = { anthropic: { signature: "s" } };

describe.skipIf(!isInstalled())("from the AI SDK and back, read by the SDK", () => {
  test("texts, reasoning, sources, files and content of the provider are equal, in two steps", async () => {
    const { model } = scriptModel(
      [
        { type: "reasoning-start", id: "0", providerMetadata: { anthropic: { signature: null } } },
        { type: "reasoning-delta", id: "0", delta: "Hm" },
        { type: "reasoning-end", id: "0", providerMetadata: signed },
        { ...page, title: "A", providerMetadata: signed },
        {
          type: "source",
          sourceType: "document",
          id: "s2",
          mediaType: "text/plain",
          title: "B",
          filename: "b.txt",
        },
        { type: "text-start", id: "0" },
        { type: "text-delta", id: "0", delta: "One " },
        { type: "text-start", id: "1", providerMetadata: signed },
        { type: "text-delta", id: "1", delta: "Another" },
        { type: "text-delta", id: "0", delta: "moment." },
        { type: "text-end", id: "1" },
        {
          type: "text-end",
          id: "0",
          citations: [
            {
              source: { ...page, title: "A", providerMetadata: signed },
              startIndex: 0,
              endIndex: 3,
              citedText: "One",
            },
          ],
        } as ScriptedPart,
        {
          type: "file",
          mediaType: "image/png",
          data: { type: "data", data: "AAAA" },
          providerMetadata: signed,
        },
        { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: "BBBB" } },
        { type: "custom", kind: "openai.compaction", providerMetadata: { openai: { id: "c" } } },
        callPart("1", "search", { query: "a" }),
        finishPart("tool-calls"),
      ],
      [...textParts("Done."), finishPart("stop")],
    );
    const tools = {
      search: tool({ inputSchema: z.object({ query: z.string() }), execute: async ({ query }) => [query] }),
    };
    const { expected, actual } = await bothOf(
      streamText({ model, tools, prompt: "Hi", stopWhen: stepCountIs(5) }),
    );
    expect(expected.map(({ type }) => type)).toContain("custom");
    expect(expected.at(-1)).toMatchObject({ type: "text", text: "Done." });
    expect(actual).toEqual(expected);
  });

  test("calls are equal: progress, results, failures, invalid ones, and those of the provider", async () => {
    const text = z.object({ text: z.string() });
    const tools = {
      count: tool({
        title: "Count",
        metadata: { icon: "🔢" },
        inputSchema: text,
        async *execute() {
          yield 1;
          yield { count: 2 };
        },
      }),
      fail: tool({
        inputSchema: text,
        execute: async (): Promise<string> => {
          throw new Error("No.");
        },
      }),
      mcp: dynamicTool({ inputSchema: text, execute: async () => "Found" }),
    };
    const provider = { toolName: "web", providerExecuted: true, dynamic: true } as const;
    const { model } = scriptModel(
      [
        { type: "tool-input-start", id: "1", toolName: "count" },
        { type: "tool-input-delta", id: "1", delta: '{"text":' },
        { type: "tool-input-delta", id: "1", delta: '"a"}' },
        { type: "tool-input-end", id: "1" },
        callPart("1", "count", { text: "a" }),
        callPart("2", "fail", { text: "a" }),
        { ...callPart("3", "mcp", { text: "a" }), providerMetadata: signed } as ScriptedPart,
        callPart("4", "missing", { text: "a" }),
        { type: "tool-input-start", id: "5", toolName: "count" },
        { type: "tool-input-delta", id: "5", delta: '{"text":1}' },
        callPart("5", "count", { text: 1 }),
        { type: "tool-call", toolCallId: "6", input: '{"q":"a"}', ...provider, providerMetadata: signed },
        { type: "tool-result", toolCallId: "6", toolName: "web", result: { pages: 1 }, dynamic: true },
        { type: "tool-call", toolCallId: "7", input: "{}", ...provider },
        {
          type: "tool-result",
          toolCallId: "7",
          toolName: "web",
          dynamic: true,
          isError: true,
          result: { errorCode: "too_many" },
          providerMetadata: { anthropic: { type: "error" } },
        },
        finishPart("tool-calls"),
      ],
      [...textParts("Done."), finishPart("stop")],
    );
    const { expected, actual } = await bothOf(
      streamText({ model, tools, prompt: "Hi", stopWhen: stepCountIs(5) }),
    );
    expect(expected).toMatchObject([
      { type: "step-start" },
      { state: "output-available", output: { count: 2 }, title: "Count", toolMetadata: { icon: "🔢" } },
      { state: "output-error" },
      { type: "dynamic-tool", state: "output-available" },
      { state: "output-error" },
      { state: "output-error" },
      { state: "output-available", providerExecuted: true },
      { state: "output-error", providerExecuted: true },
      { type: "step-start" },
      { type: "text" },
    ]);
    expect(actual).toEqual(expected);
  });

  const guarded = () => ({
    pay: tool({
      inputSchema: z.object({ euros: z.string().transform(Number) }),
      execute: async ({ euros }) => `${euros} € paid`,
    }),
    locate: { inputSchema: z.object({ isPrecise: z.boolean() }) },
  });
  const paying = [callPart("1", "pay", { euros: "5" }), callPart("2", "locate", { isPrecise: true })];
  const experimental_toolApprovalSecret = "a secret of at least 32 characters";

  test("a question and a call that waits for the page are equal, with the signature", async () => {
    const { model } = scriptModel([...paying, finishPart("tool-calls")]);
    const toolApproval = { pay: { type: "user-approval" as const, reason: "It costs money." } };
    const { expected, actual } = await bothOf(
      streamText({ model, tools: guarded(), toolApproval, prompt: "Hi", experimental_toolApprovalSecret }),
    );
    expect(expected).toMatchObject([
      { type: "step-start" },
      {
        state: "approval-requested",
        approval: { requestReason: "It costs money.", signature: expect.any(String) },
      },
      { state: "input-available" },
    ]);
    expect(actual).toEqual(expected);
  });

  test("a question without a reason has ours, and no signature", async () => {
    const { model } = scriptModel([paying[0]!, finishPart("tool-calls")]);
    const toolApproval = { pay: "user-approval" as const };
    const { expected, actual } = await bothOf(
      streamText({ model, tools: guarded(), toolApproval, prompt: "Hi" }),
    );
    const [step, call] = expected;
    const approval = { ...(call!.approval as object), requestReason: "Run pay?" };
    expect(approval).not.toHaveProperty("signature");
    expect(actual).toEqual([step, { ...call, approval }]);
  });

  test.each(["approved", "denied"] as const)("a call that a policy has %s is equal", async (type) => {
    const { model } = scriptModel(
      [paying[0]!, finishPart("tool-calls")],
      [...textParts("Done."), finishPart("stop")],
    );
    const toolApproval = { pay: { type, reason: "The policy." } };
    const { expected, actual } = await bothOf(
      streamText({ model, tools: guarded(), toolApproval, prompt: "Hi", stopWhen: stepCountIs(5) }),
    );
    expect(expected[1]).toMatchObject({ approval: { isAutomatic: true, approved: type === "approved" } });
    expect(actual).toEqual(expected);
  });

  test.each([true, false])("an answer that continues after a decision (%s) is equal", async (approved) => {
    vi.spyOn(console, "error").mockReturnValue();
    const tools = guarded();
    const { model } = scriptModel(
      [paying[0]!, finishPart("tool-calls")],
      [...textParts("Done."), finishPart("stop")],
    );
    const options = {
      model,
      tools,
      toolApproval: { pay: "user-approval" as const },
      stopWhen: stepCountIs(5),
    };
    const { message } = await bothOf(streamText({ ...options, prompt: "Hi" }));
    message.id = "m";
    // As the page records the user's decision.
    const call = message.parts[1] as { state: string; toolCallId: string; approval: { id: string } };
    Object.assign(call, { state: "approval-responded", approval: { ...call.approval, approved } });
    const resumes = [
      {
        requestId: call.approval.id,
        resumeToken: "",
        toolCallId: call.toolCallId,
        answer: approved ? "approve" : "deny",
      },
    ];
    const question = { role: "user" as const, parts: [{ type: "text" as const, text: "Hi" }] };
    const messages = await convertToModelMessages([question, message]);
    const { expected, actual } = await bothOf(streamText({ ...options, messages }), { message, resumes });
    expect(expected).toMatchObject([
      { type: "step-start" },
      { state: approved ? "output-available" : "output-denied" },
      { type: "step-start" },
      { type: "text", text: "Done." },
    ]);
    expect(actual).toEqual(expected);
  });

  test("an answer that continues after a result of the page is equal", async () => {
    const { model } = scriptModel(
      [paying[1]!, finishPart("tool-calls")],
      [...textParts("You are in Bern."), finishPart("stop")],
    );
    const tools = { locate: guarded().locate };
    const { message } = await bothOf(streamText({ model, tools, prompt: "Hi" }));
    message.id = "m";
    // As the page records its result.
    Object.assign(message.parts[1]!, { state: "output-available", output: "Bern" });
    const toolResults = [{ toolCallId: "2", tool: "locate", content: "Bern" }];
    const question = { role: "user" as const, parts: [{ type: "text" as const, text: "Hi" }] };
    const messages = await convertToModelMessages([question, message]);
    const { expected, actual } = await bothOf(streamText({ model, tools, messages }), {
      message,
      toolResults,
    });
    expect(expected).toMatchObject([
      { type: "step-start" },
      { state: "output-available", output: "Bern" },
      { type: "step-start" },
      { type: "text", text: "You are in Bern." },
    ]);
    expect(actual).toEqual(expected);
  });
});
