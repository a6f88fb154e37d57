/** Chats whose answers wait for the user or for a tool of the page, on routes that sign their questions. */
import {
  type AssistantUIMessage,
  type ChatOptions,
  createChat,
  type StoredMessage,
  type UIMessage,
} from "@kortyx/client";
import {
  type ChatAgent,
  type ChatFinish,
  type ChatRouteOptions,
  createChatRoute,
  createMemoryRunStore,
  type StreamChunk,
} from "@kortyx/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type LiveServer, listen } from "./live-server.ts";

const calls = [
  { toolCallId: "c1", tool: "pay", input: { euros: 5 } },
  { toolCallId: "c2", tool: "pay", input: { euros: 50 } },
];
const options = ["approve", "deny", "edit"].map((id) => ({ id, label: id }));
const askAbout = (call: (typeof calls)[number], expiresAt?: number): StreamChunk[] => [
  { type: "tool-call-ready", ...call },
  {
    type: "interrupt",
    requestId: `ask-${call.toolCallId}`,
    resumeToken: JSON.stringify(call),
    toolCallId: call.toolCallId,
    input: { kind: "choice", multiple: false, question: `Pay ${call.input.euros} €?`, options },
    ...(expiresAt !== undefined && { expiresAt }),
  },
];

/** Pays what was approved, asks where the user is, and names the place. */
const agent: ChatAgent = {
  async *streamChat(messages, { resumes = [], toolResults = [] }) {
    for (const { requestId, resumeToken, answer, input, reason } of resumes) {
      const call = JSON.parse(resumeToken);
      yield { type: "interrupt-resolved", requestId, outcome: "answered", answer };
      if (answer === "deny") yield { type: "tool-call-denied", ...call, reason };
      else yield { type: "tool-call-result", ...call, content: { paid: input ?? call.input } };
    }
    for (const { toolCallId, tool, content, errorMessage } of toolResults) {
      if (errorMessage) yield { type: "tool-call-error", toolCallId, tool, message: errorMessage };
      else yield { type: "tool-call-result", toolCallId, tool, content };
    }
    if (toolResults.length > 0) {
      yield { type: "text-delta", delta: `You are in ${toolResults[0]?.content}.` };
      yield { type: "done", finishReason: "stop" };
    } else if (resumes.length > 0) {
      yield { type: "tool-call-ready", toolCallId: "c3", tool: "locate", input: null, executor: "client" };
      yield { type: "done", finishReason: "tool-calls" };
    } else {
      const isLate = messages.at(-1)?.content === "Late";
      yield { type: "text-delta", delta: "Well. " };
      yield* askAbout(calls[0]!);
      yield* askAbout(calls[1]!, isLate ? Date.now() - 1 : undefined);
      yield { type: "done", finishReason: "interrupt" };
    }
  },
};

let servers: LiveServer[];
beforeEach(() => {
  servers = [];
});
afterEach(() => Promise.all(servers.map((server) => server.close())));

/** A chat on a route, and the bodies that the route has received. */
async function setUp(hasRuns: boolean, chatOptions: Partial<ChatOptions> = {}) {
  const saved: UIMessage[] = [];
  const bodies: Record<string, unknown>[] = [];
  const onFinish = ({ input, message }: Pick<ChatFinish, "input" | "message">) => {
    const known = saved.findIndex(({ id }) => id === message?.id);
    if (input) saved.push(input as UIMessage);
    if (message) saved.splice(known === -1 ? saved.length : known, 1, message as UIMessage);
  };
  const routeOptions: ChatRouteOptions = {
    agent,
    authorize: () => "ann",
    resumeSecret: "a secret of more than 32 characters",
    loadMessage: (id) => saved.find((message) => message.id === id) as AssistantUIMessage | undefined,
  };
  const route = hasRuns
    ? createChatRoute({ ...routeOptions, runs: { store: createMemoryRunStore(), onFinish } })
    : createChatRoute({ ...routeOptions, onFinish });
  const server = await listen(async (request) => {
    if (request.method === "POST") bodies.push(await request.clone().json());
    return route[request.method as "POST" | "GET" | "DELETE"](request);
  });
  servers.push(server);
  const open = (more: Partial<ChatOptions> = {}) =>
    createChat({ endpoint: server.url, runs: hasRuns, ...chatOptions, ...more } as ChatOptions);
  return { chat: open(), open, bodies, saved };
}

const answerOf = (messages: readonly UIMessage[]) => messages[1] as AssistantUIMessage;
const statesOf = (messages: readonly UIMessage[]) =>
  answerOf(messages).parts.flatMap((part) =>
    part.type === "tool-call" ? [`${part.toolCallId} ${part.state}`] : [],
  );

