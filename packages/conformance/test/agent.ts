/** The agent of the README: it knows the prompts of the checks. */
import { setTimeout as wait } from "node:timers/promises";
import type { ChatAgent } from "@kortyx/server";

export const agent: ChatAgent = {
  async *streamChat(messages, { signal }) {
    const [prompt, text] = (messages.at(-1)?.content ?? "").split(/(?<=^conformance:echo) /);
    if (prompt === "conformance:echo") {
      for (const delta of text?.match(/.{1,9}/gsu) ?? []) yield { type: "text-delta", delta };
    } else {
      yield { type: "text-delta", delta: "One moment. " };
      if (prompt === "conformance:fail") throw new Error("conformance-secret");
      if (prompt === "conformance:pause") await wait(60_000, undefined, { signal });
    }
    yield { type: "done", finishReason: "stop" };
  },
};
