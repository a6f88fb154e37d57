import { reduceMessage } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { approval, call, chunksOf, read } from "./openai-responses-kit.ts";
import { toEvents, toItemEvents } from "./openai-responses-wire.ts";

test("the call of a function is known by its call_id, and ready once with parsed input", async () => {
  const { chunks, turn } = await read(toEvents([call({ namespace: "crm" })]));
  expect(chunks.slice(1, -1)).toEqual([
    { type: "tool-call-start", tool: "weather", toolCallId: "call_1" },
    { type: "tool-call-delta", toolCallId: "call_1", delta: '{"city":' },
    { type: "tool-call-delta", toolCallId: "call_1", delta: '"Rome"}' },
    {
      type: "tool-call-ready",
      tool: "weather",
      toolCallId: "call_1",
      input: { city: "Rome" },
      providerMetadata: {
        openai: { type: "function_call", id: "fc_1", namespace: "crm", status: "completed" },
      },
    },
  ]);
  expect(turn).toMatchObject({
    finishReason: "tool-calls",
    toolCalls: [{ toolCallId: "call_1", tool: "weather", input: { city: "Rome" } }],
  });
});

test("interleaved calls keep their inputs apart", async () => {
  const [first, second] = [call(), call({ id: "fc_2", call_id: "call_2", arguments: '{"city":"Oslo"}' })];
  const [a, b] = [toItemEvents(first, 0), toItemEvents(second, 1)];
  const mixed = a.flatMap((event, index) => [event, b[index]!]);
  const { chunks } = await read([...toEvents([]).slice(0, 1), ...mixed, ...toEvents([]).slice(-1)]);
  expect(reduceMessage(chunks).parts).toMatchObject([
    { toolCallId: "call_1", inputText: '{"city":"Rome"}', input: { city: "Rome" } },
    { toolCallId: "call_2", inputText: '{"city":"Oslo"}', input: { city: "Oslo" } },
  ]);
});

test("the way in which the model wrote its input is kept where JSON would be printed differently", async () => {
  const { chunks } = await read(toEvents([call({ arguments: '{ "city": "Rome" }' })]));
  expect(chunks.at(-2)).toMatchObject({
    input: { city: "Rome" },
    providerMetadata: { openai: { arguments: '{ "city": "Rome" }' } },
  });
});

test("a call without arguments has an empty object", async () => {
  const { turn } = await read(toEvents([call({ arguments: "" })]));
  expect(turn.toolCalls).toEqual([{ toolCallId: "call_1", tool: "weather", input: {} }]);
});

test("an input that is no JSON fails its call, and the response has still ended for its calls", async () => {
  const { chunks, turn } = await read(toEvents([call({ arguments: '{"city":' })]));
  expect(chunks.at(-2)).toEqual({
    type: "tool-call-error",
    tool: "weather",
    toolCallId: "call_1",
    message: "The model wrote an input that is not JSON.",
    code: "invalid-input",
    input: '{"city":',
  });
  expect(chunks.at(-3)).toEqual({
    type: "part-metadata",
    toolCallId: "call_1",
    providerMetadata: {
      openai: { type: "function_call", id: "fc_1", status: "completed", arguments: '{"city":' },
    },
  });
  expect(turn).toMatchObject({ finishReason: "tool-calls", toolCalls: [] });
});

test("a call that the response ended in is not to be run", async () => {
  const events = toEvents([call({ status: "incomplete" })]);
  events.splice(-1, 1, {
    type: "response.incomplete",
    response: { incomplete_details: { reason: "content_filter" } },
  });
  const { chunks, turn } = await read(events);
  expect(turn).toMatchObject({ finishReason: "content-filter", toolCalls: [] });
  expect(reduceMessage(chunks).parts).toMatchObject([{ state: "interrupted" }]);
});

test("a custom tool takes text", async () => {
  const item = {
    type: "custom_tool_call",
    id: "ctc_1",
    call_id: "call_1",
    name: "sql",
    input: "SELECT 1",
  };
  const { chunks, turn } = await read(toEvents([item]));
  expect(reduceMessage(chunks).parts).toMatchObject([
    { tool: "sql", inputFormat: "text", inputText: "SELECT 1", input: "SELECT 1" },
  ]);
  expect(turn.toolCalls).toEqual([{ toolCallId: "call_1", tool: "sql", input: "SELECT 1" }]);
});

test("a tool of an MCP server is run by the provider, and its failure is one of the call", async () => {
  const done = { type: "mcp_call", id: "mcp_1", name: "find", server_label: "wiki", arguments: "{}" };
  const failed = { ...done, id: "mcp_2", error: { type: "http_error", code: 502, message: "Bad gateway" } };
  const { chunks, turn } = await read(toEvents([{ ...done, output: "Found.", error: null }, failed]));
  expect(reduceMessage(chunks).parts).toMatchObject([
    { toolCallId: "mcp_1", tool: "find", executor: "provider", isDynamic: true, content: "Found." },
    { toolCallId: "mcp_2", state: "error", errorMessage: "Bad gateway", errorCode: "502" },
  ]);
  expect(turn).toMatchObject({ finishReason: "stop", toolCalls: [] });
});

