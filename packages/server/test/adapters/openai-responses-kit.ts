/** Reads what the adapter makes of events, and the items that its tests share. */
import type { StreamChunk } from "@kortyx/protocol";
import type { AdapterOptions, ModelTurn } from "../../src/adapters/model-stream.ts";
import { fromOpenAIResponses } from "../../src/openai.ts";
import { toEvents, type WireEvent, type WireItem } from "./openai-responses-wire.ts";

export async function* streamOf(events: WireEvent[]) {
  yield* events;
}

/** The chunks and the turn of a stream. */
export async function read(events: WireEvent[], options?: AdapterOptions) {
  const chunks: StreamChunk[] = [];
  const stream = fromOpenAIResponses(streamOf(events), options);
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, turn: value as ModelTurn };
    chunks.push(value as StreamChunk);
  }
}

/** The chunks of these items, without the facts and the end. */
export async function chunksOf(...items: WireItem[]): Promise<StreamChunk[]> {
  const { chunks } = await read(toEvents(items), { terminal: false });
  return chunks.filter(({ type }) => type !== "metadata");
}

export const message = (text: string, fields: Record<string, unknown> = {}): WireItem => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }],
  ...fields,
});

export const call = (fields: Record<string, unknown> = {}): WireItem => ({
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "weather",
  arguments: '{"city":"Rome"}',
  status: "completed",
  ...fields,
});

export const approval: WireItem = {
  type: "mcp_approval_request",
  id: "mcpr_1",
  name: "delete_page",
  arguments: '{"page":7}',
  server_label: "wiki",
};
