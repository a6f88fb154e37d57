/** Items of a graph's stream, and what the adapter makes of them. */
import type { StreamChunk } from "@kortyx/protocol";
import { fromLangGraph, type LangGraphEvent, type LangGraphOptions } from "../../src/langgraph.ts";

export async function* streamOf(items: LangGraphEvent[]): AsyncGenerator<LangGraphEvent> {
  yield* items;
}

export async function read(items: LangGraphEvent[], options?: LangGraphOptions) {
  const stream = fromLangGraph(streamOf(items), options);
  const chunks: StreamChunk[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, turn: value };
    chunks.push(value);
  }
}

export const chunksOf = async (items: LangGraphEvent[], options?: LangGraphOptions) =>
  (await read(items, options)).chunks;
export const typesOf = async (items: LangGraphEvent[], options?: LangGraphOptions) =>
  (await chunksOf(items, options)).map(({ type }) => type);
export const without = (chunks: StreamChunk[], ...types: string[]) =>
  chunks.filter(({ type }) => !types.includes(type));

export const piece = (
  id: string,
  content: unknown,
  fields: object = {},
  metadata: object = {},
): LangGraphEvent => [
  "messages",
  [
    { type: "AIMessageChunk", id, content, ...fields },
    { langgraph_node: "agent", langgraph_step: 1, ...metadata },
  ],
];
export const whole = (id: string | undefined, content: unknown, fields: object = {}) => ({
  type: "ai",
  ...(id && { id }),
  content,
  ...fields,
});
export const update = (messages: unknown[], node = "agent"): LangGraphEvent => [
  "updates",
  { [node]: { messages } },
];
export const result = (toolCallId: string, content: unknown, fields: object = {}) => ({
  type: "tool",
  tool_call_id: toolCallId,
  name: "search",
  content,
  ...fields,
});
export const call = (id: string, args: object = {}, name = "search") => ({
  id,
  name,
  args,
  type: "tool_call",
});
export const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");
