import type { ModelStream, ModelToolCall, ToolTurn } from "@kortyx/server";

/** A placeholder for your model: it calls the tool, and reports what has become of the call. */
export async function* turn({ messages }: ToolTurn): ModelStream {
  const { role, content, parts = [] } = messages.at(-1)!;
  const call = parts.findLast((part) => part.type === "tool-call");
  if (role === "user") {
    yield { type: "text-delta", delta: "I have written a mail. " };
    const input = { to: "ada@example.com", text: content };
    const written = { toolCallId: crypto.randomUUID(), tool: "send_mail", input };
    yield { type: "tool-call-ready", ...written };
    return endOf([written]);
  }
  const report = call?.state === "denied" ? "I have not sent it." : String(call?.content);
  yield { type: "text-delta", delta: report };
  return endOf([]);
}

const endOf = (toolCalls: ModelToolCall[]) => ({
  finishReason: toolCalls.length > 0 ? ("tool-calls" as const) : ("stop" as const),
  usage: undefined,
  usageByModel: undefined,
  model: undefined,
  toolCalls,
});
