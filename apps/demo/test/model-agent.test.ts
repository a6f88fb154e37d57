import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { reduceMessage } from "@kortyx/client";
import { collectStream, type StreamChunk } from "@kortyx/server";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { createDocumentationIndex } from "../src/documentation-index.ts";
import { createModelAgent, type ModelAgentOptions } from "../src/model-agent.ts";
import { answerWith, begin, delta, finish, refuseWith, startModelServer, usage } from "./model-server.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

const apiKey = "sk-secret-0123456789";
const user = (content: string) => ({ role: "user" as const, content });

/** What is logged: the tests of failures look at it, and all others want none. */
let log: MockInstance<typeof console.error>;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  log.mockRestore();
});

async function createAgent(baseUrl: string, options: Partial<ModelAgentOptions> = {}) {
  const root = await createTemporaryFolder({
    "docs/kitchen.md": "# Kitchen\n\nThe stove is green.\n",
    "docs/garden.md": "# Garden\n\nThe roses are red.\n",
  });
  const endpoint = { baseUrl, apiKey, model: "tiny" };
  return createModelAgent({ endpoint, search: createDocumentationIndex(root).search, ...options });
}

async function ask(baseUrl: string, options?: Partial<ModelAgentOptions>) {
  const agent = await createAgent(baseUrl, options);
  return collectStream(agent.streamChat([user("Which colour has the stove?")], { sessionId: "s1" }));
}

const call = (index: number, id: string, name: string, text = "") =>
  delta({ tool_calls: [{ index, id, type: "function", function: { name, arguments: text } }] });
const more = (index: number, text: string) =>
  delta({ tool_calls: [{ index, function: { arguments: text } }] });

const head = [
  { type: "session", sessionId: "s1" },
  { type: "status", message: "Waiting for tiny" },
] as const;

describe("an answer", () => {
  test("is the text of the model, with its usage", async () => {
    const server = await startModelServer(
      answerWith(
        delta({ role: "assistant", content: "" }),
        delta({ content: "It is " }),
        delta({ content: "green." }),
        finish("stop"),
        usage(20, 5),
      ),
    );
    const segmentId = "round-1";
    expect(await ask(server.baseUrl)).toEqual([
      ...head,
      { type: "text-start", segmentId },
      { type: "text-delta", delta: "It is ", segmentId },
      { type: "text-delta", delta: "green.", segmentId },
      { type: "text-end", segmentId },
      {
        type: "done",
        finishReason: "stop",
        usage: { inputTokens: 20, outputTokens: 5, totalTokens: 25 },
      },
    ]);
    expect(log).not.toHaveBeenCalled();
  });

  test("is asked for with the key, the model, the conversation and the tool", async () => {
    const server = await startModelServer(answerWith(finish("stop")));
    await ask(server.baseUrl);
    const [request] = server.requests;
    expect(request).toMatchObject({
      method: "POST",
      url: "/v1/chat/completions",
      headers: { authorization: "Bearer sk-secret-0123456789", "content-type": "application/json" },
      body: {
        model: "tiny",
        stream: true,
        stream_options: { include_usage: true },
        tool_choice: "auto",
        tools: [{ type: "function", function: { name: "search_documentation" } }],
      },
    });
    expect(request?.body.messages).toEqual([
      { role: "system", content: expect.stringContaining("search_documentation") },
      { role: "user", content: "Which colour has the stove?" },
    ]);
  });

  test.each([
    ["stop", "stop"],
    ["length", "length"],
    ["content_filter", "content-filter"],
    ["insufficient_system_resource", "insufficient_system_resource"],
  ])("that ends with %s is done with %s", async (reason, finishReason) => {
    const server = await startModelServer(answerWith(delta({ content: "It" }), finish(reason)));
    expect((await ask(server.baseUrl)).at(-1)).toEqual({ type: "done", finishReason });
  });

  test("tells the model's reasoning apart from its text", async () => {
    const server = await startModelServer(
      answerWith(
        delta({ reasoning_content: "Let me " }),
        delta({ reasoning: "think." }),
        delta({ content: "Green." }),
        finish("stop"),
      ),
    );
    const segmentId = "round-1";
    expect((await ask(server.baseUrl)).slice(2, -1)).toEqual([
      { type: "reasoning-start", segmentId },
      { type: "reasoning-delta", delta: "Let me ", segmentId },
      { type: "reasoning-delta", delta: "think.", segmentId },
      { type: "reasoning-end", segmentId },
      { type: "text-start", segmentId },
      { type: "text-delta", delta: "Green.", segmentId },
      { type: "text-end", segmentId },
    ]);
  });

  test("is whole with a finish_reason, also when [DONE] never comes", async () => {
    const server = await startModelServer((response) => {
      begin(delta({ content: "Green." }), finish("stop"))(response);
      response.end();
    });
    expect((await ask(server.baseUrl)).at(-1)).toEqual({ type: "done", finishReason: "stop" });
  });

  test("is whole with a finish_reason, also when the connection hangs or breaks behind it", async () => {
    const events = [delta({ content: "Green." }), finish("stop"), usage(20, 5)];
    const hanging = await startModelServer(begin(...events));
    const breaking = await startModelServer((response) => {
      begin(...events)(response);
      response.write("data: ", () => response.destroy());
    });
    for (const { baseUrl } of [hanging, breaking]) {
      expect((await ask(baseUrl, { idleTimeoutMs: 100 })).at(-1)).toEqual({
        type: "done",
        finishReason: "stop",
        usage: { inputTokens: 20, outputTokens: 5, totalTokens: 25 },
      });
    }
  });

  test("does not depend on how the bytes are cut, and passes over comments and other fields", async () => {
    const text = `: keep-alive\n\nevent: x\nid: 1\ndata: ${JSON.stringify(delta({ content: "Grün 👋" }))}\r\n\r\ndata: ${JSON.stringify(finish("stop"))}\n\ndata: [DONE]\n\n`;
    const server = await startModelServer((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const byte of Buffer.from(text)) response.write(Buffer.of(byte));
      response.end();
    });
    expect(await ask(server.baseUrl)).toContainEqual({
      type: "text-delta",
      delta: "Grün 👋",
      segmentId: "round-1",
    });
  });

  test("passes over whatever is not what the API says", async () => {
    const server = await startModelServer(
      answerWith(
        { choices: null },
        { choices: [null] },
        { choices: [{ delta: null }] },
        delta({ content: 7, tool_calls: "none" }),
        delta({ tool_calls: [null, { function: 5 }] }),
        { usage: { prompt_tokens: "many" }, choices: [] },
        { error: null, choices: [{ delta: { content: "Green." }, finish_reason: "stop" }] },
      ),
    );
    const chunks = await ask(server.baseUrl);
    expect(chunks.filter((chunk) => chunk.type === "text-delta")).toEqual([
      { type: "text-delta", delta: "Green.", segmentId: "round-1" },
    ]);
  });
});

