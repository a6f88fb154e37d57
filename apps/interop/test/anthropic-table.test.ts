import type { ChatMessagePart, StreamChunk } from "@kortyx/server";
import { fromAnthropic, toAnthropicPrompt } from "@kortyx/server/anthropic";
import { describe } from "vitest";
import { isInstalled } from "../install.ts";
import { basics, block, end, json, serveAnthropic, start, text, toAnswer } from "./anthropic-server.ts";
import { testTable } from "./kit/doc-tables.ts";

const page = "docs/anthropic.md";

async function chunksOf(events: object[]): Promise<StreamChunk[]> {
  await using server = await serveAnthropic(toAnswer(events));
  const chunks: StreamChunk[] = [];
  try {
    const stream = server.client.messages.create({ ...basics, messages: [] });
    for await (const chunk of fromAnthropic(stream)) chunks.push(chunk);
  } catch {
    // What is thrown is tested elsewhere.
  }
  return chunks;
}

/** The types of what an answer has between its first chunk and its last. */
const typesOf = async (...events: object[]) =>
  (await chunksOf([start, ...events, ...end()])).slice(1, -1).map(({ type }) => type);

/** The types after the first chunk. */
const typesAfterStart = async (...events: object[]) =>
  (await chunksOf([start, ...events])).slice(1).map(({ type }) => type);

const call = (type: string, ...input: string[]) =>
  block(0, { type, id: "t1", name: "search", server_name: "tools", input: {} }, ...json("", ...input));
const result = (type: string, content: unknown) => block(0, { type, tool_use_id: "t1", content });
const citation = { type: "char_location", document_index: 0, document_title: "A", cited_text: "a" };

describe.skipIf(!isInstalled())("the tables of Anthropic", () => {
  testTable(
    page,
    "Events to chunks",
    [
      ...["text-start", "text-delta", "text-end", "reasoning-start", "reasoning-delta", "reasoning-end"],
      ...["tool-call-start", "tool-call-delta", "tool-call-ready", "tool-call-error", "tool-call-result"],
      ...["source", "file", "data", "metadata", "done"],
    ],
    {
      "`message_start`": async () => (await chunksOf([start])).map(({ type }) => type),
      "block `text`, `text_delta`": () => typesOf(...text(0, "a"), ...text(1, "b")),
      "`citations_delta`": () =>
        typesOf(...block(0, { type: "text", text: "a" }, { type: "citations_delta", citation })),
      "block `thinking`, `thinking_delta`, `signature_delta`": () =>
        typesOf(
          ...block(
            0,
            { type: "thinking", thinking: "", signature: "" },
            { type: "thinking_delta", thinking: "a" },
            { type: "signature_delta", signature: "s" },
          ),
        ),
      "block `redacted_thinking`": () => typesOf(...block(0, { type: "redacted_thinking", data: "a" })),
      "block `tool_use`, `input_json_delta`": () => typesOf(...call("tool_use", "{}")),
      "block `tool_use` with an input that is not JSON": () => typesOf(...call("tool_use", "{")),
      "block `server_tool_use`": () => typesOf(...call("server_tool_use", "{}")),
      "block `mcp_tool_use` (beta)": () => typesOf(...call("mcp_tool_use", "{}")),
      "block `web_search_tool_result`": () =>
        typesOf(
          ...result("web_search_tool_result", [{ type: "web_search_result", url: "https://a.example/" }]),
        ),
      "block `web_fetch_tool_result`": () =>
        typesOf(...result("web_fetch_tool_result", { type: "web_fetch_result", url: "https://a.example/" })),
      "block `code_execution_tool_result` and every other `…_tool_result`": async () => [
        ...(await typesOf(...result("code_execution_tool_result", { type: "code_execution_result" }))),
        ...(await typesOf(...result("mcp_tool_result", "a"))),
        ...(await typesOf(...result("advisor_tool_result", { type: "advisor_result" }))),
      ],
      "block `container_upload`": () => typesOf(...block(0, { type: "container_upload", file_id: "f" })),
      "block `compaction`, `fallback`, `mcp_tool_listing` (beta)": async () =>
        (
          await Promise.all(
            ["compaction", "fallback", "mcp_tool_listing"].map((type) => typesOf(...block(0, { type }))),
          )
        ).flat(),
      "`message_delta`": () => typesAfterStart(...end()),
      "`message_delta` with `stop_sequence`, `stop_details`, `container`, `server_tool_use` or `context_management`":
        () => typesAfterStart(...end("stop_sequence", { stop_sequence: "END" })),
      "`message_stop`": () => typesAfterStart({ type: "message_stop" }),
      "`ping`": () => typesOf({ type: "ping" }),
      "`error`": () => typesAfterStart({ type: "error", error: { type: "api_error", message: "No." } }),
      "an end without `message_stop`": () => typesAfterStart(end()[0]!),
      "anything else": () => typesOf(...block(0, { type: "hologram" }, { type: "hologram_delta" })),
    },
  );

  const reasons: [string, string[]][] = [
    ["`end_turn`, `stop_sequence`", ["end_turn", "stop_sequence"]],
    ["`max_tokens`, `model_context_window_exceeded`", ["max_tokens", "model_context_window_exceeded"]],
    ["`tool_use`", ["tool_use"]],
    ["`refusal`", ["refusal"]],
    ["`pause_turn`, `compaction`", ["pause_turn", "compaction"]],
    ["any other", ["something_new"]],
  ];
  const finishReasonOf = async (reason: string) => {
    const last = (await chunksOf([start, ...end(reason)])).at(-1);
    return last?.type === "done" ? String(last.finishReason) : "";
  };
  testTable(
    page,
    "Why an answer ended",
    ["stop", "length", "tool-calls", "content-filter", "pause", "other"],
    Object.fromEntries(reasons.map(([row, all]) => [row, () => Promise.all(all.map(finishReasonOf))])),
  );
});

