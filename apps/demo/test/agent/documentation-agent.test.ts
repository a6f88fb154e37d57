import { reduceMessage } from "@kortyx/client";
import {
  type ChatAgentOptions,
  type ChatMessage,
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
function open(messages: string | ChatMessage[], options: AskOptions = {}) {
  const { search = house, tokensPerSecond = 0, ...chatOptions } = options;
  const agent = createDocumentationAgent({ search, tokensPerSecond });
  const said = typeof messages === "string" ? [user(messages)] : messages;
  return agent.streamChat(said, chatOptions) as AsyncGenerator<StreamChunk>;
}

const ask = (...parameters: Parameters<typeof open>) => collectStream(open(...parameters));
const textOf = async (...parameters: Parameters<typeof open>) =>
  (await collectBufferedStream(open(...parameters))).text;

describe("an answer", () => {
  test("arrives as status, tool call, text with its reading list, sources and done, in this order", async () => {
    const chunks = await ask("What grows on the balcony?");
    const types = chunks.map((chunk) => chunk.type);
    expect(types.slice(0, 8)).toEqual([
      "step-start",
      "status",
      "tool-call-start",
      "tool-call-result",
      "step-end",
      "step-start",
      "text-delta",
      "structured-data",
    ]);
    expect(new Set(types.slice(6, -3))).toEqual(new Set(["text-delta", "structured-data"]));

    const toolCallId = expect.any(String);
    const tool = "search_documentation";
    expect(chunks.slice(0, 6)).toEqual([
      { type: "step-start", stepId: "search", name: "Search" },
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
      { type: "step-end", stepId: "search" },
      { type: "step-start", stepId: "answer", name: "Answer" },
    ]);
    const [start, result] = chunks.filter(isOfCall);
    expect(start?.toolCallId).toBe(result?.toolCallId);
    const outputTokens = types.filter((type) => type === "text-delta").length;
    const usage = { inputTokens: 5, outputTokens, totalTokens: 5 + outputTokens };
    expect(chunks.slice(-3)).toEqual([
      { type: "source", id: "upper.md#Balcony", title: "upper.md › Balcony", url: "/docs/upper.md" },
      { type: "step-end", stepId: "answer", usage },
      { type: "done", finishReason: "stop", usage },
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
    const shown = parts.filter(({ type }) => type !== "step");
    expect(shown.map(({ type }) => type)).toEqual(["tool-call", "text", "structured-data", "source"]);
    expect(shown[2]).toMatchObject({ status: "done", data: { title: "Read more" } });
  });

  test("lists only sections that it does not quote", async () => {
    const { parts } = reduceMessage(await ask("balcony"));
    const partOf = (type: string) => parts.find((part) => part.type === type);
    expect(partOf("text")).toMatchObject({ text: expect.stringContaining("**Balcony**") });
    expect(partOf("structured-data")).toMatchObject({ data: { items: [{ heading: "Ground floor" }] } });
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
      /^I did not find every word of your question\. This comes closest:\n\n> \*\*Kitchen/,
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
const interruptsOf = async (question: string) => (await ask(question)).filter(isInterrupt);
const queryOf = (chunks: StreamChunk[]) => chunks.find((chunk) => chunk.type === "tool-call-start")?.input;

describe("a question that names sections of two pages", () => {
  test("is answered with a choice of the pages, and the stream ends on an interrupt", async () => {
    const chunks = await ask("Where is the kitchen?");
    const types = chunks.map(({ type }) => type).filter((type) => !type.startsWith("step-"));
    expect(types).toEqual(["status", "tool-call-start", "tool-call-result", "interrupt", "done"]);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
    expect(chunks.find(isInterrupt)?.input).toMatchObject({
      kind: "choice",
      options: [{ id: "ground.md" }, { id: "upper.md" }],
    });
  });

  test("is answered from the page that was chosen", async () => {
    const [which] = await interruptsOf("Where is the kitchen?");
    const resumes = [{ ...which!, answer: "upper.md" }];
    const chunks = await ask("Upper floor", { resumes });
    expect(queryOf(chunks)).toEqual({ query: "Where is the kitchen?", page: "upper.md" });
    const text = await textOf("Upper floor", { resumes });
    expect(text).toContain("The oven is blue.");
    expect(text).not.toContain("green");
  });

  test("is answered at once when another word decides", async () => {
    expect(await textOf("Which kitchen has an oven?")).toContain("The oven is blue.");
  });
});

describe("a question without a word to search for", () => {
  test("is answered with two questions at once, without a search", async () => {
    const chunks = await ask("Why?");
    expect(chunks.map(({ type }) => type)).toEqual(["interrupt", "interrupt", "done"]);
    expect(chunks.filter(isInterrupt).map(({ input }) => input.kind)).toEqual(["text", "choice"]);
  });

  test("continues with the words of the answer, as long as the user wants it", async () => {
    const [about, length] = await interruptsOf("Why?");
    const answerTo = (lengthId: string) => ({
      resumes: [
        { ...about!, answer: "oven stove" },
        { ...length!, answer: lengthId },
      ],
    });
    expect(queryOf(await ask("oven", answerTo("long")))).toEqual({ query: "oven stove" });
    const quotes = async (id: string) => (await textOf("oven", answerTo(id))).split("> **").length - 1;
    expect([await quotes("short"), await quotes("long")]).toEqual([1, 2]);
  });

  test("is asked again when the answer has no word either, or there is none", async () => {
    const [about, length] = await interruptsOf("Why?");
    for (const resume of [
      { ...about!, answer: "??" },
      { ...length!, answer: "long" },
    ]) {
      const again = await ask("??", { resumes: [resume] });
      expect(again.map(({ type }) => type)).toEqual(["interrupt-resolved", "interrupt", "interrupt", "done"]);
    }
  });
});

describe("a question that the user cancels", () => {
  const cancel = async (said: string) => {
    const [which] = await interruptsOf("Kitchen");
    const { requestId, resumeToken } = which!;
    return textOf(said, { resumes: [{ requestId, resumeToken, outcome: "cancelled" }] });
  };

  test("is not repeated", async () => {
    expect(await cancel("")).toBe("All right. What else would you like to know?");
  });

  test("gives way to another question from the user", async () => {
    expect(await cancel("roses")).toContain("It has roses.");
  });
});

describe("an attachment", () => {
  const attach = (content: string, ...files: { name: string; mediaType: string; url: string }[]) => ({
    ...user(content),
    parts: [
      { type: "text" as const, text: content },
      ...files.map((file) => ({ type: "file" as const, ...file })),
    ],
  });
  const garden =
    "# Garden\n\nGrass.\n\n## Roses\n\nThey are at the wall – and “climb”.\n\n## Shed\n\nTools for roses.\n";
  const url = `data:text/markdown;base64,${Buffer.from(garden).toString("base64")}`;
  const file = { name: "garden.md", mediaType: "text/markdown", url };

  test("of text is searched first, and quoted as a source without an address", async () => {
    const chunks = await ask([attach("Where are the roses?", file)]);
    expect(chunks.filter(isOfCall).map(({ tool }) => tool)).toEqual([
      "search_attachments",
      "search_attachments",
    ]);
    const { parts } = reduceMessage(chunks);
    expect(parts.filter(({ type }) => type === "structured-data")).toEqual([]);
    expect(parts.find(({ type }) => type === "text")).toMatchObject({
      text: "This is in your attachment:\n\n> **Roses**\n>\n> They are at the wall – and “climb”.",
    });
    expect(parts.filter(({ type }) => type === "source")).toEqual([
      { type: "source", id: "garden.md#Roses", title: "garden.md › Roses", url: undefined },
    ]);
  });

  test("of an earlier message is searched, too; what it does not contain is searched in the documentation", async () => {
    const later = [attach("Where is the grass?", file), assistant("…"), user("Is there an oven?")];
    const chunks = await ask(later);
    const tools = chunks
      .filter(({ type }) => type === "tool-call-start")
      .map((chunk) => chunk as { tool: string });
    expect(tools.map(({ tool }) => tool)).toEqual(["search_attachments", "search_documentation"]);
    expect(await textOf(later)).toContain("The oven is blue.");
  });

  test("is not searched for a question about another page, nor is a file of an answer", async () => {
    const toolsOf = async (...parameters: Parameters<typeof open>) =>
      (await ask(...parameters))
        .filter(({ type }) => type === "tool-call-start")
        .map((chunk) => "tool" in chunk && chunk.tool);
    expect(await toolsOf([attach("kitchen in:upper", file)])).toEqual(["search_documentation"]);
    expect(await toolsOf([attach("roses in:garden", file)])).toEqual(["search_attachments"]);
    const answer = { ...attach("Here.", file), role: "assistant" as const };
    expect(await toolsOf([user("A file, please"), answer, user("roses")])).toEqual(["search_documentation"]);
  });

  test("that is not text is left out, with a word about it; its address is not requested", async () => {
    const request = vi.spyOn(globalThis, "fetch");
    const image = { name: "a.png", mediaType: "image/png", url: "data:image/png;base64,AAAA" };
    const elsewhere = { ...file, name: "b.md", url: "http://127.0.0.1/b.md" };
    const text = await textOf([attach("balcony", image, elsewhere)]);
    expect(text).toMatch(
      /^I can read only text, so I left out a\.png, b\.md\. This is what the documentation says:/,
    );
    expect(request).not.toHaveBeenCalled();
    request.mockRestore();
    expect(await textOf([attach("balcony", image), assistant("…"), user("roses")])).not.toContain("a.png");
  });
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
    expect(chunks).toContainEqual(
      expect.objectContaining({ type: "tool-call-error", message: "The search failed." }),
    );
    expect(JSON.stringify(chunks)).not.toContain("secret");
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
    expect(log.mock.calls).toEqual([[error]]);
    log.mockRestore();
  });
});
