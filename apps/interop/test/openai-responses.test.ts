/** fromOpenAIResponses with the package `openai`, on a loopback server that speaks its wire. */
import { type StreamChunk, toSSE } from "@kortyx/server";
import {
  fromOpenAIResponses,
  type ModelTurn,
  toOpenAIResponsesInput,
  toOpenAIResponsesTools,
} from "@kortyx/server/openai";
import type { OpenAI as Client } from "openai";
import type { ResponseOutputItem, ResponseStreamEvent } from "openai/resources/responses/responses";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { KnownOpenAIResponsesEvent } from "../../../packages/server/src/adapters/openai-responses-events.ts";
import {
  toEvents,
  type WireEvent,
  type WireItem,
} from "../../../packages/server/test/adapters/openai-responses-wire.ts";
import { isInstalled } from "../install.ts";
import { type ProviderServer, type ScriptedAnswer, serveProvider, toFrames } from "./kit/provider-server.ts";

const { default: OpenAI } = isInstalled() ? await import("openai") : ({} as never);

/** The type checker fails when the SDK has an event that the adapter does not know, or the other way round. */
true satisfies ResponseStreamEvent["type"] extends KnownOpenAIResponsesEvent["type"] ? true : false;
true satisfies KnownOpenAIResponsesEvent["type"] extends ResponseStreamEvent["type"] ? true : false;
/** And so it does for the kinds of items. */
type KnownItem =
  | "message"
  | "reasoning"
  | "compaction"
  | "function_call"
  | "function_call_output"
  | "custom_tool_call"
  | "custom_tool_call_output"
  | "computer_call"
  | "computer_call_output"
  | "local_shell_call"
  | "local_shell_call_output"
  | "shell_call"
  | "shell_call_output"
  | "apply_patch_call"
  | "apply_patch_call_output"
  | "tool_search_call"
  | "tool_search_output"
  | "program"
  | "program_output"
  | "web_search_call"
  | "file_search_call"
  | "code_interpreter_call"
  | "image_generation_call"
  | "mcp_call"
  | "mcp_list_tools"
  | "mcp_approval_request"
  | "mcp_approval_response"
  | "additional_tools";
true satisfies ResponseOutputItem["type"] extends KnownItem ? true : false;
true satisfies KnownItem extends ResponseOutputItem["type"] ? true : false;

const text = (said: string): WireItem => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: said, annotations: [] }],
});
const call = (number: number, city: string): WireItem => ({
  type: "function_call",
  id: `fc_${number}`,
  call_id: `call_${number}`,
  name: "weather",
  arguments: JSON.stringify({ city }),
  status: "completed",
});

const frames = (events: WireEvent[]) => toFrames(events, "with-names");
const hello = toEvents([text("Hello")]);
/** Up to its first delta. */
const half = frames(hello.slice(0, 5));

