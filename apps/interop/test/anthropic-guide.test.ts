import { readStream } from "@kortyx/client";
import type { ChatMessage, ChatRoute, ClientTool, StreamChunk } from "@kortyx/server";
import type { ModelStream } from "@kortyx/server/anthropic";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { block, end, json, start, text, toAnswer } from "./anthropic-server.ts";
import { createGuideFolder, type GuideFolder, snippetsOf } from "./kit/guide.ts";
import { type ProviderServer, serveProvider } from "./kit/provider-server.ts";

const [route, turn, errors] = snippetsOf("docs/anthropic.md") as [string, string, string];

describe.skipIf(!isInstalled())("docs/anthropic.md", () => {
  let folder: GuideFolder;
  let server: ProviderServer;
  beforeAll(async () => {
    folder = createGuideFolder("anthropic");
    const use = { type: "tool_use", id: "toolu_1", name: "weather", input: {} };
    server = await serveProvider(({ body }) =>
      toAnswer(
        (body as { tools?: unknown[] }).tools
          ? [start, ...block(0, use, ...json('{"city":"Berlin"}')), ...end("tool_use")]
          : [start, ...text(0, "Hello!"), ...end()],
      ),
    );
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

  test("the turn of a loop returns its calls", async () => {
    type Turn = { takeTurn(messages: ChatMessage[], tools: ClientTool[]): ModelStream };
    const { takeTurn } = await folder.run<Turn>("turn.ts", turn);
    const stream = takeTurn(
      [{ role: "user", content: "Hi" }],
      [{ name: "weather", description: "The weather." }],
    );
    const chunks: StreamChunk[] = [];
    let next = await stream.next();
    for (; !next.done; next = await stream.next()) chunks.push(next.value);
    expect(next.value.toolCalls).toEqual([
      { toolCallId: "toolu_1", tool: "weather", input: { city: "Berlin" } },
    ]);
    expect(chunks.map(({ type }) => type)).not.toContain("done");
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