describe.each([true, false])("on a route, with runs: %s", (hasRuns) => {
  test("approvals and a tool of the page continue one message, which the page and the server hold alike", async () => {
    const execute = vi.fn(async () => "Rome");
    const { chat, saved, bodies } = await setUp(hasRuns, { tools: { locate: { execute } } });
    await chat.send("Pay");
    expect(chat.getSnapshot().interrupts).toHaveLength(2);
    expect(statesOf(chat.getSnapshot().messages)).toEqual(["c1 awaiting-approval", "c2 awaiting-approval"]);
    await chat.deny({ toolCallId: "c2" }, "Too much.");
    await chat.edit({ toolCallId: "c1" }, { euros: 4 });
    const { messages, error, interrupts } = chat.getSnapshot();
    expect(error).toBeUndefined();
    expect(interrupts).toEqual([]);
    expect(execute).toHaveBeenCalledOnce();
    expect(bodies).toHaveLength(3);
    expect(messages).toHaveLength(2);
    expect(statesOf(messages)).toEqual(["c1 done", "c2 denied", "c3 done"]);
    expect(answerOf(messages)).toMatchObject({ status: "done", finishReason: "stop" });
    expect(answerOf(messages).parts).toMatchObject([
      { text: "Well. " },
      { content: { paid: { euros: 4 } } },
      { resolution: { outcome: "answered", answer: "edit" } },
      { errorMessage: "Too much." },
      { resolution: { answer: "deny" } },
      { content: "Rome" },
      { text: "You are in Rome." },
    ]);
    await vi.waitFor(() => expect(saved).toHaveLength(2));
    await vi.waitFor(() =>
      expect(JSON.parse(JSON.stringify(saved[1]))).toEqual(JSON.parse(JSON.stringify(messages[1]))),
    );
  });

  test("a question can be answered after a reload, from what the server has saved", async () => {
    const { chat, open, saved } = await setUp(hasRuns);
    await chat.send("Pay");
    await vi.waitFor(() => expect(saved).toHaveLength(2));
    const initialMessages = JSON.parse(JSON.stringify(saved)) as StoredMessage[];
    const later = open({ initialMessages, sessionId: chat.getSnapshot().sessionId });
    await later.respond(
      later.getSnapshot().interrupts.map((interrupt) => ({ interrupt, answer: "approve" })),
    );
    expect(later.getSnapshot().error).toBeUndefined();
    expect(statesOf(later.getSnapshot().messages)).toEqual(["c1 done", "c2 done", "c3 awaiting-client"]);
    // Another tab still shows the questions: they have their answers.
    await chat.approve({ toolCallId: "c1" });
    await chat.approve({ toolCallId: "c2" });
    expect(chat.getSnapshot().error).toMatchObject({ status: 409 });
    expect(chat.getSnapshot().interrupts).toEqual([]);
  });

  test("a call that the page has changed is refused, and one question that has expired leaves the other open", async () => {
    const { chat, bodies } = await setUp(hasRuns);
    await chat.send("Late");
    const [first, second] = chat.getSnapshot().interrupts;
    await chat.setMessages((messages) =>
      JSON.parse(JSON.stringify(messages).replace('"euros":5}', '"euros":500}')),
    );
    await chat.respond([{ interrupt: first!, answer: "approve" }]);
    expect(chat.getSnapshot().error).toMatchObject({ status: 403, body: { code: "invalid-resume-token" } });
    await chat.setMessages((messages) =>
      JSON.parse(JSON.stringify(messages).replace('"euros":500}', '"euros":5}')),
    );
    await chat.approve({ toolCallId: "c1" });
    await chat.approve({ toolCallId: "c2" });
    expect(chat.getSnapshot().error).toMatchObject({ status: 410, body: { code: "interrupt-expired" } });
    expect(chat.getSnapshot().interrupts).toEqual([first]);
    expect(second?.requestId).toBe("ask-c2");
    await chat.approve({ toolCallId: "c1" });
    expect(chat.getSnapshot().error).toBeUndefined();
    expect(statesOf(chat.getSnapshot().messages).slice(0, 2)).toEqual(["c1 done", "c2 interrupted"]);
    expect(bodies).toHaveLength(4);
  });
});

test("a reload during the rest of an answer follows it in the message that it continues", async () => {
  const { chat, open } = await setUp(true, { tools: { locate: { execute: () => "Rome" } } });
  await chat.send("Pay");
  const before = JSON.parse(JSON.stringify(chat.getSnapshot().messages)) as UIMessage[];
  await chat.approve({ toolCallId: "c1" });
  await chat.approve({ toolCallId: "c2" });
  const { sessionId, messages } = chat.getSnapshot();
  // The latest run is the one after the tool: a page that was reloaded before it shows its part of the message.
  const later = open({ sessionId, initialMessages: before });
  await later.resume();
  expect(later.getSnapshot().messages).toHaveLength(2);
  expect(answerOf(later.getSnapshot().messages).parts.at(-1)).toMatchObject({ text: "You are in Rome." });
  // A page that has all of it follows nothing.
  const whole = open({ sessionId, initialMessages: messages as UIMessage[] });
  await whole.resume();
  expect(whole.getSnapshot().messages).toEqual(messages);
});
