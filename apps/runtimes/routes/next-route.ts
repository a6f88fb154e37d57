/** A route of a Next.js application, `app/api/chat/route.ts`, on its edge runtime. With runs where the request says so. */
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { headers } from "next/headers";
import { createSteeredAgent } from "./steered-agent.ts";

export const runtime = "edge";

const { agent, diary } = createSteeredAgent(async () => (await headers()).get("x-user") ?? "nobody");

const plain = createChatRoute({ agent });
const withRuns = createChatRoute({
  agent,
  authorize: (request) => request.headers.get("x-user"),
  runs: { store: createMemoryRunStore() },
});

export const POST = (request: Request) => (request.headers.has("x-runs") ? withRuns : plain).POST(request);
export const DELETE = withRuns.DELETE;

/** Without runs, what has become of the answers: not part of a chat. */
export const GET = (request: Request) =>
  request.headers.has("x-runs") ? withRuns.GET(request) : Response.json(diary);
