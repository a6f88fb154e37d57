import { createMessageAccumulator, type InterruptChunk, type StreamChunk } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import type { Chat } from "../../src/chat/chat.ts";
import type { AssistantUIMessage } from "../../src/chat/messages.ts";
import { StreamHttpError } from "../../src/stream/errors.ts";
import {
  type Behaviour,
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
  watchChats,
} from "./chat-harness.ts";

watchChats();

const decisions = ["approve", "deny", "edit"].map((id) => ({ id, label: id }));
/** A call, and the question about it. */
const askFor = (toolCallId: string): StreamChunk[] => [
  { type: "tool-call-start", tool: "pay", toolCallId, input: { euros: 5 } },
  {
    type: "interrupt",
    requestId: `ask-${toolCallId}`,
    resumeToken: `token-${toolCallId}`,
    toolCallId,
    input: { kind: "choice", multiple: false, question: "Pay?", options: decisions },
  },
];
const form: InterruptChunk = {
  type: "interrupt",
  requestId: "ask-form",
  resumeToken: "token-form",
  input: { kind: "json", question: "Where to?" },
};
const text = (requestId: string): InterruptChunk => ({
  type: "interrupt",
  requestId,
  resumeToken: `token-${requestId}`,
  input: { kind: "text", multiple: false },
});
const waits: StreamChunk = { type: "done", finishReason: "interrupt" };
const acceptsParts: StreamChunk = { type: "run-start", runId: "run-1", acceptsParts: true };
const continues = (runId: string): StreamChunk => ({ type: "run-start", runId, continues: "run-1" });
const resolved = (requestId: string): StreamChunk => ({
  type: "interrupt-resolved",
  requestId,
  outcome: "answered",
});

/** A chat whose last answer waits after `chunks`. */
async function setUpAsked(chunks: StreamChunk[], options: Behaviour = {}) {
  const all = await setUpBusy([runStart("run-1"), delta("Well."), ...chunks, waits], options);
  all.stream.end();
  await flush();
  return all;
}

const answerOf = (chat: Chat) => chat.getSnapshot().messages[1] as AssistantUIMessage;
const callOf = (chat: Chat, id = "c1") =>
  answerOf(chat).parts.find((part) => part.type === "tool-call" && part.toolCallId === id);
const asked = (chat: Chat) => chat.getSnapshot().interrupts.map(({ requestId }) => requestId);

