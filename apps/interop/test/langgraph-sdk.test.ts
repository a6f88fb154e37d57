import { readStream, StreamTruncatedError } from "@kortyx/client";
import { type StreamChunk, toSSE } from "@kortyx/server";
import { fromLangGraph, type LangGraphOptions } from "@kortyx/server/langgraph";
import { describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { type ProviderServer, type ScriptedAnswer, serveProvider } from "./kit/provider-server.ts";

const { Client } = isInstalled() ? await import("@langchain/langgraph-sdk") : ({} as never);

/** Frames as a LangGraph server writes them: with CRLF, ids, and comments to keep the connection open. */
const toFrame = ([event, data]: [string, unknown], index: number): string =>
  `: heartbeat\r\n\r\nevent: ${event}\r\ndata: ${JSON.stringify(data)}\r\nid: ${index}-0\r\n\r\n`;

const metadata: [string, unknown] = ["metadata", { run_id: "r1", thread_id: "t1" }];
const piece = (content: string, fields: object = {}): [string, unknown] => [
  "messages",
  [
    { type: "AIMessageChunk", id: "m1", content, tool_calls: [], additional_kwargs: {}, ...fields },
    { langgraph_node: "agent", langgraph_step: 1, ls_provider: "openai", ls_model_name: "gpt-x", tags: [] },
  ],
];
const whole = (fields: object = {}) => ({
  type: "ai",
  id: "m1",
  content: "Hello",
  tool_calls: [],
  ...fields,
});

const serve = (events: [string, unknown][], answer: Partial<ScriptedAnswer> = {}, status = "success") =>
  serveProvider(({ method }) =>
    method === "GET"
      ? {
          headers: { "content-type": "application/json" },
          pieces: [JSON.stringify({ run_id: "r1", status })],
        }
      : { pieces: events.map(toFrame), ...answer },
  );

const clientOf = ({ url }: ProviderServer) =>
  new Client({ apiUrl: url, apiKey: null, callerOptions: { maxRetries: 0 } });

const streamOf = (server: ProviderServer, signal?: AbortSignal) =>
  clientOf(server).runs.stream("t1", "agent", {
    input: { messages: [] },
    streamMode: ["messages-tuple", "updates", "custom"],
    streamSubgraphs: true,
    onDisconnect: "cancel",
    ...(signal && { signal }),
  });

const isComplete =
  (server: ProviderServer): LangGraphOptions["isComplete"] =>
  async ({ threadId, runId }) => {
    const { status } = await clientOf(server).runs.get(threadId, runId);
    return status === "success" || status === "interrupted";
  };

async function collect(stream: AsyncIterable<StreamChunk>, into: StreamChunk[] = []) {
  for await (const chunk of stream) into.push(chunk);
  return into;
}

const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

describe.skipIf(!isInstalled())("a graph on a server", () => {
  test("its events are the chunks that the same graph has in this process", async () => {
    const usage_metadata = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
    await using server = await serve([
      metadata,
      piece("Hel"),
      piece("lo"),
      piece("", { tool_call_chunks: [{ id: "c1", name: "search", args: '{"q":', index: 0 }] }),
      piece("", { tool_call_chunks: [{ args: "1}", index: 0 }], usage_metadata }),
      [
        "updates",
        { agent: { messages: [whole({ tool_calls: [{ id: "c1", name: "search", args: { q: 1 } }] })] } },
      ],
      ["custom|sub:8a1", { percent: 50 }],
      [
        "messages",
        [
          { type: "tool", id: "t1", tool_call_id: "c1", name: "search", content: "x" },
          { langgraph_node: "tools" },
        ],
      ],
      ["updates", { __interrupt__: [{ id: "i1", value: "Sure?" }] }],
    ]);
    expect(await collect(fromLangGraph(streamOf(server)))).toEqual([
      { type: "metadata", metadata: { langgraph: { run_id: "r1", thread_id: "t1" } } },
      { type: "step-start", stepId: "m1", name: "agent", node: "agent" },
      { type: "text-start", segmentId: "m1:0", node: "agent" },
      { type: "text-delta", segmentId: "m1:0", delta: "Hel", node: "agent" },
      { type: "text-delta", segmentId: "m1:0", delta: "lo", node: "agent" },
      { type: "text-end", segmentId: "m1:0", node: "agent" },
      { type: "tool-call-start", tool: "search", toolCallId: "c1", node: "agent" },
      { type: "tool-call-delta", toolCallId: "c1", delta: '{"q":', node: "agent" },
      { type: "tool-call-delta", toolCallId: "c1", delta: "1}", node: "agent" },
      { type: "tool-call-ready", tool: "search", toolCallId: "c1", input: { q: 1 }, node: "agent" },
      { type: "data", name: "custom", data: { percent: 50 }, transient: true, node: "sub" },
      { type: "tool-call-result", tool: "search", toolCallId: "c1", content: "x", node: "tools" },
      {
        type: "interrupt",
        requestId: "i1",
        resumeToken: '{"id":"i1","kind":"text"}',
        input: { kind: "text", multiple: false, question: "Sure?" },
      },
      {
        type: "step-end",
        stepId: "m1",
        usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
        model: "gpt-x",
        node: "agent",
      },
      {
        type: "done",
        finishReason: "interrupt",
        usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
        usageByModel: [
          { provider: "openai", model: "gpt-x", inputTokens: 1, outputTokens: 2, totalTokens: 3 },
        ],
      },
    ]);
    expect(server.requests[0]!.body).toMatchObject({ stream_subgraphs: true, on_disconnect: "cancel" });
  });

  test("a response that ends early is truncated if the run still runs, and complete if it does not", async () => {
    await using cut = await serve([metadata, piece("Half")], {}, "running");
    const chunks: StreamChunk[] = [];
    const reading = collect(fromLangGraph(streamOf(cut), { isComplete: isComplete(cut) }), chunks);
    await expect(reading).rejects.toThrow(StreamTruncatedError);
    expect([textOf(chunks), chunks.some(({ type }) => type === "done")]).toEqual(["Half", false]);
    expect(cut.requests.map(({ method, path }) => [method, path])).toEqual([
      ["POST", "/threads/t1/runs/stream"],
      ["GET", "/threads/t1/runs/r1"],
    ]);
    await using ended = await serve([metadata, piece("Whole")]);
    const all = await collect(fromLangGraph(streamOf(ended), { isComplete: isComplete(ended) }));
    expect(all.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
  });

  test("an event cut off in the middle is not taken for an event", async () => {
    const frame = toFrame(piece("Lost"), 1);
    await using server = await serve(
      [],
      { pieces: [toFrame(metadata, 0), frame.slice(0, frame.indexOf("Lost") + 2)] },
      "running",
    );
    const chunks: StreamChunk[] = [];
    await expect(
      collect(fromLangGraph(streamOf(server), { isComplete: isComplete(server) }), chunks),
    ).rejects.toThrow();
    expect(textOf(chunks)).toBe("");
  });

  test.each([
    ["a socket that is cut", { end: "cut" as const }, []],
    ["an error event", {}, [["error", { error: "ValueError", message: "db at postgres://secret" }]]],
  ] as [string, Partial<ScriptedAnswer>, [string, unknown][]][])(
    "%s is the text, and then one masked error",
    async (_name, answer, events) => {
      await using server = await serve([metadata, piece("Half"), ...events], answer);
      const logged = vi.spyOn(console, "error").mockReturnValue();
      const chunks = await collect(readStream(toSSE(fromLangGraph(streamOf(server))).body));
      expect(textOf(chunks)).toBe("Half");
      expect(chunks.filter(({ type }) => type === "error" || type === "done")).toEqual([
        expect.objectContaining({ type: "error", code: "internal" }),
      ]);
      expect(JSON.stringify(chunks)).not.toContain("secret");
      expect(logged).toHaveBeenCalledOnce();
      logged.mockRestore();
    },
  );

  test("a refused request is thrown", async () => {
    await using server = await serve([], { status: 422, pieces: ['{"detail":"Unknown assistant"}'] });
    await expect(collect(fromLangGraph(streamOf(server)))).rejects.toThrow("422");
  });

  test("an abort before the headers, and one in mid-stream, close the request and are thrown", async () => {
    for (const pieces of [[], [toFrame(metadata, 0), toFrame(piece("Half"), 1)]]) {
      const controller = new AbortController();
      const { signal } = controller;
      await using server = await serve([], {
        pieces: pieces.length > 0 ? pieces : [() => new Promise(() => {})],
        end: "open",
      });
      const chunks: StreamChunk[] = [];
      const reading = collect(fromLangGraph(streamOf(server, signal), { signal }), chunks);
      const settled = expect(reading).rejects.toThrow("left");
      await expect.poll(() => server.requests.length).toBe(1);
      if (pieces.length > 0) await expect.poll(() => textOf(chunks)).toBe("Half");
      controller.abort(new Error("left"));
      await settled;
      await server.requests[0]!.left;
    }
  });

  test("leaving the response closes the request, because the signal reaches it", async () => {
    await using server = await serve([metadata, piece("Half")], { end: "open" });
    const controller = new AbortController();
    const { signal } = controller;
    const reader = toSSE(fromLangGraph(streamOf(server, signal), { signal }), { signal }).body!.getReader();
    await reader.read();
    await expect.poll(() => server.requests.length).toBe(1);
    controller.abort();
    await server.requests[0]!.left;
    await reader.cancel();
  });

  test("the cumulative messages of the mode `messages` are sent as what is new", async () => {
    await using server = await serve([
      metadata,
      ["messages/metadata", { m1: { metadata: { langgraph_node: "agent", langgraph_step: 1 } } }],
      ["messages/partial", [whole({ content: "Hel" })]],
      ["messages/partial", [whole({ content: "Hello" })]],
      ["messages/complete", [whole()]],
      ["end", { run_id: "r1", status: "success" }],
    ]);
    const stream = clientOf(server).runs.stream("t1", "agent", { streamMode: ["messages"] });
    expect(textOf(await collect(fromLangGraph(stream, { isComplete: () => false })))).toBe("Hello");
  });
});
