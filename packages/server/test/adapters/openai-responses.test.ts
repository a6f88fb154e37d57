import { reduceMessage, type StreamChunk, StreamTruncatedError } from "@kortyx/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AdapterOptions, ModelTurn } from "../../src/adapters/model-stream.ts";
import { fromOpenAIResponses } from "../../src/openai.ts";
import { toEvents, toItemEvents, type WireEvent, type WireItem } from "./openai-responses-wire.ts";

async function* streamOf(events: WireEvent[]) {
  yield* events;
}

/** The chunks and the turn of a stream. */
async function read(events: WireEvent[], options?: AdapterOptions) {
  const chunks: StreamChunk[] = [];
  const stream = fromOpenAIResponses(streamOf(events), options);
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, turn: value as ModelTurn };
    chunks.push(value as StreamChunk);
  }
}

/** The chunks of these items, without the facts and the end. */
async function chunksOf(...items: WireItem[]): Promise<StreamChunk[]> {
  const { chunks } = await read(toEvents(items), { terminal: false });
  return chunks.filter(({ type }) => type !== "metadata");
}

const message = (text: string, fields: Record<string, unknown> = {}): WireItem => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }],
  ...fields,
});

const call = (fields: Record<string, unknown> = {}): WireItem => ({
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "weather",
  arguments: '{"city":"Rome"}',
  status: "completed",
  ...fields,
});

const approval: WireItem = {
  type: "mcp_approval_request",
  id: "mcpr_1",
  name: "delete_page",
  arguments: '{"page":7}',
  server_label: "wiki",
};

test("a text is streamed, with the facts first and the end last", async () => {
  const { chunks, turn } = await read(toEvents([message("Hello")]));
  expect(chunks).toEqual([
    { type: "metadata", metadata: { openai: { id: "resp_1", model: "gpt-5.2", service_tier: "default" } } },
    { type: "text-start", segmentId: "resp_1:0:0" },
    { type: "text-delta", segmentId: "resp_1:0:0", delta: "Hel" },
    { type: "text-delta", segmentId: "resp_1:0:0", delta: "lo" },
    { type: "text-end", segmentId: "resp_1:0:0", providerMetadata: { openai: { item_id: "msg_1" } } },
    {
      type: "done",
      finishReason: "stop",
      usage: {
        inputTokens: 12,
        outputTokens: 30,
        totalTokens: 42,
        reasoningTokens: 9,
        cachedInputTokens: 4,
        cacheWriteInputTokens: 0,
      },
      usageByModel: [
        {
          provider: "openai",
          model: "gpt-5.2",
          inputTokens: 12,
          outputTokens: 30,
          totalTokens: 42,
          reasoningTokens: 9,
          cachedInputTokens: 4,
          cacheWriteInputTokens: 0,
        },
      ],
    },
  ]);
  expect(turn).toMatchObject({ finishReason: "stop", model: "gpt-5.2", toolCalls: [] });
});

test("one turn of a loop ends without done", async () => {
  const { chunks, turn } = await read(toEvents([message("Hello")]), { terminal: false });
  expect(chunks.at(-1)).toMatchObject({ type: "text-end" });
  expect(turn.usage?.totalTokens).toBe(42);
});

test("facts that change are sent again, before the end", async () => {
  const events = toEvents([message("Hello")]);
  (events.at(-1)!.response as Record<string, unknown>).service_tier = "priority";
  const { chunks } = await read(events);
  expect(chunks.at(-2)).toEqual({
    type: "metadata",
    metadata: { openai: { id: "resp_1", model: "gpt-5.2", service_tier: "priority" } },
  });
});

test("each delta is sent before the next event is requested", async () => {
  const events = toItemEvents(message("Hello"), 0);
  let requested = 0;
  const stream = fromOpenAIResponses(
    (async function* () {
      for (const event of events) {
        requested++;
        yield event;
      }
    })(),
  );
  await stream.next();
  expect((await stream.next()).value).toMatchObject({ type: "text-delta", delta: "Hel" });
  expect(requested).toBe(3);
});

test("a refusal is a text that OpenAI recognizes", async () => {
  const refusal = message("", { content: [{ type: "refusal", refusal: "No." }] });
  const { parts } = reduceMessage(await chunksOf(refusal));
  expect(parts).toMatchObject([
    { type: "text", text: "No.", providerMetadata: { openai: { item_id: "msg_1", type: "refusal" } } },
  ]);
});

test("the phase of a message is kept with each of its texts", async () => {
  const content = ["One", "Two"].map((text) => ({ type: "output_text", text, annotations: [] }));
  const { parts } = reduceMessage(await chunksOf(message("", { content, phase: "commentary" })));
  expect(parts).toMatchObject([
    { text: "One", key: "resp_1:0:0", providerMetadata: { openai: { phase: "commentary" } } },
    { text: "Two", key: "resp_1:0:1", providerMetadata: { openai: { phase: "commentary" } } },
  ]);
});

