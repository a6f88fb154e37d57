import { isStreamChunk, type StreamChunk } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { describeProviderError } from "../../src/index.ts";
import { type AdapterOptions, fromOpenAIChat, type ModelTurn } from "../../src/openai.ts";
import { drain } from "./anthropic-answers.ts";

type Delta = Record<string, unknown>;

async function* give(events: unknown[]) {
  yield* events as object[];
}

const event = (delta: Delta, finish: string | null = null) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-5-mini",
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const end = (reason = "stop") => event({}, reason);
const toolCall = (index: number | undefined, fields: Delta, name?: string, text?: unknown) => ({
  ...(index !== undefined && { index }),
  ...fields,
  function: { ...(name !== undefined && { name }), ...(text !== undefined && { arguments: text }) },
});
const calls = (...pieces: unknown[]) => event({ tool_calls: pieces });

async function read(events: unknown[], options?: AdapterOptions) {
  const stream = fromOpenAIChat(give(events), options);
  const chunks: StreamChunk[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, turn: value as ModelTurn };
    chunks.push(value);
  }
}

/** The chunks without the facts, which come first, and without the end. */
async function partsOf(events: unknown[], options?: AdapterOptions) {
  const { chunks } = await read(events, options);
  return chunks.filter(({ type }) => type !== "metadata" && type !== "done");
}

/** What the readies and the failures of the calls are. */
async function callsOf(events: unknown[]) {
  const { chunks } = await read([...events, end("tool_calls")]);
  return chunks.flatMap((chunk) =>
    chunk.type === "tool-call-ready" ? [[chunk.toolCallId, chunk.tool, chunk.input]] : [],
  );
}

