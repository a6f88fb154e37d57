/** Every adapter of a model's stream, each with an answer that has all kinds of parts: for rules that hold for all of them. */
import { fromAGUI } from "../../src/adapters/ag-ui.ts";
import { fromAISDK } from "../../src/adapters/ai-sdk.ts";
import { fromAnthropic } from "../../src/adapters/anthropic.ts";
import { fromLangGraph } from "../../src/adapters/langgraph.ts";
import type { AdapterOptions, ModelStream } from "../../src/adapters/model-stream.ts";
import { fromOpenAIChat } from "../../src/adapters/openai-chat.ts";
import { fromOpenAIResponses } from "../../src/adapters/openai-responses.ts";
import { toEvents } from "./openai-responses-wire.ts";

type Stream = AsyncIterable<unknown> | PromiseLike<AsyncIterable<unknown>>;

export interface Adapter {
  name: string;
  adapt(stream: Stream, options?: AdapterOptions): ModelStream;
  /** One answer. */
  events: unknown[];
  /** One answer with this many deltas of one text. */
  toLong(count: number): unknown[];
  /** What no version knows, and what may be in any place. */
  unknown: unknown;
  /** The wire has no end that must come. */
  mayEndAnywhere?: true;
  /** The source names a text as it names an earlier one that has ended. */
  repeatsKeys?: true;
}

const chat = (delta: object, rest: object = {}, finish_reason: string | null = null) => ({
  id: "chatcmpl-1",
  model: "gpt-5",
  choices: [{ index: 0, delta, finish_reason }],
  ...rest,
});

const chatCall = (index: number, fields: object) => chat({ tool_calls: [{ index, ...fields }] });

const openAIChat: Adapter = {
  name: "OpenAI chat",
  adapt: (stream, options) => fromOpenAIChat(stream as Parameters<typeof fromOpenAIChat>[0], options),
  events: [
    { id: "", model: "", choices: [], prompt_filter_results: [] },
    chat({ role: "assistant", content: "" }),
    chat({ reasoning_content: "Let me " }),
    chat({ reasoning_content: "think." }),
    chat({ content: "It is " }),
    chat({ content: "warm." }),
    chatCall(0, { id: "call_1", function: { name: "weather", arguments: "" } }),
    chatCall(1, { id: "call_2", function: { name: "search", arguments: '{"q"' } }),
    chatCall(0, { function: { arguments: '{"city":"Rome"}' } }),
    chatCall(1, { function: { arguments: ':"sun"}' } }),
    chat({}, {}, "tool_calls"),
    { id: "chatcmpl-1", choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } },
  ],
  toLong: (count) => [...Array.from({ length: count }, () => chat({ content: "x" })), chat({}, {}, "stop")],
  unknown: chat({ new_field: 1 }),
};

const openAIResponses: Adapter = {
  name: "OpenAI Responses",
  adapt: (stream, options) =>
    fromOpenAIResponses(stream as Parameters<typeof fromOpenAIResponses>[0], options),
  events: toEvents([
    {
      type: "reasoning",
      id: "rs_1",
      summary: [{ type: "summary_text", text: "Let me think." }],
      encrypted_content: "secret",
    },
    {
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [
        {
          type: "output_text",
          text: "It is warm.",
          annotations: [
            { type: "url_citation", url: "https://a.example", title: "A", start_index: 0, end_index: 5 },
          ],
        },
      ],
    },
    { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "sun" } },
    { type: "function_call", id: "fc_1", call_id: "call_1", name: "weather", arguments: '{"city":"Rome"}' },
  ]),
  toLong: (count) => {
    const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
    const delta = { type: "response.output_text.delta", ...place, delta: "x" };
    return [
      { type: "response.created", response: { id: "resp_1" } },
      ...Array.from({ length: count }, () => delta),
      { type: "response.completed", response: { id: "resp_1" } },
    ];
  },
  unknown: { type: "response.something_new", output_index: 0 },
};

const block = (index: number, content_block: object, ...deltas: object[]) => [
  { type: "content_block_start", index, content_block },
  ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
  { type: "content_block_stop", index },
];

const anthropicStart = { type: "message_start", message: { id: "msg_1", model: "claude", usage: {} } };
const anthropicEnd = (stop_reason: string) => [
  { type: "message_delta", delta: { stop_reason }, usage: { output_tokens: 20 } },
  { type: "message_stop" },
];
const inText = (text: string) => ({ type: "text_delta", text });

const anthropic: Adapter = {
  name: "Anthropic",
  adapt: (stream, options) => fromAnthropic(stream as Parameters<typeof fromAnthropic>[0], options),
  events: [
    anthropicStart,
    ...block(
      0,
      { type: "thinking", thinking: "" },
      { type: "thinking_delta", thinking: "Let me think." },
      { type: "signature_delta", signature: "signed" },
    ),
    ...block(1, { type: "redacted_thinking", data: "secret" }),
    ...block(2, { type: "text", text: "" }, inText("It is "), inText("warm.")),
    ...block(3, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }),
    ...block(4, {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: [{ type: "web_search_result", url: "https://a.example", title: "A" }],
    }),
    ...block(
      5,
      { type: "tool_use", id: "toolu_1", name: "weather", input: {} },
      { type: "input_json_delta", partial_json: '{"city":' },
      { type: "input_json_delta", partial_json: '"Rome"}' },
    ),
    ...anthropicEnd("tool_use"),
  ],
  toLong: (count) => [
    anthropicStart,
    ...block(0, { type: "text", text: "" }, ...Array.from({ length: count }, () => inText("x"))),
    ...anthropicEnd("end_turn"),
  ],
  unknown: { type: "something_new" },
};

