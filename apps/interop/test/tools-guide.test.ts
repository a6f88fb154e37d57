/** The guide of docs/tools.md, run and type-checked with the package `openai`. */
import { createMessageAccumulator } from "@kortyx/protocol";
import type { AssistantUIMessage, ChatAgent, StreamChunk } from "@kortyx/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, type GuideFolder, snippetsOf } from "./kit/guide.ts";
import { serveProvider, toFrames } from "./kit/provider-server.ts";

const [route, ownTurn, tools, sources, approvals] = snippetsOf("docs/tools.md") as [
  string,
  string,
  string,
  string,
  string,
];

type Call = { tool: string; input: object };
const event = (delta: object, finish_reason: string | null = null) => ({
  id: "chatcmpl-1",
  model: "gpt-5-mini",
  choices: [{ index: 0, delta, finish_reason }],
});
const answerWith = (content: string) => toFrames([event({ content }), event({}, "stop")]);
const callTools = (...calls: Call[]) =>
  toFrames([
    ...calls.map(({ tool: name, input }, index) =>
      event({
        tool_calls: [{ index, id: `call-${index}`, function: { name, arguments: JSON.stringify(input) } }],
      }),
    ),
    event({}, "tool_calls"),
  ]);

/** The tools and the model of an agent. */
const agentParts = `
import { defineTool, type ToolTurn } from "@kortyx/server";
import { fromOpenAIChat, toOpenAIChatMessages, toOpenAIChatTools } from "@kortyx/server/openai";
import OpenAI from "openai";
export const tools = {
  search: defineTool({ description: "Searches.", run: () => [{ id: "1", url: "https://a.example" }] }),
};
export const turn = ({ messages, tools, signal }: ToolTurn) => {
  const said = toOpenAIChatMessages(messages);
  const request = { model: "gpt-5-mini", messages: said, tools: toOpenAIChatTools(tools), stream: true } as const;
  return fromOpenAIChat(new OpenAI().chat.completions.create(request, { signal }), { signal });
};
`;
const conversations = `
import type { AssistantUIMessage, ChatFinish } from "@kortyx/server";
let stored: AssistantUIMessage | undefined;
export const loadMessage = () => stored;
export const onFinish = ({ message }: ChatFinish) => {
  stored = message as AssistantUIMessage;
};
`;
const session = `export const verifySession = (request: Request): string | null => request.headers.get("x-user");`;

function writeAll(folder: GuideFolder): void {
  folder.write("agent-parts.ts", agentParts);
  folder.write("conversations.ts", conversations);
  folder.write("session.ts", session);
}

const post = (body: object) =>
  new Request("http://host/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json", "x-user": "ann" },
    body: JSON.stringify({ sessionId: "s", ...body }),
  });
const question = { role: "user", content: "Hi", id: "u" };

async function readChunks(response: Response): Promise<StreamChunk[]> {
  const events = (await response.text()).split("\n\n").filter((one) => one.startsWith("data: {"));
  return events.map((one) => JSON.parse(one.slice("data: ".length)));
}

/** A provider with one answer for each request. */
async function serve(...answers: string[][]) {
  const server = await serveProvider((_, number) => ({ pieces: answers[number]! }));
  vi.stubEnv("OPENAI_BASE_URL", server.url);
  vi.stubEnv("OPENAI_API_KEY", "key");
  vi.stubEnv("RESUME_SECRET", "at least 32 characters, kept secret");
  return server;
}
afterEach(() => vi.unstubAllEnvs());