describe("texts", () => {
  test("deltas have the key of their response and their place, and the end has it too", async () => {
    const { chunks } = await read([
      event({ role: "assistant", content: "" }),
      event({ content: "Hel" }),
      event({ content: "lo" }),
      end(),
    ]);
    expect(chunks).toEqual([
      { type: "metadata", metadata: { openai: { id: "chatcmpl-1", model: "gpt-5-mini" } } },
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "Hel" },
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "lo" },
      { type: "text-end", segmentId: "chatcmpl-1:0" },
      { type: "done", finishReason: "stop" },
    ]);
  });

  test.each(["reasoning_content", "reasoning"])("%s ends before the first text", async (field) => {
    expect(await partsOf([event({ [field]: "Hm" }), event({ content: "Yes" }), end()])).toEqual([
      { type: "reasoning-delta", segmentId: "chatcmpl-1:0", delta: "Hm" },
      { type: "reasoning-end", segmentId: "chatcmpl-1:0", providerMetadata: { openai: { field } } },
      { type: "text-delta", segmentId: "chatcmpl-1:1", delta: "Yes" },
      { type: "text-end", segmentId: "chatcmpl-1:1" },
    ]);
  });

  test("reasoning ends before a call, and what is sent in both fields comes once", async () => {
    const events = [
      event({ reasoning: "Hm", reasoning_content: "Hm" }),
      calls(toolCall(0, { id: "a" }, "search", "{}")),
    ];
    expect((await partsOf([...events, end("tool_calls")])).map(({ type }) => type)).toEqual([
      "reasoning-delta",
      "reasoning-end",
      "tool-call-start",
      "tool-call-delta",
      "tool-call-ready",
    ]);
  });

  test("the pieces of a server's reasoning details are put together, and come with the end", async () => {
    const piece = (fields: Delta) => ({ type: "reasoning.text", index: 0, ...fields });
    const encrypted = { type: "reasoning.encrypted", data: "e", index: 1 };
    const chunks = await partsOf([
      event({ reasoning: "Let me ", reasoning_details: [piece({ text: "Let me ", signature: null })] }),
      event({ reasoning: "see.", reasoning_details: [piece({ text: "see.", signature: "s" })] }),
      event({ reasoning_details: [encrypted] }),
      event({ content: "Yes" }),
      end(),
    ]);
    expect(chunks.filter(({ type }) => type === "reasoning-end")).toEqual([
      {
        type: "reasoning-end",
        segmentId: "chatcmpl-1:0",
        providerMetadata: {
          openai: {
            field: "reasoning",
            reasoning_details: [piece({ text: "Let me see.", signature: "s" }), encrypted],
          },
        },
      },
    ]);
  });

  test("details of another text are an item of their own, and a later null takes nothing away", async () => {
    const piece = (index: number, text: string, signature: string | null) => ({
      reasoning: text,
      reasoning_details: [{ type: "reasoning.text", index, text, signature }],
    });
    const events = [piece(0, "A", "s"), piece(0, "B", null), piece(1, "C", null)].map((delta) =>
      event(delta),
    );
    expect((await partsOf([...events, end()])).at(-1)).toMatchObject({
      type: "reasoning-end",
      providerMetadata: {
        openai: {
          reasoning_details: [
            { index: 0, text: "AB", signature: "s" },
            { index: 1, text: "C" },
          ],
        },
      },
    });
  });

  test("what comes after the end of reasoning is with the next one, if there is one", async () => {
    const late = event({ content: "A", reasoning_details: [{ type: "reasoning.encrypted", data: "e" }] });
    const chunks = await partsOf([
      event({ reasoning: "Hm" }),
      event({ content: "A" }),
      late,
      event({ reasoning: "So" }),
      end(),
    ]);
    expect(chunks.some(({ type }) => type === "part-metadata")).toBe(false);
    expect(chunks.at(-1)).toMatchObject({
      type: "reasoning-end",
      segmentId: "chatcmpl-1:2",
      providerMetadata: { openai: { reasoning_details: [{ data: "e" }] } },
    });
  });

  test("reasoning that the server hides is an empty part, and what comes after its end is added to it", async () => {
    const [first, second] = ["1", "2"].map((data) => ({ type: "reasoning.encrypted", data }));
    const events = [
      event({ content: "Yes" }),
      event({ reasoning_details: [first] }),
      event({ reasoning_details: [second] }),
    ];
    expect(await partsOf([...events, end()])).toEqual([
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "Yes" },
      { type: "reasoning-start", segmentId: "chatcmpl-1:1" },
      {
        type: "reasoning-end",
        segmentId: "chatcmpl-1:1",
        providerMetadata: { openai: { reasoning_details: [first] } },
      },
      { type: "text-end", segmentId: "chatcmpl-1:0" },
      {
        type: "part-metadata",
        segmentId: "chatcmpl-1:1",
        providerMetadata: { openai: { reasoning_details: [first, second] } },
      },
    ]);
  });

  test("a refusal is a text of its own that is known as one from its first chunk", async () => {
    expect(await partsOf([event({ content: "Well" }), event({ refusal: "No." }), end()])).toEqual([
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "Well" },
      { type: "text-end", segmentId: "chatcmpl-1:0" },
      { type: "text-start", segmentId: "chatcmpl-1:1", providerMetadata: { openai: { refusal: true } } },
      { type: "text-delta", segmentId: "chatcmpl-1:1", delta: "No." },
      { type: "text-end", segmentId: "chatcmpl-1:1" },
    ]);
  });

  test("of speech, the transcript is the text, and its end has the id of the recording", async () => {
    const audio = (fields: Delta) => event({ audio: fields });
    const events = [
      audio({ id: "audio_1", transcript: "Hel", data: "AA==" }),
      audio({ transcript: "lo" }),
      audio({ expires_at: 9 }),
    ];
    expect(await partsOf([...events, end()])).toEqual([
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "Hel" },
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "lo" },
      {
        type: "text-end",
        segmentId: "chatcmpl-1:0",
        providerMetadata: { openai: { audio: { id: "audio_1", expires_at: 9 } } },
      },
    ]);
  });

  test("the first id and model of a response are its own, although its server sends others later", async () => {
    const other = { id: "chatcmpl-2", model: "gpt-5-nano" };
    const { chunks, turn } = await read([
      event({ content: "A" }),
      { ...event({ content: "B" }), ...other },
      { ...end(), ...other, usage: { prompt_tokens: 1 } },
    ]);
    expect(chunks.filter(({ type }) => type.startsWith("text-"))).toEqual([
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "A" },
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "B" },
      { type: "text-end", segmentId: "chatcmpl-1:0" },
    ]);
    const calls = await callsOf([{ ...event({}), ...other }, event({ function_call: { name: "f" } })]);
    expect(calls).toEqual([["chatcmpl-2:function_call", "f", {}]]);
    expect(turn.usageByModel).toEqual([{ provider: "openai", model: "gpt-5-mini", inputTokens: 1 }]);
  });

  test("the recording belongs to the transcript, and not to a text beside it", async () => {
    const events = [event({ audio: { id: "audio_1", transcript: "A" } }), event({ content: "B" }), end()];
    const ends = (await partsOf(events)).filter(({ type }) => type === "text-end");
    expect(ends).toEqual([
      {
        type: "text-end",
        segmentId: "chatcmpl-1:0",
        providerMetadata: { openai: { audio: { id: "audio_1" } } },
      },
      { type: "text-end", segmentId: "chatcmpl-1:1" },
    ]);
  });

  test("the pages that the text quotes are sources, and the end has their places", async () => {
    const quote = (url: string, fields: Delta) => ({
      type: "url_citation",
      url_citation: { url, ...fields },
    });
    const annotations = [
      quote("https://a.example", { title: "A", start_index: 0, end_index: 4 }),
      quote("https://b.example", { start_index: -1 }),
    ];
    expect(await partsOf([event({ content: "Rome" }), event({ annotations }), end()])).toEqual([
      { type: "text-delta", segmentId: "chatcmpl-1:0", delta: "Rome" },
      { type: "source", id: "https://a.example", url: "https://a.example", title: "A" },
      { type: "source", id: "https://b.example", url: "https://b.example" },
      {
        type: "text-end",
        segmentId: "chatcmpl-1:0",
        citations: [{ sourceId: "https://a.example", start: 0, end: 4 }, { sourceId: "https://b.example" }],
      },
    ]);
  });

  test("what one text quotes, the next one does not", async () => {
    const annotations = [{ type: "url_citation", url_citation: { url: "https://a.example" } }];
    const chunks = await partsOf([event({ content: "Rome", annotations }), event({ refusal: "No." }), end()]);
    expect(chunks.filter(({ type }) => type === "text-end")).toEqual([
      { type: "text-end", segmentId: "chatcmpl-1:0", citations: [{ sourceId: "https://a.example" }] },
      { type: "text-end", segmentId: "chatcmpl-1:1" },
    ]);
  });

  test("content may be a list of texts and thinking, as of Mistral", async () => {
    const onUnknown = vi.fn();
    const content = [
      { type: "thinking", thinking: [{ type: "text", text: "Hm" }] },
      { type: "text", text: "Yes" },
      { type: "reference", reference_ids: [1] },
    ];
    expect(await partsOf([event({ content }), end()], { onUnknown })).toEqual([
      { type: "reasoning-delta", segmentId: "chatcmpl-1:0", delta: "Hm" },
      { type: "reasoning-end", segmentId: "chatcmpl-1:0" },
      { type: "text-delta", segmentId: "chatcmpl-1:1", delta: "Yes" },
      { type: "text-end", segmentId: "chatcmpl-1:1" },
    ]);
    expect(onUnknown.mock.calls).toEqual([[{ content: [content[2]] }]]);
  });

  test("pictures are files, and other fields are passed over and reported", async () => {
    const onUnknown = vi.fn();
    const image = (url: string) => ({ type: "image_url", image_url: { url } });
    const delta = {
      images: [image("data:image/png;base64,AA=="), image("https://a.example/1.png")],
      extra_content: { google: {} },
      other: null,
    };
    expect(await partsOf([event(delta), end()], { onUnknown })).toEqual([
      { type: "file", mediaType: "image/png", url: "data:image/png;base64,AA==" },
    ]);
    expect(onUnknown.mock.calls).toEqual([
      [{ delta: { extra_content: { google: {} } } }],
      [{ images: [image("https://a.example/1.png")] }],
    ]);
  });

  test("a text after the finish is not lost", async () => {
    const chunks = await partsOf([event({ content: "A" }), end(), event({ content: "B" })]);
    expect(chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : chunk.type))).toEqual([
      "A",
      "B",
      "text-end",
    ]);
  });

  test("without an id of the response, keys still differ from those of another one", async () => {
    const chunk = { choices: [{ delta: { content: "A" }, finish_reason: "stop" }] };
    const keys = [await partsOf([chunk]), await partsOf([{ ...chunk, id: "" }])].map(([delta]) =>
      delta?.type === "text-delta" ? delta.segmentId : undefined,
    );
    expect(new Set(keys).size).toBe(2);
    expect(keys.every((key) => /^[\da-f-]{36}:0$/.test(key ?? ""))).toBe(true);
  });
});

