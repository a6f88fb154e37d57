import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { StreamChunk } from "@kortyx/server";
import { collectBufferedStream, collectStream } from "@kortyx/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createDocumentationAgent } from "../src/documentation-agent.ts";
import { createTemporaryFolder, writeFileIn } from "./temporary-folder.ts";

const user = (content: string) => ({ role: "user" as const, content });
const assistant = (content: string) => ({ role: "assistant" as const, content });

const files = {
  "README.md":
    "# House\n\nA stream of typed chunks.\n\n## Garden\n\nThe garden has roses. They bloom in June.\n",
  "docs/kitchen.md":
    "# Kitchen\n\nThe stove is green.\n\n```ts\nconst stove = light();\n\ncook(stove);\n```\n",
};

async function createAgent(tokensPerSecond = 0) {
  const root = await createTemporaryFolder(files);
  return { root, agent: createDocumentationAgent({ root, tokensPerSecond }) };
}

describe("an answer", () => {
  test("quotes a file as soon as it is there, and no longer than it is there", async () => {
    const { root, agent } = await createAgent();
    const ask = async () =>
      (await collectBufferedStream(agent.streamChat([user("What is a flumoxitron?")], {}))).text;

    expect(await ask()).toMatch(/^I found nothing about this/);
    await writeFileIn(
      root,
      "notes/new.md",
      "# Machines\n\nA flumoxitron hums at seven hertz. It is violet.\n",
    );
    expect(await ask()).toContain("> **Machines**\n>\n> A flumoxitron hums at seven hertz. It is violet.");
    await rm(join(root, "notes/new.md"));
    expect(await ask()).toMatch(/^I found nothing about this/);
  });

  test("arrives as session, status, tool call, text, sources and done, in this order", async () => {
    const { agent } = await createAgent();
    const chunks = await collectStream(
      agent.streamChat([user("Which colour has the stove?")], { sessionId: "s1" }),
    );
    const types = chunks.map((chunk) => chunk.type);
    expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
      "session",
      "status",
      "tool-call-start",
      "tool-call-result",
      "text-delta",
      "source",
      "done",
    ]);

    const toolCallId = expect.any(String);
    expect(chunks.slice(0, 4)).toEqual([
      { type: "session", sessionId: "s1" },
      { type: "status", message: "Searching the documentation" },
      {
        type: "tool-call-start",
        tool: "search_documentation",
        toolCallId,
        input: { query: "Which colour has the stove?" },
      },
      {
        type: "tool-call-result",
        tool: "search_documentation",
        toolCallId,
        content: [{ path: "docs/kitchen.md", heading: "Kitchen", score: expect.any(Number) }],
      },
    ]);
    const [start, result] = chunks.filter((chunk) => "toolCallId" in chunk);
    expect(start?.toolCallId).toBe(result?.toolCallId);
    expect(chunks.at(-2)).toEqual({
      type: "source",
      id: "source-1",
      title: "docs/kitchen.md › Kitchen",
      url: "/docs/docs/kitchen.md",
    });
    const outputTokens = types.filter((type) => type === "text-delta").length;
    expect(chunks.at(-1)).toEqual({
      type: "done",
      finishReason: "stop",
      usage: { inputTokens: 5, outputTokens, totalTokens: 5 + outputTokens },
    });
  });

  test("quotes code blocks whole", async () => {
    const { agent } = await createAgent();
    const { text } = await collectBufferedStream(agent.streamChat([user("stove")], {}));
    expect(text).toContain("> ```ts\n> const stove = light();\n>\n> cook(stove);\n> ```");
  });

  test("is honest when nothing was found, and names no source", async () => {
    const { agent } = await createAgent();
    const { chunks } = await collectBufferedStream(agent.streamChat([user("flumoxitron")], {}));
    expect(chunks.find((chunk) => chunk.type === "tool-call-result")?.content).toBe("Nothing found.");
    expect(chunks.filter((chunk) => chunk.type === "source")).toEqual([]);
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
  });

  test("says when a word of the question is unknown", async () => {
    const { agent } = await createAgent();
    const { text } = await collectBufferedStream(agent.streamChat([user("purple stove")], {}));
    expect(text).toMatch(/^Not every word of your question occurs in the documentation\./);
    expect(text).toContain("The stove is green.");
  });

  test("answers the last message of the user", async () => {
    const { agent } = await createAgent();
    const messages = [user("stove"), assistant("It is green."), user("roses"), assistant("roses stove")];
    const { chunks, text } = await collectBufferedStream(agent.streamChat(messages, {}));
    expect(chunks.find((chunk) => chunk.type === "tool-call-start")?.input).toEqual({ query: "roses" });
    expect(text).toContain("The garden has roses.");
    expect(text).not.toContain("stove");
  });

  test("begins a new session when there is none", async () => {
    const { agent } = await createAgent();
    const sessionOf = async () => (await collectStream(agent.streamChat([user("roses")], {})))[0];
    const [first, second] = [await sessionOf(), await sessionOf()];
    expect(first).toEqual({ type: "session", sessionId: expect.stringMatching(/^[\da-f-]{36}$/) });
    expect(second).not.toEqual(first);
  });

  test("is written in pieces of a word each", async () => {
    const { agent } = await createAgent();
    const chunks = await collectStream(agent.streamChat([user("roses")], {}));
    const lengths = chunks.flatMap((chunk) => (chunk.type === "text-delta" ? chunk.delta.trim().length : []));
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    expect(Math.max(...lengths)).toBeLessThanOrEqual(8);
    expect(mean).toBeGreaterThan(2.5);
  });
});

