/** A route with AG-UI's wire, beside its encoder in a route without us; both parse the request. */
import { RunAgentInputSchema } from "@ag-ui/core/schemas";
import { type AGUIEvent, agUIWire, toAGUI } from "../../packages/server/dist/ag-ui.js";
import { answerChunks, iterate } from "../workloads/answer.ts";
import { createSource } from "../workloads/sources.ts";
import { implementation as agUI } from "./ag-ui.ts";
import type { Implementation } from "./implementation.ts";
import { bodyOf, createRoute, postOf, postOwn } from "./own-route.ts";

const ids = { threadId: "t1", runId: "r1" };
const post = postOf({
  ...ids,
  messages: [{ id: "u1", role: "user", content: "Hi" }],
  tools: [],
  context: [],
  state: {},
  forwardedProps: {},
});

export const implementation: Implementation = {
  title: "`wires: [agUIWire]`",
  packages: ["@ag-ui/core", "@ag-ui/encoder"],
  form: "`createChatRoute({ agent, wires: [agUIWire] })`, beside `RunAgentInputSchema.parse` and the encoder with the same events ready-made",

  async compare() {
    const events: AGUIEvent[] = [];
    for await (const event of toAGUI(iterate(answerChunks), ids)) events.push(event);
    const route = createRoute([agUIWire]);
    return {
      async bare() {
        RunAgentInputSchema.parse(await post().json());
        return bodyOf(await agUI.encode!(createSource(events, "burst16")));
      },
      ours: async () => bodyOf(await route.POST(post())),
      ownWire: async () => bodyOf(await route.POST(postOwn())),
      units: answerChunks.length,
    };
  },
};
