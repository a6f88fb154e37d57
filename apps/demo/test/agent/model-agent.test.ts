import type { ServerResponse } from "node:http";
import { type ChatAgentOptions, type ChatMessage, collectStream, type StreamChunk } from "@kortyx/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createModelAgent } from "../../src/agent/model-agent.ts";
import { readModelEndpoint } from "../../src/agent/model-completion.ts";
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
      url: "data:,It%20is%20blue.",
    } as const;
    const messages: ChatMessage[] = [
      { ...question, parts: [{ type: "text", text: question.content }, file] },
      { role: "assistant", content: "" },
      { role: "user", content: "And now?" },
    ];
    await collectStream(open(server.baseUrl, {}, messages));
    const { messages: sent } = server.requests[0]!.body;
    expect(sent.slice(1)).toEqual([
      { role: "user", content: "What colour is the stove?\n\na.md:\n\nIt is blue." },
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
    const segmentId = "round-1";
    expect(await ask(server.baseUrl)).toEqual([
      { type: "status", message: "Waiting for tiny" },
      { type: "reasoning-delta", delta: "Let me ", segmentId },
      { type: "reasoning-delta", delta: "think.", segmentId },
      { type: "text-delta", delta: "It is ", segmentId },
      { type: "text-delta", delta: "green.", segmentId },
      {
        type: "done",
        finishReason: "stop",
        usage: { inputTokens: 20, outputTokens: 5, totalTokens: 25 },
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
  const toolCallId = expect.any(String);

  test("is streamed in pieces, run, and answered; its result is a source", async () => {
    const server = await startModelServer(
      answerWith(call(0, "call_a", tool), more(0, '{"que'), more(0, 'ry":"stove"}'), finish("tool_calls")),
      answerWith(delta({ content: "Green." }), finish("stop")),
    );
    const content = [{ page: "kitchen.md", heading: "Kitchen", score: expect.any(Number) }];
    expect(await ask(server.baseUrl)).toEqual([
      { type: "status", message: "Waiting for tiny" },
      { type: "tool-call-start", tool, toolCallId },
      { type: "tool-call-delta", toolCallId, delta: '{"que' },
      { type: "tool-call-delta", toolCallId, delta: 'ry":"stove"}' },
      { type: "tool-call-ready", tool, toolCallId, input: { query: "stove" } },
      { type: "tool-call-result", tool, toolCallId, content },
      { type: "status", message: "Waiting for tiny" },
      { type: "text-delta", delta: "Green.", segmentId: "round-2" },
      { type: "source", id: "kitchen.md#Kitchen", title: "kitchen.md › Kitchen", url: "/docs/kitchen.md" },
      { type: "done", finishReason: "stop" },
    ]);
    const input = '{"query":"stove"}';
    const called = { id: "call_a", type: "function", function: { name: tool, arguments: input } };
    const found = [{ url: "/docs/kitchen.md", heading: "Kitchen", text: "The stove is green." }];
    expect(server.requests[1]?.body.messages.slice(2)).toEqual([
      { role: "assistant", content: null, tool_calls: [called] },
      { role: "tool", tool_call_id: "call_a", content: JSON.stringify(found) },
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
    ["input that is not JSON", tool, '{"query":'],
    ["another tool", "delete_everything", "{}"],
  ])("with %s fails; the model learns of it, and answers", async (_, name, text) => {
    const server = await startModelServer(
      answerWith(call(0, "a", name, text), finish("tool_calls")),
      answerWith(delta({ content: "Sorry." }), finish("stop")),
    );
    const chunks = await ask(server.baseUrl);
    const message = 'Only search_documentation can be called, with {"query": "…"}.';
    expect(chunks).toContainEqual({ type: "tool-call-error", tool: name, toolCallId, message });
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
    const [said, result] = server.requests[1]!.body.messages.slice(2);
    expect(result).toEqual({ role: "tool", tool_call_id: "a", content: "The search failed." });
    const [{ function: called }] = said!.tool_calls as [{ function: { arguments: string } }];
    expect(() => JSON.parse(called.arguments)).not.toThrow();
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
  const unreachable =
    "The model's endpoint cannot be reached, or does not answer as a model. Check OPENAI_BASE_URL.";
  const cut = (response: ServerResponse) => {
    begin(delta({ content: "It is " }))(response);
    response.end();
  };

  test.each([
    ["a refused key", refuseWith(401, `Not ${apiKey}`), "The model's endpoint refuses OPENAI_API_KEY."],
    [
      "an unknown model",
      refuseWith(404, {}),
      "The endpoint does not know the model. Check OPENAI_MODEL and OPENAI_BASE_URL.",
    ],
    [
      "a full quota",
      refuseWith(429, {}),
      "The model is busy, or its quota is used up. Please try again later.",
    ],
    ["another status", refuseWith(500, {}), "The model's endpoint refused the request with status 500."],
    ["a redirect", refuseWith(307, "", { location: "http://127.0.0.1:9/" }), unreachable],
    ["an event that is not JSON", answerWith("data: Welcome\n\n"), unreachable],
    ["an error mid-answer", begin({ error: `Not ${apiKey}` }), "The model failed while it answered."],
    ["an answer that is cut", cut, "The model's answer was cut off."],
  ])("such as %s is explained to the user, and logged without the key", async (_, answer, message) => {
    const server = await startModelServer(answer);
    const chunks = await ask(server.baseUrl);
    const correlationId = expect.any(String);
    expect(chunks.at(-1)).toEqual({ type: "error", code: "model-failed", message, correlationId });
    expect(log).toHaveBeenCalledTimes(1);
    expect(JSON.stringify([chunks, log.mock.calls])).not.toContain(apiKey);
  });

  test("an endpoint that does not exist is named as the cause", async () => {
    expect((await ask("http://127.0.0.1:9/v1")).at(-1)).toMatchObject({ message: unreachable });
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
