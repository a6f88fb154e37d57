/**
 * A route of a Next.js application, `app/api/chat/route.ts`, on its edge runtime. With runs if the request asks for
 * them.
 */
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { headers } from "next/headers";
import { createSteeredAgent } from "./steered-agent.ts";

export const runtime = "edge";

const { agent, diary } = createSteeredAgent(async () => (await headers()).get("x-user") ?? "anonymous");

const plain = createChatRoute({ agent });
const withRuns = createChatRoute({
  agent,
  authorize: (request) => request.headers.get("x-user"),
  runs: { store: createMemoryRunStore() },
});

export const POST = (request: Request) => (request.headers.has("x-runs") ? withRuns : plain).POST(request);
export const DELETE = withRuns.DELETE;

/** The agent's record of its answers, for the tests only. */
export const GET = (request: Request) =>
  request.headers.has("x-runs") ? withRuns.GET(request) : Response.json(diary);
