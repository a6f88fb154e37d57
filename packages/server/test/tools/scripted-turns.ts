/** Turns of a model, written by the test. */
import type { ChatMessage, FinishReason, StreamChunk } from "@kortyx/protocol";
import type { ModelToolCall, ModelTurn } from "../../src/adapters/model-stream.ts";
import { createScriptedModel } from "../../src/testing/scripted-model.ts";

/** What one call of the model sends; `calls` are also sent as chunks. */
export interface ScriptedTurn {
  chunks?: StreamChunk[];
  calls?: ModelToolCall[];
  /** @defaultValue `"tool-calls"` if there are calls, else `"stop"` */
  finishReason?: FinishReason;
  usage?: ModelTurn["usage"];
  /** Names the model, too. */
  usageByModel?: ModelTurn["usageByModel"];
}

/** A `turn` that sends the scripts one after the other, and what it was called with. */
export function scriptTurns(...scripts: ScriptedTurn[]) {
  const { turn, calls } = createScriptedModel(
    ...scripts.map(({ chunks = [], calls = [], ...end }): StreamChunk[] => [
      ...chunks,
      ...calls.map((one) => ({ type: "tool-call-ready" as const, ...one })),
      // As adapters do that send their own end.
      { type: "done", ...end },
    ]),
    [new Error("There is no such turn in the script.")],
  );
  return { turn, turns: calls };
}

export const text = (delta: string): StreamChunk => ({ type: "text-delta", delta });
export const call = (tool: string, input: unknown = {}, toolCallId = `${tool}-1`): ModelToolCall => ({
  toolCallId,
  tool,
  input,
});

export const user = (content: string): ChatMessage => ({ role: "user", content });

/** All chunks of a stream. */
export async function collect<Chunk>(chunks: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const all: Chunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

/** The chunks without those of steps. */
export const withoutSteps = (chunks: StreamChunk[]): StreamChunk[] =>
  chunks.filter(({ type }) => !type.startsWith("step-"));
