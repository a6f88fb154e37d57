import { expect, test } from "vitest";
import type { LangGraphEvent } from "../../src/langgraph.ts";
import { call, chunksOf, piece, read, result, typesOf, update, whole, without } from "./langgraph-items.ts";

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

test("a result that only updates have ends the call of this answer, and no earlier one", async () => {
  const chunks = await chunksOf([
    piece("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: "{}", index: 0 }] }),
    update([result("c0", "old", { id: "t0" }), result("c1", "found", { id: "t1" })], "tools"),
  ]);
  const results = chunks.filter(({ type }) => type === "tool-call-result");
  expect(results).toMatchObject([{ toolCallId: "c1", content: "found" }]);
});

test("the result of a call of an earlier answer is shown once", async () => {
  const types = await typesOf([
    ["messages", [result("c9", "found"), {}]],
    ["messages", [result("c9", "found"), {}]],
  ]);
  expect(types).toEqual(["tool-call-result", "done"]);
});

test("a call is started and ready once, whatever modes repeat it", async () => {
  const complete: LangGraphEvent = {
    event: "messages/complete",
    data: [whole("m1", "", { tool_calls: [call("c1")] })],
  };
  const partial: LangGraphEvent = {
    event: "messages/partial",
    data: [whole("m1", "", { tool_call_chunks: [{ id: "c1", name: "search", args: "{}", index: 0 }] })],
  };
  const types = await typesOf([
    partial,
    complete,
    partial,
    complete,
    ["tools", { event: "on_tool_start", toolCallId: "c1", name: "search", input: "{}" }],
    update([whole("m1", "", { tool_calls: [call("c1")] })]),
  ]);
  expect(types).toEqual([
    "step-start",
    "tool-call-start",
    "tool-call-delta",
    "tool-call-ready",
    "step-end",
    "done",
  ]);
});

test("the end of one message leaves the calls of another streaming", async () => {
  const pieces = (args: string) => ({ tool_call_chunks: [{ id: "c1", name: "search", args, index: 0 }] });
  const chunks = await chunksOf([
    piece("m1", "", pieces('{"q":')),
    piece("m2", "b", {}, { langgraph_node: "other" }),
    update([whole("m2", "b")], "other"),
    piece("m1", "", pieces("1}")),
  ]);
  const ready = chunks.filter(({ type }) => /^tool-call-(ready|error)/.test(type));
  expect(ready).toMatchObject([{ type: "tool-call-ready", toolCallId: "c1", input: { q: 1 } }]);
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
  const asking: LangGraphEvent = ["updates", { __interrupt__: [{ id: "i1", value: "Print it?" }] }];
  expect((await read([...items, asking], { clientTools: ["print"] })).turn).toMatchObject({
    finishReason: "interrupt",
    toolCalls: [],
  });
  expect((await read(items)).turn).toMatchObject({ finishReason: "stop", toolCalls: [] });
});
