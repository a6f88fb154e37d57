import { PassThrough } from "node:stream";
import type { ChatMessage } from "@kortyx/protocol";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { type FromKortyxOptions, fromKortyx, type KortyxChatOptions } from "../src/kortyx.ts";
import { createChatRoute } from "../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../src/stores/memory-run-store.ts";
import { collectStream } from "../src/stream/collect-stream.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => log.mockClear());

const user: ChatMessage = { role: "user", content: "Hi" };
const interrupt = {
  type: "interrupt",
  requestId: "q",
  resumeToken: "t",
  input: { kind: "text", multiple: false, options: [] },
};

async function* give(chunks: unknown[]) {
  yield* chunks;
}

/** The chunks that a route receives from an agent that yields `chunks`. */
async function adapt(chunks: unknown[], options?: FromKortyxOptions) {
  const agent = fromKortyx({ streamChat: async () => give(chunks) }, options);
  return collectStream(agent.streamChat([user], {}));
}

describe("the agent receives", () => {
  const call = async (...given: Parameters<ReturnType<typeof fromKortyx>["streamChat"]>) => {
    const streamChat = vi.fn(async (_messages: ChatMessage[], _options?: KortyxChatOptions) => give([]));
    await fromKortyx({ streamChat }).streamChat(...given);
    return streamChat.mock.calls[0]!;
  };

  test("session, workflow and context if they are set, and nothing else of the route", async () => {
    const { signal } = new AbortController();
    const resume = { requestId: "q", resumeToken: "t", answer: "a" };
    const rest = {
      resume,
      resumes: [resume],
      toolResults: [{ toolCallId: "1", tool: "locate", content: 1 }],
      tools: [{ name: "locate", description: "Where the user is" }],
      trigger: "continue" as const,
      messageId: "m",
      owner: "ann",
      signal,
      body: { theme: "dark" },
    };
    const context = { plan: "free" };
    expect((await call([user], { sessionId: "s", workflowId: "w", context, ...rest }))[1]).toEqual({
      sessionId: "s",
      workflowId: "w",
      context,
    });
    const none = { sessionId: undefined, workflowId: undefined, context: undefined };
    expect(Object.keys((await call([user], { ...none, ...rest }))[1]!)).toEqual([]);
  });

  test("the messages unchanged", async () => {
    const messages: ChatMessage[] = [
      user,
      { role: "assistant", content: "Yes?" },
      { ...user, id: "m", timestamp: 1, metadata: { a: 1 } },
    ];
    expect((await call(messages, {}))[0]).toEqual(messages);
  });

  test.each([
    [{ answer: "Ann" }, { selected: ["Ann"] }],
    [{ answer: ["a"] }, { selected: ["a"] }],
    [{ answer: ["a", "b"] }, { selected: ["a", "b"] }],
    [{ outcome: "cancelled", reason: "No." } as const, { cancel: true }],
  ])("a resume %j in the metadata of the last message", async (answer, expected) => {
    const resume = { requestId: "q", resumeToken: "t", ...answer } as never;
    const messages = Object.freeze([user, Object.freeze({ ...user, metadata: Object.freeze({ a: 1 }) })]);
    const [given] = await call(messages as ChatMessage[], { resume });
    expect(given).toEqual([
      user,
      { ...user, metadata: { a: 1, resume: { token: "t", requestId: "q", ...expected } } },
    ]);
  });

  test("the answer that the route passes in place of the client's own, whose token is not verified", async () => {
    const sent = { a: 1, resume: { token: "signed", requestId: "q", choice: { id: "a" } } };
    const messages = [{ ...user, metadata: sent }];
    const resume = { requestId: "q", resumeToken: "t", answer: "a" };
    expect((await call(messages, { resume }))[0][0]!.metadata).toEqual({
      a: 1,
      resume: { token: "t", requestId: "q", selected: ["a"] },
    });
    const resumes = [{ ...resume, answer: { city: "Rome" } }];
    expect((await call(messages, { resumes }))[0][0]!.metadata).toEqual({ a: 1 });
    expect((await call(messages, { trigger: "continue" }))[0][0]!.metadata).toEqual({ a: 1 });
    expect((await call(messages, { resumes: [], trigger: "send" }))[0]).toEqual(messages);
  });

  test("messages without their parts, and earlier answers only if they have a text", async () => {
    const parts = [{ type: "data" as const, name: "a", data: 1 }];
    const answer = { role: "assistant" as const, content: "Yes?" };
    const messages = [
      { ...user, content: "" },
      { ...answer, content: "" },
      answer,
      { ...answer, content: "" },
    ];
    const [given] = await call(
      messages.map((message) => ({ ...message, parts })),
      {},
    );
    expect(given).toStrictEqual([messages[0], messages[2], messages[3]]);
    expect((await call([{ ...answer, content: "" }, user], {}))[0]).toHaveLength(2);
  });

  test("its own `this`, and its errors are left for the route to mask", async () => {
    class Agent {
      readonly name = "kept";
      async streamChat() {
        throw new Error(this.name);
      }
    }
    await expect(fromKortyx(new Agent() as never).streamChat([user], {})).rejects.toThrow("kept");
  });
});

