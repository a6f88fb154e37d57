/** The guide of docs/openai-chat.md, run and type-checked with the package `openai`. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, snippetsOf } from "./kit/guide.ts";
import { serveProvider, toFrames } from "./kit/provider-server.ts";

const [route, tools, onError] = snippetsOf("docs/openai-chat.md") as [string, string, string];

const event = (delta: object, finish_reason: string | null = null) => ({
  id: "chatcmpl-1",
  model: "gpt-5-mini",
  choices: [{ index: 0, delta, finish_reason }],
});

const post = (body: object) =>
  new Request("http://host/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

afterEach(() => vi.unstubAllEnvs());

describe.skipIf(!isInstalled())("docs/openai-chat.md", () => {
  test("the snippets pass the type checker with the SDK's own types", () => {
    using folder = createGuideFolder("openai-chat-types");
    folder.write("route.ts", route);
    folder.write("tools.ts", tools);
    folder.write("on-error.ts", onError);
    expect(folder.check()).toBe("");
  });

  test("the route fits in twenty lines, and answers", async () => {
    expect(route.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(20);
    await using server = await serveProvider({
      pieces: toFrames([event({ content: "Hello" }), event({}, "stop")]),
    });
    vi.stubEnv("OPENAI_BASE_URL", server.url);
    vi.stubEnv("OPENAI_API_KEY", "key");
    using folder = createGuideFolder("openai-chat-route");
    const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>("route.ts", route);
    const response = await POST(post({ messages: [{ role: "user", content: "Hi" }] }));
    const text = await response.text();
    expect([response.status, text]).toEqual([200, expect.stringContaining('"delta":"Hello"')]);
    expect(text).toContain('"finishReason":"stop"');
    expect(server.requests[0]).toMatchObject({
      path: "/chat/completions",
      body: { messages: [{ role: "user", content: "Hi" }], stream_options: { include_usage: true } },
    });
  });

  test("the tool runs, and the model answers with its result", async () => {
    const call = { index: 0, id: "a", function: { name: "weather", arguments: '{"city":"Rome"}' } };
    await using server = await serveProvider((_, number) => ({
      pieces: toFrames(
        number === 0
          ? [event({ tool_calls: [call] }), event({}, "tool_calls")]
          : [event({ content: "It is 21 °C." }), event({}, "stop")],
      ),
    }));
    vi.stubEnv("OPENAI_BASE_URL", server.url);
    vi.stubEnv("OPENAI_API_KEY", "key");
    using folder = createGuideFolder("openai-chat-tools");
    const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>("tools.ts", tools);
    const response = await POST(post({ messages: [{ role: "user", content: "Hi" }], stream: false }));
    expect(await response.json()).toMatchObject({ text: "It is 21 °C." });
    expect(server.requests.map(({ body }) => body)).toMatchObject([
      { tools: [{ type: "function", function: { name: "weather", parameters: { required: ["city"] } } }] },
      {
        messages: [
          { role: "user", content: "Hi" },
          { role: "assistant", content: null, tool_calls: [{ id: "a" }] },
          { role: "tool", tool_call_id: "a", content: '{"city":"Rome","celsius":21}' },
        ],
      },
    ]);
  });
});
