import { rm } from "node:fs/promises";
import { join } from "node:path";
import { reduceMessage } from "@kortyx/client";
import type { ChatAgentOptions, StreamChunk, StreamChunkOf } from "@kortyx/server";
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

/** All that was said. */
const textOf = (chunks: readonly StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

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

  test("arrives as session, status, tool call, text with its reading list, sources and done, in this order", async () => {
    const { agent } = await createAgent();
    const chunks = await collectStream(
      agent.streamChat([user("Which colour has the stove?")], { sessionId: "s1" }),
    );
    const types = chunks.map((chunk) => chunk.type);
    expect(types.slice(0, 6)).toEqual([
      "session",
      "status",
      "tool-call-start",
      "tool-call-result",
      "text-delta",
      "structured-data",
    ]);
    expect(new Set(types.slice(4, -2))).toEqual(new Set(["text-delta", "structured-data"]));
    expect(types.slice(-2)).toEqual(["source", "done"]);

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

  test("fills a reading list of what it found, one step with each piece of text", async () => {
    const { agent } = await createAgent();
    const { chunks, structured } = await collectBufferedStream(agent.streamChat([user("stove")], {}));
    const kinds = structured.map(({ kind }) => kind);
    expect(kinds.slice(0, 2)).toEqual(["set", "append"]);
    expect(new Set(kinds.slice(2, -1))).toEqual(new Set(["text-delta"]));
    expect(structured.at(-1)).toEqual({
      type: "structured-data",
      streamId: structured[0]?.streamId,
      dataType: "reading-list",
      kind: "final",
      data: {
        title: "Where to read on",
        items: [
          {
            heading: "Kitchen",
            document: "Kitchen",
            url: "/docs/docs/kitchen.md",
            words: 9,
            summary: "The stove is green.",
          },
        ],
      },
    });
    const types = chunks.map((chunk) => chunk.type);
    const firstStep = types.indexOf("structured-data");
    expect(types.slice(firstStep - 1, firstStep + 3)).toEqual([
      "text-delta",
      "structured-data",
      "text-delta",
      "structured-data",
    ]);
    // The reader of the page sees one answer: all steps lead to what the last one says.
    const [part] = reduceMessage(chunks).parts.filter(({ type }) => type === "structured-data");
    expect(part).toMatchObject({ status: "done", data: { title: "Where to read on" } });
  });

  test("has its whole reading list, also when there is less to be said than to be listed", async () => {
    const text = "Wombat of a big zoo that has a lot of room for it and is not far from here.";
    const sections = ["one", "two", "three", "four", "five"].map((word) => `## ${word}\n\n${text}\n`);
    const root = await createTemporaryFolder({ "zoo.md": `# Zoo\n\n${sections.join("\n")}` });
    const agent = createDocumentationAgent({ root, tokensPerSecond: 0 });
    const { chunks, structured } = await collectBufferedStream(agent.streamChat([user("wombat")], {}));
    expect(structured.at(-1)).toMatchObject({ kind: "final", data: { items: { length: 5 } } });
    const types = chunks.map((chunk) => chunk.type);
    expect(types.lastIndexOf("structured-data") - types.lastIndexOf("text-delta")).toBeGreaterThan(1);
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
    expect(chunks.filter(({ type }) => type === "source" || type === "structured-data")).toEqual([]);
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
    expect((await stream.next()).value.type).toBe("structured-data");
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
    expect((await stream.next()).value.type).toBe("structured-data");
    const pending = stream.next();
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));

    abort.abort();
    expect(vi.getTimerCount()).toBe(0);
    expect(removeListener).toHaveBeenCalledTimes(1);
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

test("an abort during the search ends the stream without an error, a chunk or a word in the log", async () => {
  const log = vi.spyOn(console, "error");
  const { agent } = await createAgent();
  const abort = new AbortController();
  const types: string[] = [];
  for await (const chunk of agent.streamChat([user("roses")], { signal: abort.signal })) {
    types.push(chunk.type);
    if (chunk.type === "tool-call-start") abort.abort();
  }
  expect(types).toEqual(["session", "status", "tool-call-start"]);
  expect(log).not.toHaveBeenCalled();
  log.mockRestore();
});

test("a signal that is aborted already makes an empty stream", async () => {
  const { agent } = await createAgent();
  const stream = agent.streamChat([user("roses")], { signal: AbortSignal.abort() });
  expect(await collectStream(stream)).toEqual([]);
});

/** A house whose two floors have a kitchen each. */
async function createHouse() {
  const root = await createTemporaryFolder({
    "ground.md": "# Ground floor\n\n## Kitchen\n\nThe stove is green.\n",
    "upper.md": "# Upper floor\n\n## Kitchen\n\nThe stove is blue.\n",
  });
  return createDocumentationAgent({ root, tokensPerSecond: 0 });
}

const isInterrupt = (chunk: StreamChunk): chunk is StreamChunkOf<"interrupt"> => chunk.type === "interrupt";

/** Asks what makes the agent ask back, and gives its question. */
async function askBack(agent: ReturnType<typeof createDocumentationAgent>, question: string) {
  const chunks = await collectStream(agent.streamChat([user(question)], { sessionId: "s1" }));
  const [interrupt] = chunks.filter(isInterrupt);
  return { types: chunks.map(({ type }) => type), done: chunks.at(-1), interrupt: interrupt! };
}

const answerTo = (
  agent: ReturnType<typeof createDocumentationAgent>,
  { requestId, resumeToken }: StreamChunkOf<"interrupt">,
  answer: string,
  options: ChatAgentOptions = {},
) =>
  collectStream(
    agent.streamChat([user("Kitchen"), user(answer)], {
      sessionId: "s1",
      resume: { requestId, resumeToken, answer },
      ...options,
    }),
  );

describe("a question that names two documents equally well", () => {
  test("is answered with a choice, and the stream ends on an interrupt", async () => {
    const { types, done, interrupt } = await askBack(await createHouse(), "Where is the kitchen?");
    expect(types).toEqual(["session", "status", "tool-call-start", "tool-call-result", "interrupt", "done"]);
    expect(done).toEqual({ type: "done", finishReason: "interrupt" });
    expect(interrupt).toEqual({
      type: "interrupt",
      requestId: expect.stringMatching(/^[\da-f-]{36}$/),
      resumeToken: expect.any(String),
      input: {
        kind: "choice",
        multiple: false,
        question: "Several documents are about this. Which one do you mean?",
        options: [
          { id: "ground.md", label: "Kitchen", description: "ground.md" },
          { id: "upper.md", label: "Kitchen", description: "upper.md" },
        ],
      },
    });
  });

  test("is answered from the document that was chosen", async () => {
    const agent = await createHouse();
    const { interrupt } = await askBack(agent, "Where is the kitchen?");
    const chunks = await answerTo(agent, interrupt, "upper.md");
    expect(chunks.find((chunk) => chunk.type === "tool-call-start")?.input).toEqual({
      query: "Where is the kitchen?",
      path: "upper.md",
    });
    expect(textOf(chunks)).toContain("The stove is blue.");
    expect(textOf(chunks)).not.toContain("green");
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
  });

  test("is answered at once when another word says which one is meant", async () => {
    const { interrupt, done } = await askBack(await createHouse(), "Which kitchen is blue?");
    expect(interrupt).toBeUndefined();
    expect(done).toMatchObject({ finishReason: "stop" });
  });
});

describe("a question without a word to search for", () => {
  test("is answered with a question for one, without a search", async () => {
    const { types, done, interrupt } = await askBack(await createHouse(), "Why?");
    expect(types).toEqual(["session", "interrupt", "done"]);
    expect(done).toEqual({ type: "done", finishReason: "interrupt" });
    expect(interrupt.input).toEqual({
      kind: "text",
      multiple: false,
      question: "Your question has no word that I could search for. What is it about?",
    });
  });

  test("goes on with the words that were given", async () => {
    const agent = await createHouse();
    const { interrupt } = await askBack(agent, "Why?");
    const chunks = await answerTo(agent, interrupt, "the blue stove");
    expect(chunks.find((chunk) => chunk.type === "tool-call-start")?.input).toEqual({
      query: "the blue stove",
    });
    expect(textOf(chunks)).toContain("The stove is blue.");
  });

  test("is asked again when the answer has no word either", async () => {
    const agent = await createHouse();
    const { interrupt } = await askBack(agent, "Why?");
    const chunks = await answerTo(agent, interrupt, "??");
    expect(chunks.map(({ type }) => type)).toEqual(["session", "interrupt", "done"]);
  });
});

describe("a question that the user cancels", () => {
  const cancel = async (said: string) => {
    const agent = await createHouse();
    const { requestId, resumeToken } = (await askBack(agent, "Kitchen")).interrupt;
    const resume = { requestId, resumeToken, outcome: "cancelled" } as const;
    return collectStream(agent.streamChat([user("Kitchen"), user(said)], { sessionId: "s1", resume }));
  };

  test("is not asked again", async () => {
    expect(await cancel("")).toEqual([
      { type: "session", sessionId: "s1" },
      { type: "text-delta", delta: "All right. What else would you like to know?" },
      { type: "done", finishReason: "stop" },
    ]);
  });

  test("gives way to what the user asks instead", async () => {
    expect(textOf(await cancel("the blue stove"))).toContain("The stove is blue.");
  });
});

test.each([
  ["changed", (token: string) => `${token}x`, "s1"],
  ["of another session", (token: string) => token, "s2"],
])("a token that is %s ends the answer on an error", async (_, change, sessionId) => {
  const agent = await createHouse();
  const { interrupt } = await askBack(agent, "Kitchen");
  const changed = { ...interrupt, resumeToken: change(interrupt.resumeToken) };
  expect(await answerTo(agent, changed, "upper.md", { sessionId })).toEqual([
    { type: "session", sessionId },
    {
      type: "error",
      code: "invalid-resume-token",
      message: "This question can no longer be answered. Please ask again.",
      retryable: false,
    },
  ]);
});

test("a token of an agent that was restarted ends the answer on an error", async () => {
  const { interrupt } = await askBack(await createHouse(), "Kitchen");
  const chunks = await answerTo(await createHouse(), interrupt, "upper.md");
  expect(chunks.at(-1)).toMatchObject({ type: "error", code: "invalid-resume-token" });
});

describe("a search that fails", () => {
  test("where no file is, is told as the tool's error; the agent apologises and searches everywhere", async () => {
    const { agent } = await createAgent();
    const chunks = await collectStream(agent.streamChat([user("roses in:cellar")], {}));
    const tools = chunks.filter((chunk) => "toolCallId" in chunk);
    expect(tools).toEqual([
      expect.objectContaining({ type: "tool-call-start", input: { query: "roses", path: "cellar" } }),
      {
        type: "tool-call-error",
        tool: "search_documentation",
        toolCallId: tools[0]?.toolCallId,
        message: 'There is no Markdown at "cellar".',
      },
      expect.objectContaining({ type: "tool-call-start", input: { query: "roses" } }),
      expect.objectContaining({ type: "tool-call-result", toolCallId: tools[2]?.toolCallId }),
    ]);
    expect(tools[2]?.toolCallId).not.toBe(tools[0]?.toolCallId);
    expect(textOf(chunks)).toMatch(
      /^I am sorry, I could not search there, so I searched everywhere\.\n\nThis is what the documentation says:\n\n> \*\*Garden\*\*/,
    );
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
  });

  test("for a reason of its own tells nothing of it, and the answer still ends in order", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const error = new Error("ENOENT: /home/secret");
    const search = vi.fn(() => Promise.reject(error));
    const agent = createDocumentationAgent({ root: "", tokensPerSecond: 0, search });
    const chunks = await collectStream(agent.streamChat([user("roses")], {}));
    expect(chunks[3]).toMatchObject({ type: "tool-call-error", message: "The search failed." });
    expect(textOf(chunks)).toBe(
      "I am sorry, my search failed, so I cannot answer this now. Please ask again in a while.",
    );
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
    expect(JSON.stringify(chunks)).not.toContain("secret");
    expect(search).toHaveBeenCalledTimes(1);
    expect(log.mock.calls).toEqual([[error]]);
    log.mockRestore();
  });
});
