import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type Anthropic from "@anthropic-ai/sdk";
import { readStream } from "@kortyx/client";
import { runTools, type StreamChunk, toSSE } from "@kortyx/server";
import { fromAnthropic, toAnthropicPrompt, toAnthropicTools } from "@kortyx/server/anthropic";
import { describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { basics, block, end, json, serveAnthropic, start, text, toAnswer } from "./anthropic-server.ts";
import type { ScriptedAnswer } from "./kit/provider-server.ts";

const question: Anthropic.MessageParam[] = [{ role: "user", content: "Hello" }];
const request = { ...basics, messages: question };

/** Everything that the adapter makes of an answer, and what it throws. */
async function adapt(answer: ScriptedAnswer) {
  await using server = await serveAnthropic(answer);
  return await drain(fromAnthropic(server.client.messages.create(request)));
}

async function drain(stream: AsyncIterable<StreamChunk>) {
  const chunks: StreamChunk[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
    return { chunks, error: undefined };
  } catch (error) {
    return { chunks, error };
  }
}

const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

/** What a client reads of an answer that a route of ours passes on. */
async function readThroughRoute(answer: ScriptedAnswer) {
  await using server = await serveAnthropic(answer);
  const response = toSSE(fromAnthropic(server.client.messages.create(request)));
  return await drain(readStream(response.body) as AsyncIterable<StreamChunk>);
}

/** Compiled only: the SDK's types fit ours. */
export async function checkTypes(client: Anthropic): Promise<void> {
  const prompt = toAnthropicPrompt([]);
  const body = { ...basics, tools: toAnthropicTools([]), ...prompt };
  fromAnthropic(client.messages.create(body));
  fromAnthropic(await client.messages.create(body));
  fromAnthropic(client.messages.stream(body));
  fromAnthropic(client.beta.messages.create(body));
  fromAnthropic(client.beta.messages.stream(body));
  prompt.messages satisfies Anthropic.MessageParam[];
  // @ts-expect-error: an answer that is not streamed has no events
  fromAnthropic(client.messages.create({ ...body, stream: false }));
}

describe.skipIf(!isInstalled())("an answer", () => {
  const answer = toAnswer([
    start,
    { type: "ping" },
    ...block(
      0,
      { type: "thinking", thinking: "", signature: "" },
      { type: "thinking_delta", thinking: "Hm" },
      { type: "signature_delta", signature: "c2ln" },
    ),
    ...text(1, "Let me", " look."),
    ...block(2, { type: "tool_use", id: "toolu_1", name: "search", input: {} }, ...json("", '{"q":', '"ü"}')),
    ...end("tool_use"),
  ]);
  const usage = { inputTokens: 15, outputTokens: 20, cachedInputTokens: 5 };
  const chunks = [
    {
      type: "metadata",
      metadata: { anthropic: { id: "msg_1", model: "claude-test", service_tier: "standard" } },
    },
    { type: "reasoning-start", segmentId: "msg_1:0" },
    { type: "reasoning-delta", segmentId: "msg_1:0", delta: "Hm" },
    { type: "reasoning-end", segmentId: "msg_1:0", providerMetadata: { anthropic: { signature: "c2ln" } } },
    { type: "text-start", segmentId: "msg_1:1" },
    { type: "text-delta", segmentId: "msg_1:1", delta: "Let me" },
    { type: "text-delta", segmentId: "msg_1:1", delta: " look." },
    { type: "text-end", segmentId: "msg_1:1" },
    { type: "tool-call-start", tool: "search", toolCallId: "toolu_1" },
    { type: "tool-call-delta", tool: "search", toolCallId: "toolu_1", delta: '{"q":' },
    { type: "tool-call-delta", tool: "search", toolCallId: "toolu_1", delta: '"ü"}' },
    { type: "tool-call-ready", tool: "search", toolCallId: "toolu_1", input: { q: "ü" } },
    {
      type: "done",
      finishReason: "tool-calls",
      usage,
      usageByModel: [{ provider: "anthropic", model: "claude-test", ...usage }],
    },
  ];

  test("is the same chunks from create() and stream(), of the stable and of the beta API", async () => {
    await using server = await serveAnthropic(answer);
    const { messages, beta } = server.client;
    for (const stream of [
      messages.create(request),
      await messages.create(request),
      messages.stream(request),
      beta.messages.create(request),
      beta.messages.stream(request),
    ]) {
      expect(await drain(fromAnthropic(stream))).toEqual({ chunks, error: undefined });
    }
  });

  test("is the same wherever the network cuts it", async () => {
    const pieces = [...answer.pieces.join("")].map((_, index, all) => all.slice(index, index + 1).join(""));
    expect(await adapt({ pieces })).toEqual({ chunks, error: undefined });
  });

  test("reaches the client of a route whole", async () => {
    expect(await readThroughRoute(answer)).toEqual({ chunks, error: undefined });
  });

  test("may have blocks that run at the same time", async () => {
    const [startA, a1, a2, stopA] = text(0, "a1", "a2");
    const [startB, b1, stopB] = text(1, "b1");
    const events = [start, startA!, a1!, startB!, b1!, a2!, stopA!, stopB!, ...end()];
    const { chunks } = await adapt(toAnswer(events));
    const deltas = chunks.filter((chunk) => chunk.type === "text-delta");
    expect(deltas.map(({ segmentId, delta }) => [segmentId, delta])).toEqual([
      ["msg_1:0", "a1"],
      ["msg_1:1", "b1"],
      ["msg_1:0", "a2"],
    ]);
  });

  test("with an input that is not JSON has a failed call", async () => {
    const use = { type: "tool_use", id: "toolu_1", name: "search", input: {} };
    const { chunks, error } = await adapt(
      toAnswer([start, ...block(0, use, ...json('{"q": "unfini')), ...end("max_tokens")]),
    );
    expect(error).toBeUndefined();
    expect(chunks.slice(-2)).toMatchObject([
      { type: "tool-call-error", code: "invalid-input", input: '{"q": "unfini' },
      { type: "done", finishReason: "length" },
    ]);
  });
});

describe.skipIf(!isInstalled())("an answer that fails", () => {
  const begun = [start, ...text(0, "Hel", "lo").slice(0, -1)];
  const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded: key sk-1" } };
  const failures: [string, ScriptedAnswer, object][] = [
    ["by an error of Anthropic's", toAnswer([...begun, overloaded]), { type: "overloaded_error" }],
    ["by a socket that is cut", toAnswer(begun, { end: "cut" }), { message: "terminated" }],
    ["by an end that comes too early", toAnswer(begun), { name: "StreamTruncatedError" }],
    [
      "by an end in the middle of an event",
      { pieces: [...toAnswer(begun).pieces, "event: content_block_delta\ndata: {"] },
      { name: "StreamTruncatedError" },
    ],
  ];

  test.each(failures)("%s throws, after the text that came", async (_, answer, failure) => {
    const { chunks, error } = await adapt(answer);
    expect(error).toMatchObject(failure);
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.at(-1)?.type).toBe("text-delta");
  });

  test.each(failures)("%s is text and one masked error in the client, and no done", async (_, answer) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const { chunks, error } = await readThroughRoute(answer);
    expect(error).toBeUndefined();
    expect(textOf(chunks)).toBe("Hello");
    const correlationId = (chunks.at(-1) as { correlationId?: string }).correlationId;
    expect(chunks.at(-1)).toMatchObject({
      type: "error",
      code: "internal",
      correlationId: expect.any(String),
    });
    expect(JSON.stringify(chunks)).not.toMatch(/sk-1|terminated|Overloaded/);
    expect(chunks.filter(({ type }) => type === "done" || type === "error")).toHaveLength(1);
    expect(log.mock.calls.flat().map(String).join()).toContain(correlationId);
    log.mockRestore();
  });

  test("before it begins throws what the SDK throws", async () => {
    const body = JSON.stringify({ type: "error", error: { type: "rate_limit_error", message: "Slow down" } });
    const headers = { "content-type": "application/json" };
    const { chunks, error } = await adapt({ status: 429, headers, pieces: [body] });
    expect(chunks).toEqual([]);
    expect(error).toMatchObject({ status: 429, type: "rate_limit_error" });
  });
});

