/** Messages of a conversation with OpenAI's Responses API, as a page sends them. */
import {
  type ChatMessage,
  type ChatMessagePart,
  reduceMessage,
  type StreamChunk,
  type ToolCallMessagePart,
} from "@kortyx/protocol";
import { fromOpenAIResponses } from "../../src/openai.ts";
import { toEvents, type WireItem } from "./openai-responses-wire.ts";

async function* streamOf<Item>(items: Item[]) {
  yield* items;
}

/** The message that a page sends back after these items. */
export async function answerOf(items: WireItem[], added: StreamChunk[] = []): Promise<ChatMessage> {
  const chunks: StreamChunk[] = [];
  for await (const chunk of fromOpenAIResponses(streamOf(toEvents(items)), { terminal: false })) {
    chunks.push(chunk);
  }
  const { parts } = reduceMessage([...chunks, ...added]);
  const sent = parts.filter(({ type }) => type !== "source" && type !== "interrupt");
  return { role: "assistant", content: "", parts: JSON.parse(JSON.stringify(sent)) };
}

export const answer = (...parts: ChatMessagePart[]): ChatMessage => ({
  role: "assistant",
  content: "",
  parts,
});

export const call = (fields: Partial<ToolCallMessagePart> = {}): ToolCallMessagePart => ({
  type: "tool-call",
  toolCallId: "call_1",
  tool: "weather",
  state: "done",
  input: { city: "Rome" },
  content: "21 °C",
  ...fields,
});

export const text = (said: string): WireItem => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: said, annotations: [] }],
});

export const done = { status: "completed" };