describe.skipIf(!isInstalled())("docs/tools.md", () => {
  test("the snippets pass the type checker with the SDK's own types", () => {
    using folder = createGuideFolder("tools-types");
    writeAll(folder);
    folder.write("route.ts", route);
    folder.write("turn.ts", ownTurn);
    folder.write("tools.ts", tools);
    folder.write("sources.ts", sources);
    folder.write("approvals.ts", approvals);
    expect(folder.check()).toBe("");
  });

  test("the route runs the tool, and lets the model answer with its result", async () => {
    await using server = await serve(
      callTools({ tool: "weather", input: { city: "Bern" } }),
      answerWith("It is 21 °C."),
    );
    using folder = createGuideFolder("tools-route");
    const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>("route.ts", route);
    const chunks = await readChunks(await POST(post({ messages: [question] })));
    expect(chunks).toContainEqual({
      type: "tool-call-result",
      toolCallId: "call-0",
      tool: "weather",
      content: { city: "Bern", celsius: 21 },
    });
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
    expect(server.requests[0]!.body).toMatchObject({
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "The weather in a city.",
            parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
          },
        },
      ],
    });
    expect(server.requests[1]!.body).toMatchObject({
      messages: [
        { role: "user", content: "Hi" },
        {
          role: "assistant",
          tool_calls: [
            { id: "call-0", type: "function", function: { name: "weather", arguments: '{"city":"Bern"}' } },
          ],
        },
        { role: "tool", tool_call_id: "call-0", content: '{"city":"Bern","celsius":21}' },
      ],
    });
  });

  test("a turn without an adapter shows its call, and gets the result", async () => {
    using folder = createGuideFolder("tools-turn");
    const { turn } = await folder.run<{ turn: never }>("turn.ts", ownTurn);
    const { collectStream, defineTool, runTools } = await import("@kortyx/server");
    const weather = defineTool({ description: "The weather in a city.", run: async () => ({ celsius: 21 }) });
    const messages = [{ role: "user" as const, content: "Rome?" }];
    const chunks = await collectStream(runTools({ messages, tools: { weather }, turn }));
    expect(chunks.map(({ type }) => type)).toEqual([
      "step-start",
      "tool-call-ready",
      "tool-call-result",
      "step-end",
      "step-start",
      "text-delta",
      "step-end",
      "done",
    ]);
    expect(chunks).toContainEqual({ type: "text-delta", delta: 'The weather: {"celsius":21}' });
  });

  test("a tool that is a generator reports its progress", async () => {
    await using _server = await serve(
      callTools({ tool: "index", input: { files: ["a", "b"] } }),
      answerWith("Done."),
    );
    using folder = createGuideFolder("tools-progress");
    writeAll(folder);
    const { turn } = await folder.run<{ turn: never }>("agent-parts.ts", agentParts);
    const module = await folder.run<{ tools: never }>("tools.ts", tools);
    const { runTools } = await import("@kortyx/server");
    const chunks: StreamChunk[] = [];
    const messages = [{ role: "user" as const, content: "Hi" }];
    for await (const chunk of runTools({ messages, tools: module.tools, turn })) chunks.push(chunk);
    const contents = chunks.flatMap((chunk) =>
      chunk.type === "tool-call-progress" || chunk.type === "tool-call-result" ? [chunk.content] : [],
    );
    expect(contents).toEqual([0, 1, 2].map((count) => ({ count, total: 2 })));
  });

  test("an agent adds the sources that a tool has found", async () => {
    await using _server = await serve(callTools({ tool: "search", input: {} }), answerWith("Done."));
    using folder = createGuideFolder("tools-sources");
    writeAll(folder);
    const { agent } = await folder.run<{ agent: ChatAgent }>("sources.ts", sources);
    const chunks: StreamChunk[] = [];
    const stream = await agent.streamChat([{ role: "user", content: "Hi" }], {});
    for await (const chunk of stream as AsyncIterable<StreamChunk>) chunks.push(chunk);
    expect(chunks).toContainEqual({ type: "source", id: "1", url: "https://a.example" });
  });

  test("the route with approvals asks for more than ten euros, pays what the user has changed, and pays once", async () => {
    await using server = await serve(
      callTools(
        { tool: "transfer", input: { euros: 5, to: "Bob" } },
        { tool: "transfer", input: { euros: 50, to: "Eve" } },
      ),
      answerWith("Done."),
    );
    using folder = createGuideFolder("tools-approvals");
    writeAll(folder);
    const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>(
      "approvals.ts",
      approvals,
    );
    const accumulator = createMessageAccumulator<never, AssistantUIMessage>();
    for (const chunk of await readChunks(await POST(post({ messages: [question] }))))
      accumulator.apply(chunk);
    const { id: messageId, interrupts } = accumulator.message;
    expect(interrupts).toMatchObject([
      {
        toolCallId: "call-1",
        input: {
          question: "Transfer 50 € to Eve?",
          options: [{ id: "approve" }, { id: "edit" }, { id: "deny" }],
        },
      },
    ]);
    const { requestId, resumeToken } = interrupts![0]!;
    const body = {
      messages: [question],
      trigger: "continue",
      messageId,
      resumes: [{ requestId, resumeToken, answer: "edit", input: { euros: 20, to: "Eve" } }],
    };
    const chunks = await readChunks(await POST(post(body)));
    expect(chunks).toContainEqual({
      type: "tool-call-result",
      toolCallId: "call-1",
      tool: "transfer",
      content: { euros: 20, to: "Eve", reference: "call-1" },
    });
    expect(server.requests[1]!.body).toMatchObject({
      messages: [
        { role: "user" },
        { role: "assistant", tool_calls: [{ id: "call-0" }, { id: "call-1" }] },
        { role: "tool", tool_call_id: "call-0" },
        { role: "tool", tool_call_id: "call-1", content: '{"euros":20,"to":"Eve","reference":"call-1"}' },
      ],
    });
    expect((await POST(post(body))).status).toBe(409);
  });
});
