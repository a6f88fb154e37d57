import { reduceMessage } from "@kortyx/client";
import {
  type ChatAgentOptions,
  collectBufferedStream,
  collectStream,
  type StreamChunk,
  type StreamChunkOf,
} from "@kortyx/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createDocumentationAgent } from "../../src/agent/documentation-agent.ts";
import { createSearch, type Search } from "../../src/agent/search.ts";

const isOfCall = (chunk: StreamChunk): chunk is Extract<StreamChunk, { tool: string; toolCallId: string }> =>
  "tool" in chunk && "toolCallId" in chunk;

const user = (content: string) => ({ role: "user" as const, content });
const assistant = (content: string) => ({ role: "assistant" as const, content });

const house = createSearch(
  new Map([
    [
      "ground.md",
      "# Ground floor\n\nA door below the balcony.\n\n## Kitchen\n\nThe stove is green.\n\n```sh\ncook\n\neat\n```\n",
    ],
    [
      "upper.md",
      "# Upper floor\n\nA stair.\n\n## Kitchen\n\nThe oven is blue.\n\n## Balcony\n\nIt has roses.\n",
    ],
  ]),
);

interface AskOptions extends ChatAgentOptions {
  search?: Search;
  tokensPerSecond?: number;
}

/** The stream of an answer. */
function open(messages: string | Parameters<typeof collectMessages>[0], options: AskOptions = {}) {
  const { search = house, tokensPerSecond = 0, ...chatOptions } = options;
  const agent = createDocumentationAgent({ search, tokensPerSecond });
  const said = typeof messages === "string" ? [user(messages)] : messages;
  return agent.streamChat(said, chatOptions) as AsyncGenerator<StreamChunk>;
}
const collectMessages = (messages: ReturnType<typeof user | typeof assistant>[]) => messages;

const ask = (...parameters: Parameters<typeof open>) => collectStream(open(...parameters));
const textOf = async (...parameters: Parameters<typeof open>) =>
  (await collectBufferedStream(open(...parameters))).text;

describe("an answer", () => {
  test("arrives as status, tool call, text with its reading list, sources and done, in this order", async () => {
    const chunks = await ask("What grows on the balcony?");
    const types = chunks.map((chunk) => chunk.type);
    expect(types.slice(0, 5)).toEqual([
      "status",
      "tool-call-start",
      "tool-call-result",
      "text-delta",
      "structured-data",
    ]);
    expect(new Set(types.slice(3, -2))).toEqual(new Set(["text-delta", "structured-data"]));

    const toolCallId = expect.any(String);
    const tool = "search_documentation";
    expect(chunks.slice(0, 3)).toEqual([
      { type: "status", message: "Searching the documentation" },
      { type: "tool-call-start", tool, toolCallId, input: { query: "What grows on the balcony?" } },
      {
        type: "tool-call-result",
        tool,
        toolCallId,
        content: [
          { page: "upper.md", heading: "Balcony", score: expect.any(Number) },
          { page: "ground.md", heading: "Ground floor", score: expect.any(Number) },
        ],
      },
    ]);
    const [start, result] = chunks.filter(isOfCall);
    expect(start?.toolCallId).toBe(result?.toolCallId);
    const outputTokens = types.filter((type) => type === "text-delta").length;
    expect(chunks.slice(-2)).toEqual([
      {
        type: "source",
        id: "upper.md#Balcony",
        title: "upper.md › Balcony",
        url: "/docs/upper.md",
      },
      {
        type: "done",
        finishReason: "stop",
        usage: { inputTokens: 5, outputTokens, totalTokens: 5 + outputTokens },
      },
    ]);
  });

  test("quotes the section whole, code too", async () => {
    expect(await textOf("stove")).toBe(
      "This is what the documentation says:\n\n> **Kitchen**\n>\n> The stove is green.\n>\n> ```sh\n> cook\n>\n> eat\n> ```",
    );
  });

  test("fills the reading list, one step with each piece of text, and to its end", async () => {
    const chunks = await ask("balcony");
    const types = chunks.map((chunk) => chunk.type);
    const firstStep = types.indexOf("structured-data");
    expect(types.slice(firstStep - 1, firstStep + 3)).toEqual([
      "text-delta",
      "structured-data",
      "text-delta",
      "structured-data",
    ]);
    // The text stays one part, although the list grows at the same time.
    const { parts } = reduceMessage(chunks);
    expect(parts.map(({ type }) => type)).toEqual(["tool-call", "text", "structured-data", "source"]);
    expect(parts[2]).toMatchObject({ status: "done", data: { title: "Read more" } });
  });

  test("lists only sections that it does not quote", async () => {
    const { parts } = reduceMessage(await ask("balcony"));
    expect(parts[1]).toMatchObject({ text: expect.stringContaining("**Balcony**") });
    expect(parts[2]).toMatchObject({ data: { items: [{ heading: "Ground floor" }] } });
    expect((await ask("stove")).filter(({ type }) => type === "structured-data")).toEqual([]);
  });

  test("admits that nothing was found, and names no source", async () => {
    const chunks = await ask("flumoxitron");
    expect(chunks.find((chunk) => chunk.type === "tool-call-result")?.content).toBe("Nothing found.");
    expect(chunks.filter(({ type }) => type === "source" || type === "structured-data")).toEqual([]);
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
  });

  test("mentions that a word of the question is unknown", async () => {
    expect(await textOf("purple stove")).toMatch(
      /^Not every word of your question is in the documentation\. This comes closest:\n\n> \*\*Kitchen/,
    );
  });

  test("is that to the user's last message", async () => {
    const messages = [user("stove"), assistant("It is green."), user("roses"), assistant("roses stove")];
    const chunks = await ask(messages);
    expect(chunks.find((chunk) => chunk.type === "tool-call-start")?.input).toEqual({ query: "roses" });
    expect(await textOf(messages)).toContain("It has roses.");
  });
});

