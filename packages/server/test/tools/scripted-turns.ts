/** Turns of a model, written by the test. */
import type { ChatMessage, FinishReason, StreamChunk } from "@kortyx/protocol";
import type { ModelStream, ModelToolCall, ModelTurn } from "../../src/adapters/model-stream.ts";
import type { ToolTurn } from "../../src/tools/run-tools.ts";

/** What one call of the model sends; `calls` are also sent as chunks. */
export interface ScriptedTurn {
  chunks?: StreamChunk[];
  calls?: ModelToolCall[];
  /** @defaultValue `"tool-calls"` if there are calls, else `"stop"` */
  finishReason?: FinishReason;
  usage?: ModelTurn["usage"];
  usageByModel?: ModelTurn["usageByModel"];
  model?: string;
}

/** A `turn` that sends the scripts one after the other, and what it was called with. */
export function scriptTurns(...scripts: ScriptedTurn[]) {
  const turns: ToolTurn[] = [];
  const turn = (given: ToolTurn): ModelStream => {
    turns.push(given);
    const script = scripts[turns.length - 1];
    if (script === undefined) throw new Error(`There is no turn ${turns.length} in the script.`);
    return play(script);
  };
  return { turn, turns };
}

async function* play({ chunks = [], calls = [], ...script }: ScriptedTurn): ModelStream {
  yield* chunks;
  for (const { toolCallId, tool, input } of calls) yield { type: "tool-call-ready", toolCallId, tool, input };
  const finishReason = script.finishReason ?? (calls.length > 0 ? "tool-calls" : "stop");
  // As adapters do that send their own end.
  yield { type: "done", finishReason };
  const { usage, usageByModel, model } = script;
  return { finishReason, usage, usageByModel, model, toolCalls: calls };
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