describe("an error chunk", () => {
  const secret = { type: "error", message: "db at postgres://u:secret@h", failure: { message: "secret" } };

  test("is masked, and logged with its correlation id", async () => {
    const [masked, ...rest] = await adapt([{ ...secret, code: "secret", retryable: true }, { type: "done" }]);
    expect(masked).toEqual({
      type: "error",
      message: "Something went wrong on the server.",
      code: "internal",
      correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      retryable: true,
    });
    expect(rest).toEqual([{ type: "done" }]);
    const [line, logged] = log.mock.calls[0]!;
    expect(line).toContain((masked as { correlationId: string }).correlationId);
    expect(logged).toMatchObject({ message: "db at postgres://u:secret@h" });
  });

  test("passes unchanged with maskErrors: false", async () => {
    const chunks = [secret, { type: "done" }];
    expect(await adapt(chunks, { maskErrors: false })).toEqual(chunks);
    expect(log).not.toHaveBeenCalled();
  });

  test.each([undefined, { store: createMemoryRunStore() }])(
    "is the outcome of the answer, and never reveals its secret (runs: %j)",
    async (runs) => {
      const agent = fromKortyx({ streamChat: async () => give([secret, { type: "done" }]) });
      const onFinish = vi.fn();
      const authorize = () => "ann";
      const route = createChatRoute({
        agent,
        authorize,
        ...(runs ? { runs: { ...runs, onFinish } } : { onFinish }),
      });
      const ask = (stream: boolean) =>
        route.fetch(
          new Request("http://host/", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ messages: [user], stream }),
          }),
        );
      const text = await (await ask(true)).text();
      expect(text).toContain('"message":"Something went wrong on the server."');
      expect(text).not.toContain("secret");
      await vi.waitFor(() => expect(onFinish).toHaveBeenCalledTimes(1));
      expect(onFinish.mock.calls[0]![0].message).toMatchObject({ status: "error" });
      const buffered = await ask(false);
      expect(buffered.status).toBe(500);
      expect(await buffered.text()).not.toContain("secret");
    },
  );
});

describe("done", () => {
  const data: Record<string, unknown> = { config: { context: { tenantSecret: "s3cr3t" } } };
  data.self = data;

  test("loses only its data", async () => {
    const usage = { inputTokens: 1 };
    expect(await adapt([{ type: "done", data, usage, finishReason: "stop", later: 1 }])).toEqual([
      { type: "done", usage, finishReason: "stop", later: 1 },
    ]);
    expect(log).not.toHaveBeenCalled();
  });

  test("keeps its data with keepDoneData", async () => {
    expect(await adapt([{ type: "done", data: { a: 1 } }], { keepDoneData: true })).toEqual([
      { type: "done", data: { a: 1 } },
    ]);
    expect(await adapt([{ type: "done" }], { keepDoneData: true })).toEqual([{ type: "done" }]);
  });

  test.each([
    [
      "that comes after an interrupt",
      [interrupt, { type: "done", data }],
      [{ type: "done", finishReason: "interrupt" }],
    ],
    ["that the agent did not send", [interrupt], [{ type: "done", finishReason: "interrupt" }]],
    [
      "that has its own reason",
      [interrupt, { type: "done", finishReason: "length" }],
      [{ type: "done", finishReason: "length" }],
    ],
  ])("%s has the right finish reason", async (_, given, expected) => {
    expect(await adapt(given)).toEqual([interrupt, ...expected]);
  });

  test("that comes after an interrupt and a failure has no reason, so that the failure is the outcome", async () => {
    const chunks = await adapt([interrupt, { type: "error", message: "x" }, { type: "done" }]);
    expect(chunks.slice(1)).toEqual([expect.objectContaining({ type: "error" }), { type: "done" }]);
    const open = await adapt([interrupt, { type: "error", message: "x" }]);
    expect(open.map(({ type }) => type)).toEqual(["interrupt", "error"]);
  });
});

