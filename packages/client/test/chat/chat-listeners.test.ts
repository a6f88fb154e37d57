import { describe, expect, test, vi } from "vitest";
import type { ChatSnapshot } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import { toMessageText, type UIMessage } from "../../src/chat/messages.ts";
import {
  answer,
  delta,
  done,
  finishWith,
  flush,
  nextFrame,
  outcomeOf,
  read,
  record,
  runStart,
  setUp,
  setUpBusy,
  statusOf,
  streamOf,
  user,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("listeners", () => {
  test("receive the state at once, and every later state until they unsubscribe", async () => {
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

  test("a function subscribed twice is called twice", async () => {
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

  test("an error from one listener is logged, and the others are still called", async () => {
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
    expect(vi.mocked(console.error).mock.calls).toEqual([[boom]]);
    await finishWith(transport, delta("Hi"), done);
    expect(statusOf(chat)).toBe("ready");
    expect(read(chat)).toEqual(["Hello", "(done) Hi"]);
  });

  test("a listener unsubscribed by an earlier one is not called again", async () => {
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
    // A listener that is called after this one never receives an outdated state.
    expect(seen).toEqual(["ready", "submitted", "streaming", "submitted", "submitted", "streaming", "ready"]);
  });

  test("may close and stop at any moment", async () => {
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
        // Nothing is requested for an answer that was already cancelled.
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

  test("may clear, and nothing of the old conversation returns", async () => {
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

describe("updates and their cost", () => {
  const manyDeltas = (count: number) => Array.from({ length: count }, (_, index) => delta(`${index} `));

  test("10,000 deltas cause one update per frame", async () => {
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
    // No frame is requested while nothing new has arrived.
    expect(frame).toBeUndefined();
    stream.give(done);
    stream.end();
    await flush();
    expect(states).toHaveLength(before + 101);
    expect(frame).toBeUndefined();
    const text = toMessageText(chat.getSnapshot().messages[1]!);
    expect(text).toBe(`first ${chunks.map((chunk) => (chunk as { delta: string }).delta).join("")}`);
  });

  test("a page that paints nothing is updated every 100 ms", async () => {
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

  test("without animation frames, text is updated every 16 ms", async () => {
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

  test("a change of status shows the pending text and cancels the frame", async () => {
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

  test("the snapshot is the same object until the next update", async () => {
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

  test("unchanged messages and parts are the same objects in the next snapshot", async () => {
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
    // Changes outside the answer leave its message untouched.
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

  test("a snapshot and everything in it never change", async () => {
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

  test("the work is linear in the number of deltas", async () => {
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
    // Linear work makes the two equal; quadratic work makes the whole eight times as expensive.
    expect(whole / eighths).toBeLessThan(3);
  });
});
