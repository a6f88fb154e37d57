import { readStream } from "@kortyx/client";
import { type StreamChunk, toSSE } from "@kortyx/server";
import { fromAISDK } from "@kortyx/server/ai-sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { callFrames, endFrames, textFrames } from "./kit/openai-chat-frames.ts";
import { type ProviderServer, type ScriptedAnswer, serveProvider, toFrames } from "./kit/provider-server.ts";

const { createOpenAI } = isInstalled() ? await import("@ai-sdk/openai") : ({} as never);
const { streamText, ToolLoopAgent } = isInstalled() ? await import("ai") : ({} as never);

let server: ProviderServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const onError = () => {};

/** A model whose provider gives this answer. */
async function modelOf(answer: ScriptedAnswer) {
  server = await serveProvider(answer);
  return createOpenAI({ baseURL: server.url, apiKey: "key" }).chat("gpt-5-mini");
}

async function read(stream: AsyncIterable<StreamChunk>) {
  const chunks: StreamChunk[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

/** What a client of a route receives. */
async function readThroughSSE(stream: AsyncIterable<StreamChunk>) {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const { chunks } = await read(readStream(toSSE(stream)) as AsyncIterable<StreamChunk>);
  return { chunks, logged: log.mock.calls.map(([, error]) => error) };
}

describe.skipIf(!isInstalled())("a provider, through the AI SDK", () => {
  test("an answer is text and its end", async () => {
    const model = await modelOf({ pieces: [...textFrames("Hel", "lo"), ...endFrames("stop")] });
    const { chunks, error } = await read(fromAISDK(streamText({ model, prompt: "Hi" })));
    expect(error).toBeUndefined();
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.at(-1)).toMatchObject({
      type: "done",
      finishReason: "stop",
      usage: { inputTokens: 12, outputTokens: 3, totalTokens: 15 },
      usageByModel: [{ model: "gpt-5-mini", inputTokens: 12 }],
    });
  });

  test("calls whose arguments are interleaved keep their own", async () => {
    const first = callFrames(0, "1", "search", '{"query":', '"a"}');
    const second = callFrames(1, "2", "search", '{"que', 'ry":"b"}');
    const pieces = [
      ...textFrames("One moment."),
      first[0]!,
      second[0]!,
      first[1]!,
      second[1]!,
      second[2]!,
      first[2]!,
    ];
    const model = await modelOf({ pieces: [...pieces, ...endFrames("tool_calls")] });
    const { jsonSchema } = await import("ai");
    const tools = { search: { inputSchema: jsonSchema<{ query: string }>({ type: "object" }) } };
    const { chunks } = await read(fromAISDK(streamText({ model, tools, prompt: "Hi" })));
    const deltasOf = (id: string) =>
      chunks.flatMap((chunk) =>
        chunk.type === "tool-call-delta" && chunk.toolCallId === id ? [chunk.delta] : [],
      );
    expect([deltasOf("1").join(""), deltasOf("2").join("")]).toEqual(['{"query":"a"}', '{"query":"b"}']);
    expect(chunks.filter(({ type }) => type === "tool-call-ready")).toMatchObject([
      { toolCallId: "1", input: { query: "a" } },
      { toolCallId: "2", input: { query: "b" } },
    ]);
    expect(chunks.at(-1)).toMatchObject({ pendingToolCallIds: ["1", "2"] });
  });

  test("an error in mid-stream is thrown, after the text that came", async () => {
    const failure = {
      error: { message: "secret of the server", type: "server_error", code: null, param: null },
    };
    const answer = { pieces: [...textFrames("Hel"), ...toFrames([failure])] };
    const model = await modelOf(answer);
    const { chunks, error } = await read(fromAISDK(streamText({ model, prompt: "Hi", onError })));
    expect(textOf(chunks)).toBe("Hel");
    expect(error).toBeInstanceOf(Error);
    const { chunks: sent } = await readThroughSSE(fromAISDK(streamText({ model, prompt: "Hi", onError })));
    expect(textOf(sent)).toBe("Hel");
    expect(sent.at(-1)).toMatchObject({ type: "error", code: "internal" });
    expect(sent.filter(({ type }) => type === "error")).toHaveLength(1);
    expect(sent.some(({ type }) => type === "done")).toBe(false);
    expect(JSON.stringify(sent)).not.toContain("secret");
  });

  test("a refused request is thrown as the SDK's own error", async () => {
    const body = JSON.stringify({ error: { message: "No.", type: "invalid_request_error" } });
    const model = await modelOf({
      status: 400,
      headers: { "content-type": "application/json" },
      pieces: [body],
    });
    const { error } = await read(fromAISDK(streamText({ model, prompt: "Hi", onError })));
    expect(error).toMatchObject({ name: "AI_APICallError", statusCode: 400 });
  });

  test.each(["cut", "clean"] as const)("a response with a %s end is no answer", async (end) => {
    const model = await modelOf({ pieces: textFrames("Hel"), end });
    const { chunks, error } = await read(fromAISDK(streamText({ model, prompt: "Hi", onError })));
    expect(textOf(chunks)).toBe("Hel");
    expect(error).toBeInstanceOf(Error);
    const { chunks: sent, logged } = await readThroughSSE(
      fromAISDK(streamText({ model, prompt: "Hi", onError })),
    );
    expect(textOf(sent)).toBe("Hel");
    expect(sent.at(-1)).toMatchObject({ type: "error", code: "internal" });
    expect(sent.some(({ type }) => type === "done")).toBe(false);
    expect(logged).toHaveLength(1);
  });

  test("an abort before the response throws the signal's reason, and ends the request", async () => {
    const never = new Promise<void>(() => {});
    const model = await modelOf({ pieces: [() => never], end: "open" });
    const controller = new AbortController();
    const { signal } = controller;
    const reading = read(
      fromAISDK(streamText({ model, prompt: "Hi", abortSignal: signal, onError }), { signal }),
    );
    await vi.waitFor(() => expect(server!.requests).toHaveLength(1));
    const reason = new Error("stopped");
    controller.abort(reason);
    expect((await reading).error).toBe(reason);
    await server!.requests[0]!.left;
  });

  test("an abort in mid-stream throws the signal's reason, and ends the request", async () => {
    const model = await modelOf({ pieces: textFrames("Hel"), end: "open" });
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error("stopped");
    const stream = fromAISDK(streamText({ model, prompt: "Hi", abortSignal: signal, onError }), { signal });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { type } of stream) {
        seen.push(type);
        if (type === "text-delta") controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
    expect(seen).toContain("text-delta");
    await server!.requests[0]!.left;
  });

  test("a client that leaves ends the request, by the signal of its response", async () => {
    const model = await modelOf({ pieces: textFrames("Hel"), end: "open" });
    const controller = new AbortController();
    const { signal } = controller;
    const response = toSSE(
      fromAISDK(streamText({ model, prompt: "Hi", abortSignal: signal, onError }), { signal }),
      {
        signal,
      },
    );
    const reader = response.body!.getReader();
    let text = "";
    while (!text.includes("text-delta")) text += new TextDecoder().decode((await reader.read()).value);
    controller.abort();
    await reader.cancel();
    await server!.requests[0]!.left;
  });

  test("the timeout of the SDK is an abort with its reason", async () => {
    const model = await modelOf({ pieces: textFrames("Hel"), end: "open" });
    const { chunks } = await read(
      fromAISDK(streamText({ model, prompt: "Hi", timeout: { chunkMs: 50 }, onError })),
    );
    expect(textOf(chunks)).toBe("Hel");
    expect(chunks.at(-1)).toMatchObject({ type: "abort", reason: expect.stringContaining("timeout") });
  });

  test("an agent's promise of a stream is accepted, and so is the stream itself", async () => {
    const model = await modelOf({ pieces: [...textFrames("Hello"), ...endFrames("stop")] });
    const agent = new ToolLoopAgent({ model });
    expect(textOf((await read(fromAISDK(agent.stream({ prompt: "Hi" })))).chunks)).toBe("Hello");
    const { stream } = streamText({ model, prompt: "Hi" });
    expect(textOf((await read(fromAISDK(stream))).chunks)).toBe("Hello");
  });

  test("no delta is held back until the next one", async () => {
    const gate = Promise.withResolvers<void>();
    const model = await modelOf({
      pieces: [...textFrames("Hel"), () => gate.promise, ...textFrames("lo"), ...endFrames("stop")],
    });
    let text = "";
    for await (const chunk of fromAISDK(streamText({ model, prompt: "Hi" }))) {
      if (chunk.type !== "text-delta") continue;
      text += chunk.delta;
      gate.resolve();
    }
    expect(text).toBe("Hello");
  });
});