/** The types of the blocks that come of parts; those of an answer stand between two questions. */
function blocksOf(role: "user" | "assistant", ...parts: ChatMessagePart[]): string[] {
  const question = { role: "user" as const, content: "?" };
  const { messages } = toAnthropicPrompt(
    role === "user" ? [{ role, content: "", parts }] : [question, { role, content: "", parts }, question],
  );
  const blocks = messages.flatMap(({ content }) => content);
  return (role === "user" ? blocks : blocks.slice(1, -1)).map(({ type }) => type);
}

const reasoning = (anthropic?: object): ChatMessagePart => ({
  type: "reasoning",
  text: "a",
  ...(anthropic && { providerMetadata: { anthropic } }),
});
/** Thinking is never the last of an answer. */
const thinkingOf = (...parts: ChatMessagePart[]) =>
  blocksOf("assistant", ...parts, { type: "text", text: "a" }).slice(0, -1);
const file = (mediaType: string, url: string, id?: string): ChatMessagePart => ({
  type: "file",
  mediaType,
  url,
  name: "a",
  ...(id && { providerReference: { anthropic: id } }),
});
const waysOf = (mediaType: string) =>
  blocksOf(
    "user",
    file(mediaType, `data:${mediaType};base64,AAAA`),
    file(mediaType, "https://a.example/"),
    file(mediaType, "", "f"),
  );
const done = {
  type: "tool-call" as const,
  toolCallId: "t1",
  tool: "search",
  state: "done" as const,
  input: {},
  content: [],
};
const data = (type: string): ChatMessagePart => ({
  type: "data",
  name: `anthropic.${type}`,
  data: { type },
  providerMetadata: { anthropic: { type } },
});

testTable(
  page,
  "Parts to blocks",
  [
    ...[
      "text",
      "thinking",
      "redacted_thinking",
      "image",
      "document",
      "container_upload",
      "tool_use",
      "tool_result",
    ],
    ...["server_tool_use", "web_search_tool_result", "compaction", "fallback", "mcp_tool_listing"],
  ],
  {
    text: () => [
      ...blocksOf("user", { type: "text", text: "a" }),
      ...blocksOf("assistant", { type: "text", text: "a" }),
    ],
    "reasoning with a signature": () => thinkingOf(reasoning({ signature: "s" })),
    "reasoning that was redacted": () => thinkingOf(reasoning({ type: "redacted_thinking", data: "d" })),
    "reasoning without a signature": () => thinkingOf(reasoning()),
    "image (JPEG, PNG, GIF, WebP): `data:` or `https:` URL, or `providerReference.anthropic`": () =>
      ["image/jpeg", "image/png", "image/gif", "image/webp"].flatMap(waysOf),
    "PDF: `data:` or `https:` URL, or `providerReference.anthropic`": () => waysOf("application/pdf"),
    "text, JSON, XML, YAML and the like: `data:` URL": () =>
      ["text/plain", "text/csv", "application/json", "application/atom+xml", "application/yaml"].flatMap(
        (type) => blocksOf("user", file(type, `data:${type};base64,YQ==`)),
      ),
    "other file with `providerReference.anthropic`": () => blocksOf("user", file("text/csv", "", "f")),
    "other file": () =>
      blocksOf("user", file("audio/mpeg", "https://a.example/"), file("image/svg+xml", "data:,a")),
    "file of an answer that Anthropic has made": () =>
      blocksOf("assistant", {
        ...file("application/octet-stream", "", "f"),
        providerMetadata: { anthropic: { type: "container_upload" } },
      } as ChatMessagePart),
    "other file of an answer": () => blocksOf("assistant", file("image/png", "data:image/png;base64,AAAA")),
    "call of a tool": () => blocksOf("assistant", done),
    "call that Anthropic ran": () =>
      blocksOf("assistant", {
        ...done,
        executor: "provider",
        providerMetadata: { anthropic: { type: "server_tool_use" } },
        resultProviderMetadata: { anthropic: { type: "web_search_tool_result" } },
      }),
    "call that another provider ran": () =>
      blocksOf("assistant", { ...done, executor: "provider", providerMetadata: { openai: {} } }),
    "data of the beta API, as above": () =>
      blocksOf("assistant", data("compaction"), data("fallback"), data("mcp_tool_listing")),
    "other data, steps": () => blocksOf("assistant", data("weather"), { type: "step", stepId: "1" }),
  },
);
