import type { StreamChunk, ToolCallMessagePart } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { toOpenAIResponsesInput } from "../../src/openai.ts";
import { answer, answerOf, call, done, text } from "./openai-responses-messages.ts";
import type { WireItem } from "./openai-responses-wire.ts";

test("an image of a tool is shown to the model", () => {
  const content = [{ type: "input_image", detail: "auto", image_url: "https://a.example/1.png" }];
  expect(toOpenAIResponsesInput([answer(call({ content }))])).toMatchObject([
    { type: "function_call", name: "weather", arguments: '{"city":"Rome"}' },
    { type: "function_call_output", output: content },
  ]);
});

test.each<[string, WireItem, unknown, object]>([
  [
    "computer",
    { type: "computer_call", action: { type: "screenshot" }, pending_safety_checks: [] },
    { type: "computer_screenshot", image_url: "data:image/png;base64,AAAA" },
    {
      type: "computer_call_output",
      call_id: "call_1",
      output: { type: "computer_screenshot", image_url: "data:image/png;base64,AAAA" },
    },
  ],
  [
    "computer, with checks",
    { type: "computer_call", action: { type: "wait" }, pending_safety_checks: [{ id: "sc_1" }] },
    { output: { type: "computer_screenshot" }, acknowledged_safety_checks: [{ id: "sc_1" }] },
    {
      type: "computer_call_output",
      call_id: "call_1",
      output: { type: "computer_screenshot" },
      acknowledged_safety_checks: [{ id: "sc_1" }],
    },
  ],
  [
    "local_shell",
    { type: "local_shell_call", action: { type: "exec", command: ["ls"], env: {} } },
    "a.txt",
    { type: "local_shell_call_output", id: "call_1", output: "a.txt" },
  ],
  [
    "shell",
    { type: "shell_call", action: { commands: ["ls"] }, environment: { type: "local" } },
    "a.txt",
    {
      type: "shell_call_output",
      call_id: "call_1",
      output: [{ stdout: "a.txt", stderr: "", outcome: { type: "exit", exit_code: 0 } }],
    },
  ],
  [
    "shell, in OpenAI's form",
    { type: "shell_call", action: { commands: ["ls"] }, environment: null },
    { output: [{ stdout: "", stderr: "", outcome: { type: "timeout" } }], max_output_length: 10 },
    {
      type: "shell_call_output",
      call_id: "call_1",
      output: [{ stdout: "", stderr: "", outcome: { type: "timeout" } }],
      max_output_length: 10,
    },
  ],
  [
    "apply_patch",
    { type: "apply_patch_call", operation: { type: "delete_file", path: "a.txt" } },
    "Deleted.",
    { type: "apply_patch_call_output", call_id: "call_1", status: "completed", output: "Deleted." },
  ],
  [
    "tool_search",
    { type: "tool_search_call", execution: "client", arguments: {} },
    [
      { type: "function", name: "map" },
      { type: "mcp", server_url: "https://evil.example" },
    ],
    {
      type: "tool_search_output",
      call_id: "call_1",
      execution: "client",
      status: "completed",
      tools: [{ type: "function", name: "map" }],
    },
  ],
])("the result of a tool that OpenAI defines has its form: %s", async (_, fields, content, output) => {
  const item = { id: "item_1", call_id: "call_1", ...done, ...fields };
  const result: StreamChunk = { type: "tool-call-result", tool: "", toolCallId: "call_1", content };
  expect(toOpenAIResponsesInput([await answerOf([item], [result])])).toEqual([item, output]);
});

test.each<[string, WireItem, object[]]>([
  [
    "shell",
    { type: "shell_call", action: { commands: ["ls"] }, environment: null },
    [{ type: "shell_call_output", output: [{ stderr: "It broke.", outcome: { exit_code: 1 } }] }],
  ],
  [
    "apply_patch",
    { type: "apply_patch_call", operation: { type: "delete_file", path: "a.txt" } },
    [{ type: "apply_patch_call_output", status: "failed", output: "It broke." }],
  ],
])("a failure has the form of its tool: %s", async (tool, fields, output) => {
  const item = { id: "item_1", call_id: "call_1", ...done, ...fields };
  const error: StreamChunk = { type: "tool-call-error", tool, toolCallId: "call_1", message: "It broke." };
  expect(toOpenAIResponsesInput([await answerOf([item], [error])])).toMatchObject([item, ...output]);
});