describe.skipIf(!isInstalled())("an aborted answer", () => {
  const reason = new Error("left");
  const begun = toAnswer([start, ...text(0, "Hel").slice(0, -1)], { end: "open" });

  test("before its headers throws the reason of the signal, and leaves the request", async () => {
    const requested = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const silent = createServer((_request, response) => {
      response.on("close", left.resolve);
      requested.resolve();
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    await using server = await serveAnthropic(begun);
    const { port } = silent.address() as AddressInfo;
    const controller = new AbortController();
    const { signal } = controller;
    const client = server.client.withOptions({ baseURL: `http://127.0.0.1:${port}` });
    const drained = drain(fromAnthropic(client.messages.create(request, { signal }), { signal }));
    await requested.promise;
    controller.abort(reason);
    expect(await drained).toEqual({ chunks: [], error: reason });
    await left.promise;
    silent.close();
  });

  test.each(["create", "stream"] as const)(
    "in the middle of %s() throws the reason of the signal, and leaves the request",
    async (method) => {
      await using server = await serveAnthropic(begun);
      const controller = new AbortController();
      const { signal } = controller;
      const stream: ReturnType<typeof server.client.messages.stream> | ReturnType<typeof create> =
        method === "stream" ? server.client.messages.stream(request, { signal }) : create();
      function create() {
        return server.client.messages.create(request, { signal });
      }
      const chunks: StreamChunk[] = [];
      const read = async () => {
        for await (const chunk of fromAnthropic(stream, { signal })) {
          chunks.push(chunk);
          if (chunk.type === "text-delta") controller.abort(reason);
        }
      };
      await expect(read()).rejects.toBe(reason);
      expect(textOf(chunks)).toBe("Hel");
      await server.requests[0]!.left;
    },
  );

  test("by leaving the loop leaves the request, without a signal, too", async () => {
    await using server = await serveAnthropic(begun);
    for await (const { type } of fromAnthropic(server.client.messages.create(request))) {
      if (type === "text-delta") break;
    }
    await server.requests[0]!.left;
  });

  test("by a client that leaves the route leaves the request", async () => {
    await using server = await serveAnthropic(begun);
    const controller = new AbortController();
    const { signal } = controller;
    const source = fromAnthropic(server.client.messages.create(request, { signal }), { signal });
    const response = toSSE(source, { signal });
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    for (let read = ""; !read.includes("Hel"); ) read += decoder.decode((await reader.read()).value);
    controller.abort(reason);
    await reader.cancel();
    await server.requests[0]!.left;
  });
});

test.skipIf(!isInstalled())(
  "a conversation comes back as a request that the SDK sends as it is",
  async () => {
    await using server = await serveAnthropic(toAnswer([start, ...text(0, "Hi"), ...end()]));
    const prompt = toAnthropicPrompt([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
    ]);
    const tools = toAnthropicTools([{ name: "print", description: "Prints." }]);
    const { chunks } = await drain(
      fromAnthropic(server.client.messages.create({ ...basics, tools, ...prompt })),
    );
    expect(textOf(chunks)).toBe("Hi");
    expect(server.requests[0]?.body).toEqual({
      model: "claude-test",
      max_tokens: 64,
      stream: true,
      system: "Be brief.",
      messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
      tools: [{ name: "print", description: "Prints.", input_schema: { type: "object", properties: {} } }],
    });
  },
);

test.skipIf(!isInstalled())("a paused answer is sent back unchanged, and continues", async () => {
  const search = {
    type: "server_tool_use",
    id: "srvtoolu_1",
    name: "web_search",
    caller: { type: "direct" },
  };
  const page = {
    type: "web_search_result",
    url: "https://a.example/",
    title: "A",
    encrypted_content: "RU5D",
  };
  const searched = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [page] };
  const paused = [...text(0, "Let me see."), ...block(1, { ...search, input: {} }, ...json('{"query":"a"}'))];
  await using server = await serveAnthropic((_, number) =>
    toAnswer(
      number === 0
        ? [start, ...paused, ...end("pause_turn")]
        : [start, ...block(0, searched), ...text(1, "It is A."), ...end()],
    ),
  );
  const { chunks, error } = await drain(
    runTools({
      messages: [{ role: "user", content: "What is it?" }],
      tools: {},
      turn: ({ messages, signal }) => {
        const body = { ...basics, ...toAnthropicPrompt(messages) };
        return fromAnthropic(server.client.messages.create(body, { signal }), { signal });
      },
    }),
  );
  expect(error).toBeUndefined();
  expect((server.requests[1]!.body as { messages: unknown[] }).messages.slice(1)).toEqual([
    {
      role: "assistant",
      content: [
        { type: "text", text: "Let me see." },
        { ...search, input: { query: "a" } },
      ],
    },
  ]);
  expect(chunks).toContainEqual(expect.objectContaining({ type: "tool-call-result", content: [page] }));
  expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
});
