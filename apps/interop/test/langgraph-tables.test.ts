import type { ChatMessagePart, InterruptAnswer } from "@kortyx/server";
import {
  fromLangGraph,
  type LangGraphEvent,
  type LangGraphOptions,
  toLangChainMessages,
} from "@kortyx/server/langgraph";
import { expect } from "vitest";
import { testTable } from "./kit/doc-tables.ts";

const page = "docs/langgraph.md";

/** Without steps and the end, which every stream has. */
async function typesOf(items: LangGraphEvent[], options?: LangGraphOptions, kept: string[] = []) {
  async function* stream() {
    yield* items;
  }
  const types: string[] = [];
  for await (const { type } of fromLangGraph(stream(), options)) types.push(type);
  const left = ["step-start", "step-end", "done"].filter((type) => !kept.includes(type));
  return types.filter((type) => !left.includes(type));
}

const piece = (content: unknown, fields: object = {}): LangGraphEvent => [
  "messages",
  [
    { type: "AIMessageChunk", id: "m1", content, ...fields },
    { langgraph_node: "agent", langgraph_step: 1 },
  ],
];
const tool = (event: string, fields: object): LangGraphEvent => [
  "tools",
  { event, name: "search", ...fields },
];
const call = (args: string) => ({ tool_call_chunks: [{ id: "c1", name: "search", args, index: 0 }] });
const result = { type: "tool", tool_call_id: "c1", name: "search", content: "Found." };
const asked = { __interrupt__: [{ id: "i1", value: "Sure?" }] };
const id = "0".repeat(32);
const resume = (answer: string): InterruptAnswer => ({
  requestId: `${id}:0`,
  resumeToken: JSON.stringify({
    id,
    kind: "choice",
    call: { index: 0, count: 1, toolCallId: "c1", tool: "search", spelling: "camel" },
  }),
  answer,
  input: {},
});
const ui = { type: "ui", id: "e1", name: "chart", props: {} };
const config = { configurable: { thread_id: "t1", checkpoint_id: "k1" } };

const chunkTypes = [
  ...["text", "reasoning"].flatMap((kind) => ["start", "delta", "end"].map((part) => `${kind}-${part}`)),
  ...["start", "delta", "ready", "progress", "result", "error", "denied"].map((part) => `tool-call-${part}`),
  ...["step-start", "step-end", "source", "file", "interrupt", "interrupt-resolved", "data", "checkpoint"],
  ...["abort", "done"],
];