describe("tool calls", () => {
  test("a call begins with its name, and is ready once, at the end", async () => {
    const { chunks, turn } = await read([
      calls(toolCall(0, { id: "call_1", type: "function" }, "search", "")),
      calls(toolCall(0, {}, undefined, '{"q":')),
      calls(toolCall(0, {}, undefined, '"Rome"}')),
      end("tool_calls"),
    ]);
    expect(chunks.slice(1)).toEqual([
      { type: "tool-call-start", tool: "search", toolCallId: "call_1" },
      { type: "tool-call-delta", toolCallId: "call_1", delta: '{"q":' },
      { type: "tool-call-delta", toolCallId: "call_1", delta: '"Rome"}' },
      { type: "tool-call-ready", tool: "search", toolCallId: "call_1", input: { q: "Rome" } },
      { type: "done", finishReason: "tool-calls" },
    ]);
    expect(turn.toolCalls).toEqual([{ tool: "search", toolCallId: "call_1", input: { q: "Rome" } }]);
  });

  test("calls may be interleaved, and stand beside text in one event", async () => {
    const events = [
      event({
        content: "Look",
        tool_calls: [toolCall(0, { id: "a" }, "search", '{"n"'), toolCall(1, { id: "b" }, "read", "{")],
      }),
      calls(toolCall(1, {}, undefined, "}"), toolCall(0, {}, undefined, ":1}")),
    ];
    expect(await callsOf(events)).toEqual([
      ["a", "search", { n: 1 }],
      ["b", "read", {}],
    ]);
  });

  test("no arguments at all are an empty object", async () => {
    expect(await callsOf([calls(toolCall(0, { id: "a" }, "now"))])).toEqual([["a", "now", {}]]);
  });

  test.each([
    [
      "the same index and another id",
      [toolCall(0, { id: "a" }, "f", "{}"), toolCall(0, { id: "b" }, "f", "{}")],
    ],
    [
      "no index and another id",
      [toolCall(undefined, { id: "a" }, "f", "{}"), toolCall(undefined, { id: "b" }, "f", "{}")],
    ],
  ])("another call: %s", async (_, [first, second]) => {
    const expected = [
      ["a", "f", {}],
      ["b", "f", {}],
    ];
    expect(await callsOf([calls(first, second)])).toEqual(expected);
    expect(await callsOf([calls(first), calls(second)])).toEqual(expected);
  });

  test.each([
    ["id", { id: "" }],
    ["id and no index", {}],
  ])(
    "another call without an %s: another name, a whole input before it, or the same event",
    async (name, fields) => {
      const index = name === "id" ? 0 : undefined;
      const piece = (tool: string, text: string) => toolCall(index, fields, tool, text);
      const inputs = async (events: unknown[]) =>
        (await callsOf(events)).map(([, tool, input]) => [tool, input]);
      expect(await inputs([calls(piece("f", "")), calls(piece("g", ""))])).toEqual([
        ["f", {}],
        ["g", {}],
      ]);
      expect(await inputs([calls(piece("f", '{"n":1}')), calls(piece("f", '{"n":2}'))])).toEqual([
        ["f", { n: 1 }],
        ["f", { n: 2 }],
      ]);
      expect(await inputs([calls(piece("f", ""), piece("f", ""))])).toEqual([
        ["f", {}],
        ["f", {}],
      ]);
      const ids = (await callsOf([calls(piece("f", ""), piece("f", ""))])).map(([id]) => id);
      expect(ids).toEqual(["chatcmpl-1:call-0", "chatcmpl-1:call-1"]);
    },
  );

  test.each([
    ["its name is repeated", { id: "" }, "f"],
    ["its id is repeated", { id: "a" }, undefined],
    ["its id and name are repeated", { id: "a" }, "f"],
    ["its id is empty", { id: "" }, undefined],
  ])("the same call goes ahead where %s", async (_, fields, name) => {
    const events = [calls(toolCall(0, { id: "a" }, "f", '{"n"')), calls(toolCall(0, fields, name, ":1}"))];
    expect(await callsOf(events)).toEqual([["a", "f", { n: 1 }]]);
  });

  test("without an index, pieces belong to the call of their id, or to the latest one", async () => {
    const events = [
      calls(toolCall(undefined, { id: "a" }, "f", "{"), toolCall(undefined, { id: "b" }, "g", '{"n"')),
      calls(toolCall(undefined, {}, undefined, ":1}"), toolCall(undefined, { id: "a" }, undefined, "}")),
    ];
    expect(await callsOf(events)).toEqual([
      ["a", "f", {}],
      ["b", "g", { n: 1 }],
    ]);
  });

  test("an id that comes after the name changes nothing, and the same id at another index is another call", async () => {
    expect(
      await callsOf([calls(toolCall(0, {}, "f")), calls(toolCall(0, { id: "a" }, undefined, "{}"))]),
    ).toEqual([["chatcmpl-1:call-0", "f", {}]]);
    expect(await callsOf([calls(toolCall(0, { id: "a" }, "f"), toolCall(1, { id: "a" }, "g"))])).toEqual([
      ["a", "f", {}],
      ["chatcmpl-1:call-1", "g", {}],
    ]);
  });

  test("an id that comes before the name, or with one that is repeated, begins another call", async () => {
    const first = toolCall(0, { id: "a" }, "f", "{}");
    const expected = [
      ["a", "f", {}],
      ["b", "g", {}],
    ];
    expect(
      await callsOf([calls(first), calls(toolCall(0, { id: "b" })), calls(toolCall(0, {}, "g"))]),
    ).toEqual(expected);
    expect(
      await callsOf([calls(toolCall(0, {}, "f", "{")), calls(toolCall(0, { id: "b" }, "f", "{}"))]),
    ).toEqual([["b", "f", {}]]);
    const custom = [
      calls({ index: 0, id: "a" }),
      calls({ index: 0, custom: { name: "shell", input: "ls" } }),
    ];
    expect(await callsOf(custom)).toEqual([["a", "shell", "ls"]]);
  });

  test("arguments may come before the name, and without one the call is unknown", async () => {
    const onUnknown = vi.fn();
    const events = [
      calls(toolCall(0, { id: "a" }, undefined, "{")),
      calls(toolCall(0, {}, "f", "}")),
      calls(toolCall(1, { id: "b" }, "", "{}")),
    ];
    expect(await partsOf([...events, end("tool_calls")], { onUnknown })).toEqual([
      { type: "tool-call-start", tool: "f", toolCallId: "a" },
      { type: "tool-call-delta", toolCallId: "a", delta: "{}" },
      { type: "tool-call-ready", tool: "f", toolCallId: "a", input: {} },
    ]);
    expect(onUnknown.mock.calls).toEqual([[{ tool_calls: [{ id: "b", function: { arguments: "{}" } }] }]]);
  });

  test("arguments may be an object", async () => {
    expect(await callsOf([calls(toolCall(undefined, { id: "a" }, "f", { n: 1 }))])).toEqual([
      ["a", "f", { n: 1 }],
    ]);
  });

  test("the input of a custom tool is a text, and no JSON", async () => {
    const custom = (fields: Delta) => calls({ index: 0, ...fields });
    const { chunks, turn } = await read([
      custom({ id: "a", type: "custom", custom: { name: "shell", input: "" } }),
      custom({ custom: { input: "ls" } }),
      end("tool_calls"),
    ]);
    expect(chunks.slice(1, -1)).toEqual([
      { type: "tool-call-start", tool: "shell", toolCallId: "a", inputFormat: "text" },
      { type: "tool-call-delta", toolCallId: "a", delta: "ls" },
      { type: "tool-call-ready", tool: "shell", toolCallId: "a", input: "ls" },
    ]);
    expect(turn.toolCalls).toEqual([{ tool: "shell", toolCallId: "a", input: "ls" }]);
  });

  test("the legacy form is a call with an id of ours, marked for the way back", async () => {
    const { chunks, turn } = await read([
      event({ function_call: { name: "search", arguments: '{"n"' } }),
      event({ function_call: { arguments: ":1}" } }),
      end("function_call"),
    ]);
    const toolCallId = "chatcmpl-1:function_call";
    expect(chunks.slice(1)).toEqual([
      { type: "tool-call-start", tool: "search", toolCallId },
      { type: "tool-call-delta", toolCallId, delta: '{"n"' },
      { type: "tool-call-delta", toolCallId, delta: ":1}" },
      {
        type: "tool-call-ready",
        tool: "search",
        toolCallId,
        input: { n: 1 },
        providerMetadata: { openai: { function_call: true } },
      },
      { type: "done", finishReason: "tool-calls" },
    ]);
    expect(turn.toolCalls.length).toBe(1);
  });

  test("what a server wants back with a call is on its ready", async () => {
    const extra = { extra_content: { google: { thought_signature: "s" } } };
    const chunks = await partsOf([calls(toolCall(0, { id: "a", ...extra }, "f", "{}")), end("tool_calls")]);
    expect(chunks.at(-1)).toMatchObject({ type: "tool-call-ready", providerMetadata: { openai: extra } });
  });

  test("an input that is not JSON fails the call, which the turn does not list; the reason stays", async () => {
    const { chunks, turn } = await read([calls(toolCall(0, { id: "a" }, "f", '{"n":')), end("tool_calls")]);
    expect(chunks.slice(-2)).toEqual([
      {
        type: "tool-call-error",
        tool: "f",
        toolCallId: "a",
        message: "The model wrote an input that is not JSON.",
        code: "invalid-input",
        input: '{"n":',
      },
      { type: "done", finishReason: "tool-calls" },
    ]);
    expect(turn.toolCalls).toEqual([]);
  });

  test("a call that was cut before its input is not one without arguments", async () => {
    const { chunks, turn } = await read([calls(toolCall(0, { id: "a" }, "delete_all")), end("length")]);
    expect(chunks.at(-2)).toMatchObject({ type: "tool-call-error", code: "invalid-input" });
    expect([turn.toolCalls, turn.finishReason]).toEqual([[], "length"]);
  });
});

