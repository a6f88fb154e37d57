import { type AssistantUIMessage, type ChatOptions, createChat } from "@kortyx/client";
import type { ChatMessage } from "@kortyx/server";
import type { AISDKModelMessage } from "@kortyx/server/ai-sdk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, type GuideFolder, snippetsOf } from "./kit/guide.ts";
import { callFrames, endFrames, textFrames } from "./kit/openai-chat-frames.ts";
import { type ProviderServer, serveProvider } from "./kit/provider-server.ts";

const [firstRoute, routeWithTools, wayBack] = snippetsOf("docs/ai-sdk-agents.md") as [string, string, string];

interface Route {
  POST(request: Request): Promise<Response>;
  GET?(request: Request): Promise<Response>;
  DELETE?(request: Request): Promise<Response>;
}

let folder: GuideFolder;
/** One for all: the SDK reads its address once. */
let server: ProviderServer;
let answers: string[][] = [];

beforeAll(async () => {
  server = await serveProvider(() => ({ pieces: answers.shift() ?? endFrames("stop") }));
  vi.stubEnv("OPENAI_BASE_URL", server.url);
  folder = createGuideFolder("ai-sdk-agents-guide");
  vi.stubEnv("OPENAI_API_KEY", "key");
  vi.stubEnv("RESUME_SECRET", "a secret of at least 32 characters");
  folder.write(
    "store.ts",
    'import { createMemoryRunStore } from "@kortyx/server";\n\nexport const store = createMemoryRunStore();\n',
  );
  folder.write("session.ts", 'export const verifySession = (_request: Request): string => "ann";\n');
});
afterAll(async () => {
  await server.close();
  folder[Symbol.dispose]();
  vi.unstubAllEnvs();
});
/** @returns the requests from now on. */
function script(...given: string[][]) {
  answers = given;
  server.requests.length = 0;
  return server.requests;
}

function chatWith(route: Route, options: Pick<ChatOptions, "tools" | "runs"> = {}) {
  const methods: Record<string, ((request: Request) => Promise<Response>) | undefined> = { ...route };
  return createChat({
    endpoint: "http://localhost/api/chat",
    fetch: (input, init) => {
      const request = new Request(input, init);
      return methods[request.method]!(request);
    },
    ...options,
  });
}

const answerOf = (chat: ReturnType<typeof chatWith>) =>
  chat.getSnapshot().messages.at(-1) as AssistantUIMessage;

describe.skipIf(!isInstalled())("the guide of agents of the AI SDK", () => {
  test("its snippets pass the type checker with the SDK's own types", () => {
    folder.write("first-route.ts", firstRoute);
    folder.write("route-with-tools.ts", routeWithTools);
    folder.write("way-back.ts", wayBack);
    expect(folder.check()).toBe("");
  });

  test("the first route answers", async () => {
    const requests = script([...textFrames("Hel", "lo"), ...endFrames("stop")]);
    expect(firstRoute.trim().split("\n").length).toBeLessThanOrEqual(20);
    const chat = chatWith(await folder.run<Route>("answering-route.ts", firstRoute));
    await chat.send("Hi");
    expect(answerOf(chat)).toMatchObject({ status: "done", finishReason: "stop" });
    expect(answerOf(chat).parts.find(({ type }) => type === "text")).toMatchObject({ text: "Hello" });
    expect(requests[0]!.body).toMatchObject({ messages: [{ role: "user", content: "Hi" }] });
  });

  test("with tools, it searches, waits for an approval, and for the page", async () => {
    const requests = script(
      [...callFrames(0, "1", "search", '{"query":"invoices"}'), ...endFrames("tool_calls")],
      [...callFrames(0, "2", "pay", '{"invoice":"A-1"}'), ...endFrames("tool_calls")],
      [...callFrames(0, "3", "locate", "{}"), ...endFrames("tool_calls")],
      [...textFrames("You are in Bern, and it is paid."), ...endFrames("stop")],
    );
    const locate = { execute: () => ({ city: "Bern" }) };
    const chat = chatWith(await folder.run<Route>("waiting-route.ts", routeWithTools), {
      tools: { locate },
      runs: true,
    });
    await chat.send("Pay A-1");
    const [, searched, , asked] = answerOf(chat).parts;
    expect(searched).toMatchObject({ tool: "search", state: "done", content: ["A page about invoices"] });
    expect(asked).toMatchObject({ tool: "pay", state: "awaiting-approval" });
    expect(chat.getSnapshot().interrupts).toMatchObject([
      { toolCallId: "2", input: { question: "Run pay?" } },
    ]);

    await chat.approve(asked as never);
    await vi.waitFor(() => expect(answerOf(chat)).toMatchObject({ finishReason: "stop" }));
    const calls = answerOf(chat).parts.filter(({ type }) => type === "tool-call");
    expect(calls).toMatchObject([
      { tool: "search", state: "done" },
      { tool: "pay", state: "done", content: "A-1 is paid." },
      { tool: "locate", state: "done", content: { city: "Bern" } },
    ]);
    expect(chat.getSnapshot().messages).toHaveLength(2);
    expect(requests).toHaveLength(4);
    expect(requests[3]!.body).toMatchObject({
      messages: [
        { role: "user", content: "Pay A-1" },
        { role: "assistant", tool_calls: [{ id: "1" }] },
        { role: "tool", tool_call_id: "1", content: '["A page about invoices"]' },
        { role: "assistant", tool_calls: [{ id: "2" }] },
        { role: "tool", tool_call_id: "2", content: "A-1 is paid." },
        { role: "assistant", tool_calls: [{ id: "3" }] },
        { role: "tool", tool_call_id: "3", content: '{"city":"Bern"}' },
      ],
    });
  });

  test("toOutput shortens what later requests hold", async () => {
    const { toShortMessages } = await folder.run<{
      toShortMessages(messages: ChatMessage[]): AISDKModelMessage[];
    }>("short-messages.ts", wayBack);
    const call = { type: "tool-call" as const, toolCallId: "1", tool: "search", state: "done" as const };
    const parts = [{ ...call, input: {}, content: ["a", "b"] }];
    expect(toShortMessages([{ role: "assistant", content: "", parts }]).at(-1)).toMatchObject({
      role: "tool",
      content: [{ output: { type: "text", value: "2 pages" } }],
    });
  });
});
