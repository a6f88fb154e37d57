/** A conversation that exceeds the limits of a route. */
import { readFileSync } from "node:fs";
import { type ChatOptions, createChat } from "@kortyx/client";
import { createChatRoute } from "@kortyx/server";
import { expect, test } from "vitest";

const sent: number[] = [];
const route = createChatRoute({
  agent: {
    async *streamChat(messages) {
      sent.push(messages.length);
      yield { type: "text-delta", delta: "Hi" };
      yield { type: "done" };
    },
  },
});
const options = {
  endpoint: "http://host/",
  fetch: (url: string | URL, init: RequestInit) => route.POST(new Request(url, init)),
};

/** The selection that the client's README recommends. */
const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");
const [, documented] = /`(\(messages\) => messages\.slice\(-\d+\))`/.exec(readme)!;
const selectMessages: ChatOptions["selectMessages"] = new Function(`return ${documented}`)();

test.each([
  ["too many messages", 1000, "Hello", "messages must be an array of at most 1000 messages"],
  ["messages that are too large", 200, "x".repeat(6000), "the body is larger than 1048576 bytes"],
])(
  "of %s is refused, and continues with the documented selectMessages",
  async (_, count, content, reason) => {
    const initialMessages = Array.from({ length: count }, () => ({ role: "user" as const, content }));
    const refused = createChat({ ...options, initialMessages });
    await refused.send("Again");
    expect(refused.getSnapshot().error?.message).toContain(reason);
    const chat = createChat({ ...options, initialMessages, selectMessages });
    await chat.send("Again");
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined });
    expect(chat.getSnapshot().messages).toHaveLength(count + 2);
    expect(sent.splice(0)).toEqual([100]);
  },
);
