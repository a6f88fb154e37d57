/**
 * Conversations as messages of LangChain, for the input of a graph. Plain objects: the library and its servers read them.
 */
import type {
  ChatMessage,
  ChatMessagePart,
  ClientToolResult,
  FileMessagePart,
  ToolCallMessagePart,
} from "@kortyx/protocol";
import { isRecord, recordOf } from "./loose-values.ts";
import {
  type HistoryEntry,
  type HistoryOptions,
  isLoadableURL,
  nameFile,
  parseDataURL,
  resultOf,
  toAnsweredCall,
  toHistory,
  toText,
  withResults,
} from "./model-history.ts";

/** A block of content, in LangChain's spelling. */
export interface LangChainBlock {
  /** What the block is: `"text"`, `"image_url"`, `"file"`. */
  type: string;
  [field: string]: unknown;
}

/** A tool call of an answer. */
export interface LangChainToolCall {
  /** LangChain's name of the shape. */
  type: "tool_call";
  /** Names the call. */
  id: string;
  /** The name of the tool. */
  name: string;
  /** The input. */
  args: Record<string, unknown>;
}

/** A message that LangChain turns into one of its own. */
export interface LangChainMessage {
  /** Who wrote it. */
  role: "user" | "assistant" | "system" | "tool";
  /** Text, or blocks if there is more. */
  content: string | LangChainBlock[];
  /** Replaces the message of the thread that has the same id. */
  id?: string;
  /** The calls of an answer. */
  tool_calls?: LangChainToolCall[];
  /** The call that has this result. */
  tool_call_id?: string;
  /** The tool that returned this result. */
  name?: string;
  /** Whether the tool has failed. */
  status?: "success" | "error";
  /** The result as data. */
  artifact?: unknown;
  [field: string]: unknown;
}

/**
 * Messages as LangChain reads them: `graph.stream({ messages: toLangChainMessages(messages.slice(-1)) })`. A graph with a
 * checkpointer has the conversation itself and needs the newest message only.
 *
 * A user's message keeps its id, so a request that is repeated adds it once. Every call of an answer gets a result, because
 * providers refuse one without. Left out: `data`, reasoning that did not come through `fromLangGraph`, and calls that the
 * provider ran.
 *
 * @example
 * ```ts
 * toLangChainMessages([{ role: "user", content: "Hello", id: "1" }]); // [{ role: "user", content: "Hello", id: "1" }]
 * ```
 */
export function toLangChainMessages(
  messages: readonly ChatMessage[],
  options: HistoryOptions = {},
): LangChainMessage[] {
  return withResults(messages, options.toolResults).flatMap((message) =>
    toHistory([message]).flatMap((entry) =>
      entry.role === "assistant" ? toTurn(entry) : toSaid(entry, message.id),
    ),
  );
}

function toSaid({ role, parts }: HistoryEntry, id: string | undefined): LangChainMessage[] {
  const content = toContent(parts);
  if (content === "") return [];
  const message: LangChainMessage = {
    role: role === "system" ? "system" : "user",
    content,
    ...(id !== undefined && role === "user" && { id }),
  };
  return [message];
}

function toTurn({ parts }: HistoryEntry): LangChainMessage[] {
  const calls = parts.filter(
    (part): part is ToolCallMessagePart => part.type === "tool-call" && part.executor !== "provider",
  );
  const content = toContent(parts.map(withoutOtherHandles));
  if (content === "" && calls.length === 0) return [];
  const tool_calls = calls.map(({ toolCallId: id, tool: name, input }) => ({
    type: "tool_call" as const,
    id,
    name,
    // LangChain's tools of free text take their text as `input`.
    args: isRecord(input) ? input : input === undefined || input === null ? {} : { input },
  }));
  return [
    { role: "assistant", content, ...(calls.length > 0 && { tool_calls }) },
    ...calls.map((call) => toResult(call)),
  ];
}

function toResult(call: ToolCallMessagePart): LangChainMessage {
  const { content, isError } = resultOf(call);
  const { toolCallId: tool_call_id, tool: name, structuredContent: artifact } = call;
  const hasBoth = call.content !== undefined && artifact !== undefined;
  return {
    role: "tool",
    content: toText(content),
    tool_call_id,
    name,
    status: isError ? "error" : "success",
    ...(hasBoth && { artifact }),
  };
}

/**
 * The results of tools that the page has run, as the next input of the graph that called them.
 *
 * @example
 * ```ts
 * toLangChainResults([{ toolCallId: "1", tool: "print", content: "Printed." }]);
 * ```
 */
export function toLangChainResults(toolResults: readonly ClientToolResult[]): LangChainMessage[] {
  return toolResults.map((result) => toResult(toAnsweredCall(result)));
}

/** A text where there is nothing else. */
function toContent(parts: readonly ChatMessagePart[]): string | LangChainBlock[] {
  const blocks = parts.flatMap(toBlocks);
  if (blocks.every(({ type }) => type === "text")) return blocks.map(({ text }) => text).join("\n\n");
  return blocks;
}

function toBlocks(part: ChatMessagePart): LangChainBlock[] {
  switch (part.type) {
    case "text":
      return part.text === "" ? [] : [{ type: "text", text: part.text }];
    case "reasoning": {
      const { type, ...block } = recordOf(part.providerMetadata?.langchain);
      if (typeof type !== "string" || type === "reasoning_content") return [];
      if (type === "redacted_thinking") return [{ ...block, type }];
      return [{ ...block, type, [type === "thinking" ? "thinking" : "reasoning"]: part.text }];
    }
    case "file":
      return [toFile(part)];
    default:
      return [];
  }
}

/** A file of an answer may have the handle of a provider that another one does not know. */
function withoutOtherHandles(part: ChatMessagePart): ChatMessagePart {
  if (part.type !== "file") return part;
  const { langchain } = part.providerReference ?? {};
  return { ...part, providerReference: langchain === undefined ? undefined : { langchain } };
}

/** Pictures in the form that every provider's package reads; other files in that of LangChain. */
function toFile(file: FileMessagePart): LangChainBlock {
  const { mediaType, url, name, providerReference } = file;
  if (isLoadableURL(url) && mediaType.startsWith("image/")) return { type: "image_url", image_url: { url } };
  const type = ["image", "audio"].find((kind) => mediaType.startsWith(`${kind}/`)) ?? "file";
  const described = { type, mime_type: mediaType, ...(name && { metadata: { filename: name, name } }) };
  const data = parseDataURL(url)?.base64;
  if (data !== undefined) return { ...described, source_type: "base64", data };
  const id = providerReference?.langchain ?? Object.values(providerReference ?? {})[0];
  if (url === "" && id !== undefined) return { ...described, source_type: "id", id };
  if (!isLoadableURL(url)) return { type: "text", text: nameFile(file) };
  return { ...described, source_type: "url", url };
}
