import type { StreamChunk } from "@kortyx/protocol";
import { StreamTruncatedError } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { UIMessage } from "../../src/chat/messages.ts";
import {
  answer,
  delta,
  done,
  finishWith,
  flush,
  httpError,
  nextFrame,
  outcomeOf,
  question,
  read,
  runStart,
  setUp,
  setUpBusy,
  statusesOf,
  statusOf,
  streamOf,
  user,
  uuidV4,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("send", () => {
  test("goes from ready to submitted to streaming and back to ready", async () => {
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

  test("shows the message at once, before the response", () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    expect(read(chat)).toEqual(["Hello"]);
    transport.streams[0]!.end();
  });

  test("sends the whole conversation, each answer as its text with its id", async () => {
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

  test("keeps the timestamp, the metadata and the id of an object", async () => {
    const { chat, transport } = setUp();
    void chat.send({ content: "Hello", id: "mine", timestamp: 7, metadata: { files: ["a"] } });
    const said = { role: "user", content: "Hello", id: "mine", timestamp: 7, metadata: { files: ["a"] } };
    expect(chat.getSnapshot().messages).toEqual([said]);
    expect(transport.streams[0]!.body?.messages).toEqual([said]);
    await finishWith(transport, done);
  });

  test("gives an object without an id a new id, and the user role regardless of its own", async () => {
    const { chat, transport } = setUp();
    const input = { content: "Hello", role: "system" };
    void chat.send(input);
    expect(chat.getSnapshot().messages).toEqual([
      { role: "user", content: "Hello", id: expect.stringMatching(uuidV4) },
    ]);
    await finishWith(transport, done);
  });

  test("replaces an earlier message with the same id and drops the messages after it", async () => {
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

  test("keeps two messages with the same content apart", async () => {
    const { chat, transport } = setUp();
    void chat.send("Yes");
    await finishWith(transport, delta("1"), done);
    void chat.send("Yes");
    await finishWith(transport, delta("2"), done);
    expect(read(chat)).toEqual(["Yes", "(done) 1", "Yes", "(done) 2"]);
    expect(new Set(chat.getSnapshot().messages.map(({ id }) => id)).size).toBe(4);
  });

  test("is refused with `busy` while an answer is streaming, and changes only the error", async () => {
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

  test("is refused while an answer is being stopped", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    void chat.stop();
    await expect(chat.send("More")).rejects.toMatchObject({ code: "busy" });
    transport.answerStop();
    stream.give({ type: "abort", reason: "stopped" });
    stream.end();
    await flush();
  });

  test("shows an empty answer for a stream that ends in order without a chunk", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await finishWith(transport);
    expect(chat.getSnapshot().messages[1]).toMatchObject({ role: "assistant", status: "done", parts: [] });
    expect(statusOf(chat)).toBe("ready");
  });

  test("gives an answer the id of its run, starting with the first chunk", async () => {
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

  test("does not show the server's version of the user's message", async () => {
    // The agent received something else: part of the conversation, reworded and without ids.
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

  test("collects parts of every kind in the message", async () => {
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

describe("a failed answer", () => {
  const boom = new Error("boom");

  test("leaves only the user's message if it fails before its first chunk", async () => {
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

  test("keeps what it has received after its first chunk, marked as truncated, with nothing open", async () => {
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

  test("wraps a thrown non-Error in an Error", async () => {
    const { chat, stream } = await setUpBusy([]);
    stream.fail("out of tokens");
    await flush();
    const { error } = chat.getSnapshot();
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ message: "out of tokens", cause: "out of tokens" });
  });

  test("sets a StreamRemoteError for a final `error` chunk, and its message keeps the chunk", async () => {
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

  test("is not assumed when other chunks follow an `error` chunk", async () => {
    const { chat, stream } = await setUpBusy([{ type: "error", message: "Retrying" }, delta("Hi"), done]);
    stream.end();
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "ready" });
    expect(chat.getSnapshot().error).toBeUndefined();
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("keeps the server's error in its message if the connection breaks after an `error` chunk", async () => {
    const { chat, stream } = await setUpBusy([delta("Half"), { type: "error", message: "Overloaded" }]);
    stream.fail(new StreamTruncatedError("cut"));
    await flush();
    expect(statusOf(chat)).toBe("error");
    expect(chat.getSnapshot().messages[1]).toMatchObject({
      status: "error",
      error: { message: "Overloaded" },
    });
  });

  test("keeps the complete message if the connection breaks after the terminal chunk", async () => {
    const { chat, stream } = await setUpBusy([delta("Hi"), done]);
    stream.fail(boom);
    await flush();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("does not reject the call if the transport throws synchronously", async () => {
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

  test("makes no request if `selectMessages` throws", async () => {
    const { chat, transport } = setUp({
      selectMessages() {
        throw boom;
      },
    });
    await chat.send("Hello");
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
    expect(transport.streams).toHaveLength(0);
  });

  test("closes its stream if a chunk cannot be applied", async () => {
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

  test("is forgotten with the next message", async () => {
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

describe("an answer that the server aborts", () => {
  test("is kept and marked as aborted, and is not an error", async () => {
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
