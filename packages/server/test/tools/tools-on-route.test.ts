/** The loop on a whole route: with signed tokens, and messages from a store. */
import type { AssistantUIMessage, InterruptChunk, StreamChunk } from "@kortyx/protocol";
import { createMessageAccumulator } from "@kortyx/protocol";
import { toChatMessage } from "@kortyx/protocol/internal";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { defineTool } from "../../src/tools/define-tool.ts";
import { runTools } from "../../src/tools/run-tools.ts";
import { call, type ScriptedTurn, scriptTurns, text } from "./scripted-turns.ts";

const pay = vi.fn(({ euros }: { euros: number }) => `Paid ${euros}.`);
const tools = {
  pay: defineTool({
    description: "",
    inputSchema: z.object({ euros: z.number() }),
    needsApproval: true,
    canEdit: true,
    run: pay,
  }),
  locate: defineTool({ description: "" }),
};
const calls = [call("pay", { euros: 5 }), call("pay", { euros: 7 }, "pay-2"), call("locate")];
beforeEach(() => {
  pay.mockClear();
});

/** A route, and a client that knows the conversation. */
function createConversation(
  scripts: ScriptedTurn[],
  isStored: boolean,
  more: Partial<ChatRouteOptions> = {},
) {
  const { turn, turns } = scriptTurns(...scripts);
  let stored: AssistantUIMessage | undefined;
  const route = createChatRoute({
    agent: { streamChat: (messages, options) => runTools({ messages, options, tools, turn }) },
    resumeSecret: "a secret with at least 32 characters",
    ...(isStored && {
      loadMessage: () => stored,
      onFinish: ({ message }) => {
        stored = message as AssistantUIMessage;
      },
    }),
    ...more,
  });
  let shown: AssistantUIMessage = { id: "run-1", role: "assistant", parts: [], status: "done" };
  const post = async (body: object) => {
    const response = await route.POST(
      new Request("http://host/api/chat", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ sessionId: "s", ...body }),
      }),
    );
    const received = await response.text();
    const chunks = received
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event): StreamChunk => JSON.parse(event.slice("data: ".length)));
    const accumulator = createMessageAccumulator<never, AssistantUIMessage>(shown);
    for (const chunk of chunks) accumulator.apply(chunk);
    if (response.ok) shown = accumulator.message;
    return { status: response.status, chunks, received };
  };
  const question = { role: "user", content: "Pay and locate.", id: "u" };
  return {
    turns,
    send: () => post({ messages: [question] }),
    continue: (answers: object, change: (message: object) => object = (message) => message) =>
      post({
        messages: [question, change({ ...toChatMessage(shown, "parts")!, id: shown.id })],
        trigger: "continue",
        messageId: shown.id,
        ...answers,
      }),
    get shown() {
      return shown;
    },
  };
}

const answer = ({ requestId, resumeToken }: InterruptChunk, more: object) => ({
  requestId,
  resumeToken,
  ...more,
});
const stateOf = ({ parts }: AssistantUIMessage) =>
  parts.flatMap((part) => (part.type === "tool-call" ? part.state : []));
const script = [{ chunks: [text("Wait.")], calls }, { chunks: [text("Done.")] }];

