/** The agent: a model with two tools, one of which asks before it acts. */
import { type ChatAgent, defineTool, runTools, toChatMessages } from "@kortyx/server";
import { fromOpenAIChat, toOpenAIChatMessages, toOpenAIChatTools } from "@kortyx/server/openai";
import OpenAI from "openai";
import { z } from "zod";
import { earlierMessages } from "./conversations.ts";
import { findOrders, refundOrder } from "./orders.ts";

// Any server that is compatible with OpenAI's: OPENAI_BASE_URL is its address, and some need no key.
const { OPENAI_API_KEY, OPENAI_BASE_URL, MODEL: model = "gpt-5-mini" } = process.env;
if (!OPENAI_API_KEY && !OPENAI_BASE_URL) {
  console.error("Set OPENAI_API_KEY, or OPENAI_BASE_URL and MODEL for another server than OpenAI's.");
  process.exit(1);
}
const openai = new OpenAI({ apiKey: OPENAI_API_KEY || "none" });

const instructions =
  "You help a shop's employees with orders. Look an order up before you refund it. Be brief.";

const tools = {
  find_orders: defineTool({
    title: "Looking up orders",
    description: "Finds the orders of a customer, newest first.",
    inputSchema: z.object({ customer: z.string().describe("The name, or a part of it.") }),
    run: ({ customer }) => findOrders(customer),
  }),
  refund_order: defineTool({
    title: "Refund",
    description: "Pays money back for an order.",
    inputSchema: z.object({ orderId: z.number(), euros: z.number().positive() }),
    needsApproval: true,
    approvalQuestion: ({ orderId, euros }) => `Refund ${euros} € for order ${orderId}?`,
    canEdit: true,
    // The id of the call makes a second refund of the same call impossible.
    run: ({ orderId, euros }, { toolCallId }) => refundOrder(orderId, euros, toolCallId),
  }),
};

export const agent: ChatAgent = {
  streamChat(messages, options) {
    // Of what the client sends, only the new question counts: the earlier messages are the server's own.
    const conversation = toChatMessages(earlierMessages(messages, options));
    return runTools({
      messages: conversation,
      options,
      tools,
      turn: ({ messages, tools, signal, isLast }) => {
        const system = { role: "system", content: instructions } as const;
        const request = {
          model,
          messages: [system, ...toOpenAIChatMessages(messages)],
          tools: toOpenAIChatTools(tools),
          ...(isLast && { tool_choice: "none" as const }),
          stream: true as const,
          stream_options: { include_usage: true },
        };
        return fromOpenAIChat(openai.chat.completions.create(request, { signal }), { signal });
      },
    });
  },
};
