import type { StreamChunk } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { type AnthropicEvent, fromAnthropic } from "../../src/adapters/anthropic.ts";
import { describeProviderError } from "../../src/adapters/describe-provider-error.ts";
import { block, drain, end, json, play, start, text } from "./anthropic-answers.ts";

/** The chunks without the metadata of the start and the `done`. */
async function contentOf(events: AnthropicEvent[]): Promise<StreamChunk[]> {
  const { chunks, error } = await drain(fromAnthropic(play([start(), ...events, ...end()])));
  expect(error).toBeUndefined();
  return chunks.slice(1, -1);
}

const turnOf = async (events: AnthropicEvent[]) => (await drain(fromAnthropic(play(events)))).turn!;

describe("an answer", () => {
  test("is its facts, its text and its end", async () => {
    const { chunks, turn } = await drain(
      fromAnthropic(play([start(), { type: "ping" }, ...text(0, "Hel", "", "lo"), ...end()])),
    );
    const usage = { inputTokens: 10, outputTokens: 20 };
    expect(chunks).toEqual([
      { type: "metadata", metadata: { anthropic: { id: "msg_1", model: "claude-test" } } },
      { type: "text-start", segmentId: "msg_1:0" },
      { type: "text-delta", segmentId: "msg_1:0", delta: "Hel" },
      { type: "text-delta", segmentId: "msg_1:0", delta: "lo" },
      { type: "text-end", segmentId: "msg_1:0" },
      {
        type: "done",
        finishReason: "stop",
        usage,
        usageByModel: [{ provider: "anthropic", model: "claude-test", ...usage }],
      },
    ]);
    expect(turn).toEqual({
      finishReason: "stop",
      usage,
      usageByModel: [{ provider: "anthropic", model: "claude-test", ...usage }],
      model: "claude-test",
      toolCalls: [],
    });
  });

  test("has no end of its own in a loop, and returns the same", async () => {
    const events = [start(), ...text(0, "Hello"), ...end()];
    const whole = await drain(fromAnthropic(play(events)));
    const inner = await drain(fromAnthropic(play(events), { terminal: false }));
    expect(inner.chunks).toEqual(whole.chunks.slice(0, -1));
    expect(inner.turn).toEqual(whole.turn);
  });

  test("may be a promise, as the SDK returns it", async () => {
    const { turn } = await drain(fromAnthropic(Promise.resolve(play([start(), ...end()]))));
    expect(turn?.finishReason).toBe("stop");
  });

  test("passes each delta on before the next event is read", async () => {
    const read = vi.fn();
    async function* events() {
      for (const event of [start(), ...text(0, "a", "b"), ...end()]) {
        read(event.type);
        yield event;
      }
    }
    for await (const chunk of fromAnthropic(events())) if (chunk.type === "text-delta") break;
    expect(read.mock.lastCall).toEqual(["content_block_delta"]);
    expect(read).toHaveBeenCalledTimes(3);
  });

  test("names its segments by itself if the response has no id", async () => {
    const first = await drain(fromAnthropic(play([...text(0, "a"), ...end()])));
    const second = await drain(fromAnthropic(play([...text(0, "a"), ...end()])));
    const keyOf = ([chunk]: StreamChunk[]) => chunk?.type === "text-start" && chunk.segmentId;
    expect(keyOf(first.chunks)).toMatch(/^.{36}:0$/);
    expect(keyOf(first.chunks)).not.toBe(keyOf(second.chunks));
  });
});

