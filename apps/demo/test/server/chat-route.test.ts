import type { ChatAgent, StreamChunk } from "@kortyx/server";
import { collectTranscript, createScriptedAgent } from "@kortyx/server/testing";
import { describe, expect, test, vi } from "vitest";
import { createApp } from "../../src/server/app.ts";

const chunks: StreamChunk[] = [
  { type: "session", sessionId: "s1" },
  { type: "text-delta", delta: "Hi" },
  { type: "done", finishReason: "stop" },
];

/** An agent that answers with given chunks; its calls are recorded. */
function createAgent(answer: readonly StreamChunk[] = chunks) {
  const streamChat = vi.fn<ChatAgent["streamChat"]>(async function* () {
    yield* answer;
  });
  return { streamChat };
}

const messages = [{ role: "user", content: "Hello" }];

function post(agent: ChatAgent, body: unknown, init: RequestInit = {}) {
  return createApp({ agent }).request("/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });
}

describe("a stream", () => {
  test("has exactly the headers of server-sent events", async () => {
    const response = await post(createAgent(), { messages });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      "cache-control": "no-cache",
      connection: "keep-alive",
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    await response.body?.cancel();
  });

  test("is one event for each chunk, and [DONE]", async () => {
    const response = await post(createAgent(), { messages });
    expect(await response.text()).toBe(
      'data: {"type":"session","sessionId":"s1"}\n\n' +
        'data: {"type":"text-delta","delta":"Hi"}\n\n' +
        'data: {"type":"done","finishReason":"stop"}\n\n' +
        "data: [DONE]\n\n",
    );
  });

  test("is made for the messages, the session and the workflow of the request", async () => {
    const agent = createAgent();
    await (await post(agent, { messages, sessionId: "s1", workflowId: "w1" })).text();
    expect(agent.streamChat.mock.calls).toEqual([
      [
        messages,
        expect.objectContaining({ sessionId: "s1", workflowId: "w1", signal: expect.any(AbortSignal) }),
      ],
    ]);
  });

  const createWaitingAgent = () =>
    createScriptedAgent([{ type: "text-delta", delta: "Hi" }, new Promise(() => {})]);

  test("stops the agent when the request is aborted", async () => {
    const agent = createWaitingAgent();
    const abort = new AbortController();
    const response = await post(agent, { messages }, { signal: abort.signal });
    const reader = response.body!.getReader();
    await reader.read();
    abort.abort();
    expect(await reader.read()).toEqual({ done: true, value: undefined });
    await expect.poll(() => agent.calls[0]!.isOpen).toBe(false);
  });

  test("stops the agent when the body is cancelled", async () => {
    const agent = createWaitingAgent();
    const response = await post(agent, { messages });
    await collectTranscript(response, { maxChunks: 1 });
    await expect.poll(() => agent.calls[0]!.isOpen).toBe(false);
  });
});

describe("without a stream", () => {
  test("the answer is one JSON object", async () => {
    const response = await post(createAgent(), { messages, stream: false });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({ chunks, text: "Hi", structured: [] });
  });

  test("a stream that ends on an error is a 500 with everything before it", async () => {
    const error = { type: "error", message: "No more." } as const;
    const response = await post(createAgent([...chunks.slice(0, 2), error]), { messages, stream: false });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      chunks: [...chunks.slice(0, 2), error],
      text: "Hi",
      structured: [],
      error,
    });
  });

  test("an agent that throws is a 500 that reveals nothing of it", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const agent: ChatAgent = {
      // biome-ignore lint/correctness/useYield: it fails before its first chunk
      async *streamChat() {
        throw new SyntaxError("secret");
      },
    };
    const response = await post(agent, { messages, stream: false });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: "Something went wrong on the server.",
      code: "internal",
      correlationId: expect.any(String),
    });
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });
});

describe("a bad request", () => {
  test("is refused with every wrong field, and starts nothing", async () => {
    const agent = createAgent();
    const response = await post(agent, { messages: [{ role: "robot", content: 7 }], stream: "no" });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      error: expect.stringMatching(/^Invalid chat request: messages\.0\.role must be one of /),
      code: "invalid-request",
      issues: [
        { path: "messages.0.role", expected: expect.any(String), received: "a string of 5 characters" },
        { path: "messages.0.content", expected: "a string", received: "a number" },
        { path: "stream", expected: "a boolean", received: "a string of 2 characters" },
      ],
    });
    expect(agent.streamChat).not.toHaveBeenCalled();
  });

  test.each(["", "{", "undefined"])("is a 400 when the body is not JSON: %j", async (body) => {
    const response = await post(createAgent(), body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: "Invalid chat request: the body is not JSON.",
      code: "invalid-json",
    });
  });

  test("is a 413 when the body is larger than 1 MiB", async () => {
    const content = "x".repeat(1024 * 1024);
    const response = await post(createAgent(), { messages: [{ role: "user", content }] });
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({
      error: "Your message is too large, together with its files and the conversation.",
      code: "body-too-large",
      issues: [{ path: "", expected: "at most 1048576 bytes", received: "more" }],
    });
  });

  test("is a 405 when it is not a POST", async () => {
    const response = await createApp({ agent: createAgent() }).request("/api/chat");
    expect(response.status).toBe(405);
  });
});
