import { type StreamChunk, StreamTruncatedError } from "@kortyx/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromLangGraph, type LangGraphEvent, type LangGraphOptions } from "../../src/langgraph.ts";
import {
  call,
  chunksOf,
  piece,
  read,
  result,
  streamOf,
  textOf,
  typesOf,
  update,
  whole,
} from "./langgraph-items.ts";

test("terminal: false leaves out the done", async () => {
  expect(await typesOf([piece("m1", "a")], { terminal: false })).toEqual([
    "step-start",
    "text-start",
    "text-delta",
    "text-end",
    "step-end",
  ]);
});

test("a promise of a stream is a stream, and what rejects or throws is thrown", async () => {
  const chunks = [];
  for await (const chunk of fromLangGraph(Promise.resolve(streamOf([piece("m1", "a")])))) chunks.push(chunk);
  expect(textOf(chunks)).toBe("a");
  const refused = fromLangGraph(Promise.reject(new Error("no graph")));
  await expect(refused.next()).rejects.toThrow("no graph");
});

test("custom data is for the moment only, unless the application turns it into chunks", async () => {
  expect((await chunksOf([["custom", { step: 1 }]]))[0]).toEqual({
    type: "data",
    name: "custom",
    data: { step: 1 },
    transient: true,
  });
  const custom: LangGraphOptions["custom"] = (data, { node }) =>
    data === 1 ? { type: "status", message: "One", node } : data === 2 ? [] : undefined;
  const items: LangGraphEvent[] = [
    [["sub:1"], "custom", 1],
    ["custom", 2],
    ["custom", 3],
  ];
  expect((await chunksOf(items, { custom })).slice(0, -1)).toEqual([
    { type: "status", message: "One", node: "sub" },
  ]);
});

test("elements of the generative UI are data that later messages replace, extend and empty", async () => {
  const ui = (props: object, merge = false): LangGraphEvent => [
    "custom",
    { type: "ui", id: "e1", name: "chart", props, metadata: { merge } },
  ];
  const chunks = await chunksOf([
    ui({ a: 1 }),
    ui({ b: 2 }, true),
    ui({ c: 3 }),
    ["custom", { type: "remove-ui", id: "e1" }],
  ]);
  expect(chunks.slice(0, -1)).toEqual(
    [{ a: 1 }, { a: 1, b: 2 }, { c: 3 }, null].map((data) => ({
      type: "data",
      name: "chart",
      id: "e1",
      data,
    })),
  );
});

test("checkpoints of the graph are named, and its state stays on the server", async () => {
  const checkpoint = (step: number): unknown => ({
    config: { configurable: { thread_id: "t1", checkpoint_id: `k${step}` } },
    values: { secret: 1 },
    metadata: { step },
  });
  const chunks = await chunksOf([
    ["checkpoints", checkpoint(-1)],
    [["sub:1"], "checkpoints", checkpoint(0)],
    ["checkpoints", checkpoint(4)],
    ["checkpoints", { config: {} }],
  ]);
  expect(chunks.slice(0, -1)).toEqual([
    { type: "checkpoint", id: "k-1", sessionId: "t1", turnIndex: 0 },
    { type: "checkpoint", id: "k4", sessionId: "t1", turnIndex: 5 },
  ]);
});

test("modes that repeat others are passed over, and unknown items are reported", async () => {
  const unknown: unknown[] = [];
  const chunks = await chunksOf(
    [
      ["debug", {}],
      ["tasks", { id: "1", name: "a", interrupts: [{ id: "i1", value: "old" }] }],
      ["tasks", { id: "1", name: "a", result: {}, interrupts: [] }],
      { event: "events", data: {} },
      { event: "lifecycle|sub:1", data: {} },
      { event: "feedback", data: {} },
      { event: "new-mode", data: 1 },
      ["toString", 1],
      [1, 2] as never,
      piece("m1", [{ type: "hologram" }, { type: "tool_use", id: "1" }, { type: "non_standard", value: 1 }]),
    ],
    { onUnknown: (event) => unknown.push(event) },
  );
  expect(chunks.map(({ type }) => type)).toEqual(["step-start", "step-end", "done"]);
  expect(chunks.at(-1)).toMatchObject({ finishReason: "stop" });
  expect(unknown).toEqual([
    { event: "new-mode", data: 1 },
    ["toString", 1],
    [1, 2],
    { type: "hologram" },
    { type: "non_standard", value: 1 },
  ]);
});

