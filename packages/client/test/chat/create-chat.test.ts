import type { InterruptChunk, StreamChunk } from "@kortyx/protocol";
import { StreamTruncatedError } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Chat, ChatAnswer, ChatOptions, ChatSnapshot } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import { toMessageText, type UIMessage, type UserUIMessage } from "../../src/chat/messages.ts";
import { doneMarker, eventStream, frame, testBody } from "../stream/bodies.ts";
import {
  delta,
  done,
  flush,
  httpError,
  nextFrame,
  outcomeOf,
  record,
  statusesOf,
  streamOf,
  type TestTransport,
  testTransport,
} from "./chat-harness.ts";

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
let consoleError: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  unhandled = [];
  process.on("unhandledRejection", onUnhandled);
  consoleError = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(async () => {
  await flush();
  // Nothing is left behind.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
  vi.restoreAllMocks();
});

const user = (content: string, id: string): UIMessage => ({ role: "user", id, content });
const answer = (content: string, id: string): UIMessage => ({
  role: "assistant",
  id,
  status: "done",
  parts: [{ type: "text", key: "", text: content, state: "done" }],
});
const runStart = (runId: string, input?: unknown): StreamChunk => ({
  type: "run-start",
  runId,
  ...(input !== undefined && { input }),
});
const question: InterruptChunk = {
  type: "interrupt",
  requestId: "request-1",
  resumeToken: "token-1",
  input: {
    kind: "multi-choice",
    multiple: true,
    question: "Which?",
    options: [
      { id: "a", label: "Apples" },
      { id: "b", label: "Bananas" },
    ],
  },
};

type Behaviour = Omit<Extract<ChatOptions, { transport: object }>, "transport" | "endpoint">;
type Replaced = Parameters<typeof testTransport>[0];

/** A chat over a transport with runs. */
function setUp(options: Behaviour = {}, replaced: Replaced = {}) {
  const transport = testTransport(replaced);
  const chat = createChat({ sessionId: "session-1", ...options, transport });
  return { transport, chat, states: record(chat) };
}

/** A chat over a transport that cannot stop or resume. */
const setUpPlain = (options: Behaviour = {}) => setUp(options, { stop: undefined, resume: undefined });

/** A chat with an answer under way, of which `chunks` have come. */
async function setUpBusy(chunks: StreamChunk[], options: Behaviour = {}, replaced: Replaced = {}) {
  const all = setUp(options, replaced);
  const sent = outcomeOf(all.chat.send("Hello"));
  const stream = streamOf(all.transport);
  await flush();
  stream.give(...chunks);
  await nextFrame();
  return { ...all, stream, sent };
}

/** The conversation as one would read it. */
const read = (chat: Chat): string[] =>
  chat
    .getSnapshot()
    .messages.map((message) =>
      message.role === "user" ? message.content : `(${message.status}) ${toMessageText(message)}`,
    );

const statusOf = (chat: Chat) => chat.getSnapshot().status;

/** Gives the answer under way an end. */
async function finishWith(transport: TestTransport, ...chunks: StreamChunk[]): Promise<void> {
  streamOf(transport).give(...chunks);
  streamOf(transport).end();
  await flush();
}

describe("a chat that has done nothing", () => {
  test("is ready and empty, without a session or a random number, so that it renders the same everywhere", () => {
    const getRandomValues = vi.spyOn(crypto, "getRandomValues");
    const random = vi.spyOn(Math, "random");
    const initialMessages = [user("Hello", "u1"), answer("Hi", "a1")];
    const chat = createChat({ transport: testTransport() });
    expect(chat.getSnapshot()).toEqual({ messages: [], status: "ready", reconnecting: false });
    expect(
      createChat({ transport: testTransport(), initialMessages }).getSnapshot().sessionId,
    ).toBeUndefined();
    expect(getRandomValues).not.toHaveBeenCalled();
    expect(random).not.toHaveBeenCalled();
  });

  test("has the session that it is given; an empty text is none", () => {
    const chatOf = (sessionId: string) => createChat({ transport: testTransport(), sessionId });
    expect(chatOf("session-1").getSnapshot().sessionId).toBe("session-1");
    expect(chatOf("").getSnapshot().sessionId).toBeUndefined();
  });

  test("has asked for nothing", async () => {
    const { transport } = setUp();
    await flush();
    expect(transport.streams).toEqual([]);
  });

  test("shows the messages that it is given, as they are", () => {
    const initialMessages = [user("Hello", "u1"), answer("Hi", "a1")];
    const { chat } = setUp({ initialMessages });
    expect(chat.getSnapshot().messages).toEqual(initialMessages);
    expect(chat.getSnapshot().messages[0]).toBe(initialMessages[0]);
    expect(chat.getSnapshot().messages[1]).toBe(initialMessages[1]);
  });

  test("a message that was kept while it was growing is truncated, and nothing of it is open", () => {
    const { chat } = setUp({
      initialMessages: [
        {
          role: "assistant",
          id: "a1",
          status: "streaming",
          parts: [
            { type: "text", key: "", text: "Hal", state: "streaming" },
            {
              type: "tool-call",
              toolCallId: "c1",
              tool: "search",
              state: "running",
              inputText: "",
              input: {},
            },
            { type: "tool-call", toolCallId: "c2", tool: "search", state: "input-streaming", inputText: "{" },
            { type: "tool-call", toolCallId: "c3", tool: "search", state: "done", inputText: "", content: 1 },
            {
              type: "tool-call",
              toolCallId: "c4",
              tool: "search",
              state: "error",
              inputText: "",
              content: 1,
            },
            { type: "source", id: "s1" },
          ],
        },
      ],
    });
    expect(chat.getSnapshot().messages).toEqual([
      {
        role: "assistant",
        id: "a1",
        status: "truncated",
        parts: [
          { type: "text", key: "", text: "Hal", state: "done" },
          {
            type: "tool-call",
            toolCallId: "c1",
            tool: "search",
            state: "interrupted",
            inputText: "",
            input: {},
          },
          { type: "tool-call", toolCallId: "c2", tool: "search", state: "interrupted", inputText: "{" },
          { type: "tool-call", toolCallId: "c3", tool: "search", state: "done", inputText: "", content: 1 },
          { type: "tool-call", toolCallId: "c4", tool: "search", state: "error", inputText: "", content: 1 },
          { type: "source", id: "s1" },
        ],
      },
    ]);
  });

  test("a message that was growing is truncated, with what had come of it", () => {
    const growing: UIMessage = {
      role: "assistant",
      id: "a1",
      status: "streaming",
      parts: [{ type: "text", key: "", text: "Hal", state: "done" }],
    };
    const { chat } = setUp({ initialMessages: [user("Hello", "u1"), growing] });
    expect(chat.getSnapshot().messages[1]).toEqual({ ...growing, status: "truncated" });
    expect(growing.status).toBe("streaming");
  });

  test("knows the question that its last message ends on", () => {
    const asked: UIMessage = {
      role: "assistant",
      id: "a1",
      status: "done",
      parts: [question],
      interrupt: question,
    };
    expect(setUp({ initialMessages: [asked] }).chat.getSnapshot().interrupt).toBe(question);
    const later = [asked, user("Never mind", "u2")];
    expect(setUp({ initialMessages: later }).chat.getSnapshot().interrupt).toBeUndefined();
  });
});

