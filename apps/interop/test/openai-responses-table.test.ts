/** The tables of docs/openai-responses.md: each row with the package `openai`, or in the other direction. */
import type { ChatMessagePart, StreamChunk, ToolCallMessagePart } from "@kortyx/server";
import { fromOpenAIResponses, toOpenAIResponsesInput } from "@kortyx/server/openai";
import { afterAll, describe } from "vitest";
import {
  toEvents,
  toItemEvents,
  type WireEvent,
  type WireItem,
} from "../../../packages/server/test/adapters/openai-responses-wire.ts";
import { isInstalled } from "../install.ts";
import { testTable } from "./kit/doc-tables.ts";
import { type ProviderServer, serveProvider, toFrames } from "./kit/provider-server.ts";

const { default: OpenAI } = isInstalled() ? await import("openai") : ({} as never);
const page = "docs/openai-responses.md";

const types = [
  "metadata",
  "text-start",
  "text-delta",
  "text-end",
  "reasoning-start",
  "reasoning-delta",
  "reasoning-end",
  "part-metadata",
  "source",
  "file",
  "tool-call-start",
  "tool-call-delta",
  "tool-call-ready",
  "tool-call-progress",
  "tool-call-result",
  "tool-call-error",
  "interrupt",
  "interrupt-resolved",
  "done",
];

const servers: ProviderServer[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

/** The chunks of these events, as the SDK delivers them. */
async function read(events: WireEvent[]): Promise<StreamChunk[]> {
  const server = await serveProvider({ pieces: toFrames(events, "with-names") });
  servers.push(server);
  const openai = new OpenAI({ baseURL: server.url, apiKey: "key", maxRetries: 0 });
  const chunks: StreamChunk[] = [];
  const stream = openai.responses.create({ model: "gpt-5.2", input: "Hi", stream: true });
  try {
    for await (const chunk of fromOpenAIResponses(stream)) chunks.push(chunk);
  } catch {
    // A stream that is cut on purpose.
  }
  return chunks;
}

const created = toEvents([]).slice(0, 1);
const completed = toEvents([]).slice(-1);

/** What these events add to those before them. */
async function addedBy(events: WireEvent[], before: WireEvent[] = []): Promise<string[]> {
  const known = await read([...created, ...before]);
  const all = await read([...created, ...before, ...events]);
  return all.slice(known.length).map(({ type }) => type);
}

const typesOf = async (...items: WireItem[]): Promise<string[]> => {
  const chunks = await read(toEvents(items));
  return chunks.map(({ type }) => type).filter((type) => type !== "metadata" && type !== "done");
};

const place = { item_id: "item_1", output_index: 0 };
const inText = { ...place, content_index: 0 };
const inSummary = { ...place, summary_index: 0 };
const begin = (item: WireItem, output_index = 0): WireEvent => ({
  type: "response.output_item.added",
  output_index,
  item: { ...item, status: "in_progress" },
});
const delta = (type: string, fields: object): WireEvent => ({
  type: `response.${type}.delta`,
  ...fields,
  delta: "Hi",
});
const annotation = {
  type: "url_citation",
  url: "https://a.example/",
  title: "A",
  start_index: 0,
  end_index: 2,
};

const message = (part: object): WireItem => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [part],
});
const done = { id: "item_1", status: "completed" };
const functionCall = { type: "function_call", ...done, call_id: "call_1", name: "weather", arguments: "{}" };
const customCall = { type: "custom_tool_call", ...done, call_id: "call_1", name: "sql", input: "SELECT 1" };
const interpreter = { type: "code_interpreter_call", ...done, code: "1 + 1", outputs: [] };
const image = { type: "image_generation_call", ...done, revised_prompt: "A cat", result: "AAAA" };
const webSearch = { type: "web_search_call", ...done, action: { type: "search", query: "Rome" } };
const fileSearch = { type: "file_search_call", ...done, queries: ["Rome"], results: [] };
const server = { server_label: "wiki" };
const mcpCall = { type: "mcp_call", ...done, ...server, name: "find", arguments: "{}", output: "Found." };
const approval = { type: "mcp_approval_request", id: "mcpr_1", ...server, name: "find", arguments: "{}" };
const shell = {
  type: "shell_call",
  ...done,
  call_id: "call_1",
  action: { commands: ["ls"] },
  environment: { type: "container_reference" },
};
const shellOutput = { type: "shell_call_output", ...done, call_id: "call_1", output: [] };
const toolSearch = { type: "tool_search_call", ...done, call_id: null, execution: "server", arguments: {} };
const toolsFound = { type: "tool_search_output", ...done, call_id: null, execution: "server", tools: [] };
const program = { type: "program", ...done, call_id: "call_p", code: "1", fingerprint: "f" };
const programOutput = { type: "program_output", ...done, call_id: "call_p", result: "1" };
const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" };
const compaction = { type: "compaction", id: "cmp_1", encrypted_content: "gBBB" };

