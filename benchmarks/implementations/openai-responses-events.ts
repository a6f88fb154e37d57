/** The answer as OpenAI's Responses API streams it; the AI SDK's provider reads it, too. */
import { answer, calls } from "../workloads/answer.ts";

const response = {
  id: "resp_1",
  object: "response",
  created_at: 1_700_000_000,
  model: "gpt-5",
  service_tier: "default",
};

function itemEvents(output_index: number, begun: object, events: object[], item: object): object[] {
  return [
    { type: "response.output_item.added", output_index, item: { ...item, ...begun, status: "in_progress" } },
    ...events.map((event) => ({ ...event, output_index })),
    { type: "response.output_item.done", output_index, item: { ...item, status: "completed" } },
  ];
}

function reasoningEvents(): object[] {
  const item_id = "rs_1";
  const place = { item_id, summary_index: 0 };
  const text = answer.reasoning.join("");
  const part = { type: "summary_text", text };
  const events = [
    { type: "response.reasoning_summary_part.added", ...place, part: { ...part, text: "" } },
    ...answer.reasoning.map((delta) => ({ type: "response.reasoning_summary_text.delta", ...place, delta })),
    { type: "response.reasoning_summary_text.done", ...place, text },
    { type: "response.reasoning_summary_part.done", ...place, part },
  ];
  return itemEvents(0, { summary: [] }, events, { type: "reasoning", id: item_id, summary: [part] });
}

function textEvents(): object[] {
  const place = { item_id: "msg_1", content_index: 0 };
  const text = answer.text.join("");
  const part = { type: "output_text", text, annotations: [], logprobs: [] };
  const events = [
    { type: "response.content_part.added", ...place, part: { ...part, text: "" } },
    ...answer.text.map((delta) => ({ type: "response.output_text.delta", ...place, delta, logprobs: [] })),
    { type: "response.output_text.done", ...place, text, logprobs: [] },
    { type: "response.content_part.done", ...place, part },
  ];
  return itemEvents(1, { content: [] }, events, {
    type: "message",
    id: place.item_id,
    role: "assistant",
    content: [part],
  });
}

const callEvents = calls.flatMap(({ id: call_id, name, input, pieces }, index) => {
  const item_id = `fc_${index}`;
  const json = JSON.stringify(input);
  const events = [
    ...pieces.map((delta) => ({ type: "response.function_call_arguments.delta", item_id, delta })),
    { type: "response.function_call_arguments.done", item_id, name, arguments: json },
  ];
  const item = { type: "function_call", id: item_id, call_id, name, arguments: json };
  return itemEvents(index + 2, { arguments: "" }, events, item);
});

const usage = {
  input_tokens: 900,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 480,
  output_tokens_details: { reasoning_tokens: 60 },
  total_tokens: 1380,
};

export const responsesEvents: object[] = [
  { type: "response.created", response: { ...response, status: "in_progress", output: [] } },
  { type: "response.in_progress", response: { ...response, status: "in_progress", output: [] } },
  ...reasoningEvents(),
  ...textEvents(),
  ...callEvents,
  { type: "response.completed", response: { ...response, status: "completed", output: [], usage } },
].map((event, sequence_number) => ({ ...event, sequence_number }));

/** Every event has a name, too. */
export const nameOf = (event: object): string => (event as { type: string }).type;