describe("sources", () => {
  const chunks = [
    { type: "text-delta", delta: "a" },
    { type: "text-delta", delta: "b" },
  ];

  test.each<[string, () => AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>]>([
    ["a promise of a Node stream in object mode", async () => nodeStreamOf(chunks)],
    ["a Node stream in object mode", () => nodeStreamOf(chunks)],
    ["a promise of an async iterable", async () => give(chunks)],
    ["an async iterable", () => give(chunks)],
  ])("%s", async (_, streamChat) => {
    expect(await collectStream(fromKortyx({ streamChat }).streamChat([user], {}))).toEqual(chunks);
  });

  function nodeStreamOf(given: unknown[]) {
    const stream = new PassThrough({ objectMode: true });
    for (const chunk of given) stream.write(chunk);
    return stream.end();
  }

  test("anything but a chunk is refused, as from any agent", async () => {
    await expect(adapt(["text"])).rejects.toThrow("Chunk 1 must be an object; got a string.");
    await expect(fromKortyx({ streamChat: async () => 5 as never }).streamChat([user], {})).rejects.toThrow(
      "must be an async iterable",
    );
  });

  test("a Node stream that fails before it is read fails the answer but not the process", async () => {
    const runs = { store: createMemoryRunStore() };
    const streamChat = async () => {
      const stream = new PassThrough({ objectMode: true });
      stream.destroy(new Error("db at postgres://u:secret@h"));
      return stream;
    };
    const { fetch } = createChatRoute({ agent: fromKortyx({ streamChat }), runs, authorize: () => "ann" });
    const response = await fetch(post());
    // An unhandled error in a later turn would fail this test run.
    expect(await response.text()).toContain('"code":"internal"');
    expect(log).toHaveBeenCalledTimes(1);
  });
});

const post = (messages = [user]) =>
  new Request("http://host/", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages }),
  });

test("in a route with a resumeSecret, the client gets a signed token, and the agent its own, where it reads it", async () => {
  const streamChat = vi.fn(async (_messages: ChatMessage[]) => give([interrupt]));
  const agent = fromKortyx({ streamChat });
  const { fetch } = createChatRoute({ agent, resumeSecret: "a secret of more than 32 characters" });
  const token = /"resumeToken":"(v1\.[^"]+)"/.exec(await (await fetch(post())).text())![1];
  const answer = (given: string) => {
    const metadata = { a: 1, resume: { token: given, requestId: "q", selected: ["Rome"] } };
    return { ...user, content: "Rome", metadata };
  };
  await (await fetch(post([user, answer(token!)]))).text();
  expect(streamChat.mock.calls[1]![0]).toEqual([user, answer("t")]);
  expect((await fetch(post([user, answer("t")]))).status).toBe(403);
  expect(streamChat).toHaveBeenCalledTimes(2);
});

describe("a client that leaves", () => {
  const open = async (agent: ReturnType<typeof fromKortyx>) => {
    const { fetch } = createChatRoute({ agent });
    const response = await fetch(post());
    return response.body!.getReader();
  };

  test("makes the server destroy a silent Node stream at once, and later writes by the agent do no harm", async () => {
    const stream = new PassThrough({ objectMode: true });
    const reader = await open(fromKortyx({ streamChat: async () => stream }));
    stream.write({ type: "text-delta", delta: "a" });
    await reader.read();
    void reader.read();
    await reader.cancel();
    await vi.waitFor(() => expect(stream.destroyed).toBe(true));
    stream.write({ type: "text-delta", delta: "b" });
    stream.end({ type: "done" });
    // An unhandled error in a later turn would fail this test run.
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(log).not.toHaveBeenCalled();
  });

  test("makes the server call return() of a silent async iterable", async () => {
    const leave = vi.fn(async () => ({ done: true, value: undefined }));
    const iterable = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}), return: leave }),
    };
    const reader = await open(fromKortyx({ streamChat: () => iterable }));
    void reader.read();
    await reader.cancel();
    await vi.waitFor(() => expect(leave).toHaveBeenCalledTimes(1));
  });

  test("makes the server close a stream that the agent returns later", async () => {
    const stream = new PassThrough({ objectMode: true });
    const { promise, resolve } = Promise.withResolvers<PassThrough>();
    const reader = await open(fromKortyx({ streamChat: () => promise }));
    await reader.cancel();
    resolve(stream);
    await vi.waitFor(() => expect(stream.destroyed).toBe(true));
  });
});