describe("a tool call", () => {
  const stove = call(0, "call_0", "search_documentation", '{"query":"stove"}');
  const toolCallId = expect.any(String);
  const tool = "search_documentation";

  test("is streamed in pieces, run, and answered; the text of the next round is another text", async () => {
    const server = await startModelServer(
      answerWith(
        delta({ content: "I search." }),
        call(0, "call_a", "search_documentation"),
        more(0, '{"que'),
        more(0, 'ry":"stove"}'),
        finish("tool_calls"),
        usage(20, 5),
      ),
      answerWith(delta({ content: "Green." }), finish("stop"), usage(40, 2)),
    );
    const chunks = await ask(server.baseUrl);
    expect(chunks).toEqual([
      ...head,
      { type: "text-start", segmentId: "round-1" },
      { type: "text-delta", delta: "I search.", segmentId: "round-1" },
      { type: "tool-call-start", tool, toolCallId },
      { type: "tool-call-delta", toolCallId, delta: '{"que' },
      { type: "tool-call-delta", toolCallId, delta: 'ry":"stove"}' },
      { type: "text-end", segmentId: "round-1" },
      { type: "tool-call-ready", tool, toolCallId, input: { query: "stove" } },
      {
        type: "tool-call-result",
        tool,
        toolCallId,
        content: [{ path: "docs/kitchen.md", heading: "Kitchen", score: expect.any(Number) }],
      },
      { type: "status", message: "Waiting for tiny" },
      { type: "text-start", segmentId: "round-2" },
      { type: "text-delta", delta: "Green.", segmentId: "round-2" },
      { type: "text-end", segmentId: "round-2" },
      {
        type: "source",
        id: "source-1",
        title: "docs/kitchen.md › Kitchen",
        url: "/docs/docs/kitchen.md",
      },
      {
        type: "done",
        finishReason: "stop",
        usage: { inputTokens: 60, outputTokens: 7, totalTokens: 67 },
      },
    ]);
    expect(server.requests[1]?.body.messages.slice(2)).toEqual([
      {
        role: "assistant",
        content: "I search.",
        tool_calls: [
          {
            id: "call_a",
            type: "function",
            function: { name: "search_documentation", arguments: '{"query":"stove"}' },
          },
        ],
      },
      {
        role: "tool",
        tool_call_id: "call_a",
        content: JSON.stringify([
          {
            document: "docs/kitchen.md",
            url: "/docs/docs/kitchen.md",
            text: "> **Kitchen**\n>\n> The stove is green.",
          },
        ]),
      },
    ]);
  });

  test("may be one of several, whose pieces come mixed", async () => {
    const server = await startModelServer(
      answerWith(
        call(0, "a", "search_documentation", '{"query":'),
        call(1, "b", "search_documentation", '{"query":"ro'),
        more(0, '"stove"}'),
        more(1, 'ses"}'),
        finish("tool_calls"),
      ),
      answerWith(delta({ content: "Done." }), finish("stop")),
    );
    const chunks = await ask(server.baseUrl);
    const calls = reduceMessage(chunks).parts.filter((part) => part.type === "tool-call");
    expect(calls.map(({ input, inputText, state }) => ({ input, inputText, state }))).toEqual([
      { input: { query: "stove" }, inputText: '{"query":"stove"}', state: "done" },
      { input: { query: "roses" }, inputText: '{"query":"roses"}', state: "done" },
    ]);
    expect(server.requests[1]?.body.messages.slice(3).map((message) => message.tool_call_id)).toEqual([
      "a",
      "b",
    ]);
    const titles = chunks.map((chunk) => (chunk.type === "source" ? chunk.title : undefined)).filter(Boolean);
    expect(titles).toEqual(["docs/kitchen.md › Kitchen", "docs/garden.md › Garden"]);
  });

  test("has an id of its own in each round, whatever the endpoint calls it", async () => {
    const server = await startModelServer(
      answerWith(stove, finish("tool_calls")),
      answerWith(stove, finish("stop")),
      answerWith(delta({ content: "Green." }), finish("stop")),
    );
    const chunks = await ask(server.baseUrl);
    const ids = chunks.flatMap((chunk) => (chunk.type === "tool-call-start" ? chunk.toolCallId : []));
    expect(new Set(ids).size).toBe(2);
    expect(chunks.filter(({ type }) => type === "source")).toHaveLength(1);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
  });

  test.each([
    [
      "input that is not JSON",
      '{"query":',
      'The input of the tool must be JSON: {"query": "…", "path": "…"}.',
    ],
    ["no query", '{"words":"stove"}', 'The input of the tool must be JSON: {"query": "…", "path": "…"}.'],
    ["a path without a file", '{"query":"stove","path":"/cellar"}', 'There is no Markdown at "cellar".'],
  ])("with %s fails; the model is told, and goes on", async (_, text, message) => {
    const server = await startModelServer(
      answerWith(call(0, "a", "search_documentation", text), finish("tool_calls")),
      answerWith(delta({ content: "Sorry." }), finish("stop")),
    );
    const chunks = await ask(server.baseUrl);
    expect(chunks).toContainEqual({ type: "tool-call-error", tool, toolCallId, message });
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
    const [said, result] = server.requests[1]!.body.messages.slice(2);
    expect(result).toEqual({ role: "tool", tool_call_id: "a", content: message });
    // What the endpoint gets back is always JSON: some parse it again.
    const [{ function: called }] = said!.tool_calls as [{ function: { arguments: string } }];
    expect(() => JSON.parse(called.arguments)).not.toThrow();
  });

  test("of a tool that is not there fails, and the model is told", async () => {
    const server = await startModelServer(
      answerWith(call(0, "a", "delete_everything", "{}"), finish("tool_calls")),
      answerWith(delta({ content: "Sorry." }), finish("stop")),
    );
    const message = 'There is no tool "delete_everything".';
    expect(await ask(server.baseUrl)).toContainEqual({
      type: "tool-call-error",
      tool: "delete_everything",
      toolCallId,
      message,
    });
    expect(server.requests[1]?.body.messages.at(-1)).toMatchObject({ role: "tool", content: message });
  });

  test("whose search fails is told without the reason", async () => {
    const server = await startModelServer(
      answerWith(stove, finish("tool_calls")),
      answerWith(delta({ content: "Sorry." }), finish("stop")),
    );
    const chunks = await ask(server.baseUrl, { search: () => Promise.reject(new Error("ENOENT")) });
    expect(chunks).toContainEqual({
      type: "tool-call-error",
      tool,
      toolCallId,
      message: "The search failed.",
    });
    expect(server.requests[1]?.body.messages.at(-1)).toMatchObject({ content: "The search failed." });
  });

  test("that was cut at the model's limit is not run", async () => {
    const server = await startModelServer(
      answerWith(call(0, "a", "search_documentation", '{"query":"sto'), finish("length")),
    );
    const chunks = await ask(server.baseUrl);
    expect(chunks.slice(-3).map(({ type }) => type)).toEqual(["tool-call-start", "tool-call-delta", "done"]);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "length" });
    expect(server.requests).toHaveLength(1);
  });

  test("is not asked for in the last round, and ends the answer when the model makes one all the same", async () => {
    const server = await startModelServer(answerWith(stove, finish("tool_calls")));
    const chunks = await ask(server.baseUrl, { maxRounds: 3 });
    expect(server.requests.map(({ body }) => body.tool_choice)).toEqual(["auto", "auto", "none"]);
    expect(chunks.filter(({ type }) => type === "tool-call-result")).toHaveLength(2);
    expect(chunks.at(-1)).toMatchObject({ type: "error", code: "model-too-many-rounds" });
  });
});

