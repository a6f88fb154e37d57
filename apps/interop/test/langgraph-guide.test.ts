/** The snippets of the guide, with a real graph, in this process and on a server. */
import { readStream } from "@kortyx/client";
import type { ChatAgent, ChatMessage, StreamChunk } from "@kortyx/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, type GuideFolder, snippetsOf } from "./kit/guide.ts";
import { serveProvider } from "./kit/provider-server.ts";

const [routeCode, inputCode, toolsCode, serverCode] = snippetsOf("docs/langgraph.md");

/** Asks for a city, and has the calls of a tool of the page where the question names it. */
const graphCode = `
import { type BaseMessage } from "@langchain/core/messages";
import { interrupt, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ScriptedModel } from "../../test/kit/scripted-model.ts";

const textOf = (messages: BaseMessage[]) => messages.map(({ text }) => text).join(" / ");

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("answer", async ({ messages }) => {
    const last = messages.at(-1)!;
    if (last.text === "Print it") {
      const model = new ScriptedModel([{ content: "", tool_call_chunks: [{ id: "c1", name: "print", args: "{}", index: 0 }] }]);
      return { messages: [await model.invoke(messages)] };
    }
    const city = last.text === "Plan a trip" ? interrupt("Which city?") : "";
    const model = new ScriptedModel([{ content: textOf(messages) }, { content: " > " + city }]);
    return { messages: [await model.invoke(messages)] };
  })
  .addEdge(START, "answer")
  .compile({ checkpointer: new MemorySaver() });
`;

const sessionCode = `
export const verifySession = (request: Request): string | null => request.headers.get("x-user");
`;

type Handler = (request: Request) => Promise<Response>;
const secret = "a secret of at least thirty-two characters";

const post = async (handler: Handler, user: string, body: object): Promise<StreamChunk[]> => {
  const response = await handler(
    new Request("http://localhost/api/chat", {
      method: "POST",
      headers: { "content-type": "application/json", "x-user": user },
      body: JSON.stringify(body),
    }),
  );
  const chunks: StreamChunk[] = [];
  for await (const chunk of readStream(response.body)) chunks.push(chunk);
  return chunks;
};

const say = (content: string, id: string): ChatMessage => ({ role: "user", content, id });
const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

