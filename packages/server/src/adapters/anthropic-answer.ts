/**
 * Answers as the blocks that Anthropic has sent, or would have sent. What the blocks of a conversation must look like
 * together is in `anthropic-prompt.ts`.
 *
 * Everything here comes from a client: a field is returned only if it is of the right kind. The API checks what it has
 * signed.
 */
import type { ChatMessagePart, ProviderMetadata, ToolCallMessagePart } from "@kortyx/protocol";
import { toNameBlock, toToolResult } from "./anthropic-files.ts";
import type { AnthropicBlockParam, AnthropicToolResultParam } from "./anthropic-request.ts";
import { isRecord } from "./loose-values.ts";
import { createCallIds, type HistoryEntry, resultOf, toPlainName, toToolName } from "./model-history.ts";

type Fields = Record<string, unknown>;

/** The answers of one conversation. */
export class AnthropicAnswers {
  readonly #history: readonly HistoryEntry[];
  readonly #uniqueId = createCallIds(Number.POSITIVE_INFINITY, toPlainName);
  /** The entry with the last call of each program, by the id of the program's own call. */
  readonly #lastOfProgram = new Map<string, number>();
  /** Results that come after those of the calls that a program has made, by the entry before which they do. */
  readonly #lateResults = new Map<number, AnthropicBlockParam[]>();
  /** Calls that Anthropic runs and that are in the request. */
  readonly #included = new Set<string>();

  /** Nothing but the result of a program comes after the last entry. */
  readonly #endsWithResult: boolean;