test.each([
  [
    { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "Rome" } },
    { tool: "web_search", input: { type: "search", query: "Rome" }, content: { status: "completed" } },
  ],
  [
    {
      type: "web_search_call",
      id: "ws_1",
      status: "completed",
      action: { type: "search", sources: [{ type: "url", url: "https://a.example/" }] },
    },
    { input: { type: "search" }, content: [{ type: "url", url: "https://a.example/" }] },
  ],
  [
    { type: "file_search_call", id: "fs_1", status: "completed", queries: ["Rome"], results: [{ score: 1 }] },
    { tool: "file_search", input: { queries: ["Rome"] }, content: [{ score: 1 }] },
  ],
  [
    { type: "file_search_call", id: "fs_1", status: "failed", queries: ["Rome"], results: null },
    { state: "error", errorMessage: "The tool failed." },
  ],
  [
    { type: "code_interpreter_call", id: "ci_1", status: "completed", code: "1 + 1", outputs: [] },
    { tool: "code_interpreter", inputFormat: "text", inputText: "1 + 1", input: "1 + 1", content: [] },
  ],
  [
    { type: "mcp_list_tools", id: "mcpl_1", server_label: "wiki", tools: [{ name: "find" }] },
    { tool: "mcp_list_tools", input: { server_label: "wiki" }, content: [{ name: "find" }] },
  ],
])("what OpenAI runs has its result at once: %j", async (item, part) => {
  const { chunks, turn } = await read(toEvents([item]));
  expect(reduceMessage(chunks).parts).toMatchObject([
    { toolCallId: item.id, executor: "provider", state: "done", ...part },
  ]);
  expect(turn).toMatchObject({ finishReason: "stop", toolCalls: [] });
});

test.each([
  [
    { type: "computer_call", action: { type: "wait" }, pending_safety_checks: [{ id: "sc_1" }] },
    { tool: "computer", input: { action: { type: "wait" }, pending_safety_checks: [{ id: "sc_1" }] } },
  ],
  [
    { type: "local_shell_call", action: { type: "exec", command: ["ls"] } },
    { tool: "local_shell", input: { type: "exec", command: ["ls"] } },
  ],
  [
    { type: "shell_call", action: { commands: ["ls"] }, environment: { type: "local" } },
    { tool: "shell", input: { commands: ["ls"] } },
  ],
  [
    { type: "apply_patch_call", operation: { type: "delete_file", path: "a.txt" } },
    { tool: "apply_patch", input: { type: "delete_file", path: "a.txt" } },
  ],
  [
    { type: "tool_search_call", execution: "client", arguments: { goal: "maps" } },
    { tool: "tool_search", input: { goal: "maps" } },
  ],
])("what the application runs waits for its result: %j", async (fields, expected) => {
  const item = { id: "item_1", call_id: "call_1", status: "completed", ...fields };
  const { turn } = await read(toEvents([item]));
  expect(turn).toMatchObject({
    finishReason: "tool-calls",
    toolCalls: [{ toolCallId: "call_1", ...expected }],
  });
});

test("a shell of OpenAI's reports what it prints, and its output ends the call", async () => {
  const environment = { type: "container_reference", container_id: "cntr_1" };
  const shell = {
    type: "shell_call",
    id: "sh_1",
    call_id: "call_1",
    status: "completed",
    action: { commands: ['echo "a"', "ls"] },
    environment,
  };
  const output = {
    type: "shell_call_output",
    id: "sho_1",
    call_id: "call_1",
    status: "completed",
    output: [{ stdout: "a\n", stderr: "", outcome: { type: "exit", exit_code: 0 } }],
  };
  const command = (type: string, command_index: number, fields: object) => ({
    type: `response.shell_call_command.${type}`,
    output_index: 0,
    command_index,
    ...fields,
  });
  const printed = (delta: object) => ({
    type: "response.shell_call_output_content.delta",
    output_index: 1,
    command_index: 0,
    delta,
  });
  const events = toEvents([shell, output]);
  events.splice(6, 0, { ...printed({}), type: "response.shell_call_output_content.done" });
  events.splice(
    5,
    0,
    printed({ stdout: "a" }),
    printed({ stdout: "b" }),
    printed({ stdout: "c" }),
    printed({ stderr: "d" }),
    {
      type: "response.shell_call_output_content.done",
      output_index: 1,
      command_index: 0,
      output: [],
    },
  );
  events.splice(
    3,
    0,
    command("added", 0, { command: "" }),
    command("delta", 0, { delta: 'echo "' }),
    command("delta", 0, { delta: 'a"' }),
    command("done", 0, { command: 'echo "a"' }),
    command("added", 1, { command: "ls" }),
  );
  const { chunks, turn } = await read(events);
  expect(reduceMessage(chunks).parts).toMatchObject([
    {
      tool: "shell",
      executor: "provider",
      state: "done",
      inputText: '{"commands":["echo \\"a\\"","ls',
      input: { commands: ['echo "a"', "ls"] },
      content: output.output,
    },
  ]);
  const progress = chunks.flatMap((chunk) => (chunk.type === "tool-call-progress" ? [chunk.content] : []));
  expect(progress).toEqual([
    [{ stdout: "a", stderr: "" }],
    [{ stdout: "ab", stderr: "" }],
    [{ stdout: "abc", stderr: "d" }],
  ]);
  expect(turn.toolCalls).toEqual([]);
});