const call = { toolCallId: "call_1", toolName: "weather", input: { city: "Rome" } };

const aiSDK: Adapter = {
  name: "AI SDK",
  adapt: (stream, options) => fromAISDK(stream as Parameters<typeof fromAISDK>[0], options),
  events: [
    { type: "start" },
    { type: "start-step" },
    { type: "reasoning-start", id: "0" },
    { type: "reasoning-delta", id: "0", text: "Let me think." },
    { type: "reasoning-end", id: "0" },
    { type: "text-start", id: "1" },
    { type: "text-delta", id: "1", text: "It is " },
    { type: "text-delta", id: "1", text: "warm." },
    { type: "text-end", id: "1" },
    { type: "tool-input-start", id: "call_1", toolName: "weather" },
    { type: "tool-input-delta", id: "call_1", delta: '{"city":"Rome"}' },
    { type: "tool-input-end", id: "call_1" },
    { type: "tool-call", ...call },
    { type: "tool-result", ...call, output: { celsius: 21 } },
    { type: "finish-step", finishReason: "tool-calls", response: { id: "resp_1", modelId: "gpt-5" } },
    { type: "start-step" },
    { type: "text-start", id: "1" },
    { type: "text-delta", id: "1", text: "Warm." },
    { type: "text-end", id: "1" },
    { type: "finish-step", finishReason: "stop" },
    { type: "finish", finishReason: "stop", totalUsage: { inputTokens: 3 } },
  ],
  toLong: (count) => [
    { type: "text-start", id: "1" },
    ...Array.from({ length: count }, () => ({ type: "text-delta", id: "1", text: "x" })),
    { type: "text-end", id: "1" },
    { type: "finish", finishReason: "stop" },
  ],
  unknown: { type: "something-new" },
  repeatsKeys: true,
};

const piece = (content: unknown, fields: object = {}, langgraph_step = 1) => [
  "messages",
  [
    { type: "AIMessageChunk", id: `run-${langgraph_step}`, content, ...fields },
    { langgraph_node: "agent", langgraph_step },
  ],
];

const langGraphCall = { id: "call_1", name: "weather", args: { city: "Rome" }, type: "tool_call" };

const langGraph: Adapter = {
  name: "LangGraph",
  adapt: (stream, options) => fromLangGraph(stream as Parameters<typeof fromLangGraph>[0], options),
  events: [
    piece([{ type: "thinking", thinking: "Let me think.", index: 0 }]),
    piece([{ type: "text", text: "It is ", index: 1 }]),
    piece([{ type: "text", text: "warm.", index: 1 }]),
    piece("", { tool_call_chunks: [{ index: 0, id: "call_1", name: "weather", args: '{"city":' }] }),
    piece("", { tool_call_chunks: [{ index: 0, args: '"Rome"}' }] }),
    [
      "updates",
      {
        agent: {
          messages: [{ type: "ai", id: "run-1", content: "It is warm.", tool_calls: [langGraphCall] }],
        },
      },
    ],
    [
      "updates",
      {
        tools: {
          messages: [{ type: "tool", id: "t1", tool_call_id: "call_1", name: "weather", content: "21" }],
        },
      },
    ],
    piece("Warm.", {}, 3),
    ["updates", { agent: { messages: [{ type: "ai", id: "run-3", content: "Warm." }] } }],
  ],
  toLong: (count) => Array.from({ length: count }, () => piece("x")),
  unknown: ["something-new", {}],
  mayEndAnywhere: true,
};

const ids = { threadId: "t", runId: "run-1" };
const inMessage = (messageId: string, delta: string) => ({ type: "TEXT_MESSAGE_CONTENT", messageId, delta });

const agUI: Adapter = {
  name: "AG-UI",
  adapt: (stream, options) => fromAGUI(stream as Parameters<typeof fromAGUI>[0], options),
  events: [
    { type: "RUN_STARTED", ...ids },
    { type: "STEP_STARTED", stepName: "agent" },
    { type: "REASONING_START", messageId: "run-1r" },
    { type: "REASONING_MESSAGE_START", messageId: "run-1r", role: "reasoning" },
    { type: "REASONING_MESSAGE_CONTENT", messageId: "run-1r", delta: "Let me think." },
    { type: "REASONING_MESSAGE_END", messageId: "run-1r" },
    { type: "REASONING_END", messageId: "run-1r" },
    { type: "TEXT_MESSAGE_START", messageId: "run-1m", role: "assistant" },
    inMessage("run-1m", "It is "),
    inMessage("run-1m", "warm."),
    { type: "TEXT_MESSAGE_END", messageId: "run-1m" },
    { type: "TOOL_CALL_START", toolCallId: "call_1", toolCallName: "weather" },
    { type: "TOOL_CALL_ARGS", toolCallId: "call_1", delta: '{"city":"Rome"}' },
    { type: "TOOL_CALL_END", toolCallId: "call_1" },
    { type: "TOOL_CALL_RESULT", messageId: "run-1t", toolCallId: "call_1", content: "21" },
    { type: "STEP_FINISHED", stepName: "agent" },
    { type: "RUN_FINISHED", ...ids },
  ],
  toLong: (count) => [
    { type: "RUN_STARTED", ...ids },
    { type: "TEXT_MESSAGE_START", messageId: "m1", role: "assistant" },
    ...Array.from({ length: count }, () => inMessage("m1", "x")),
    { type: "TEXT_MESSAGE_END", messageId: "m1" },
    { type: "RUN_FINISHED", ...ids },
  ],
  unknown: { type: "SOMETHING_NEW" },
};

export const adapters: Adapter[] = [agUI, openAIChat, openAIResponses, anthropic, aiSDK, langGraph];