const all = async (...events: Promise<string[]>[]) => (await Promise.all(events)).flat();

describe.skipIf(!isInstalled())(page, () => {
  testTable(page, "Events", types, {
    "`response.created`, `response.queued`, `response.in_progress`": async () => {
      const [response] = created.map((event) => event.response);
      const events = ["created", "queued", "in_progress"].map((type) => ({
        type: `response.${type}`,
        response,
      }));
      return (await read(events)).map(({ type }) => type);
    },
    "`response.output_text.delta`": () => addedBy([delta("output_text", inText)]),
    "`response.refusal.delta`": () => addedBy([delta("refusal", inText)]),
    "`response.content_part.added`": () =>
      addedBy([{ type: "response.content_part.added", ...inText, part: { type: "output_text" } }]),
    "`response.output_text.annotation.added`": () =>
      addedBy(
        [{ type: "response.output_text.annotation.added", ...inText, annotation }],
        [delta("output_text", inText)],
      ),
    "`response.content_part.done`": () =>
      addedBy(
        [{ type: "response.content_part.done", ...inText, part: { type: "output_text", text: "Hi" } }],
        [delta("output_text", inText)],
      ),
    "`response.reasoning_summary_part.added`": () =>
      addedBy([{ type: "response.reasoning_summary_part.added", ...inSummary }]),
    "`response.reasoning_summary_text.delta`, `response.reasoning_text.delta`": () =>
      all(addedBy([delta("reasoning_summary_text", inSummary)]), addedBy([delta("reasoning_text", inText)])),
    "`response.reasoning_summary_part.done`, `response.reasoning_text.done`": () =>
      all(
        addedBy(
          [{ type: "response.reasoning_summary_part.done", ...inSummary }],
          [delta("reasoning_summary_text", inSummary)],
        ),
        addedBy([{ type: "response.reasoning_text.done", ...inText }], [delta("reasoning_text", inText)]),
      ),
    "`response.function_call_arguments.delta`, `response.mcp_call_arguments.delta`": () =>
      all(
        addedBy([delta("function_call_arguments", place)], [begin(functionCall)]),
        addedBy([delta("mcp_call_arguments", place)], [begin(mcpCall)]),
      ),
    "`response.custom_tool_call_input.delta`, `response.code_interpreter_call_code.delta`": () =>
      all(
        addedBy([delta("custom_tool_call_input", place)], [begin(customCall)]),
        addedBy([delta("code_interpreter_call_code", place)], [begin(interpreter)]),
      ),
    "`response.shell_call_command.added`, `response.shell_call_command.delta`": () =>
      addedBy(
        [
          { type: "response.shell_call_command.added", output_index: 0, command_index: 0, command: "" },
          delta("shell_call_command", { output_index: 0, command_index: 0 }),
        ],
        [begin(shell)],
      ),
    "`response.web_search_call.searching`, `response.file_search_call.searching`, `response.code_interpreter_call.interpreting`, `response.image_generation_call.generating`":
      () =>
        all(
          addedBy([{ type: "response.web_search_call.searching", ...place }], [begin(webSearch)]),
          addedBy([{ type: "response.file_search_call.searching", ...place }], [begin(fileSearch)]),
          addedBy([{ type: "response.code_interpreter_call.interpreting", ...place }], [begin(interpreter)]),
          addedBy([{ type: "response.image_generation_call.generating", ...place }], [begin(image)]),
        ),
    "`response.shell_call_output_content.delta`, `response.shell_call_output_content.done`": () =>
      addedBy(
        ["delta", "done"].map((type) => ({
          type: `response.shell_call_output_content.${type}`,
          output_index: 1,
          command_index: 0,
          delta: { stdout: "a" },
        })),
        [begin(shell), begin(shellOutput, 1)],
      ),
    "`response.image_generation_call.partial_image`": () =>
      addedBy(
        [{ type: "response.image_generation_call.partial_image", ...place, partial_image_b64: "AAAA" }],
        [begin(image)],
      ),
    "`response.audio.transcript.delta`": () => addedBy([delta("audio.transcript", {})]),
    "`response.audio.transcript.done`": () =>
      addedBy([{ type: "response.audio.transcript.done" }], [delta("audio.transcript", {})]),
    "`response.audio.delta`, `response.audio.done`": () =>
      addedBy([delta("audio", {}), { type: "response.audio.done" }]),
    "`response.completed`": () => {
      const [{ response } = {}] = completed as { response?: object }[];
      return addedBy([{ type: "response.completed", response: { ...response, service_tier: "flex" } }]);
    },
    "`response.incomplete`": () =>
      addedBy([
        { type: "response.incomplete", response: { incomplete_details: { reason: "max_output_tokens" } } },
      ]),
    "`response.failed`, `error`": () =>
      all(
        addedBy([
          { type: "response.failed", response: { error: { code: "server_error", message: "Oops" } } },
        ]),
        addedBy([{ type: "error", code: "server_error", message: "Oops" }]),
      ),
    "every other `….done`, `….in_progress`, `….completed`, `….failed` and `….compacting`": () => {
      const calls = ["web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"];
      const names = [
        ...[...calls, "mcp_call", "mcp_list_tools"].flatMap((name) => [
          `${name}.in_progress`,
          `${name}.completed`,
        ]),
        "mcp_call.failed",
        "mcp_list_tools.failed",
        "compaction.compacting",
        "output_text.done",
        "refusal.done",
        "reasoning_summary_text.done",
        "function_call_arguments.done",
        "mcp_call_arguments.done",
        "custom_tool_call_input.done",
        "code_interpreter_call_code.done",
        "shell_call_command.done",
      ];
      return addedBy(names.map((name) => ({ type: `response.${name}`, ...inText })));
    },
  });

  testTable(page, "Items", types, {
    "`message`": () => addedBy([begin(message({ type: "output_text", text: "" }))]),
    "`reasoning`": () =>
      all(
        typesOf(reasoning),
        addedBy(toItemEvents(reasoning, 0).slice(-1), [delta("reasoning_summary_text", inSummary)]).then(
          (added) => added.filter((type) => type !== "reasoning-end"),
        ),
      ),
    "`compaction`": () => typesOf(compaction),
    "`function_call`, `custom_tool_call`": async () =>
      (await all(typesOf(functionCall), typesOf(customCall))).filter((type) => type !== "tool-call-delta"),
    "`computer_call`, `local_shell_call`, `apply_patch_call`": () =>
      all(
        ...["computer_call", "local_shell_call", "apply_patch_call"].map((type) =>
          typesOf({ type, ...done, call_id: "call_1", action: {}, operation: {} }),
        ),
      ),
    "`web_search_call`": () => typesOf(webSearch),
    "`file_search_call`, `code_interpreter_call`": async () =>
      (await all(typesOf(fileSearch), typesOf(interpreter))).filter((type) => type !== "tool-call-delta"),
    "`image_generation_call`": () => typesOf(image),
    "`mcp_list_tools`": () => typesOf({ type: "mcp_list_tools", id: "mcpl_1", ...server, tools: [] }),
    "`mcp_call`": async () => (await typesOf(mcpCall)).filter((type) => type !== "tool-call-delta"),
    "`mcp_call` with an `error`, any call that failed": async () => {
      const failed = { ...mcpCall, error: { type: "http_error", code: 502, message: "Bad gateway" } };
      const found = await all(typesOf(failed), typesOf({ ...webSearch, status: "failed" }));
      return found.filter((type) => type !== "tool-call-delta");
    },
    "`mcp_approval_request`": () => typesOf(approval),
    "`mcp_call` after its approval": async () =>
      (await typesOf({ ...mcpCall, approval_request_id: "mcpr_1" })).filter(
        (type) => type !== "tool-call-delta",
      ),
    "`mcp_approval_response`": () =>
      typesOf({ type: "mcp_approval_response", id: "mcpa_1", approval_request_id: "mcpr_1", approve: true }),
    "`shell_call`, `shell_call_output`": () => typesOf(shell, shellOutput),
    "`tool_search_call`, `tool_search_output`": () => typesOf(toolSearch, toolsFound),
    "`program`, `program_output`": () => typesOf(program, programOutput),
    "`function_call_output` and the other outputs": () =>
      typesOf({ type: "function_call_output", id: "fco_1", call_id: "call_1", output: "21 °C" }),
    "a call with the status `incomplete`": async () =>
      (await typesOf({ ...functionCall, status: "incomplete" })).filter((type) => type !== "tool-call-delta"),
    "`additional_tools`": () =>
      typesOf({ type: "additional_tools", id: "at_1", role: "developer", tools: [] }),
  });

  const items = [
    "message",
    "refusal",
    "input_image",
    "input_file",
    "input_text",
    "reasoning",
    "compaction",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "image_generation_call",
    "item_reference",
    "web_search_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
  ];
  const sent = (role: "user" | "assistant", ...parts: ChatMessagePart[]): string[] =>
    toOpenAIResponsesInput([{ role, content: "", parts }]).flatMap((item) => {
      const { type, role: author, content } = item as { type?: string; role?: string; content?: unknown };
      if (author !== "user" || typeof content === "string") return [type ?? "message"];
      return (content as { type: string }[]).map((part) => part.type);
    });
  const text = (item_id?: string, fields: object = {}): ChatMessagePart => ({
    type: "text",
    text: "Hi",
    ...(item_id && { providerMetadata: { openai: { item_id, ...fields } } }),
  });
  const call = (fields: Partial<ToolCallMessagePart> = {}, openai?: object): ToolCallMessagePart => ({
    type: "tool-call",
    toolCallId: "item_1",
    tool: "find",
    state: "done",
    input: {},
    content: "Found.",
    ...(openai && { executor: "provider", providerMetadata: { openai: { id: "item_1", ...openai } } }),
    ...fields,
  });
  const file = (mediaType: string, url = "https://a.example/1"): ChatMessagePart => ({
    type: "file",
    mediaType,
    url,
  });
  const asked = { type: "mcp_approval_request", ...server };

  testTable(page, "What goes back", items, {
    "a text": () => [...sent("assistant", text("msg_1")), ...sent("user", text())],
    "a text of a refusal": () => {
      const [item] = toOpenAIResponsesInput([
        { role: "assistant", content: "", parts: [text("msg_1", { type: "refusal" })] },
      ]) as { type: string; content: { type: string }[] }[];
      return [item!.type, ...item!.content.map(({ type }) => type)];
    },
    "an image of the user's": () => sent("user", file("image/png")),
    "another file of the user's": () => sent("user", file("application/pdf")),
    "audio, video, other images, a URL that OpenAI cannot load": () =>
      sent(
        "user",
        file("audio/mpeg"),
        file("video/mp4"),
        file("image/svg+xml"),
        file("image/png", "blob:https://a.example/1"),
      ),
    "a file of an answer": () => {
      const made = call({}, { type: "image_generation_call" });
      const result = file("image/png", "data:image/png;base64,AAAA");
      const named = { ...result, providerMetadata: { openai: { item_id: "item_1" } } } as ChatMessagePart;
      return [...sent("assistant", made, named), ...sent("assistant", made, result)];
    },
    reasoning: () =>
      sent(
        "assistant",
        { type: "reasoning", text: "Hm", providerMetadata: { openai: { item_id: "rs_1" } } },
        text("msg_1"),
      ).slice(0, 1),
    "a compaction": () =>
      sent("assistant", { type: "reasoning", text: "", providerMetadata: { openai: { ...compaction } } }),
    "a call and its result": () => sent("assistant", call()),
    "a call of a custom tool": () => sent("assistant", call({ inputFormat: "text", input: "SELECT 1" })),
    "a call that OpenAI has run": () => sent("assistant", call({}, { type: "web_search_call" })),
    "a call that another provider has run": () => sent("assistant", call({ executor: "provider" })),
    "a call without a result": () => sent("assistant", call({ state: "interrupted" })),
    "a call that was approved or denied": () => [
      ...sent("assistant", call({ state: "denied" }, asked)),
      ...sent("assistant", call({}, { ...asked, type: "mcp_call", approval_request_id: "mcpr_1" })),
    ],
    "data, steps": () =>
      sent("assistant", { type: "data", name: "widget", data: 1 }, { type: "step", stepId: "1" }),
  });
});