describe("send", () => {
  test("goes from ready over submitted and streaming back to ready", async () => {
    const { chat, transport, states } = setUp();
    const sent = outcomeOf(chat.send("Hello"));
    expect(statusOf(chat)).toBe("submitted");
    await nextFrame();
    expect(statusOf(chat)).toBe("submitted");
    streamOf(transport).give(delta("Hi"), delta(" there"));
    await nextFrame();
    expect(statusOf(chat)).toBe("streaming");
    expect(read(chat)).toEqual(["Hello", "(streaming) Hi there"]);
    expect(sent.is).toBe("pending");
    await finishWith(transport, done);
    expect(sent.is).toBe("resolved");
    expect(statusesOf(states)).toEqual(["ready", "submitted", "streaming", "ready"]);
    const { messages, ...rest } = chat.getSnapshot();
    expect(messages).toEqual([
      { role: "user", id: expect.stringMatching(uuidV4), content: "Hello" },
      {
        role: "assistant",
        id: expect.stringMatching(uuidV4),
        status: "done",
        parts: [{ type: "text", key: "", text: "Hi there", state: "done" }],
      },
    ]);
    expect(rest).toMatchObject({ status: "ready", reconnecting: false, sessionId: "session-1" });
    expect(rest.error).toBeUndefined();
    expect(rest.interrupt).toBeUndefined();
  });

  test("shows what was said at once, before anything was requested", () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    expect(read(chat)).toEqual(["Hello"]);
    transport.streams[0]!.end();
  });

  test("asks with the whole conversation, each answer with its text and its id", async () => {
    const initialMessages: UIMessage[] = [
      user("One", "u1"),
      {
        role: "assistant",
        id: "a1",
        status: "aborted",
        parts: [
          { type: "reasoning", key: "", text: "Hm.", state: "done" },
          { type: "text", key: "x", text: "First", state: "done" },
          { type: "source", id: "s1" },
          { type: "text", key: "y", text: "Second", state: "done" },
        ],
      },
      user("Two", "u2"),
      { role: "assistant", id: "a2", status: "error", parts: [] },
    ];
    const { chat, transport } = setUp({ initialMessages });
    void chat.send({ id: "u3", content: "Three" });
    expect(transport.streams[0]!.body).toEqual({
      sessionId: "session-1",
      messages: [
        { role: "user", id: "u1", content: "One" },
        { role: "assistant", id: "a1", content: "First\n\nSecond" },
        { role: "user", id: "u2", content: "Two" },
        { role: "user", id: "u3", content: "Three" },
      ],
    });
    await finishWith(transport, done);
  });

  test("an object keeps its timestamp, its metadata and its id", async () => {
    const { chat, transport } = setUp();
    void chat.send({ content: "Hello", id: "mine", timestamp: 7, metadata: { files: ["a"] } });
    const said = { role: "user", content: "Hello", id: "mine", timestamp: 7, metadata: { files: ["a"] } };
    expect(chat.getSnapshot().messages).toEqual([said]);
    expect(transport.streams[0]!.body?.messages).toEqual([said]);
    await finishWith(transport, done);
  });

  test("an object without an id gets one, and is the user's whatever its role says", async () => {
    const { chat, transport } = setUp();
    const input = { content: "Hello", role: "system" };
    void chat.send(input);
    expect(chat.getSnapshot().messages).toEqual([
      { role: "user", content: "Hello", id: expect.stringMatching(uuidV4) },
    ]);
    await finishWith(transport, done);
  });

  test("with the id of an earlier message, replaces it and drops what followed", async () => {
    const initialMessages = [
      user("One", "u1"),
      answer("1", "a1"),
      user("Two", "u2"),
      answer("2", "a2"),
      user("Three", "u3"),
      answer("3", "a3"),
    ];
    const { chat, transport } = setUp({ initialMessages });
    void chat.send({ id: "u2", content: "Two, or rather four" });
    expect(read(chat)).toEqual(["One", "(done) 1", "Two, or rather four"]);
    expect(transport.streams[0]!.body?.messages.map(({ id }) => id)).toEqual(["u1", "a1", "u2"]);
    await finishWith(transport, delta("4"), done);
    expect(read(chat)).toEqual(["One", "(done) 1", "Two, or rather four", "(done) 4"]);
  });

  test("two messages with the same words are two messages", async () => {
    const { chat, transport } = setUp();
    void chat.send("Yes");
    await finishWith(transport, delta("1"), done);
    void chat.send("Yes");
    await finishWith(transport, delta("2"), done);
    expect(read(chat)).toEqual(["Yes", "(done) 1", "Yes", "(done) 2"]);
    expect(new Set(chat.getSnapshot().messages.map(({ id }) => id)).size).toBe(4);
  });

  test("while an answer is under way is refused with `busy`, and changes nothing but the error", async () => {
    for (const chunks of [[], [delta("Hi")]]) {
      const { chat, transport, stream } = await setUpBusy(chunks);
      const before = chat.getSnapshot();
      for (const [action, refused] of [
        ["send", chat.send("More")],
        ["regenerate", chat.regenerate()],
        ["respond", chat.respond(question, "a")],
        ["set messages", chat.setMessages([])],
      ] as const) {
        await expect(refused).rejects.toMatchObject({
          name: "ChatStateError",
          code: "busy",
          message: `Cannot ${action} while an answer is streaming; call stop() first.`,
        });
      }
      expect(chat.getSnapshot()).toEqual({ ...before, error: expect.objectContaining({ code: "busy" }) });
      expect(transport.streams).toHaveLength(1);
      stream.end();
      await flush();
    }
  });

  test("while an answer is being stopped is refused, too", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    void chat.stop();
    await expect(chat.send("More")).rejects.toMatchObject({ code: "busy" });
    transport.answerStop();
    stream.give({ type: "abort", reason: "stopped" });
    stream.end();
    await flush();
  });

  test("an answer in order without a chunk is an empty answer", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await finishWith(transport);
    expect(chat.getSnapshot().messages[1]).toMatchObject({ role: "assistant", status: "done", parts: [] });
    expect(statusOf(chat)).toBe("ready");
  });

  test("the answer of a run has the run's id from its first chunk on", async () => {
    const { chat, stream } = await setUpBusy([runStart("run-1"), delta("Hi")]);
    expect(
      chat
        .getSnapshot()
        .messages.map(({ id }) => id)
        .slice(1),
    ).toEqual(["run-1"]);
    stream.end();
    await flush();
    expect(
      chat
        .getSnapshot()
        .messages.map(({ id }) => id)
        .slice(1),
    ).toEqual(["run-1"]);
  });

  test("what the server says that the user said is not shown beside what was said", async () => {
    // The agent was sent something else: a part of the conversation, in other words and without ids.
    const { chat, stream, sent } = await setUpBusy(
      [runStart("run-1", { role: "user", content: "In short: Hello" }), delta("Hi")],
      { selectMessages: () => [{ role: "user", content: "In short: Hello" }] },
    );
    expect(read(chat)).toEqual(["Hello", "(streaming) Hi"]);
    stream.end();
    await flush();
    expect(sent.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("parts of every kind reach the message", async () => {
    const { chat, stream } = await setUpBusy([
      { type: "reasoning-delta", delta: "Hm." },
      { type: "tool-call-start", tool: "search", toolCallId: "c1", input: { q: 1 } },
      { type: "tool-call-result", tool: "search", toolCallId: "c1", content: "found" },
      { type: "source", id: "s1", title: "A" },
      { type: "file", mediaType: "image/png", url: "/a.png" },
      { type: "structured-data", streamId: "card", dataType: "card", kind: "set", path: "a", value: 1 },
      { type: "done", usage: { outputTokens: 3 } },
    ]);
    stream.end();
    await flush();
    expect(chat.getSnapshot().messages[1]).toMatchObject({
      status: "done",
      usage: { outputTokens: 3 },
      parts: [
        { type: "reasoning", text: "Hm.", state: "done" },
        { type: "tool-call", toolCallId: "c1", state: "done", input: { q: 1 }, content: "found" },
        { type: "source", id: "s1", title: "A" },
        { type: "file", url: "/a.png" },
        { type: "structured-data", streamId: "card", data: { a: 1 } },
      ],
    });
  });
});

describe("an answer that fails", () => {
  const boom = new Error("boom");

  test("before its first chunk leaves what was said, and no answer", async () => {
    for (const error of [boom, httpError(404), httpError(405), new StreamTruncatedError("no body")]) {
      const { chat, transport, states } = setUp();
      const sent = outcomeOf(chat.send("Hello"));
      streamOf(transport).fail(error);
      await flush();
      expect(sent.is).toBe("resolved");
      expect(read(chat)).toEqual(["Hello"]);
      expect(statusOf(chat)).toBe("error");
      expect(chat.getSnapshot().error).toBe(error);
      expect(statusesOf(states)).toEqual(["ready", "submitted", "error"]);
    }
  });

  test("after its first chunk keeps what has come, marked as truncated, with nothing open", async () => {
    const { chat, stream, states } = await setUpBusy([
      delta("Half an"),
      { type: "tool-call-start", tool: "search", toolCallId: "c1", input: {} },
    ]);
    stream.give(delta("answer"));
    stream.fail(new StreamTruncatedError("cut"));
    await flush();
    expect(read(chat)).toEqual(["Hello", "(truncated) Half an\n\nanswer"]);
    expect(chat.getSnapshot().messages[1]).toMatchObject({
      parts: [
        { type: "text", text: "Half an", state: "done" },
        { type: "tool-call", state: "interrupted" },
        { type: "text", text: "answer", state: "done" },
      ],
    });
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { code: "truncated" } });
    expect(statusesOf(states)).toEqual(["ready", "submitted", "streaming", "error"]);
  });

  test("what is no Error becomes the cause of one", async () => {
    const { chat, stream } = await setUpBusy([]);
    stream.fail("out of tokens");
    await flush();
    const { error } = chat.getSnapshot();
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ message: "out of tokens", cause: "out of tokens" });
  });

  test("on an `error` chunk is a StreamRemoteError, and the message tells it", async () => {
    const failure: StreamChunk = { type: "error", message: "Overloaded", code: "busy", retryable: true };
    const { chat, stream } = await setUpBusy([delta("Half"), failure]);
    expect(statusOf(chat)).toBe("streaming");
    stream.end();
    await flush();
    expect(chat.getSnapshot()).toMatchObject({
      status: "error",
      error: { name: "StreamRemoteError", code: "remote", message: "Overloaded", chunk: failure },
    });
    expect(chat.getSnapshot().messages[1]).toMatchObject({
      status: "error",
      error: failure,
      parts: [{ text: "Half", state: "done" }],
    });
  });

  test("an `error` chunk that is followed by more is not how the answer ended", async () => {
    const { chat, stream } = await setUpBusy([{ type: "error", message: "Retrying" }, delta("Hi"), done]);
    stream.end();
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "ready" });
    expect(chat.getSnapshot().error).toBeUndefined();
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("an `error` chunk and then a cut is an error, and the message tells what the server said", async () => {
    const { chat, stream } = await setUpBusy([delta("Half"), { type: "error", message: "Overloaded" }]);
    stream.fail(new StreamTruncatedError("cut"));
    await flush();
    expect(statusOf(chat)).toBe("error");
    expect(chat.getSnapshot().messages[1]).toMatchObject({
      status: "error",
      error: { message: "Overloaded" },
    });
  });

  test("a cut behind the terminal chunk is an error of a whole answer", async () => {
    const { chat, stream } = await setUpBusy([delta("Hi"), done]);
    stream.fail(boom);
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("a transport that throws at once fails the answer, and not the call", async () => {
    const { chat } = setUp(
      {},
      {
        start() {
          throw boom;
        },
      },
    );
    await expect(chat.send("Hello")).resolves.toBeUndefined();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
  });

  test("`selectMessages` that throws fails the answer, and nothing is requested", async () => {
    const { chat, transport } = setUp({
      selectMessages() {
        throw boom;
      },
    });
    await chat.send("Hello");
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
    expect(transport.streams).toHaveLength(0);
  });

  test("a chunk that cannot be applied fails the answer, and leaves its stream", async () => {
    const { chat, stream } = await setUpBusy([
      delta("Hi"),
      { type: "structured-data", streamId: "x", dataType: "x", kind: "append", path: "a.b", items: [1] },
      {
        type: "structured-data",
        streamId: "x",
        dataType: "x",
        kind: "append",
        path: "__proto__",
        items: [1],
      },
      delta("More"),
    ]);
    expect(chat.getSnapshot()).toMatchObject({
      status: "error",
      error: { name: "StreamProtocolError", code: "invalid-structured-data" },
    });
    expect(read(chat)).toEqual(["Hello", "(truncated) Hi"]);
    expect(stream.isOpen).toBe(false);
  });

  test("is forgotten with the next question", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    stream.fail(boom);
    await flush();
    void chat.send("Again");
    expect(chat.getSnapshot()).toMatchObject({ status: "submitted" });
    expect(chat.getSnapshot().error).toBeUndefined();
    await finishWith(transport, delta("Whole"), done);
    expect(read(chat)).toEqual(["Hello", "(truncated) Half", "Again", "(done) Whole"]);
    expect(chat.getSnapshot()).toMatchObject({ status: "ready" });
    expect(chat.getSnapshot().error).toBeUndefined();
  });
});

describe("an answer that is aborted by the server", () => {
  test("is kept and marked, and is no error", async () => {
    const { chat, stream } = await setUpBusy([delta("Half"), { type: "abort", reason: "timeout" }]);
    stream.end();
    await flush();
    expect(chat.getSnapshot().messages[1]).toMatchObject({
      status: "aborted",
      abortReason: "timeout",
      parts: [{ text: "Half", state: "done" }],
    });
    expect(statusOf(chat)).toBe("ready");
    expect(chat.getSnapshot().error).toBeUndefined();
  });
});

describe("stop on a route without runs", () => {
  test("ends the stream at once; what has come is kept and marked, and nothing is an error", async () => {
    const { chat, transport, states } = setUpPlain();
    const sent = outcomeOf(chat.send("Hello"));
    await flush();
    const stream = streamOf(transport);
    stream.give(delta("Half"));
    await flush();
    stream.give(delta(" an answer"));
    await flush();
    const stopped = outcomeOf(chat.stop());
    expect(stream.signal.aborted).toBe(true);
    await flush();
    expect(stopped.is).toBe("resolved");
    expect(sent.is).toBe("resolved");
    expect(stream.isOpen).toBe(false);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half an answer"]);
    expect(chat.getSnapshot().messages[1]).not.toHaveProperty("abortReason");
    expect(statusesOf(states)).toEqual(["ready", "submitted", "streaming", "stopping", "ready"]);
    expect(chat.getSnapshot().error).toBeUndefined();
  });

  test("before the first chunk leaves no answer behind", async () => {
    const { chat, transport } = setUpPlain();
    void chat.send("Hello");
    await chat.stop();
    await flush();
    expect(read(chat)).toEqual(["Hello"]);
    expect(statusOf(chat)).toBe("ready");
    expect(streamOf(transport).isOpen).toBe(false);
  });

  test("is the same where the transport can stop runs, but this is none", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    await chat.stop();
    expect(transport.stops).toEqual([]);
    expect(stream.signal.aborted).toBe(true);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("is the same where this is a run, but the transport cannot stop it", async () => {
    const { chat, stream } = await setUpBusy([runStart("run-1"), delta("Half")], {}, { stop: undefined });
    await chat.stop();
    expect(stream.signal.aborted).toBe(true);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("does nothing when nothing is under way", async () => {
    const { chat, states } = setUp();
    await chat.stop();
    expect(states).toHaveLength(1);
  });
});

describe("stop of a run", () => {
  const stopped: StreamChunk = { type: "abort", reason: "stopped" };

  test("stops it by its id, and goes on reading until its terminal", async () => {
    const { chat, transport, stream, states, sent } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const stop = outcomeOf(chat.stop());
    expect(transport.stops).toEqual([{ runId: "run-1" }]);
    expect(statusOf(chat)).toBe("stopping");
    stream.give(delta(" an answer"));
    await nextFrame();
    expect(read(chat)).toEqual(["Hello", "(streaming) Half an answer"]);
    transport.answerStop();
    await flush();
    expect(statusOf(chat)).toBe("stopping");
    expect(stop.is).toBe("pending");
    expect(stream.signal.aborted).toBe(false);
    stream.give(stopped);
    stream.end();
    await flush();
    expect(stop.is).toBe("resolved");
    expect(sent.is).toBe("resolved");
    expect(chat.getSnapshot().messages[1]).toMatchObject({ status: "aborted", abortReason: "stopped" });
    expect(statusesOf(states)).toEqual(["ready", "submitted", "streaming", "stopping", "ready"]);
  });

  test("that fails is not tried again without end by a subscriber who stops whatever streams", async () => {
    for (const fail of [
      () => Promise.reject(new Error("offline")),
      () => {
        throw new Error("offline");
      },
    ]) {
      const stop = vi.fn(fail);
      const { chat } = await setUpBusy([runStart("run-1"), delta("Half")], {}, { stop });
      chat.subscribe(({ status }) => {
        if (status === "streaming") chat.stop().catch(() => {});
      });
      await flush();
      expect(stop.mock.calls.length).toBeLessThanOrEqual(2);
      expect(statusOf(chat)).toBe("streaming");
      chat.close();
    }
  });

  test("stops it by its idempotency key for as long as its id is not known", async () => {
    const { chat, transport, stream } = await setUpBusy([], { runs: true });
    const { idempotencyKey } = stream.body!;
    expect(idempotencyKey).toMatch(uuidV4);
    void chat.stop();
    expect(transport.stops).toEqual([{ idempotencyKey }]);
    expect(statusOf(chat)).toBe("stopping");
    transport.answerStop();
    stream.give(runStart("run-1"));
    await flush();
    // The first chunk does not hide that it is being stopped.
    expect(statusOf(chat)).toBe("stopping");
    stream.give(stopped);
    stream.end();
    await flush();
    expect(read(chat)).toEqual(["Hello", "(aborted) "]);
    expect(statusOf(chat)).toBe("ready");
  });

  test("prefers the id to the key", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")], { runs: true });
    void chat.stop();
    expect(transport.stops).toEqual([{ runId: "run-1" }]);
    transport.answerStop();
    stream.end();
    await flush();
  });

  test("without `runs` there is no key, and each answer has a key of its own", async () => {
    expect((await setUpBusy([done])).stream.body?.idempotencyKey).toBeUndefined();
    const { chat, transport, stream } = await setUpBusy([], { runs: true });
    stream.end();
    await flush();
    void chat.send("More");
    await finishWith(transport);
    const keys = transport.streams.map(({ body }) => body?.idempotencyKey);
    expect(new Set(keys).size).toBe(2);
  });

  test("that fails rejects, and the answer goes on as it was", async () => {
    const boom = new Error("offline");
    for (const chunks of [[], [runStart("run-1"), delta("Hi")]]) {
      const { chat, transport, stream } = await setUpBusy(chunks, { runs: true });
      const before = statusOf(chat);
      const stop = outcomeOf(chat.stop());
      transport.answerStop(boom);
      await flush();
      expect(stop.is).toBe(boom);
      expect(statusOf(chat)).toBe(before);
      expect(chat.getSnapshot().error).toBe(boom);
      expect(stream.isOpen).toBe(true);
      stream.give(delta("!"), done);
      stream.end();
      await flush();
      expect(statusOf(chat)).toBe("ready");
      expect(chat.getSnapshot().error).toBeUndefined();
    }
  });

  test("that fails while the first chunk comes leaves the answer streaming", async () => {
    const { chat, transport, stream } = await setUpBusy([], { runs: true });
    const stop = outcomeOf(chat.stop());
    stream.give(delta("Hi"));
    await flush();
    transport.answerStop(new Error("offline"));
    await flush();
    expect(stop.is).toMatchObject({ message: "offline" });
    expect(statusOf(chat)).toBe("streaming");
    stream.end();
    await flush();
  });

  test("that fails can be tried again", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    const first = outcomeOf(chat.stop());
    transport.answerStop(httpError(500));
    await flush();
    expect(first.is).toMatchObject({ status: 500 });
    const second = outcomeOf(chat.stop());
    transport.answerStop();
    stream.give(stopped);
    stream.end();
    await flush();
    expect(second.is).toBe("resolved");
    expect(transport.stops).toHaveLength(2);
  });

  test("that throws at once rejects, too", async () => {
    const { chat, stream } = await setUpBusy(
      [runStart("run-1")],
      {},
      {
        stop() {
          throw new Error("no token");
        },
      },
    );
    await expect(chat.stop()).rejects.toThrow("no token");
    expect(statusOf(chat)).toBe("streaming");
    stream.end();
    await flush();
  });

  test("that the server does not know, or cannot stop, leaves it", async () => {
    for (const status of [404, 405]) {
      const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Half")]);
      const stop = outcomeOf(chat.stop());
      transport.answerStop(httpError(status));
      await flush();
      expect(stop.is).toBe("resolved");
      expect(stream.isOpen).toBe(false);
      expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
      expect(statusOf(chat)).toBe("ready");
    }
  });

  test("that another status refuses does not leave it", async () => {
    for (const status of [403, 410, 500]) {
      const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Half")]);
      const stop = outcomeOf(chat.stop());
      transport.answerStop(httpError(status));
      await flush();
      expect(stop.is).toMatchObject({ status });
      expect(stream.isOpen).toBe(true);
      stream.end();
      await flush();
    }
  });

  test("whose terminal never comes is left after 10 s", async () => {
    const { chat, transport, stream, sent } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const stop = outcomeOf(chat.stop());
    transport.answerStop();
    await vi.advanceTimersByTimeAsync(9999);
    expect(stop.is).toBe("pending");
    expect(statusOf(chat)).toBe("stopping");
    await vi.advanceTimersByTimeAsync(1);
    expect(stop.is).toBe("resolved");
    expect(sent.is).toBe("resolved");
    expect(stream.isOpen).toBe(false);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
    expect(statusOf(chat)).toBe("ready");
  });

  test("that ends by itself meanwhile is not left again, whatever the stop is answered", async () => {
    for (const failure of [[], [httpError(404)], [new Error("offline")]]) {
      const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Hi")]);
      const stop = outcomeOf(chat.stop());
      stream.give(done);
      stream.end();
      await flush();
      expect(statusOf(chat)).toBe("ready");
      // The next answer is none of that stop's business.
      void chat.send("More");
      await flush();
      transport.answerStop(...failure);
      await flush();
      expect(stop.is).toBe("resolved");
      await vi.advanceTimersByTimeAsync(20_000);
      expect(statusOf(chat)).toBe("submitted");
      expect(streamOf(transport).isOpen).toBe(true);
      await finishWith(transport, done);
    }
  });

  test("that fails in the moment in which the answer ends does not bring it back", async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const { chat, transport, stream } = await setUpBusy([runStart("run-1"), done]);
      const stop = outcomeOf(chat.stop());
      stream.end();
      for (let tick = 0; tick < ticks; tick++) await null;
      transport.answerStop(new Error("offline"));
      await flush();
      expect(stop.is).not.toBe("pending");
      expect(statusOf(chat)).toBe("ready");
    }
  });

  test("two at the same time are one, and both wait", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    const stops = [outcomeOf(chat.stop()), outcomeOf(chat.stop())];
    await flush();
    expect(transport.stops).toHaveLength(1);
    stops.push(outcomeOf(chat.stop()));
    transport.answerStop();
    await flush();
    expect(stops.map(({ is }) => is)).toEqual(["pending", "pending", "pending"]);
    stream.give(stopped);
    stream.end();
    await flush();
    expect(stops.map(({ is }) => is)).toEqual(["resolved", "resolved", "resolved"]);
    expect(transport.stops).toHaveLength(1);
  });

  test("two at the same time that fail both reject", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    const stops = [outcomeOf(chat.stop()), outcomeOf(chat.stop())];
    transport.answerStop(new Error("offline"));
    await flush();
    expect(stops.map(({ is }) => is)).toMatchObject([{ message: "offline" }, { message: "offline" }]);
    stream.end();
    await flush();
  });

  test("whoever hears of it and stops, too, makes no second request", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    let calls = 0;
    chat.subscribe(({ status }) => {
      if (status === "stopping" && calls++ < 5) void chat.stop();
    });
    void chat.stop();
    expect(transport.stops).toHaveLength(1);
    transport.answerStop();
    stream.give(stopped);
    stream.end();
    await flush();
    expect(statusOf(chat)).toBe("ready");
  });

  test("ends with the answer, although the server never answers it", async () => {
    const { chat, stream } = await setUpBusy([runStart("run-1")]);
    const stop = outcomeOf(chat.stop());
    stream.give(stopped);
    stream.end();
    await flush();
    expect(stop.is).toBe("resolved");
  });
});