describe("the end", () => {
  test.each([
    ["stop", "stop"],
    ["length", "length"],
    ["model_length", "length"],
    ["content_filter", "content-filter"],
    ["constructor", "other"],
    // There is no call that could go ahead.
    ["tool_calls", "other"],
  ])("%s is %s", async (reason, finishReason) => {
    expect((await read([end(reason)])).turn.finishReason).toBe(finishReason);
  });

  test("stop after a call is tool-calls, and the last of several reasons counts", async () => {
    const called = calls(toolCall(0, { id: "a" }, "f", "{}"));
    expect((await read([called, end("stop")])).turn.finishReason).toBe("tool-calls");
    expect((await read([end("stop"), end("length"), event({}), event({}, "")])).turn.finishReason).toBe(
      "length",
    );
  });

  test("the usage comes after the finish, and by the name of the model", async () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 3 },
    };
    const counts = {
      inputTokens: 10,
      outputTokens: 5,
      totalTokens: 15,
      reasoningTokens: 3,
      cachedInputTokens: 4,
      cacheWriteInputTokens: 2,
    };
    const { chunks, turn } = await read([
      end(),
      { id: "chatcmpl-1", model: "gpt-5-mini", choices: [], usage },
    ]);
    const usageByModel = [{ provider: "openai", model: "gpt-5-mini", ...counts }];
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop", usage: counts, usageByModel });
    expect(turn).toEqual({
      finishReason: "stop",
      usage: counts,
      usageByModel,
      model: "gpt-5-mini",
      toolCalls: [],
    });
  });

  test("Groq's usage beside the finish is known, and the later one of OpenAI's form counts", async () => {
    const first = { ...end(), x_groq: { id: "req_1", usage: { prompt_tokens: 9, completion_tokens: 2 } } };
    expect((await read([first])).turn.usage).toEqual({ inputTokens: 9, outputTokens: 2 });
    const second = { choices: [], usage: { prompt_tokens: 9, completion_tokens: 3 } };
    expect((await read([first, second])).turn.usage).toEqual({ inputTokens: 9, outputTokens: 3 });
  });

  test("DeepSeek's word for tokens from its cache is known", async () => {
    const usage = { prompt_tokens: 9, prompt_cache_hit_tokens: 4 };
    expect((await read([{ ...end(), usage }])).turn.usage).toEqual({ inputTokens: 9, cachedInputTokens: 4 });
  });

  test("usage in every event is cumulative, and one of zeros is left out", async () => {
    const usage = (prompt_tokens: number, completion_tokens: number) => ({
      prompt_tokens,
      completion_tokens,
    });
    const events = [
      { ...event({ content: "A" }), usage: usage(9, 1) },
      { ...end(), usage: usage(9, 2) },
    ];
    expect((await read(events)).turn.usage).toEqual({ inputTokens: 9, outputTokens: 2 });
    expect((await read([...events, { choices: [], usage: usage(0, 0) }])).turn.usage).toEqual({
      inputTokens: 9,
      outputTokens: 2,
    });
    expect((await read([{ ...end(), usage: usage(0, 0) }])).turn).toMatchObject({
      usage: undefined,
      usageByModel: undefined,
    });
  });

  test("the facts come once, and again when one is added", async () => {
    const { chunks } = await read([
      { id: "", model: "", choices: [], system_fingerprint: null },
      { ...event({ content: "A" }), service_tier: "default" },
      { ...event({}), id: "another", model: "another" },
      { ...end(), system_fingerprint: "fp" },
    ]);
    const openai = { id: "chatcmpl-1", model: "gpt-5-mini", service_tier: "default" };
    expect(chunks.filter(({ type }) => type === "metadata")).toEqual([
      { type: "metadata", metadata: { openai } },
      { type: "metadata", metadata: { openai: { ...openai, system_fingerprint: "fp" } } },
    ]);
  });

  test("one turn of a loop has no done", async () => {
    const { chunks } = await read([event({ content: "A" }), end()], { terminal: false });
    expect(chunks.at(-1)).toEqual({ type: "text-end", segmentId: "chatcmpl-1:0" });
  });
});

