import type { ServerResponse } from "node:http";
import { reduceMessage } from "@kortyx/client";
import {
  type ChatAgentOptions,
  type ChatMessage,
  collectStream,
  type StreamChunk,
  toChatMessages,
} from "@kortyx/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createModelAgent, readModelEndpoint } from "../../src/agent/model-agent.ts";
import { createSearch } from "../../src/agent/search.ts";
import { answerWith, begin, delta, finish, refuseWith, startModelServer, usage } from "../model-server.ts";

const apiKey = "sk-secret-0123456789";
const search = createSearch(new Map([["kitchen.md", "# Kitchen\n\nThe stove is green.\n"]]));

const question: ChatMessage = { role: "user", content: "What colour is the stove?" };
const open = (baseUrl: string, options: ChatAgentOptions = {}, messages = [question]) =>
  createModelAgent({ endpoint: { baseUrl, apiKey, model: "tiny" }, search }).streamChat(
    messages,
    options,
  ) as AsyncGenerator<StreamChunk>;
const ask = (baseUrl: string) => collectStream(open(baseUrl));

const call = (index: number, id: string, name: string, text = "") =>
  delta({ tool_calls: [{ index, id, type: "function", function: { name, arguments: text } }] });
const more = (index: number, text: string) =>
  delta({ tool_calls: [{ index, function: { arguments: text } }] });
const stove = call(0, "call_0", "search_documentation", '{"query":"stove"}');

let log: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => log.mockRestore());

describe("an answer", () => {
  test("is requested with the texts that the user has attached, and without answers that have no text", async () => {
    const server = await startModelServer(answerWith(delta({ content: "Blue." }), finish("stop")));
    const file = {
      type: "file",
      name: "a.md",
      mediaType: "text/markdown",
      url: "data:text/markdown;base64,SXQgaXMgYmx1ZS4=",
    } as const;
    const messages: ChatMessage[] = [
      { ...question, parts: [{ type: "text", text: question.content }, file] },
      { role: "assistant", content: "" },
      { role: "user", content: "And now?" },
    ];
    await collectStream(open(server.baseUrl, {}, messages));
    const { messages: sent } = server.requests[0]!.body;
    expect(sent.slice(1)).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "What colour is the stove?" },
          { type: "text", text: "a.md:\n\nIt is blue." },
        ],
      },
      { role: "user", content: "And now?" },
    ]);
  });

  test("is the text of the model with its reasoning and usage, requested with the key, the model and the tool", async () => {
    const server = await startModelServer(
      answerWith(
        delta({ role: "assistant", content: "" }),
        delta({ reasoning_content: "Let me " }),
        delta({ reasoning: "think." }),
        delta({ content: "It is " }),
        delta({ content: "green." }),
        finish("stop"),
        usage(20, 5),
      ),
    );
    const [reasoning, answer] = [expect.stringMatching(/:0$/), expect.stringMatching(/:1$/)];
    const tokens = { inputTokens: 20, outputTokens: 5, totalTokens: 25 };
    expect(await ask(server.baseUrl)).toEqual([
      { type: "step-start", stepId: "step-1" },
      { type: "status", message: "Waiting for tiny" },
      { type: "reasoning-delta", delta: "Let me ", segmentId: reasoning },
      { type: "reasoning-delta", delta: "think.", segmentId: reasoning },
      { type: "reasoning-end", segmentId: reasoning, providerMetadata: expect.anything() },
      { type: "text-delta", delta: "It is ", segmentId: answer },
      { type: "text-delta", delta: "green.", segmentId: answer },
      { type: "text-end", segmentId: answer },
      { type: "step-end", stepId: "step-1", finishReason: "stop", usage: tokens },
      {
        type: "done",
        finishReason: "stop",
        usage: tokens,
        usageByModel: [{ provider: "openai", ...tokens }],
      },
    ]);
    const [request] = server.requests;
    expect(request).toMatchObject({
      method: "POST",
      url: "/v1/chat/completions",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
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
      { role: "user", content: "What colour is the stove?" },
    ]);
  });

  test.each([
    ["length", "length"],
    ["content_filter", "content-filter"],
  ])("that ends with %s is done with %s", async (reason, finishReason) => {
    const server = await startModelServer(answerWith(delta({ content: "It" }), finish(reason)));
    expect((await ask(server.baseUrl)).at(-1)).toEqual({ type: "done", finishReason });
  });

  test("is complete with a finish_reason, also without [DONE]", async () => {
    const server = await startModelServer((response) => {
      begin(delta({ content: "Green." }), finish("stop"))(response);
      response.end();
    });
    expect((await ask(server.baseUrl)).at(-1)).toEqual({ type: "done", finishReason: "stop" });
  });
});