describe("close", () => {
  test("stops following, and nothing else: the run is not stopped, what has come is kept", async () => {
    const { chat, transport, stream, sent } = await setUpBusy([runStart("run-1"), delta("Half")]);
    chat.close();
    expect(statusOf(chat)).toBe("ready");
    expect(stream.signal.aborted).toBe(true);
    await flush();
    expect(sent.is).toBe("resolved");
    expect(stream.isOpen).toBe(false);
    expect(transport.stops).toEqual([]);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
    expect(chat.getSnapshot().error).toBeUndefined();
  });

  test("keeps the text that no frame has shown yet", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    stream.give(delta(" an answer"));
    await flush();
    expect(read(chat)).toEqual(["Hello", "(streaming) Half"]);
    chat.close();
    expect(read(chat)).toEqual(["Hello", "(aborted) Half an answer"]);
  });

  test("before the first chunk leaves no answer behind", async () => {
    const { chat, stream } = await setUpBusy([]);
    chat.close();
    await flush();
    expect(read(chat)).toEqual(["Hello"]);
    expect(stream.isOpen).toBe(false);
    expect(statusOf(chat)).toBe("ready");
  });

  test("what still comes after it changes nothing", async () => {
    const given: unknown[] = [];
    let give: (chunk: StreamChunk) => void = () => {};
    /** A transport that does not listen to its signal. */
    const deaf = {
      async *start() {
        yield delta("Half");
        yield await new Promise<StreamChunk>((resolve) => {
          give = resolve;
        });
        yield delta("never asked for");
      },
    };
    const { chat, states } = setUp({ onChunk: (chunk) => given.push(chunk) }, deaf);
    void chat.send("Hello");
    await flush();
    chat.close();
    const before = states.length;
    give(delta(" an answer"));
    await flush();
    expect(states).toHaveLength(before);
    expect(given).toEqual([delta("Half")]);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("while a stop is under way ends that stop, too", async () => {
    const { chat, transport } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const stop = outcomeOf(chat.stop());
    chat.close();
    expect(statusOf(chat)).toBe("ready");
    transport.answerStop();
    await flush();
    expect(stop.is).toBe("resolved");
  });

  test("the chat can be used again", async () => {
    const { chat, transport } = await setUpBusy([delta("Half")]);
    chat.close();
    const sent = outcomeOf(chat.send("More"));
    await finishWith(transport, delta("Whole"), done);
    expect(sent.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(aborted) Half", "More", "(done) Whole"]);
  });

  test("does nothing when nothing is under way", () => {
    const { chat, states } = setUp();
    chat.close();
    chat.close();
    expect(states).toHaveLength(1);
  });

  test("keeps an `error` chunk that had come as the outcome", async () => {
    const { chat } = await setUpBusy([delta("Half"), { type: "error", message: "Overloaded" }]);
    chat.close();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { message: "Overloaded" } });
    await flush();
  });
});

describe("resume", () => {
  const hello = user("Hello", "u1");
  const partial: UIMessage = { ...answer("Hal", "run-1"), status: "truncated" } as UIMessage;

  test("asks for the newest run of the session; until it has said something, nothing changes", async () => {
    const { chat, transport, states } = setUp({ initialMessages: [hello] });
    const resumed = outcomeOf(chat.resume());
    await flush();
    expect(transport.streams).toMatchObject([{ sessionId: "session-1", isOpen: true }]);
    streamOf(transport).connect();
    await nextFrame();
    expect(states).toHaveLength(1);
    expect(resumed.is).toBe("pending");
    chat.close();
    await flush();
    expect(resumed.is).toBe("resolved");
    expect(states).toHaveLength(1);
  });

  test("where there is no run is silent", async () => {
    for (const error of [httpError(404), httpError(405), new StreamTruncatedError("204: no body")]) {
      const { chat, transport, states } = setUp({ initialMessages: [hello] });
      const resumed = outcomeOf(chat.resume());
      streamOf(transport).fail(error);
      await flush();
      expect(resumed.is).toBe("resolved");
      expect(states).toHaveLength(1);
    }
  });

  test("where the transport has none, or the stream is empty, is silent", async () => {
    const plain = setUpPlain();
    await plain.chat.resume();
    expect(plain.states).toHaveLength(1);
    const { chat, transport, states } = setUp();
    const resumed = outcomeOf(chat.resume());
    streamOf(transport).connect();
    streamOf(transport).end();
    await flush();
    expect(resumed.is).toBe("resolved");
    expect(states).toHaveLength(1);
  });

  test("that fails is an error, and the messages stay", async () => {
    const connectionBroke = new StreamTruncatedError("The connection broke.");
    for (const [error, wasOpen] of [
      [httpError(500), false],
      [httpError(403), false],
      [new Error("offline"), false],
      [connectionBroke, true],
    ] as const) {
      const { chat, transport } = setUp({ initialMessages: [hello, partial] });
      const resumed = outcomeOf(chat.resume());
      if (wasOpen) streamOf(transport).connect();
      streamOf(transport).fail(error);
      await flush();
      expect(resumed.is).toBe("resolved");
      expect(chat.getSnapshot()).toMatchObject({ status: "error", error, messages: [hello, partial] });
    }
  });

  test("that is lost before its first chunk does not show as reconnecting", async () => {
    const { chat, transport, states } = setUp();
    void chat.resume();
    streamOf(transport).connect();
    streamOf(transport).lose();
    expect(states).toHaveLength(1);
    streamOf(transport).fail(httpError(404));
    await flush();
    expect(states).toHaveLength(1);
  });

  test("replaces the message of the run, and goes on with it", async () => {
    const initialMessages = [hello, partial];
    const { chat, transport, states } = setUp({ initialMessages });
    const resumed = outcomeOf(chat.resume());
    const stream = streamOf(transport);
    stream.give(runStart("run-1", { role: "user", content: "Hello", id: "u1" }));
    await flush();
    expect(statusOf(chat)).toBe("streaming");
    stream.give(delta("Hal"), delta("lo"));
    await nextFrame();
    expect(chat.getSnapshot().messages).toEqual([
      hello,
      {
        role: "assistant",
        id: "run-1",
        status: "streaming",
        parts: [{ type: "text", key: "", text: "Hallo", state: "streaming" }],
      },
    ]);
    await finishWith(transport, done);
    expect(resumed.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) Hallo"]);
    expect(statusesOf(states)).toEqual(["ready", "streaming", "ready"]);
  });

  test("of a run that is over shows it whole", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, partial] });
    const resumed = outcomeOf(chat.resume());
    await finishWith(transport, runStart("run-1"), delta("Hallo"), done);
    expect(resumed.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) Hallo"]);
  });

  test("keeps what was said behind the message of the run", async () => {
    const more = user("More", "u2");
    const { chat, transport } = setUp({ initialMessages: [hello, partial, more] });
    void chat.resume();
    streamOf(transport).give(runStart("run-1", { role: "user", content: "Hello", id: "u1" }), delta("Hallo"));
    await nextFrame();
    expect(read(chat)).toEqual(["Hello", "(streaming) Hallo", "More"]);
    await finishWith(transport, done);
    expect(read(chat)).toEqual(["Hello", "(done) Hallo", "More"]);
    expect(chat.getSnapshot().messages[2]).toBe(more);
  });

  test("of a run whose message is not there puts it behind what it answers, in place of an older answer", async () => {
    const older = [answer("old", "a1"), answer("older", "a2")];
    const { chat, transport } = setUp({ initialMessages: [hello, ...older, user("More", "u2")] });
    void chat.resume();
    await finishWith(
      transport,
      runStart("run-9", { role: "user", content: "Hello", id: "u1" }),
      delta("new"),
      done,
    );
    expect(read(chat)).toEqual(["Hello", "(done) new", "More"]);
  });

  test("finds what it answers by its words, the last ones, where it has no id", async () => {
    const { chat, transport } = setUp({
      initialMessages: [hello, answer("1", "a1"), user("Hello", "u2")],
    });
    void chat.resume();
    await finishWith(transport, runStart("run-9", { content: "Hello" }), delta("2"), done);
    expect(read(chat)).toEqual(["Hello", "(done) 1", "Hello", "(done) 2"]);
  });

  test("inserts what the user said in another tab, with all that belongs to it", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, answer("Hi", "a1")] });
    void chat.resume();
    const input = { role: "user", content: "More", id: "u2", timestamp: 7, metadata: { a: 1 } };
    await finishWith(transport, runStart("run-2", input), delta("Here"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Hi", "More", "(done) Here"]);
    expect(chat.getSnapshot().messages[2]).toEqual(input);
  });

  test("finds the message of the run, although the run begins with something else", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, partial, user("More", "u2")] });
    void chat.resume();
    const session: StreamChunk = { type: "session", sessionId: "session-1" };
    await finishWith(
      transport,
      session,
      runStart("run-1", { content: "Hello", id: "u1" }),
      delta("Hallo"),
      done,
    );
    expect(read(chat)).toEqual(["Hello", "(done) Hallo", "More"]);
  });

  test("loses nothing when the run tells its beginning twice", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, partial, user("More", "u2")] });
    void chat.resume();
    const start = runStart("run-1", { content: "Hello", id: "u1" });
    await finishWith(transport, start, start, delta("Hallo"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Hallo", "More"]);
  });

  test("gives what was said in another tab an id, if it has none", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    await finishWith(transport, runStart("run-2", { content: "More", id: 5 }), delta("Here"), done);
    expect(chat.getSnapshot().messages).toMatchObject([
      { role: "user", content: "More", id: expect.stringMatching(uuidV4) },
      { role: "assistant", id: "run-2" },
    ]);
  });

  test("of a run that does not tell what was said appends its answer", async () => {
    for (const input of [undefined, null, "More", { content: 5 }]) {
      const { chat, transport } = setUp({ initialMessages: [hello, answer("Hi", "a1")] });
      void chat.resume();
      await finishWith(transport, runStart("run-2", input), delta("Here"), done);
      expect(read(chat)).toEqual(["Hello", "(done) Hi", "(done) Here"]);
    }
  });

  test("twice in a row shows the run once", async () => {
    const { chat, transport } = setUp();
    for (let i = 0; i < 2; i++) {
      void chat.resume();
      await finishWith(transport, runStart("run-1", { content: "Hello", id: "u1" }), delta("Hallo"), done);
      expect(read(chat)).toEqual(["Hello", "(done) Hallo"]);
    }
    expect(transport.streams).toHaveLength(2);
  });

  test("twice at once is one, and both wait", async () => {
    const { chat, transport } = setUp();
    const calls = [outcomeOf(chat.resume()), outcomeOf(chat.resume())];
    streamOf(transport).give(runStart("run-1"));
    await flush();
    calls.push(outcomeOf(chat.resume()));
    expect(transport.streams).toHaveLength(1);
    expect(calls.map(({ is }) => is)).toEqual(["pending", "pending", "pending"]);
    await finishWith(transport, done);
    expect(calls.map(({ is }) => is)).toEqual(["resolved", "resolved", "resolved"]);
  });

  test("while an answer is under way waits for that one", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Hi")]);
    const resumed = outcomeOf(chat.resume());
    await flush();
    expect(transport.streams).toHaveLength(1);
    expect(resumed.is).toBe("pending");
    stream.end();
    await flush();
    expect(resumed.is).toBe("resolved");
  });

  test("a question that is asked while it looks for a run wins", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, partial] });
    const resumed = outcomeOf(chat.resume());
    await flush();
    const [probe] = transport.streams;
    void chat.send("More");
    expect(probe!.signal.aborted).toBe(true);
    probe!.give(runStart("run-1"), delta("Hallo"));
    await flush();
    expect(resumed.is).toBe("resolved");
    expect(probe!.isOpen).toBe(false);
    expect(read(chat)).toEqual(["Hello", "(truncated) Hal", "More"]);
    await finishWith(transport, delta("Whole"), done);
    expect(read(chat)).toEqual(["Hello", "(truncated) Hal", "More", "(done) Whole"]);
  });

  test("a run that was found makes the chat busy, and can be stopped", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello] });
    void chat.resume();
    streamOf(transport).give(runStart("run-1", { content: "Hello", id: "u1" }), delta("Half"));
    await flush();
    await expect(chat.send("More")).rejects.toMatchObject({ code: "busy" });
    void chat.stop();
    expect(transport.stops).toEqual([{ runId: "run-1" }]);
    transport.answerStop();
    await finishWith(transport, { type: "abort", reason: "stopped" });
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("stop and clear end the search for a run", async () => {
    for (const method of ["stop", "clear"] as const) {
      const { chat, transport } = setUp();
      const resumed = outcomeOf(chat.resume());
      await flush();
      await chat[method]();
      await flush();
      expect(resumed.is).toBe("resolved");
      expect(streamOf(transport).isOpen).toBe(false);
      expect(statusOf(chat)).toBe("ready");
    }
  });

  test("forgets an earlier error as soon as the run is there", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Ha")]);
    stream.fail(new Error("offline"));
    await flush();
    void chat.resume();
    expect(statusOf(chat)).toBe("error");
    streamOf(transport).give(runStart("run-1"), delta("Ha"));
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "streaming" });
    expect(chat.getSnapshot().error).toBeUndefined();
    await finishWith(transport, delta("llo"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Hallo"]);
  });

  test("an error of a chat stays where there is no run", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Ha")]);
    const boom = new Error("offline");
    stream.fail(boom);
    await flush();
    void chat.resume();
    streamOf(transport).fail(httpError(404));
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
  });

  test("a run that breaks off after it was found is truncated", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello] });
    void chat.resume();
    streamOf(transport).give(runStart("run-1", { content: "Hello", id: "u1" }), delta("Ha"));
    streamOf(transport).fail(httpError(404));
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { status: 404 } });
    expect(read(chat)).toEqual(["Hello", "(truncated) Ha"]);
  });

  test("a run that was found and failed tells its error", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello] });
    void chat.resume();
    await finishWith(transport, runStart("run-1"), { type: "error", message: "Overloaded" });
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { message: "Overloaded" } });
  });
});