describe("failures", () => {
  test.each([
    ["in an event", { error: { message: "secret", code: 502 } }],
    [
      "in a choice",
      { choices: [{ index: 0, delta: {}, finish_reason: "error", error: { message: "secret", code: 502 } }] },
    ],
  ])("what a server reports %s is thrown after the text that came", async (_, failure) => {
    const stream = fromOpenAIChat(give([event({ content: "A" }), failure, end()]));
    await stream.next();
    expect((await stream.next()).value).toMatchObject({ delta: "A" });
    await expect(stream.next()).rejects.toMatchObject({
      name: "ProviderError",
      message: "OpenAI reports a failure: secret",
      status: 502,
      error: { message: "secret", code: 502 },
    });
  });

  test.each(["error", "insufficient_system_resource"])(
    "an answer that its server has broken off with %s is no whole one",
    async (reason) => {
      const stream = fromOpenAIChat(give([event({ content: "A" }), { ...end(reason) }]));
      const { chunks, error } = await drain(stream);
      expect(chunks.map(({ type }) => type)).toEqual(["metadata", "text-delta"]);
      expect(error).toMatchObject({
        name: "ProviderError",
        message: `OpenAI reports a failure: The answer was broken off (${reason}).`,
      });
      expect(describeProviderError(error)).toMatchObject({ code: "model-failed", retryable: true });
    },
  );

  test("an error without a shape is thrown too", async () => {
    await expect(read([{ error: "overloaded" }])).rejects.toThrow("OpenAI reports a failure: overloaded");
    await expect(read([{ error: { code: "x" } }])).rejects.toThrow('OpenAI reports a failure: {"code":"x"}');
  });

  test("a stream that ends without a finish was cut off", async () => {
    await expect(read([event({ content: "A" })])).rejects.toMatchObject({ name: "StreamTruncatedError" });
    await expect(read([])).rejects.toThrow("The stream of OpenAI ended too early");
  });

  test("an aborted signal is thrown with its reason, wherever the SDK notices", async () => {
    const reason = new Error("left");
    const silent = new AbortController();
    async function* endSilently() {
      yield event({ content: "A" });
      silent.abort(reason);
    }
    const stream = fromOpenAIChat(endSilently(), { signal: silent.signal });
    await stream.next();
    await stream.next();
    await expect(stream.next()).rejects.toBe(reason);

    const { signal } = silent;
    await expect(read([end()], { signal })).rejects.toBe(reason);
    const request = Promise.reject(new Error("Request was aborted."));
    await expect(fromOpenAIChat(request, { signal }).next()).rejects.toBe(reason);
  });

  test("a source that continues after an abort is left", async () => {
    const controller = new AbortController();
    const stream = fromOpenAIChat(
      give([event({ content: "A" }), event({ content: "B" }), end()]),
      controller,
    );
    await stream.next();
    expect((await stream.next()).value).toMatchObject({ delta: "A" });
    controller.abort(new Error("left"));
    await expect(stream.next()).rejects.toThrow("left");
  });

  test("a request that fails before the first chunk is requested is no unhandled rejection", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const failure = new Error("401");
    const stream = fromOpenAIChat(Promise.reject(failure));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    await expect(stream.next()).rejects.toBe(failure);
  });

  test("leaving leaves the SDK's stream", async () => {
    const left = vi.fn();
    async function* source() {
      try {
        yield event({ content: "A" });
        yield event({ content: "B" });
      } finally {
        left();
      }
    }
    for await (const { type } of fromOpenAIChat(Promise.resolve(source()))) if (type === "text-delta") break;
    expect(left).toHaveBeenCalledOnce();
  });

  test("other choices and what is no event are passed over, and reported", async () => {
    const onUnknown = vi.fn();
    const other = { index: 1, delta: { content: "B" }, finish_reason: "stop" };
    const both = { ...event({ content: "A" }), choices: [other, ...event({ content: "A" }).choices] };
    const chunks = await partsOf([both, null, { choices: null }, end()], { onUnknown });
    expect(chunks.map(({ type }) => type)).toEqual(["text-delta", "text-end"]);
    expect(onUnknown.mock.calls).toEqual([[other], [null]]);
    await expect(read([{ id: "1", choices: [other] }])).rejects.toThrow("too early");
  });
});

