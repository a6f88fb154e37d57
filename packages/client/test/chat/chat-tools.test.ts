import type { ClientToolResult, StreamChunk } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import type { Chat } from "../../src/chat/chat.ts";
import type { ChatToolOptions } from "../../src/chat/chat-tools.ts";
import type { AssistantUIMessage, UIMessage } from "../../src/chat/messages.ts";
import { StreamHttpError } from "../../src/stream/errors.ts";
import {
  delta,
  done,
  finishWith,
  flush,
  httpError,
  outcomeOf,
  read,
  runStart,
  setUp,
  setUpBusy,
  statusOf,
  streamOf,
  type TestTransport,
  watchChats,
} from "./chat-harness.ts";

watchChats();

const ready = (toolCallId: string, tool = "locate", input: unknown = null): StreamChunk => ({
  type: "tool-call-ready",
  tool,
  toolCallId,
  input,
  executor: "client",
  resumeToken: `token-${toolCallId}`,
});
const calls: StreamChunk = { type: "done", finishReason: "tool-calls" };
const result = (toolCallId: string): StreamChunk => ({
  type: "tool-call-result",
  tool: "locate",
  toolCallId,
  content: "Rome",
});
const continues = (runId: string): StreamChunk => ({ type: "run-start", runId, continues: "run-1" });
const asks: StreamChunk = {
  type: "interrupt",
  requestId: "ask",
  resumeToken: "token-ask",
  toolCallId: "c9",
  input: { kind: "choice", multiple: false, question: "Pay?", options: [{ id: "approve", label: "Yes" }] },
};

/** A tool whose calls the test ends. */
function pendingTool() {
  const started: ({ input: unknown; end: (value: unknown) => void } & ChatToolOptions)[] = [];
  const execute = (input: unknown, options: ChatToolOptions) =>
    new Promise((end) => started.push({ input, end, ...options }));
  return { execute, started };
}

type Tools = NonNullable<Parameters<typeof setUp>[0]>["tools"];

/** A chat whose last answer has ended after `chunks`. */
async function setUpCalled(tools: Tools, ...chunks: StreamChunk[]) {
  const all = await setUpBusy([runStart("run-1"), ...chunks], { tools });
  all.stream.end();
  await flush();
  return all;
}

const bodiesOf = ({ streams }: TestTransport) => streams.map(({ body }) => body!);
const resultsOf = (transport: TestTransport): ClientToolResult[] | undefined =>
  streamOf(transport).body?.toolResults;
const stateOf = (chat: Chat, id: string) => {
  const { parts } = chat.getSnapshot().messages[1] as AssistantUIMessage;
  return parts.flatMap((part) =>
    part.type === "tool-call" && part.toolCallId === id ? [part.state] : [],
  )[0];
};