describe("regenerate", () => {
  test("drops the answer, and asks for another one to the same words", async () => {
    const initialMessages = [user("One", "u1"), answer("1", "a1"), user("Two", "u2"), answer("2", "a2")];
    const { chat, transport } = setUp({ initialMessages });
    const regenerated = outcomeOf(chat.regenerate());
    expect(read(chat)).toEqual(["One", "(done) 1", "Two"]);
    expect(statusOf(chat)).toBe("submitted");
    expect(streamOf(transport).body).toEqual({
      sessionId: "session-1",
      messages: [
        { role: "user", id: "u1", content: "One" },
        { role: "assistant", id: "a1", content: "1" },
        { role: "user", id: "u2", content: "Two" },
      ],
    });
    expect(regenerated.is).toBe("pending");
    await finishWith(transport, delta("zwei"), done);
    expect(regenerated.is).toBe("resolved");
    expect(read(chat)).toEqual(["One", "(done) 1", "Two", "(done) zwei"]);
  });

  test("asks again after a failure", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    stream.fail(new Error("offline"));
    await flush();
    void chat.regenerate();
    expect(read(chat)).toEqual(["Hello"]);
    await finishWith(transport, delta("Whole"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Whole"]);
    expect(chat.getSnapshot().messages[0]).toMatchObject({ id: stream.body!.messages[0]!.id });
  });

  test("without a message of the user is refused with `nothing-to-regenerate`", async () => {
    for (const initialMessages of [[], [answer("Welcome", "a1")]]) {
      const { chat, transport, states } = setUp({ initialMessages });
      await expect(chat.regenerate()).rejects.toMatchObject({
        name: "ChatStateError",
        code: "nothing-to-regenerate",
        message: "Cannot regenerate: the user has said nothing yet.",
      });
      expect(states.map(({ status, error }) => [status, error && "refused"])).toEqual([
        ["ready", undefined],
        ["ready", "refused"],
      ]);
      expect(transport.streams).toHaveLength(0);
    }
  });
});

describe("respond", () => {
  const interrupted = [delta("Well."), question, { type: "done", finishReason: "interrupt" } as const];

  /** A chat that has been asked a question. */
  async function setUpAsked(asked: InterruptChunk = question, options: Behaviour = {}) {
    const all = await setUpBusy([delta("Well."), asked, interrupted[2]!], options);
    all.stream.end();
    await flush();
    return all;
  }

  test("answers the question: its token goes back, its labels are what the user says", async () => {
    const { chat, transport } = await setUpAsked();
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", interrupt: question });
    const responded = outcomeOf(chat.respond(question, ["a", "b"]));
    expect(chat.getSnapshot().interrupt).toBeUndefined();
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "Apples, Bananas"]);
    const { messages, resume } = streamOf(transport).body!;
    expect(resume).toEqual({ requestId: "request-1", resumeToken: "token-1", answer: ["a", "b"] });
    expect(messages.map(({ content }) => content)).toEqual(["Hello", "Well.", "Apples, Bananas"]);
    await finishWith(transport, delta("Here"), done);
    expect(responded.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "Apples, Bananas", "(done) Here"]);
  });

  test("one option is told by its label, what is no option as it is", async () => {
    for (const [given, shown] of [
      ["b", "Bananas"],
      ["c", "c"],
      [["a", "other"], "Apples, other"],
    ] as const) {
      const { chat, transport } = await setUpAsked();
      void chat.respond({ requestId: "request-1" }, given as string | string[]);
      expect(read(chat).at(-1)).toBe(shown);
      expect(streamOf(transport).body?.resume?.answer).toEqual(given);
      await finishWith(transport, done);
    }
  });

  test("a question without options is answered in the user's own words", async () => {
    const { chat, transport } = await setUpAsked({ ...question, input: { kind: "text", multiple: false } });
    void chat.respond(question, "As you like");
    expect(read(chat).at(-1)).toBe("As you like");
    expect(streamOf(transport).body?.resume?.answer).toBe("As you like");
    await finishWith(transport, done);
  });

  test("to a question that does not wait is refused with `not-pending`", async () => {
    const refused = { name: "ChatStateError", code: "not-pending" };
    const nothing = setUp();
    await expect(nothing.chat.respond(question, "a")).rejects.toMatchObject(refused);
    expect(nothing.transport.streams).toHaveLength(0);

    const { chat, transport } = await setUpAsked();
    const before = chat.getSnapshot();
    await expect(chat.respond({ requestId: "request-0" }, "a")).rejects.toMatchObject(refused);
    expect(chat.getSnapshot()).toEqual({ ...before, error: expect.objectContaining(refused) });
    void chat.send("Never mind");
    await finishWith(transport, done);
    await expect(chat.respond(question, "a")).rejects.toMatchObject(refused);
  });

  test("twice is refused, because the first answer is under way", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, "a");
    await expect(chat.respond(question, "a")).rejects.toMatchObject({ code: "busy" });
    await finishWith(transport, done);
    await expect(chat.respond(question, "a")).rejects.toMatchObject({ code: "not-pending" });
    expect(transport.streams).toHaveLength(2);
  });

  test("a question in an answer that did not end in order waits for nothing", async () => {
    const { chat, stream } = await setUpBusy([delta("Well."), question]);
    expect(chat.getSnapshot().interrupt).toBeUndefined();
    stream.fail(new StreamTruncatedError("cut"));
    await flush();
    expect(chat.getSnapshot().interrupt).toBeUndefined();
    await expect(chat.respond(question, "a")).rejects.toMatchObject({ code: "not-pending" });
  });

  test("that failed is repeated by regenerate, token and all", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    streamOf(transport).fail(new Error("offline"));
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "error" });
    void chat.regenerate();
    expect(streamOf(transport).body).toMatchObject({
      resume: { requestId: "request-1", resumeToken: "token-1", answer: ["a"] },
    });
    await finishWith(transport, delta("Here"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "Apples", "(done) Here"]);
  });

  const options = [
    { id: "a", label: "Apples" },
    { id: "b", label: "Bananas" },
  ];
  /** Each kind of question, an answer to it, and what the message of that answer says and carries. */
  const kinds: [InterruptChunk["input"], ChatAnswer, content: string, selected: string[]][] = [
    [{ kind: "text", multiple: false }, "Lisbon", "Lisbon", ["Lisbon"]],
    [{ kind: "text", multiple: true }, ["Lisbon"], "Lisbon", ["Lisbon"]],
    [{ kind: "choice", multiple: false, question: "?", options }, "b", "Bananas", ["b"]],
    [
      { kind: "multi-choice", multiple: true, question: "?", options },
      ["a", "b"],
      "Apples, Bananas",
      ["a", "b"],
    ],
    [{ kind: "multi-choice", multiple: true, question: "?", options }, ["a"], "Apples", ["a"]],
    [{ kind: "multi-choice", multiple: false, question: "?", options }, ["a"], "Apples", ["a"]],
    [{ kind: "multi-choice", multiple: true, question: "?", options }, [], "", []],
  ];

  test("leaves its answer in the metadata of its message, whatever the kind of question", async () => {
    for (const [input, given, content, selected] of kinds) {
      const { chat, transport } = await setUpAsked({ ...question, input });
      void chat.respond(question, given);
      const metadata = { resume: { token: "token-1", requestId: "request-1", selected } };
      expect(chat.getSnapshot().messages.at(-1)).toEqual({
        role: "user",
        id: expect.any(String),
        content,
        metadata,
      });
      expect(streamOf(transport).body!.messages.at(-1)).toMatchObject({ content, metadata });
      expect(streamOf(transport).body!.resume?.answer).toEqual(given);
      await finishWith(transport, done);
    }
  });

  /** Another chat, with the conversation as a store gives it back. */
  function reload(chat: Chat, behaviour: Behaviour = {}) {
    const stored = JSON.parse(JSON.stringify(chat.getSnapshot().messages)) as UIMessage[];
    return setUp({ initialMessages: stored, ...behaviour });
  }

  test("is repeated by regenerate after a reload, in both places", async () => {
    for (const [input, given, content, selected] of kinds) {
      const { chat, transport } = await setUpAsked({ ...question, input });
      void chat.respond(question, given);
      await finishWith(transport, delta("Here"), done);
      const later = reload(chat);
      void later.chat.regenerate();
      const { messages, resume } = streamOf(later.transport).body!;
      expect(resume).toEqual({ requestId: "request-1", resumeToken: "token-1", answer: given });
      expect(messages.at(-1)).toMatchObject({
        content,
        metadata: { resume: { token: "token-1", requestId: "request-1", selected } },
      });
      await finishWith(later.transport, done);
    }
  });

  test("is repeated as it was given as long as the page lives", async () => {
    const { chat, transport } = await setUpAsked({ ...question, input: kinds[2]![0] });
    void chat.respond(question, ["b"]);
    await finishWith(transport, delta("Here"), done);
    void chat.regenerate();
    expect(streamOf(transport).body?.resume?.answer).toEqual(["b"]);
    await finishWith(transport, done);
  });

  test("is repeated where the question is no longer known, one answer as a string", async () => {
    const resume = { token: "token-1", requestId: "request-1", selected: ["a"] };
    const { chat, transport } = setUp({
      initialMessages: [{ role: "user", content: "Apples", metadata: { mood: "good", resume } }],
    });
    void chat.regenerate();
    const { body } = streamOf(transport);
    expect(body?.resume).toEqual({ requestId: "request-1", resumeToken: "token-1", answer: "a" });
    expect(body?.messages.at(-1)?.metadata).toEqual({ mood: "good", resume });
    await finishWith(transport, done);
  });

  test("may cancel the question, for agents of either kind, and again after a reload", async () => {
    for (const [reason, given] of [
      [undefined, {}],
      ["Show me vegetables", { reason: "Show me vegetables" }],
    ] as const) {
      const { chat, transport } = await setUpAsked();
      void chat.respond(question, { outcome: "cancelled", reason });
      const sent = {
        resume: { requestId: "request-1", resumeToken: "token-1", outcome: "cancelled", ...given },
        last: expect.objectContaining({
          content: reason ?? "",
          metadata: { resume: { token: "token-1", requestId: "request-1", cancel: true } },
        }),
      };
      const read = (asked: TestTransport) => {
        const { resume, messages } = streamOf(asked).body!;
        return { resume, last: messages.at(-1) };
      };
      expect(read(transport)).toEqual(sent);
      expect(chat.getSnapshot().interrupt).toBeUndefined();
      await finishWith(transport, delta("All right"), done);
      const later = reload(chat);
      void later.chat.regenerate();
      expect(read(later.transport)).toEqual(sent);
      await finishWith(later.transport, done);
    }
  });

  test("reaches the agent in both places, whatever selectMessages makes of the messages", async () => {
    const carried = { resume: { token: "token-1", requestId: "request-1", selected: ["a"] } };
    const selections: [NonNullable<Behaviour["selectMessages"]>, object | undefined][] = [
      [(messages) => messages.slice(-1), carried],
      [(messages) => messages.map(({ role, content }) => ({ role, content })), carried],
      [
        (messages) => messages.map(({ role, content }) => ({ role, content, metadata: { mood: "good" } })),
        { mood: "good", ...carried },
      ],
      [(messages) => messages.map((each) => ({ ...each, metadata: { resume: undefined } })), carried],
      // No message that could carry it.
      [(messages) => messages.slice(0, -1), undefined],
      [() => [], undefined],
    ];
    for (const [selectMessages, metadata] of selections) {
      const { chat, transport } = await setUpAsked(question, { selectMessages });
      void chat.respond(question, ["a"]);
      expect(streamOf(transport).body?.messages.at(-1)?.metadata).toEqual(metadata);
      expect(streamOf(transport).body?.resume?.answer).toEqual(["a"]);
      await finishWith(transport, done);
      const later = reload(chat, { selectMessages });
      void later.chat.regenerate();
      expect(streamOf(later.transport).body?.messages.at(-1)?.metadata).toEqual(metadata);
      expect(streamOf(later.transport).body?.resume?.answer).toEqual(["a"]);
      await finishWith(later.transport, done);
    }
  });

  test("keeps what an application has added to the metadata", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    await chat.setMessages((messages) =>
      messages.map((message) =>
        message.role === "user" ? { ...message, metadata: { ...message.metadata, mood: "good" } } : message,
      ),
    );
    void chat.regenerate();
    const { messages, resume } = streamOf(transport).body!;
    expect(messages.at(-1)?.metadata).toEqual({
      mood: "good",
      resume: { token: "token-1", requestId: "request-1", selected: ["a"] },
    });
    expect(resume).toEqual({ requestId: "request-1", resumeToken: "token-1", answer: ["a"] });
    await finishWith(transport, done);
  });

  test("is not repeated by other words in its place, although their metadata is a copy", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    const { id, metadata } = chat.getSnapshot().messages[2] as UserUIMessage;
    void chat.send({ id, content: "Pears", metadata: { ...metadata, mood: "good" } });
    const { messages, resume } = streamOf(transport).body!;
    expect(resume).toBeUndefined();
    expect(messages.at(-1)).toEqual({ role: "user", id, content: "Pears", metadata: { mood: "good" } });
    await finishWith(transport, done);
  });

  test("is repeated by the same words, and can be given by hand", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    const said = chat.getSnapshot().messages[2] as UserUIMessage;
    void chat.send(said);
    expect(streamOf(transport).body?.resume?.answer).toEqual(["a"]);
    await finishWith(transport, done);
    const resume = { token: "token-1", requestId: "request-1", selected: ["b"] };
    void chat.send({ id: said.id, content: "Bananas", metadata: { resume } });
    expect(streamOf(transport).body?.resume?.answer).toEqual(["b"]);
    expect(streamOf(transport).body?.messages.at(-1)?.metadata).toEqual({ resume });
    await finishWith(transport, done);
  });

  test("is not repeated when the last words are others", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    void chat.send("More");
    await finishWith(transport, delta("There"), done);
    void chat.regenerate();
    expect(streamOf(transport).body?.resume).toBeUndefined();
    await finishWith(transport, done);
  });

  test("is not repeated when the last words were said in another tab", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    void chat.resume();
    await finishWith(transport, runStart("run-2", { content: "More", id: "u2" }), delta("There"), done);
    expect(read(chat).slice(-2)).toEqual(["More", "(done) There"]);
    void chat.regenerate();
    expect(streamOf(transport).body?.resume).toBeUndefined();
    await finishWith(transport, done);
  });

  test("is not repeated when its words were replaced by others", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    const { id } = chat.getSnapshot().messages[2]!;
    void chat.send({ id, content: "Pears" });
    expect(streamOf(transport).body?.resume).toBeUndefined();
    await finishWith(transport, delta("There"), done);
    void chat.regenerate();
    expect(streamOf(transport).body?.messages.at(-1)).toMatchObject({ content: "Pears" });
    expect(streamOf(transport).body?.resume).toBeUndefined();
    await finishWith(transport, done);
  });
});