describe("the end", () => {
  test.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool-calls"],
    ["refusal", "content-filter"],
    ["pause_turn", "pause"],
    ["compaction", "pause"],
    ["something_new", "other"],
    [null, "other"],
  ])("of stop_reason %s has the finish reason %s", async (stop, finishReason) => {
    expect(await turnOf([start(), ...end(stop)])).toMatchObject({ finishReason });
  });

  test("is described in the words of the API where the finish reason is not all", async () => {
    const events = [
      start({
        input_tokens: 1,
        service_tier: "priority",
        inference_geo: "eu",
        speed: null,
        cache_creation: {},
      }),
      ...end("stop_sequence", { stop_sequence: "END" }),
    ];
    const { chunks } = await drain(fromAnthropic(play(events)));
    const facts = { id: "msg_1", model: "claude-test", service_tier: "priority", inference_geo: "eu" };
    expect(chunks.filter(({ type }) => type === "metadata")).toEqual([
      { type: "metadata", metadata: { anthropic: facts } },
      {
        type: "metadata",
        metadata: { anthropic: { ...facts, stop_reason: "stop_sequence", stop_sequence: "END" } },
      },
    ]);
  });

  test("of a refusal has its category, and closes a text that had not ended", async () => {
    const stop_details = { type: "refusal", category: "bio", explanation: null };
    const events = [start(), ...text(0, "Take").slice(0, -1), ...end("refusal", { stop_details })];
    const { chunks } = await drain(fromAnthropic(play(events)));
    expect(chunks.slice(-3)).toMatchObject([
      { type: "metadata", metadata: { anthropic: { id: "msg_1", stop_details } } },
      { type: "text-end", segmentId: "msg_1:0" },
      { type: "done", finishReason: "content-filter" },
    ]);
  });

  test("before message_stop is a truncated stream, wherever it comes, and keeps what had come", async () => {
    const events = [
      start(),
      ...block(0, { type: "thinking", thinking: "" }, { type: "thinking_delta", thinking: "Hm" }),
      ...text(1, "Let me", " look."),
      ...block(2, { type: "tool_use", id: "t1", name: "search", input: {} }, ...json("", '{"q":', '"a"}')),
      ...end("tool_use"),
    ];
    const { chunks: whole } = await drain(fromAnthropic(play(events)));
    await fc.assert(
      fc.asyncProperty(fc.nat(events.length - 1), async (length) => {
        const { chunks, error } = await drain(fromAnthropic(play(events.slice(0, length))));
        expect(error).toMatchObject({ name: "StreamTruncatedError" });
        expect(chunks).toEqual(whole.slice(0, chunks.length));
        const deltas = events.slice(0, length).filter((event) => event.type === "content_block_delta");
        const isDelta = ({ type }: StreamChunk) => type.endsWith("-delta");
        expect(chunks.filter(isDelta)).toHaveLength(
          deltas.filter(({ delta }) => delta.partial_json !== "").length,
        );
      }),
    );
  });
});

describe("a failure", () => {
  test("is thrown after the text that came, and never a chunk", async () => {
    const failure = new Error("terminated");
    async function* events() {
      yield* [start(), ...text(0, "Hel").slice(0, -1)];
      throw failure;
    }
    const { chunks, error } = await drain(fromAnthropic(events()));
    expect(error).toBe(failure);
    expect(chunks.at(-1)).toEqual({ type: "text-delta", segmentId: "msg_1:0", delta: "Hel" });
  });

  test("in an event of a reader without the SDK is thrown with its type", async () => {
    const event = { type: "error" as const, error: { type: "overloaded_error", message: "Overloaded" } };
    const { error } = await drain(fromAnthropic(play([start(), event])));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      message: "Anthropic reports a failure: Overloaded",
      type: "overloaded_error",
    });
    expect(describeProviderError(error)).toMatchObject({ code: "model-busy" });
  });

  test("of an aborted request is the reason of the signal", async () => {
    const reason = new Error("left");
    const signal = AbortSignal.abort(reason);
    const sdkError = Promise.reject(new Error("Request was aborted."));
    expect((await drain(fromAnthropic(sdkError, { signal }))).error).toBe(reason);
    // The SDK ends silently in the middle of a stream.
    expect((await drain(fromAnthropic(play([start(), ...text(0, "a")]), { signal }))).error).toBe(reason);
    // An answer that was aborted is not whole, even if all of it has come.
    expect((await drain(fromAnthropic(play([start(), ...end()]), { signal }))).error).toBe(reason);
  });

  test("to answer in time leaves the request when the loop does", async () => {
    const left = vi.fn();
    async function* events() {
      try {
        yield* [start(), ...text(0, "a", "b")];
      } finally {
        left();
      }
    }
    for await (const { type } of fromAnthropic(events())) if (type === "text-delta") break;
    expect(left).toHaveBeenCalledOnce();
  });
});

