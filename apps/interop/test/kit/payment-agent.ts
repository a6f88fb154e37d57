/** An agent whose model first calls a tool of the page, then one that needs an approval, and then ends its answer. */
import {
  type AssistantUIMessage,
  type ChatAgent,
  type ChatRouteOptions,
  defineTool,
  runTools,
} from "@kortyx/server";

export interface PaymentAgent {
  agent: ChatAgent;
  /** The options of a route whose answers are signed and stored. */
  options: Partial<ChatRouteOptions>;
  /** The inputs of the payments that were made. */
  paid: unknown[];
  /** How often the model was called. */
  turns(): number;
}

/** @param runs - The runs of the route, if it has any. */
export function createPaymentAgent(runs: ChatRouteOptions["runs"]): PaymentAgent {
  const paid: unknown[] = [];
  const saved = new Map<string, AssistantUIMessage>();
  const onFinish = ({ message }: { message?: AssistantUIMessage | undefined }) => {
    if (message) saved.set(message.id, message);
  };
  const tools = {
    pay: defineTool({
      description: "Pays.",
      needsApproval: true,
      run: (input) => {
        paid.push(input);
        return "paid";
      },
    }),
    locate: defineTool({ description: "Where the user is." }),
  };
  const calls = [
    { toolCallId: "1", tool: "locate", input: {} },
    { toolCallId: "2", tool: "pay", input: { euros: 5 } },
  ];
  let turns = 0;
  const agent: ChatAgent = {
    streamChat: (messages, options) =>
      runTools({
        messages,
        options,
        tools,
        async *turn() {
          const call = calls[turns++];
          if (call === undefined) yield { type: "text-delta", delta: "Done." };
          else yield { type: "tool-call-ready", ...call };
          const toolCalls = call ? [call] : [];
          const finishReason = call ? "tool-calls" : "stop";
          return { finishReason, toolCalls, usage: undefined, usageByModel: undefined, model: undefined };
        },
      }),
  };
  return {
    agent,
    options: {
      resumeSecret: "a secret of at least 32 characters",
      loadMessage: (id) => saved.get(id),
      ...(runs ? { runs: { ...runs, onFinish } } : { onFinish }),
    },
    paid,
    turns: () => turns,
  };
}
