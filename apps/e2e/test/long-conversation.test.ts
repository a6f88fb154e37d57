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
  [
    "messages that are too many",
    1000,
    "Hello",
    {},
    "messages must be an array of at most 1000 messages",
    { selectMessages },
    100,
  ],
  [
    "messages that are too large",
    200,
    "x".repeat(6000),
    { maxHistoryBytes: Number.POSITIVE_INFINITY },
    "Your message is too large",
    {},
    166,
  ],
] satisfies [string, number, string, Partial<ChatOptions>, string, Partial<ChatOptions>, number][])(
  "of %s is refused, and continues as documented",
  async (_, count, content, without, reason, remedy, sentCount) => {
    const initialMessages = Array.from({ length: count }, (_, index) => ({
      role: "user" as const,
      id: String(1000 + index),
      content,
    }));
    const refused = createChat({ ...options, ...without, initialMessages });
    await refused.send("Again");
    expect(refused.getSnapshot().error?.message).toContain(reason);
    const chat = createChat({ ...options, ...remedy, initialMessages });
    await chat.send("Again");
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined });
    expect(chat.getSnapshot().messages).toHaveLength(count + 2);
    expect(sent.splice(0)).toEqual([sentCount]);
  },
);