describe("usage", () => {
  test("includes the cache in the input, and counts thinking apart", async () => {
    const first = {
      input_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 1000,
      output_tokens: 1,
    };
    const events = [
      start(first),
      {
        type: "message_delta" as const,
        delta: { stop_reason: "end_turn" },
        usage: { output_tokens: 7, output_tokens_details: { thinking_tokens: 5 } },
      },
      { type: "message_stop" as const },
    ];
    expect((await turnOf(events)).usage).toEqual({
      inputTokens: 1110,
      outputTokens: 7,
      reasoningTokens: 5,
      cachedInputTokens: 100,
      cacheWriteInputTokens: 1000,
    });
  });

  test("is the latest total of each count; null changes none", async () => {
    const nothing = { input_tokens: null, output_tokens: 5, cache_read_input_tokens: null };
    const events = [
      start({ input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 }),
      { type: "message_delta" as const, delta: { stop_reason: "end_turn" }, usage: nothing },
      { type: "message_delta" as const, delta: {}, usage: { input_tokens: 30, output_tokens: 9 } },
      { type: "message_stop" as const },
    ];
    const turn = await turnOf(events);
    expect(turn.usage).toEqual({ inputTokens: 34, outputTokens: 9, cachedInputTokens: 4 });
    expect(turn.finishReason).toBe("stop");
  });

  test("is absent if the server counts nothing", async () => {
    const events = [start({ input_tokens: 0, output_tokens: 0 }), { type: "message_stop" as const }];
    expect(await turnOf(events)).toMatchObject({ usage: undefined, usageByModel: undefined });
    const { chunks } = await drain(fromAnthropic(play(events)));
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "other" });
  });
});

describe("thinking", () => {
  test("has its signature at its end", async () => {
    const deltas = [
      { type: "thinking_delta", thinking: "Let me " },
      { type: "thinking_delta", thinking: "see." },
      { type: "signature_delta", signature: "c2ln" },
    ];
    const blocks = block(0, { type: "thinking", thinking: "", signature: "" }, ...deltas);
    expect(await contentOf(blocks)).toEqual([
      { type: "reasoning-start", segmentId: "msg_1:0" },
      { type: "reasoning-delta", segmentId: "msg_1:0", delta: "Let me " },
      { type: "reasoning-delta", segmentId: "msg_1:0", delta: "see." },
      { type: "reasoning-end", segmentId: "msg_1:0", providerMetadata: { anthropic: { signature: "c2ln" } } },
    ]);
  });

  test("that is redacted is an empty piece of reasoning with what must be returned", async () => {
    expect(await contentOf(block(0, { type: "redacted_thinking", data: "RU5D" }))).toEqual([
      { type: "reasoning-start", segmentId: "msg_1:0" },
      {
        type: "reasoning-end",
        segmentId: "msg_1:0",
        providerMetadata: { anthropic: { type: "redacted_thinking", data: "RU5D" } },
      },
    ]);
  });
});

describe("a call", () => {
  const use = { type: "tool_use", id: "t1", name: "search", input: {} };

  test("has its input parsed, wherever its JSON is cut", async () => {
    const input = { q: "ü €", list: [1, { a: null }], text: 'a"\\b' };
    const whole = JSON.stringify(input);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(whole.length)), async (cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const pieces = bounds.slice(1).map((bound, index) => whole.slice(bounds[index], bound));
        const chunks = await contentOf(block(0, use, ...json("", ...pieces)));
        const deltas = chunks.filter((chunk) => chunk.type === "tool-call-delta");
        expect(deltas.map(({ delta }) => delta).join("")).toBe(whole);
        expect(deltas.every(({ delta }) => delta !== "")).toBe(true);
        expect(chunks.at(-1)).toEqual({ type: "tool-call-ready", tool: "search", toolCallId: "t1", input });
      }),
    );
  });

  test("is in the turn, to be run", async () => {
    const events = [start(), ...block(0, use, ...json('{"q":1}')), ...end("tool_use")];
    expect(await turnOf(events)).toMatchObject({
      finishReason: "tool-calls",
      toolCalls: [{ toolCallId: "t1", tool: "search", input: { q: 1 } }],
    });
  });

  test("without arguments has an empty input", async () => {
    const chunks = await contentOf(block(0, use, ...json("")));
    expect(chunks).toEqual([
      { type: "tool-call-start", tool: "search", toolCallId: "t1" },
      { type: "tool-call-ready", tool: "search", toolCallId: "t1", input: {} },
    ]);
  });

  test("may have its whole input at once, as compatible servers send it", async () => {
    const chunks = await contentOf(block(0, { ...use, input: { q: 1 } }));
    expect(chunks.at(-1)).toMatchObject({ type: "tool-call-ready", input: { q: 1 } });
  });

  test("whose input is not JSON fails, and the turn still ends for its calls", async () => {
    const events = [start(), ...block(0, use, ...json('{"q": "unfini')), ...end("tool_use")];
    const { chunks, turn } = await drain(fromAnthropic(play(events)));
    expect(chunks.at(-2)).toMatchObject({
      type: "tool-call-error",
      toolCallId: "t1",
      tool: "search",
      code: "invalid-input",
      input: '{"q": "unfini',
    });
    expect(turn).toMatchObject({ finishReason: "tool-calls", toolCalls: [] });
  });

  test("that a program or a toolset has made names it, to be returned", async () => {
    const caller = { type: "code_execution_20260120", tool_id: "srvtoolu_1" };
    const [begun] = await contentOf(block(0, { ...use, caller, toolset_name: "computer" }));
    expect(begun).toEqual({
      type: "tool-call-start",
      tool: "search",
      toolCallId: "t1",
      providerMetadata: { anthropic: { caller, toolset_name: "computer" } },
    });
  });

  test("that the answer ends within is never ready", async () => {
    const events = [...block(0, use, ...json('{"q"')).slice(0, -1)];
    expect((await contentOf(events)).map(({ type }) => type)).toEqual(["tool-call-start", "tool-call-delta"]);
  });
});

