import { type AISDKTransportOptions, createChatTransport } from "@kortyx/client/ai-sdk";
import {
  type ChatAgent,
  type ChatRouteOptions,
  createMemoryRunStore,
  type StreamChunk,
} from "@kortyx/server";
import type { UIMessage } from "ai";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { serveRoute } from "./kit/route-server.ts";

const { Chat } = isInstalled() ? await import("@ai-sdk/react") : ({} as never);
const { lastAssistantMessageIsCompleteWithApprovalResponses, lastAssistantMessageIsCompleteWithToolCalls } =
  isInstalled() ? await import("ai") : ({} as never);

/** A route with runs. @returns its URL. */
const serve = (agent: ChatAgent, options: Partial<ChatRouteOptions> = {}) =>
  serveRoute(agent, { runs: { store: createMemoryRunStore() }, ...options });

afterEach(() => void vi.restoreAllMocks());

function createTab(endpoint: string, options: object = {}, transport: Partial<AISDKTransportOptions> = {}) {
  return new Chat<UIMessage>({
    id: "s1",
    transport: createChatTransport({ endpoint, runs: true, ...transport }),
    ...options,
  });
}

const partsOf = (message: UIMessage | undefined) =>
  (message?.parts ?? []).filter(({ type }) => type !== "step-start");

const textOf = (message: UIMessage | undefined) =>
  partsOf(message)
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("");

/** Something that a test brings about at its own time. */
const createGate = () => Promise.withResolvers<void>();

