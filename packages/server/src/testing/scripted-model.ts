/** A model whose turns a test writes as lists, for a loop of tools. Knows no provider. */
import type { DoneChunk, StreamChunk } from "@kortyx/protocol";
import type { ModelStream, ModelToolCall } from "../adapters/model-stream.ts";
import type { ToolTurn } from "../tools/run-tools.ts";
import { type AgentScript, playSteps } from "./scripted-agent.ts";

/** What {@link createScriptedModel} returns. */
export interface ScriptedModel {
  /** For the option `turn` of `runTools`: answers with the next script. */
  turn(turn: ToolTurn): ModelStream;
  /** What the model was called with so far, the oldest first. */
  readonly calls: ToolTurn[];
}

/**
 * Creates a model for `runTools`, which answers its first call with the first script, the second with the second, and
 * every later one with the last. Each `tool-call-ready` without an `executor` is a call that the loop runs. A `done` holds the
 * `finishReason` and the usage; without it, the reason is `tool-calls` after a call, and `stop` otherwise.
 *
 * An aborted signal ends a wait, and the turn fails with its reason, as an adapter does.
 *
 * @throws TypeError without a script.
 *
 * @example
 * ```ts
 * const { turn, calls } = createScriptedModel(
 *   [{ type: "tool-call-ready", toolCallId: "1", tool: "weather", input: { city: "Rome" } }],
 *   [{ type: "text-delta", delta: "It is 21 °C." }],
 * );
 * const weather = defineTool({ description: "The weather in a city.", run: () => ({ celsius: 21 }) });
 * await collectStream(runTools({ messages, tools: { weather }, turn }));
 * calls.length; // 2
 * ```
 */
export function createScriptedModel(...scripts: AgentScript[]): ScriptedModel {
  if (scripts.length === 0) throw new TypeError("createScriptedModel() needs at least one script.");
  const calls: ToolTurn[] = [];
  return {
    calls,
    turn: (given) => playTurn(scripts[Math.min(calls.push(given), scripts.length) - 1]!, given.signal),
  };
}

async function* playTurn(script: AgentScript, signal: AbortSignal): ModelStream {
  const toolCalls: ModelToolCall[] = [];
  let end: DoneChunk | undefined;
  for await (const chunk of playSteps(script, signal) as AsyncIterable<StreamChunk>) {
    if (chunk.type === "tool-call-ready" && chunk.executor === undefined) {
      const { toolCallId, tool, input } = chunk;
      toolCalls.push({ toolCallId, tool, input });
    }
    if (chunk.type === "done") end = chunk;
    yield chunk;
  }
  signal.throwIfAborted();
  const usageByModel = end?.usageByModel;
  return {
    finishReason: end?.finishReason ?? (toolCalls.length > 0 ? "tool-calls" : "stop"),
    usage: end?.usage,
    usageByModel,
    model: usageByModel?.[0]?.model,
    toolCalls,
  };
}