describe("a tool that Anthropic runs", () => {
  const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} };
  const page = {
    type: "web_search_result",
    url: "https://weather.example/berlin",
    title: "Berlin",
    encrypted_content: "RU5D",
    page_age: null,
  };

  test("has its call, its whole result, and its pages as sources, each once", async () => {
    const caller = { type: "direct" };
    const result = {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      caller,
      content: [page, page],
    };
    const chunks = await contentOf([
      ...block(0, { ...search, caller }, ...json('{"query":"Berlin"}')),
      ...block(1, result),
    ]);
    const call = { tool: "web_search", toolCallId: "srvtoolu_1" };
    const anthropic = { type: "server_tool_use", name: "web_search", caller };
    expect(chunks).toEqual([
      { type: "tool-call-start", ...call, executor: "provider", providerMetadata: { anthropic } },
      { type: "tool-call-delta", ...call, delta: '{"query":"Berlin"}' },
      { type: "tool-call-ready", ...call, input: { query: "Berlin" }, executor: "provider" },
      {
        type: "tool-call-result",
        ...call,
        content: [page, page],
        providerMetadata: { anthropic: { type: "web_search_tool_result", caller } },
      },
      { type: "source", id: page.url, url: page.url, title: "Berlin" },
    ]);
    const turn = await turnOf([start(), ...block(0, search, ...json("{}")), ...end("pause_turn")]);
    expect(turn).toMatchObject({ finishReason: "pause", toolCalls: [] });
  });

  test("may fail: its result is marked", async () => {
    const content = { type: "web_search_tool_result_error", error_code: "max_uses_exceeded" };
    const result = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content };
    const chunks = await contentOf([...block(0, search), ...block(1, result)]);
    expect(chunks.at(-1)).toMatchObject({ type: "tool-call-result", content, isError: true });
  });

  test("has its input as a text if that is not JSON: its result is the failure", async () => {
    const chunks = await contentOf(block(0, search, ...json('{"query')));
    expect(chunks.at(-1)).toMatchObject({ type: "tool-call-ready", input: '{"query' });
  });

  test("may fetch one page, which is a source, too", async () => {
    const content = {
      type: "web_fetch_result",
      url: "https://weather.example/",
      content: { type: "document", title: "Weather", source: {} },
    };
    const result = { type: "web_fetch_tool_result", tool_use_id: "srvtoolu_1", content };
    const chunks = await contentOf(block(0, result));
    expect(chunks).toMatchObject([
      { type: "tool-call-result", tool: "web_fetch", content },
      { type: "source", id: "https://weather.example/", url: "https://weather.example/", title: "Weather" },
    ]);
  });

  test("may belong to an MCP server", async () => {
    const use = { type: "mcp_tool_use", id: "mcptoolu_1", name: "echo", server_name: "tools", input: {} };
    const content = [{ type: "text", text: "No." }];
    const result = { type: "mcp_tool_result", tool_use_id: "mcptoolu_1", is_error: true, content };
    const call = { tool: "echo", toolCallId: "mcptoolu_1" };
    expect(await contentOf([...block(0, use, ...json("{}")), ...block(1, result)])).toMatchObject([
      {
        type: "tool-call-start",
        ...call,
        executor: "provider",
        isDynamic: true,
        providerMetadata: { anthropic: { type: "mcp_tool_use", name: "echo", server_name: "tools" } },
      },
      { type: "tool-call-delta" },
      { type: "tool-call-ready", ...call, executor: "provider" },
      {
        type: "tool-call-result",
        ...call,
        content,
        isError: true,
        providerMetadata: { anthropic: { type: "mcp_tool_result", is_error: true } },
      },
    ]);
  });

  test("may have made a file, which only Anthropic has", async () => {
    expect(await contentOf(block(0, { type: "container_upload", file_id: "file_1" }))).toEqual([
      {
        type: "file",
        id: "msg_1:0",
        mediaType: "application/octet-stream",
        url: "",
        providerReference: { anthropic: "file_1" },
        providerMetadata: { anthropic: { type: "container_upload" } },
      },
    ]);
  });
});