describe.skipIf(!isInstalled())("useChat with our transport", () => {
  test("shows an answer, and sends the conversation with the next question", async () => {
    const asked: unknown[] = [];
    const endpoint = await serve({
      async *streamChat(messages, { sessionId }) {
        asked.push([sessionId, messages.map(({ role, content }) => [role, content])]);
        yield { type: "text-delta", delta: `You said ${messages.at(-1)!.content}.` };
        yield { type: "done", finishReason: "stop" };
      },
    });
    const chat = createTab(endpoint);
    await chat.sendMessage({ text: "one" });
    await chat.sendMessage({ text: "two" });
    expect([chat.status, chat.error]).toEqual(["ready", undefined]);
    expect(chat.messages.map(textOf)).toEqual(["one", "You said one.", "two", "You said two."]);
    expect(asked.at(-1)).toEqual([
      "s1",
      [
        ["user", "one"],
        ["assistant", "You said one."],
        ["user", "two"],
      ],
    ]);
  });

  test("a stop in one tab ends the agent, and the answer in the other tab", async () => {
    const stopped = createGate();
    const endpoint = await serve({
      async *streamChat(_, { signal }) {
        yield { type: "text-delta", delta: "Once upon a time" };
        signal?.addEventListener("abort", () => stopped.resolve());
        await stopped.promise;
        yield { type: "text-delta", delta: ", never said" };
      },
    });
    const [one, other] = [createTab(endpoint), createTab(endpoint)];
    const sending = one.sendMessage({ text: "A story" });
    await vi.waitFor(() => expect(textOf(one.lastMessage)).toBe("Once upon a time"));
    const following = other.resumeStream();
    await vi.waitFor(() => expect(textOf(other.lastMessage)).toBe("Once upon a time"));
    await one.stop();
    await Promise.all([sending, following, stopped.promise]);
    expect([one.status, other.status]).toEqual(["ready", "ready"]);
    expect([textOf(one.lastMessage), textOf(other.lastMessage)]).toEqual([
      "Once upon a time",
      "Once upon a time",
    ]);
    expect(one.lastMessage?.id).toBe(other.lastMessage?.id);
    expect(other.lastMessage?.metadata).toMatchObject({ kortyx: { abortReason: "stopped" } });
  });

  test("after a reload, the page follows the answer from its beginning to its end", async () => {
    const gate = createGate();
    const endpoint = await serve({
      async *streamChat() {
        yield { type: "text-delta", delta: "Half" };
        await gate.promise;
        yield { type: "text-delta", delta: " and half" };
        yield { type: "done", finishReason: "stop" };
      },
    });
    const before = createTab(endpoint);
    void before.sendMessage({ text: "Hello" });
    await vi.waitFor(() => expect(textOf(before.lastMessage)).toBe("Half"));
    const after = createTab(endpoint, { messages: before.messages.slice(0, 1) });
    const following = after.resumeStream();
    await vi.waitFor(() => expect(textOf(after.lastMessage)).toBe("Half"));
    gate.resolve();
    await following;
    expect(after.messages.map(textOf)).toEqual(["Hello", "Half and half"]);
    // Nothing is open: the page keeps what it has.
    await after.resumeStream();
    expect([after.status, after.messages.length]).toEqual(["ready", 2]);
  });

  test("a session without a run is ready at once, and so is one on a route without runs", async () => {
    const agent: ChatAgent = {
      async *streamChat() {
        yield { type: "done" };
      },
    };
    for (const options of [{}, { runs: undefined }]) {
      const chat = createTab(await serve(agent, options));
      await chat.resumeStream();
      expect([chat.status, chat.error]).toEqual(["ready", undefined]);
    }
  });

  test("a call runs after its approval, in the same message", async () => {
    const endpoint = await serve(approvingAgent, {
      resumeSecret: "a secret of at least 32 characters, long",
    });
    const chat = createTab(endpoint, {
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    });
    await chat.sendMessage({ text: "Pay" });
    const [asked] = partsOf(chat.lastMessage);
    expect(asked).toMatchObject({
      type: "tool-pay",
      state: "approval-requested",
      approval: { id: "q1", requestReason: "Pay 20 €?" },
    });
    await chat.addToolApprovalResponse({ id: "q1", approved: true });
    await vi.waitFor(() => expect([chat.status, textOf(chat.lastMessage)]).toEqual(["ready", "Paid."]));
    expect(chat.messages).toHaveLength(2);
    expect(partsOf(chat.lastMessage)).toMatchObject([
      { type: "tool-pay", state: "output-available", output: "ok" },
      { type: "text", text: "Paid." },
    ]);
  });

  test("a refused call is denied with its reason", async () => {
    const endpoint = await serve(approvingAgent);
    const chat = createTab(endpoint, {
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    });
    await chat.sendMessage({ text: "Pay" });
    await chat.addToolApprovalResponse({ id: "q1", approved: false, reason: "Too much" });
    await vi.waitFor(() =>
      expect([chat.status, textOf(chat.lastMessage)]).toEqual(["ready", "Not paid: Too much"]),
    );
    expect(partsOf(chat.lastMessage)[0]).toMatchObject({
      state: "output-denied",
      approval: { approved: false, reason: "Too much" },
    });
  });

  test("a tool of the page runs, and the answer continues with its output, once", async () => {
    const results: unknown[] = [];
    const endpoint = await serve({
      async *streamChat(_, { toolResults }) {
        results.push(toolResults);
        if (toolResults === undefined) {
          yield { type: "tool-call-ready", toolCallId: "c0", tool: "search", input: {} };
          yield { type: "tool-call-result", toolCallId: "c0", tool: "search", content: "found" };
          yield { type: "tool-call-ready", toolCallId: "c1", tool: "locate", input: {}, executor: "client" };
          yield { type: "done", finishReason: "tool-calls" };
          return;
        }
        yield { type: "text-delta", delta: `You are in ${toolResults[0]?.content}.` };
        yield { type: "done", finishReason: "stop" };
      },
    });
    const chat: InstanceType<typeof Chat<UIMessage>> = createTab(endpoint, {
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
      onToolCall({ toolCall }: { toolCall: { toolName: string; toolCallId: string } }) {
        if (toolCall.toolName !== "locate") return;
        void chat.addToolOutput({ tool: "locate", toolCallId: toolCall.toolCallId, output: "Rome" } as never);
      },
    });
    await chat.sendMessage({ text: "Where am I?" });
    await vi.waitFor(() =>
      expect([chat.status, textOf(chat.lastMessage)]).toEqual(["ready", "You are in Rome."]),
    );
    expect(results).toEqual([undefined, [{ toolCallId: "c1", tool: "locate", content: "Rome" }]]);
    expect(chat.messages).toHaveLength(2);
  });

  test("calls that the server has run are not taken for an answer that waits", async () => {
    let requests = 0;
    const endpoint = await serve({
      async *streamChat() {
        requests++;
        yield { type: "text-delta", delta: "Let me look." };
        yield { type: "tool-call-ready", toolCallId: "c1", tool: "search", input: {} };
        yield { type: "tool-call-result", toolCallId: "c1", tool: "search", content: "found" };
        if (requests % 2 === 0) yield { type: "text-delta", delta: "Here it is." };
        yield { type: "done", finishReason: "stop" };
      },
    });
    const chat = createTab(endpoint, { sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls });
    await chat.sendMessage({ text: "one" });
    await chat.sendMessage({ text: "two" });
    expect([chat.status, requests]).toEqual(["ready", 2]);
  });

  test("after a reload, what a continued answer adds is shown in the stored message", async () => {
    const [begun, gate] = [createGate(), createGate()];
    const endpoint = await serve({
      async *streamChat(messages, options) {
        if (options.resumes) begun.resolve();
        if (options.resumes) await gate.promise;
        yield* (await approvingAgent.streamChat(messages, options)) as AsyncIterable<StreamChunk>;
      },
    });
    const before = createTab(endpoint);
    await before.sendMessage({ text: "Pay" });
    await before.addToolApprovalResponse({ id: "q1", approved: true });
    const messages = structuredClone(before.messages);
    const sending = before.sendMessage(undefined);
    await begun.promise;
    const after = createTab(endpoint, { messages });
    const following = after.resumeStream();
    await vi.waitFor(() => expect(after.status).not.toBe("ready"));
    gate.resolve();
    await Promise.all([following, sending]);
    expect(after.messages).toHaveLength(2);
    expect(textOf(after.lastMessage)).toBe("Paid.");
    // The transport does not know the stored call: its result is a part of its own.
    expect(partsOf(after.lastMessage).map((part) => "state" in part && part.state)).toEqual([
      "approval-responded",
      "output-available",
      "done",
    ]);
  });

  test("a question is answered by the next message, or with JSON by none", async () => {
    const answers: unknown[] = [];
    const ask = { type: "interrupt", requestId: "q1", resumeToken: "t1" } as const;
    const endpoint = await serve({
      async *streamChat(_, { resume, resumes, trigger }) {
        answers.push([trigger, resume?.answer, resumes?.map(({ answer }) => answer)]);
        if (resumes) yield { type: "text-delta", delta: "Thanks." };
        else yield { ...ask, input: { kind: "json", question: "Where?" } };
        yield { type: "done", finishReason: resumes ? "stop" : "interrupt" };
      },
    });
    const chat = createTab(endpoint);
    await chat.sendMessage({ text: "Book" });
    const [question] = partsOf(chat.lastMessage);
    expect(question).toMatchObject({ type: "data-interrupt", id: "q1", data: { resumeToken: "t1" } });
    const resume = { token: "t1", requestId: "q1", selected: ["Rome"] };
    await chat.sendMessage({ text: "Rome", metadata: { resume } });
    expect(chat.messages.map(textOf)).toEqual(["Book", "", "Rome", "Thanks."]);
    const other = createTab(endpoint, { id: "s2" });
    await other.sendMessage({ text: "Book" });
    const resumes = [{ requestId: "q1", resumeToken: "t1", answer: { city: "Rome" } }];
    await other.sendMessage(undefined, { body: { resumes } });
    expect(other.messages.map(textOf)).toEqual(["Book", "Thanks."]);
    expect(answers).toEqual([
      ["send", undefined, undefined],
      ["send", "Rome", ["Rome"]],
      ["send", undefined, undefined],
      ["continue", undefined, [{ city: "Rome" }]],
    ]);
  });

  test("another answer replaces the last one", async () => {
    const triggers: unknown[] = [];
    const endpoint = await serve({
      async *streamChat(messages, { trigger, messageId }) {
        triggers.push([trigger, messageId, messages.length]);
        yield { type: "text-delta", delta: `Answer ${triggers.length}` };
        yield { type: "done", finishReason: "stop" };
      },
    });
    const chat = createTab(endpoint);
    await chat.sendMessage({ text: "Hello" });
    const { id } = chat.lastMessage!;
    await chat.regenerate({ messageId: id });
    expect(chat.messages.map(textOf)).toEqual(["Hello", "Answer 2"]);
    expect(triggers).toEqual([
      ["send", undefined, 1],
      ["regenerate", id, 1],
    ]);
  });

  test("a file of the user reaches the agent, and one of the answer the page", async () => {
    const endpoint = await serve({
      async *streamChat(messages) {
        const file = messages.at(-1)?.parts?.find((part) => part.type === "file");
        yield { type: "file", mediaType: "image/png", url: "https://example.com/a.png", name: file!.name };
        yield { type: "done", finishReason: "stop" };
      },
    });
    const chat = createTab(endpoint);
    const files = [
      { type: "file" as const, mediaType: "text/plain", filename: "a.txt", url: "data:text/plain,hi" },
    ];
    await chat.sendMessage({ text: "Look", files });
    expect([chat.error, partsOf(chat.lastMessage)]).toEqual([
      undefined,
      [
        {
          type: "file",
          mediaType: "image/png",
          url: "https://example.com/a.png",
          providerMetadata: { kortyx: { name: "a.txt" } },
        },
      ],
    ]);
  });

  test("a stop on a route without runs ends the agent", async () => {
    const stopped = createGate();
    const endpoint = await serve(
      {
        async *streamChat(_, { signal }) {
          signal?.addEventListener("abort", () => stopped.resolve());
          yield { type: "text-delta", delta: "On and on" };
          await stopped.promise;
        },
      },
      { runs: undefined },
    );
    const chat = createTab(endpoint, {}, { runs: false });
    const sending = chat.sendMessage({ text: "Hello" });
    await vi.waitFor(() => expect(textOf(chat.lastMessage)).toBe("On and on"));
    await chat.stop();
    await Promise.all([sending, stopped.promise]);
    expect(chat.status).toBe("ready");
  });

  test("what fails is the error of the chat: an agent's, with the text for the user, and a refusal's", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const failing = await serve({
      async *streamChat() {
        yield { type: "text-delta", delta: "Half" };
        throw new Error("secret");
      },
    });
    const chat = createTab(failing);
    await chat.sendMessage({ text: "Hello" });
    expect(chat.status).toBe("error");
    expect(chat.error?.message).not.toContain("secret");
    expect(textOf(chat.lastMessage)).toBe("Half");
    expect(console.error).toHaveBeenCalled();
    const refused = createTab(
      `${failing}?nothing`,
      {},
      { headers: {}, fetch: async () => new Response("", { status: 418 }) },
    );
    await refused.sendMessage({ text: "Hello" });
    expect([refused.status, refused.error]).toMatchObject([
      "error",
      { name: "StreamHttpError", status: 418 },
    ]);
  });
});

const approvingAgent: ChatAgent = {
  async *streamChat(_, { resumes }) {
    const call = { toolCallId: "c1", tool: "pay" };
    const [answer] = resumes ?? [];
    if (!answer) {
      yield { type: "tool-call-ready", ...call, input: { euros: 20 } };
      yield {
        type: "interrupt",
        requestId: "q1",
        resumeToken: "t1",
        toolCallId: "c1",
        reason: "tool-approval",
        input: {
          kind: "choice",
          multiple: false,
          question: "Pay 20 €?",
          options: [
            { id: "approve", label: "Pay" },
            { id: "deny", label: "Cancel" },
          ],
        },
      };
      yield { type: "done", finishReason: "interrupt" };
      return;
    }
    yield { type: "interrupt-resolved", requestId: "q1", outcome: "answered", answer: answer.answer };
    if (answer.answer === "approve") {
      yield { type: "tool-call-result", ...call, content: "ok" };
      yield { type: "text-delta", delta: "Paid." };
    } else {
      yield { type: "tool-call-denied", ...call, reason: answer.reason };
      yield { type: "text-delta", delta: `Not paid: ${answer.reason}` };
    }
    yield { type: "done", finishReason: "stop" };
  },
};