describe.skipIf(!isInstalled())("docs/langgraph.md", () => {
  let folder: GuideFolder;
  beforeAll(() => {
    process.env.RESUME_SECRET = secret;
    folder = createGuideFolder("langgraph-guide");
    folder.write("graph.ts", graphCode);
    folder.write("session.ts", sessionCode);
  });
  afterAll(() => folder[Symbol.dispose]());

  test("the route asks, continues with the answer, and keeps the threads of owners apart", async () => {
    const { POST } = await folder.run<{ POST: Handler }>("route.ts", routeCode!);
    const sessionId = "s1";
    const first = await post(POST, "ann", { sessionId, messages: [say("Plan a trip", "u1")] });
    const question = first.find((chunk) => chunk.type === "interrupt")!;
    expect([question.input.question, first.at(-1)]).toEqual([
      "Which city?",
      expect.objectContaining({ finishReason: "interrupt" }),
    ]);
    const { requestId, resumeToken } = question;
    const messages = [say("Plan a trip", "u1"), say("Rome", "u2")];
    const resume = { requestId, resumeToken, answer: "Rome" };
    expect(textOf(await post(POST, "ann", { sessionId, messages, resume }))).toBe("Plan a trip > Rome");
    const thanks = await post(POST, "ann", { sessionId, messages: [...messages, say("Thanks", "u3")] });
    expect(textOf(thanks)).toBe("Plan a trip / Plan a trip > Rome / Thanks > ");
    // Another user who knows the session.
    expect(textOf(await post(POST, "bob", { sessionId, messages: [say("And?", "u9")] }))).toBe("And? > ");
  });

  test("a question that is asked again replaces what came after it", async () => {
    const { toInput } = await folder.run<{
      toInput(messages: ChatMessage[], thread: string): Promise<object>;
    }>("input.ts", inputCode!);
    const { graph } = await import(/* @vite-ignore */ `${folder.write("graph.ts", graphCode)}`);
    const config = { configurable: { thread_id: "t1" } };
    for (const [content, id] of [
      ["One", "u1"],
      ["Two", "u2"],
      ["Other", "u1"],
    ] as const) {
      await graph.invoke(await toInput([say(content, id)], "t1"), config);
    }
    const { values } = await graph.getState(config);
    expect(values.messages.map(({ text }: { text: string }) => text)).toEqual(["Other", "Other > "]);
  });

  test("the page's tool gets its call, and the graph its result", async () => {
    const { agent } = await folder.run<{ agent: ChatAgent }>("tools.ts", toolsCode!);
    const collect = async (...given: Parameters<ChatAgent["streamChat"]>) => {
      const chunks: StreamChunk[] = [];
      const stream = (await agent.streamChat(...given)) as AsyncIterable<StreamChunk>;
      for await (const chunk of stream) chunks.push(chunk);
      return chunks;
    };
    const options = { owner: "ann", sessionId: "s2" };
    const first = await collect([say("Print it", "u1")], options);
    expect(first).toContainEqual(
      expect.objectContaining({ type: "tool-call-ready", tool: "print", executor: "client" }),
    );
    expect(first.at(-1)).toMatchObject({ finishReason: "tool-calls" });
    const toolResults = [{ toolCallId: "c1", tool: "print", content: "2 pages" }];
    expect(textOf(await collect([say("Print it", "u1")], { ...options, toolResults }))).toContain("2 pages");
    // Requests without a session share no thread.
    for (const id of ["u2", "u3"]) expect(textOf(await collect([say("Hello", id)], {}))).toBe("Hello > ");
    const signal = AbortSignal.abort(new Error("Stopped."));
    await expect(collect([say("Hello", "u4")], { ...options, signal })).rejects.toThrow("Stopped.");
  });

  test("a server's graph gets the newest message, the answers by id, and the signal", async () => {
    const frame = (event: string, data: unknown) =>
      `event: ${event}\r\ndata: ${JSON.stringify(data)}\r\n\r\n`;
    const id = "0".repeat(32);
    await using server = await serveProvider(({ method, path, body }) => {
      const json = (value: unknown) => ({
        headers: { "content-type": "application/json" },
        pieces: [JSON.stringify(value)],
      });
      if (path === "/threads") return json(body);
      if (method === "GET") return json({ status: "success" });
      const { command } = body as { command?: { resume: object } };
      const message = { type: "AIMessageChunk", id: "m1", content: "Hello" };
      return {
        pieces: [
          frame("metadata", { run_id: "r1", thread_id: "t1" }),
          command
            ? frame("messages", [message, {}])
            : frame("updates", { __interrupt__: [{ id, value: "Sure?" }] }),
        ],
      };
    });
    process.env.LANGGRAPH_URL = server.url;
    const { POST } = await folder.run<{ POST: Handler }>("server.ts", serverCode!);
    const sessionId = "s1";
    const first = await post(POST, "ann", { sessionId, messages: [say("One", "u1"), say("Two", "u2")] });
    const { requestId, resumeToken } = first.find((chunk) => chunk.type === "interrupt")!;
    const resume = { requestId, resumeToken, answer: "Yes" };
    const messages = [say("Two", "u2"), say("Yes", "u3")];
    expect(textOf(await post(POST, "ann", { sessionId, messages, resume }))).toBe("Hello");
    const [created, run] = server.requests;
    const { thread_id } = created!.body as { thread_id: string };
    expect(thread_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(run).toMatchObject({
      path: `/threads/${thread_id}/runs/stream`,
      body: {
        input: { messages: [{ role: "user", content: "Two", id: "u2" }] },
        on_disconnect: "cancel",
        stream_mode: ["messages-tuple", "updates", "custom"],
      },
    });
    const resumed = server.requests.filter(({ path }) => path.endsWith("/runs/stream"))[1]!;
    expect(resumed.body).toMatchObject({ command: { resume: { [id]: "Yes" } } });
    await post(POST, "bob", { sessionId, messages: [say("One", "u1")] });
    const ids = server.requests.flatMap(({ path, body }) => (path === "/threads" ? [body] : []));
    expect(new Set(ids.map((body) => (body as { thread_id: string }).thread_id)).size).toBe(2);
  });

  test("the snippets pass the type checker with the real packages", () => {
    expect(folder.check()).toBe("");
  });
});