test("a computer call without a screenshot is left out, with the reasoning that led to it", async () => {
  const items = [
    { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" },
    { type: "computer_call", id: "cu_1", call_id: "call_1", ...done, pending_safety_checks: [] },
  ];
  expect(toOpenAIResponsesInput([await answerOf(items)])).toEqual([]);
});

test("a program's result follows those of the calls that it made", async () => {
  const caller = { type: "program", caller_id: "call_p" };
  const program = { type: "program", id: "pr_1", call_id: "call_p", code: "f()", fingerprint: "x" };
  const inner = {
    type: "function_call",
    id: "fc_1",
    call_id: "call_1",
    name: "f",
    arguments: "{}",
    caller,
    ...done,
  };
  const output = { type: "program_output", id: "po_1", call_id: "call_p", result: "1", ...done };
  const { parts = [] } = await answerOf([program, inner, output]);
  const results = parts.map((part) =>
    part.type === "tool-call" && part.tool === "f" ? call({ ...part, state: "done" }) : part,
  );
  expect(toOpenAIResponsesInput([answer(...results)])).toEqual([
    program,
    inner,
    { type: "function_call_output", call_id: "call_1", output: "21 °C", caller },
    output,
  ]);
});

test("calls without a result are closed", () => {
  const input = toOpenAIResponsesInput([
    answer(
      call({ state: "interrupted", content: undefined }),
      call({ toolCallId: "call_2", input: undefined }),
    ),
  ]);
  expect(input).toEqual([
    { type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Rome"}' },
    {
      type: "function_call_output",
      call_id: "call_1",
      output: "The call was interrupted before it had a result.",
    },
  ]);
});

const approval: WireItem = {
  type: "mcp_approval_request",
  id: "mcpr_1",
  name: "delete_page",
  arguments: '{"page":7}',
  server_label: "wiki",
};
const decide = { requestId: "mcpr_1", toolCallId: "mcpr_1", resumeToken: "mcpr_1" };

test.each([
  [{ answer: "approve" }, { approve: true }],
  [{ answer: ["approve"] }, { approve: true }],
  [
    { answer: "deny", reason: "Not today" },
    { approve: false, reason: "Not today" },
  ],
  [{ answer: "yes" }, { approve: false }],
  [{ outcome: "cancelled" as const, answer: "approve" }, { approve: false }],
])("a decision follows its request: %j", async (given, decision) => {
  const message = await answerOf([approval, text("May I?")], [{ type: "done", finishReason: "interrupt" }]);
  expect(toOpenAIResponsesInput([message], { resumes: [{ ...decide, ...given }] })).toEqual([
    approval,
    { type: "mcp_approval_response", approval_request_id: "mcpr_1", ...decision },
    text("May I?"),
  ]);
});

test("decisions about several calls follow all of their requests", async () => {
  const second = { ...approval, id: "mcpr_2" };
  const message = await answerOf([approval, second]);
  expect(toOpenAIResponsesInput([message]).map((item) => ("type" in item ? item.type : "message"))).toEqual([
    "mcp_approval_request",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_approval_response",
  ]);
});

test("a request that was denied, or not answered, is closed", async () => {
  const denied: StreamChunk = {
    type: "interrupt-resolved",
    requestId: "mcpr_1",
    outcome: "answered",
    answer: "deny",
    reason: "Not today",
  };
  const closed = { type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: false };
  expect(toOpenAIResponsesInput([await answerOf([approval], [denied])])).toEqual([
    approval,
    { ...closed, reason: "Not today" },
  ]);
  expect(toOpenAIResponsesInput([await answerOf([approval])])).toEqual([
    approval,
    { ...closed, reason: "The request was not answered." },
  ]);
});

test("a call that was approved has its request and the decision before it", async () => {
  const { id, ...fields } = approval;
  const approved = {
    ...fields,
    type: "mcp_call",
    id: "mcp_1",
    approval_request_id: "mcpr_1",
    output: "Gone.",
    error: null,
  };
  const before = await answerOf([approval]);
  const after = await answerOf([approved]);
  const [part] = after.parts as [ToolCallMessagePart];
  const [asked] = before.parts as [ToolCallMessagePart];
  expect(part.toolCallId).toBe(asked.toolCallId);
  expect(toOpenAIResponsesInput([after])).toEqual([
    approval,
    { type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: true },
    approved,
  ]);
});

test("with a stored response, only the decision is sent", () => {
  const others = { ...decide, requestId: "q_1", answer: "approve" };
  expect(toOpenAIResponsesInput([], { resumes: [{ ...decide, answer: "approve" }, others] })).toEqual([
    { type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: true },
  ]);
});

test("the client's results are those of the calls that wait for them", () => {
  const waiting = call({ state: "awaiting-client", executor: "client", content: undefined });
  const toolResults = [
    { toolCallId: "call_1", tool: "weather", content: { celsius: 21 } },
    { toolCallId: "call_2", tool: "weather", errorMessage: "No place." },
  ];
  const messages = [answer(waiting, { ...waiting, toolCallId: "call_2" }, call({ toolCallId: "call_3" }))];
  expect(toOpenAIResponsesInput(messages, { toolResults }).slice(3)).toEqual([
    { type: "function_call_output", call_id: "call_1", output: '{"celsius":21}' },
    { type: "function_call_output", call_id: "call_2", output: "No place." },
    { type: "function_call_output", call_id: "call_3", output: "21 °C" },
  ]);
  const changed = [{ toolCallId: "call_1", tool: "weather", content: "-3 °C" }];
  expect(toOpenAIResponsesInput([answer(call())], { toolResults: changed })[1]).toMatchObject({
    output: "21 °C",
  });
});

test("ids and names of another provider's calls become ones that OpenAI accepts, each id once", () => {
  const long = "x".repeat(70);
  const messages = [
    answer(call({ toolCallId: long, tool: "files.read" })),
    answer(call({ toolCallId: `${long}y`, tool: "t".repeat(200), inputFormat: "text", input: null })),
  ];
  expect(toOpenAIResponsesInput(messages)).toMatchObject([
    { type: "function_call", call_id: "x".repeat(64), name: "files_read" },
    { type: "function_call_output", call_id: "x".repeat(64) },
    { type: "custom_tool_call", call_id: `${"x".repeat(62)}_2`, name: "t".repeat(128), input: "null" },
    { type: "custom_tool_call_output", call_id: `${"x".repeat(62)}_2` },
  ]);
});

test("a message of data alone is left out", () => {
  const data = { type: "data", name: "place", data: 1 } as const;
  expect(toOpenAIResponsesInput([{ role: "user", content: "", parts: [data] }])).toEqual([]);
});

test("with a stored response, only the results are sent", () => {
  const toolResults = [{ toolCallId: "call_1", tool: "weather", content: "21 °C" }];
  expect(toOpenAIResponsesInput([], { toolResults })).toEqual([
    { type: "function_call_output", call_id: "call_1", output: "21 °C" },
  ]);
});

test("a shell of OpenAI's without its output is left out, as OpenAI has not finished it", async () => {
  const environment = { type: "container_reference", container_id: "cntr_1" };
  const shell = {
    type: "shell_call",
    id: "sh_1",
    call_id: "call_1",
    action: { commands: ["ls"] },
    environment,
  };
  expect(toOpenAIResponsesInput([await answerOf([shell])])).toEqual([]);
});

test("a failure that has fields of an output is still one", async () => {
  const operation = { type: "delete_file", path: "a.txt" };
  const item = { type: "apply_patch_call", id: "ap_1", call_id: "call_1", ...done, operation };
  const content = { status: "completed" };
  const failed: StreamChunk = {
    type: "tool-call-result",
    tool: "apply_patch",
    toolCallId: "call_1",
    content,
    isError: true,
  };
  expect(toOpenAIResponsesInput([await answerOf([item], [failed])])[1]).toMatchObject({ status: "failed" });
});

test("an empty list is a value like any other", () => {
  expect(toOpenAIResponsesInput([answer(call({ content: [] }))])[1]).toMatchObject({ output: "[]" });
});