testTable(page, "What becomes of the stream", [...chunkTypes, "metadata"], {
  "`messages`: a text": () => typesOf([piece("Hi")], {}, ["step-start", "step-end"]),
  "`messages`: reasoning": () => typesOf([piece([{ type: "thinking", thinking: "Hm", index: 0 }])]),
  "`messages`: a refusal": () => typesOf([piece([{ type: "refusal", refusal: "No.", index: 0 }])]),
  "`messages`: citations": () =>
    typesOf([
      piece([{ type: "text", text: "Hi", annotations: [{ type: "citation", url: "https://a.example/" }] }]),
    ]),
  "`messages`: pictures and files": () =>
    typesOf([piece([{ type: "image_url", image_url: "data:image/png;base64,AA" }])]),
  "`messages`: tool calls": () => typesOf([piece("", call("{}"))]),
  "`messages`: an input that is not JSON": () => typesOf([piece("", call("{"))]),
  "`messages`: tools that the provider ran": () =>
    typesOf([
      piece([
        { type: "server_tool_call", id: "s1", name: "web", args: {} },
        { type: "server_tool_call_result", toolCallId: "s1", output: "x" },
      ]),
    ]),
  "`messages`: the result of a tool": () => typesOf([["messages", [result, {}]]]),
  "`messages`: the result of a call that the user has refused": async () => {
    const types = await typesOf([["messages", [result, {}]]], { resumes: [resume("deny")] });
    return types.filter((type) => type !== "interrupt-resolved");
  },
  "`messages`: of the user, of the system, or removed": () =>
    typesOf(["human", "system", "remove"].map((type) => ["messages", [{ type, id: "x", content: "a" }, {}]])),
  "`messages/partial`, `messages/complete`": () =>
    typesOf([
      { event: "messages/partial", data: [{ type: "ai", id: "m1", content: "a" }] },
      { event: "messages/complete", data: [{ type: "ai", id: "m1", content: "ab" }] },
    ]),
  "`updates`: a message that is already shown": async () => {
    const shown = await typesOf([piece("Hi")]);
    const both = await typesOf([
      piece("Hi"),
      ["updates", { agent: { messages: [{ type: "ai", id: "m1", content: "Hi" }] } }],
    ]);
    return both.slice(shown.length);
  },
  "`updates`: a message without an id": () =>
    typesOf([["updates", { agent: { messages: [{ role: "assistant", content: "a" }] } }]]),
  "`updates`, `values`: other keys of the state": () =>
    typesOf([
      ["updates", { agent: { plan: ["a"] } }],
      ["values", { plan: ["a"] }],
    ]),
  "`updates`, `values`: an interrupt": () =>
    typesOf([
      ["updates", asked],
      ["values", asked],
    ]),
  "`updates`: a breakpoint": () => typesOf([["updates", { __interrupt__: [] }]], {}, ["done"]),
  "`resumes` of the request": () => typesOf([], { resumes: [resume("edit")] }),
  "`custom`": () => typesOf([["custom", { percent: 50 }]]),
  "`custom`: generative UI": () =>
    typesOf([
      ["custom", ui],
      ["custom", { type: "remove-ui", id: "e1" }],
    ]),
  "`tools` with the id of a call": () =>
    typesOf([
      tool("on_tool_start", { toolCallId: "c1", input: "{}" }),
      tool("on_tool_event", { toolCallId: "c1", data: 1 }),
      tool("on_tool_end", { toolCallId: "c1", output: result }),
    ]),
  "`tools`: `on_tool_error`": () => typesOf([tool("on_tool_error", { toolCallId: "c1", error: "x" })]),
  "`tools` without the id of a call": () => typesOf([tool("on_tool_start", { input: "{}" })]),
  "`checkpoints`": () => typesOf([["checkpoints", { config, metadata: { step: 1 }, values: {} }]]),
  "`metadata`": () => typesOf([{ event: "metadata", data: { run_id: "r1", thread_id: "t1" } }]),
  "`tasks` with an interrupt": () =>
    typesOf([["tasks", { id: "t1", name: "a", result: {}, interrupts: asked.__interrupt__ }]]),
  "`error`, `end` with `error` or `timeout`": async () => {
    await expect(typesOf([{ event: "error", data: { error: "E", message: "m" } }])).rejects.toThrow("m");
    await expect(typesOf([{ event: "end", data: { status: "timeout" } }])).rejects.toThrow("timeout");
    return [];
  },
  "`end` of a run that was stopped": () => typesOf([{ event: "end", data: { status: "interrupted" } }]),
  "`debug`, `events`, `lifecycle`, `feedback`": () =>
    typesOf(["debug", "events", "lifecycle|sub:1", "feedback"].map((event) => ({ event, data: {} }))),
});

/** The blocks, roles and fields of what the parts become. */
function kindsOf(parts: ChatMessagePart[], role: "user" | "assistant" = "assistant"): string[] {
  const messages = toLangChainMessages([{ role, content: "", parts }]);
  return messages.flatMap(({ role, content, tool_calls }) => [
    ...(role === "tool"
      ? [role]
      : typeof content === "string"
        ? content
          ? ["text"]
          : []
        : content.map(({ type }) => type)),
    ...(tool_calls ? ["tool_calls"] : []),
  ]);
}

const file = (mediaType: string, url: string): ChatMessagePart => ({ type: "file", mediaType, url });
const reasoning = (type?: string): ChatMessagePart => ({
  type: "reasoning",
  text: "Hm",
  ...(type && { providerMetadata: { langchain: { type } } }),
});

const blockTypes = [
  "text",
  "image_url",
  "file",
  "audio",
  "tool_calls",
  "tool",
  "thinking",
  "redacted_thinking",
  "reasoning",
];

testTable(page, "A graph without a checkpointer", blockTypes, {
  "a text": () => kindsOf([{ type: "text", text: "Hi" }]),
  "a picture with a URL, also a `data:` one": () =>
    kindsOf([file("image/png", "https://a.example/1.png")], "user"),
  "a file without a valid URL, or with a `blob:` one": () =>
    kindsOf([file("image/png", "blob:https://a.example/1"), file("video/mp4", "")], "user"),
  "another file": () =>
    kindsOf(
      [file("application/pdf", "data:application/pdf;base64,AA"), file("audio/wav", "https://a.example/")],
      "user",
    ),
  "a tool call, and its result": () =>
    kindsOf([
      { type: "tool-call", toolCallId: "c1", tool: "search", state: "done", input: {}, content: "x" },
    ]),
  "reasoning that came through `fromLangGraph`": () =>
    kindsOf(["thinking", "redacted_thinking", "reasoning"].map(reasoning)),
  "a tool call that the provider has run": () =>
    kindsOf([
      { type: "tool-call", toolCallId: "c1", tool: "web", executor: "provider", state: "done", content: "x" },
    ]),
  "other reasoning, data, steps": () =>
    kindsOf([reasoning(), { type: "data", name: "a", data: 1 }, { type: "step", stepId: "1" }]),
});
