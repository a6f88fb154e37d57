/** The snippets of the guide, with the real client and an agent on loopback. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readStream } from "@kortyx/client";
import type { ChatAgent, ChatMessage, StreamChunk } from "@kortyx/server";
import { createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, type GuideFolder, snippetsOf } from "./kit/guide.ts";
import { serveProvider, toFrames } from "./kit/provider-server.ts";

const [agentCode, adaptCode, routeCode, pageCode] = snippetsOf("docs/ag-ui.md");

type Handler = { fetch(request: Request): Promise<Response> };

async function post({ fetch }: Handler, body: object): Promise<StreamChunk[]> {
  const response = await fetch(
    new Request("http://localhost/api/chat", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  const chunks: StreamChunk[] = [];
  for await (const chunk of readStream(response.body)) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

const messages: ChatMessage[] = [{ role: "user", content: "Hi", id: "m" }];

/** The events of an agent that answers, and then asks. */
const answer = [
  { type: "RUN_STARTED", threadId: "t", runId: "r" },
  { type: "TEXT_MESSAGE_CHUNK", messageId: "1", delta: "Hello" },
  {
    type: "RUN_FINISHED",
    threadId: "t",
    runId: "r",
    outcome: { type: "interrupt", interrupts: [{ id: "q", reason: "input", message: "Which city?" }] },
  },
];

describe.skipIf(!isInstalled())("docs/ag-ui.md", () => {
  let folder: GuideFolder;
  beforeAll(() => {
    folder = createGuideFolder("ag-ui");
  });
  afterAll(() => folder[Symbol.dispose]());

  test("an agent on another server answers through the route, and gets its question answered", async () => {
    await using server = await serveProvider({ pieces: toFrames(answer) });
    const code = agentCode!.replace("http://127.0.0.1:8000/", server.url);
    const { route } = await folder.run<{ route: Handler }>("agent.ts", code);
    const chunks = await post(route, { messages, sessionId: "t" });
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "interrupt" });
    const resumes = [{ requestId: "q", resumeToken: "q", answer: "Rome" }];
    await post(route, { messages, sessionId: "t", resumes });
    expect(server.requests[1]?.body).toMatchObject({
      threadId: "t",
      messages: [{ id: "m", role: "user", content: "Hi" }],
      resume: [{ interruptId: "q", status: "resolved", payload: "Rome" }],
    });
  });

  test("an agent in the same process answers through a route", async () => {
    const { AbstractAgent } = await import("@ag-ui/client");
    const { adapt } = await folder.run<{ adapt(agent: object): ChatAgent }>("adapt.ts", adaptCode!);
    class Echo extends AbstractAgent {
      override run() {
        return {
          subscribe(observer: { next(event: object): void; complete(): void }) {
            for (const event of answer) observer.next(event);
            observer.complete();
            return { unsubscribe() {} };
          },
        } as never;
      }
    }
    expect(textOf(await post(createChatRoute({ agent: adapt(new Echo()) }), { messages }))).toBe("Hello");
  });

  test("a page with HttpAgent asks the route", async () => {
    const { route } = await folder.run<{ route: Handler }>("route.ts", routeCode!);
    const { ask } = await folder.run<{ ask(url: string, question: string): Promise<object[]> }>(
      "page.ts",
      pageCode!,
    );
    const server = createServer(toNodeHandler(route.fetch));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const said = await ask(`http://127.0.0.1:${port}`, "Hi");
      expect(said).toMatchObject([
        { role: "user", content: "Hi" },
        { role: "assistant", content: "You said: Hi" },
      ]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("the page of an agent that fails shows the error", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { ask } = await folder.run<{ ask(url: string, question: string): Promise<object[]> }>(
      "failed.ts",
      pageCode!,
    );
    const alert = vi.fn();
    vi.stubGlobal("alert", alert);
    await using server = await serveProvider({ pieces: toFrames([{ type: "RUN_ERROR", message: "Down." }]) });
    await ask(server.url, "Hi");
    expect(alert).toHaveBeenCalledWith("Down.");
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  test("the snippets pass the type checker", () => {
    folder.write("agent.ts", agentCode!);
    folder.write("page.ts", `declare const alert: (text: string) => void;\n${pageCode}`);
    folder.write("failed.ts", "");
    expect(folder.check()).toBe("");
  });
});