describe("a decision about a tool call", () => {
  test("is sent without a message of the user's, and the answer continues the message that asked", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    expect(asked(chat)).toEqual(["ask-c1"]);
    expect(callOf(chat)).toMatchObject({ state: "awaiting-approval" });
    const approved = outcomeOf(chat.approve({ toolCallId: "c1" }));
    expect(statusOf(chat)).toBe("submitted");
    expect(asked(chat)).toEqual([]);
    expect(streamOf(transport).body).toMatchObject({
      trigger: "continue",
      messageId: "run-1",
      resumes: [{ requestId: "ask-c1", resumeToken: "token-c1", answer: "approve" }],
    });
    expect(streamOf(transport).body).not.toHaveProperty("resume", expect.anything());
    await finishWith(
      transport,
      continues("run-2"),
      resolved("ask-c1"),
      { type: "tool-call-result", tool: "pay", toolCallId: "c1", content: "paid" },
      delta("Done."),
      done,
    );
    expect(approved.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(done) Well.\n\nDone."]);
    expect(callOf(chat)).toMatchObject({ state: "done", content: "paid" });
    expect(answerOf(chat)).toMatchObject({ id: "run-1", runId: "run-2" });
    expect(answerOf(chat)).not.toHaveProperty("beforeRun");
  });

  test("carries a reason or a changed input", async () => {
    for (const [decide, sent] of [
      [(chat: Chat) => chat.deny({ toolCallId: "c1" }, "Too much."), { answer: "deny", reason: "Too much." }],
      [(chat: Chat) => chat.deny({ toolCallId: "c1" }), { answer: "deny" }],
      // An event handler that passes on its event.
      [(chat: Chat) => chat.deny({ toolCallId: "c1" }, { type: "click" } as never), { answer: "deny" }],
      [(chat: Chat) => chat.respond({ requestId: "ask-c1" }, "approve"), { answer: "approve" }],
      [
        (chat: Chat) => chat.edit({ toolCallId: "c1" }, { euros: 4 }),
        { answer: "edit", input: { euros: 4 } },
      ],
      [(chat: Chat) => chat.edit({ toolCallId: "c1" }, null), { answer: "edit", input: null }],
    ] as const) {
      const { chat, transport } = await setUpAsked(askFor("c1"));
      void decide(chat);
      const question = { requestId: "ask-c1", resumeToken: "token-c1", toolCallId: "c1" };
      expect(streamOf(transport).body?.resumes).toEqual([{ ...question, ...sent }]);
      await finishWith(transport, continues("run-2"), done);
    }
  });

  test("sends the parts of the answer that it continues, also to a route that has not shown that it reads parts", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    expect(streamOf(transport).body?.messages).toMatchObject([
      { role: "user", content: "Hello" },
      {
        role: "assistant",
        id: "run-1",
        content: "Well.",
        parts: [
          { type: "text", text: "Well." },
          {
            type: "tool-call",
            toolCallId: "c1",
            tool: "pay",
            state: "awaiting-approval",
            input: { euros: 5 },
          },
        ],
      },
    ]);
    await finishWith(transport, done);
  });

  test("waits until every call is decided; then one request has all decisions", async () => {
    const { chat, transport } = await setUpAsked([...askFor("c1"), ...askFor("c2"), text("name")]);
    expect(asked(chat)).toEqual(["ask-c1", "ask-c2", "name"]);
    expect(chat.getSnapshot().interrupt?.requestId).toBe("name");
    await chat.deny({ toolCallId: "c2" });
    expect(asked(chat)).toEqual(["ask-c1", "name"]);
    expect(statusOf(chat)).toBe("ready");
    expect(transport.streams).toHaveLength(1);
    await expect(chat.approve({ toolCallId: "c2" })).rejects.toMatchObject({ code: "not-pending" });
    void chat.approve({ toolCallId: "c1" });
    expect(streamOf(transport).body?.resumes).toMatchObject([
      { requestId: "ask-c1", answer: "approve" },
      { requestId: "ask-c2", answer: "deny" },
    ]);
    await finishWith(transport, continues("run-2"), resolved("ask-c1"), resolved("ask-c2"), waits);
    expect(asked(chat)).toEqual(["name"]);
    expect(chat.getSnapshot().messages).toHaveLength(2);
  });

  test("goes along with an answer to another question, and is void once the conversation continues", async () => {
    const { chat, transport } = await setUpAsked([...askFor("c1"), ...askFor("c2"), text("name")]);
    await chat.approve({ toolCallId: "c2" });
    void chat.respond(text("name"), "Ada");
    expect(streamOf(transport).body?.resumes?.map(({ requestId }) => requestId)).toEqual(["ask-c2", "name"]);
    await finishWith(transport, continues("run-2"), resolved("ask-c2"), resolved("name"), waits);
    expect(asked(chat)).toEqual(["ask-c1"]);

    const other = await setUpAsked([...askFor("c1"), ...askFor("c2")]);
    await other.chat.approve({ toolCallId: "c2" });
    void other.chat.regenerate();
    expect(streamOf(other.transport).body?.resumes).toBeUndefined();
    await finishWith(other.transport, runStart("run-2"), ...askFor("c1"), ...askFor("c2"), waits);
    expect(asked(other.chat)).toEqual(["ask-c1", "ask-c2"]);
  });

  test("makes no second request if a listener has sent a message when the question was decided", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    let isSent = false;
    chat.subscribe(({ interrupts }) => {
      if (isSent || interrupts.length > 0) return;
      isSent = true;
      void chat.send("More");
    });
    await expect(chat.approve({ toolCallId: "c1" })).rejects.toMatchObject({ code: "busy" });
    expect(transport.streams).toHaveLength(2);
    await finishWith(transport, delta("Here"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "More", "(done) Here"]);
  });

  test("is refused if the question does not offer it", async () => {
    const [call, question] = askFor("c1") as [StreamChunk, InterruptChunk];
    const other = {
      ...question,
      input: { ...question.input, options: decisions.slice(0, 2) },
    } as InterruptChunk;
    const free = { ...text("ask-c1"), toolCallId: "c1" };
    for (const [given, options] of [
      [other, '"approve", "deny"'],
      [free, "none"],
    ] as const) {
      const { chat, transport } = await setUpAsked([call, given]);
      await expect(chat.edit({ toolCallId: "c1" }, 4)).rejects.toMatchObject({
        code: "invalid-message",
        message: `Cannot edit: expected a question with this option; its options are ${options}.`,
      });
      expect(asked(chat)).toEqual(["ask-c1"]);
      expect(transport.streams).toHaveLength(1);
    }
  });

  test("is open no more once its call is over, whatever is stored of the message", async () => {
    const chunks = [runStart("run-1"), ...askFor("c1"), text("q1")];
    const { chat, stream } = await setUpBusy([...chunks, { type: "done", finishReason: "stop" }]);
    stream.end();
    await flush();
    expect(callOf(chat)).toMatchObject({ state: "interrupted" });
    expect(asked(chat)).toEqual(["q1"]);
    expect(answerOf(chat).interrupts).toMatchObject([{ requestId: "q1" }]);
    const [, { parts }] = chat.getSnapshot().messages as [unknown, AssistantUIMessage];
    for (const state of ["interrupted", "denied", "done", "error", "running"] as const) {
      const stored = parts.map((part) => (part.type === "tool-call" ? { ...part, state } : part));
      await chat.setMessages([{ role: "assistant", id: "run-1", status: "done", parts: stored }]);
      expect(asked(chat)).toEqual(state === "running" ? ["ask-c1", "q1"] : ["q1"]);
    }
  });

  test("is refused while an answer is streaming, and after it was made", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    await expect(chat.approve({ toolCallId: "c1" })).rejects.toMatchObject({
      code: "busy",
      message: "Cannot approve while an answer is streaming; call stop() first.",
    });
    await finishWith(transport, continues("run-2"), resolved("ask-c1"), done);
    for (const decide of ["approve", "deny", "edit"] as const) {
      await expect(chat[decide]({ toolCallId: "c1" }, "")).rejects.toMatchObject({
        name: "ChatStateError",
        code: "not-pending",
        message: `Cannot ${decide}: the question was already answered, or the conversation continued without an answer.`,
      });
    }
    expect(transport.streams).toHaveLength(2);
  });

  test("is refused for a call without a question, and for a value that is no call", async () => {
    const { chat, transport } = await setUpAsked([...askFor("c1"), form]);
    for (const call of [{ toolCallId: "c9" }, {}, undefined, { requestId: "ask-form" }]) {
      await expect(chat.approve(call as never)).rejects.toMatchObject({ code: "not-pending" });
    }
    expect(transport.streams).toHaveLength(1);
  });

  test("can be made again if its request fails, because the message is as before", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    const before = answerOf(chat);
    const approved = outcomeOf(chat.approve({ toolCallId: "c1" }));
    streamOf(transport).fail(httpError(503));
    await flush();
    expect(approved.is).toBe("resolved");
    expect(statusOf(chat)).toBe("error");
    expect(answerOf(chat)).toBe(before);
    void chat.approve({ toolCallId: "c1" });
    await finishWith(transport, continues("run-2"), resolved("ask-c1"), delta("Done."), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.\n\nDone."]);
  });

  test("can be made after a reload", async () => {
    const { chat } = await setUpAsked(askFor("c1"));
    // An application may store no more of a message.
    const [hello, { id, role, status, parts }] = JSON.parse(JSON.stringify(chat.getSnapshot().messages));
    const later = setUp({ initialMessages: [hello, { id, role, status, parts }] });
    expect(asked(later.chat)).toEqual(["ask-c1"]);
    void later.chat.approve({ toolCallId: "c1" });
    expect(streamOf(later.transport).body).toMatchObject({
      messageId: "run-1",
      resumes: [{ answer: "approve" }],
    });
    await finishWith(later.transport, continues("run-2"), resolved("ask-c1"), delta("Done."), done);
    expect(read(later.chat)).toEqual(["Hello", "(done) Well.\n\nDone."]);
  });

  test("makes a new message if the run does not continue one, and continues it if there is no run", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    await finishWith(transport, runStart("run-2"), delta("Done."), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "(done) Done."]);

    const plain = await setUpAsked(askFor("c1"));
    void plain.chat.approve({ toolCallId: "c1" });
    await finishWith(plain.transport, delta("Done."), done);
    expect(read(plain.chat)).toEqual(["Hello", "(done) Well.\n\nDone."]);
  });
});

