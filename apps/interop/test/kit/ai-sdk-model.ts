/** A model of the AI SDK that follows a script: for each step, the parts that its provider would send. */
import type { MockLanguageModelV4 as MockModel } from "ai/test";
import { isInstalled } from "../../install.ts";

const { MockLanguageModelV4 } = isInstalled() ? await import("ai/test") : ({} as never);

type Answer = Awaited<ReturnType<MockModel["doStream"]>>;
type Prompt = Parameters<MockModel["doStream"]>[0]["prompt"];

export type ScriptedPart = Answer["stream"] extends ReadableStream<infer Part> ? Part : never;

export const finishPart = (reason: "stop" | "length" | "tool-calls"): ScriptedPart => ({
  type: "finish",
  finishReason: { unified: reason, raw: reason },
  usage: {
    inputTokens: { total: 30, noCache: 20, cacheRead: 10, cacheWrite: undefined },
    outputTokens: { total: 5, text: 3, reasoning: 2 },
  },
});

export const textParts = (text: string, id = "0"): ScriptedPart[] => [
  { type: "text-start", id },
  { type: "text-delta", id, delta: text },
  { type: "text-end", id },
];

export const callPart = (toolCallId: string, toolName: string, input: unknown = {}): ScriptedPart => ({
  type: "tool-call",
  toolCallId,
  toolName,
  input: JSON.stringify(input),
});

/** @returns the model, and the prompts that it has received. */
export function scriptModel(...steps: ScriptedPart[][]) {
  const prompts: Prompt[] = [];
  const model = new MockLanguageModelV4({
    modelId: "model-1",
    doStream: async ({ prompt }) => {
      prompts.push(prompt);
      return { stream: streamOf(steps[prompts.length - 1] ?? []) };
    },
  });
  return { model, prompts };
}

export const streamOf = <Part>(parts: readonly Part[]): ReadableStream<Part> =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