describe.each([
  ["with loadMessage", true],
  ["without it", false],
])("a route %s", (_, isStored) => {
  test("answers one by one, and calls the model after the last", async () => {
    const chat = createConversation(script, isStored);
    await chat.send();
    const [first, second] = chat.shown.interrupts!;
    expect(stateOf(chat.shown)).toEqual(["awaiting-approval", "awaiting-approval", "awaiting-client"]);

    await chat.continue({ resumes: [answer(second!, { answer: "approve" })] });
    expect(stateOf(chat.shown)).toEqual(["awaiting-approval", "done", "awaiting-client"]);
    expect(chat.shown.interrupts).toHaveLength(1);

    const located = chat.shown.parts.find((part) => part.type === "tool-call" && part.tool === "locate");
    const resumeToken = located?.type === "tool-call" ? located.resumeToken : undefined;
    await chat.continue({
      toolResults: [{ toolCallId: "locate-1", tool: "locate", resumeToken, content: "here" }],
    });
    expect(stateOf(chat.shown)).toEqual(["awaiting-approval", "done", "done"]);
    expect(chat.turns).toHaveLength(1);

    await chat.continue({ resumes: [answer(first!, { answer: "edit", input: { euros: 6 } })] });
    expect(stateOf(chat.shown)).toEqual(["done", "done", "done"]);
    expect(chat.turns).toHaveLength(2);
    expect(chat.shown.finishReason).toBe("stop");
    expect(pay.mock.calls.map(([input]) => input)).toEqual([{ euros: 7 }, { euros: 6 }]);
    expect(chat.turns[1]!.messages.at(-1)!.parts).toMatchObject([
      { type: "step" },
      { type: "text", text: "Wait." },
      { state: "done", input: { euros: 6 }, content: "Paid 6." },
      { state: "done", content: "Paid 7." },
      { state: "done", content: "here" },
    ]);
  });

  test("answers all at once", async () => {
    const chat = createConversation(script, isStored);
    await chat.send();
    const resumes = chat.shown.interrupts!.map((question) =>
      answer(question, { answer: "deny", reason: "No." }),
    );
    const part = chat.shown.parts.find((one) => one.type === "tool-call" && one.tool === "locate");
    const resumeToken = part?.type === "tool-call" ? part.resumeToken : undefined;
    const errorMessage = "No signal.";
    await chat.continue({
      resumes,
      toolResults: [{ toolCallId: "locate-1", tool: "locate", resumeToken, errorMessage }],
    });
    expect(stateOf(chat.shown)).toEqual(["denied", "denied", "error"]);
    expect(chat.turns).toHaveLength(2);
    expect(pay).not.toHaveBeenCalled();
  });

  test("refuses an approval of a call that the client has changed, and runs nothing", async () => {
    const chat = createConversation(script, isStored);
    await chat.send();
    const resumes = [answer(chat.shown.interrupts![0]!, { answer: "approve" })];
    const { status } = await chat.continue({ resumes }, (message) =>
      JSON.parse(JSON.stringify(message).replace('"euros":5', '"euros":500')),
    );
    expect(status).toBe(403);
    expect(pay).not.toHaveBeenCalled();
  });
});

test("a call that was approved runs no second time", async () => {
  const chat = createConversation(script, true);
  await chat.send();
  const resumes = [answer(chat.shown.interrupts![0]!, { answer: "approve" })];
  await chat.continue({ resumes });
  expect((await chat.continue({ resumes })).status).toBe(409);
  expect(pay).toHaveBeenCalledTimes(1);
});

test("an approval whose stream has failed can be given again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const chat = createConversation([script[0]!], true);
  await chat.send();
  const resumes = chat.shown.interrupts!.map((question) => answer(question, { answer: "approve" }));
  const part = chat.shown.parts.find((one) => one.type === "tool-call" && one.tool === "locate");
  const resumeToken = part?.type === "tool-call" ? part.resumeToken : undefined;
  const toolResults = [{ toolCallId: "locate-1", tool: "locate", resumeToken, content: "here" }];
  // The script has no second turn.
  const failed = await chat.continue({ resumes, toolResults });
  expect(failed.chunks.at(-1)).toMatchObject({ type: "error", code: "internal" });
  expect(stateOf(chat.shown)).toEqual(["done", "done", "done"]);
  await chat.continue({ resumes, toolResults });
  expect(chat.turns).toHaveLength(3);
  expect(pay).toHaveBeenCalledTimes(2);
  expect(console.error).toHaveBeenCalledTimes(2);
  vi.restoreAllMocks();
});

test("the error of a turn is masked, after the text that had come", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const chat = createConversation([{ chunks: [text("Half")], calls: [call("missing")] }], false);
  const { received, chunks } = await chat.send();
  expect(chunks.map(({ type }) => type)).toEqual([
    "step-start",
    "text-delta",
    "tool-call-ready",
    "tool-call-error",
    "step-end",
    "step-start",
    "error",
  ]);
  expect(received).not.toContain("script");
  expect(log).toHaveBeenCalledOnce();
  log.mockRestore();
});
