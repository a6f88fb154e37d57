/** `fromAISDK` over the AI SDK, with its provider of OpenAI. */
import { createOpenAI } from "@ai-sdk/openai";
import { jsonSchema, streamText, type ToolSet } from "ai";
import { fromAISDK } from "../../packages/server/dist/ai-sdk.js";
import { fetchOf, toFrames } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";
import { nameOf, responsesEvents } from "./openai-responses-events.ts";

export const implementation: Implementation = {
  title: "`fromAISDK`",
  packages: ["ai", "@ai-sdk/openai"],
  form: "`for await (const chunk of fromAISDK(streamText({ model: openai(…), tools })))`",

  compare() {
    const openai = createOpenAI({ apiKey: "key", fetch: fetchOf(toFrames(responsesEvents, nameOf)) });
    const tools = { search: { inputSchema: jsonSchema({ type: "object" }) } } as ToolSet;
    const ask = () => streamText({ model: openai.responses("gpt-5"), prompt: "Hi", tools });
    return { bare: () => ask().stream, ours: () => fromAISDK(ask()), units: responsesEvents.length };
  },
};
