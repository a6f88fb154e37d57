/** fromOpenAIChat with the package `openai`, on a loopback server that speaks its wire. */
import { describeProviderError, type StreamChunk, toSSE } from "@kortyx/server";
import {
  fromOpenAIChat,
  type ModelTurn,
  type OpenAIChatEvent,
  toOpenAIChatMessages,
  toOpenAIChatTools,
} from "@kortyx/server/openai";
import type { OpenAI as Client } from "openai";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { testTable } from "./kit/doc-tables.ts";
import { type ProviderServer, type ScriptedAnswer, serveProvider, toFrames } from "./kit/provider-server.ts";

const { default: OpenAI } = isInstalled() ? await import("openai") : ({} as never);

type Delta = Record<string, unknown>;
const event = (delta: Delta, finish_reason: string | null = null, fields: Delta = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-5-mini",
  choices: [{ index: 0, delta, finish_reason, logprobs: null }],
  ...fields,
});
const frames = (...events: unknown[]) => toFrames(events);
const hello = frames(
  event({ role: "assistant", content: "" }),
  event({ content: "Hel" }),
  event({ content: "lo" }),
);

const servers: ProviderServer[] = [];
async function serve(answer: Parameters<typeof serveProvider>[0]) {
  const server = await serveProvider(answer);
  servers.push(server);
  return { ...server, openai: new OpenAI({ baseURL: server.url, apiKey: "key", maxRetries: 0 }) };
}

/** The types of this call are those of the SDK: its stream is assignable to what the adapter takes. */
const ask = (openai: Client, options: { signal?: AbortSignal } = {}) =>
  fromOpenAIChat(
    openai.chat.completions.create(
      {
        model: "gpt-5-mini",
        messages: toOpenAIChatMessages([{ role: "user", content: "Hello" }]),
        tools: toOpenAIChatTools([{ name: "locate", description: "Where the user is" }]),
        stream: true,
        stream_options: { include_usage: true },
      },
      options,
    ),
    options,
  );

async function read(stream: AsyncGenerator<StreamChunk, ModelTurn>) {
  const chunks: StreamChunk[] = [];
  try {
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return { chunks, turn: value };
      chunks.push(value);
    }
  } catch (error) {
    return { chunks, error };
  }
}

const textOf = (chunks: StreamChunk[]) =>
  chunks.flatMap((chunk) => (chunk.type === "text-delta" ? [chunk.delta] : [])).join("");