  constructor(history: readonly HistoryEntry[]) {
    this.#history = history;
    for (const [index, entry] of history.entries()) {
      for (const call of callsOf(entry)) {
        const program = isOwn(call) ? programOf(call) : undefined;
        if (program !== undefined) this.#lastOfProgram.set(program, index);
      }
    }
    this.#endsWithResult = history.flatMap(callsOf).some((call) => {
      const isLast = this.#lastOfProgram.get(call.toolCallId) === history.length - 1;
      return isLast && !isOwn(call) && toProviderResult(call) !== undefined;
    });
  }

  /** The results of programs that end before this entry. */
  resultsBefore(index: number): AnthropicBlockParam[] {
    return this.#lateResults.get(index) ?? [];
  }

  /** One call of the model: its blocks, and the results of the calls that it has made. */
  toBlocks(
    parts: readonly ChatMessagePart[],
    index: number,
  ): { blocks: AnthropicBlockParam[]; results: AnthropicToolResultParam[] } {
    const results: AnthropicToolResultParam[] = [];
    const blocks = parts.flatMap((part): AnthropicBlockParam[] => {
      switch (part.type) {
        case "text":
          return toTexts(part.text, part.providerMetadata);
        case "reasoning":
          return toThinking(part.text, part.providerMetadata);
        case "file":
          return [toFile(part)];
        case "data":
          return toReturned(part.data, part.providerMetadata);
        case "tool-call": {
          if (!isOwn(part)) return this.#toProviderBlocks(part, index);
          const call = this.#toCall(part);
          results.push(call.result);
          return [call.use];
        }
        default:
          return [];
      }
    });
    return { blocks, results };
  }

  #toCall(part: ToolCallMessagePart): { use: AnthropicBlockParam; result: AnthropicToolResultParam } {
    const { caller, toolset_name } = anthropicOf(part.providerMetadata);
    const id = this.#uniqueId(part.toolCallId);
    const program = programOf(part);
    const toolset = typeof toolset_name === "string" && { toolset_name };
    return {
      use: {
        type: "tool_use",
        id,
        name: toToolName(part.tool, 128),
        input: toInput(part),
        // Not that of a program which is not in the request.
        ...(isRecord(caller) && (program === undefined || this.#included.has(program)) && { caller }),
        ...toolset,
      },
      result: { ...toToolResult(id, resultOf(part)), ...toolset },
    };
  }

  /**
   * The call, and its result directly after it, unless a program has made calls in between. A call without a result is
   * allowed only at the end, where the answer is paused.
   */
  #toProviderBlocks(part: ToolCallMessagePart, index: number): AnthropicBlockParam[] {
    const { toolCallId: id } = part;
    const use = toProviderUse(part);
    if (!use || this.#included.has(id)) return [];
    const lastIndex = this.#lastOfProgram.get(id) ?? -1;
    const result = toProviderResult(part);
    const isAtEnd = !this.#endsWithResult && Math.max(index, lastIndex) === this.#history.length - 1;
    if (!result && !isAtEnd) return [];
    if (this.#uniqueId(id) !== id) return [];
    this.#included.add(id);
    if (!result) return [use];
    if (lastIndex < index) return [use, result];
    this.#lateResults.set(lastIndex + 1, [...this.resultsBefore(lastIndex + 1), result]);
    return [use];
  }
}

const callsOf = ({ role, parts }: HistoryEntry): ToolCallMessagePart[] =>
  role === "assistant" ? parts.filter((part) => part.type === "tool-call") : [];

const isOwn = ({ executor }: ToolCallMessagePart): boolean => executor !== "provider";

/** @returns the id of the call of the program that has made this call, if any. */
function programOf({ providerMetadata }: ToolCallMessagePart): string | undefined {
  const { caller } = anthropicOf(providerMetadata);
  const id = isRecord(caller) ? caller.tool_id : undefined;
  return typeof id === "string" ? id : undefined;
}

function toProviderUse({ toolCallId: id, tool, input, providerMetadata }: ToolCallMessagePart) {
  const { type, name = tool, caller, server_name } = anthropicOf(providerMetadata);
  if (type !== "server_tool_use" && type !== "mcp_tool_use") return undefined;
  const server = typeof server_name === "string" && { server_name };
  return untyped({ type, id, name, input: toObject(input), ...(isRecord(caller) && { caller }), ...server });
}

function toProviderResult({ toolCallId, content, resultProviderMetadata }: ToolCallMessagePart) {
  const { type, caller, is_error } = anthropicOf(resultProviderMetadata);
  const isResult = typeof type === "string" && /^[a-z_]+_tool_result$/.test(type);
  if (!isResult || content === undefined) return undefined;
  const failure = typeof is_error === "boolean" && { is_error };
  return untyped({ type, tool_use_id: toolCallId, content, ...failure, ...(isRecord(caller) && { caller }) });
}

/** Blocks that have no type in a request that an application writes. */
const untyped = (block: Fields): AnthropicBlockParam => block as unknown as AnthropicBlockParam;

/** The blocks that Anthropic has cut the text into, with what they quote; else the text. The API accepts no blank ones. */
function toTexts(text: string, metadata: ProviderMetadata | undefined): AnthropicBlockParam[] {
  const { blocks: given } = anthropicOf(metadata);
  const blocks: (AnthropicBlockParam & { type: "text" })[] = [];
  let start = 0;
  let blank = "";
  for (const block of Array.isArray(given) ? given : []) {
    const { end, citations } = isRecord(block) ? block : {};
    if (typeof end !== "number" || !(end > start)) continue;
    const piece = blank + text.slice(start, end);
    start = end;
    const isBlank = piece.trim() === "";
    if (!isBlank) blocks.push({ type: "text", text: piece, ...toCitations(citations) });
    blank = isBlank ? piece : "";
  }
  // Without blocks, or with those of another text: it was changed since.
  if (start !== text.length) return text.trim() === "" ? [] : [{ type: "text", text }];
  const last = blocks.at(-1);
  if (last) last.text += blank;
  return blocks;
}

/** The API sends the id of the file, and does not accept it back. */
function toCitations(citations: unknown): { citations?: Fields[] } {
  if (!Array.isArray(citations)) return {};
  return { citations: citations.filter(isRecord).map(({ file_id: _, ...citation }) => citation) };
}

function toThinking(thinking: string, metadata: ProviderMetadata | undefined): AnthropicBlockParam[] {
  const { type, data, signature } = anthropicOf(metadata);
  if (type === "redacted_thinking" && typeof data === "string") return [{ type, data }];
  return typeof signature === "string" ? [{ type: "thinking", thinking, signature }] : [];
}

function toFile(part: ChatMessagePart & { type: "file" }): AnthropicBlockParam {
  const { type } = anthropicOf(part.providerMetadata);
  const fileId = part.providerReference?.anthropic;
  return type === "container_upload" && fileId ? { type, file_id: fileId } : toNameBlock(part);
}

/** Blocks of the beta API that are data for us. */
function toReturned(data: unknown, metadata: ProviderMetadata | undefined): AnthropicBlockParam[] {
  const { type } = anthropicOf(metadata);
  const isReturned = type === "compaction" || type === "fallback" || type === "mcp_tool_listing";
  return isReturned && isRecord(data) ? [untyped({ ...data, type })] : [];
}

/** The API accepts objects only. */
function toInput({ input, inputFormat }: ToolCallMessagePart): Fields {
  return inputFormat === "text" ? { input } : toObject(input);
}

function toObject(input: unknown): Fields {
  if (isRecord(input)) return input;
  // What the model wrote is not JSON.
  if (typeof input === "string") return { INVALID_JSON: input };
  return (input ?? null) === null ? {} : { input };
}

const anthropicOf = (metadata: ProviderMetadata | undefined): Fields =>
  isRecord(metadata?.anthropic) ? metadata.anthropic : {};
