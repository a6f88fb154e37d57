/** `fromAnthropic` over Anthropic's SDK. */
import { Anthropic } from "@anthropic-ai/sdk";
import { fromAnthropic } from "../../packages/server/dist/anthropic.js";
import { answer, calls, fetchOf, toFrames } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";
import { nameOf } from "./openai-responses-events.ts";

const block = (index: number, content_block: object, deltas: object[]): object[] => [
  { type: "content_block_start", index, content_block },
  ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
  { type: "content_block_stop", index },
];
const usage = { input_tokens: 900, output_tokens: 1 };
const message = { id: "msg_1", type: "message", role: "assistant", model: "claude", content: [], usage };
const events: object[] = [
  { type: "message_start", message: { ...message, stop_reason: null, stop_sequence: null } },
  ...block(0, { type: "thinking", thinking: "", signature: "" }, [
    ...answer.reasoning.map((thinking) => ({ type: "thinking_delta", thinking })),
    { type: "signature_delta", signature: "c2lnbmF0dXJl" },
  ]),
  ...block(
    1,
    { type: "text", text: "" },
    answer.text.map((text) => ({ type: "text_delta", text })),
  ),
  ...calls.flatMap(({ id, name, pieces }, index) =>
    block(
      index + 2,
      { type: "tool_use", id, name, input: {} },
      pieces.map((partial_json) => ({ type: "input_json_delta", partial_json })),
    ),
  ),
  {
    type: "message_delta",
    delta: { stop_reason: "tool_use", stop_sequence: null },
    usage: { output_tokens: 480 },
  },
  { type: "message_stop" },
];

export const implementation: Implementation = {
  title: "`fromAnthropic`",
  packages: ["@anthropic-ai/sdk"],
  form: "`for await (const chunk of fromAnthropic(client.messages.create({ stream: true })))`",

  compare() {
    const client = new Anthropic({ apiKey: "key", fetch: fetchOf(toFrames(events, nameOf)) });
    const ask = () =>
      client.messages.create({ model: "claude", max_tokens: 1000, messages: [], stream: true });
    return { bare: ask, ours: () => fromAnthropic(ask()), units: events.length };
  },
};