describe("a failed request for the rest of an answer", () => {
  const paid: StreamChunk = { type: "tool-call-result", tool: "pay", toolCallId: "c1", content: "paid" };

  test("is repeated by regenerate, into the same message, which keeps what had arrived", async () => {
    const half: StreamChunk[] = [resolved("ask-c1"), paid, delta("Pay")];
    for (const received of [[], half]) {
      const { chat, transport } = await setUpAsked([...askFor("c1"), ...askFor("c2")]);
      await chat.approve({ toolCallId: "c1" });
      void chat.approve({ toolCallId: "c2" });
      const { messages, ...fields } = streamOf(transport).body!;
      expect(fields.resumes).toHaveLength(2);
      if (received.length > 0) streamOf(transport).give(continues("run-2"), ...received);
      streamOf(transport).fail(httpError(503));
      await flush();
      expect(statusOf(chat)).toBe("error");
      void chat.regenerate();
      const { messages: shown, ...repeated } = streamOf(transport).body!;
      expect(repeated).toEqual(fields);
      if (received.length === 0) expect(shown).toEqual(messages);
      else expect(shown[1]).toMatchObject({ parts: [{}, { state: "done" }, {}, { text: "Pay" }] });
      await finishWith(transport, continues("run-3"), resolved("ask-c2"), delta("Paid."), done);
      expect(read(chat)).toEqual(["Hello", `(done) Well.\n\n${received.length === 0 ? "" : "Pay\n\n"}Paid.`]);
      // As a server folds it, which stores each answer and continues the stored one.
      const first = createMessageAccumulator({ id: "run-1", role: "assistant" });
      for (const chunk of [runStart("run-1"), delta("Well."), ...askFor("c1"), ...askFor("c2"), waits]) {
        first.apply(chunk);
      }
      const second = createMessageAccumulator(first.message);
      if (received.length > 0) for (const chunk of [continues("run-2"), ...received]) second.apply(chunk);
      second.finish("truncated");
      const third = createMessageAccumulator(received.length === 0 ? first.message : second.message);
      for (const chunk of [continues("run-3"), resolved("ask-c2"), delta("Paid."), done]) third.apply(chunk);
      expect(answerOf(chat)).toEqual(third.message);
      // Then it is an answer like any other.
      void chat.regenerate();
      expect(streamOf(transport).body).toMatchObject({ messages: [{ content: "Hello" }] });
      expect(streamOf(transport).body?.resumes).toBeUndefined();
      await finishWith(transport, done);
    }
  });

  test("is not repeated once the user has sent another message, or the run was found", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    streamOf(transport).give(continues("run-2"), delta("Pay"));
    streamOf(transport).fail(httpError(503));
    await flush();
    void chat.resume();
    await finishWith(transport, continues("run-2"), paid, delta("Paid."), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.\n\nPaid."]);
    void chat.regenerate();
    expect(streamOf(transport).body?.resumes).toBeUndefined();
    await finishWith(transport, done);
  });

  test("is not repeated once its message is gone", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    streamOf(transport).fail(httpError(503));
    await flush();
    await chat.setMessages((messages) => messages.slice(0, 1));
    void chat.regenerate();
    expect(streamOf(transport).body?.resumes).toBeUndefined();
    await finishWith(transport, delta("Anew"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Anew"]);
  });

  test("is not repeated once its answers came too late", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    streamOf(transport).fail(httpError(503));
    await flush();
    void chat.regenerate();
    streamOf(transport).fail(refusal(410, "interrupt-expired", "resumes.0.resumeToken"));
    await flush();
    void chat.regenerate();
    expect(streamOf(transport).body?.resumes).toBeUndefined();
    await finishWith(transport, done);
  });

  /** The response of a Kortyx route that refuses answers. */
  const refusal = (status: number, code: string, ...paths: unknown[]) =>
    new StreamHttpError(new Response(null, { status }), {
      error: "Invalid chat request.",
      code,
      issues: paths.map((path) => ({ path })),
    });

  test("with answers that came too late closes their questions; the others can be answered again", async () => {
    for (const [error, outcome] of [
      [refusal(410, "interrupt-expired", "resumes.1.resumeToken"), "expired"],
      [refusal(409, "already-answered", "resumes.1"), "answered"],
    ] as const) {
      const { chat, transport } = await setUpAsked([...askFor("c1"), ...askFor("c2")]);
      await chat.approve({ toolCallId: "c1" });
      void chat.approve({ toolCallId: "c2" });
      streamOf(transport).fail(error);
      await flush();
      expect(chat.getSnapshot()).toMatchObject({ status: "error", error });
      expect(asked(chat)).toEqual(["ask-c1"]);
      expect(callOf(chat, "c1")).toMatchObject({ state: "awaiting-approval" });
      expect(callOf(chat, "c2")).not.toMatchObject({ state: "awaiting-approval" });
      expect(answerOf(chat).parts.at(-1)).toMatchObject({ requestId: "ask-c2", resolution: { outcome } });
      expect(answerOf(chat)).toMatchObject({ id: "run-1", status: "done", finishReason: "interrupt" });
      void chat.approve({ toolCallId: "c1" });
      expect(streamOf(transport).body?.resumes).toMatchObject([{ requestId: "ask-c1" }]);
      await finishWith(transport, continues("run-2"), resolved("ask-c1"), done);
    }
  });

  test("that came too late after half an answer leaves that to be followed to its end", async () => {
    const { chat, transport } = await setUpAsked(askFor("c1"));
    void chat.approve({ toolCallId: "c1" });
    const answered: StreamChunk = {
      type: "interrupt-resolved",
      requestId: "ask-c1",
      outcome: "answered",
      answer: "approve",
    };
    streamOf(transport).give(continues("run-2"), answered, delta("Pay"));
    streamOf(transport).fail(new Error("offline"));
    await flush();
    void chat.regenerate();
    streamOf(transport).fail(refusal(409, "already-answered", "resumes.0"));
    await flush();
    expect(read(chat)).toEqual(["Hello", "(truncated) Well.\n\nPay"]);
    expect(answerOf(chat).parts[2]).toMatchObject({ resolution: answered });
    void chat.resume();
    await finishWith(transport, continues("run-2"), resolved("ask-c1"), paid, delta("Paid."), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.\n\nPaid."]);
  });

  test("for any other reason leaves the questions open", async () => {
    for (const error of [
      refusal(403, "invalid-resume-token", "resumes.0.resumeToken"),
      refusal(410, "interrupt-expired", "toolResults.0.resumeToken", "resumes", undefined),
      refusal(410, "toString", "resumes.0"),
      httpError(410),
      new Error("offline"),
    ]) {
      const { chat, transport } = await setUpAsked(askFor("c1"));
      void chat.approve({ toolCallId: "c1" });
      streamOf(transport).fail(error);
      await flush();
      expect(asked(chat)).toEqual(["ask-c1"]);
    }
  });
});

describe("several questions", () => {
  test("are answered in one request", async () => {
    const { chat, transport } = await setUpAsked([...askFor("c1"), form, text("name"), text("skip")]);
    void chat.respond([
      { interrupt: { requestId: "ask-c1" }, answer: "edit", input: { euros: 3 }, reason: "Enough." },
      { interrupt: form, answer: { city: "Rome", outcome: "sunny" } },
      { interrupt: text("name"), answer: "Ada" },
      { interrupt: text("skip"), answer: { outcome: "cancelled", reason: "No." } },
    ]);
    expect(read(chat)).toEqual(["Hello", "(done) Well."]);
    expect(streamOf(transport).body?.resumes).toEqual([
      {
        requestId: "ask-c1",
        resumeToken: "token-c1",
        toolCallId: "c1",
        answer: "edit",
        input: { euros: 3 },
        reason: "Enough.",
      },
      { requestId: "ask-form", resumeToken: "token-form", answer: { city: "Rome", outcome: "sunny" } },
      { requestId: "name", resumeToken: "token-name", answer: "Ada" },
      { requestId: "skip", resumeToken: "token-skip", outcome: "cancelled", reason: "No." },
    ]);
    await finishWith(transport, continues("run-2"), done);
  });

  test("are answered one by one, without a message, until none is left", async () => {
    const { chat, transport } = await setUpAsked([acceptsParts, text("q1"), text("q2")]);
    void chat.respond(text("q1"), "One");
    expect(streamOf(transport).body).toMatchObject({ trigger: "continue", resumes: [{ requestId: "q1" }] });
    await finishWith(transport, continues("run-2"), resolved("q1"), waits);
    expect(asked(chat)).toEqual(["q2"]);
    void chat.respond(text("q2"), "Two");
    expect(streamOf(transport).body).toMatchObject({ trigger: "continue", resumes: [{ requestId: "q2" }] });
    await finishWith(transport, continues("run-3"), resolved("q2"), delta("Both."), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.\n\nBoth."]);
  });

  test("are each answered by a message if the route has not shown that it reads parts", async () => {
    const { chat, transport } = await setUpAsked([text("q1"), text("q2")]);
    void chat.respond(text("q1"), "One");
    const { resume, resumes, trigger, messageId, messages } = streamOf(transport).body!;
    expect(resume).toEqual({ requestId: "q1", resumeToken: "token-q1", answer: "One" });
    expect({ resumes, trigger, messageId }).toEqual({});
    expect(messages.at(-1)).toMatchObject({ content: "One", metadata: { resume: { requestId: "q1" } } });
    await finishWith(transport, delta("And?"), done);
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "One", "(done) And?"]);
  });

  test("are all refused if one of them is not open or has another kind of answer", async () => {
    const { chat, transport } = await setUpAsked([text("q1"), text("q2")]);
    for (const [responses, code] of [
      [
        [
          { interrupt: text("q1"), answer: "One" },
          { interrupt: text("q3"), answer: "3" },
        ],
        "not-pending",
      ],
      [[{ interrupt: text("q1"), answer: { city: "Rome" } }], "invalid-message"],
      [[{ interrupt: text("q1"), answer: undefined }], "invalid-message"],
      [
        [
          { interrupt: text("q1"), answer: "One" },
          { interrupt: text("q1"), answer: "Two" },
        ],
        "invalid-message",
      ],
      [[undefined], "not-pending"],
      [[], "not-pending"],
    ] as const) {
      await expect(chat.respond(responses as never)).rejects.toMatchObject({ code });
    }
    expect(transport.streams).toHaveLength(1);
    expect(asked(chat)).toEqual(["q1", "q2"]);
  });

  test("that a policy decides are not counted: the only other one is answered by a message", async () => {
    const { chat, transport } = await setUpAsked([{ ...text("q1"), isAutomatic: true }, text("q2")]);
    expect(asked(chat)).toEqual(["q2"]);
    void chat.respond(text("q2"), "Two");
    expect(read(chat)).toEqual(["Hello", "(done) Well.", "Two"]);
    await finishWith(transport, done);
  });
});

describe("a question of kind json", () => {
  test("is answered with any JSON value, or cancelled", async () => {
    for (const [answer, sent] of [
      [{ city: "Rome" }, { answer: { city: "Rome" } }],
      [["Rome", 5], { answer: ["Rome", 5] }],
      [false, { answer: false }],
      [0, { answer: 0 }],
      [null, { answer: null }],
      ["Rome", { answer: "Rome" }],
      [{ outcome: "cancelled" }, { outcome: "cancelled" }],
    ] as const) {
      const { chat, transport } = await setUpAsked([form]);
      void chat.respond(form, answer as never);
      expect(streamOf(transport).body?.resumes).toEqual([
        { requestId: "ask-form", resumeToken: "token-form", ...sent },
      ]);
      await finishWith(transport, continues("run-2"), done);
    }
    const { chat } = await setUpAsked([form]);
    await expect(chat.respond(form, undefined as never)).rejects.toMatchObject({ code: "invalid-message" });
  });
});
