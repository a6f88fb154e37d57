import type { StreamChunk } from "@kortyx/protocol";
import { StreamTruncatedError } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { Chat } from "../../src/chat/chat.ts";
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
  read,
  runStart,
  setUp,
  setUpBusy,
  setUpPlain,
  statusesOf,
  statusOf,
  streamOf,
  user,
  uuidV4,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("resume", () => {
  const hello = user("Hello", "u1");
  const partial: UIMessage = { ...answer("Hal", "run-1"), status: "truncated" } as UIMessage;

  test("requests the latest run of the session, and changes nothing before its first chunk", async () => {
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

  test("changes nothing when there is no run", async () => {
    for (const error of [httpError(404), httpError(405), new StreamTruncatedError("204: no body")]) {
      const { chat, transport, states } = setUp({ initialMessages: [hello] });
      const resumed = outcomeOf(chat.resume());
      streamOf(transport).fail(error);
      await flush();
      expect(resumed.is).toBe("resolved");
      expect(states).toHaveLength(1);
    }
  });

  test("changes nothing when the transport has no resume, or the stream is empty", async () => {
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

  test("shows an error when it fails, and keeps the messages", async () => {
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

  test("does not show as reconnecting when the connection is lost before the first chunk", async () => {
    const { chat, transport, states } = setUp();
    void chat.resume();
    streamOf(transport).connect();
    streamOf(transport).lose();
    expect(states).toHaveLength(1);
    streamOf(transport).fail(httpError(404));
    await flush();
    expect(states).toHaveLength(1);
  });

  test("replaces the message of the run and continues it", async () => {
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

  test("shows a finished run in full", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, partial] });
    const resumed = outcomeOf(chat.resume());
    await finishWith(transport, runStart("run-1"), delta("Hallo"), done);
    expect(resumed.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) Hallo"]);
  });

  test("keeps the messages after the message of the run", async () => {
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

  test("inserts the answer of an unknown run after its question, in place of older answers", async () => {
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

  test("matches a question without an id to the last message with the same text", async () => {
    const { chat, transport } = setUp({
      initialMessages: [hello, answer("1", "a1"), user("Hello", "u2")],
    });
    void chat.resume();
    await finishWith(transport, runStart("run-9", { content: "Hello" }), delta("2"), done);
    expect(read(chat)).toEqual(["Hello", "(done) 1", "Hello", "(done) 2"]);
  });

  test("inserts a message that the user sent in another tab, with all its fields", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, answer("Hi", "a1")] });
    void chat.resume();
    const input = { role: "user", content: "More", id: "u2", timestamp: 7, metadata: { a: 1 } };
    await finishWith(transport, runStart("run-2", input), delta("Here"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Hi", "More", "(done) Here"]);
    expect(chat.getSnapshot().messages[2]).toEqual(input);
  });

  test("finds the message of the run even if the run starts with another chunk", async () => {
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

  test("loses nothing when the run repeats its start", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, partial, user("More", "u2")] });
    void chat.resume();
    const start = runStart("run-1", { content: "Hello", id: "u1" });
    await finishWith(transport, start, start, delta("Hallo"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Hallo", "More"]);
  });

  test("a message from another tab has no URL that this page could run", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    const file = { type: "file", mediaType: "image/png", url: "javascript:alert(1)" };
    const input = { role: "user", content: "Look", id: "u1", parts: [file] };
    await finishWith(transport, runStart("run-1", input), done);
    expect(chat.getSnapshot().messages[0]).toEqual({ ...input, parts: [{ ...file, url: "" }] });
  });

  test("gives a message from another tab an id if it has none", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    const start = runStart("run-2", { content: "More", id: 5 });
    streamOf(transport).give(start);
    await flush();
    const [shown] = chat.getSnapshot().messages;
    await finishWith(transport, start, delta("Here"), done);
    expect(chat.getSnapshot().messages[0]).toBe(shown);
    expect(chat.getSnapshot().messages).toMatchObject([
      { role: "user", content: "More", id: expect.stringMatching(uuidV4) },
      { role: "assistant", id: "run-2" },
    ]);
  });

  test("appends the answer of a run that does not include its question", async () => {
    for (const input of [undefined, null, "More", { content: 5 }]) {
      const { chat, transport } = setUp({ initialMessages: [hello, answer("Hi", "a1")] });
      void chat.resume();
      await finishWith(transport, runStart("run-2", input), delta("Here"), done);
      expect(read(chat)).toEqual(["Hello", "(done) Hi", "(done) Here"]);
    }
  });

  test("shows the run once when called twice in a row", async () => {
    const { chat, transport } = setUp();
    for (let i = 0; i < 2; i++) {
      void chat.resume();
      await finishWith(transport, runStart("run-1", { content: "Hello", id: "u1" }), delta("Hallo"), done);
      expect(read(chat)).toEqual(["Hello", "(done) Hallo"]);
    }
    expect(transport.streams).toHaveLength(2);
  });

  test("makes one request when called twice at once, and both calls wait", async () => {
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

  test("waits for an answer in progress", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Hi")]);
    const resumed = outcomeOf(chat.resume());
    await flush();
    expect(transport.streams).toHaveLength(1);
    expect(resumed.is).toBe("pending");
    stream.end();
    await flush();
    expect(resumed.is).toBe("resolved");
  });

  test("yields to a message that is sent during the search", async () => {
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

  test("a run that was found makes the chat busy and can be stopped", async () => {
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
      const { chat, transport, states } = setUp();
      const resumed = outcomeOf(chat.resume());
      await flush();
      await chat[method]();
      await flush();
      expect(resumed.is).toBe("resolved");
      expect(streamOf(transport).isOpen).toBe(false);
      expect(statusesOf(states)).toEqual(["ready"]);
    }
  });

  test("clears an earlier error as soon as the run is found", async () => {
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

  test("keeps an earlier error when there is no run", async () => {
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

  test("a run that `onChunk` closes at its first chunk is never shown, nor is its error", async () => {
    const all: Partial<{ chat: Chat }> = {};
    const { chat, transport, states } = setUp({
      onChunk() {
        void all.chat!.regenerate();
        all.chat!.close();
      },
    });
    all.chat = chat;
    void chat.resume();
    streamOf(transport).give({ type: "error", message: "Overloaded" });
    await flush();
    expect(statusesOf(states)).toEqual(["ready"]);
    expect(states.flatMap(({ messages }) => messages)).toEqual([]);
    expect(chat.getSnapshot().error).toMatchObject({ code: "nothing-to-regenerate" });
    expect(streamOf(transport).isOpen).toBe(false);
  });

  test("shows the error of a run that was found and failed", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello] });
    void chat.resume();
    await finishWith(transport, runStart("run-1"), { type: "error", message: "Overloaded" });
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { message: "Overloaded" } });
  });
});

describe("a run that continues an earlier answer", () => {
  const hello = user("Hello", "u1");
  const call = { type: "tool-call", tool: "pay", toolCallId: "c1", inputText: "", input: 5 } as const;
  const base: UIMessage = {
    role: "assistant",
    id: "run-1",
    status: "done",
    finishReason: "interrupt",
    parts: [
      { type: "text", key: "", text: "Well.", state: "done" },
      { ...call, state: "awaiting-approval" },
    ],
  };
  const start: StreamChunk = {
    type: "run-start",
    runId: "run-2",
    continues: "run-1",
    input: { role: "user", content: "Hello", id: "u1" },
  };
  const paid: StreamChunk = { type: "tool-call-result", tool: "pay", toolCallId: "c1", content: "paid" };
  const whole = [start, delta("Pay"), delta("ing."), paid, done];
  const store = (chat: Chat) => JSON.parse(JSON.stringify(chat.getSnapshot().messages)) as UIMessage[];

  test("is folded into that answer, wherever it stands", async () => {
    for (const more of [[], [user("More", "u2"), answer("Here", "a2")]]) {
      const { chat, transport } = setUp({ initialMessages: [hello, base, ...more] });
      void chat.resume();
      await finishWith(transport, { type: "session", sessionId: "session-1" }, ...whole);
      expect(chat.getSnapshot().messages).toEqual([
        hello,
        {
          ...base,
          runId: "run-2",
          finishReason: undefined,
          parts: [
            { type: "text", key: "", text: "Well.", state: "done" },
            { ...call, state: "done", content: "paid" },
            { type: "text", key: "", text: "Paying.", state: "done" },
          ],
        },
        ...more,
      ]);
      expect(chat.getSnapshot().messages[0]).toBe(hello);
    }
  });

  test("is folded once, if a part of it was shown before a reload", async () => {
    for (const shown of [[], whole.slice(1, 2), whole.slice(1, 4)]) {
      const first = setUp({ initialMessages: [hello, base] });
      void first.chat.resume();
      streamOf(first.transport).give(start, ...shown);
      await nextFrame();
      const initialMessages = store(first.chat);
      first.chat.close();
      for (const stored of [initialMessages, store(first.chat)]) {
        const later = setUp({ initialMessages: stored });
        void later.chat.resume();
        await finishWith(later.transport, ...whole);
        expect(read(later.chat)).toEqual(["Hello", "(done) Well.\n\nPaying."]);
        expect(JSON.stringify(later.chat.getSnapshot().messages)).not.toContain("beforeRun");
      }
    }
  });

  test("is not folded again once it is whole, also if another chat or a server has folded it", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, base] });
    void chat.resume();
    await finishWith(transport, ...whole);
    const messages = store(chat);
    const ended = { ...(messages[1] as object), status: "error", error: { type: "error", message: "No" } };
    for (const initialMessages of [messages, [hello, ended as UIMessage]]) {
      const later = setUp({ initialMessages });
      const resumed = outcomeOf(later.chat.resume());
      streamOf(later.transport).give(...whole);
      await flush();
      expect(resumed.is).toBe("resolved");
      expect(streamOf(later.transport).isOpen).toBe(false);
      expect(later.chat.getSnapshot().messages).toEqual(initialMessages);
      expect(later.states).toHaveLength(1);
    }
  });

  test("that was stopped is whole, and one that was left can be followed again", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello, base] });
    void chat.resume();
    streamOf(transport).give(start, delta("Pay"));
    await nextFrame();
    chat.close();
    expect(read(chat)).toEqual(["Hello", "(aborted) Well.\n\nPay"]);
    void chat.resume();
    await finishWith(transport, start, delta("Pay"), { type: "abort", reason: "stopped" });
    expect(read(chat)).toEqual(["Hello", "(aborted) Well.\n\nPay"]);
    void chat.resume();
    streamOf(transport).give(...whole);
    await flush();
    expect(read(chat)).toEqual(["Hello", "(aborted) Well.\n\nPay"]);
  });

  test("is a message of its own where the earlier answer is not known", async () => {
    const { chat, transport } = setUp({ initialMessages: [hello] });
    void chat.resume();
    // A run may repeat its start.
    await finishWith(transport, start, delta("Pay"), start, delta("ing."), paid, done);
    expect(read(chat)).toEqual(["Hello", "(done) Paying."]);
    expect(chat.getSnapshot().messages[1]).toMatchObject({ id: "run-1", runId: "run-2" });
  });
});