describe("a tool call", () => {
  const tool = "search_documentation";

  test("is streamed in pieces, run, and answered; its result is a source", async () => {
    const server = await startModelServer(
      answerWith(call(0, "call_a", tool), more(0, '{"que'), more(0, 'ry":"stove"}'), finish("tool_calls")),
      answerWith(delta({ content: "Green." }), finish("stop")),
    );
    const content = [{ url: "/docs/kitchen.md", heading: "Kitchen", text: "The stove is green." }];
    const segmentId = expect.any(String);
    const toolCallId = "call_a";
    expect(await ask(server.baseUrl)).toEqual([
      { type: "step-start", stepId: "step-1" },
      { type: "status", message: "Waiting for tiny" },
      { type: "tool-call-start", tool, toolCallId },
      { type: "tool-call-delta", toolCallId, delta: '{"que' },
      { type: "tool-call-delta", toolCallId, delta: 'ry":"stove"}' },
      { type: "tool-call-ready", tool, toolCallId, input: { query: "stove" } },
      { type: "tool-call-result", tool, toolCallId, content },
      { type: "step-end", stepId: "step-1", finishReason: "tool-calls" },
      { type: "step-start", stepId: "step-2" },
      { type: "status", message: "Waiting for tiny" },
      { type: "text-delta", delta: "Green.", segmentId },
      { type: "text-end", segmentId },
      { type: "step-end", stepId: "step-2", finishReason: "stop" },
      { type: "source", id: "kitchen.md#Kitchen", title: "kitchen.md › Kitchen", url: "/docs/kitchen.md" },
      { type: "done", finishReason: "stop" },
    ]);
    const input = '{"query":"stove"}';
    const called = { id: "call_a", type: "function", function: { name: tool, arguments: input } };
    expect(server.requests[1]?.body.messages.slice(2)).toEqual([
      { role: "assistant", content: null, tool_calls: [called] },
      { role: "tool", tool_call_id: "call_a", content: JSON.stringify(content) },
    ]);
  });

  test("may be one of several, whose pieces arrive mixed, with an id of its own", async () => {
    const server = await startModelServer(
      answerWith(
        call(0, "a", tool, '{"query":'),
        call(1, "a", tool, '{"query":"ro'),
        more(0, '"stove"}'),
        more(1, 'ses"}'),
        finish("tool_calls"),
      ),
      answerWith(delta({ content: "Done." }), finish("stop")),
    );
    const ready = (await ask(server.baseUrl)).filter((chunk) => chunk.type === "tool-call-ready");
    expect(ready.map(({ input }) => input)).toEqual([{ query: "stove" }, { query: "roses" }]);
    expect(new Set(ready.map((chunk) => chunk.toolCallId)).size).toBe(2);
  });

  test.each([
    ["input that is not JSON", tool, '{"query":', "The model wrote an input that is not JSON."],
    ["the wrong input", tool, '{"query":5}', "The input is invalid. query: "],
    ["another tool", "delete_everything", "{}", 'There is no tool "delete_everything".'],
  ])("with %s fails; the model learns of it, and answers", async (_, name, text, message) => {
    const server = await startModelServer(
      answerWith(call(0, "a", name, text), finish("tool_calls")),
      answerWith(delta({ content: "Sorry." }), finish("stop")),
    );
    const chunks = await ask(server.baseUrl);
    const error = { type: "tool-call-error", tool: name, message: expect.stringContaining(message) };
    expect(chunks).toContainEqual(expect.objectContaining(error));
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
    const [said, result] = server.requests[1]!.body.messages.slice(2);
    expect(result).toEqual({
      role: "tool",
      tool_call_id: "a",
      content: expect.stringContaining(`Error: ${message}`),
    });
    const [{ function: called }] = said!.tool_calls as [{ function: { arguments: string } }];
    expect(() => JSON.parse(called.arguments)).not.toThrow();
  });

  test("of the page's own tool waits for the page, and the answer continues with its result", async () => {
    const server = await startModelServer(
      answerWith(call(0, "call_a", "read_clock", "{}"), finish("tool_calls")),
      answerWith(delta({ content: "It is noon." }), finish("stop")),
    );
    const clock = { name: "read_clock", description: "The time where the user is." };
    const chunks = await collectStream(open(server.baseUrl, { tools: [clock] }));
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "tool-calls" });
    expect(server.requests[0]?.body.tools).toMatchObject([
      { function: { name: "search_documentation" } },
      { function: clock },
    ]);
    const waiting = toChatMessages([{ ...reduceMessage(chunks), id: "m", role: "assistant" }]);
    const result = { toolCallId: "call_a", tool: "read_clock", content: "12:00" };
    const options: ChatAgentOptions = { trigger: "continue", tools: [clock], toolResults: [result] };
    const rest = await collectStream(open(server.baseUrl, options, [question, ...waiting]));
    expect(rest).toContainEqual({ type: "tool-call-result", ...result });
    expect(rest.at(-1)).toEqual({ type: "done", finishReason: "stop" });
    expect(server.requests[1]?.body.messages.at(-1)).toEqual({
      role: "tool",
      tool_call_id: "call_a",
      content: "12:00",
    });
  });

  test("that was cut at the model's limit is not run", async () => {
    const server = await startModelServer(answerWith(call(0, "a", tool, '{"query":"sto'), finish("length")));
    expect((await ask(server.baseUrl)).at(-1)).toEqual({ type: "done", finishReason: "length" });
    expect(server.requests).toHaveLength(1);
  });

  test("is not offered in the last of five rounds", async () => {
    const server = await startModelServer(answerWith(stove, finish("tool_calls")));
    const chunks = await ask(server.baseUrl);
    const choices = server.requests.map(({ body }) => body.tool_choice);
    expect(choices).toEqual(["auto", "auto", "auto", "auto", "none"]);
    expect(chunks.filter(({ type }) => type === "source")).toHaveLength(1);
    expect(chunks.at(-1)).toMatchObject({ type: "done" });
  });
});