test("ranges of citations count UTF-16 code units, where OpenAI counts code points", async () => {
  const text = "😀 Rome is warm.";
  const annotations = [
    { type: "url_citation", start_index: 2, end_index: 6, url: "https://a.example/", title: "Rome" },
    { type: "url_citation", start_index: 7, end_index: 99, url: "https://a.example/", title: "Rome" },
    { type: "file_citation", file_id: "file_1", filename: "italy.pdf", index: 6 },
    { type: "file_path", file_id: "file_2", index: 0 },
    {
      type: "container_file_citation",
      file_id: "file_3",
      container_id: "cntr_1",
      filename: "plot.png",
      start_index: 0,
      end_index: 1,
    },
  ];
  const content = [{ type: "output_text", text, annotations }];
  const chunks = await chunksOf(message("", { content }));
  expect(chunks.filter(({ type }) => type === "source")).toEqual([
    { type: "source", id: "https://a.example/", url: "https://a.example/", title: "Rome" },
    {
      type: "source",
      id: "file_1",
      name: "italy.pdf",
      providerMetadata: { openai: { type: "file_citation", file_id: "file_1" } },
    },
    { type: "source", id: "file_2", providerMetadata: { openai: { type: "file_path", file_id: "file_2" } } },
    {
      type: "source",
      id: "file_3",
      name: "plot.png",
      providerMetadata: {
        openai: { type: "container_file_citation", file_id: "file_3", container_id: "cntr_1" },
      },
    },
  ]);
  expect(chunks.at(-1)).toEqual({
    type: "text-end",
    segmentId: "resp_1:0:0",
    citations: [
      { sourceId: "https://a.example/", start: 3, end: 7 },
      { sourceId: "https://a.example/", start: 8, end: 16 },
      { sourceId: "file_1", start: 7, end: 7 },
      { sourceId: "file_2" },
      { sourceId: "file_3", start: 0, end: 2 },
    ],
    providerMetadata: { openai: { item_id: "msg_1", annotations } },
  });
  expect(text.slice(3, 7)).toBe("Rome");
});

test("texts, citations and items of which only the end has arrived are whole", async () => {
  const annotations = [{ type: "url_citation", start_index: 0, end_index: 5, url: "https://a.example/" }];
  const item = message("", { content: [{ type: "output_text", text: "Hello", annotations }] });
  const events = toEvents([item]).filter(
    ({ type }) => type.startsWith("response.output_item") || /created|completed/.test(type),
  );
  const { chunks } = await read(events, { terminal: false });
  const { parts } = reduceMessage(chunks);
  expect(parts).toMatchObject([
    { type: "text", text: "Hello", citations: [{ sourceId: "https://a.example/", start: 0, end: 5 }] },
    { type: "source", url: "https://a.example/" },
  ]);
});

test("a message that ends early keeps its status for the next request", async () => {
  const events = toEvents([message("Hel", { status: "incomplete" })]);
  events.splice(-1, 1, {
    type: "response.incomplete",
    response: { incomplete_details: { reason: "max_output_tokens" } },
  });
  const { chunks, turn } = await read(events);
  expect(turn.finishReason).toBe("length");
  expect(chunks).toContainEqual({
    type: "part-metadata",
    segmentId: "resp_1:0:0",
    providerMetadata: { openai: { status: "incomplete" } },
  });
});

test("reasoning is streamed by summary, and its encrypted content belongs to the last", async () => {
  const summary = ["First", "Then"].map((text) => ({ type: "summary_text", text }));
  const item = { type: "reasoning", id: "rs_1", summary, encrypted_content: "gAAA" };
  expect(reduceMessage(await chunksOf(item)).parts).toMatchObject([
    { type: "reasoning", text: "First", providerMetadata: { openai: { item_id: "rs_1" } } },
    {
      type: "reasoning",
      text: "Then",
      providerMetadata: { openai: { item_id: "rs_1", encrypted_content: "gAAA" } },
    },
  ]);
});

test("reasoning that OpenAI hides, and a compaction, are empty parts that go back", async () => {
  const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" };
  const compaction = { type: "compaction", id: "cmp_1", encrypted_content: "gBBB", created_by: "ann" };
  expect(reduceMessage(await chunksOf(reasoning, compaction)).parts).toEqual([
    {
      type: "reasoning",
      key: "resp_1:0:hidden",
      text: "",
      state: "done",
      providerMetadata: { openai: { item_id: "rs_1", encrypted_content: "gAAA" } },
    },
    {
      type: "reasoning",
      key: "resp_1:1:hidden",
      text: "",
      state: "done",
      providerMetadata: { openai: { type: "compaction", id: "cmp_1", encrypted_content: "gBBB" } },
    },
  ]);
});

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

