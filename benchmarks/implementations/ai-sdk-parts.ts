/** The answer as parts of the AI SDK's `streamText`, and its writer of them. */
import { type TextStreamPart, type ToolSet, toUIMessageStream, type UIMessageChunk } from "ai";
import { answer, calls } from "../workloads/answer.ts";

export const parts = [
  { type: "start" },
  { type: "start-step", request: {}, warnings: [] },
  { type: "reasoning-start", id: "0" },
  ...answer.reasoning.map((text) => ({ type: "reasoning-delta", id: "0", text })),
  { type: "reasoning-end", id: "0" },
  { type: "text-start", id: "1" },
  ...answer.text.map((text) => ({ type: "text-delta", id: "1", text })),
  { type: "text-end", id: "1" },
  ...calls.flatMap(({ id, name: toolName, input, pieces }) => [
    { type: "tool-input-start", id, toolName },
    ...pieces.map((delta) => ({ type: "tool-input-delta", id, delta })),
    { type: "tool-input-end", id },
    { type: "tool-call", toolCallId: id, toolName, input },
    { type: "tool-result", toolCallId: id, toolName, input, output: { celsius: 21, sky: "mostly sunny" } },
  ]),
  { type: "finish-step", finishReason: "stop", usage: {}, response: {} },
  { type: "finish", finishReason: "stop", totalUsage: {} },
] as unknown as TextStreamPart<ToolSet>[];

// The DOM types, with which everything else is checked, do not have it yet.
const { from } = ReadableStream as unknown as {
  from<Item>(source: AsyncIterable<Item>): ReadableStream<Item>;
};

export const writeParts = (source: AsyncIterable<TextStreamPart<ToolSet>>): ReadableStream<UIMessageChunk> =>
  toUIMessageStream({ stream: from.call(ReadableStream, source) as ReadableStream<TextStreamPart<ToolSet>> });
