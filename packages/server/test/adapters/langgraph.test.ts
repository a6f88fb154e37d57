import { createMessageAccumulator, type StreamChunk, StreamTruncatedError } from "@kortyx/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromLangGraph, type LangGraphEvent, type LangGraphOptions } from "../../src/langgraph.ts";

async function* streamOf(items: LangGraphEvent[]): AsyncGenerator<LangGraphEvent> {
  yield* items;
}

async function read(items: LangGraphEvent[], options?: LangGraphOptions) {
  const stream = fromLangGraph(streamOf(items), options);
  const chunks: StreamChunk[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, turn: value };
    chunks.push(value);
  }
}

const chunksOf = async (items: LangGraphEvent[], options?: LangGraphOptions) =>
  (await read(items, options)).chunks;
const typesOf = async (items: LangGraphEvent[], options?: LangGraphOptions) =>
  (await chunksOf(items, options)).map(({ type }) => type);
const without = (chunks: StreamChunk[], ...types: string[]) =>
  chunks.filter(({ type }) => !types.includes(type));

const piece = (id: string, content: unknown, fields: object = {}, metadata: object = {}): LangGraphEvent => [
  "messages",
  [
    { type: "AIMessageChunk", id, content, ...fields },
    { langgraph_node: "agent", langgraph_step: 1, ...metadata },
  ],
];
const whole = (id: string | undefined, content: unknown, fields: object = {}) => ({
  type: "ai",
  ...(id && { id }),
  content,
  ...fields,
});
const update = (messages: unknown[], node = "agent"): LangGraphEvent => ["updates", { [node]: { messages } }];
const result = (toolCallId: string, content: unknown, fields: object = {}) => ({
  type: "tool",
  tool_call_id: toolCallId,
  name: "search",
  content,
  ...fields,
});
const call = (id: string, args: object = {}, name = "search") => ({ id, name, args, type: "tool_call" });
const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

test("a streamed message is one text in one step, and the same message in updates adds nothing", async () => {
  const { chunks, turn } = await read([
    piece("m1", "Hel", {}, { ls_provider: "openai" }),
    piece("m1", "lo"),
    piece("m1", "", {
      usage_metadata: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
      response_metadata: { model_name: "gpt", finish_reason: "stop" },
    }),
    update([
      whole("m1", "Hello", { usage_metadata: { input_tokens: 3, output_tokens: 2, total_tokens: 5 } }),
    ]),
    ["values", { messages: [whole("m1", "Hello")] }],
  ]);
  const usage = { inputTokens: 3, outputTokens: 2, totalTokens: 5 };
  expect(chunks).toEqual([
    { type: "step-start", stepId: "m1", name: "agent", node: "agent" },
    { type: "text-start", segmentId: "m1:0", node: "agent" },
    { type: "text-delta", segmentId: "m1:0", delta: "Hel", node: "agent" },
    { type: "text-delta", segmentId: "m1:0", delta: "lo", node: "agent" },
    { type: "text-end", segmentId: "m1:0", node: "agent" },
    { type: "step-end", stepId: "m1", finishReason: "stop", usage, model: "gpt", node: "agent" },
    {
      type: "done",
      finishReason: "stop",
      usage,
      usageByModel: [{ provider: "openai", model: "gpt", ...usage }],
    },
  ]);
  expect(turn).toMatchObject({ finishReason: "stop", usage, model: "gpt", toolCalls: [] });
});

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

test("the pieces of two nodes that stream in parallel stay apart", async () => {
  const other = { langgraph_node: "critic" };
  const chunks = await chunksOf([
    piece("a", "A1 "),
    piece("b", "B1 ", {}, other),
    piece("a", "A2"),
    piece("b", "B2", {}, other),
    update([whole("b", "B1 B2")], "critic"),
    update([whole("a", "A1 A2")]),
  ]);
  const message = createMessageAccumulator();
  for (const chunk of chunks) message.apply(chunk);
  const texts = message.message.parts.flatMap((part) =>
    part.type === "text" ? [[part.text, part.node, part.state]] : [],
  );
  expect(texts).toEqual([
    ["A1 A2", "agent", "done"],
    ["B1 B2", "critic", "done"],
  ]);
  expect(chunks.filter(({ type }) => type === "step-start")).toHaveLength(1);
});

