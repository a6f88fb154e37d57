/**
 * The answer that the adapters read and write, in no vocabulary yet: 60 pieces of reasoning, 300 of text, and six tool
 * calls whose inputs arrive in 20 pieces each. Also a response with it, as a provider sends it.
 */
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import { createBody, cutBytes } from "./bodies.ts";
import { agentChunks, textChunks } from "./chunks.ts";

const deltasOf = (chunks: { type: string; delta?: unknown }[], type: string): string[] =>
  chunks.flatMap((chunk) => (chunk.type === type ? [String(chunk.delta)] : []));

export const answer = {
  reasoning: [...deltasOf(textChunks(59), "text-delta"), "so I should look."],
  // Markdown with line breaks, quotes and other scripts.
  text: [...deltasOf(agentChunks(500), "text-delta").slice(0, 299), "That is all."],
};

export interface AnswerCall {
  id: string;
  name: string;
  input: unknown;
  /** The input's JSON. */
  pieces: string[];
}

export const calls: AnswerCall[] = Array.from({ length: 6 }, (_, index) => {
  const input = {
    city: `Berlin ${index}`,
    days: 7,
    units: ["metric", "imperial"],
    note: "mild, with light wind",
  };
  const json = JSON.stringify(input);
  const size = Math.ceil(json.length / 20);
  const pieces = Array.from({ length: 20 }, (_, at) => json.slice(at * size, (at + 1) * size));
  return { id: `call_${index}`, name: "search", input, pieces: pieces.filter((piece) => piece !== "") };
});

/** The frames of a stream; the name of an event precedes its data where the API does so. */
export const toFrames = (events: object[], nameOf?: (event: object) => string): string[] =>
  events.map((event) => `${nameOf ? `event: ${nameOf(event)}\n` : ""}data: ${JSON.stringify(event)}\n\n`);

/** A `fetch` that answers every request with these frames, in pieces of 16 KiB. */
export function fetchOf(frames: string[]): typeof fetch {
  const pieces = cutBytes(new TextEncoder().encode(frames.join("")), 16384);
  const headers = { "content-type": "text/event-stream" };
  return async () => new Response(createBody(pieces) as BodyInit, { headers });
}

/** An async iterable of what exists already. */
export async function* iterate<Item>(items: Item[]): AsyncGenerator<Item> {
  for (const item of items) yield item;
}

/** The answer as our chunks. */
export const answerChunks: StreamChunk[] = [
  ...answer.reasoning.map((delta): StreamChunk => ({ type: "reasoning-delta", delta, segmentId: "r1:0" })),
  { type: "reasoning-end", segmentId: "r1:0" },
  ...answer.text.map((delta): StreamChunk => ({ type: "text-delta", delta, segmentId: "r1:1" })),
  { type: "text-end", segmentId: "r1:1" },
  ...calls.flatMap(({ id: toolCallId, name: tool, input, pieces }): StreamChunk[] => [
    { type: "tool-call-start", tool, toolCallId },
    ...pieces.map((delta): StreamChunk => ({ type: "tool-call-delta", toolCallId, delta })),
    { type: "tool-call-ready", tool, toolCallId, input },
    { type: "tool-call-result", tool, toolCallId, content: { celsius: 21, sky: "mostly sunny" } },
  ]),
  { type: "done", finishReason: "stop", usage: { inputTokens: 900, outputTokens: 480, totalTokens: 1380 } },
];
