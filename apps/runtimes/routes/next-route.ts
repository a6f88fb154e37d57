/** A route of a Next.js application, `app/api/chat/route.ts`, on its edge runtime. */
import { createChatRoute } from "@kortyx/server";
import { headers } from "next/headers";
import { createSteeredAgent } from "./steered-agent.ts";

export const runtime = "edge";

const { agent, diary } = createSteeredAgent(async () => (await headers()).get("x-user") ?? "nobody");

export const { POST } = createChatRoute({ agent });

/** Not part of a chat: what has become of the answers. */
export const GET = () => Response.json(diary);