describe("clear", () => {
  test("starts over: no messages, a new session, no error", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    stream.fail(new Error("offline"));
    await flush();
    await chat.clear();
    expect(chat.getSnapshot()).toEqual({ messages: [], status: "ready", reconnecting: false });
    void chat.send("Anew");
    const { sessionId } = chat.getSnapshot();
    expect(sessionId).toMatch(uuidV4);
    expect(streamOf(transport).body).toMatchObject({ sessionId, messages: [{ content: "Anew" }] });
    await finishWith(transport, delta("Hi"), done);
    expect(read(chat)).toEqual(["Anew", "(done) Hi"]);
  });

  test("where nothing is under way is over at once: what is said next begins the new session", async () => {
    for (const isLookedFor of [false, true]) {
      const { chat, transport } = setUp({ initialMessages: [user("Hello", "u1")], sessionId: "old" });
      if (isLookedFor) void chat.resume();
      void chat.clear();
      expect(chat.getSnapshot()).toMatchObject({ messages: [], sessionId: undefined });
      void chat.send("Anew");
      const { sessionId } = chat.getSnapshot();
      expect(sessionId).toMatch(uuidV4);
      expect(streamOf(transport).body).toMatchObject({ sessionId, messages: [{ content: "Anew" }] });
      await finishWith(transport, delta("Hi"), done);
      expect(read(chat)).toEqual(["Anew", "(done) Hi"]);
      expect(transport.stops).toEqual([]);
    }
  });

  test("stops the answer first", async () => {
    const { chat, transport, stream, states } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const cleared = outcomeOf(chat.clear());
    expect(transport.stops).toEqual([{ runId: "run-1" }]);
    transport.answerStop();
    await flush();
    expect(cleared.is).toBe("pending");
    expect(read(chat)).toEqual(["Hello", "(streaming) Half"]);
    stream.give({ type: "abort", reason: "stopped" });
    stream.end();
    await flush();
    expect(cleared.is).toBe("resolved");
    expect(read(chat)).toEqual([]);
    expect(statusesOf(states)).toEqual(["ready", "submitted", "streaming", "stopping", "ready"]);
  });

  test("leaves an answer of a route without runs", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")], {}, { stop: undefined, resume: undefined });
    await chat.clear();
    await flush();
    expect(stream.isOpen).toBe(false);
    expect(read(chat)).toEqual([]);
  });

  test("changes nothing when the answer cannot be stopped", async () => {
    const boom = new Error("offline");
    const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const cleared = outcomeOf(chat.clear());
    transport.answerStop(boom);
    await flush();
    expect(cleared.is).toBe(boom);
    expect(chat.getSnapshot()).toMatchObject({ status: "streaming", sessionId: "session-1" });
    expect(read(chat)).toEqual(["Hello", "(streaming) Half"]);
    stream.give(delta(" an answer"), done);
    stream.end();
    await flush();
    expect(read(chat)).toEqual(["Hello", "(done) Half an answer"]);
  });

  test("also ends an answer that is asked for as soon as the one before has ended", async () => {
    const { chat, transport } = await setUpBusy([delta("Half")]);
    let calls = 0;
    chat.subscribe(({ status }) => {
      if (status === "ready" && calls++ === 0) void chat.send("More");
    });
    await chat.clear();
    await flush();
    expect(transport.streams.map(({ isOpen }) => isOpen)).toEqual([false, false]);
    expect(read(chat)).toEqual([]);
    expect(statusOf(chat)).toBe("ready");
  });

  test("also ends the search for a run that begins as soon as the answer has ended", async () => {
    const { chat, transport } = await setUpBusy([runStart("run-1"), delta("Half")]);
    let calls = 0;
    chat.subscribe(({ status }) => {
      if (status === "ready" && calls++ === 0) void chat.resume();
    });
    const cleared = outcomeOf(chat.clear());
    transport.answerStop(httpError(404));
    await flush();
    expect(cleared.is).toBe("resolved");
    if (transport.streams.length === 2) streamOf(transport).give(runStart("run-1"), delta("Half"));
    await flush();
    expect(read(chat)).toEqual([]);
    expect(transport.streams.map(({ isOpen }) => isOpen)).not.toContain(true);
  });

  test("forgets how long the last answer took", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await finishWith(transport, done);
    expect(chat.getSnapshot().timing).toBeDefined();
    await chat.clear();
    expect(chat.getSnapshot().timing).toBeUndefined();
  });
});

describe("the session", () => {
  test("is the one that the server names, told at once, and sent from then on", async () => {
    const { chat, transport, stream, states } = await setUpBusy([]);
    stream.give({ type: "session", sessionId: "session-2" });
    await flush();
    expect(chat.getSnapshot().sessionId).toBe("session-2");
    stream.give(delta("Hi"), { type: "session", sessionId: "session-3" });
    await flush();
    expect(chat.getSnapshot().sessionId).toBe("session-3");
    const before = states.length;
    stream.give({ type: "session", sessionId: "session-3" });
    await flush();
    expect(states).toHaveLength(before);
    stream.end();
    await flush();
    void chat.send("More");
    expect(streamOf(transport).body?.sessionId).toBe("session-3");
    await finishWith(transport);
    void chat.resume();
    expect(streamOf(transport).sessionId).toBe("session-3");
    await finishWith(transport);
  });
});

describe("the session of a new chat", () => {
  test("is made for the first question, shown with it, and stays", async () => {
    const transport = testTransport();
    const chat = createChat({ transport });
    const states = record(chat);
    void chat.send("Hello");
    const { sessionId } = chat.getSnapshot();
    expect(sessionId).toMatch(uuidV4);
    expect(streamOf(transport).body?.sessionId).toBe(sessionId);
    expect(states.map(({ status, sessionId }) => [status, sessionId])).toEqual([
      ["ready", undefined],
      ["submitted", sessionId],
    ]);
    await finishWith(transport, delta("Hi"), done);
    void chat.send("More");
    expect(streamOf(transport).body?.sessionId).toBe(sessionId);
    await finishWith(transport, delta("Hi"), done);
    expect(chat.getSnapshot().sessionId).toBe(sessionId);
  });

  test("is made for another answer to a kept question, too", async () => {
    const transport = testTransport();
    const chat = createChat({ transport, initialMessages: [user("Hello", "u1")] });
    void chat.regenerate();
    expect(streamOf(transport).body?.sessionId).toMatch(uuidV4);
    await finishWith(transport, done);
  });

  test("is not made for a question that is refused", async () => {
    const chat = createChat({ transport: testTransport() });
    await expect(chat.send("")).rejects.toMatchObject({ code: "empty-message" });
    expect(chat.getSnapshot().sessionId).toBeUndefined();
  });

  test("is missing before: resume requests nothing until the first question", async () => {
    const transport = testTransport();
    const chat = createChat({ transport });
    const states = record(chat);
    await chat.resume();
    expect(transport.streams).toEqual([]);
    expect(states).toHaveLength(1);
    void chat.send("Hello");
    await finishWith(transport, delta("Hi"), done);
    void chat.resume();
    expect(streamOf(transport).sessionId).toBe(chat.getSnapshot().sessionId);
    await finishWith(transport);
    await chat.clear();
    await chat.resume();
    expect(transport.streams).toHaveLength(2);
  });
});