const servers: ProviderServer[] = [];
async function serve(answer: Parameters<typeof serveProvider>[0]) {
  const server = await serveProvider(answer);
  servers.push(server);
  return { ...server, openai: new OpenAI({ baseURL: server.url, apiKey: "key", maxRetries: 0 }) };
}
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** The types of this call are those of the SDK: its stream and its input are assignable to ours. */
const ask = (openai: Client, options: { signal?: AbortSignal } = {}, terminal = true) =>
  fromOpenAIResponses(
    openai.responses.create(
      {
        model: "gpt-5.2",
        input: toOpenAIResponsesInput([{ role: "user", content: "Hello" }]),
        tools: toOpenAIResponsesTools([{ name: "weather", description: "The weather" }]),
        stream: true,
      },
      options,
    ),
    { ...options, terminal },
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
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

describe.skipIf(!isInstalled())("fromOpenAIResponses with openai", () => {
  test("a whole response, and what the request has", async () => {
    const { openai, requests } = await serve({ pieces: frames(hello) });
    const { chunks, turn } = await read(ask(openai));
    expect(textOf(chunks)).toBe("Hello");
    expect(turn).toMatchObject({ finishReason: "stop", model: "gpt-5.2", usage: { totalTokens: 42 } });
    expect(requests[0]).toMatchObject({
      path: "/responses",
      body: { input: [{ role: "user", content: "Hello" }], tools: [{ type: "function", name: "weather" }] },
    });
  });

  test("interleaved calls whose arguments are cut anywhere", async () => {
    const [one, two] = [call(1, "Rome"), call(2, "Oslo")];
    const delta = (output_index: number, piece: string) => ({
      type: "response.function_call_arguments.delta",
      output_index,
      item_id: `fc_${output_index + 1}`,
      delta: piece,
    });
    const mixed = [...String(one.arguments)].flatMap((piece, at) => [
      delta(0, piece),
      delta(1, String(two.arguments).charAt(at)),
    ]);
    const begun = [one, two].map((item, output_index) => ({
      type: "response.output_item.added",
      output_index,
      item: { ...item, arguments: "", status: "in_progress" },
    }));
    const ended = [one, two].map((item, output_index) => ({
      type: "response.output_item.done",
      output_index,
      item,
    }));
    const events = [...hello.slice(0, 2), ...begun, ...mixed, ...ended, ...hello.slice(-1)];
    const { openai } = await serve({ pieces: frames(events) });
    const { chunks, turn } = await read(ask(openai));
    expect(turn?.toolCalls).toEqual([
      { toolCallId: "call_1", tool: "weather", input: { city: "Rome" } },
      { toolCallId: "call_2", tool: "weather", input: { city: "Oslo" } },
    ]);
    const inputs = ["call_1", "call_2"].map((id) =>
      chunks
        .map((chunk) => (chunk.type === "tool-call-delta" && chunk.toolCallId === id ? chunk.delta : ""))
        .join(""),
    );
    expect(inputs).toEqual([one.arguments, two.arguments]);
  });

  test("what OpenAI has sent goes back in the next request as it was", async () => {
    const { createMessageAccumulator } = await import("@kortyx/client");
    const items = [
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" },
      text("Let me look."),
      call(1, "Rome"),
    ];
    const { openai, requests } = await serve({ pieces: frames(toEvents(items)) });
    const accumulator = createMessageAccumulator();
    for await (const chunk of ask(openai, {}, false)) accumulator.apply(chunk);
    accumulator.apply({ type: "tool-call-result", tool: "weather", toolCallId: "call_1", content: "21 °C" });
    const parts = JSON.parse(JSON.stringify(accumulator.message.parts));
    const input = toOpenAIResponsesInput([
      { role: "user", content: "Hello" },
      { role: "assistant", content: "", parts },
    ]);
    await openai.responses.create({ model: "gpt-5.2", input, stream: true });
    expect(requests[1]?.body).toMatchObject({
      input: [
        { role: "user", content: "Hello" },
        ...items,
        { type: "function_call_output", call_id: "call_1", output: "21 °C" },
      ],
    });
  });

  const accidents: [string, ScriptedAnswer, object, boolean][] = [
    [
      "an error in mid-stream",
      {
        pieces: [...half, ...frames([{ type: "error", code: "server_error", message: "Oops", param: null }])],
      },
      { code: "server_error" },
      true,
    ],
    [
      "a response that fails",
      {
        pieces: [
          ...half,
          ...frames([
            { type: "response.failed", response: { error: { code: "server_error", message: "Oops" } } },
          ]),
        ],
      },
      { code: "server_error", message: "OpenAI reports a failure: Oops" },
      true,
    ],
    ["a cut socket", { pieces: half, end: "cut" }, { name: "TypeError" }, true],
    ["a stream that ends too early", { pieces: half }, { name: "StreamTruncatedError" }, true],
    [
      "a refused request",
      {
        status: 429,
        headers: { "content-type": "application/json", "retry-after": "7" },
        pieces: [JSON.stringify({ error: { code: "rate_limit_exceeded", message: "Slow down" } })],
      },
      { status: 429, code: "rate_limit_exceeded" },
      false,
    ],
  ];

  test.each(accidents)("%s is thrown, after the text that has arrived", async (_, answer, error, hasText) => {
    const { openai } = await serve(answer);
    const result = await read(ask(openai));
    expect(result.error).toMatchObject(error);
    expect(textOf(result.chunks)).toBe(hasText ? "Hel" : "");
  });

  test.each(accidents.filter(([, , , hasText]) => hasText))(
    "%s is one masked error in a response of ours",
    async (_, answer) => {
      const logged = vi.spyOn(console, "error").mockImplementation(() => {});
      const { openai } = await serve(answer);
      const body = await toSSE(() => ask(openai)).text();
      expect(body).toContain('"delta":"Hel"');
      expect(body.match(/"type":"error"/g)).toHaveLength(1);
      expect(body).not.toContain('"type":"done"');
      expect(body).not.toContain("Oops");
      expect(logged).toHaveBeenCalledOnce();
      logged.mockRestore();
    },
  );

  test("a request that is aborted before its response begins throws, and is closed", async () => {
    const controller = new AbortController();
    const arrived = Promise.withResolvers<void>();
    const { openai, requests } = await serve(() => {
      arrived.resolve();
      return { pieces: [() => new Promise(() => {})] };
    });
    // The server sends its headers at once: only a lost race with them makes this an abort in mid-stream.
    const reading = read(ask(openai, { signal: controller.signal }));
    await arrived.promise;
    controller.abort(new Error("The client left"));
    const { error } = await reading;
    expect((error as Error).message).toMatch(/aborted|The client left/);
    await requests[0]!.left;
  });

  test("a response that is aborted in mid-stream throws the reason, and is closed", async () => {
    const controller = new AbortController();
    const { openai, requests } = await serve({ pieces: half, end: "open" });
    const chunks: StreamChunk[] = [];
    const reading = (async () => {
      for await (const chunk of ask(openai, { signal: controller.signal })) {
        chunks.push(chunk);
        if (chunk.type === "text-delta") controller.abort(new Error("The client left"));
      }
    })();
    await expect(reading).rejects.toThrow("The client left");
    expect(textOf(chunks)).toBe("Hel");
    await requests[0]!.left;
  });

  test("leaving the loop closes the request", async () => {
    const { openai, requests } = await serve({ pieces: half, end: "open" });
    for await (const chunk of ask(openai)) if (chunk.type === "text-delta") break;
    await requests[0]!.left;
  });

  test("a client that leaves closes the request", async () => {
    const { openai, requests } = await serve({ pieces: half, end: "open" });
    const response = toSSE(({ signal }) => ask(openai, { signal }));
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    // The first piece may be a heartbeat.
    while (!(await reader.read()).value?.includes("Hel"));
    await reader.cancel();
    await requests[0]!.left;
  });
});