describe("a failure", () => {
  const unreachable = {
    code: "model-unreachable",
    message: "The model's endpoint cannot be reached, or does not answer as a model. Check OPENAI_BASE_URL.",
    retryable: true,
  };
  const cutOff = {
    code: "model-cut-off",
    message: "The answer was cut off. Please try again.",
    retryable: true,
  };
  const cut = (response: ServerResponse) => {
    begin(delta({ content: "It is " }))(response);
    response.end();
  };
  const broken = (response: ServerResponse) => {
    begin(delta({ content: "It is " }))(response);
    response.write("data: {", () => response.destroy());
  };

  test.each([
    [
      "a refused key",
      refuseWith(401, `Not ${apiKey}`),
      { code: "model-failed", message: "The model's endpoint refuses OPENAI_API_KEY." },
    ],
    [
      "an unknown model",
      refuseWith(404, {}),
      {
        code: "model-failed",
        message: "The endpoint does not know the model. Check OPENAI_MODEL and OPENAI_BASE_URL.",
      },
    ],
    [
      "a full quota",
      refuseWith(429, { error: { code: "insufficient_quota" } }),
      { code: "model-failed", message: "The quota of OPENAI_API_KEY is used up." },
    ],
    [
      "too many questions",
      refuseWith(429, {}, { "retry-after": "7" }),
      {
        code: "model-busy",
        message: "The model is busy. Please try again later.",
        retryable: true,
        retryAfterMs: 7000,
      },
    ],
    [
      "a picture that the model cannot see",
      refuseWith(400, {}),
      {
        code: "model-failed",
        message:
          "The model's endpoint refused the request. Perhaps the model cannot read a file that is attached.",
      },
    ],
    [
      "a failure of the endpoint",
      refuseWith(500, {}),
      { code: "model-failed", message: "The model has failed. Please try again.", retryable: true },
    ],
    [
      "another status",
      refuseWith(418, {}),
      { code: "model-failed", message: "The model's endpoint refused the request with status 418." },
    ],
    ["a redirect", refuseWith(307, "", { location: "http://127.0.0.1:9/" }), unreachable],
    ["an event that is not JSON", answerWith(`data: Not ${apiKey}\n\n`), unreachable],
    [
      "an error mid-answer",
      begin({ error: `Not ${apiKey}` }),
      { code: "model-failed", message: "The model failed while it answered." },
    ],
    ["an answer that is cut", cut, cutOff],
    ["a connection that breaks", broken, cutOff],
  ])("such as %s is explained to the user, and logged once without the key", async (_, answer, error) => {
    const server = await startModelServer(answer);
    const chunks = await ask(server.baseUrl);
    expect(chunks.at(-1)).toEqual({ type: "error", ...error, correlationId: expect.any(String) });
    expect(log).toHaveBeenCalledTimes(1);
    expect(JSON.stringify([chunks, log.mock.calls])).not.toContain(apiKey);
    expect(server.requests).toHaveLength(1);
  });

  test("an endpoint that does not exist is named as the cause", async () => {
    expect((await ask("http://127.0.0.1:9/v1")).at(-1)).toMatchObject(unreachable);
  });
});

