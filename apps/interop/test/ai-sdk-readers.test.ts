import type { ChatMessage, StreamChunk } from "@kortyx/protocol";
import {
  continuedMessageOf,
  createAISDKTranslator,
  fromAISDKRequest,
  isAISDKRequest,
  toAISDK,
} from "@kortyx/protocol/ai-sdk";
import { parseChatRequestBody } from "@kortyx/server";
import type { UIMessage } from "ai";
import { describe, expect, test } from "vitest";
import { sampleSequences } from "../../../packages/protocol/test/chunk-sequences.ts";
import { isInstalled } from "../install.ts";
import { toFrames } from "./kit/provider-server.ts";

const { Chat } = isInstalled() ? await import("@ai-sdk/react") : ({} as never);
const { DefaultChatTransport, convertToModelMessages } = isInstalled() ? await import("ai") : ({} as never);
const { UIMessageStreamDecoder } = isInstalled() ? await import("assistant-stream") : ({} as never);

type Answer = (request: ReturnType<typeof parseChatRequestBody>) => AsyncIterable<StreamChunk>;

/** A route that does nothing but map requests and answers, for the SDK's own transport. */
function transportOf(answer: Answer, requests: unknown[] = []) {
  const fetch = async (_: unknown, init?: RequestInit) => {
    const json: unknown = JSON.parse(String(init?.body));
    expect(isAISDKRequest(json)).toBe(true);
    const body = parseChatRequestBody(fromAISDKRequest(json));
    requests.push(body);
    const frames: string[] = [];
    const options = { continuedMessage: continuedMessageOf(json), messageId: "a1" };
    for await (const event of toAISDK(answer(body), options)) frames.push(...toFrames([event]));
    const headers = { "content-type": "text/event-stream", "x-vercel-ai-ui-message-stream": "v1" };
    return new Response(new Blob([...frames, "data: [DONE]\n\n"]).stream(), { headers });
  };
  return new DefaultChatTransport<UIMessage>({ fetch });
}

const partsOf = ({ parts }: UIMessage) => parts.filter(({ type }) => type !== "step-start");

describe.skipIf(!isInstalled())("DefaultChatTransport", () => {
  test("reads an answer of every kind of part, and sends it back as our parts", async () => {
    const requests: { messages: ChatMessage[] }[] = [];
    const chat = new Chat<UIMessage>({ transport: transportOf(everything, requests) });
    await chat.sendMessage({ text: "Hello" });
    expect([chat.status, chat.error]).toEqual(["ready", undefined]);
    expect(partsOf(chat.lastMessage!).map(({ type }) => type)).toEqual([
      "reasoning",
      "text",
      "tool-search",
      "dynamic-tool",
      "text",
      "source-url",
      "source-document",
      "file",
      "data-weather",
      "data-recipe",
      "text",
    ]);
    await chat.sendMessage({ text: "Again" });
    const sent = requests[1]!.messages[1]!;
    expect(sent.content).toBe("Let me look.\n\nIt is 21 °C. Enjoy.");
    expect(sent.parts?.filter(({ type }) => type !== "step")).toEqual([
      { type: "reasoning", text: "Hm", providerMetadata: { anthropic: { signature: "s" } } },
      { type: "text", text: "Let me look." },
      {
        type: "tool-call",
        toolCallId: "c1",
        tool: "search",
        state: "done",
        input: { q: "Rome" },
        content: "21",
        structuredContent: { celsius: 21 },
      },
      {
        type: "tool-call",
        toolCallId: "c1",
        tool: "search",
        state: "error",
        input: { q: "Ostia" },
        content: { reason: "unknown" },
        isDynamic: true,
      },
      { type: "text", text: "It is 21 °C." },
      { type: "file", mediaType: "image/png", url: "https://example.com/a.png", name: "a.png" },
      { type: "data", name: "weather", id: "rome", data: { celsius: 21 } },
      { type: "data", name: "recipe", id: "o1", data: { title: "Pasta" } },
      { type: "text", text: " Enjoy." },
    ]);
    const history = await convertToModelMessages(chat.messages);
    expect(history.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "assistant", "user"]);
  });

  test("an answer that is cut off is an error, and keeps what came", async () => {
    async function* cut() {
      yield { type: "text-delta", delta: "Half" } as const;
      yield { type: "error", message: "Gone.", code: "internal", retryable: true } as const;
    }
    const chat = new Chat<UIMessage>({ transport: transportOf(cut) });
    await chat.sendMessage({ text: "Hello" });
    expect([chat.status, chat.error?.message]).toEqual(["error", "Gone."]);
    expect(partsOf(chat.lastMessage!)).toMatchObject([{ type: "text", text: "Half", state: "done" }]);
    expect(chat.lastMessage!.metadata).toEqual({
      kortyx: { error: { message: "Gone.", code: "internal", retryable: true } },
    });
  });
});

describe.skipIf(!isInstalled())("UIMessageStreamDecoder of assistant-stream", () => {
  test("reads any chunks without an error of its own", async () => {
    for (const chunks of sampleSequences(4, 50)) {
      const translator = createAISDKTranslator({ messageId: "m" });
      const events = chunks.flatMap((chunk) => translator.translate(chunk));
      events.push(...translator.end("complete"));
      const bytes = new Blob([...toFrames(events), "data: [DONE]\n\n"]).stream();
      const decoded = bytes.pipeThrough(new UIMessageStreamDecoder() as never) as ReadableStream<{
        type: string;
      }>;
      const types: string[] = [];
      for await (const { type } of decoded) types.push(type);
      expect(types.length).toBeGreaterThan(0);
    }
  });
});

async function* everything(): AsyncGenerator<StreamChunk> {
  const call = { toolCallId: "c1", tool: "search" };
  yield { type: "run-start", runId: "r1" };
  yield { type: "reasoning-delta", delta: "Hm" };
  yield { type: "reasoning-end" };
  yield { type: "part-metadata", providerMetadata: { anthropic: { signature: "s" } } };
  yield { type: "text-delta", delta: "Let me look." };
  yield { type: "tool-call-start", ...call };
  yield { type: "tool-call-delta", ...call, delta: '{"q":' };
  yield { type: "tool-call-ready", ...call, input: { q: "Rome" } };
  yield { type: "tool-call-progress", ...call, content: "2" };
  yield { type: "tool-call-result", ...call, content: "21", structuredContent: { celsius: 21 } };
  yield { type: "tool-call-ready", ...call, input: { q: "Ostia" }, isDynamic: true };
  yield { type: "tool-call-result", ...call, content: { reason: "unknown" }, isError: true };
  yield { type: "text-delta", delta: "It is 21 °C." };
  yield { type: "source", id: "p1", url: "https://example.com", title: "Weather" };
  yield { type: "source", id: "p2", mediaType: "application/pdf", name: "a.pdf" };
  yield { type: "file", mediaType: "image/png", url: "https://example.com/a.png", name: "a.png" };
  yield { type: "data", name: "weather", id: "rome", data: { celsius: 20 } };
  yield { type: "data", name: "weather", id: "rome", data: { celsius: 21 } };
  yield { type: "data", name: "progress", data: 1, transient: true };
  yield {
    type: "structured-data",
    streamId: "o1",
    dataType: "recipe",
    kind: "set",
    path: "title",
    value: "Pas",
  };
  yield {
    type: "structured-data",
    streamId: "o1",
    dataType: "recipe",
    kind: "text-delta",
    path: "title",
    delta: "ta",
  };
  yield { type: "text-delta", delta: " Enjoy." };
  yield { type: "done", finishReason: "stop" };
}
