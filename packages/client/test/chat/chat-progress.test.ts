import type { StreamChunk } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import type { Chat } from "../../src/chat/chat.ts";
import {
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
  statusesOf,
  statusOf,
  streamOf,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("the status message", () => {
  const status = (message: string): StreamChunk => ({ type: "status", message });
  const messageOf = (chat: Chat) => chat.getSnapshot().statusMessage;

  test("is the latest one of the answer, until text follows", async () => {
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

  test("is updated once per frame, and stays while other state changes", async () => {
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

  test("ends with the answer, however that ends, and is not carried over to the next one", async () => {
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

  test("is also shown for a run that was found", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    streamOf(transport).give(runStart("run-1"), status("Searching"));
    await nextFrame();
    expect(messageOf(chat)).toBe("Searching");
    await finishWith(transport, done);
  });
});

describe("timing", () => {
  test("reports when an answer was requested, the time to its first chunk, and its duration", async () => {
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

  test("has no first chunk when the answer fails before one", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await vi.advanceTimersByTimeAsync(100);
    streamOf(transport).fail(new Error("offline"));
    await flush();
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, durationMs: 100 });
  });

  test("starts with the search for a run that was found", async () => {
    const { chat, transport } = setUp();
    void chat.resume();
    await vi.advanceTimersByTimeAsync(100);
    expect(chat.getSnapshot().timing).toBeUndefined();
    await finishWith(transport, runStart("run-1"), done);
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, firstChunkMs: 100, durationMs: 100 });
  });

  test("ignores a clock that is set back", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(0);
    await finishWith(transport, delta("Hi"), done);
    expect(chat.getSnapshot().timing).toEqual({ startedAt: 1_000_000, firstChunkMs: 100, durationMs: 100 });
  });
});

describe("reconnecting", () => {
  test("is shown at once, and ends when the connection is restored", async () => {
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

  test("shows why the latest attempt failed, even before the first chunk, and is not an error of the answer", async () => {
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

  test("ends with the answer, however that ends", async () => {
    for (const end of ["fail", "close", "stop"] as const) {
      const { chat, stream } = await setUpBusy([delta("Half")]);
      stream.lose();
      if (end === "fail") stream.fail(new Error("gave up"));
      else void chat[end]();
      await flush();
      expect(chat.getSnapshot()).toMatchObject({ reconnecting: false, connectionError: undefined });
    }
  });

  test("is ignored for a stream that was closed", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    chat.close();
    void chat.send("More");
    await flush();
    stream.lose();
    expect(chat.getSnapshot().reconnecting).toBe(false);
    await finishWith(transport);
  });

  test("is also reported to `onConnectionChange`", async () => {
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
  test("onChunk receives every chunk before the state shows it", async () => {
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

  test("onChunk receives no URL that a page could run, whatever the transport reads", async () => {
    const seen: StreamChunk[] = [];
    const { chat, transport } = setUp({ onChunk: (chunk) => seen.push(chunk) });
    void chat.send("Hello");
    const source = { type: "source", id: "1" } as const;
    const file = { type: "file", mediaType: "image/png" } as const;
    const url = "javascript:alert(1)";
    await finishWith(transport, { ...source, url }, { ...file, url }, done);
    expect(seen).toEqual([source, { ...file, url: "" }, done]);
  });

  test("an error from onChunk fails the answer and closes its stream", async () => {
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

  test("onFinish receives the message once, after the state shows it as finished", async () => {
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

  test("onFinish receives the error, and the message only if one exists", async () => {
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

  test("an error from onFinish is logged and has no other effect", async () => {
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
    expect(vi.mocked(console.error).mock.calls).toEqual([[boom]]);
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

  test("the chunk on which onChunk clears the chat brings nothing back", async () => {
    const all: Partial<{ chat: Chat }> = {};
    const { chat, transport, states } = setUp({ onChunk: () => void all.chat!.clear() }, { stop: undefined });
    all.chat = chat;
    void chat.send("Hello");
    await flush();
    streamOf(transport).give({ type: "session", sessionId: "session-2" });
    await flush();
    expect(chat.getSnapshot()).toEqual({
      messages: [],
      status: "ready",
      reconnecting: false,
      interrupts: [],
    });
    expect(statusesOf(states)).toEqual(["ready", "submitted", "stopping", "ready"]);
  });

  test("onFinish may send the next message", async () => {
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
