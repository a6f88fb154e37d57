import { describe, expect, test } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import {
  delta,
  done,
  finishWith,
  flush,
  httpError,
  nextFrame,
  outcomeOf,
  question,
  runStart,
  setUp,
  setUpBusy,
  setUpPlain,
  streamOf,
  testTransport,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("a refused action", () => {
  const click = new Event("click") as never;

  test("is never an unhandled rejection, whatever a button calls", async () => {
    // `watchChats` checks after each test that no rejection was unhandled.
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

  test("ignores the event when a button calls stop, clear, regenerate, resume or close", async () => {
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

  test("rejects for a caller that awaits it, and is shown at once", async () => {
    const { chat, states } = setUp();
    const sent = chat.send("");
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: { code: "empty-message" } });
    expect(states).toHaveLength(2);
    await expect(sent).rejects.toBe(chat.getSnapshot().error);
    expect(states).toHaveLength(2);
  });

  test("makes no request when the input is an empty message or an event", async () => {
    const { chat, transport } = setUp();
    for (const input of ["", "  ", click, { content: "" }, undefined as never]) {
      await expect(chat.send(input)).rejects.toMatchObject({ name: "ChatStateError" });
    }
    expect(transport.streams).toHaveLength(0);
    void chat.send({ content: "", metadata: { file: "a" } });
    expect(transport.streams).toHaveLength(1);
    await finishWith(transport, done);
  });

  test("is cleared by the next action that succeeds", async () => {
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

  test("is cleared when the answer that blocked it ends", async () => {
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

  test("hides the error of the last answer only until the next action that succeeds", async () => {
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

  test("a failed stop rejects with its own error, even if a listener causes a refusal meanwhile", async () => {
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

  test("a clear whose stop fails shows the error once, and a thrown non-Error is wrapped in an Error", async () => {
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