describe("a history that comes later than the chat", () => {
  const history = [user("Earlier", "u1"), answer("Yes", "a1")];

  /** A chat whose options get `initialMessages` when they are set. */
  function setUpLater() {
    const transport = testTransport();
    const options: ChatOptions = { transport, sessionId: "session-1" };
    const chat = createChat(() => options);
    return { transport, chat, states: record(chat), options };
  }

  test("is sent with the first question, and shown before it", async () => {
    const { chat, transport, options } = setUpLater();
    options.initialMessages = history;
    void chat.send("More");
    expect(read(chat)).toEqual(["Earlier", "(done) Yes", "More"]);
    expect(streamOf(transport).body?.messages.map(({ content }) => content)).toEqual([
      "Earlier",
      "Yes",
      "More",
    ]);
    await finishWith(transport, done);
  });

  test("is used by regenerate, respond and setMessages, too", async () => {
    const { chat, transport, options } = setUpLater();
    options.initialMessages = history;
    void chat.regenerate();
    expect(read(chat)).toEqual(["Earlier"]);
    await finishWith(transport, done);

    const asked: UIMessage = { ...answer("Well", "a1"), parts: [question], interrupt: question } as UIMessage;
    const other = setUpLater();
    other.options.initialMessages = [asked];
    void other.chat.respond(question, "a");
    expect(streamOf(other.transport).body?.resume).toMatchObject({ requestId: "request-1", answer: "a" });
    await finishWith(other.transport, done);

    const third = setUpLater();
    third.options.initialMessages = history;
    await third.chat.setMessages((messages) => messages.slice(1));
    expect(read(third.chat)).toEqual(["(done) Yes"]);
  });

  test("is shown around a run that was looked for meanwhile", async () => {
    const { chat, transport, options } = setUpLater();
    void chat.resume();
    await flush();
    options.initialMessages = [...history, user("More", "u2")];
    await chat.setMessages((messages) => messages);
    streamOf(transport).give(runStart("run-2", { role: "user", id: "u2", content: "More" }), delta("He"));
    await nextFrame();
    expect(read(chat)).toEqual(["Earlier", "(done) Yes", "More", "(streaming) He"]);
    await finishWith(transport, delta("re"), done);
    expect(read(chat)).toEqual(["Earlier", "(done) Yes", "More", "(done) Here"]);
  });

  test("is not shown any more once something was said, set or cleared", async () => {
    for (const begin of ["send", "setMessages", "clear"] as const) {
      const { chat, transport, options } = setUpLater();
      if (begin === "send") {
        void chat.send("Hello");
        await finishWith(transport, delta("Hi"), done);
      } else if (begin === "setMessages") {
        await chat.setMessages([]);
      } else {
        await chat.clear();
      }
      const before = read(chat);
      options.initialMessages = history;
      void chat.send("More");
      expect(read(chat)).toEqual([...before, "More"]);
      await finishWith(transport, done);
    }
  });

  test("does not come back after clear", async () => {
    const { chat, transport } = setUp({ initialMessages: history });
    await chat.clear();
    void chat.send("Anew");
    expect(read(chat)).toEqual(["Anew"]);
    await finishWith(transport, done);
  });
});

describe("setMessages", () => {
  const [hello, hi] = [user("Hello", "u1"), answer("Hi", "a1")];

  test("replaces the messages at once, by others or by what a function makes of them", async () => {
    const { chat, states, transport } = setUp({ initialMessages: [hello, hi] });
    const set = outcomeOf(chat.setMessages([hello]));
    expect(chat.getSnapshot().messages).toEqual([hello]);
    expect(chat.getSnapshot().messages[0]).toBe(hello);
    void chat.setMessages((messages) => [...messages, hi]);
    expect(chat.getSnapshot().messages).toEqual([hello, hi]);
    await flush();
    expect(set.is).toBe("resolved");
    expect(states).toHaveLength(3);
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", sessionId: "session-1" });
    void chat.send("More");
    expect(streamOf(transport).body?.messages).toHaveLength(3);
    await finishWith(transport, done);
  });

  test("a message that was kept while it was growing is truncated, and a question that it ends on is open", async () => {
    const { chat } = setUp();
    await chat.setMessages([{ ...hi, status: "streaming" } as UIMessage]);
    expect(chat.getSnapshot().messages).toMatchObject([{ status: "truncated" }]);
    const asked = { ...hi, parts: [question], interrupt: question } as UIMessage;
    await chat.setMessages([asked]);
    expect(chat.getSnapshot().interrupt).toBe(question);
    await chat.setMessages([]);
    expect(chat.getSnapshot().interrupt).toBeUndefined();
  });

  test("keeps why the last answer failed", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    const boom = new Error("offline");
    stream.fail(boom);
    await flush();
    await chat.setMessages((messages) => messages.slice(0, 1));
    expect(read(chat)).toEqual(["Hello"]);
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
  });

  test("while an answer is growing is refused, and the answer goes on", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    const next = vi.fn(() => []);
    await expect(chat.setMessages(next)).rejects.toMatchObject({ code: "busy" });
    expect(next).not.toHaveBeenCalled();
    stream.give(delta(" an answer"), done);
    stream.end();
    await flush();
    expect(read(chat)).toEqual(["Hello", "(done) Half an answer"]);
  });

  test("in `onChunk` does not lose a run that was just found", async () => {
    const all: Partial<{ chat: Chat; set: { is: unknown } }> = {};
    const { chat, transport } = setUp({
      onChunk: () => {
        all.set ??= outcomeOf(all.chat!.setMessages([]));
      },
    });
    all.chat = chat;
    void chat.resume();
    await finishWith(transport, runStart("run-1", hello), delta("Hi"), done);
    expect(all.set?.is).toMatchObject({ code: "busy" });
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("of what is no list is refused by name, and what the function throws is the refusal", async () => {
    const { chat } = setUp({ initialMessages: [hello] });
    await expect(chat.setMessages(new Event("click") as never)).rejects.toMatchObject({
      code: "invalid-message",
      message: "Cannot set messages to object: expected an array, or a function that returns one.",
    });
    await expect(chat.setMessages((() => undefined) as never)).rejects.toMatchObject({
      code: "invalid-message",
    });
    const boom = new Error("boom");
    const set = chat.setMessages(() => {
      throw boom;
    });
    await expect(set).rejects.toBe(boom);
    expect(chat.getSnapshot()).toMatchObject({ messages: [hello], error: boom, status: "ready" });
  });
});

describe("an action that is refused", () => {
  const click = new Event("click") as never;

  test("is never an unhandled rejection, whatever a button calls", async () => {
    // That none is unhandled is asserted after each test.
    const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Half")]);
    chat.send("More");
    chat.send(click);
    chat.send("");
    chat.regenerate();
    chat.respond(question, "a");
    (chat.respond as (...args: unknown[]) => void)(click);
    (chat.respond as (...args: unknown[]) => void)();
    chat.setMessages([]);
    chat.setMessages(click);
    chat.clear();
    (chat.stop as (event: never) => void)(click);
    transport.answerStop(httpError(500));
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "streaming", error: { status: 500 } });
    stream.end();
    await flush();
    (chat.respond as (...args: unknown[]) => void)(click);
    await setUp()
      .chat.regenerate()
      .catch(() => {});
    setUp().chat.regenerate();
    createChat({ transport: testTransport() }).resume();
    await flush();
  });

  test("takes the event of a button that is stop, clear, regenerate, resume or close", async () => {
    for (const method of ["stop", "clear", "close", "regenerate", "resume"] as const) {
      const { chat, transport } = setUpPlain();
      chat.send("Hello");
      await finishWith(transport, delta("Hi"), done);
      const handler = chat[method] as (event: never) => unknown;
      handler(click);
      await flush();
      expect(chat.getSnapshot().error).toBeUndefined();
      if (method === "regenerate") await finishWith(transport, done);
    }
  });

  test("rejects for a caller who waits, and shows at once", async () => {
    const { chat, states } = setUp();
    const sent = chat.send("");
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: { code: "empty-message" } });
    expect(states).toHaveLength(2);
    await expect(sent).rejects.toBe(chat.getSnapshot().error);
    expect(states).toHaveLength(2);
  });

  test("asks nothing: an empty question and an event are not sent", async () => {
    const { chat, transport } = setUp();
    for (const input of ["", "  ", click, { content: "" }, undefined as never]) {
      await expect(chat.send(input)).rejects.toMatchObject({ name: "ChatStateError" });
    }
    expect(transport.streams).toHaveLength(0);
    void chat.send({ content: "", metadata: { file: "a" } });
    expect(transport.streams).toHaveLength(1);
    await finishWith(transport, done);
  });

  test("is cleared by the next success", async () => {
    for (const succeed of ["send", "setMessages", "clear"] as const) {
      const { chat, transport } = setUp();
      await expect(chat.send("")).rejects.toThrow();
      if (succeed === "send") chat.send("Hello");
      else if (succeed === "setMessages") chat.setMessages([]);
      else chat.clear();
      expect(chat.getSnapshot().error).toBeUndefined();
      if (succeed === "send") await finishWith(transport, done);
    }
  });

  test("is cleared when the answer that blocked it has ended", async () => {
    const { chat, stream } = await setUpBusy([]);
    await expect(chat.send("More")).rejects.toMatchObject({ code: "busy" });
    stream.give(delta("Hi"));
    await nextFrame();
    expect(chat.getSnapshot()).toMatchObject({ status: "streaming", error: { code: "busy" } });
    stream.give(done);
    stream.end();
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "ready" });
    expect(chat.getSnapshot().error).toBeUndefined();
  });

  test("is cleared when a run is found", async () => {
    const { chat, transport } = setUp();
    await expect(chat.regenerate()).rejects.toThrow();
    void chat.resume();
    streamOf(transport).give(runStart("run-1"), delta("Hi"));
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "streaming" });
    expect(chat.getSnapshot().error).toBeUndefined();
    await finishWith(transport, done);
  });

  test("hides why the last answer failed only until the next success", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    const boom = new Error("offline");
    stream.fail(boom);
    await flush();
    await expect(chat.send("")).rejects.toThrow();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { code: "empty-message" } });
    await chat.setMessages((messages) => messages);
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
  });

  test("a stop that fails twice with the same error leaves the answer streaming", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const boom = new Error("offline");
    for (let i = 0; i < 2; i++) {
      const stop = outcomeOf(chat.stop());
      transport.answerStop(boom);
      await flush();
      expect(stop.is).toBe(boom);
      expect(chat.getSnapshot()).toMatchObject({ status: "streaming", error: boom });
    }
    stream.end();
    await flush();
  });

  test("a stop that fails rejects with its own error, also when a listener does what is refused meanwhile", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const stopped = outcomeOf(chat.stop());
    let isFirst = true;
    chat.subscribe(({ status }) => {
      if (status !== "streaming" || !isFirst) return;
      isFirst = false;
      chat.send("More");
    });
    transport.answerStop(httpError(500));
    await flush();
    expect(stopped.is).toMatchObject({ status: 500 });
    expect(chat.getSnapshot()).toMatchObject({ status: "streaming", error: { status: 500 } });
    stream.end();
    await flush();
  });

  test("a clear whose stop fails shows it, once, and what is no Error becomes the cause of one", async () => {
    const { chat, transport, stream, states } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const cleared = outcomeOf(chat.clear());
    transport.answerStop("no reason");
    await flush();
    const { error } = chat.getSnapshot();
    expect(error).toMatchObject({ message: "no reason", cause: "no reason" });
    expect(cleared.is).toBe(error);
    expect(states.filter((state) => state.error === error)).toHaveLength(1);
    stream.end();
    await flush();
  });
});

describe("the status message", () => {
  const status = (message: string): StreamChunk => ({ type: "status", message });
  const messageOf = (chat: Chat) => chat.getSnapshot().statusMessage;

  test("is the newest one of the answer, until its text follows", async () => {
    const { chat, stream } = await setUpBusy([status("Searching")]);
    expect(messageOf(chat)).toBe("Searching");
    stream.give(
      status("Reading"),
      { type: "tool-call-start", tool: "read", toolCallId: "c1", input: {} },
      { type: "reasoning-delta", delta: "Hm." },
      delta(""),
    );
    await nextFrame();
    expect(messageOf(chat)).toBe("Reading");
    stream.give(delta("Hi"));
    await nextFrame();
    expect(messageOf(chat)).toBeUndefined();
    stream.give(status("Checking"));
    await nextFrame();
    expect(messageOf(chat)).toBe("Checking");
    stream.give({ type: "message", content: "Hi" });
    await nextFrame();
    expect(messageOf(chat)).toBeUndefined();
    stream.end();
    await flush();
  });

  test("is shown once per frame, and stays while something else changes", async () => {
    const { chat, states, stream } = await setUpBusy([runStart("run-1")]);
    const before = states.length;
    stream.give(...Array.from({ length: 100 }, (_, index) => status(`Step ${index}`)));
    await nextFrame();
    expect(states).toHaveLength(before + 1);
    stream.lose();
    expect(chat.getSnapshot()).toMatchObject({ statusMessage: "Step 99", reconnecting: true });
    stream.end();
    await flush();
  });

  test("is over with the answer, however that ends, and is not the next one's", async () => {
    for (const end of ["end", "fail", "close", "stop"] as const) {
      const { chat, transport, stream } = await setUpBusy([status("Searching")]);
      expect(messageOf(chat)).toBe("Searching");
      if (end === "end") stream.end();
      else if (end === "fail") stream.fail(new Error("offline"));
      else void chat[end]();
      await flush();
      expect(messageOf(chat)).toBeUndefined();
      void chat.send("More");
      expect(messageOf(chat)).toBeUndefined();
      await finishWith(transport, done);
    }
  });

  test("of a run that was found is shown, too", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    streamOf(transport).give(runStart("run-1"), status("Searching"));
    await nextFrame();
    expect(messageOf(chat)).toBe("Searching");
    await finishWith(transport, done);
  });
});