describe("a text with quotes", () => {
  const web = {
    type: "web_search_result_location",
    url: "https://weather.example/",
    title: "Weather",
    cited_text: "21 °C",
    encrypted_index: "RW8",
  };
  const pdf = {
    type: "page_location",
    cited_text: "sunny",
    document_index: 1,
    document_title: "Report",
    file_id: null,
    start_page_number: 2,
    end_page_number: 3,
  };
  const quoted = (index: number, said: string, ...citations: object[]) =>
    block(
      index,
      { type: "text", text: "", citations: [] },
      { type: "text_delta", text: said },
      ...citations.map((citation) => ({ type: "citations_delta", citation })),
    );

  test("is one segment, although the API cuts its sentences into blocks", async () => {
    const chunks = await contentOf([
      ...text(0, "It is "),
      ...quoted(1, "21 °C", web),
      ...quoted(2, " and sunny", pdf, web),
      ...text(3, "."),
    ]);
    const segmentId = "msg_1:0";
    expect(chunks).toEqual([
      { type: "text-start", segmentId },
      { type: "text-delta", segmentId, delta: "It is " },
      { type: "text-delta", segmentId, delta: "21 °C" },
      { type: "source", id: web.url, url: web.url, title: "Weather" },
      { type: "text-delta", segmentId, delta: " and sunny" },
      { type: "source", id: "document:1", title: "Report", mediaType: "application/pdf" },
      { type: "text-delta", segmentId, delta: "." },
      {
        type: "text-end",
        segmentId,
        citations: [
          {
            sourceId: web.url,
            start: 6,
            end: 11,
            quote: "21 °C",
            providerMetadata: { anthropic: { type: web.type, url: web.url, title: "Weather" } },
          },
          {
            sourceId: "document:1",
            start: 11,
            end: 21,
            quote: "sunny",
            providerMetadata: { anthropic: expect.objectContaining({ start_page_number: 2 }) },
          },
          expect.objectContaining({ sourceId: web.url, start: 11, end: 21 }),
        ],
        providerMetadata: {
          anthropic: {
            blocks: [
              { end: 6 },
              { end: 11, citations: [web] },
              { end: 21, citations: [pdf, web] },
              { end: 22 },
            ],
          },
        },
      },
    ]);
  });

  test("that is a single block quotes with all of it", async () => {
    const chunks = await contentOf(quoted(0, "Sunny", web));
    expect(chunks.at(-1)).toMatchObject({ citations: [{ sourceId: web.url, quote: "21 °C" }] });
    expect(chunks.at(-1)).not.toHaveProperty("citations.0.start");
  });

  test.each([
    [
      { type: "char_location", document_index: 0, document_title: "Notes" },
      { id: "document:0", title: "Notes", mediaType: "text/plain" },
    ],
    [
      { type: "page_location", document_index: 0, file_id: "file_1" },
      { id: "file_1", mediaType: "application/pdf" },
    ],
    [{ type: "content_block_location", document_index: 2, document_title: null }, { id: "document:2" }],
    [
      { type: "search_result_location", source: "https://a.example/", title: "A" },
      { id: "https://a.example/", url: "https://a.example/", title: "A" },
    ],
    [
      { type: "search_result_location", source: "kb/12", title: "A" },
      { id: "kb/12", title: "A" },
    ],
  ])("names its source: %o", async (location, source) => {
    const chunks = await contentOf(quoted(0, "Sunny", { ...location, cited_text: "sun" }));
    expect(chunks.filter(({ type }) => type === "source")).toEqual([{ type: "source", ...source }]);
    expect(chunks.at(-1)).toMatchObject({ citations: [{ sourceId: source.id, quote: "sun" }] });
  });

  test("keeps a quote of an unknown kind for the provider, and reports it", async () => {
    const onUnknown = vi.fn();
    const citation = { type: "video_location", second: 3 };
    const { chunks } = await drain(
      fromAnthropic(play([start(), ...quoted(0, "Sunny", citation), ...end()]), { onUnknown }),
    );
    expect(onUnknown).toHaveBeenCalledOnce();
    expect(chunks.at(-2)).toEqual({
      type: "text-end",
      segmentId: "msg_1:0",
      providerMetadata: { anthropic: { blocks: [{ end: 5, citations: [citation] }] } },
    });
  });

  test("ends where anything else begins", async () => {
    const chunks = await contentOf([...text(0, "a"), ...block(1, { type: "thinking" }), ...text(2, "b")]);
    expect(chunks.map((chunk) => [chunk.type, (chunk as { segmentId?: string }).segmentId])).toEqual([
      ["text-start", "msg_1:0"],
      ["text-delta", "msg_1:0"],
      ["text-end", "msg_1:0"],
      ["reasoning-start", "msg_1:1"],
      ["reasoning-end", "msg_1:1"],
      ["text-start", "msg_1:2"],
      ["text-delta", "msg_1:2"],
      ["text-end", "msg_1:2"],
    ]);
  });
});