test("a message of another node that has no step of its own does not end one that still streams", async () => {
  const chunks = await chunksOf([
    piece("a", "one "),
    update([{ role: "assistant", content: "plain" }], "other"),
    piece("a", "two"),
  ]);
  expect(chunks.filter(({ type }) => type === "text-start")).toHaveLength(2);
  expect(textOf(chunks)).toBe("one plaintwo");
});

test("a message of a later step ends what is open in the earlier one", async () => {
  const types = await typesOf([piece("m1", "a"), piece("m2", "b", {}, { langgraph_step: 3 })]);
  expect(types.slice(2, 6)).toEqual(["text-delta", "text-end", "step-end", "step-start"]);
});

test("subgraphs are in the node, without the ids of their tasks", async () => {
  const data = [
    { type: "AIMessageChunk", id: "m1", content: "a" },
    { langgraph_node: "write", langgraph_step: 1 },
  ];
  const [start] = await chunksOf([[["research:8a1", "draft:77"], "messages", data]]);
  expect(start).toMatchObject({ type: "step-start", node: "research/draft/write" });
  const [ofSDK] = await chunksOf([{ event: "messages|research:8a1", data }]);
  expect(ofSDK).toMatchObject({ type: "step-start", node: "research/write" });
});

test("a later step of a graph also ends the steps of its subgraphs", async () => {
  const types = await typesOf([
    piece("m1", "a"),
    [["sub:1"], "messages", [{ type: "AIMessageChunk", id: "m2", content: "b" }, { langgraph_step: 1 }]],
    piece("m3", "c", {}, { langgraph_step: 3 }),
  ]);
  expect(types.filter((type) => type.startsWith("step"))).toEqual([
    "step-start",
    "step-start",
    "step-end",
    "step-end",
    "step-start",
    "step-end",
  ]);
});

test("split arguments are deltas, and the call is ready once, when its message is whole", async () => {
  const chunks = await chunksOf([
    piece("m1", "Look: "),
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: "", index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ args: '{"q":', index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ args: '"x"}', index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ id: "c2", name: "search", args: "", index: 1 }] }),
    update([whole("m1", "Look: ", { tool_calls: [call("c1", { q: "x" }), call("c2")] })]),
    ["messages", [result("c1", "found", { artifact: { n: 1 } }), { langgraph_node: "tools" }]],
    update([result("c1", "found"), result("c2", "nothing", { status: "error" })], "tools"),
  ]);
  expect(without(chunks, "step-start", "step-end", "done").slice(2)).toEqual([
    { type: "text-end", segmentId: "m1:0", node: "agent" },
    { type: "tool-call-start", tool: "search", toolCallId: "c1", node: "agent" },
    { type: "tool-call-delta", toolCallId: "c1", delta: '{"q":', node: "agent" },
    { type: "tool-call-delta", toolCallId: "c1", delta: '"x"}', node: "agent" },
    { type: "tool-call-start", tool: "search", toolCallId: "c2", node: "agent" },
    { type: "tool-call-ready", tool: "search", toolCallId: "c1", input: { q: "x" }, node: "agent" },
    { type: "tool-call-ready", tool: "search", toolCallId: "c2", input: {}, node: "agent" },
    {
      type: "tool-call-result",
      tool: "search",
      toolCallId: "c1",
      content: "found",
      structuredContent: { n: 1 },
      node: "tools",
    },
    {
      type: "tool-call-result",
      tool: "search",
      toolCallId: "c2",
      content: "nothing",
      isError: true,
      node: "tools",
    },
  ]);
});

test("without updates, a call is ready before its result, and at the end of the stream", async () => {
  const chunks = await chunksOf([
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: '{"q":1}', index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ id: "c2", name: "search", args: "{}", index: 1 }] }),
    ["messages", [result("c1", "found"), {}]],
  ]);
  expect(chunks.map((chunk) => [chunk.type, "toolCallId" in chunk && chunk.toolCallId])).toEqual([
    ["step-start", false],
    ["tool-call-start", "c1"],
    ["tool-call-delta", "c1"],
    ["tool-call-start", "c2"],
    ["tool-call-delta", "c2"],
    ["tool-call-ready", "c1"],
    ["tool-call-result", "c1"],
    ["tool-call-ready", "c2"],
    ["step-end", false],
    ["done", false],
  ]);
});

