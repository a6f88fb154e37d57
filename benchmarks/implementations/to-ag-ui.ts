/** `toAGUI` and AG-UI's encoder, beside that encoder with the same events ready-made. */
import { EventEncoder } from "@ag-ui/encoder";
import { type AGUIEvent, toAGUI } from "../../packages/server/dist/ag-ui.js";
import { answerChunks, iterate } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";

const ids = { threadId: "t1", runId: "r1" };

async function* encode(events: AsyncIterable<AGUIEvent>): AsyncGenerator<string> {
  const encoder = new EventEncoder();
  for await (const event of events)
    yield encoder.encodeSSE(event as Parameters<EventEncoder["encodeSSE"]>[0]);
}

export const implementation: Implementation = {
  title: "`toAGUI`",
  packages: ["@ag-ui/encoder"],
  form: "`toAGUI(chunks, { threadId, runId })` and `new EventEncoder().encodeSSE(event)`, beside the latter alone",

  async compare() {
    const events: AGUIEvent[] = [];
    for await (const event of toAGUI(iterate(answerChunks), ids)) events.push(event);
    return {
      bare: () => encode(iterate(events)),
      ours: () => encode(toAGUI(iterate(answerChunks), ids)),
      units: answerChunks.length,
    };
  },
};
