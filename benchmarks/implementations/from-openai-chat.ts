/** `fromOpenAIChat` over OpenAI's SDK. The reasoning is in the field of compatible servers. */
import { OpenAI } from "openai";
import { fromOpenAIChat } from "../../packages/server/dist/openai.js";
import { answer, calls, fetchOf, toFrames } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";

const event = (delta: object, finish_reason: string | null = null): object => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1_700_000_000,
  model: "gpt-5-mini",
  service_tier: "default",
  system_fingerprint: "fp_1",
  choices: [{ index: 0, delta, logprobs: null, finish_reason }],
});
const usage = { prompt_tokens: 900, completion_tokens: 480, total_tokens: 1380 };
const events: object[] = [
  event({ role: "assistant", content: "" }),
  ...answer.reasoning.map((reasoning_content) => event({ reasoning_content })),
  ...answer.text.map((content) => event({ content })),
  ...calls.flatMap(({ id, name, pieces }, index) => [
    event({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] }),
    ...pieces.map((piece) => event({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ]),
  event({}, "tool_calls"),
  { ...event({}), choices: [], usage },
];

export const implementation: Implementation = {
  title: "`fromOpenAIChat`",
  packages: ["openai"],
  form: "`for await (const chunk of fromOpenAIChat(client.chat.completions.create({ stream: true })))`",

  compare() {
    const fetch = fetchOf([...toFrames(events), "data: [DONE]\n\n"]);
    const client = new OpenAI({ apiKey: "key", fetch });
    const ask = () => client.chat.completions.create({ model: "gpt-5-mini", messages: [], stream: true });
    return { bare: ask, ours: () => fromOpenAIChat(ask()), units: events.length };
  },
};