test("outputs that OpenAI has made are results, also of a tool search without an id", async () => {
  const search = { type: "tool_search_call", id: "ts_1", call_id: null, execution: "server", arguments: {} };
  const found = { type: "tool_search_output", id: "tso_1", call_id: null, execution: "server", tools: [] };
  const program = { type: "program", id: "pr_1", call_id: "call_p", code: "1", fingerprint: "f" };
  const result = { type: "program_output", id: "po_1", call_id: "call_p", result: "1", status: "completed" };
  const { chunks, turn } = await read(toEvents([search, found, program, result]));
  expect(reduceMessage(chunks).parts).toMatchObject([
    { toolCallId: "ts_1", tool: "tool_search", executor: "provider", state: "done", content: [] },
    { toolCallId: "call_p", tool: "program", inputFormat: "text", input: "1", state: "done", content: "1" },
  ]);
  expect(turn).toMatchObject({ finishReason: "stop", toolCalls: [] });
});

test("a call that has its output already does not wait", async () => {
  const output = { type: "function_call_output", id: "fco_1", call_id: "call_1", output: "21 °C" };
  const { chunks, turn } = await read(toEvents([call(), output]));
  expect(turn).toMatchObject({ finishReason: "stop", toolCalls: [] });
  expect(reduceMessage(chunks).parts).toMatchObject([{ state: "done", content: "21 °C" }]);
});

test("a call of an MCP tool that needs an approval is a call and a question about it", async () => {
  const { chunks, turn } = await read(toEvents([approval]));
  expect(chunks.slice(1, -1)).toEqual([
    {
      type: "tool-call-start",
      tool: "delete_page",
      toolCallId: "mcpr_1",
      executor: "provider",
      isDynamic: true,
    },
    {
      type: "tool-call-ready",
      tool: "delete_page",
      toolCallId: "mcpr_1",
      input: { page: 7 },
      executor: "provider",
      isDynamic: true,
      providerMetadata: { openai: { type: "mcp_approval_request", id: "mcpr_1", server_label: "wiki" } },
    },
    {
      type: "interrupt",
      requestId: "mcpr_1",
      resumeToken: "mcpr_1",
      toolCallId: "mcpr_1",
      reason: "tool-approval",
      input: {
        kind: "choice",
        multiple: false,
        question: "Allow delete_page of wiki?",
        options: [
          { id: "approve", label: "Allow" },
          { id: "deny", label: "Deny" },
        ],
      },
    },
  ]);
  expect(turn).toMatchObject({ finishReason: "interrupt", toolCalls: [] });
});

test("an approved call continues the part that asked", async () => {
  const { id, ...fields } = approval;
  const approved = { ...fields, type: "mcp_call", id: "mcp_1", approval_request_id: id, output: "Gone." };
  const response = {
    type: "mcp_approval_response",
    id: "mcpa_1",
    approval_request_id: id,
    approve: false,
    reason: "Not today",
  };
  const { chunks } = await read(toEvents([approval]), { terminal: false });
  const { parts } = reduceMessage([...chunks, ...(await chunksOf(approved))]);
  expect(parts[0]).toMatchObject({ toolCallId: "mcpr_1", state: "done", content: "Gone." });
  expect(await chunksOf(response)).toEqual([
    {
      type: "interrupt-resolved",
      requestId: "mcpr_1",
      outcome: "answered",
      answer: "deny",
      reason: "Not today",
    },
  ]);
});

test("an empty piece of an input is left out", async () => {
  const events = toEvents([call()]);
  events.splice(3, 0, { type: "response.function_call_arguments.delta", output_index: 0, delta: "" });
  const { chunks } = await read(events);
  expect(chunks.filter(({ type }) => type === "tool-call-delta")).toHaveLength(2);
});

test("the failure of an MCP tool is the text that it returned", async () => {
  const error = {
    type: "mcp_tool_execution_error",
    content: [{ type: "text", text: "No page 7." }, { type: "image" }],
  };
  const item = { type: "mcp_call", id: "mcp_1", name: "find", server_label: "wiki", arguments: "{}", error };
  expect((await chunksOf(item)).at(-1)).toMatchObject({
    message: "No page 7.",
    code: "mcp_tool_execution_error",
  });
});