describe("timing", () => {
  test("tells when an answer was asked for, how long its first chunk took, and how long all of it", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000 });
    await vi.advanceTimersByTimeAsync(250);
    streamOf(transport).give(delta("Hi"));
    await flush();
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, firstChunkMs: 250 });
    await vi.advanceTimersByTimeAsync(750);
    streamOf(transport).give(delta("!"));
    await nextFrame();
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, firstChunkMs: 250 });
    await finishWith(transport, done);
    expect(chat.getSnapshot().timing).toEqual({
      startedAt: 1_000_000,
      firstChunkMs: 250,
      durationMs: 1016,
    });
    await vi.advanceTimersByTimeAsync(984);
    void chat.send("More");
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_002_000 });
    await finishWith(transport);
  });

  test("of an answer that failed before its first chunk has no first chunk", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await vi.advanceTimersByTimeAsync(100);
    streamOf(transport).fail(new Error("offline"));
    await flush();
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, durationMs: 100 });
  });

  test("of a run that was found counts from the search", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    await vi.advanceTimersByTimeAsync(100);
    expect(chat.getSnapshot().timing).toBeUndefined();
    await finishWith(transport, runStart("run-1"), done);
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, firstChunkMs: 100, durationMs: 100 });
  });

  test("does not follow a clock that is set back", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(0);
    await finishWith(transport, delta("Hi"), done);
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, firstChunkMs: 100, durationMs: 100 });
  });
});

describe("reconnecting", () => {
  test("is told at once, and is over when the connection is back", async () => {
    const { chat, stream, states } = await setUpBusy([delta("Half")]);
    const before = states.length;
    stream.connect();
    expect(states).toHaveLength(before);
    stream.lose();
    expect(chat.getSnapshot()).toMatchObject({ reconnecting: true, status: "streaming" });
    expect(states).toHaveLength(before + 1);
    stream.connect();
    expect(chat.getSnapshot().reconnecting).toBe(false);
    expect(states).toHaveLength(before + 2);
    stream.end();
    await flush();
  });

  test("shows why the newest attempt failed, before the first chunk too, and is no error of the answer", async () => {
    for (const chunks of [[], [delta("Half")]]) {
      const { chat, stream } = await setUpBusy(chunks);
      const [lost, refused] = [new Error("The connection broke."), new Error("Nothing listens.")];
      stream.lose(lost);
      expect(chat.getSnapshot()).toMatchObject({ reconnecting: true, connectionError: lost });
      stream.lose(refused);
      expect(chat.getSnapshot()).toMatchObject({ reconnecting: true, connectionError: refused });
      stream.lose("no Error at all");
      expect(chat.getSnapshot().connectionError).toBeInstanceOf(Error);
      expect(chat.getSnapshot().error).toBeUndefined();
      stream.connect();
      expect(chat.getSnapshot()).toMatchObject({ reconnecting: false, connectionError: undefined });
      stream.end();
      await flush();
    }
  });

  test("is over when the answer has ended, in whatever way", async () => {
    for (const end of ["fail", "close", "stop"] as const) {
      const { chat, stream } = await setUpBusy([delta("Half")]);
      stream.lose();
      if (end === "fail") stream.fail(new Error("gave up"));
      else void chat[end]();
      await flush();
      expect(chat.getSnapshot()).toMatchObject({ reconnecting: false, connectionError: undefined });
    }
  });

  test("of a stream that was left is nobody's business", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    chat.close();
    void chat.send("More");
    await flush();
    stream.lose();
    expect(chat.getSnapshot().reconnecting).toBe(false);
    await finishWith(transport);
  });

  test("is told to `onConnectionChange`, too", async () => {
    const seen: string[] = [];
    const { stream } = await setUpBusy([], {
      onConnectionChange: ({ state }) => seen.push(state),
    });
    stream.connect();
    stream.lose();
    stream.connect();
    expect(seen).toEqual(["open", "reconnecting", "open"]);
    stream.end();
    await flush();
  });
});

describe("onChunk and onFinish", () => {
  test("onChunk gets every chunk, before the state shows it", async () => {
    const seen: [string, string[]][] = [];
    const all: Partial<{ chat: Chat }> = {};
    const { chat, transport } = setUp({
      onChunk: (chunk) => seen.push([chunk.type, read(all.chat!)]),
    });
    all.chat = chat;
    void chat.send("Hello");
    await finishWith(transport, { type: "status", message: "Searching" }, delta("Hi"), done);
    expect(seen).toEqual([
      ["status", ["Hello"]],
      ["text-delta", ["Hello", "(streaming) "]],
      ["done", ["Hello", "(streaming) "]],
    ]);
  });

  test("what onChunk throws fails the answer, and leaves its stream", async () => {
    const boom = new Error("boom");
    const { chat, stream } = await setUpBusy([delta("Hi"), delta("!")], {
      onChunk(chunk) {
        if (chunk.type === "text-delta" && chunk.delta === "!") throw boom;
      },
    });
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
    expect(read(chat)).toEqual(["Hello", "(truncated) Hi!"]);
    expect(stream.isOpen).toBe(false);
  });

  test("onFinish gets the message, once, when the state tells it", async () => {
    const finished: unknown[] = [];
    const { chat, stream } = await setUpBusy([delta("Hi"), done], {
      onFinish: (result) => finished.push([result, chat.getSnapshot().messages[1], statusOf(chat)]),
    });
    expect(finished).toEqual([]);
    stream.end();
    await flush();
    const message = chat.getSnapshot().messages[1]!;
    expect(finished).toEqual([[{ message }, message, "ready"]]);
  });

  test("onFinish gets the error, and the message only where there is one", async () => {
    const boom = new Error("boom");
    const finished: object[] = [];
    const { chat, transport } = setUp({ onFinish: (result) => finished.push(result) });
    void chat.send("Hello");
    streamOf(transport).fail(boom);
    await flush();
    expect(finished).toEqual([{ error: boom }]);
    void chat.regenerate();
    streamOf(transport).give(delta("Half"));
    streamOf(transport).fail(boom);
    await flush();
    expect(finished[1]).toEqual({ message: chat.getSnapshot().messages[1], error: boom });
    void chat.regenerate();
    chat.close();
    expect(finished[2]).toEqual({});
    await flush();
    expect(finished).toHaveLength(3);
  });

  test("onFinish is not called for a search that found no run", async () => {
    const onFinish = vi.fn();
    const { chat, transport } = setUp({ onFinish });
    void chat.resume();
    streamOf(transport).fail(httpError(404));
    await flush();
    expect(onFinish).not.toHaveBeenCalled();
  });

  test("onFinish is called for a run that was found", async () => {
    const onFinish = vi.fn();
    const { chat, transport } = setUp({ onFinish });
    void chat.resume();
    await finishWith(transport, runStart("run-1"), delta("Hi"), done);
    expect(onFinish.mock.calls).toEqual([[{ message: chat.getSnapshot().messages[0] }]]);
  });

  test("what onFinish throws is logged, and harms nobody", async () => {
    const boom = new Error("boom");
    const { chat, stream, sent } = await setUpBusy([delta("Hi")], {
      onFinish() {
        throw boom;
      },
    });
    stream.end();
    await flush();
    expect(sent.is).toBe("resolved");
    expect(statusOf(chat)).toBe("ready");
    expect(consoleError.mock.calls).toEqual([[boom]]);
  });

  test("onChunk may close, stop and clear", async () => {
    for (const method of ["close", "stop", "clear"] as const) {
      const all: Partial<{ chat: Chat }> = {};
      const { chat, transport } = setUp({ onChunk: () => void all.chat![method]() });
      all.chat = chat;
      const sent = outcomeOf(chat.send("Hello"));
      await flush();
      streamOf(transport).give(delta("Hi"), delta("never read"));
      await flush();
      expect(sent.is).toBe("resolved");
      expect(streamOf(transport).isOpen).toBe(false);
      expect(read(chat)).toEqual(method === "clear" ? [] : ["Hello", "(aborted) Hi"]);
      expect(statusOf(chat)).toBe("ready");
    }
  });

  test("onFinish may ask for the next answer", async () => {
    const all: Partial<{ chat: Chat }> = {};
    let calls = 0;
    const { chat, transport } = setUp({
      onFinish: () => {
        if (calls++ === 0) void all.chat!.send("More");
      },
    });
    all.chat = chat;
    const sent = outcomeOf(chat.send("Hello"));
    await finishWith(transport, delta("1"), done);
    expect(sent.is).toBe("resolved");
    expect(statusOf(chat)).toBe("submitted");
    await finishWith(transport, delta("2"), done);
    expect(read(chat)).toEqual(["Hello", "(done) 1", "More", "(done) 2"]);
  });
});

