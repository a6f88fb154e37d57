/**
 * LangChain's messages, as instances, as JSON and as their short forms, and the blocks of their content. Keeps no state.
 */
import type { Citation, FileChunk, SourceChunk } from "@kortyx/protocol";
import { isRecord, listOf, recordOf, textOf } from "./loose-values.ts";

/** A message of any form. */
export interface ReadMessage {
  role: "ai" | "tool" | "human" | "remove" | "other";
  /** One of the pieces that a model streams. */
  isPiece: boolean;
  id: string | undefined;
  /** The message's own fields, in LangChain's spelling. */
  fields: Record<string, unknown>;
}

const roles: Record<string, ReadMessage["role"]> = {
  ai: "ai",
  assistant: "ai",
  AIMessage: "ai",
  AIMessageChunk: "ai",
  tool: "tool",
  ToolMessage: "tool",
  ToolMessageChunk: "tool",
  human: "human",
  user: "human",
  HumanMessage: "human",
  HumanMessageChunk: "human",
  remove: "remove",
  RemoveMessage: "remove",
  system: "other",
  developer: "other",
  function: "other",
  SystemMessage: "other",
  SystemMessageChunk: "other",
  FunctionMessage: "other",
};

/** @returns undefined for what is no message. */
export function readMessage(value: unknown): ReadMessage | undefined {
  if (Array.isArray(value)) {
    const [role, content] = value;
    return value.length === 2 && typeof role === "string" ? readMessage({ role, content }) : undefined;
  }
  if (!isRecord(value)) return undefined;
  if (value.lc === 1 && isRecord(value.kwargs)) {
    return readMessage({ ...value.kwargs, type: listOf(value.id).at(-1) });
  }
  const type = typeof value.getType === "function" ? String(value.getType()) : (value.type ?? value.role);
  if (typeof type !== "string" || !Object.hasOwn(roles, type)) return undefined;
  if (type !== "remove" && !("content" in value)) return undefined;
  return {
    role: roles[type]!,
    isPiece: type === "AIMessageChunk" || (typeof value.getType === "function" && isRecordOfPieces(value)),
    id: textOf(value.id),
    fields: value,
  };
}

/** Only the class of pieces has the field. */
const isRecordOfPieces = (message: Record<string, unknown>): boolean =>
  Array.isArray(message.tool_call_chunks);

export interface FoundMessage {
  message: ReadMessage;
  /** In the key that LangGraph's own states have messages in, or without one. */
  isAnswer: boolean;
}

/** The messages in what a node has returned: a state, several of them, messages, or one. */
export function* messagesOf(update: unknown, isAnswer = true): Generator<FoundMessage, void, void> {
  const message = isRecord(update) ? readMessage(update) : undefined;
  if (message) {
    yield { message, isAnswer };
  } else if (Array.isArray(update)) {
    for (const item of update) {
      const pair = Array.isArray(item) ? readMessage(item) : undefined;
      if (pair) yield { message: pair, isAnswer };
      else if (isRecord(item)) yield* messagesOf(item, isAnswer);
    }
  } else if (isRecord(update)) {
    for (const [key, value] of Object.entries(update)) {
      const one = isRecord(value) ? readMessage(value) : undefined;
      if (one) yield { message: one, isAnswer: key === "messages" };
      else if (Array.isArray(value)) yield* messagesOf(value, isAnswer && key === "messages");
    }
  }
}

/** One block of a message, or a piece of one. */
type ReadBlock =
  | { kind: "text"; text: string; sources: SourceChunk[]; citations: Citation[] }
  | { kind: "reasoning"; text: string; block: Record<string, unknown> }
  | { kind: "file"; file: FileChunk }
  | { kind: "provider-call"; toolCallId: string; tool: string; input: unknown }
  | { kind: "provider-result"; toolCallId: string; content: unknown; isError: boolean }
  | { kind: "known" }
  | { kind: "unknown" };

/** A block, and where in its message it belongs. */
export interface PlacedBlock {
  /** Pieces with the same place are one block. */
  place: string;
  block: ReadBlock;
  /** As LangChain wrote it. */
  raw: unknown;
}

/** The blocks of a message, in order. Reasoning that a provider writes beside the content comes first. */
export function readBlocks({ isPiece, fields }: ReadMessage): PlacedBlock[] {
  const { content } = fields;
  const { reasoning_content: written, reasoning } = recordOf(fields.additional_kwargs);
  const beside: PlacedBlock[] = listOf(recordOf(reasoning).summary).map((summary, position) => {
    const { text, index } = recordOf(summary);
    return {
      place: `summary-${String(index ?? position)}`,
      block: { kind: "reasoning", text: textOf(text) ?? "", block: {} },
      raw: summary,
    };
  });
  if (textOf(written)) {
    const block = { type: "reasoning_content" };
    beside.push({
      place: "reasoning",
      block: { kind: "reasoning", text: String(written), block },
      raw: written,
    });
  }
  if (typeof content === "string") {
    const block: ReadBlock = { kind: "text", text: content, sources: [], citations: [] };
    return [...beside, { place: "0", block, raw: content }];
  }
  const blocks = listOf(content).map((raw, position): PlacedBlock => {
    const block = readBlock(raw);
    const { index } = recordOf(raw);
    const place = isPiece ? (index ?? (block.kind === "text" ? 0 : block.kind)) : position;
    return { place: String(place), block, raw };
  });
  return [...beside, ...blocks];
}

