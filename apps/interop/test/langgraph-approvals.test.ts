/** LangChain's human-in-the-loop middleware, a route and a chat, from the question to the tool. */
import { createChat, createMessageAccumulator } from "@kortyx/client";
import { createChatRoute, type InterruptAnswer, type StreamChunk } from "@kortyx/server";
import { fromLangGraph, toLangChainMessages, toResumeMap } from "@kortyx/server/langgraph";
import type { AgentMiddleware } from "langchain";
import { describe, expect, test } from "vitest";
import { isInstalled } from "../install.ts";

const none = {} as never;
const { createAgent, humanInTheLoopMiddleware } = isInstalled() ? await import("langchain") : none;
const { tool } = isInstalled() ? await import("@langchain/core/tools") : none;
const { Command, MemorySaver } = isInstalled() ? await import("@langchain/langgraph") : none;
const { z } = isInstalled() ? await import("zod") : none;
const { ScriptedModel } = isInstalled() ? await import("./kit/scripted-model.ts") : none;

const callPiece = (id: string, args: string, index: number) => ({
  content: "",
  id: "m1",
  tool_call_chunks: [{ id, name: "send", args, index }],
});

/** Its own type does not compile with `exactOptionalPropertyTypes`. */
const review = humanInTheLoopMiddleware as unknown as (options: object) => AgentMiddleware;

/** A chat whose agent wants to send two letters, and what its tool has sent. */
function createLetters(allowedDecisions: ("approve" | "edit" | "reject")[] = ["approve", "edit", "reject"]) {
  const sent: string[] = [];
  const send = tool(
    async ({ to }: { to: string }) => {
      sent.push(to);
      return `Sent to ${to}.`;
    },
    { name: "send", description: "Sends a letter.", schema: z.object({ to: z.string() }) },
  );
  const model = new ScriptedModel(
    [
      { content: "May I? ", id: "m1" },
      callPiece("c1", '{"to":"ann"}', 0),
      callPiece("c2", '{"to":"bob"}', 1),
    ],
    [{ content: "All done.", id: "m2" }],
  );
  const graph = createAgent({
    model,
    tools: [send],
    middleware: [review({ interruptOn: { send: { allowedDecisions } } })],
    checkpointer: new MemorySaver(),
  });
  const chunks: StreamChunk[] = [];
  const { POST } = createChatRoute({
    authorize: () => "ann",
    resumeSecret: "a secret of at least thirty-two characters",
    agent: {
      async *streamChat(messages, { owner, sessionId, resumes, trigger, signal }) {
        const resume = toResumeMap(resumes);
        const newest = trigger === "continue" ? null : { messages: toLangChainMessages(messages.slice(-1)) };
        const stream = graph.stream(resume ? new Command({ resume }) : newest, {
          configurable: { thread_id: JSON.stringify([owner, sessionId]) },
          streamMode: ["messages", "updates"],
          subgraphs: true,
          ...(signal && { signal }),
        });
        for await (const chunk of fromLangGraph(stream, { resumes, signal })) {
          chunks.push(chunk);
          yield chunk;
        }
      },
    },
  });
  const chat = createChat({
    endpoint: "http://localhost/api/chat",
    fetch: (url, init) => POST(new Request(url, init)),
  });
  const calls = () =>
    chat
      .getSnapshot()
      .messages.flatMap((message) =>
        message.role === "assistant"
          ? message.parts.flatMap((part) =>
              part.type === "tool-call" ? [[part.toolCallId, part.state, part.input, part.content]] : [],
            )
          : [],
      );
  const text = () =>
    chat
      .getSnapshot()
      .messages.flatMap((message) =>
        message.role === "assistant"
          ? message.parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
          : [],
      );
  return { chat, calls, text, sent, chunks };
}

describe.skipIf(!isInstalled())("LangChain's human-in-the-loop middleware", () => {
  test("runs the approved and the changed calls, in the message that asked", async () => {
    const { chat, calls, text, sent } = createLetters();
    await chat.send("Write to both");
    expect(chat.getSnapshot().interrupts.map(({ toolCallId }) => toolCallId)).toEqual(["c1", "c2"]);
    expect(calls().map(([, state]) => state)).toEqual(["awaiting-approval", "awaiting-approval"]);
    await chat.edit({ toolCallId: "c1" }, { to: "eve" });
    expect(sent).toEqual([]);
    await chat.approve({ toolCallId: "c2" });
    expect(sent.sort()).toEqual(["bob", "eve"]);
    expect(calls()).toEqual([
      ["c1", "done", { to: "eve" }, "Sent to eve."],
      ["c2", "done", { to: "bob" }, "Sent to bob."],
    ]);
    expect(text()).toEqual(["May I? ", "All done."]);
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", interrupts: [] });
    expect(chat.getSnapshot().messages).toHaveLength(2);
  });

  test("refuses what the user denies, and then runs none of the message's calls", async () => {
    const { chat, calls, sent, chunks } = createLetters();
    await chat.send("Write to both");
    await chat.approve({ toolCallId: "c1" });
    await chat.deny({ toolCallId: "c2" }, "Not Bob.");
    expect(sent).toEqual([]);
    expect(calls().map(([id, state]) => [id, state])).toEqual([
      ["c1", "interrupted"],
      ["c2", "denied"],
    ]);
    expect(chunks.find(({ type }) => type === "tool-call-denied")).toMatchObject({ reason: "Not Bob." });
  });

  test("offers only the decisions that it allows", async () => {
    const { chat } = createLetters(["approve", "reject"]);
    await chat.send("Write to both");
    const options = chat
      .getSnapshot()
      .interrupts.map(({ input }) => ("options" in input ? input.options.map(({ id }) => id) : []));
    expect(options).toEqual([
      ["approve", "deny"],
      ["approve", "deny"],
    ]);
  });

  test("waits for the other decisions of a request that has only some", async () => {
    const { chat, sent, chunks } = createLetters();
    await chat.send("Write to both");
    const [first] = chat.getSnapshot().interrupts;
    await chat.respond([{ interrupt: first!, answer: "approve" }]);
    expect(sent).toEqual([]);
    expect(chunks.filter(({ type }) => type === "interrupt-resolved")).toEqual([]);
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "interrupt" });
  });

  test("both streams together are one message", async () => {
    const { chat, chunks } = createLetters();
    await chat.send("Write to both");
    const resumes: InterruptAnswer[] = chat
      .getSnapshot()
      .interrupts.map(({ requestId, resumeToken }) => ({ requestId, resumeToken, answer: "approve" }));
    expect(resumes).toHaveLength(2);
    await chat.approve({ toolCallId: "c1" });
    await chat.approve({ toolCallId: "c2" });
    const accumulator = createMessageAccumulator();
    for (const chunk of chunks) if (chunk.type !== "done") accumulator.apply(chunk);
    expect(accumulator.message.parts.map(({ type }) => type)).toEqual([
      "step",
      "text",
      "tool-call",
      "tool-call",
      "interrupt",
      "interrupt",
      "step",
      "text",
    ]);
  });
});