describe("listeners", () => {
  test("are told the state at once, and every state after it until they leave", async () => {
    const { chat, transport } = setUp();
    const states: ChatSnapshot[] = [];
    const unsubscribe = chat.subscribe((state) => states.push(state));
    expect(states).toEqual([chat.getSnapshot()]);
    void chat.send("Hello");
    expect(states).toHaveLength(2);
    expect(states[1]).toBe(chat.getSnapshot());
    unsubscribe();
    unsubscribe();
    await finishWith(transport, delta("Hi"), done);
    expect(states).toHaveLength(2);
  });

  test("the same function twice is two listeners", async () => {
    const { chat, transport } = setUp();
    const listener = vi.fn();
    const unsubscribe = chat.subscribe(listener);
    chat.subscribe(listener);
    expect(listener).toHaveBeenCalledTimes(2);
    void chat.send("Hello");
    expect(listener).toHaveBeenCalledTimes(4);
    unsubscribe();
    await finishWith(transport, delta("Hi"));
    expect(listener).toHaveBeenCalledTimes(6);
  });

  test("one that throws is logged, and the others are told", async () => {
    const { chat, transport } = setUp();
    const boom = new Error("boom");
    let isArmed = false;
    chat.subscribe(() => {
      if (isArmed) throw boom;
    });
    const states = record(chat);
    isArmed = true;
    void chat.send("Hello");
    expect(states.at(-1)).toBe(chat.getSnapshot());
    expect(consoleError.mock.calls).toEqual([[boom]]);
    await finishWith(transport, delta("Hi"), done);
    expect(statusOf(chat)).toBe("ready");
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("one that leaves while others are told is not told any more", async () => {
    const { chat, transport } = setUp();
    let leave = () => {};
    let isArmed = false;
    chat.subscribe(() => {
      if (isArmed) leave();
    });
    const later = vi.fn();
    leave = chat.subscribe(later);
    isArmed = true;
    void chat.send("Hello");
    expect(later).toHaveBeenCalledTimes(1);
    await finishWith(transport);
    expect(later).toHaveBeenCalledTimes(1);
  });

  test("may send as soon as the chat is ready", async () => {
    const { chat, transport } = setUp();
    const sent: { is: unknown }[] = [];
    const seen: string[] = [];
    chat.subscribe(({ status, messages }) => {
      if (status === "ready" && messages.length === 2) sent.push(outcomeOf(chat.send("More")));
    });
    chat.subscribe(({ status }) => seen.push(status));
    sent.push(outcomeOf(chat.send("Hello")));
    await finishWith(transport, delta("1"), done);
    await finishWith(transport, delta("2"), done);
    expect(read(chat)).toEqual(["Hello", "(done) 1", "More", "(done) 2"]);
    expect(sent.map(({ is }) => is)).toEqual(["resolved", "resolved"]);
    // Who was told behind it never hears of a state that was not the newest any more.
    expect(seen).toEqual(["ready", "submitted", "streaming", "submitted", "submitted", "streaming", "ready"]);
  });

  test("may close and stop at every moment", async () => {
    for (const method of ["close", "stop"] as const) {
      for (const at of ["submitted", "streaming"]) {
        const { chat, transport } = setUp();
        chat.subscribe(({ status }) => {
          if (status === at) void chat[method]();
        });
        const sent = outcomeOf(chat.send("Hello"));
        await flush();
        for (const stream of transport.streams) stream.give(delta("Hi"));
        await flush();
        expect(sent.is).toBe("resolved");
        expect(statusOf(chat)).toBe("ready");
        expect(read(chat)).toEqual(at === "submitted" ? ["Hello"] : ["Hello", "(aborted) Hi"]);
        // Nothing is requested for an answer that nobody wants any more.
        expect(transport.streams.map(({ isOpen }) => isOpen)).toEqual(at === "submitted" ? [] : [false]);
      }
    }
  });

  test("may close while a stop begins", async () => {
    const { chat, transport } = await setUpBusy([runStart("run-1"), delta("Half")]);
    chat.subscribe(({ status }) => {
      if (status === "stopping") chat.close();
    });
    const stop = outcomeOf(chat.stop());
    expect(statusOf(chat)).toBe("ready");
    if (transport.stops.length > 0) transport.answerStop();
    await flush();
    expect(stop.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("may clear, and nothing of the old conversation comes back", async () => {
    const { chat, transport } = setUp();
    const cleared: { is: unknown }[] = [];
    chat.subscribe(({ status }) => {
      if (status === "streaming") cleared.push(outcomeOf(chat.clear()));
    });
    const sent = outcomeOf(chat.send("Hello"));
    await finishWith(transport, delta("Hi"), delta("!"), done);
    expect([sent, ...cleared].map(({ is }) => is)).toEqual(["resolved", "resolved"]);
    expect(read(chat)).toEqual([]);
    expect(statusOf(chat)).toBe("ready");
  });
});

describe("the options", () => {
  test("select what the agent is sent, and not what is shown", async () => {
    const { chat, transport } = setUp({
      initialMessages: [user("One", "u1"), answer("1", "a1")],
      selectMessages(messages) {
        expect(messages).toEqual([
          { role: "user", id: "u1", content: "One" },
          { role: "assistant", id: "a1", content: "1" },
          { role: "user", id: "u2", content: "Two" },
        ]);
        return messages.slice(-1);
      },
    });
    void chat.send({ id: "u2", content: "Two" });
    expect(streamOf(transport).body?.messages).toEqual([{ role: "user", id: "u2", content: "Two" }]);
    expect(read(chat)).toEqual(["One", "(done) 1", "Two"]);
    await finishWith(transport, done);
  });

  test("a workflow and a context go along", async () => {
    const { chat, transport } = setUp({ workflowId: "workflow-1", context: { tenant: "a" } });
    void chat.send("Hello");
    expect(streamOf(transport).body).toMatchObject({ workflowId: "workflow-1", context: { tenant: "a" } });
    await finishWith(transport, done);
  });

  test("may be a function, which is called whenever an option is needed", async () => {
    const transport = testTransport();
    const seen: string[] = [];
    let version = 1;
    const options = (): ChatOptions => {
      const now = version;
      return {
        transport,
        sessionId: `session-${now}`,
        context: { version: now },
        selectMessages: (messages) => [{ role: "system", content: `v${now}` }, ...messages],
        onChunk: () => seen.push(`chunk v${now}`),
        onFinish: () => seen.push(`finish v${now}`),
        onConnectionChange: () => seen.push(`connection v${now}`),
      };
    };
    const chat = createChat(options);
    expect(chat.getSnapshot().sessionId).toBe("session-1");
    version = 2;
    void chat.send("Hello");
    expect(streamOf(transport).body).toMatchObject({
      // What the chat was created with stays.
      sessionId: "session-1",
      context: { version: 2 },
      messages: [{ content: "v2" }, { content: "Hello" }],
    });
    await flush();
    version = 3;
    streamOf(transport).connect();
    streamOf(transport).give(delta("Hi"));
    await flush();
    version = 4;
    await finishWith(transport);
    expect(seen).toEqual(["connection v3", "chunk v3", "finish v4"]);
  });

  test("the transport is that of the moment, and a run is stopped by the one that carries it", async () => {
    const [first, second] = [testTransport(), testTransport()];
    let transport = first;
    const chat = createChat(() => ({ transport, sessionId: "session-1" }));
    void chat.send("Hello");
    streamOf(first).give(runStart("run-1"), delta("Half"));
    await flush();
    transport = second;
    void chat.stop();
    expect([first.stops, second.stops]).toEqual([[{ runId: "run-1" }], []]);
    first.answerStop();
    streamOf(first).end();
    await flush();
    void chat.send("More");
    expect(streamOf(second).body?.messages.at(-1)?.content).toBe("More");
    await finishWith(second, done);
    void chat.resume();
    expect(streamOf(second).sessionId).toBe("session-1");
    await finishWith(second);
    expect(first.streams).toHaveLength(1);
  });

  test("a function that throws refuses the question, and nothing has changed", async () => {
    const transport = testTransport();
    let isBroken = false;
    const chat = createChat(() => {
      if (isBroken) throw new Error("no options");
      return { transport };
    });
    const before = chat.getSnapshot();
    isBroken = true;
    await expect(chat.send("Hello")).rejects.toThrow("no options");
    expect(chat.getSnapshot()).toEqual({ ...before, error: new Error("no options") });
  });

  test("ids need no `crypto.randomUUID`, which a page without https lacks", async () => {
    const { getRandomValues } = crypto;
    vi.stubGlobal("crypto", { getRandomValues: getRandomValues.bind(crypto) });
    const { chat, transport } = setUp({ runs: true });
    void chat.send("Hello");
    await finishWith(transport, delta("Hi"), done);
    await chat.clear();
    void chat.send("Hello");
    expect(chat.getSnapshot().sessionId).toMatch(uuidV4);
    await finishWith(transport, delta("Hi"), done);
  });
});

describe("over a route", () => {
  /** A chat whose requests are answered with the responses, and recorded. */
  function setUpRoute(...responses: Response[]) {
    const requests: string[] = [];
    const bodies: unknown[] = [];
    let token = 1;
    const chat = createChat(() => ({
      endpoint: "/api/chat",
      sessionId: "session-1",
      headers: { authorization: `token-${token}` },
      async fetch(url, { method, headers, body }) {
        requests.push(`${method} ${url} ${new Headers(headers).get("authorization")}`);
        bodies.push(body === undefined ? undefined : JSON.parse(body as string));
        return responses.shift()!;
      },
    }));
    const refresh = () => {
      token++;
    };
    return { chat, requests, bodies, refresh };
  }

  test("POST asks, GET resumes, DELETE stops, each with the options of its moment", async () => {
    const start = testBody([frame(runStart("run-1"))], { stays: true });
    const whole = frame(runStart("run-2")) + frame(delta("Whole")) + doneMarker;
    const { chat, requests, bodies, refresh } = setUpRoute(
      new Response(start.stream, eventStream),
      new Response(JSON.stringify({ runId: "run-1", terminal: {} })),
      new Response(whole, eventStream),
    );
    void chat.send({ id: "u1", content: "Hello" });
    await flush();
    refresh();
    const stop = outcomeOf(chat.stop());
    await flush();
    start.push(frame({ type: "abort", reason: "stopped" }) + doneMarker);
    await vi.advanceTimersByTimeAsync(250);
    expect(stop.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(aborted) "]);
    refresh();
    await chat.resume();
    expect(read(chat)).toEqual(["Hello", "(aborted) ", "(done) Whole"]);
    expect(requests).toEqual([
      "POST /api/chat token-1",
      "DELETE /api/chat?run=run-1 token-2",
      "GET /api/chat?session=session-1 token-3",
    ]);
    expect(bodies).toEqual([
      { sessionId: "session-1", messages: [{ role: "user", id: "u1", content: "Hello" }] },
      {},
      undefined,
    ]);
    await vi.advanceTimersByTimeAsync(250);
  });

  test("a run that is shown to its end is not read again", async () => {
    for (const ending of [{ type: "done" }, { type: "abort", reason: "stopped" }]) {
      const run = frame(runStart("run-1")) + frame(delta("Whole")) + frame(ending) + doneMarker;
      const { chat } = setUpRoute(new Response(run, eventStream), new Response(run, eventStream));
      await chat.send("Hello");
      const { messages } = chat.getSnapshot();
      const states = record(chat);
      await chat.resume();
      expect(states).toHaveLength(1);
      expect(chat.getSnapshot().messages).toBe(messages);
      await vi.advanceTimersByTimeAsync(250);
    }
  });

  test("a session without a run is silent, however the route says it", async () => {
    for (const status of [204, 404, 405]) {
      const { chat, requests } = setUpRoute(new Response(null, { status }));
      const states = record(chat);
      await chat.resume();
      expect(states).toHaveLength(1);
      expect(requests).toHaveLength(1);
    }
  });
});

describe("what is told, and what it costs", () => {
  const manyDeltas = (count: number) => Array.from({ length: count }, (_, index) => delta(`${index} `));

  test("10,000 deltas are told once per frame", async () => {
    let frame: (() => void) | undefined;
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => {
      expect(frame).toBeUndefined();
      frame = callback;
      return 7;
    });
    vi.stubGlobal("cancelAnimationFrame", (handle: number) => {
      expect(handle).toBe(7);
      frame = undefined;
    });
    const { chat, states, stream } = await setUpBusy([delta("first ")]);
    const before = states.length;
    const chunks = manyDeltas(10_000);
    for (let at = 0; at < 10_000; at += 100) {
      stream.give(...chunks.slice(at, at + 100));
      await flush();
      expect(states).toHaveLength(before + at / 100);
      frame?.();
      expect(states).toHaveLength(before + at / 100 + 1);
    }
    // A frame in which nothing has come tells nothing.
    expect(frame).toBeUndefined();
    stream.give(done);
    stream.end();
    await flush();
    expect(states).toHaveLength(before + 101);
    expect(frame).toBeUndefined();
    const text = toMessageText(chat.getSnapshot().messages[1]!);
    expect(text).toBe(`first ${chunks.map((chunk) => (chunk as { delta: string }).delta).join("")}`);
  });

  test("a page that paints nothing is told every 100 ms", async () => {
    vi.stubGlobal("requestAnimationFrame", () => 7);
    vi.stubGlobal("cancelAnimationFrame", () => {});
    const { chat, states, stream } = await setUpBusy([delta("a")]);
    const before = states.length;
    stream.give(delta("b"));
    await flush();
    await vi.advanceTimersByTimeAsync(99);
    expect(states).toHaveLength(before);
    await vi.advanceTimersByTimeAsync(1);
    expect(states).toHaveLength(before + 1);
    expect(read(chat)).toEqual(["Hello", "(streaming) ab"]);
    stream.end();
    await flush();
  });

  test("where there are no frames, text is told every 16 ms", async () => {
    const { states, stream } = await setUpBusy([delta("a")]);
    const before = states.length;
    stream.give(delta("b"), delta("c"));
    await vi.advanceTimersByTimeAsync(15);
    expect(states).toHaveLength(before);
    await vi.advanceTimersByTimeAsync(1);
    expect(states).toHaveLength(before + 1);
    await vi.advanceTimersByTimeAsync(100);
    expect(states).toHaveLength(before + 1);
    stream.end();
    await flush();
  });

  test("a change of status tells the text that has come, and calls the frame off", async () => {
    const { chat, states, stream } = await setUpBusy([runStart("run-1"), delta("a")]);
    stream.give(delta("b"));
    await flush();
    expect(vi.getTimerCount()).toBe(1);
    void chat.stop().catch(() => {});
    expect(read(chat)).toEqual(["Hello", "(streaming) ab"]);
    expect(vi.getTimerCount()).toBe(0);
    const before = states.length;
    await nextFrame();
    expect(states).toHaveLength(before);
    chat.close();
  });

  test("the snapshot is the same object until something is told", async () => {
    const { chat, states, stream } = await setUpBusy([delta("a")]);
    const snapshot = chat.getSnapshot();
    expect(snapshot).toBe(states.at(-1));
    stream.give(delta("b"));
    await flush();
    expect(chat.getSnapshot()).toBe(snapshot);
    await nextFrame();
    expect(chat.getSnapshot()).not.toBe(snapshot);
    expect(chat.getSnapshot()).toBe(states.at(-1));
    stream.end();
    await flush();
  });

  test("messages and parts that have not changed are the same objects in the next snapshot", async () => {
    const { chat, transport } = setUp({ initialMessages: [user("One", "u1"), answer("1", "a1")] });
    const messages = () => chat.getSnapshot().messages;
    const parts = () => (messages()[3] as Extract<UIMessage, { role: "assistant" }>).parts;
    void chat.send("Two");
    const asked = messages();
    const stream = streamOf(transport);
    stream.give({ type: "reasoning-delta", delta: "Hm." }, { type: "reasoning-end" }, delta("a"));
    await nextFrame();
    const before = messages();
    const partsBefore = parts();
    stream.give(delta("b"));
    await nextFrame();
    expect(messages().slice(0, 3)).toEqual(asked);
    for (const index of [0, 1, 2]) expect(messages()[index]).toBe(asked[index]);
    expect(parts()[0]).toBe(partsBefore[0]);
    expect(parts()[1]).not.toBe(partsBefore[1]);
    expect(partsBefore[1]).toMatchObject({ text: "a" });
    expect(before[3]).toMatchObject({ parts: [{ text: "Hm." }, { text: "a" }] });
    // What changes beside the answer is not the answer's.
    const answerBefore = messages()[3];
    stream.lose();
    expect(messages()[3]).toBe(answerBefore);
    stream.give({ type: "status", message: "Searching" });
    await nextFrame();
    expect(messages()[3]).toBe(answerBefore);
    stream.connect();
    await finishWith(transport, done);
    const ended = messages();
    void chat.send("Three");
    expect(
      messages()
        .slice(0, 4)
        .every((message, index) => message === ended[index]),
    ).toBe(true);
    await finishWith(transport);
  });

  test("a snapshot never changes, nor does anything in it", async () => {
    const { chat, transport, states } = setUp({ initialMessages: [user("One", "u1"), answer("1", "a1")] });
    const copies: string[] = [];
    chat.subscribe((state) => copies.push(JSON.stringify(state)));
    void chat.send("Two");
    for (const chunk of [
      runStart("run-1"),
      delta("a"),
      { type: "tool-call-delta", toolCallId: "c1", delta: "{" } as const,
      { type: "tool-call-delta", toolCallId: "c1", delta: "}" } as const,
      { type: "structured-data", streamId: "x", dataType: "x", kind: "set", path: "a", value: 1 } as const,
      { type: "structured-data", streamId: "x", dataType: "x", kind: "set", path: "b", value: 2 } as const,
      delta("b"),
    ]) {
      streamOf(transport).give(chunk);
      await nextFrame();
    }
    await finishWith(transport, done);
    expect(states.map((state) => JSON.stringify(state))).toEqual(copies);
    expect(copies.length).toBeGreaterThan(8);
  });

  test("the work grows with the number of deltas, and not with its square", async () => {
    vi.useRealTimers();
    let frame: (() => void) | undefined;
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => {
      frame = callback;
    });
    vi.stubGlobal("cancelAnimationFrame", () => {
      frame = undefined;
    });
    /** The processor time of an answer that shows a frame at every hundredth delta, in milliseconds. */
    const cost = async (count: number) => {
      const chunks = manyDeltas(count);
      const transport = {
        async *start() {
          for (const [index, chunk] of chunks.entries()) {
            yield chunk;
            if (index % 100 === 0) frame?.();
          }
        },
      };
      const before = process.threadCpuUsage();
      await createChat({ transport }).send("Hello");
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    };
    await cost(16_000);
    let [whole, eighths] = [0, 0];
    do {
      whole += await cost(16_000);
      for (let part = 0; part < 8; part++) eighths += await cost(2_000);
    } while (whole + eighths < 200);
    vi.useFakeTimers();
    // Linear work makes them equal, quadratic work the whole eight times as much.
    expect(whole / eighths).toBeLessThan(3);
  });
});
