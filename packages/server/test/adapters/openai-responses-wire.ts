/** The events with which OpenAI's Responses API streams the items of a response, written from its documentation. */

export type WireItem = { type: string } & Record<string, unknown>;
export type WireEvent = { type: string } & Record<string, unknown>;

const usage = {
  input_tokens: 12,
  input_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
  output_tokens: 30,
  output_tokens_details: { reasoning_tokens: 9 },
  total_tokens: 42,
};

const facts = { id: "resp_1", object: "response", model: "gpt-5.2", service_tier: "default" };

/** The whole stream of a response with these items. */
export function toEvents(items: WireItem[], response: Record<string, unknown> = {}): WireEvent[] {
  const begun = { ...facts, status: "in_progress", output: [], usage: null, ...response };
  const ended = { ...begun, status: "completed", output: items, usage, ...response };
  const events: WireEvent[] = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    ...items.flatMap((item, index) => toItemEvents(item, index)),
    { type: "response.completed", response: ended },
  ];
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}

/** The events of one item. */
export function toItemEvents(item: WireItem, output_index: number): WireEvent[] {
  return [
    { type: "response.output_item.added", output_index, item: toBegun(item) },
    ...toPieces(item).map((event) => ({ ...event, output_index })),
    { type: "response.output_item.done", output_index, item },
  ];
}

/** Only what is known at the beginning. */
function toBegun(item: WireItem): WireItem {
  const names = [
    "type",
    "id",
    "call_id",
    "name",
    "role",
    "phase",
    "server_label",
    "environment",
    "execution",
  ];
  const known = [...names, "approval_request_id"].filter((name) => item[name] !== undefined);
  return {
    ...Object.fromEntries(known.map((name) => [name, item[name]])),
    type: item.type,
    status: "in_progress",
  };
}

const halves = (text: string): string[] => {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((half) => half !== "");
};

function toPieces(item: WireItem): WireEvent[] {
  const item_id = item.id;
  const place = { item_id };
  const deltas = (name: string, text: unknown): WireEvent[] => [
    ...halves(String(text)).map((delta) => ({ type: `response.${name}.delta`, ...place, delta })),
    { type: `response.${name}.done`, ...place },
  ];
  switch (item.type) {
    case "message":
      return (item.content as WireItem[]).flatMap((part, at) =>
        toTextEvents(part, { item_id, content_index: at }),
      );
    case "reasoning":
      return [
        ...(item.summary as WireItem[]).flatMap((part, at) =>
          toSummaryEvents(part, { item_id, summary_index: at }),
        ),
        ...((item.content ?? []) as WireItem[]).flatMap((part, at) => [
          ...halves(String(part.text)).map((delta) => ({
            type: "response.reasoning_text.delta",
            item_id,
            content_index: at,
            delta,
          })),
          { type: "response.reasoning_text.done", item_id, content_index: at, text: part.text },
        ]),
      ];
    case "function_call":
      return deltas("function_call_arguments", item.arguments);
    case "mcp_call":
      return deltas("mcp_call_arguments", item.arguments);
    case "custom_tool_call":
      return deltas("custom_tool_call_input", item.input);
    case "code_interpreter_call":
      return deltas("code_interpreter_call_code", item.code);
    default:
      return [];
  }
}

function toTextEvents(part: WireItem, place: Record<string, unknown>): WireEvent[] {
  const { type, text = part.refusal, annotations = [] } = part;
  const name = type === "refusal" ? "refusal" : "output_text";
  return [
    { type: "response.content_part.added", ...place, part: { type, text: "", annotations: [] } },
    ...halves(String(text)).map((delta) => ({ type: `response.${name}.delta`, ...place, delta })),
    ...(annotations as WireItem[]).map((annotation) => ({
      type: "response.output_text.annotation.added",
      ...place,
      annotation,
    })),
    { type: `response.${name}.done`, ...place, text },
    { type: "response.content_part.done", ...place, part },
  ];
}

function toSummaryEvents(part: WireItem, place: Record<string, unknown>): WireEvent[] {
  return [
    { type: "response.reasoning_summary_part.added", ...place, part: { type: part.type, text: "" } },
    ...halves(String(part.text)).map((delta) => ({
      type: "response.reasoning_summary_text.delta",
      ...place,
      delta,
    })),
    { type: "response.reasoning_summary_text.done", ...place, text: part.text },
    { type: "response.reasoning_summary_part.done", ...place, part },
  ];
}