test("an input that is not JSON fails the call, and its result adds nothing", async () => {
  const invalid = { id: "c1", name: "search", args: '{"q":', type: "invalid_tool_call" };
  const failed = {
    type: "tool-call-error",
    tool: "search",
    toolCallId: "c1",
    message: "The model wrote an input that is not JSON.",
    code: "invalid-input",
    input: '{"q":',
    node: "agent",
  };
  const pieces = [
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: '{"q":', index: 0 }] }),
  ];
  for (const items of [
    [...pieces, update([whole("m1", "", { invalid_tool_calls: [invalid] })])],
    pieces,
    [...pieces, update([result("c1", "Bad input", { status: "error" })], "tools")],
  ]) {
    const chunks = await chunksOf(items);
    expect(chunks.filter(({ type }) => /^tool-call-(ready|error|result)/.test(type))).toEqual([failed]);
  }
});

test("a new id at the same place is another call, and the same id repeated is not", async () => {
  const chunks = await chunksOf([
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: "{", index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: "}", index: 0 }] }),
    piece("m1", "", { tool_call_chunks: [{ id: "c2", name: "search", args: "{}", index: 0 }] }),
  ]);
  const ready = chunks.filter(({ type }) => type === "tool-call-ready");
  expect(ready.map((chunk) => "toolCallId" in chunk && chunk.toolCallId)).toEqual(["c1", "c2"]);
});

test("models that stream whole calls only have them ready at once", async () => {
  const types = await typesOf([piece("m1", "", { tool_calls: [call("c1", { q: "x" })] })]);
  expect(types).toEqual(["step-start", "tool-call-ready", "step-end", "done"]);
});

test("the tools mode has progress and early results; failures are left to the message that follows", async () => {
  const tool = (event: string, fields: object = {}): LangGraphEvent => [
    "tools",
    { event, toolCallId: "c1", name: "search", ...fields },
  ];
  const chunks = await chunksOf([
    tool("on_tool_start", { input: '{"q":"x"}' }),
    tool("on_tool_event", { data: "half" }),
    tool("on_tool_error", { error: new Error("secret") }),
    tool("on_tool_end", { output: result("c1", "all") }),
    tool("on_tool_event", { data: "late" }),
    ["tools", { event: "on_tool_start", name: "helper", input: "{}" }],
    update([result("c1", "all")], "tools"),
  ]);
  expect(chunks.slice(0, -1)).toEqual([
    { type: "tool-call-ready", tool: "search", toolCallId: "c1", input: { q: "x" } },
    { type: "tool-call-progress", tool: "search", toolCallId: "c1", content: "half" },
    { type: "tool-call-result", tool: "search", toolCallId: "c1", content: "all" },
  ]);
});

test("calls of tools that run in the page wait for it", async () => {
  const items = [update([whole(undefined, "", { tool_calls: [call("c1", { a: 1 }, "print")] })])];
  const { chunks, turn } = await read(items, { clientTools: ["print"] });
  expect(chunks).toContainEqual({
    type: "tool-call-ready",
    tool: "print",
    toolCallId: "c1",
    input: { a: 1 },
    executor: "client",
    node: "agent",
  });
  expect(turn).toMatchObject({
    finishReason: "tool-calls",
    toolCalls: [{ toolCallId: "c1", tool: "print", input: { a: 1 } }],
  });
  expect((await read(items)).turn).toMatchObject({ finishReason: "stop", toolCalls: [] });
});

test("a message that was not streamed is shown once, from the first mode that has it", async () => {
  const chunks = await chunksOf([
    ["messages", [whole("m1", "Whole."), { langgraph_node: "agent", langgraph_step: 1 }]],
    update([whole("m1", "Whole.")]),
    update([{ role: "assistant", content: "Short form." }]),
    update([["ai", "Pair."]]),
  ]);
  expect(textOf(chunks)).toBe("Whole.Short form.Pair.");
});

test("what a node returns of the thread's history is not shown again", async () => {
  const old = [
    whole("old", "Earlier answer", { tool_calls: [call("c0")] }),
    result("c0", "Earlier result", { id: "old-2" }),
  ];
  for (const items of [
    [update([{ type: "remove", id: "x" }, ...old], "trim"), piece("m1", "New")],
    [["values", { messages: old }], update(old, "trim"), piece("m1", "New")],
  ] as LangGraphEvent[][]) {
    const chunks = await chunksOf(items);
    expect(textOf(chunks)).toBe("New");
    expect(chunks.filter(({ type }) => type.startsWith("tool"))).toEqual([]);
  }
});