async function typesOf(events: unknown[]) {
  const { openai } = await serve({ pieces: [...frames(...events)] });
  const { chunks } = await read(ask(openai));
  return chunks.map(({ type }) => type);
}

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => log.mockClear());
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe.skipIf(!isInstalled())("fromOpenAIChat", () => {
  test("the SDK's types are those that the adapter takes", () => {
    const toEvent = (sdkEvent: Client.Chat.Completions.ChatCompletionChunk): OpenAIChatEvent => sdkEvent;
    const toMessages = (
      messages: ReturnType<typeof toOpenAIChatMessages>,
    ): Client.Chat.Completions.ChatCompletionMessageParam[] => messages;
    expect([toEvent, toMessages]).toHaveLength(2);
  });

  test("the whole answer of two interleaved calls, with split arguments", async () => {
    const call = (index: number, fields: Delta) => ({ index, ...fields });
    const { openai, requests } = await serve({
      pieces: [
        ...hello,
        ...frames(
          event({
            tool_calls: [call(0, { id: "a", type: "function", function: { name: "locate", arguments: "" } })],
          }),
          event({
            tool_calls: [
              call(1, { id: "b", type: "function", function: { name: "locate", arguments: '{"n"' } }),
            ],
          }),
          event({ tool_calls: [call(0, { function: { arguments: "{}" } })] }),
          event({ tool_calls: [call(1, { function: { arguments: ":1}" } })] }),
          event({}, "tool_calls"),
          event({}, null, {
            choices: [],
            usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 },
          }),
        ),
        "data: [DONE]\n\n",
      ],
    });
    const { chunks, turn } = await read(ask(openai));
    expect(turn).toEqual({
      finishReason: "tool-calls",
      usage: { inputTokens: 2, outputTokens: 1, totalTokens: 3 },
      usageByModel: [
        { provider: "openai", model: "gpt-5-mini", inputTokens: 2, outputTokens: 1, totalTokens: 3 },
      ],
      model: "gpt-5-mini",
      toolCalls: [
        { tool: "locate", toolCallId: "a", input: {} },
        { tool: "locate", toolCallId: "b", input: { n: 1 } },
      ],
    });
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason: "tool-calls" });
    expect(requests[0]!.body).toMatchObject({
      messages: [{ role: "user", content: "Hello" }],
      tools: [{ type: "function", function: { name: "locate", description: "Where the user is" } }],
    });
  });

  test.each([
    [
      "an error",
      { pieces: [...hello, ...frames({ error: { message: "secret", type: "server_error" } })] },
      "model-failed",
    ],
    ["a cut socket", { pieces: hello, end: "cut" }, "model-cut-off"],
    ["a clean end too early", { pieces: hello }, "model-cut-off"],
  ] satisfies [string, ScriptedAnswer, string][])("%s is thrown after the text", async (_, answer, code) => {
    const { openai } = await serve(answer);
    const { chunks, error } = await read(ask(openai));
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.some(({ type }) => type === "done" || type === "error")).toBe(false);
    expect(describeProviderError(error)).toMatchObject({ code, retryable: true });

    const masked = await toSSE(ask(openai)).text();
    expect(masked).toContain('"delta":"lo"');
    expect(masked).toContain('"code":"internal"');
    expect(masked).not.toMatch(/"done"|secret/);
    expect(log).toHaveBeenCalledOnce();
    const described = await toSSE(ask(openai), { onError: describeProviderError }).text();
    expect(described).toContain(`"code":"${code}"`);
    expect(described.match(/"type":"error"/g)).toHaveLength(1);
    expect(described).not.toMatch(/"done"|secret/);
  });

  test.each([
    [
      429,
      { error: { type: "tokens", code: "rate_limit_exceeded" } },
      { code: "model-busy", retryAfterMs: 7000 },
    ],
    [429, { error: { code: "insufficient_quota" } }, undefined],
    [500, {}, { code: "model-failed" }],
    [
      400,
      { error: { code: "context_length_exceeded" } },
      { code: "conversation-too-long", retryable: false },
    ],
    [401, { error: { code: "invalid_api_key" } }, undefined],
    [404, {}, undefined],
  ])("the status %i of %o is described", async (status, body, description) => {
    const headers = { "content-type": "application/json", "retry-after": "7" };
    const { openai } = await serve({ status, headers, pieces: [JSON.stringify(body)] });
    const { error } = await read(ask(openai));
    if (description) expect(describeProviderError(error)).toMatchObject(description);
    else expect(describeProviderError(error)).toBeUndefined();
  });

  test("a server that does not listen cannot be reached, nor one that takes too long; an abort is no failure", async () => {
    const { url, close } = await serve({ pieces: [] });
    await close();
    const { error } = await read(ask(new OpenAI({ baseURL: url, apiKey: "key", maxRetries: 0 })));
    expect(describeProviderError(error)).toMatchObject({ code: "model-unreachable", retryable: true });

    const timeout = new OpenAI.APIConnectionTimeoutError();
    expect(describeProviderError(timeout)).toMatchObject({ code: "model-unreachable" });
    expect(describeProviderError(new OpenAI.APIUserAbortError())).toBeUndefined();
  });

  test("an abort before the headers, or in mid-stream, is the signal's reason, and closes the request", async () => {
    const reason = new Error("left");
    const before = new AbortController();
    let arrived: () => void = () => {};
    const hasArrived = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { openai, requests } = await serve((_, number) => {
      arrived();
      return { pieces: number === 0 ? [() => new Promise(() => {})] : hello, end: "open" };
    });
    before.abort(reason);
    expect(await read(ask(openai, { signal: before.signal }))).toEqual({ chunks: [], error: reason });

    const middle = new AbortController();
    const outcome = read(ask(openai, { signal: middle.signal }));
    await hasArrived;
    middle.abort(reason);
    expect((await outcome).error).toBe(reason);
    await requests[0]!.left;
  });

  test("a signal that is aborted in mid-stream is thrown after what came", async () => {
    const reason = new Error("left");
    const controller = new AbortController();
    const { openai, requests } = await serve({ pieces: hello, end: "open" });
    const stream = ask(openai, { signal: controller.signal });
    const seen: StreamChunk[] = [];
    await expect(async () => {
      for await (const chunk of stream) {
        seen.push(chunk);
        if (chunk.type === "text-delta" && chunk.delta === "lo") controller.abort(reason);
      }
    }).rejects.toBe(reason);
    expect(textOf(seen)).toBe("Hello");
    await requests[0]!.left;
  });

  test("leaving the loop closes the request, and so does a client that leaves the response", async () => {
    const { openai, requests } = await serve({ pieces: hello, end: "open" });
    for await (const { type } of ask(openai)) if (type === "text-delta") break;
    await requests[0]!.left;

    const body = toSSE(({ signal }) => ask(openai, { signal })).body!.pipeThrough(new TextDecoderStream());
    for await (const piece of body) if (piece.includes('"delta":"lo"')) break;
    await requests[1]!.left;
  });
});

