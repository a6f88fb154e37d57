import { createMessageAccumulator } from "@kortyx/protocol";
import { expect, test } from "vitest";
import type { LangGraphEvent } from "../../src/langgraph.ts";
import { call, chunksOf, piece, read, result, textOf, typesOf, update, whole } from "./langgraph-items.ts";

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

test("a piece that comes after its step has ended is not lost, and ends in order", async () => {
  const chunks = await chunksOf([
    piece("m1", "a"),
    piece("m2", "b", {}, { langgraph_step: 2 }),
    piece("m1", "c", { tool_call_chunks: [{ id: "c1", name: "search", args: "{}", index: 0 }] }),
  ]);
  expect(textOf(chunks)).toBe("abc");
  const count = (kind: string) => chunks.filter(({ type }) => type === kind).length;
  expect([count("text-start"), count("text-end"), count("tool-call-ready")]).toEqual([3, 3, 1]);
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

test("a message that was not streamed is shown once, from the first mode that has it", async () => {
  const chunks = await chunksOf([
    ["messages", [whole("m1", "Whole."), { langgraph_node: "agent", langgraph_step: 1 }]],
    update([whole("m1", "Whole.")]),
    update([{ role: "assistant", content: "Short form." }]),
    update([["ai", "Pair."]]),
  ]);
  expect(textOf(chunks)).toBe("Whole.Short form.Pair.");
});

test("a whole message after its pieces adds nothing, however its blocks are numbered", async () => {
  const chunks = await chunksOf([
    piece("m1", [{ type: "text", text: "Hello", index: 3 }]),
    ["messages", [whole("m1", [{ type: "text", text: "Hello" }]), { langgraph_step: 1 }]],
  ]);
  expect(textOf(chunks)).toBe("Hello");
});

test("a message of the thread is not shown by the messages mode either", async () => {
  const complete = { event: "messages/complete", data: [whole("old", "Earlier")] };
  expect(await typesOf([["values", { messages: [whole("old", "Earlier")] }], complete])).toEqual(["done"]);
});

test("a message that is in the state while it still streams is shown to its end", async () => {
  const chunks = await chunksOf([
    piece("m1", "a"),
    ["values", { messages: [whole("m1", "a")] }],
    piece("m1", "b"),
  ]);
  expect(textOf(chunks)).toBe("ab");
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

test("a checkpoint shows which messages the thread has, too", async () => {
  const items: LangGraphEvent[] = [
    ["checkpoints", { config: {}, values: { messages: [whole("old", "Earlier")] } }],
    update([whole("old", "Earlier"), whole("m1", "New")]),
  ];
  expect(textOf(await chunksOf(items, { textsFrom: "updates" }))).toBe("New");
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
