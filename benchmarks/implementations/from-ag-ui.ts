/** `fromAGUI` over AG-UI's `HttpAgent`. */
import { type BaseEvent, HttpAgent, type RunAgentInput } from "@ag-ui/client";
import { type AGUIEvent, fromAGUI, toAGUI } from "../../packages/server/dist/ag-ui.js";
import { answerChunks, fetchOf, iterate, toFrames } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";

const ids = { threadId: "t1", runId: "r1" };
const input: RunAgentInput = { ...ids, messages: [], tools: [], context: [], state: {}, forwardedProps: {} };

export const implementation: Implementation = {
  title: "`fromAGUI`",
  packages: ["@ag-ui/client"],
  form: "`for await (const chunk of fromAGUI(new HttpAgent({ url }).run(input)))`",

  async compare() {
    const events: AGUIEvent[] = [];
    for await (const event of toAGUI(iterate(answerChunks), ids)) events.push(event);
    const agent = new HttpAgent({ url: "http://localhost", fetch: fetchOf(toFrames(events)) });
    return {
      bare: () => collect(agent),
      ours: () => fromAGUI(agent.run(input)),
      units: events.length,
    };
  },
};

/** As a subscriber receives them. */
async function collect(agent: HttpAgent): Promise<AsyncIterable<BaseEvent>> {
  const events: BaseEvent[] = [];
  await new Promise<void>((resolve, reject) => {
    agent.run(input).subscribe({ next: (event) => events.push(event), error: reject, complete: resolve });
  });
  return iterate(events);
}