test("blocks that run at the same time keep their own texts", async () => {
  const [startA, a1, a2, stopA] = text(0, "a1", "a2");
  const [startB, b1, stopB] = text(1, "b1");
  const use = block(2, { type: "tool_use", id: "t1", name: "search", input: {} }, ...json("{}"));
  const events = [startA!, a1!, startB!, b1!, ...use.slice(0, 1), a2!, stopA!, stopB!, ...use.slice(1)];
  const chunks = await contentOf([...events, ...text(3, "c")]);
  expect(chunks.map((chunk) => [chunk.type, (chunk as { segmentId?: string }).segmentId])).toEqual([
    ["text-start", "msg_1:0"],
    ["text-delta", "msg_1:0"],
    ["text-start", "msg_1:1"],
    ["text-delta", "msg_1:1"],
    ["tool-call-start", undefined],
    ["text-delta", "msg_1:0"],
    ["text-end", "msg_1:0"],
    ["text-end", "msg_1:1"],
    ["tool-call-delta", undefined],
    ["tool-call-ready", undefined],
    ["text-start", "msg_1:3"],
    ["text-delta", "msg_1:3"],
    ["text-end", "msg_1:3"],
  ]);
});

test("blocks of the beta API that only have to be returned are data", async () => {
  const delta = {
    type: "compaction_delta",
    content: "They spoke of the weather.",
    encrypted_content: "RU5D",
  };
  const compaction = { type: "compaction", content: null, signature: "c2ln" };
  expect(await contentOf(block(0, compaction, delta))).toEqual([
    {
      type: "data",
      name: "anthropic.compaction",
      id: "msg_1:0",
      data: {
        type: "compaction",
        content: "They spoke of the weather.",
        encrypted_content: "RU5D",
        signature: "c2ln",
      },
      providerMetadata: { anthropic: { type: "compaction" } },
    },
  ]);
});

test("what this version does not know is reported once and changes nothing else", async () => {
  const onUnknown = vi.fn();
  const unknown = { type: "hologram_delta", text: "x" };
  const events = [
    start(),
    { type: "future_event" } as unknown as AnthropicEvent,
    ...block(0, { type: "hologram" }, unknown, { type: "text_delta", text: "x" }),
    ...block(1, { type: "text", text: "" }, unknown, { type: "text_delta", text: "Hello" }),
    { type: "content_block_delta" as const, index: 7, delta: { type: "text_delta", text: "x" } },
    { type: "content_block_stop" as const, index: 7 },
    ...end(),
  ];
  const { chunks } = await drain(fromAnthropic(play(events), { onUnknown }));
  const plain = await drain(fromAnthropic(play([start(), ...text(1, "Hello"), ...end()])));
  expect(chunks).toEqual(plain.chunks);
  expect(onUnknown.mock.calls.map(([event]) => [event.type, event.index])).toEqual([
    ["future_event", undefined],
    ["content_block_start", 0],
    ["content_block_delta", 1],
    ["content_block_delta", 7],
  ]);
});
