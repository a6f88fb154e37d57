/** The guide of docs/openai-responses.md, run and type-checked with the package `openai`. */
import type { ChatAgent } from "@kortyx/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { toEvents, type WireItem } from "../../../packages/server/test/adapters/openai-responses-wire.ts";
import { isInstalled } from "../install.ts";
import { createGuideFolder, snippetsOf } from "./kit/guide.ts";
import { type ReceivedRequest, serveProvider, toFrames } from "./kit/provider-server.ts";

const page = "docs/openai-responses.md";
const [route, approvals, tools, stored] = snippetsOf(page) as [string, string, string, string];
const session = `export const verifySession = (_request: Request) => "ann";\n`;

const text = (said: string): WireItem => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: said, annotations: [] }],
});

/** A server that answers the requests with these items, one after the other. */
async function serve(...responses: WireItem[][]) {
  const server = await serveProvider((_, number) => ({
    pieces: toFrames(toEvents(responses[number] ?? [], { id: `resp_${number + 1}` }), "with-names"),
  }));
  vi.stubEnv("OPENAI_BASE_URL", server.url);
  vi.stubEnv("OPENAI_API_KEY", "key");
  return server;
}

const inputOf = ({ body }: ReceivedRequest) => (body as { input: unknown }).input;

afterEach(() => vi.unstubAllEnvs());

describe.skipIf(!isInstalled())(page, () => {
  test("the snippets pass the type checker with the SDK's own types", () => {
    using folder = createGuideFolder("openai-responses-types");
    folder.write("session.ts", session);
    for (const [number, code] of [route, approvals, tools, stored].entries()) {
      folder.write(`snippet-${number}.ts`, code);
    }
    expect(folder.check()).toBe("");
  });

  test("the route fits in twenty lines, and answers", async () => {
    expect(route.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(20);
    await using server = await serve([text("Hello")]);
    using folder = createGuideFolder("openai-responses-route");
    folder.write("session.ts", session);
    const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>("route.ts", route);
    const body = JSON.stringify({ messages: [{ role: "user", content: "Hi" }] });
    const headers = { "content-type": "application/json" };
    const response = await POST(new Request("http://host/api/chat", { method: "POST", headers, body }));
    const answer = await response.text();
    expect([response.status, answer]).toEqual([200, expect.stringContaining('"delta":"Hel"')]);
    expect(answer).toContain('"finishReason":"stop"');
    expect(inputOf(server.requests[0]!)).toEqual([{ role: "user", content: "Hi" }]);
  });

  test("a decision of the user's runs the tool of the MCP server", async () => {
    const { createChat } = await import("@kortyx/client");
    const approval = { name: "delete_page", arguments: '{"page":7}', server_label: "wiki" };
    const asked = { type: "mcp_approval_request", id: "mcpr_1", ...approval };
    const called = {
      type: "mcp_call",
      id: "mcp_1",
      ...approval,
      approval_request_id: "mcpr_1",
      output: "Gone.",
      error: null,
    };
    await using server = await serve([asked], [called, text("It is gone.")], [text("Bye")]);
    using folder = createGuideFolder("openai-responses-approvals");
    const { agent } = await folder.run<{ agent: ChatAgent }>("agent.ts", approvals);
    const chat = await chatWith(createChat, agent);
    await chat.send("Delete page 7");
    const [question] = chat.getSnapshot().interrupts;
    expect(question).toMatchObject({ toolCallId: "mcpr_1", reason: "tool-approval" });
    await chat.approve({ toolCallId: question!.toolCallId! });
    const { messages } = chat.getSnapshot();
    expect(messages.at(-1)).toMatchObject({
      parts: [
        { type: "tool-call", toolCallId: "mcpr_1", state: "done", content: "Gone." },
        { type: "interrupt", resolution: { answer: "approve" } },
        { type: "text", text: "It is gone." },
      ],
    });
    const decided = { type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: true };
    expect(inputOf(server.requests[1]!)).toEqual([
      { role: "user", content: "Delete page 7" },
      asked,
      decided,
    ]);
    // The next question has the whole conversation.
    await chat.send("Thanks");
    expect(inputOf(server.requests[2]!)).toEqual([
      { role: "user", content: "Delete page 7" },
      asked,
      decided,
      called,
      text("It is gone."),
      { role: "user", content: "Thanks" },
    ]);
  });

  test("the server and the page run their tools, and the model gets all results", async () => {
    const { createChat } = await import("@kortyx/client");
    const call = { type: "function_call", status: "completed" };
    const weather = {
      ...call,
      id: "fc_0",
      call_id: "call_0",
      name: "weather",
      arguments: '{ "city": "Rome" }',
    };
    const locate = { ...call, id: "fc_1", call_id: "call_1", name: "locate", arguments: "{}" };
    await using server = await serve([weather, locate], [text("You are in Rome.")]);
    using folder = createGuideFolder("openai-responses-tools");
    const { agent } = await folder.run<{ agent: ChatAgent }>("agent.ts", tools);
    const offered = { locate: { description: "Where the user is", execute: () => ({ city: "Rome" }) } };
    const chat = await chatWith(createChat, agent, { tools: offered });
    await chat.send("How warm is it here?");
    await expect.poll(() => JSON.stringify(chat.getSnapshot().messages)).toContain("You are in Rome.");
    expect(server.requests[0]?.body).toMatchObject({ tools: [{ name: "weather" }, { name: "locate" }] });
    expect(inputOf(server.requests[1]!)).toEqual([
      { role: "user", content: "How warm is it here?" },
      weather,
      locate,
      { type: "function_call_output", call_id: "call_0", output: "It is 21 °C in Rome." },
      { type: "function_call_output", call_id: "call_1", output: '{"city":"Rome"}' },
    ]);
  });

  test("with stored responses, only what is new is sent", async () => {
    const { createChat } = await import("@kortyx/client");
    await using server = await serve([text("Hello")], [text("Fine")]);
    using folder = createGuideFolder("openai-responses-stored");
    const { agent } = await folder.run<{ agent: ChatAgent }>("agent.ts", stored);
    const chat = await chatWith(createChat, agent);
    await chat.send("Hi");
    await chat.send("How are you?");
    expect(server.requests[1]?.body).toMatchObject({
      previous_response_id: "resp_1",
      input: [{ role: "user", content: "How are you?" }],
    });
  });
});

/** A chat whose requests go to a route with this agent. */
async function chatWith(
  createChat: typeof import("@kortyx/client").createChat,
  agent: ChatAgent,
  options: object = {},
) {
  const { createChatRoute } = await import("@kortyx/server");
  const { POST } = createChatRoute({
    agent,
    authorize: () => "ann",
    resumeSecret: "x".repeat(32),
  });
  const fetch = (url: string | URL | Request, init?: RequestInit) =>
    POST(new Request(new URL(String(url), "http://host"), init));
  return createChat({ endpoint: "http://host/api/chat", fetch, ...options });
}
