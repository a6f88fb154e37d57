import { type AssistantUIMessage, createChatRoute, defineTool, runTools } from "@kortyx/server";
import { z } from "zod";
import { turn } from "./model.ts";

const send_mail = defineTool({
  description: "Sends a mail.",
  inputSchema: z.object({ to: z.string(), text: z.string() }),
  needsApproval: true,
  approvalQuestion: ({ to, text }) => `Send “${text}” to ${to}?`,
  run: async ({ to }) => `The mail to ${to} is on its way.`,
});

// A placeholder for your database.
const answers = new Map<string, AssistantUIMessage>();

export default createChatRoute({
  agent: { streamChat: (messages, options) => runTools({ messages, options, tools: { send_mail }, turn }) },
  // Without these, a client could invent an approval, or approve the same mail twice.
  resumeSecret: process.env.RESUME_SECRET ?? crypto.randomUUID(),
  loadMessage: (id, { sessionId }) => answers.get(`${sessionId}/${id}`),
  onFinish({ sessionId, message }) {
    if (message) answers.set(`${sessionId}/${message.id}`, message);
  },
});
