import { describe, expect, test, vi } from "vitest";
import type { Chat, ChatOptions } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import type { UIMessage } from "../../src/chat/messages.ts";
import {
  answer,
  delta,
  done,
  finishWith,
  flush,
  nextFrame,
  outcomeOf,
  question,
  read,
  record,
  runStart,
  setUp,
  setUpBusy,
  statusesOf,
  streamOf,
  testTransport,
  user,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("a history that arrives after the chat is created", () => {
  const history = [user("Earlier", "u1"), answer("Yes", "a1")];

  /** A chat that reads `initialMessages` from its options once they are set. */
  function setUpLater() {
    const transport = testTransport();
    const options: ChatOptions = { transport, sessionId: "session-1" };
    const chat = createChat(() => options);
    return { transport, chat, states: record(chat), options };
  }

  test("is sent with the first question and shown before it", async () => {
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

  test("is also used by regenerate, respond and setMessages", async () => {
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

  test("is shown around a run that was found while the history was loading", async () => {
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

  test("is ignored while the chat shows a run that was found before the history arrived", async () => {
    const { chat, transport, states, options } = setUpLater();
    void chat.resume();
    streamOf(transport).give(runStart("run-1", { role: "user", id: "u0", content: "Hello" }), delta("Hi"));
    await nextFrame();
    options.initialMessages = history;
    await expect(chat.send("More")).rejects.toMatchObject({ code: "busy" });
    await finishWith(transport, done);
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
    expect(statusesOf(states)).toEqual(["ready", "streaming", "ready"]);
    expect(states).toHaveLength(5);
  });

  test("is ignored once a message was sent, set or cleared", async () => {
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

  test("does not return after clear", async () => {
    const { chat, transport } = setUp({ initialMessages: history });
    await chat.clear();
    void chat.send("Anew");
    expect(read(chat)).toEqual(["Anew"]);
    await finishWith(transport, done);
  });
});

describe("setMessages", () => {
  const [hello, hi] = [user("Hello", "u1"), answer("Hi", "a1")];

  test("replaces the messages at once, with an array or with the result of a function", async () => {
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

  test("marks a message stored while streaming as truncated, and reopens a question that ends the conversation", async () => {
    const { chat } = setUp();
    await chat.setMessages([{ ...hi, status: "streaming" } as UIMessage]);
    expect(chat.getSnapshot().messages).toMatchObject([{ status: "truncated" }]);
    const asked = { ...hi, parts: [question], interrupt: question } as UIMessage;
    await chat.setMessages([asked]);
    expect(chat.getSnapshot().interrupt).toBe(question);
    await chat.setMessages([]);
    expect(chat.getSnapshot().interrupt).toBeUndefined();
  });

  test("keeps the error of the last answer", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    const boom = new Error("offline");
    stream.fail(boom);
    await flush();
    await chat.setMessages((messages) => messages.slice(0, 1));
    expect(read(chat)).toEqual(["Hello"]);
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: boom });
  });

  test("rejects while an answer is streaming, and the answer continues", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    const next = vi.fn(() => []);
    await expect(chat.setMessages(next)).rejects.toMatchObject({ code: "busy" });
    expect(next).not.toHaveBeenCalled();
    stream.give(delta(" an answer"), done);
    stream.end();
    await flush();
    expect(read(chat)).toEqual(["Hello", "(done) Half an answer"]);
  });

  test("does not lose a run that was just found when called in `onChunk`", async () => {
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

  test("rejects a value that is not an array, and passes on an error that the function throws", async () => {
    const { chat } = setUp({ initialMessages: [hello] });
    await expect(chat.setMessages(new Event("click") as never)).rejects.toMatchObject({
      code: "invalid-message",
      message: "Cannot set messages to an object: expected an array, or a function that returns one.",
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

describe("the history that is sent", () => {
  const searched: UIMessage = {
    ...answer("Found", "a1"),
    parts: [
      { type: "tool-call", toolCallId: "c1", tool: "search", state: "done", inputText: "", content: "found" },
      { type: "text", key: "", text: "Found", state: "done" },
    ],
  } as UIMessage;
  const initialMessages = [user("Search", "u1"), searched];
  const parts = [
    { type: "tool-call", toolCallId: "c1", tool: "search", state: "done", content: "found" },
    { type: "text", text: "Found" },
  ];
  const start = (acceptsParts?: boolean) =>
    ({ type: "run-start", runId: "run-2", ...(acceptsParts !== undefined && { acceptsParts }) }) as const;

  /** The parts of the first answer in the next request. */
  async function sendTwice(options: object, first: ReturnType<typeof start>) {
    const { chat, transport } = setUp({ initialMessages, ...options });
    const sent: unknown[] = [];
    for (let count = 0; count < 2; count++) {
      void chat.send("More");
      sent.push(streamOf(transport).body?.messages[1]?.parts);
      await finishWith(transport, first, delta("Here"), done);
    }
    return sent;
  }

  test("has parts once the route has shown that it reads them", async () => {
    expect(await sendTwice({}, start(true))).toEqual([undefined, parts]);
    expect(await sendTwice({}, start(false))).toEqual([undefined, undefined]);
    expect(await sendTwice({}, start())).toEqual([undefined, undefined]);
  });

  test("is what the option names", async () => {
    expect(await sendTwice({ history: "parts" }, start())).toEqual([parts, parts]);
    expect(await sendTwice({ history: "text" }, start(true))).toEqual([undefined, undefined]);
  });

  test("is trimmed after the selection, to a megabyte unless the option names otherwise", async () => {
    const long = "x".repeat(600_000);
    const history = [user(long, "u1"), answer("1", "a1"), user(long, "u2"), answer("2", "a2")];
    for (const [options, count] of [
      [{}, 3],
      [{ maxHistoryBytes: Number.POSITIVE_INFINITY }, 5],
      [{ maxHistoryBytes: 1_000 }, 1],
      [{ selectMessages: (messages: unknown[]) => [messages[0], messages.at(-1)] }, 2],
    ] as [object, number][]) {
      const { chat, transport } = setUp({ initialMessages: history, ...options });
      void chat.send("More");
      expect(streamOf(transport).body?.messages).toHaveLength(count);
      expect(chat.getSnapshot().messages).toHaveLength(5);
      await finishWith(transport, done);
    }
  });

  test("that cannot be trimmed fails the answer, without a request; the next message can be sent", async () => {
    const { chat, transport } = setUp({ maxHistoryBytes: 200 });
    await chat.send("x".repeat(200));
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { code: "too-large" } });
    expect(transport.streams).toHaveLength(0);
    void chat.send("Short");
    expect(streamOf(transport).body?.messages).toMatchObject([{ content: "Short" }]);
    await finishWith(transport, done);
  });
});
