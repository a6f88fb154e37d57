/** The agent as an HTTP server: its route, and the history for a page that reloads. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createChatRoute, describeProviderError, drain } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { createSqliteRunStore } from "@kortyx/server/sqlite";
import { agent } from "./agent.ts";
import { loadMessage, loadMessages, saveAnswer } from "./conversations.ts";

// Replace with your own check: the id of the user, or null for a 401.
const authorize = (_request: Request): string | null => "you";

const route = createChatRoute({
  agent,
  authorize,
  // Without it, a client could invent a refund that was approved. One that is made here ends with the process.
  resumeSecret: process.env.RESUME_SECRET ?? randomBytes(32).toString("base64"),
  loadMessage,
  onError: describeProviderError,
  // Answers outlive their connection: a page that reloads follows its answer.
  runs: { store: createSqliteRunStore({ path: process.env.RUNS ?? "runs.db" }), onFinish: saveAnswer },
});

/** `GET /api/messages?session=…` */
async function getMessages(request: Request): Promise<Response> {
  const owner = authorize(request);
  if (owner === null) return new Response(null, { status: 401 });
  const session = new URL(request.url).searchParams.get("session") ?? "";
  return Response.json(loadMessages(owner, session));
}

const handlers: Record<string, ReturnType<typeof toNodeHandler>> = {
  "/api/chat": toNodeHandler(route.fetch),
  "/api/messages": toNodeHandler(getMessages),
};

const server = createServer((req, res) => {
  const handler = handlers[req.url?.split("?")[0] ?? ""];
  if (handler) handler(req, res);
  else res.writeHead(404).end();
});
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.info(`The agent listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once("SIGTERM", async () => {
  server.close();
  await drain({ deadlineMs: 5000 });
  process.exit();
});
