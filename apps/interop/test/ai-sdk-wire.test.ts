/** An existing page of the AI SDK, unchanged, on a route with its wire. */
import { readStream, streamFromRoute } from "@kortyx/client";
import {
  type AssistantUIMessage,
  type ChatAgent,
  type ChatRouteOptions,
  createMemoryRunStore,
  type StreamChunk,
} from "@kortyx/server";
import { aiSDKWire } from "@kortyx/server/ai-sdk";
import type { ChatInit, UIMessage } from "ai";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { createPaymentAgent } from "./kit/payment-agent.ts";
import { serveRoute } from "./kit/route-server.ts";

const { Chat } = isInstalled() ? await import("@ai-sdk/react") : ({} as never);
const {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
} = isInstalled() ? await import("ai") : ({} as never);

/** A route that speaks the SDK's wire. @returns its URL. */
const serve = (agent: ChatAgent, options: Partial<ChatRouteOptions> = {}) =>
  serveRoute(agent, { wires: [aiSDKWire], ...options });

afterEach(() => void vi.restoreAllMocks());

const createPage = (api: string, options: Partial<ChatInit<UIMessage>> = {}) =>
  new Chat<UIMessage>({ id: "s1", transport: new DefaultChatTransport({ api }), ...options });

const textOf = (message: UIMessage | undefined) =>
  (message?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");

const text = (delta: string): StreamChunk => ({ type: "text-delta", delta });
const done: StreamChunk = { type: "done", finishReason: "stop" };

const withRuns = (): Partial<ChatRouteOptions> => ({ runs: { store: createMemoryRunStore() } });

describe.skipIf(!isInstalled()).each([
  ["without runs", () => ({})],
  ["with runs", withRuns],
] as const)("useChat with its DefaultChatTransport on a route %s", (_, options) => {
  test("shows the answer, and sends the conversation with the next question", async () => {
    const asked: unknown[] = [];
    const api = await serve(
      {
        async *streamChat(messages, { sessionId, trigger }) {
          asked.push([sessionId, trigger, messages.map(({ role, content }) => `${role}: ${content}`)]);
          yield text(`You said ${messages.at(-1)!.content}.`);
          yield done;
        },
      },
      options(),
    );
    const chat = createPage(api);
    await chat.sendMessage({ text: "one" });
    await chat.sendMessage({ text: "two" });
    await chat.regenerate();
    expect([chat.status, chat.error]).toEqual(["ready", undefined]);
    expect(chat.messages.map(textOf)).toEqual(["one", "You said one.", "two", "You said two."]);
    const sent = ["user: one", "assistant: You said one.", "user: two"];
    expect(asked.slice(1)).toEqual([
      ["s1", "send", sent],
      ["s1", "regenerate", sent],
    ]);
  });

  test("sends attachments, and shows sources and files", async () => {
    let parts: unknown;
    const api = await serve(
      {
        async *streamChat(messages) {
          parts = messages.at(-1)!.parts;
          yield { type: "source", id: "1", url: "https://example.com/", title: "Example" };
          yield { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" };
          yield done;
        },
      },
      options(),
    );
    const chat = createPage(api);
    const file = {
      type: "file",
      mediaType: "text/plain",
      url: "data:text/plain;base64,SGk=",
      filename: "a.txt",
    } as const;
    await chat.sendMessage({ text: "Look", files: [file] });
    expect(parts).toEqual([
      { type: "file", mediaType: "text/plain", url: "data:text/plain;base64,SGk=", name: "a.txt" },
      { type: "text", text: "Look" },
    ]);
    expect(chat.lastMessage!.parts.slice(1)).toEqual([
      { type: "source-url", sourceId: "1", url: "https://example.com/", title: "Example" },
      { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" },
    ]);
  });

  test("shows the error of an agent that fails, without its secrets", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const api = await serve(
      {
        async *streamChat() {
          yield text("Half");
          // More than the time in which a failure is still a status.
          await new Promise((resolve) => setTimeout(resolve, 50));
          throw new Error("postgres://user:secret@host");
        },
      },
      options(),
    );
    const chat = createPage(api);
    await chat.sendMessage({ text: "Hello" });
    expect([chat.status, chat.error?.message]).toEqual(["error", "Something went wrong on the server."]);
    expect(textOf(chat.lastMessage)).toBe("Half");
    expect(log.mock.calls.map(([first]) => first)).toContainEqual(expect.stringContaining("internal"));
  });

  test("shows an answer that the server has ended early as a failure, with its text, and asks for no more", async () => {
    let requests = 0;
    const api = await serve(
      {
        async *streamChat() {
          requests++;
          yield text("Half of it");
          yield { type: "abort", reason: "timeout" };
        },
      },
      options(),
    );
    const chat = createPage(api, { sendAutomaticallyWhen: () => requests < 2 });
    await chat.sendMessage({ text: "one" });
    expect([chat.status, chat.error?.message]).toEqual([
      "error",
      "The answer was stopped before it was complete.",
    ]);
    expect([textOf(chat.lastMessage), requests]).toEqual(["Half of it", 1]);
  });

  test("approves a call, which then runs once, and runs a tool of the page", async () => {
    const { runs } = options() as Partial<ChatRouteOptions>;
    const payment = createPaymentAgent(runs);
    const api = await serve(payment.agent, payment.options);
    const chat: InstanceType<typeof Chat<UIMessage>> = createPage(api, {
      sendAutomaticallyWhen: (state) =>
        lastAssistantMessageIsCompleteWithToolCalls(state) ||
        lastAssistantMessageIsCompleteWithApprovalResponses(state),
      onToolCall({ toolCall }) {
        if (toolCall.toolName !== "locate") return;
        void chat.addToolOutput({ tool: "locate", toolCallId: toolCall.toolCallId, output: "Rome" });
      },
    });
    await chat.sendMessage({ text: "Pay" });
    const approval = () =>
      chat.lastMessage!.parts.find((part) => part.type === "tool-pay" && part.state === "approval-requested");
    await vi.waitFor(() => expect(approval()).toBeDefined());
    expect(payment.paid).toEqual([]);
    const part = approval() as { approval: { id: string } };
    await chat.addToolApprovalResponse({ id: part.approval.id, approved: true });
    await vi.waitFor(() => expect(textOf(chat.lastMessage)).toBe("Done."));
    await vi.waitFor(() => expect(chat.status).toBe("ready"));
    expect(payment.paid).toEqual([{ euros: 5 }]);
    expect(chat.messages).toHaveLength(2);
    const states = chat.lastMessage!.parts.flatMap((one) =>
      one.type.startsWith("tool-")
        ? [[one.type, "state" in one && one.state, "output" in one && one.output]]
        : [],
    );
    expect(states).toEqual([
      ["tool-locate", "output-available", "Rome"],
      ["tool-pay", "output-available", "paid"],
    ]);
    expect([chat.error, payment.turns()]).toEqual([undefined, 3]);
  });
});

describe.skipIf(!isInstalled())("useChat with its DefaultChatTransport on a route with runs", () => {
  /** An agent that waits in the middle of its answer. */
  function createStory() {
    const gate = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const agent: ChatAgent = {
      async *streamChat(_messages, { signal }) {
        signal?.addEventListener("abort", () => left.resolve());
        yield text("Once");
        await Promise.race([gate.promise, left.promise]);
        if (signal?.aborted) return;
        yield text(" upon a time");
        yield done;
      },
    };
    return { agent, gate, left: left.promise };
  }

  const whole = "Once upon a time";

  test("a reload follows the answer from its beginning, and an ended one is not asked for again", async () => {
    const { agent, gate } = createStory();
    const api = await serve(agent, withRuns());
    const before = createPage(api);
    void before.sendMessage({ text: "A story" });
    await vi.waitFor(() => expect(textOf(before.lastMessage)).toBe("Once"));
    const after = createPage(api, { messages: before.messages.slice(0, 1) });
    const following = after.resumeStream();
    await vi.waitFor(() => expect(textOf(after.lastMessage)).toBe("Once"));
    gate.resolve();
    await following;
    expect(after.messages.map(textOf)).toEqual(["A story", whole]);
    expect(after.lastMessage!.id).toBe(before.lastMessage!.id);
    await after.resumeStream();
    expect([after.status, after.messages.length]).toEqual(["ready", 2]);
  });

  test("a reload during an answer that continues shows each of its calls once", async () => {
    const gate = Promise.withResolvers<void>();
    const saved = new Map<string, AssistantUIMessage>();
    const call = { toolCallId: "1", tool: "pay", input: {} };
    const agent: ChatAgent = {
      async *streamChat(_messages, { resumes }) {
        yield { type: "tool-call-ready", ...call };
        if (resumes === undefined) {
          const options = ["approve", "deny"].map((id) => ({ id, label: id }));
          const input = { kind: "choice", multiple: false, question: "Pay?", options } as const;
          yield { type: "interrupt", requestId: "q", resumeToken: "t", toolCallId: "1", input };
          yield { type: "done", finishReason: "interrupt" };
          return;
        }
        yield { type: "interrupt-resolved", requestId: "q", outcome: "answered", answer: "approve" };
        yield { type: "tool-call-result", toolCallId: "1", tool: "pay", content: "paid" };
        await gate.promise;
        yield text("Done.");
        yield done;
      },
    };
    const api = await serve(agent, {
      runs: { store: createMemoryRunStore(), onFinish: ({ message }) => void saved.set(message.id, message) },
      loadMessage: (id) => saved.get(id),
    });
    const chat = createPage(api, {
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    });
    await chat.sendMessage({ text: "Pay" });
    const stored = structuredClone(chat.messages);
    const asked = chat.lastMessage!.parts.find(({ type }) => type === "tool-pay") as {
      approval: { id: string };
    };
    void chat.addToolApprovalResponse({ id: asked.approval.id, approved: true });
    const outputs = (page: InstanceType<typeof Chat<UIMessage>>) =>
      page.lastMessage!.parts.flatMap((part) => ("output" in part ? [part.output] : []));
    await vi.waitFor(() => expect(outputs(chat)).toEqual(["paid"]));
    const after = createPage(api, { messages: stored });
    const following = after.resumeStream();
    await vi.waitFor(() => expect(outputs(after)).toEqual(["paid"]));
    gate.resolve();
    await following;
    const calls = after.lastMessage!.parts.filter(({ type }) => type === "tool-pay");
    expect([after.messages.length, calls.length, textOf(after.lastMessage)]).toEqual([2, 1, "Done."]);
  });

  test("our own client reads the same answer from the same log", async () => {
    const { agent, gate } = createStory();
    const api = await serve(agent, withRuns());
    const chat = createPage(api);
    const sending = chat.sendMessage({ text: "A story" });
    await vi.waitFor(() => expect(textOf(chat.lastMessage)).toBe("Once"));
    const stream = streamFromRoute({ endpoint: api, method: "GET", query: { session: "s1" } });
    gate.resolve();
    let said = "";
    for await (const chunk of stream) if (chunk.type === "text-delta") said += chunk.delta;
    await sending;
    expect([said, textOf(chat.lastMessage)]).toEqual([whole, whole]);
  });

  test("its stop only detaches: the answer continues, and a reload has all of it", async () => {
    const { agent, gate } = createStory();
    const api = await serve(agent, withRuns());
    const chat = createPage(api);
    const sending = chat.sendMessage({ text: "A story" });
    await vi.waitFor(() => expect(textOf(chat.lastMessage)).toBe("Once"));
    await chat.stop();
    await sending;
    const following = createPage(api, { messages: chat.messages.slice(0, 1) });
    const resumed = following.resumeStream();
    await vi.waitFor(() => expect(textOf(following.lastMessage)).toBe("Once"));
    gate.resolve();
    await resumed;
    expect(textOf(following.lastMessage)).toBe(whole);
  });

  test("its stop ends the agent where the run ends with its last follower", async () => {
    const { agent, left } = createStory();
    const api = await serve(agent, { runs: { store: createMemoryRunStore(), onDisconnect: "cancel" } });
    const chat = createPage(api);
    const sending = chat.sendMessage({ text: "A story" });
    await vi.waitFor(() => expect(textOf(chat.lastMessage)).toBe("Once"));
    await chat.stop();
    await Promise.all([sending, left]);
    expect(chat.status).toBe("ready");
  });
});

describe.skipIf(!isInstalled())("the bytes of the AI SDK's wire", () => {
  const request = (api: string, body: object = {}) =>
    fetch(api, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        id: "s1",
        trigger: "submit-message",
        messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "Hi" }] }],
        ...body,
      }),
    });
  const agent: ChatAgent = {
    async *streamChat() {
      yield text("Hi");
      yield done;
    },
  };

  test("have the SDK's headers, no ids, and [DONE] at the end", async () => {
    const response = await request(await serve(agent, withRuns()));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "x-vercel-ai-ui-message-stream": "v1",
      "x-accel-buffering": "no",
    });
    const body = await response.text();
    expect(body).not.toMatch(/^id:/m);
    expect(body.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("end with the SDK's error where the connection is given up", async () => {
    const waiting: ChatAgent = {
      async *streamChat() {
        yield text("Once");
        await new Promise((resolve) => setTimeout(resolve, 500));
      },
    };
    const response = await request(await serve(waiting, { ...withRuns(), maxDurationMs: 100 }));
    const events = (await response.text()).split("\n\n").filter((frame) => frame.startsWith("data: {"));
    expect(JSON.parse(events.at(-1)!.slice("data: ".length))).toEqual({
      type: "error",
      errorText: "The connection closed before the answer was complete. Please try again.",
    });
  });

  test("are ours for a request of ours", async () => {
    const api = await serve(agent);
    const response = await request(api, { messages: [{ role: "user", content: "Hi" }], trigger: "send" });
    const chunks: string[] = [];
    for await (const { type } of readStream(response)) chunks.push(type);
    expect(chunks).toEqual(["text-delta", "done"]);
  });
});