test("an image replaces its stages, and belongs to its call", async () => {
  const item = {
    type: "image_generation_call",
    id: "ig_1",
    status: "completed",
    revised_prompt: "A cat",
    result: "AAAA",
    output_format: "webp",
  };
  const events = toEvents([item]);
  const stage = { output_index: 0, partial_image_b64: "BBBB", partial_image_index: 0, output_format: "webp" };
  events.splice(3, 0, { type: "response.image_generation_call.partial_image", ...stage });
  events.splice(3, 0, { type: "response.image_generation_call.generating", output_index: 0 });
  const { chunks } = await read(events, { terminal: false });
  expect(chunks).toContainEqual({
    type: "tool-call-progress",
    tool: "image_generation",
    toolCallId: "ig_1",
    content: { status: "generating" },
  });
  expect(chunks.filter(({ type }) => type === "file")).toMatchObject([
    { id: "ig_1", toolCallId: "ig_1", mediaType: "image/webp", url: "data:image/webp;base64,BBBB" },
    { id: "ig_1", url: "data:image/webp;base64,AAAA", providerMetadata: { openai: { item_id: "ig_1" } } },
  ]);
  expect(reduceMessage(chunks).parts).toMatchObject([
    { tool: "image_generation", state: "done", input: { revised_prompt: "A cat", output_format: "webp" } },
    { type: "file" },
  ]);
});

test("an image that was refused is a failed call", async () => {
  const error = {
    type: "image_generation_error",
    code: "moderation_blocked",
    message: "Refused.",
    param: null,
  };
  const item = { type: "image_generation_call", id: "ig_1", status: "failed", result: null, error };
  expect(reduceMessage(await chunksOf(item)).parts).toMatchObject([
    { state: "error", errorMessage: "Refused.", errorCode: "moderation_blocked" },
  ]);
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
  events.splice(5, 0, printed({ stdout: "a" }), printed({ stdout: "b" }), printed({ stdout: "c" }), {
    type: "response.shell_call_output_content.done",
    output_index: 1,
    command_index: 0,
    output: [],
  });
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
    [{ stdout: "abc", stderr: "" }],
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

test("a response that fails throws what OpenAI reports", async () => {
  const events = toEvents([message("Hello")]);
  const error = { code: "rate_limit_exceeded", message: "Too many tokens" };
  events.splice(-1, 1, { type: "response.failed", response: { error } });
  await expect(read(events)).rejects.toMatchObject(error);
  await expect(read([{ type: "error", ...error, param: null }])).rejects.toMatchObject(error);
  await expect(read([{ type: "error", error }])).rejects.toMatchObject(error);
});

test("an aborted signal throws its reason, whether the SDK ends or continues", async () => {
  const controller = new AbortController();
  controller.abort(new Error("The client left"));
  const { signal } = controller;
  await expect(read([], { signal })).rejects.toThrow("The client left");
  await expect(read(toEvents([message("Hello")]), { signal })).rejects.toThrow("The client left");
});

test("what this version does not know is passed over, and reported", async () => {
  const unknown: unknown[] = [];
  const events = toEvents([{ type: "hologram", id: "h_1" }]);
  events.splice(2, 0, { type: "response.hologram.delta" });
  events.splice(2, 0, {
    type: "response.content_part.done",
    item_id: "m",
    output_index: 0,
    content_index: 0,
    part: { type: "smell" },
  });
  const { chunks } = await read(events, { onUnknown: (event) => unknown.push(event) });
  expect(unknown).toMatchObject([
    { type: "smell" },
    { type: "response.hologram.delta" },
    { type: "hologram" },
  ]);
  expect(chunks.map(({ type }) => type)).toEqual(["metadata", "done"]);
});

test("usage of nothing is left out", async () => {
  const { turn } = await read(toEvents([message("Hi")], { usage: { input_tokens: 0, output_tokens: 0 } }));
  expect([turn.usage, turn.usageByModel]).toEqual([undefined, undefined]);
});

test("a transcript is a text", async () => {
  const events = toEvents([]);
  events.splice(
    2,
    0,
    { type: "response.audio.delta", delta: "AAAA" },
    { type: "response.audio.transcript.delta", delta: "Hel" },
    { type: "response.audio.transcript.delta", delta: "lo" },
    { type: "response.audio.transcript.done" },
  );
  const { chunks } = await read(events);
  expect(reduceMessage(chunks).parts).toMatchObject([{ type: "text", text: "Hello", state: "done" }]);
});

const whole = toEvents([
  { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Let me see" }] },
  message("It is 21 °C."),
  call(),
  { type: "mcp_call", id: "mcp_1", name: "find", server_label: "wiki", arguments: "{}", output: "Found." },
]);

test("a stream that is cut anywhere throws, after exactly a prefix of its chunks", async () => {
  const { chunks: expected } = await read(whole);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
      const stream = fromOpenAIResponses(streamOf(whole.slice(0, length)));
      const chunks: StreamChunk[] = [];
      const reading = (async () => {
        for await (const chunk of stream) chunks.push(chunk);
      })();
      await expect(reading).rejects.toBeInstanceOf(StreamTruncatedError);
      expect(chunks).toEqual(expected.slice(0, chunks.length));
      const said = whole
        .slice(0, length)
        .flatMap(({ type, delta }) => (type === "response.output_text.delta" ? [delta] : []));
      const shown = chunks.flatMap((chunk) => (chunk.type === "text-delta" ? [chunk.delta] : []));
      expect(shown).toEqual(said);
    }),
  );
});