describe("an abort", () => {
  test("ends the request to the model at once, and is not a failure of the model", async () => {
    const server = await startModelServer(begin(delta({ content: "It is " })));
    const abort = new AbortController();
    const stream = open(server.baseUrl, { signal: abort.signal });
    while ((await stream.next()).value.type !== "text-delta");
    abort.abort();
    await expect(stream.next()).rejects.toThrow("aborted");
    await server.requests[0]?.closed;
    expect(log).not.toHaveBeenCalled();
  });

  test("is not needed: leaving the loop ends the request, too", async () => {
    const server = await startModelServer(begin(delta({ content: "It is " })));
    const stream = open(server.baseUrl);
    while ((await stream.next()).value.type !== "text-delta");
    await stream.return(undefined);
    await server.requests[0]?.closed;
  });
});

describe("the endpoint", () => {
  const env = {
    OPENAI_BASE_URL: "http://localhost:11434/v1/",
    OPENAI_API_KEY: " sk-secret ",
    OPENAI_MODEL: "qwen3:0.6b",
  };

  test("is three variables, or none", () => {
    expect(readModelEndpoint(env)).toEqual({
      baseUrl: "http://localhost:11434/v1",
      apiKey: "sk-secret",
      model: "qwen3:0.6b",
    });
    expect(readModelEndpoint({ OPENAI_MODEL: " " })).toBeUndefined();
    expect(() => readModelEndpoint({ ...env, OPENAI_API_KEY: " " })).toThrow("OPENAI_API_KEY missing: ");
  });

  test.each([
    "localhost:11434",
    "ftp://localhost",
    "http://user:hunter2@localhost/v1",
    "http://localhost?key=hunter2",
  ])("at %s is refused, and the address is not repeated", (address) => {
    const read = () => readModelEndpoint({ ...env, OPENAI_BASE_URL: address });
    expect(read).toThrow("OPENAI_BASE_URL is not an address such as https://api.openai.com/v1.");
    expect(read).not.toThrow("hunter2");
  });
});
