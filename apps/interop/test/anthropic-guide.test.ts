import { readStream } from "@kortyx/client";
import { type ChatAgent, type ChatMessage, type ChatRoute, createChatRoute } from "@kortyx/server";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { block, end, json, start, text, toAnswer } from "./anthropic-server.ts";
import { createGuideFolder, type GuideFolder, snippetsOf } from "./kit/guide.ts";
import { type ProviderServer, serveProvider } from "./kit/provider-server.ts";

const [route, tools, errors] = snippetsOf("docs/anthropic.md") as [string, string, string];

describe.skipIf(!isInstalled())("docs/anthropic.md", () => {
  let folder: GuideFolder;
  let server: ProviderServer;
  beforeAll(async () => {
    folder = createGuideFolder("anthropic");
    const thinking = { type: "thinking", thinking: "Hm", signature: "c2ln" };
    const use = { type: "tool_use", id: "toolu_1", name: "weather", input: {} };
    const called = [
      ...block(0, thinking),
      ...block(1, use, ...json('{"city":"Berlin"}')),
      ...end("tool_use"),
    ];
    server = await serveProvider(({ body }) => {
      const { tools, messages } = body as { tools?: unknown[]; messages: unknown[] };
      return toAnswer([
        start,
        ...(tools && messages.length === 1 ? called : [...text(0, "Hello!"), ...end()]),
      ]);
    });
    vi.stubEnv("ANTHROPIC_API_KEY", "test");
    vi.stubEnv("ANTHROPIC_BASE_URL", server.url);
    folder.write(
      "agent.ts",
      `import type { ChatAgent } from "@kortyx/server";
export const agent: ChatAgent = {
  async *streamChat() {
    yield { type: "text-delta", delta: "Hel" };
    await new Promise((resolve) => setTimeout(resolve, 100));
    throw Object.assign(new Error("Overloaded"), { type: "overloaded_error" });
  },
};
`,
    );
  });
  afterAll(async () => {
    folder[Symbol.dispose]();
    await server.close();
    vi.unstubAllEnvs();
  });

  const post = (messages: ChatMessage[]) =>
    new Request("http://localhost/api/chat", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages }),
    });
  const read = async (response: Response) => {
    const chunks = [];
    for await (const chunk of readStream(response.body)) chunks.push(chunk);
    return chunks;
  };

  test("the route answers a conversation", async () => {
    const { POST } = await folder.run<Pick<ChatRoute, "POST">>("route.ts", route);
    const chunks = await read(await POST(post([{ role: "user", content: "Hi" }])));
    expect(chunks).toContainEqual({ type: "text-delta", segmentId: "msg_1:0", delta: "Hello!" });
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
    expect(server.requests.at(-1)?.body).toEqual({
      model: "claude-sonnet-5-5",
      max_tokens: 4096,
      stream: true,
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    });
  });

  test("the agent with a tool calls it, and returns signed thinking with the result", async () => {
    const { agent } = await folder.run<{ agent: ChatAgent }>("tools.ts", tools);
    const { POST } = createChatRoute({ agent });
    const chunks = await read(await POST(post([{ role: "user", content: "Hi" }])));
    const content = { city: "Berlin", celsius: 21 };
    expect(chunks).toContainEqual({
      type: "tool-call-result",
      toolCallId: "toolu_1",
      tool: "weather",
      content,
    });
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop", usage: { outputTokens: 40 } });
    const [first, second] = server.requests.slice(-2).map(({ body }) => body);
    expect(first).toMatchObject({
      tools: [
        {
          name: "weather",
          description: "The weather in a city.",
          input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        },
      ],
    });
    expect(second).toMatchObject({
      messages: [
        { role: "user" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "Hm", signature: "c2ln" },
            { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Berlin" } },
          ],
        },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "toolu_1", content: JSON.stringify(content) }],
        },
      ],
    });
  });

  test("the route with a text for failures sends it", async () => {
    const { route } = await folder.run<{ route: ChatRoute }>("errors.ts", errors);
    const chunks = await read(await route.fetch(post([{ role: "user", content: "Hi" }])));
    expect(chunks).toEqual([
      { type: "text-delta", delta: "Hel" },
      { type: "error", message: "The model is busy. Try again in a minute.", retryable: true },
    ]);
  });

  test("the snippets pass the type checker with the SDK's own types", () => {
    expect(folder.check()).toBe("");
  });
});