describe("a tool of the page", () => {
  test("runs when the answer that called it has ended, and the result continues that answer", async () => {
    const execute = vi.fn(async (_input: unknown, _options: ChatToolOptions) => ({ city: "Rome" }));
    const { chat, transport, stream, sent } = await setUpBusy(
      [runStart("run-1"), ready("c1", "locate", { exact: true })],
      { tools: { locate: { execute } } },
    );
    expect(execute).not.toHaveBeenCalled();
    stream.give(calls);
    stream.end();
    await flush();
    expect(execute.mock.calls).toEqual([
      [{ exact: true }, { toolCallId: "c1", signal: expect.any(AbortSignal) }],
    ]);
    expect(streamOf(transport).body).toMatchObject({
      trigger: "continue",
      messageId: "run-1",
      messages: [{ role: "user" }, { role: "assistant", parts: [{ state: "awaiting-client" }] }],
    });
    expect(resultsOf(transport)).toEqual([
      { toolCallId: "c1", tool: "locate", resumeToken: "token-c1", content: { city: "Rome" } },
    ]);
    expect(sent.is).toBe("pending");
    await finishWith(transport, continues("run-2"), result("c1"), delta("In Rome."), done);
    expect(sent.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) In Rome."]);
    expect(stateOf(chat, "c1")).toBe("done");
  });

  test("may fail, or return nothing", async () => {
    for (const [execute, outcome] of [
      [() => Promise.reject(new Error("No permission")), { errorMessage: "No permission" }],
      [
        () => {
          throw "no";
        },
        { errorMessage: "no" },
      ],
      [() => undefined, { content: null }],
      [() => "now", { content: "now" }],
    ] as [() => unknown, object][]) {
      const { transport } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
      expect(resultsOf(transport)).toEqual([
        { toolCallId: "c1", tool: "locate", resumeToken: "token-c1", ...outcome },
      ]);
      await finishWith(transport, continues("run-2"), result("c1"), done);
    }
  });

  test("that returns what is not JSON has failed, and the agent receives why", async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    for (const [value, errorMessage] of [
      [() => {}, "The tool returned a function, which is not JSON."],
      [Symbol("s"), "The tool returned a symbol, which is not JSON."],
      [1n, expect.stringContaining("BigInt")],
      [cyclic, expect.stringContaining("circular")],
    ] as const) {
      const { chat, transport } = await setUpCalled({ locate: { execute: () => value } }, ready("c1"), calls);
      expect(resultsOf(transport)).toEqual([
        { toolCallId: "c1", tool: "locate", resumeToken: "token-c1", errorMessage },
      ]);
      await finishWith(transport, continues("run-2"), result("c1"), done);
      expect(statusOf(chat)).toBe("ready");
    }
  });

  test("runs beside the others, and one request has all results", async () => {
    const { execute, started } = pendingTool();
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), ready("c2"), calls);
    expect(started.map(({ toolCallId }) => toolCallId)).toEqual(["c1", "c2"]);
    expect(statusOf(chat)).toBe("ready");
    started[1]!.end("two");
    await flush();
    expect(transport.streams).toHaveLength(1);
    started[0]!.end("one");
    await flush();
    expect(resultsOf(transport)?.map(({ content }) => content)).toEqual(["one", "two"]);
    await finishWith(transport, continues("run-2"), result("c1"), result("c2"), done);
  });

  test("may be called again, by the rest of the answer or by the next one, also with the same id", async () => {
    let count = 0;
    const { chat, transport } = await setUpCalled({ locate: { execute: () => ++count } }, ready("c1"), calls);
    await finishWith(transport, continues("run-2"), result("c1"), ready("c1", "locate", 2), calls);
    expect(resultsOf(transport)).toMatchObject([{ toolCallId: "c1", content: 2 }]);
    await finishWith(transport, continues("run-3"), result("c1"), done);
    expect(chat.getSnapshot().messages).toHaveLength(2);
    void chat.send("Again");
    await finishWith(transport, runStart("run-4"), ready("c1"), calls);
    expect(resultsOf(transport)).toMatchObject([{ toolCallId: "c1", content: 3 }]);
    await finishWith(transport, done);
  });

  test("runs while a question is open, and its result is sent when that is answered", async () => {
    const execute = vi.fn(() => "Rome");
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), asks, {
      type: "done",
      finishReason: "interrupt",
    });
    expect(execute).toHaveBeenCalledOnce();
    expect(transport.streams).toHaveLength(1);
    void chat.approve({ toolCallId: "c9" });
    expect(resultsOf(transport)).toBeUndefined();
    const resolved: StreamChunk = { type: "interrupt-resolved", requestId: "ask", outcome: "answered" };
    await finishWith(transport, continues("run-2"), resolved, calls);
    expect(resultsOf(transport)).toMatchObject([{ toolCallId: "c1", content: "Rome" }]);
    await finishWith(transport, continues("run-3"), result("c1"), done);
    expect(execute).toHaveBeenCalledOnce();
  });

  test("that is not known here leaves its call waiting, without a request", async () => {
    const execute = vi.fn(() => "Rome");
    const tools = { locate: { execute } };
    const { chat, transport, sent } = await setUpCalled(tools, ready("c1"), ready("c2", "toString"), calls);
    expect(execute).toHaveBeenCalledOnce();
    expect(sent.is).toBe("resolved");
    expect(transport.streams).toHaveLength(1);
    expect(stateOf(chat, "c2")).toBe("awaiting-client");
    expect(statusOf(chat)).toBe("ready");
  });

  test("of the server's is not run here, nor one of an answer that failed", async () => {
    const execute = vi.fn();
    for (const chunks of [
      [{ type: "tool-call-ready", tool: "locate", toolCallId: "c1", input: null }, calls],
      [ready("c1"), { type: "done", finishReason: "stop" }],
      [ready("c1"), { type: "abort", reason: "timeout" }],
      [ready("c1"), { type: "error", message: "Overloaded" }],
    ] as StreamChunk[][]) {
      await setUpCalled({ locate: { execute } }, ...chunks);
    }
    expect(execute).not.toHaveBeenCalled();
  });

  test("is not run again if the agent leaves its call waiting", async () => {
    const execute = vi.fn(() => "Rome");
    const { transport, sent } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
    await finishWith(transport, continues("run-2"), calls);
    expect(execute).toHaveBeenCalledOnce();
    expect(transport.streams).toHaveLength(2);
    expect(sent.is).toBe("resolved");
  });
});

