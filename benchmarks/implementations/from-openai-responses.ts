/** `fromOpenAIResponses` over OpenAI's SDK. */
import { OpenAI } from "openai";
import { fromOpenAIResponses } from "../../packages/server/dist/openai.js";
import { fetchOf, toFrames } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";
import { nameOf, responsesEvents } from "./openai-responses-events.ts";

export const implementation: Implementation = {
  title: "`fromOpenAIResponses`",
  packages: ["openai"],
  form: "`for await (const chunk of fromOpenAIResponses(client.responses.create({ stream: true })))`",

  compare() {
    const client = new OpenAI({ apiKey: "key", fetch: fetchOf(toFrames(responsesEvents, nameOf)) });
    const ask = () => client.responses.create({ model: "gpt-5", input: "Hi", stream: true });
    return { bare: ask, ours: () => fromOpenAIResponses(ask()), units: responsesEvents.length };
  },
};