test("the server's error is thrown after the text that came", async () => {
  const stream = fromLangGraph(
    streamOf([piece("m1", "Half"), { event: "error", data: { error: "ValueError", message: "db is down" } }]),
  );
  let text = "";
  const failed = (async () => {
    for await (const chunk of stream) text += textOf([chunk]);
  })();
  await expect(failed).rejects.toMatchObject({ name: "ValueError", message: "db is down" });
  expect(text).toBe("Half");
});

const run: LangGraphEvent = { event: "metadata", data: { run_id: "r1", thread_id: "t1" } };

test("the server's run is known to the message, and to isComplete at the end", async () => {
  const asked: unknown[] = [];
  const isComplete = (of: unknown) => asked.push(of) === 1;
  const chunks = await chunksOf([run, piece("m1", "a")], { isComplete });
  expect(chunks[0]).toEqual({
    type: "metadata",
    metadata: { langgraph: { run_id: "r1", thread_id: "t1" } },
  });
  expect(asked).toEqual([{ runId: "r1", threadId: "t1" }]);
  await expect(chunksOf([run, piece("m1", "a")], { isComplete })).rejects.toThrow(StreamTruncatedError);
  // Nothing has come.
  await expect(chunksOf([], { isComplete })).rejects.toThrow(StreamTruncatedError);
  expect(asked).toHaveLength(2);
});

test("an end event needs no isComplete, and its status is the outcome", async () => {
  const end = (status: string): LangGraphEvent => ({ event: "end", data: { run_id: "r1", status } });
  const isComplete = () => false;
  expect(await typesOf([run, end("success")], { isComplete })).toEqual(["metadata", "done"]);
  await expect(chunksOf([run, end("error")])).rejects.toThrow('The run ended with "error".');
  await expect(chunksOf([run, end("timeout")])).rejects.toThrow('The run ended with "timeout".');
  expect((await chunksOf([end("interrupted")])).at(-1)).toEqual({ type: "abort", reason: "stopped" });
  expect((await chunksOf([{ event: "end", data: null }])).at(-1)).toEqual({
    type: "done",
    finishReason: "stop",
  });
  const asking: LangGraphEvent = ["updates", { __interrupt__: [{ id: "i1", value: "Why?" }] }];
  expect((await chunksOf([asking, end("interrupted")])).at(-1)).toEqual({
    type: "done",
    finishReason: "interrupt",
  });
  const stopped = await read([end("interrupted")], { terminal: false });
  expect(stopped).toMatchObject({ chunks: [{ type: "abort" }], turn: { finishReason: "other" } });
});

test("an aborted signal is thrown, in mid-stream and where the source ends silently", async () => {
  const controller = new AbortController();
  async function* leave(): AsyncGenerator<LangGraphEvent> {
    yield piece("m1", "a");
    controller.abort(new Error("left"));
  }
  const read = async (stream: AsyncIterable<LangGraphEvent>) => {
    for await (const _ of fromLangGraph(stream, { signal: controller.signal }));
  };
  await expect(read(leave())).rejects.toThrow("left");
  await expect(read(streamOf([piece("m1", "b")]))).rejects.toThrow("left");
});

test("a source that does not stop when the signal is aborted is left at its next item", async () => {
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<LangGraphEvent> {
    for (let number = 0; number < 1000; number++) {
      yield piece("m1", "a");
      controller.abort(new Error("left"));
    }
  }
  const seen: StreamChunk[] = [];
  const reading = (async () => {
    for await (const chunk of fromLangGraph(endless(), { signal: controller.signal })) seen.push(chunk);
  })();
  await expect(reading).rejects.toThrow("left");
  expect(textOf(seen)).toBe("a");
});

test("leaving the loop closes the source", async () => {
  let isClosed = false;
  async function* endless(): AsyncGenerator<LangGraphEvent> {
    try {
      for (;;) yield piece("m1", "a");
    } finally {
      isClosed = true;
    }
  }
  for await (const chunk of fromLangGraph(endless())) if (chunk.type === "text-delta") break;
  expect(isClosed).toBe(true);
});