describe("a failure", () => {
  /** Asks, and looks at the two places where a failure is told. */
  async function failWith(baseUrl: string, options?: Partial<ModelAgentOptions>) {
    const chunks = await ask(baseUrl, options);
    const error = chunks.at(-1) as StreamChunk & { correlationId: string };
    expect(log).toHaveBeenCalledTimes(1);
    const [logged] = log.mock.calls[0] as [string];
    expect(logged).toContain(error.correlationId);
    expect(JSON.stringify(chunks) + logged).not.toContain(apiKey);
    const { correlationId: _, ...rest } = error;
    return { chunks, error: rest, logged };
  }

  test.each([
    [401, false, "model-unauthorized", "The model's endpoint did not accept OPENAI_API_KEY."],
    [403, false, "model-unauthorized", "The model's endpoint did not accept OPENAI_API_KEY."],
    [
      404,
      false,
      "model-not-found",
      "The endpoint does not know the model. Is OPENAI_MODEL right, and OPENAI_BASE_URL?",
    ],
    [400, false, "model-refused", "The model's endpoint refused the request."],
    [
      429,
      true,
      "model-rate-limited",
      "The model has too much to do, or its quota is used up. Please try again later.",
    ],
    [
      503,
      true,
      "model-unavailable",
      "The model's endpoint has a problem of its own. Please try again later.",
    ],
  ])(
    "with status %i is told in words; what the endpoint says is logged without the key",
    async (status, retryable, code, message) => {
      const server = await startModelServer(
        refuseWith(status, { error: { message: `Refused for ${apiKey} today.` } }),
      );
      const { chunks, error, logged } = await failWith(server.baseUrl);
      expect(error).toEqual({ type: "error", code, message, retryable });
      expect(chunks).toHaveLength(3);
      expect(logged).toContain(`Status ${status}`);
      expect(logged).toContain("Refused for … today.");
    },
  );

  test("with an endless refusal is logged by its beginning", async () => {
    const server = await startModelServer((response) => {
      response.writeHead(500);
      const write = () => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
      };
      response.on("drain", write);
      write();
    });
    const { error, logged } = await failWith(server.baseUrl);
    expect(error).toMatchObject({ code: "model-unavailable" });
    expect(logged.length).toBeLessThan(1000);
  });

  test("of a redirect does not take the key elsewhere", async () => {
    const other = await startModelServer(answerWith(finish("stop")));
    const server = await startModelServer(
      refuseWith(307, "", { location: `${other.baseUrl}/chat/completions` }),
    );
    expect((await failWith(server.baseUrl)).error).toMatchObject({ code: "model-refused" });
    expect(other.requests).toEqual([]);
  });

  test.each([
    ["a page", refuseWith(200, "<html>Welcome</html>", { "content-type": "text/html" })],
    ["a whole answer", refuseWith(200, { choices: [] })],
    ["an event that is not JSON", answerWith("data: Welcome\n\n")],
    ["an event of 2 MiB", begin(`data: "${"x".repeat(2 * 1024 * 1024)}`)],
  ])("in which the endpoint answers with %s is told", async (_, answer) => {
    const server = await startModelServer(answer);
    expect((await failWith(server.baseUrl)).error).toEqual({
      type: "error",
      code: "model-bad-answer",
      message: "The endpoint does not answer as a model would. Is OPENAI_BASE_URL right?",
      retryable: false,
    });
  });

  test("in the middle of an answer is told behind what there is", async () => {
    const server = await startModelServer(
      begin(delta({ content: "It is " }), { error: { message: `overloaded ${apiKey}`, code: 529 } }),
    );
    const { chunks, error, logged } = await failWith(server.baseUrl);
    expect(chunks).toContainEqual({ type: "text-delta", delta: "It is ", segmentId: "round-1" });
    expect(error).toEqual({
      type: "error",
      code: "model-failed",
      message: "The model failed while it answered.",
      retryable: true,
    });
    expect(logged).toContain("overloaded …");
  });

  test.each(["end", "destroy"] as const)(
    "of the connection (%s) is told: a cut answer is not a whole one",
    async (how) => {
      const server = await startModelServer((response) => {
        begin(delta({ content: "It is " }))(response);
        response.write(": on my way\n\n", () => response[how]());
      });
      const { chunks, error } = await failWith(server.baseUrl);
      expect(chunks).toContainEqual({ type: "text-delta", delta: "It is ", segmentId: "round-1" });
      expect(error).toEqual({
        type: "error",
        code: "model-cut",
        message: "The connection to the model broke before the answer was complete.",
        retryable: true,
      });
    },
  );

  test("to reach the endpoint is told", async () => {
    // A port that was free a moment ago.
    const other = createServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as { port: number };
    await once(other.close(), "close");
    const { error, logged } = await failWith(`http://127.0.0.1:${port}/v1`);
    expect(error).toEqual({
      type: "error",
      code: "model-unreachable",
      message: "The model's endpoint cannot be reached. Is OPENAI_BASE_URL right, and is it running?",
      retryable: true,
    });
    expect(logged).toContain("ECONNREFUSED");
  });

  test.each([
    ["before it answers", () => {}],
    ["in its headers", (response: ServerResponse) => void response.writeHead(401).write("x")],
    ["in its answer", begin(delta({ content: "It is " }))],
  ])("of an endpoint that hangs %s is told, and its connection closed", async (_, answer) => {
    const server = await startModelServer(answer);
    expect((await failWith(server.baseUrl, { idleTimeoutMs: 100 })).error).toEqual({
      type: "error",
      code: "model-timeout",
      message: "The model has stopped answering.",
      retryable: true,
    });
    await server.requests[0]?.closed;
  });
});