describe("the signal of a tool", () => {
  test("is aborted by stop, close and clear, and by a new message; nothing is sent", async () => {
    for (const leave of [
      (chat: Chat) => chat.stop(),
      (chat: Chat) => chat.close(),
      (chat: Chat) => chat.clear(),
    ]) {
      const { execute, started } = pendingTool();
      const { chat, transport, sent } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
      void leave(chat);
      expect(started[0]!.signal.aborted).toBe(true);
      started[0]!.end("late");
      await flush();
      expect(sent.is).toBe("resolved");
      expect(transport.streams).toHaveLength(1);
      expect(statusOf(chat)).toBe("ready");
    }
    const { execute, started } = pendingTool();
    const { chat, transport, sent } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
    void chat.send("Never mind");
    expect(started[0]!.signal.aborted).toBe(true);
    started[0]!.end("late");
    await finishWith(transport, delta("All right."), done);
    expect(sent.is).toBe("resolved");
    expect(bodiesOf(transport).map(({ toolResults }) => toolResults)).toEqual([undefined, undefined]);
    expect(read(chat)).toEqual(["Hello", "(done) ", "Never mind", "(done) All right."]);
  });

  test("is not aborted by the answer to a question, during which the tool may end", async () => {
    const { execute, started } = pendingTool();
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), asks, {
      type: "done",
      finishReason: "interrupt",
    });
    void chat.approve({ toolCallId: "c9" });
    started[0]!.end("Rome");
    await flush();
    expect(transport.streams).toHaveLength(2);
    expect(started[0]!.signal.aborted).toBe(false);
    const resolved: StreamChunk = { type: "interrupt-resolved", requestId: "ask", outcome: "answered" };
    await finishWith(transport, continues("run-2"), resolved, calls);
    expect(resultsOf(transport)).toMatchObject([{ content: "Rome" }]);
    await finishWith(transport, continues("run-3"), result("c1"), done);
  });
});

