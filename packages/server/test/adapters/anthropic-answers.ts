/** Streams of Anthropic as its documentation shows them, and what a page makes of their chunks. */
import { type ChatMessagePart, reduceMessage, type StreamChunk } from "@kortyx/protocol";
import type { AnthropicEvent } from "../../src/adapters/anthropic.ts";

type Block = Record<string, unknown> & { type: string };

export const start = (usage: Record<string, unknown> = { input_tokens: 10, output_tokens: 1 }) => ({
  type: "message_start" as const,
  message: { id: "msg_1", model: "claude-test", usage },
});

/** One block: its start, its deltas and its end. */
export const block = (index: number, content_block: Block, ...deltas: Block[]): AnthropicEvent[] => [
  { type: "content_block_start", index, content_block },
  ...deltas.map((delta) => ({ type: "content_block_delta" as const, index, delta })),
  { type: "content_block_stop", index },
];

export const text = (index: number, ...pieces: string[]): AnthropicEvent[] =>
  block(index, { type: "text", text: "" }, ...pieces.map((piece) => ({ type: "text_delta", text: piece })));

export const json = (...pieces: string[]): Block[] =>
  pieces.map((partial_json) => ({ type: "input_json_delta", partial_json }));

export const end = (stop_reason: string | null = "end_turn", delta: Record<string, unknown> = {}) => [
  {
    type: "message_delta" as const,
    delta: { stop_reason, stop_sequence: null, ...delta },
    usage: { output_tokens: 20 },
  },
  { type: "message_stop" as const },
];

export async function* play(events: Iterable<AnthropicEvent>): AsyncGenerator<AnthropicEvent> {
  yield* events;
}

/** @returns the parts as a client sends them back. */
export function toSentParts(chunks: StreamChunk[]): ChatMessagePart[] {
  const sent = ["text", "reasoning", "tool-call", "file", "data", "step"];
  return reduceMessage(chunks).parts.filter(({ type }) => sent.includes(type)) as ChatMessagePart[];
}

/** @returns the chunks, and what the generator returns or throws. */
export async function drain<Turn>(stream: AsyncGenerator<StreamChunk, Turn>) {
  const chunks: StreamChunk[] = [];
  try {
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return { chunks, turn: value, error: undefined };
      chunks.push(value);
    }
  } catch (error) {
    return { chunks, turn: undefined, error };
  }
}