describe("the pace", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Reads up to and including the first piece of text, which is never waited for. */
  async function readFirstDelta(stream: AsyncGenerator<StreamChunk>): Promise<void> {
    for (;;) {
      const { value, done } = await stream.next();
      if (done) throw new Error("The answer has no text.");
      if (value.type === "text-delta") return;
    }
  }

  const useFakeClock = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });

  test("is one piece in each interval", async () => {
    const { agent } = await createAgent(10);
    useFakeClock();
    const stream = agent.streamChat([user("roses")], {}) as AsyncGenerator<StreamChunk>;
    await readFirstDelta(stream);

    let arrived = 0;
    const second = stream.next().then(() => arrived++);
    await vi.advanceTimersByTimeAsync(99);
    expect(arrived).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(arrived).toBe(1);
    await second;
    await stream.return(undefined);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is off at 0: no timer is ever set", async () => {
    const { agent } = await createAgent(0);
    useFakeClock();
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    const chunks = await collectStream(agent.streamChat([user("roses")], {}));
    expect(chunks.at(-1)?.type).toBe("done");
    expect(setTimer).not.toHaveBeenCalled();
  });

  test("does not hold back the end of a stream that is aborted while it waits", async () => {
    const { agent } = await createAgent(0.001);
    useFakeClock();
    const abort = new AbortController();
    const removeListener = vi.spyOn(abort.signal, "removeEventListener");
    const stream = agent.streamChat([user("roses")], {
      signal: abort.signal,
    }) as AsyncGenerator<StreamChunk>;
    await readFirstDelta(stream);
    const pending = stream.next();
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));

    abort.abort();
    expect(vi.getTimerCount()).toBe(0);
    expect(removeListener).toHaveBeenCalledTimes(1);
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

test("an abort during the search ends the stream without an error and without a chunk", async () => {
  const { agent } = await createAgent();
  const abort = new AbortController();
  const types: string[] = [];
  for await (const chunk of agent.streamChat([user("roses")], { signal: abort.signal })) {
    types.push(chunk.type);
    if (chunk.type === "tool-call-start") abort.abort();
  }
  expect(types).toEqual(["session", "status", "tool-call-start"]);
});

test("a signal that is aborted already makes an empty stream", async () => {
  const { agent } = await createAgent();
  const stream = agent.streamChat([user("roses")], { signal: AbortSignal.abort() });
  expect(await collectStream(stream)).toEqual([]);
});

test("a failure that is not an abort reaches the caller", async () => {
  const agent = createDocumentationAgent({ root: join(await createTemporaryFolder(), "missing") });
  await expect(collectStream(agent.streamChat([user("roses")], {}))).rejects.toThrow("ENOENT");
});