describe("runTools", () => {
  const reload = (chat: Chat, tools: Tools) => {
    const initialMessages = JSON.parse(JSON.stringify(chat.getSnapshot().messages)) as UIMessage[];
    return setUp({ initialMessages, tools });
  };

  test("runs after a reload what the last answer waits for", async () => {
    const { chat } = await setUpCalled({}, ready("c1"), calls);
    const execute = vi.fn(() => "Rome");
    const later = reload(chat, { locate: { execute } });
    expect(execute).not.toHaveBeenCalled();
    const ran = outcomeOf(later.chat.runTools());
    await flush();
    expect(resultsOf(later.transport)).toMatchObject([{ toolCallId: "c1", content: "Rome" }]);
    await finishWith(later.transport, continues("run-2"), result("c1"), delta("In Rome."), done);
    expect(ran.is).toBe("resolved");
    expect(read(later.chat)).toEqual(["Hello", "(done) In Rome."]);
    await expect(later.chat.runTools()).rejects.toMatchObject({
      code: "not-pending",
      message: "Cannot run tools: the last answer waits for none.",
    });
  });

  test("is needed for an answer that this chat only follows, because another tab has requested it", async () => {
    const execute = vi.fn(() => "Rome");
    const { chat, transport } = setUp({ tools: { locate: { execute } } });
    void chat.resume();
    await finishWith(transport, runStart("run-1", { content: "Hello", id: "u1" }), ready("c1"), asks, {
      type: "done",
      finishReason: "interrupt",
    });
    expect(execute).not.toHaveBeenCalled();
    // An approval here requests the rest of the answer, but not the call that the other tab runs.
    void chat.approve({ toolCallId: "c9" });
    const resolved: StreamChunk = { type: "interrupt-resolved", requestId: "ask", outcome: "answered" };
    await finishWith(transport, continues("run-2"), resolved, calls);
    expect(execute).not.toHaveBeenCalled();
    void chat.runTools();
    await flush();
    expect(execute).toHaveBeenCalledOnce();
    await finishWith(transport, continues("run-3"), result("c1"), done);
  });

  test("sends the results again after a failed request, without running the tools again", async () => {
    const execute = vi.fn(() => "Rome");
    const { chat, transport, sent } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
    streamOf(transport).fail(httpError(503));
    await flush();
    expect(sent.is).toBe("resolved");
    expect(statusOf(chat)).toBe("error");
    expect(stateOf(chat, "c1")).toBe("awaiting-client");
    expect(transport.streams).toHaveLength(2);
    void chat.runTools();
    await flush();
    expect(resultsOf(transport)).toMatchObject([{ content: "Rome" }]);
    await finishWith(transport, continues("run-2"), result("c1"), done);
    expect(execute).toHaveBeenCalledOnce();
    expect(statusOf(chat)).toBe("ready");
  });

  test("does not send a result again that came too late: the call is over elsewhere", async () => {
    const execute = vi.fn(() => "Rome");
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), ready("c2"), calls);
    const body = { code: "already-answered", issues: [{ path: "toolResults.0" }] };
    streamOf(transport).fail(new StreamHttpError(new Response(null, { status: 409 }), body));
    await flush();
    expect(statusOf(chat)).toBe("error");
    expect([stateOf(chat, "c1"), stateOf(chat, "c2")]).toEqual(["interrupted", "awaiting-client"]);
    expect(transport.streams).toHaveLength(2);
    void chat.runTools();
    await flush();
    expect(resultsOf(transport)).toMatchObject([{ toolCallId: "c2" }]);
    body.issues = [{ path: "toolResults.0.resumeToken" }];
    streamOf(transport).fail(
      new StreamHttpError(new Response(null, { status: 410 }), { ...body, code: "interrupt-expired" }),
    );
    await flush();
    await expect(chat.runTools()).rejects.toMatchObject({ code: "not-pending" });
    void chat.regenerate();
    expect(resultsOf(transport)).toBeUndefined();
    expect(execute).toHaveBeenCalledTimes(2);
    await finishWith(transport, done);
  });

  test("does not run a tool again whose result waited for an answer when the chat was stopped", async () => {
    const execute = vi.fn(() => "Rome");
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), asks, {
      type: "done",
      finishReason: "interrupt",
    });
    await chat.stop();
    const resolved: StreamChunk = { type: "interrupt-resolved", requestId: "ask", outcome: "answered" };
    void chat.respond([{ interrupt: { requestId: "ask" }, answer: "approve" }]);
    streamOf(transport).fail(httpError(503));
    await flush();
    void chat.regenerate();
    await finishWith(transport, continues("run-2"), resolved, calls);
    expect(resultsOf(transport)).toMatchObject([{ content: "Rome" }]);
    streamOf(transport).fail(httpError(503));
    await flush();
    void chat.runTools();
    await finishWith(transport, continues("run-3"), result("c1"), done);
    expect(execute).toHaveBeenCalledOnce();
  });

  test("is not needed for the next answer after a stop, even if its call has the same id", async () => {
    const { execute, started } = pendingTool();
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
    await chat.stop();
    void chat.send("Again");
    await finishWith(transport, runStart("run-2"), ready("c1"), calls);
    expect(started).toHaveLength(2);
    await chat.stop();
  });

  test("starts a stopped tool again, and waits for one that is running", async () => {
    const { execute, started } = pendingTool();
    const { chat, transport } = await setUpCalled({ locate: { execute } }, ready("c1"), calls);
    await chat.stop();
    void chat.runTools();
    void chat.runTools();
    expect(started).toHaveLength(2);
    started[1]!.end("Rome");
    await flush();
    expect(transport.streams).toHaveLength(2);
    expect(resultsOf(transport)).toMatchObject([{ content: "Rome" }]);
    await expect(chat.runTools()).rejects.toMatchObject({ code: "busy" });
    await finishWith(transport, continues("run-2"), result("c1"), done);
  });
});

describe("the request offers", () => {
  test("the tools that have a description", async () => {
    const execute = () => null;
    const inputSchema = { type: "object" };
    const { chat, transport } = setUp({
      tools: {
        locate: { description: "Where the user is", execute },
        draw: { description: "Draws", inputSchema, execute },
        hidden: { inputSchema, execute },
      },
    });
    void chat.send("Hello");
    expect(streamOf(transport).body?.tools).toEqual([
      { name: "locate", description: "Where the user is" },
      { name: "draw", description: "Draws", inputSchema },
    ]);
    await finishWith(transport, done);
    const without = setUp({ tools: { hidden: { execute } } });
    void without.chat.send("Hello");
    expect(streamOf(without.transport).body?.tools).toBeUndefined();
    await finishWith(without.transport, done);
  });
});
