/** Chunks of OpenAI's chat completions, as its API streams them. */
import { toFrames } from "./provider-server.ts";

const chunk = (choice: object, fields: object = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1_700_000_000,
  model: "gpt-5-mini",
  choices: [{ index: 0, finish_reason: null, ...choice }],
  ...fields,
});

export const textFrames = (...texts: string[]): string[] =>
  toFrames(texts.map((content) => chunk({ delta: { role: "assistant", content } })));

export const callFrames = (index: number, id: string, name: string, ...pieces: string[]): string[] =>
  toFrames([
    chunk({ delta: { tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] } }),
    ...pieces.map((piece) => chunk({ delta: { tool_calls: [{ index, function: { arguments: piece } }] } })),
  ]);

export const endFrames = (finish_reason: string): string[] => [
  ...toFrames([
    chunk({ delta: {}, finish_reason }),
    { ...chunk({}), choices: [], usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 } },
  ]),
  "data: [DONE]\n\n",
];
