/** A route with the AI SDK's wire, beside a route of the AI SDK; both parse the request. */
import { convertToModelMessages, createUIMessageStreamResponse, type UIMessage } from "ai";
import { aiSDKWire } from "../../packages/server/dist/ai-sdk.js";
import { answerChunks } from "../workloads/answer.ts";
import { createSource } from "../workloads/sources.ts";
import { parts, writeParts } from "./ai-sdk-parts.ts";
import type { Implementation } from "./implementation.ts";
import { bodyOf, createRoute, postOf, postOwn } from "./own-route.ts";

const messages: UIMessage[] = [{ id: "u1", role: "user", parts: [{ type: "text", text: "Hi" }] }];
const post = postOf({ id: "s1", trigger: "submit-message", messages });

async function respond(request: Request): Promise<Response> {
  const body = (await request.json()) as { messages: UIMessage[] };
  await convertToModelMessages(body.messages);
  return createUIMessageStreamResponse({
    stream: writeParts(createSource(parts, "burst16")),
    keepAliveMs: 8000,
  });
}

export const implementation: Implementation = {
  title: "`wires: [aiSDKWire]`",
  packages: ["ai"],
  form: "`createChatRoute({ agent, wires: [aiSDKWire] })`, beside `convertToModelMessages`, `toUIMessageStream` and `createUIMessageStreamResponse`",

  compare() {
    const route = createRoute([aiSDKWire]);
    return {
      bare: async () => bodyOf(await respond(post())),
      ours: async () => bodyOf(await route.POST(post())),
      ownWire: async () => bodyOf(await route.POST(postOwn())),
      units: answerChunks.length,
    };
  },
};
