import type { StreamChunk } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
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
  setUpPlain,
  statusesOf,
  statusOf,
  streamOf,
  user,
  uuidV4,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("stop on a route without runs", () => {
  test("ends the stream at once, keeps the partial answer marked as aborted, and shows no error", async () => {
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

  test("leaves no answer if called before the first chunk", async () => {
    const { chat, transport } = setUpPlain();
    void chat.send("Hello");
    await chat.stop();
    await flush();
    expect(read(chat)).toEqual(["Hello"]);
    expect(statusOf(chat)).toBe("ready");
    expect(streamOf(transport).isOpen).toBe(false);
  });

  test("works the same if the transport can stop runs but the answer is not a run", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    await chat.stop();
    expect(transport.stops).toEqual([]);
    expect(stream.signal.aborted).toBe(true);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("works the same if the answer is a run but the transport cannot stop it", async () => {
    const { chat, stream } = await setUpBusy([runStart("run-1"), delta("Half")], {}, { stop: undefined });
    await chat.stop();
    expect(stream.signal.aborted).toBe(true);
    expect(read(chat)).toEqual(["Hello", "(aborted) Half"]);
  });

  test("does nothing when the chat is idle", async () => {
    const { chat, states } = setUp();
    await chat.stop();
    expect(states).toHaveLength(1);
  });
});

describe("stop of a run", () => {
  const stopped: StreamChunk = { type: "abort", reason: "stopped" };

  test("stops it by its id and keeps reading until its terminal", async () => {
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

  test("is not retried endlessly by a subscriber that stops every streaming answer", async () => {
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

  test("stops it by its idempotency key until its id is known", async () => {
    const { chat, transport, stream } = await setUpBusy([], { runs: true });
    const { idempotencyKey } = stream.body!;
    expect(idempotencyKey).toMatch(uuidV4);
    void chat.stop();
    expect(transport.stops).toEqual([{ idempotencyKey }]);
    expect(statusOf(chat)).toBe("stopping");
    transport.answerStop();
    stream.give(runStart("run-1"));
    await flush();
    // The first chunk does not hide the stop in progress.
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

  test("sends no key without `runs`, and a new key with each answer", async () => {
    expect((await setUpBusy([done])).stream.body?.idempotencyKey).toBeUndefined();
    const { chat, transport, stream } = await setUpBusy([], { runs: true });
    stream.end();
    await flush();
    void chat.send("More");
    await finishWith(transport);
    const keys = transport.streams.map(({ body }) => body?.idempotencyKey);
    expect(new Set(keys).size).toBe(2);
  });

  test("rejects when it fails, and the answer continues unchanged", async () => {
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

  test("that fails as the first chunk arrives leaves the answer streaming", async () => {
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

  test("can be retried after it fails", async () => {
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

  test("rejects if the transport throws synchronously", async () => {
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

  test("closes the stream if the server does not know the run or cannot stop it", async () => {
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

  test("keeps the stream open if the server refuses with another status", async () => {
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

  test("closes the stream if no terminal arrives within 10 s", async () => {
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

  test("does not affect the next answer if the run ends first, whatever the server responds", async () => {
    for (const failure of [[], [httpError(404)], [new Error("offline")]]) {
      const { chat, transport, stream } = await setUpBusy([runStart("run-1"), delta("Hi")]);
      const stop = outcomeOf(chat.stop());
      stream.give(done);
      stream.end();
      await flush();
      expect(statusOf(chat)).toBe("ready");
      // The stop must not affect the next answer.
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

  test("that fails at the moment the answer ends does not bring the answer back", async () => {
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

  test("makes one request for two calls at once, and both wait", async () => {
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

  test("rejects both of two calls at once if the request fails", async () => {
    const { chat, transport, stream } = await setUpBusy([runStart("run-1")]);
    const stops = [outcomeOf(chat.stop()), outcomeOf(chat.stop())];
    transport.answerStop(new Error("offline"));
    await flush();
    expect(stops.map(({ is }) => is)).toMatchObject([{ message: "offline" }, { message: "offline" }]);
    stream.end();
    await flush();
  });

  test("makes no second request if a listener also stops the run", async () => {
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

  test("ends with the answer even if the server never responds to the stop", async () => {
    const { chat, stream } = await setUpBusy([runStart("run-1")]);
    const stop = outcomeOf(chat.stop());
    stream.give(stopped);
    stream.end();
    await flush();
    expect(stop.is).toBe("resolved");
  });
});

describe("close", () => {
  test("closes the stream only: the run is not stopped, and the partial answer is kept", async () => {
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

  test("keeps text that no frame has shown yet", async () => {
    const { chat, stream } = await setUpBusy([delta("Half")]);
    stream.give(delta(" an answer"));
    await flush();
    expect(read(chat)).toEqual(["Hello", "(streaming) Half"]);
    chat.close();
    expect(read(chat)).toEqual(["Hello", "(aborted) Half an answer"]);
  });

  test("leaves no answer if called before the first chunk", async () => {
    const { chat, stream } = await setUpBusy([]);
    chat.close();
    await flush();
    expect(read(chat)).toEqual(["Hello"]);
    expect(stream.isOpen).toBe(false);
    expect(statusOf(chat)).toBe("ready");
  });

  test("ignores chunks that arrive later", async () => {
    const given: unknown[] = [];
    let give: (chunk: StreamChunk) => void = () => {};
    /** A transport that ignores its signal. */
    const deaf = {
      async *start() {
        yield delta("Half");
        yield await new Promise<StreamChunk>((resolve) => {
          give = resolve;
        });
        yield delta("never requested");
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

  test("also ends a stop in progress", async () => {
    const { chat, transport } = await setUpBusy([runStart("run-1"), delta("Half")]);
    const stop = outcomeOf(chat.stop());
    chat.close();
    expect(statusOf(chat)).toBe("ready");
    transport.answerStop();
    await flush();
    expect(stop.is).toBe("resolved");
  });

  test("leaves the chat usable", async () => {
    const { chat, transport } = await setUpBusy([delta("Half")]);
    chat.close();
    const sent = outcomeOf(chat.send("More"));
    await finishWith(transport, delta("Whole"), done);
    expect(sent.is).toBe("resolved");
    expect(read(chat)).toEqual(["Hello", "(aborted) Half", "More", "(done) Whole"]);
  });

  test("does nothing when the chat is idle", () => {
    const { chat, states } = setUp();
    chat.close();
    chat.close();
    expect(states).toHaveLength(1);
  });

  test("keeps a received `error` chunk as the outcome", async () => {
    const { chat } = await setUpBusy([delta("Half"), { type: "error", message: "Overloaded" }]);
    chat.close();
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { message: "Overloaded" } });
    await flush();
  });
});

describe("clear", () => {
  test("starts over: no messages, a new session, no error", async () => {
    const { chat, transport, stream } = await setUpBusy([delta("Half")]);
    stream.fail(new Error("offline"));
    await flush();
    await chat.clear();
    expect(chat.getSnapshot()).toEqual({
      messages: [],
      status: "ready",
      reconnecting: false,
      interrupts: [],
    });
    void chat.send("Anew");
    const { sessionId } = chat.getSnapshot();
    expect(sessionId).toMatch(uuidV4);
    expect(streamOf(transport).body).toMatchObject({ sessionId, messages: [{ content: "Anew" }] });
    await finishWith(transport, delta("Hi"), done);
    expect(read(chat)).toEqual(["Anew", "(done) Hi"]);
  });

  test("completes at once when the chat is idle, and the next message starts a new session", async () => {
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

  test("closes the answer of a route without runs", async () => {
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

  test("also ends an answer that is requested as soon as the previous one ends", async () => {
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

  test("also ends a search for a run that begins as soon as the answer ends", async () => {
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

  test("forgets the timing of the last answer", async () => {
    const { chat, transport } = setUp();
    void chat.send("Hello");
    await finishWith(transport, done);
    expect(chat.getSnapshot().timing).toBeDefined();
    await chat.clear();
    expect(chat.getSnapshot().timing).toBeUndefined();
  });
});