test("usage is summed by message and by model, whole counts are not added twice", async () => {
  const counts = (input: number, details = {}) => ({
    usage_metadata: { input_tokens: input, output_tokens: 1, total_tokens: input + 1, ...details },
  });
  const model = (model_name: string) => ({ response_metadata: { model_provider: "p", model_name } });
  const { turn } = await read([
    piece("m1", "a", { usage_metadata: { input_tokens: 10, output_tokens: 0, total_tokens: 10 } }),
    piece("m1", "", {
      usage_metadata: { input_tokens: 0, output_tokens: 1, total_tokens: 1 },
      ...model("x"),
    }),
    update([whole("m1", "a", { ...counts(10), ...model("x") })]),
    piece(
      "m2",
      "b",
      {
        ...counts(5, {
          input_token_details: { cache_read: 2, cache_creation: 3 },
          output_token_details: { reasoning: 4 },
        }),
        ...model("x"),
      },
      { langgraph_step: 2 },
    ),
    piece("m3", "c", { ...counts(7), ...model("y") }, { langgraph_step: 3 }),
    piece("m4", "d", { usage_metadata: { input_tokens: 0, output_tokens: 0, total_tokens: 0 } }),
  ]);
  const details = { reasoningTokens: 4, cachedInputTokens: 2, cacheWriteInputTokens: 3 };
  expect(turn.usage).toEqual({ inputTokens: 22, outputTokens: 3, totalTokens: 25, ...details });
  expect(turn.usageByModel).toEqual([
    { provider: "p", model: "x", inputTokens: 15, outputTokens: 2, totalTokens: 17, ...details },
    { provider: "p", model: "y", inputTokens: 7, outputTokens: 1, totalTokens: 8 },
  ]);
});

test.each([
  [{ finish_reason: "length" }, "length"],
  [{ stop_reason: "max_tokens" }, "length"],
  [{ finishReason: "MAX_TOKENS" }, "length"],
  [{ finish_reason: "content_filter" }, "content-filter"],
  [{ finishReason: "SAFETY" }, "content-filter"],
  [{ stop_reason: "end_turn" }, "stop"],
  [{ finish_reason: "tool_calls" }, "stop"],
  [{ finish_reason: "unheard" }, "stop"],
])("the last message's reason %j ends the answer with %s", async (response_metadata, finishReason) => {
  const { turn } = await read([piece("m1", "a", { response_metadata })]);
  expect(turn.finishReason).toBe(finishReason);
});

test("a stream cut anywhere is a prefix that is closed in order, or truncated where isComplete knows", async () => {
  const items: LangGraphEvent[] = [
    run,
    piece("m1", [{ type: "thinking", thinking: "Hm", index: 0 }]),
    piece("m1", [{ type: "text", text: "Look", index: 1 }]),
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: '{"q":', index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ args: "1}", index: 0 }] }),
    update([whole("m1", "Look", { tool_calls: [call("c1", { q: 1 })] })]),
    ["messages", [result("c1", "found"), {}]],
    piece("m2", "Done", {}, { langgraph_step: 3 }),
  ];
  const all = await chunksOf(items);
  await fc.assert(
    fc.asyncProperty(fc.nat(items.length - 1), async (length) => {
      const cut = items.slice(0, length);
      const seen: StreamChunk[] = [];
      const reading = (async () => {
        for await (const chunk of fromLangGraph(streamOf(cut), { isComplete: () => false })) seen.push(chunk);
      })();
      await expect(reading).rejects.toThrow(StreamTruncatedError);
      expect(seen).toEqual(all.slice(0, seen.length));
      const closed = await chunksOf(cut);
      expect(textOf(closed)).toBe(textOf(seen));
      expect(closed.at(-1)?.type).toBe("done");
      const count = (kind: string) => closed.filter(({ type }) => type === kind).length;
      expect(count("text-start")).toBe(count("text-end"));
      expect(count("step-start")).toBe(count("step-end"));
    }),
    { examples: items.map((_, length) => [length]) },
  );
});
