import { describe, expect, test, vi } from "vitest";
import type { ChatOptions } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import type { UIMessage } from "../../src/chat/messages.ts";
import { doneMarker, eventStream, frame, testBody } from "../stream/bodies.ts";
import {
  answer,
  delta,
  done,
  finishWith,
  flush,
  outcomeOf,
  question,
  read,
  record,
  runStart,
  setUp,
  setUpBusy,
  streamOf,
  testTransport,
  user,
  uuidV4,
  watchChats,
} from "./chat-harness.ts";

watchChats();

describe("a new chat", () => {
  test("is ready and empty, without a session or a random number, so that it renders the same everywhere", () => {
    const getRandomValues = vi.spyOn(crypto, "getRandomValues");
    const random = vi.spyOn(Math, "random");
    const initialMessages = [user("Hello", "u1"), answer("Hi", "a1")];
    const chat = createChat({ transport: testTransport() });
    expect(chat.getSnapshot()).toEqual({
      messages: [],
      status: "ready",
      reconnecting: false,
      interrupts: [],
    });
    expect(
      createChat({ transport: testTransport(), initialMessages }).getSnapshot().sessionId,
    ).toBeUndefined();
    expect(getRandomValues).not.toHaveBeenCalled();
    expect(random).not.toHaveBeenCalled();
  });

  test("has the session of its options; an empty string means no session", () => {
    const chatOf = (sessionId: string) => createChat({ transport: testTransport(), sessionId });
    expect(chatOf("session-1").getSnapshot().sessionId).toBe("session-1");
    expect(chatOf("").getSnapshot().sessionId).toBeUndefined();
  });

  test("has made no request", async () => {
    const { transport } = setUp();
    await flush();
    expect(transport.streams).toEqual([]);
  });

  test("shows its initial messages unchanged", () => {
    const initialMessages = [user("Hello", "u1"), answer("Hi", "a1")];
    const { chat } = setUp({ initialMessages });
    expect(chat.getSnapshot().messages).toEqual(initialMessages);
    expect(chat.getSnapshot().messages[0]).toBe(initialMessages[0]);
    expect(chat.getSnapshot().messages[1]).toBe(initialMessages[1]);
  });

  test("marks a message stored while streaming as truncated, with nothing open", () => {
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

  test("keeps the parts of a message stored while streaming", () => {
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

  test("shows the question at the end of its last message as pending", () => {
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

describe("the session", () => {
  test("is the one that the server names, shown at once and sent from then on", async () => {
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
  test("is created for the first message, shown with it, and stays", async () => {
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

  test("is also created when regenerate answers an initial message", async () => {
    const transport = testTransport();
    const chat = createChat({ transport, initialMessages: [user("Hello", "u1")] });
    void chat.regenerate();
    expect(streamOf(transport).body?.sessionId).toMatch(uuidV4);
    await finishWith(transport, done);
  });

  test("is not created for a refused message", async () => {
    const chat = createChat({ transport: testTransport() });
    await expect(chat.send("")).rejects.toMatchObject({ code: "empty-message" });
    expect(chat.getSnapshot().sessionId).toBeUndefined();
  });

  test("is missing before the first message: resume requests nothing until then", async () => {
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

describe("the options", () => {
  test("select the messages for the agent, without changing those shown", async () => {
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

  test("send a workflow and a context with the request", async () => {
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
      // The session is fixed at creation.
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

  test("may change the transport, but a run is stopped by the transport that started it", async () => {
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

  test("refuse the message if their function throws, and leave the chat unchanged", async () => {
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

  test("need no `crypto.randomUUID` for ids, which a page without https lacks", async () => {
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
  /** A chat whose requests are recorded and answered with `responses`. */
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

  test("POST sends, GET resumes, DELETE stops, each with the options of its moment", async () => {
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

  test("a run that was shown to its end is not read again", async () => {
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

  test("resume changes nothing for a session without a run, whichever status the route responds with", async () => {
    for (const status of [204, 404, 405]) {
      const { chat, requests } = setUpRoute(new Response(null, { status }));
      const states = record(chat);
      await chat.resume();
      expect(states).toHaveLength(1);
      expect(requests).toHaveLength(1);
    }
  });
});