describe.skipIf(!isInstalled())("the table", () => {
  const call = (fields: Delta) => event({ tool_calls: [{ index: 0, id: "a", ...fields }] });
  const json = (text: string) => ({ type: "function", function: { name: "f", arguments: text } });
  /** Of a failure, what is yielded before it. */
  const rowOf =
    (...events: unknown[]) =>
    async () =>
      (await typesOf([...events, ...(events.length > 0 ? [event({}, "stop")] : [])])).filter(
        (type) => type !== "metadata" && type !== "done",
      );
  const whole = async (events: unknown[], names: string[]) =>
    (await typesOf([...events, event({}, "stop")])).filter((type) => names.includes(type));
  const thrown = async (events: unknown[]) => {
    const { openai } = await serve({ pieces: frames(...events) });
    const { error } = await read(ask(openai));
    expect(error).toBeInstanceOf(Error);
    return [];
  };
  const details = (data: string) => [{ type: "reasoning.encrypted", data }];
  const types = [
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "part-metadata",
    "tool-call-start",
    "tool-call-delta",
    "tool-call-ready",
    "tool-call-error",
    "source",
    "file",
    "metadata",
    "done",
  ];
  testTable("docs/openai-chat.md", "What becomes of each event", types, {
    "`delta.content`": rowOf(event({ content: "A" })),
    "`delta.content` as a list with `text` and `thinking` (Mistral)": rowOf(
      event({
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "Hm" }] },
          { type: "text", text: "A" },
        ],
      }),
    ),
    "`delta.reasoning_content` or `delta.reasoning`": async () => [
      ...(await rowOf(event({ reasoning_content: "Hm" }))()),
      ...(await rowOf(event({ reasoning: "Hm" }))()),
    ],
    "`delta.reasoning_details` (OpenRouter)": rowOf(
      event({ reasoning_details: details("1") }),
      event({ reasoning_details: details("2") }),
    ),
    "`delta.refusal`": rowOf(event({ refusal: "No." })),
    "`delta.tool_calls` of a `function`": rowOf(call(json("{}"))),
    "`delta.tool_calls` of a `custom` tool": rowOf(
      call({ type: "custom", custom: { name: "f", input: "ls" } }),
    ),
    "arguments that are not JSON": rowOf(call(json("{"))),
    "`extra_content` of a call (Gemini)": rowOf(call({ ...json(""), extra_content: { google: {} } })),
    "`delta.function_call`": rowOf(event({ function_call: { name: "f", arguments: "{}" } })),
    "`delta.annotations`": rowOf(
      event({
        content: "A",
        annotations: [{ type: "url_citation", url_citation: { url: "https://a.example" } }],
      }),
    ),
    "`delta.images` with `data:` URLs (OpenRouter)": rowOf(
      event({ images: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }] }),
    ),
    "`delta.audio`": rowOf(event({ audio: { id: "audio_1", transcript: "A", data: "AA==" } })),
    "`finish_reason` and `usage`": () => whole([event({})], ["done"]),
    "`id`, `model`, `service_tier`, `system_fingerprint`, `moderation`": () =>
      whole([event({})], ["metadata"]),
    "`choices` with another `index`": rowOf(
      event({}, null, { choices: [{ index: 1, delta: { content: "B" } }] }),
    ),
    "`logprobs`, `obfuscation`, `created`": rowOf(
      event({}, null, {
        choices: [{ index: 0, delta: {}, logprobs: { content: [{ token: "A" }] } }],
        obfuscation: "x",
      }),
    ),
    "`error`, and a `finish_reason` that reports one": async () => [
      ...(await thrown([{ error: { message: "secret" } }])),
      ...(await thrown([event({}, "error")])),
    ],
    "an end without a `finish_reason`": () => thrown([event({ content: "A" })]),
  });
});
