import { setTimeout as sleep } from "node:timers/promises";
import type { ChatAgent } from "@kortyx/server";

/** A placeholder for your model: it answers word by word. */
export const agent: ChatAgent = {
  async *streamChat(messages, { signal }) {
    const question = messages.at(-1)?.content;
    const answer = `You asked: ${question} A model would know the answer, and send it in the same way: a few letters at a time, until it is done or you stop it.`;
    for (const word of answer.split(" ")) {
      await sleep(50, undefined, { signal });
      yield { type: "text-delta", delta: `${word} ` };
    }
    yield { type: "done" };
  },
};