test("without a messages mode, updates have the texts, but not those that the thread had before", async () => {
  const items: LangGraphEvent[] = [
    ["values", { messages: [whole("old", "Earlier")] }],
    update([whole("old", "Earlier"), whole("m1", "New", { tool_calls: [call("c1")] })]),
    update([result("c1", "found")], "tools"),
    ["values", { messages: [whole("old", "Earlier"), whole("m1", "New")] }],
    update([whole("m1", "New"), whole("m2", " text")]),
  ];
  const chunks = await chunksOf(items, { textsFrom: "updates" });
  expect(textOf(chunks)).toBe("New text");
  expect(chunks.filter(({ type }) => type === "tool-call-result")).toHaveLength(1);
});

test("lists of updates, single messages and keys without messages are read, too", async () => {
  const chunks = await chunksOf(
    [
      ["updates", { a: [{ messages: [whole("m1", "one ")] }, null], b: whole("m2", "two "), c: null, d: 7 }],
      ["updates", { e: { messages: whole("m3", "three"), notes: [whole("m4", "hidden"), "text"], n: 1 } }],
    ],
    { textsFrom: "updates" },
  );
  expect(textOf(chunks)).toBe("one two three");
});

test("cached nodes are shown in a new run, and not when a run is resumed", async () => {
  const items: LangGraphEvent[] = [
    ["updates", { agent: { messages: [whole("m1", "Cached")] }, __metadata__: { cached: true } }],
  ];
  expect(textOf(await chunksOf(items))).toBe("Cached");
  const resumes = [{ requestId: "i1", resumeToken: '{"id":"i1","kind":"text"}', answer: "yes" }];
  expect(textOf(await chunksOf(items, { resumes }))).toBe("");
});

test("messages of hidden models are left out in every mode", async () => {
  const chunks = await chunksOf([
    piece("m1", "secret", {}, { tags: ["nostream"] }),
    update([whole("m1", "secret")]),
    piece("m2", "seen"),
  ]);
  expect(textOf(chunks)).toBe("seen");
});

test("cumulative messages of the SDK are sent as what is new", async () => {
  const partial = (content: unknown, fields: object = {}): LangGraphEvent => ({
    event: "messages/partial",
    data: [{ type: "ai", id: "m1", content, ...fields }],
  });
  const metadata = { m1: { metadata: { langgraph_node: "agent", langgraph_step: 1 } } };
  const usage_metadata = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const args = (text: string) => [{ id: "c1", name: "search", args: text, index: 0 }];
  const chunks = await chunksOf([
    { event: "messages/metadata", data: metadata },
    partial("Hel"),
    partial("Hello", { usage_metadata }),
    partial("Hello", { usage_metadata, tool_call_chunks: args('{"q"') }),
    partial("Hello", { usage_metadata, tool_call_chunks: args('{"q":1}') }),
    { event: "messages/complete", data: [{ type: "human", id: "u1", content: "Hi" }] },
    {
      event: "messages/complete",
      data: [whole("m1", "Hello", { usage_metadata, tool_calls: [call("c1", { q: 1 })] })],
    },
    { event: "messages/complete", data: [result("c1", "found")] },
  ]);
  expect(chunks).toEqual([
    { type: "step-start", stepId: "m1", name: "agent", node: "agent" },
    { type: "text-start", segmentId: "m1:0", node: "agent" },
    { type: "text-delta", segmentId: "m1:0", delta: "Hel", node: "agent" },
    { type: "text-delta", segmentId: "m1:0", delta: "lo", node: "agent" },
    { type: "text-end", segmentId: "m1:0", node: "agent" },
    { type: "tool-call-start", tool: "search", toolCallId: "c1", node: "agent" },
    { type: "tool-call-delta", toolCallId: "c1", delta: '{"q"', node: "agent" },
    { type: "tool-call-delta", toolCallId: "c1", delta: ":1}", node: "agent" },
    { type: "tool-call-ready", tool: "search", toolCallId: "c1", input: { q: 1 }, node: "agent" },
    { type: "tool-call-result", tool: "search", toolCallId: "c1", content: "found" },
    {
      type: "step-end",
      stepId: "m1",
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
      node: "agent",
    },
    {
      type: "done",
      finishReason: "stop",
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
      usageByModel: [{ inputTokens: 1, outputTokens: 1, totalTokens: 2 }],
    },
  ]);
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
  expect(stopped).toMatchObject({ chunks: [], turn: { finishReason: "other" } });
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