function readBlock(raw: unknown): ReadBlock {
  if (typeof raw === "string") return { kind: "text", text: raw, sources: [], citations: [] };
  const block = recordOf(raw);
  switch (block.type) {
    case "text":
    case "text_delta":
      return { kind: "text", text: textOf(block.text) ?? "", ...readCitations(block) };
    case "refusal":
      return { kind: "text", text: textOf(block.refusal) ?? "", sources: [], citations: [] };
    case "thinking":
    case "reasoning":
    case "redacted_thinking":
      return readReasoning(block);
    case "image_url":
    case "image":
    case "audio":
    case "video":
    case "file":
      return readFile(block);
    case "server_tool_call":
      return typeof block.id === "string"
        ? {
            kind: "provider-call",
            toolCallId: block.id,
            tool: textOf(block.name) ?? "tool",
            input: block.args ?? {},
          }
        : { kind: "unknown" };
    case "server_tool_call_result": {
      const toolCallId = textOf(block.toolCallId ?? block.tool_call_id);
      if (toolCallId === undefined) return { kind: "unknown" };
      const content = block.output ?? null;
      return { kind: "provider-result", toolCallId, content, isError: block.status === "error" };
    }
    // Repeated in the message's own fields.
    case "tool_use":
    case "input_json_delta":
    case "tool_call":
    case "tool_call_chunk":
    case "invalid_tool_call":
    case "functionCall":
      return { kind: "known" };
    default:
      return { kind: "unknown" };
  }
}

/** The text, and everything else that the provider wants back. */
function readReasoning({ index, ...block }: Record<string, unknown>): ReadBlock {
  const { thinking, reasoning, summary, ...rest } = block;
  const summaries = listOf(summary).map((part) => textOf(recordOf(part).text) ?? "");
  const text = textOf(thinking) ?? textOf(reasoning) ?? summaries.join("\n\n");
  return { kind: "reasoning", text, block: rest };
}

/** Citations of LangChain, of OpenAI and of Anthropic. */
function readCitations(block: Record<string, unknown>): { sources: SourceChunk[]; citations: Citation[] } {
  const sources: SourceChunk[] = [];
  const citations: Citation[] = [];
  for (const raw of [...listOf(block.annotations), ...listOf(block.citations)]) {
    const found = recordOf(raw);
    const url = textOf(found.url);
    const title = textOf(found.title) ?? textOf(found.document_title);
    const sourceId = url ?? textOf(found.source) ?? title;
    if (sourceId === undefined) continue;
    // Positions in the answer; those of other types are in the document.
    const isInAnswer = found.type === "citation" || found.type === "url_citation";
    const [start, end] = [found.startIndex ?? found.start_index, found.endIndex ?? found.end_index];
    const quote = textOf(found.citedText) ?? textOf(found.cited_text);
    sources.push({ type: "source", id: sourceId, ...(url && { url }), ...(title && { title }) });
    citations.push({
      sourceId,
      ...(isInAnswer && isIndex(start) && { start }),
      ...(isInAnswer && isIndex(end) && { end }),
      ...(quote && { quote }),
      providerMetadata: { langchain: found },
    });
  }
  return { sources, citations };
}

const isIndex = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;

function readFile(block: Record<string, unknown>): ReadBlock {
  const { image_url: image, source_type: source } = block;
  const url = textOf(isRecord(image) ? image.url : image) ?? textOf(block.url);
  const given = textOf(block.mimeType) ?? textOf(block.mime_type);
  const { filename, name = filename } = recordOf(block.metadata);
  const named = typeof name === "string" && { name };
  if (url !== undefined) {
    const mediaType = given ?? /^data:([^;,]+)/i.exec(url)?.[1] ?? typeOf(block);
    return { kind: "file", file: { type: "file", mediaType, url, ...named } };
  }
  const mediaType = given ?? typeOf(block);
  const { data } = block;
  if (data instanceof Uint8Array || typeof data === "string") {
    const base64 = typeof data === "string" ? data : toBase64(data);
    return {
      kind: "file",
      file: { type: "file", mediaType, url: `data:${mediaType};base64,${base64}`, ...named },
    };
  }
  const fileId = textOf(block.fileId) ?? (source === "id" ? textOf(block.id) : undefined);
  if (fileId === undefined) return { kind: "unknown" };
  const providerReference = { langchain: fileId };
  return { kind: "file", file: { type: "file", mediaType, url: "", providerReference, ...named } };
}

/** A type that any file of the kind has. */
function typeOf({ type }: Record<string, unknown>): string {
  return type === "file" ? "application/octet-stream" : `${type === "image_url" ? "image" : type}/*`;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