test("a stream that is cut anywhere keeps what came, and is never taken for the whole", async () => {
  const whole = [
    event({ role: "assistant", content: "" }),
    event({ reasoning_content: "Hm" }),
    event({ content: "Let me " }),
    event({ content: "look." }),
    calls(toolCall(0, { id: "a" }, "f", '{"n"'), toolCall(1, { id: "b" }, "g", "")),
    calls(toolCall(0, {}, undefined, ":1}")),
    end("tool_calls"),
    { id: "chatcmpl-1", choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } },
  ];
  const { chunks: all } = await read(whole);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: whole.length - 1 }), async (length) => {
      const chunks: StreamChunk[] = [];
      const stream = fromOpenAIChat(give(whole.slice(0, length)));
      const outcome = (async () => {
        for await (const chunk of stream) chunks.push(chunk);
      })();
      if (length < 7) await expect(outcome).rejects.toMatchObject({ name: "StreamTruncatedError" });
      else await outcome;
      const kept = length < 7 ? chunks : chunks.slice(0, -1);
      expect(kept).toEqual(all.slice(0, kept.length));
      expect(chunks.some(({ type }) => type === "done")).toBe(length >= 7);
    }),
  );
});

test("whatever the fields are, a stream yields valid chunks", async () => {
  const value = fc.oneof(
    fc.constantFrom(null, "", "x", 0, true),
    fc.object({ maxDepth: 2 }),
    fc.array(fc.jsonValue()),
  );
  const names = [
    "content",
    "refusal",
    "reasoning",
    "reasoning_details",
    "tool_calls",
    "function_call",
    "audio",
    "annotations",
    "images",
  ];
  const delta = fc.dictionary(fc.constantFrom(...names), value);
  await fc.assert(
    fc.asyncProperty(fc.array(delta), value, async (deltas, usage) => {
      const { chunks } = await read([
        ...deltas.map((each) => event(each)),
        { ...end(), usage },
        { choices: value },
      ]);
      expect(chunks.at(-1)?.type).toBe("done");
      expect(chunks.filter((chunk) => !isStreamChunk(chunk))).toEqual([]);
    }),
  );
});