describe("the pace", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is off at 0: no timer is ever set", async () => {
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    await ask("roses");
    expect(setTimer).not.toHaveBeenCalled();
  });

  test("does not hold back the end of an answer that is aborted while it waits", async () => {
    const abort = new AbortController();
    const stream = open("balcony", { tokensPerSecond: 0.001, signal: abort.signal });
    for await (const chunk of stream) {
      if (chunk.type !== "structured-data") continue;
      const pending = stream.next();
      abort.abort();
      await expect(pending).rejects.toThrow("aborted");
      break;
    }
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

const isInterrupt = (chunk: StreamChunk): chunk is StreamChunkOf<"interrupt"> => chunk.type === "interrupt";
const interruptOf = async (question: string) => (await ask(question)).find(isInterrupt)!;
const queryOf = (chunks: StreamChunk[]) => chunks.find((chunk) => chunk.type === "tool-call-start")?.input;

describe("a question that names sections of two pages", () => {
  test("is answered with a choice of the pages, and the stream ends on an interrupt", async () => {
    const chunks = await ask("Where is the kitchen?");
    const types = chunks.map(({ type }) => type);
    expect(types).toEqual(["status", "tool-call-start", "tool-call-result", "interrupt", "done"]);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
    expect(chunks.find(isInterrupt)?.input).toMatchObject({
      kind: "choice",
      options: [{ id: "ground.md" }, { id: "upper.md" }],
    });
  });

  test("is answered from the page that was chosen", async () => {
    const resume = { ...(await interruptOf("Where is the kitchen?")), answer: "upper.md" };
    const chunks = await ask("Upper floor", { resume });
    expect(queryOf(chunks)).toEqual({ query: "Where is the kitchen?", page: "upper.md" });
    const text = await textOf("Upper floor", { resume });
    expect(text).toContain("The oven is blue.");
    expect(text).not.toContain("green");
  });

  test("is answered at once when another word decides", async () => {
    expect(await textOf("Which kitchen has an oven?")).toContain("The oven is blue.");
  });
});

describe("a question without a word to search for", () => {
  test("is answered with a question for one, without a search", async () => {
    const chunks = await ask("Why?");
    expect(chunks.map(({ type }) => type)).toEqual(["interrupt", "done"]);
    expect(chunks.find(isInterrupt)?.input.kind).toBe("text");
  });

  test("continues with the words of the answer, and is repeated when it has none either", async () => {
    const interrupt = await interruptOf("Why?");
    const chunks = await ask("roses", { resume: { ...interrupt, answer: "the roses" } });
    expect(queryOf(chunks)).toEqual({ query: "the roses" });
    const again = await ask("??", { resume: { ...interrupt, answer: "??" } });
    expect(again.map(({ type }) => type)).toEqual(["interrupt", "done"]);
  });
});

describe("a question that the user cancels", () => {
  const cancel = async (said: string) => {
    const { requestId, resumeToken } = await interruptOf("Kitchen");
    return textOf(said, { resume: { requestId, resumeToken, outcome: "cancelled" } });
  };

  test("is not repeated", async () => {
    expect(await cancel("")).toBe("All right. What else would you like to know?");
  });

  test("gives way to another question from the user", async () => {
    expect(await cancel("roses")).toContain("It has roses.");
  });
});

test("an answer to a question that is not the agent's ends on an error", async () => {
  const resume = { requestId: "r", resumeToken: "mine", answer: "upper.md" };
  expect(await ask("Upper floor", { resume })).toEqual([
    {
      type: "error",
      code: "invalid-resume-token",
      message: "This question can no longer be answered. Please ask again.",
      retryable: false,
    },
  ]);
});

describe("a search that fails", () => {
  test("in a page that does not exist is an error of the tool; the agent apologises and searches everywhere", async () => {
    const chunks = await ask("roses in:cellar");
    const tools = chunks.filter(isOfCall);
    expect(tools).toEqual([
      expect.objectContaining({ type: "tool-call-start", input: { query: "roses", page: "cellar.md" } }),
      {
        type: "tool-call-error",
        tool: "search_documentation",
        toolCallId: tools[0]?.toolCallId,
        message: 'There is no page called "cellar.md".',
      },
      expect.objectContaining({ type: "tool-call-start", input: { query: "roses" } }),
      expect.objectContaining({ type: "tool-call-result", toolCallId: tools[2]?.toolCallId }),
    ]);
    expect(await textOf("roses in:cellar")).toMatch(
      /^I could not search there, so I searched everywhere\. This is what the documentation says:/,
    );
  });

  test("for another reason reveals nothing of it, and the answer still ends in order", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const error = new Error("ENOENT: /home/secret");
    const search = () => {
      throw error;
    };
    const chunks = await ask("roses", { search });
    expect(chunks[2]).toMatchObject({ type: "tool-call-error", message: "The search failed." });
    expect(JSON.stringify(chunks)).not.toContain("secret");
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
    expect(log.mock.calls).toEqual([[error]]);
    log.mockRestore();
  });
});
