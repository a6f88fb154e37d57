import type { InterruptChunk } from "@kortyx/protocol";
import { StreamTruncatedError } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { Chat, ChatAnswer } from "../../src/chat/chat.ts";
import type { UIMessage, UserUIMessage } from "../../src/chat/messages.ts";
import {
  answer,
  type Behaviour,
  delta,
  done,
  finishWith,
  flush,
  outcomeOf,
  question,
  read,
  runStart,
  setUp,
  setUpBusy,
  statusOf,
  streamOf,
  type TestTransport,
  user,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("regenerate", () => {
  test("drops the answer and requests another one for the same message", async () => {
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

  test("names the answer that it replaces, to a route that has shown that it reads parts", async () => {
    const { chat, transport } = setUp();
    const start = { type: "run-start", runId: "run-1", acceptsParts: true } as const;
    void chat.send("Hello");
    expect(streamOf(transport).body?.trigger).toBeUndefined();
    await finishWith(transport, start, delta("Hi"), done);
    void chat.regenerate();
    expect(streamOf(transport).body).toMatchObject({ trigger: "regenerate", messageId: "run-1" });
    streamOf(transport).fail(new Error("offline"));
    await flush();
    void chat.regenerate();
    expect(streamOf(transport).body).toMatchObject({
      trigger: "regenerate",
      messages: [{ content: "Hello" }],
    });
    expect(streamOf(transport).body?.messageId).toBeUndefined();
    await finishWith(transport, done);
  });

  test("retries after a failure", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    stream.fail(new Error("offline"));
    await flush();
    void chat.regenerate();
    expect(read(chat)).toEqual(["Hello"]);
    await finishWith(transport, delta("Whole"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Whole"]);
    expect(chat.getSnapshot().messages[0]).toMatchObject({ id: stream.body!.messages[0]!.id });
  });

  test("is refused with `nothing-to-regenerate` when there is no user message", async () => {
    for (const initialMessages of [[], [answer("Welcome", "a1")]]) {
      const { chat, transport, states } = setUp({ initialMessages });
      await expect(chat.regenerate()).rejects.toMatchObject({
        name: "ChatStateError",
        code: "nothing-to-regenerate",
        message: "Cannot regenerate: there is no user message yet.",
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

  /** A chat in which the agent has asked a question. */
  async function setUpAsked(asked: InterruptChunk = question, options: Behaviour = {}) {
    const all = await setUpBusy([delta("Well."), asked, interrupted[2]!], options);
    all.stream.end();
    await flush();
    return all;
  }

  test("answers the question: sends its token, and shows the labels of the options as the user's message", async () => {
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

  test("shows an option by its label, and any other value unchanged", async () => {
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

  test("answers a question without options in the user's own words", async () => {
    const { chat, transport } = await setUpAsked({ ...question, input: { kind: "text", multiple: false } });
    void chat.respond(question, "As you like");
    expect(read(chat).at(-1)).toBe("As you like");
    expect(streamOf(transport).body?.resume?.answer).toBe("As you like");
    await finishWith(transport, done);
  });

  test("is refused with `not-pending` for a question that is not pending", async () => {
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

  test("is refused while the answer to the first response is streaming, and afterwards", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, "a");
    await expect(chat.respond(question, "a")).rejects.toMatchObject({ code: "busy" });
    await finishWith(transport, done);
    await expect(chat.respond(question, "a")).rejects.toMatchObject({ code: "not-pending" });
    expect(transport.streams).toHaveLength(2);
  });

  test("a question in an answer that did not end in order is not pending", async () => {
    const { chat, stream } = await setUpBusy([delta("Well."), question]);
    expect(chat.getSnapshot().interrupt).toBeUndefined();
    stream.fail(new StreamTruncatedError("cut"));
    await flush();
    expect(chat.getSnapshot().interrupt).toBeUndefined();
    await expect(chat.respond(question, "a")).rejects.toMatchObject({ code: "not-pending" });
  });

  test("that failed is repeated by regenerate, including its token", async () => {
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
  /** Each kind of question, an answer to it, and the content and selection of the resulting message. */
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

  test("stores its answer in the metadata of its message, for every kind of question", async () => {
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

  /** Another chat, with the conversation as a store returns it. */
  function reload(chat: Chat, behaviour: Behaviour = {}) {
    const stored = JSON.parse(JSON.stringify(chat.getSnapshot().messages)) as UIMessage[];
    return setUp({ initialMessages: stored, ...behaviour });
  }

  test("is repeated by regenerate after a reload, in the metadata and in the body", async () => {
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

  test("is repeated in its original form while the page lives", async () => {
    const { chat, transport } = await setUpAsked({ ...question, input: kinds[2]![0] });
    void chat.respond(question, ["b"]);
    await finishWith(transport, delta("Here"), done);
    void chat.regenerate();
    expect(streamOf(transport).body?.resume?.answer).toEqual(["b"]);
    await finishWith(transport, done);
  });

  test("is repeated when the question is no longer known, with a single answer as a string", async () => {
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

  test("reaches the agent in the metadata and in the body, whatever selectMessages returns", async () => {
    const carried = { resume: { token: "token-1", requestId: "request-1", selected: ["a"] } };
    const selections: [NonNullable<Behaviour["selectMessages"]>, object | undefined][] = [
      [(messages) => messages.slice(-1), carried],
      [(messages) => messages.map(({ role, content }) => ({ role, content })), carried],
      [
        (messages) => messages.map(({ role, content }) => ({ role, content, metadata: { mood: "good" } })),
        { mood: "good", ...carried },
      ],
      [(messages) => messages.map((each) => ({ ...each, metadata: { resume: undefined } })), carried],
      // No message is left to carry it.
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

  test("keeps metadata that the application has added", async () => {
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

  test("is not repeated by an edit with other content, even if its metadata is a copy", async () => {
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

  test("is repeated by an edit with the same content, and can be written by hand", async () => {
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

  test("is not repeated when another message was sent last", async () => {
    const { chat, transport } = await setUpAsked();
    void chat.respond(question, ["a"]);
    await finishWith(transport, delta("Here"), done);
    void chat.send("More");
    await finishWith(transport, delta("There"), done);
    void chat.regenerate();
    expect(streamOf(transport).body?.resume).toBeUndefined();
    await finishWith(transport, done);
  });

  test("is not repeated when the last message was sent in another tab", async () => {
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

  test("is not repeated when an edit replaced its content", async () => {
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