describe("an abort", () => {
  /** Reads until the model has said something, or until it was asked. */
  async function readUntil(stream: AsyncGenerator<StreamChunk>, type: string): Promise<void> {
    for (;;) {
      const { value, done } = await stream.next();
      if (done) throw new Error(`There is no ${type}.`);
      if (value.type === type) return;
    }
  }

  test.each([
    ["before its first byte", "status", () => {}],
    ["in the middle of its answer", "text-delta", begin(delta({ content: "It is " }))],
  ])("ends the request to the model %s at once, without an error", async (_, type, answer) => {
    const server = await startModelServer(answer);
    const agent = await createAgent(server.baseUrl);
    const abort = new AbortController();
    const stream = agent.streamChat([user("stove")], { signal: abort.signal });
    await readUntil(stream, type);
    const pending = stream.next();
    await vi.waitUntil(() => server.requests.length === 1);
    abort.abort();
    expect(await pending).toEqual({ done: true, value: undefined });
    await server.requests[0]?.closed;
    expect(log).not.toHaveBeenCalled();
  });

  test("is heard although nobody asks for the next chunk", async () => {
    const server = await startModelServer(begin(delta({ content: "It is " })));
    const agent = await createAgent(server.baseUrl);
    const abort = new AbortController();
    const stream = agent.streamChat([user("stove")], { signal: abort.signal });
    await readUntil(stream, "text-delta");
    abort.abort();
    await server.requests[0]?.closed;
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("is not needed: leaving the loop ends the request, too", async () => {
    const server = await startModelServer(begin(delta({ content: "It is " })));
    const agent = await createAgent(server.baseUrl);
    const stream = agent.streamChat([user("stove")], {});
    await readUntil(stream, "text-delta");
    await stream.return(undefined);
    await server.requests[0]?.closed;
  });

  test("that has happened already asks nobody", async () => {
    const server = await startModelServer(answerWith(finish("stop")));
    const agent = await createAgent(server.baseUrl);
    const stream = agent.streamChat([user("stove")], { signal: AbortSignal.abort() });
    expect(await collectStream(stream)).toEqual([]);
    expect(server.requests).toEqual([]);
  });
});

test("an answer to a question that the model never asked is refused", async () => {
  const server = await startModelServer(answerWith(finish("stop")));
  const agent = await createAgent(server.baseUrl);
  const resume = { requestId: "r1", resumeToken: "t1", answer: "a" };
  const chunks = await collectStream(agent.streamChat([user("stove")], { sessionId: "s1", resume }));
  expect(chunks.at(-1)).toMatchObject({ type: "error", code: "invalid-resume-token" });
  expect(server.requests).toEqual([]);
});
